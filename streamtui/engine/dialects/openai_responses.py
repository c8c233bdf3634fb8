"""OpenAI's Responses: `POST {base}/responses`, and the servers that imitate it.

Source: https://platform.openai.com/docs/api-reference/responses-streaming.
"""

from typing import Any

from streamtui.config import Endpoint
from streamtui.engine.dialects.azure import openai_post
from streamtui.engine.dialects.base import (
    Request,
    as_count,
    as_dict,
    as_list,
    as_text,
    as_words,
    read_error_object,
)
from streamtui.engine.dialects.json_decoder import JSONDecoder, piece
from streamtui.engine.dialects.openai_wire import OpenAIDialect, read_usage
from streamtui.engine.dialects.provider_errors import provider_error
from streamtui.engine.dialects.requests import as_objects, split_system
from streamtui.events import (
    Delta,
    Message,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
)

_TEXTS: dict[str, type[TextDelta | ReasoningDelta | RefusalDelta]] = {
    "response.output_text.delta": TextDelta,
    "response.reasoning_summary_text.delta": ReasoningDelta,
    "response.reasoning_text.delta": ReasoningDelta,
    "response.refusal.delta": RefusalDelta,
}
_ARGUMENTS = frozenset(
    {
        "response.custom_tool_call_input.delta",
        "response.function_call_arguments.delta",
        "response.mcp_call_arguments.delta",
    }
)
# Events that say once more what those above say piece by piece.
_REPEATING = frozenset(
    {
        "response.content_part.added",
        "response.content_part.done",
        "response.custom_tool_call_input.done",
        "response.function_call_arguments.done",
        "response.mcp_call_arguments.done",
        "response.output_item.done",
        "response.output_text.done",
        "response.reasoning_summary_part.done",
        "response.reasoning_summary_text.done",
        "response.reasoning_text.done",
        "response.refusal.done",
    }
)
_CALL_ITEMS = frozenset({"custom_tool_call", "function_call", "mcp_call"})


class ResponsesDecoder(JSONDecoder):
    """Reads events by the `type` in their data; some servers leave the `event:` lines out."""

    def __init__(self) -> None:
        super().__init__()
        self._spoke = False
        self._calls: dict[str, int] = {}

    def _read(self, fields: dict[str, Any], event: str) -> list[Delta] | None:
        if event in _TEXTS:
            self._spoke = True
            return piece(_TEXTS[event], fields.get("delta"))
        if event in _ARGUMENTS:
            arguments = as_text(fields.get("delta"))
            return [ToolCallDelta(self._call_index(fields), arguments)] if arguments else []
        if event in _REPEATING:
            return []
        return self._read_step(fields, event)

    def _read_step(self, fields: dict[str, Any], event: str) -> list[Delta] | None:
        response = as_dict(fields.get("response"))
        match event:
            case "response.created" | "response.in_progress" | "response.queued":
                return self._announce_response(response)
            case "response.output_item.added":
                return self._read_item(fields, as_dict(fields.get("item")))
            case "response.reasoning_summary_part.added":
                # Parts are paragraphs, and nothing on the wire stands between them.
                return [ReasoningDelta("\n\n")] if as_count(fields.get("summary_index")) else []
            case "response.completed" | "response.incomplete":
                return self._read_end(response, event.removeprefix("response."))
            case "response.failed":
                raise provider_error(read_error_object(response.get("error")))
            case _:
                return None

    def _read_document(self, document: object) -> list[Delta] | None:
        response = as_dict(document)
        return self._read_end(response, "") if "output" in response else None

    def _announce_response(self, response: dict[str, Any]) -> list[Delta]:
        return self._announce(as_words(response.get("id")), as_words(response.get("model")))

    def _read_item(self, fields: dict[str, Any], item: dict[str, Any]) -> list[Delta]:
        if as_text(item.get("type")) not in _CALL_ITEMS:
            return []
        self._spoke = True
        key = _place(fields) or as_text(item.get("id")) or as_text(item.get("call_id"))
        return [_call(self._calls.setdefault(key, len(self._calls)), item)]

    def _call_index(self, fields: dict[str, Any]) -> int:
        """Which call a piece belongs to; the last one when it does not say."""
        key = _place(fields) or as_text(fields.get("item_id"))
        return self._calls.get(key, max(0, len(self._calls) - 1))

    def _read_end(self, response: dict[str, Any], event: str) -> list[Delta]:
        reason = as_words(as_dict(response.get("incomplete_details")).get("reason"))
        deltas = self._announce_response(response)
        # Servers that stream in name only send all of the answer at its end.
        deltas += [] if self._spoke else _read_output(response.get("output"))
        deltas += self._count(read_usage(response.get("usage"), "input", "output"))
        deltas += self._finish(reason or as_words(response.get("status")) or event)
        self.complete = self.ended = True
        return deltas


def _place(fields: dict[str, Any]) -> str:
    """Where an item stands in the answer. llama.cpp leaves that out and has ids only.

    The place is looked at first: some proxies give an item another id with each event.
    """
    place = as_count(fields.get("output_index"))
    return "" if place is None else f"#{place}"


def _call(index: int, item: dict[str, Any]) -> ToolCallDelta:
    return ToolCallDelta(
        index,
        as_text(item.get("arguments")) or as_text(item.get("input")),
        id=as_words(item.get("call_id")) or as_words(item.get("id")) or None,
        name=as_words(item.get("name")) or None,
    )


def _read_output(output: object) -> list[Delta]:
    """The items of an answer that came in one piece."""
    deltas: list[Delta] = []
    for index, item in enumerate(map(as_dict, as_list(output))):
        if as_text(item.get("type")) in _CALL_ITEMS:
            deltas.append(_call(index, item))
        kind = ReasoningDelta if item.get("type") == "reasoning" else TextDelta
        for part in map(as_dict, [*as_list(item.get("summary")), *as_list(item.get("content"))]):
            deltas += piece(kind, part.get("text"))
            deltas += piece(RefusalDelta, part.get("refusal"))
    return deltas


class OpenAIResponses(OpenAIDialect):
    """A conversation of roles and contents, with the system prompt beside it."""

    name = "openai-responses"

    def decoder(self) -> ResponsesDecoder:
        """A decoder for one response."""
        return ResponsesDecoder()

    def build_request(self, endpoint: Endpoint, messages: tuple[Message, ...]) -> Request:
        """The turns as they are."""
        system, turns = split_system(messages)
        body: dict[str, object] = {
            "model": endpoint.model,
            **({"instructions": system} if system else {}),
            "input": as_objects(turns),
            "stream": True,
            **endpoint.params,
        }
        return openai_post(endpoint, "/responses", body)
