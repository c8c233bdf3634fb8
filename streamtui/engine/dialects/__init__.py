"""The protocols that endpoints speak, one file each; a new one adds its line to the table."""

from streamtui.engine.dialects.anthropic import Anthropic
from streamtui.engine.dialects.base import Dialect
from streamtui.engine.dialects.gemini import Gemini
from streamtui.engine.dialects.langgraph import LangGraph
from streamtui.engine.dialects.langserve import LangServe
from streamtui.engine.dialects.ollama import Ollama
from streamtui.engine.dialects.openai_chat import OpenAIChat
from streamtui.engine.dialects.openai_completions import OpenAICompletions
from streamtui.engine.dialects.openai_responses import OpenAIResponses
from streamtui.engine.dialects.sse import EventStream

DIALECTS: dict[str, Dialect] = {
    "anthropic": Anthropic(),
    "gemini": Gemini(),
    "langgraph": LangGraph(),
    "langserve": LangServe(),
    "ollama": Ollama(),
    "openai-chat": OpenAIChat(),
    "openai-completions": OpenAICompletions(),
    "openai-responses": OpenAIResponses(),
    "sse": EventStream(),
}
