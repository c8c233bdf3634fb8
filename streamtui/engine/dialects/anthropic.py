"""Anthropic's Messages: `POST {base}/v1/messages`, and the servers that imitate it.

Sources: https://docs.claude.com/en/api/messages-streaming and the types of the anthropic SDK.
"""

from typing import Any
from urllib.parse import urlencode

from streamtui.config import Endpoint
from streamtui.engine.dialects.base import (
    Dialect,
    ModelPage,
    Request,
    add_counts,
    as_count,
    as_dict,
    as_text,
    as_words,
    json_text,
)
from streamtui.engine.dialects.json_decoder import JSONDecoder, piece
from streamtui.engine.dialects.model_pages import names_in, read_rows
from streamtui.engine.dialects.requests import as_objects, get, post, split_system, versioned
from streamtui.events import (
    Delta,
    Message,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)

DEFAULT_MAX_TOKENS = 4096
"""The protocol demands a limit; `max_tokens` in `params` is another."""

DEFAULT_VERSION = "2023-06-01"

_MODELS_ON_PAGE = 1000
"""The most that are sent at once."""


class AnthropicDecoder(JSONDecoder):
    """Reads events by the `type` in their data.

    Blocks may overlap: llama.cpp opens one before it closes the last. Each delta names its own.
    """

    def __init__(self) -> None:
        super().__init__()
        self._counts: dict[str, Any] = {}

    def _read(self, fields: dict[str, Any], event: str) -> list[Delta] | None:
        index = as_count(fields.get("index")) or 0
        match event:
            case "message_start":
                return self._read_start(as_dict(fields.get("message")))
            case "content_block_start":
                return _read_block(as_dict(fields.get("content_block")), index)
            case "content_block_delta":
                return _read_delta(as_dict(fields.get("delta")), index)
            case "message_delta":
                return self._read_end(as_dict(fields.get("delta")), fields.get("usage"))
            case "message_stop":
                self.complete = self.ended = True
                return []
            case "content_block_stop" | "ping":
                return []
            case _:
                return None

    def _read_document(self, document: object) -> list[Delta] | None:
        message = as_dict(document)
        if not isinstance(message.get("content"), list):
            return None
        deltas = self._read_start(message)
        for index, block in enumerate(map(as_dict, message["content"])):
            deltas += _read_block(block, index) or []
        return deltas + self._read_end(message, None)

    def _read_start(self, message: dict[str, Any]) -> list[Delta]:
        about = self._announce(as_words(message.get("id")), as_words(message.get("model")))
        return about + self._read_usage(message.get("usage"))

    def _read_end(self, delta: dict[str, Any], usage: object) -> list[Delta]:
        why = as_dict(delta.get("stop_details")).get("explanation")
        reason = as_words(delta.get("stop_reason"))
        return piece(RefusalDelta, why) + self._read_usage(usage) + self._finish(reason)

    def _read_usage(self, usage: object) -> list[Delta]:
        """Counts are cumulative; those that a later event leaves out or sets to null stay.

        `input_tokens` are only those that no cache had a part in.
        """
        news = as_dict(usage)
        self._counts |= {name: count for name, count in news.items() if count is not None}
        cached = as_count(self._counts.get("cache_read_input_tokens"))
        written = as_count(self._counts.get("cache_creation_input_tokens"))
        details = as_dict(self._counts.get("output_tokens_details"))
        return self._count(
            Usage(
                input=add_counts(as_count(self._counts.get("input_tokens")), cached, written),
                output=as_count(self._counts.get("output_tokens")),
                cached=cached,
                reasoning=as_count(details.get("thinking_tokens")),
            )
        )


def _read_block(block: dict[str, Any], index: int) -> list[Delta] | None:
    """The beginning of a block, or the whole of one; None for one of another kind."""
    kind = as_text(block.get("type"))
    if kind == "text":
        return piece(TextDelta, block.get("text"))
    if kind == "thinking":
        return piece(ReasoningDelta, block.get("thinking"))
    # tool_use, server_tool_use, mcp_tool_use
    if kind.endswith("tool_use"):
        return [_open_call(block, index)]
    return [] if kind == "redacted_thinking" else None


def _open_call(block: dict[str, Any], index: int) -> ToolCallDelta:
    # A stream begins with an empty object, or none, and sends the arguments after it.
    arguments = as_dict(block.get("input"))
    return ToolCallDelta(
        index,
        json_text(arguments) if arguments else "",
        id=as_words(block.get("id")) or None,
        name=as_words(block.get("name")) or None,
    )


def _read_delta(delta: dict[str, Any], index: int) -> list[Delta] | None:
    match delta.get("type"):
        case "text_delta":
            return piece(TextDelta, delta.get("text"))
        case "thinking_delta":
            return piece(ReasoningDelta, delta.get("thinking"))
        case "input_json_delta":
            arguments = as_text(delta.get("partial_json"))
            return [ToolCallDelta(index, arguments)] if arguments else []
        case "signature_delta":
            return []
        case _:
            return None


class Anthropic(Dialect):
    """A conversation of roles and contents, with the system prompt beside it."""

    name = "anthropic"

    def decoder(self) -> AnthropicDecoder:
        """A decoder for one response."""
        return AnthropicDecoder()

    def build_request(self, endpoint: Endpoint, messages: tuple[Message, ...]) -> Request:
        """The turns as they are. `api_version` is the `anthropic-version` header."""
        system, turns = split_system(messages)
        body: dict[str, object] = {
            "model": endpoint.model,
            "max_tokens": DEFAULT_MAX_TOKENS,
            **({"system": system} if system else {}),
            "messages": as_objects(turns),
            "stream": True,
            **endpoint.params,
        }
        path = versioned(endpoint, "v1", "/messages")
        return post(endpoint, path, body, auth="x-api-key", headers=_version(endpoint))

    def models_request(self, endpoint: Endpoint, page: str = "") -> Request:
        """The request for the list. Source: https://docs.claude.com/en/api/models-list."""
        query = urlencode({"limit": _MODELS_ON_PAGE} | ({"after_id": page} if page else {}))
        path = versioned(endpoint, "v1", f"/models?{query}")
        return get(endpoint, path, auth="x-api-key", headers=_version(endpoint))

    def read_models(self, body: bytes) -> ModelPage:
        """The ids on one page."""
        fields, rows = read_rows(body, "data")
        more = as_words(fields.get("last_id")) if fields.get("has_more") is True else ""
        return ModelPage(names_in(rows, "id"), more)


def _version(endpoint: Endpoint) -> dict[str, str]:
    return {"anthropic-version": endpoint.api_version or DEFAULT_VERSION}
