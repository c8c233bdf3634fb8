"""OpenAI's legacy completions: `POST {base}/completions`.

Source: https://platform.openai.com/docs/api-reference/completions.
"""

from typing import Any

from streamtui.config import Endpoint
from streamtui.engine.dialects.base import Request, as_text
from streamtui.engine.dialects.openai_wire import OpenAIDecoder, OpenAIDialect, build_request
from streamtui.events import Delta, Message, TextDelta


class CompletionsDecoder(OpenAIDecoder):
    """Reads `choices[0].text`."""

    def _read_choice(self, choice: dict[str, Any]) -> list[Delta]:
        # LiteLLM leaves `text` out of the last choice.
        return [TextDelta(as_text(choice.get("text")))]


class OpenAICompletions(OpenAIDialect):
    """One prompt, one text."""

    name = "openai-completions"

    def decoder(self) -> CompletionsDecoder:
        """A decoder for one response."""
        return CompletionsDecoder()

    def build_request(self, endpoint: Endpoint, messages: tuple[Message, ...]) -> Request:
        """The turns as one text: the dialect knows no roles."""
        prompt = "\n\n".join(message.content for message in messages)
        return build_request(endpoint, "/completions", {"prompt": prompt})
