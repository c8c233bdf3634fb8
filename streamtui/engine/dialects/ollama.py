"""Ollama: `POST {base}/api/chat` and `POST {base}/api/generate`, one line of JSON per piece.

Source: https://docs.ollama.com/api.
"""

from typing import Any

from streamtui.config import Endpoint
from streamtui.engine.dialects.base import (
    Dialect,
    ModelPage,
    Request,
    as_count,
    as_dict,
    as_list,
    as_words,
    json_text,
)
from streamtui.engine.dialects.json_decoder import JSONDecoder, piece
from streamtui.engine.dialects.model_pages import names_in, read_rows
from streamtui.engine.dialects.requests import as_objects, get, post, sort_params, split_system
from streamtui.engine.framing import NDJSONFramer
from streamtui.events import Delta, Message, ReasoningDelta, TextDelta, ToolCallDelta, Usage

# Only generate understands these.
_GENERATE = frozenset({"context", "raw", "suffix", "template"})

# What of `params` is a member of the request; all the rest belongs to `options`.
_TOP_LEVEL = _GENERATE | {
    "format",
    "images",
    "keep_alive",
    "logprobs",
    "shift",
    "system",
    "think",
    "tools",
    "top_logprobs",
    "truncate",
}

_KNOWN = frozenset({"done", "message", "response"})


class OllamaDecoder(JSONDecoder):
    """Reads the lines of chat, which hold a `message`, and of generate, which hold a `response`."""

    def __init__(self) -> None:
        super().__init__()
        self._calls = 0

    def _read(self, fields: dict[str, Any], _event: str) -> list[Delta] | None:
        if not _KNOWN & fields.keys():
            return None
        return [
            *self._announce("", as_words(fields.get("model"))),
            *piece(ReasoningDelta, fields.get("thinking")),
            *piece(TextDelta, fields.get("response")),
            *self._read_message(as_dict(fields.get("message"))),
            *self._read_end(fields),
        ]

    def _read_message(self, message: dict[str, Any]) -> list[Delta]:
        # aimock says `reasoning_content`.
        thought = message.get("thinking") or message.get("reasoning_content")
        calls = map(as_dict, as_list(message.get("tool_calls")))
        return [
            *piece(ReasoningDelta, thought),
            *piece(TextDelta, message.get("content")),
            *map(self._read_call, calls),
        ]

    def _read_call(self, call: dict[str, Any]) -> ToolCallDelta:
        """Calls come whole; their own index begins anew with each line."""
        index, self._calls = self._calls, self._calls + 1
        function = as_dict(call.get("function"))
        arguments = function.get("arguments")
        return ToolCallDelta(
            index,
            arguments if isinstance(arguments, str) else json_text(as_dict(arguments)),
            id=as_words(call.get("id")) or None,
            name=as_words(function.get("name")) or None,
        )

    def _read_end(self, fields: dict[str, Any]) -> list[Delta]:
        if fields.get("done") is not True:
            return []
        self.complete = self.ended = True
        usage = Usage(as_count(fields.get("prompt_eval_count")), as_count(fields.get("eval_count")))
        return self._count(usage) + self._finish(as_words(fields.get("done_reason")))


class Ollama(Dialect):
    """A conversation, or one prompt with generate when `params` hold what only generate knows.

    That is `raw`, `template`, `suffix` or `context`; `raw = false` chooses generate and no more.
    """

    name = "ollama"

    def framer(self) -> NDJSONFramer:
        """A framer for one response."""
        return NDJSONFramer()

    def decoder(self) -> OllamaDecoder:
        """A decoder for one response."""
        return OllamaDecoder()

    def build_request(self, endpoint: Endpoint, messages: tuple[Message, ...]) -> Request:
        """The turns as they are for chat, as one text for generate."""
        generates = not _GENERATE.isdisjoint(endpoint.params)
        asked = _prompt(endpoint, messages) if generates else {"messages": as_objects(messages)}
        body: dict[str, object] = {
            "model": endpoint.model,
            **asked,
            "stream": True,
            **sort_params(endpoint.params, _TOP_LEVEL, "options"),
        }
        path = f"{_root(endpoint)}/{'generate' if generates else 'chat'}"
        return post(endpoint, path, body, auth="bearer", accept="application/x-ndjson")

    def models_request(self, endpoint: Endpoint, page: str = "") -> Request:  # noqa: ARG002
        """The request for the list. Source: https://docs.ollama.com/api/tags."""
        return get(endpoint, f"{_root(endpoint)}/tags", auth="bearer")

    def read_models(self, body: bytes) -> ModelPage:
        """The models that are on the machine."""
        return ModelPage(names_in(read_rows(body, "models")[1], "model", "name"))


def _root(endpoint: Endpoint) -> str:
    return "" if endpoint.base_url.endswith("/api") else "/api"


def _prompt(endpoint: Endpoint, messages: tuple[Message, ...]) -> dict[str, object]:
    """The turns as one text. A raw prompt allows no system prompt beside it."""
    system, turns = split_system(messages)
    if endpoint.params.get("raw") is True:
        system, turns = "", list(messages)
    prompt = "\n\n".join(message.content for message in turns)
    return {"prompt": prompt, **({"system": system} if system else {})}
