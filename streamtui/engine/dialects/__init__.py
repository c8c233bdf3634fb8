"""The protocols that endpoints speak, one file each; a new one adds its line to the table."""

from streamtui.engine.dialects.base import Dialect
from streamtui.engine.dialects.openai_chat import OpenAIChat
from streamtui.engine.dialects.openai_completions import OpenAICompletions

DIALECTS: dict[str, Dialect] = {
    "openai-completions": OpenAICompletions(),
    "openai-chat": OpenAIChat(),
}
