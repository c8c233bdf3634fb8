from typing import Any

import pytest

from streamtui.engine.dialects import DIALECTS
from streamtui.engine.framing import Frame
from streamtui.errors import ProtocolError, ProviderError
from streamtui.events import (
    Delta,
    Finish,
    ReasoningDelta,
    RefusalDelta,
    ResponseInfo,
    TextDelta,
    ToolCallDelta,
    UnknownFrame,
    Usage,
)
from tests.engine.dialects.speaking import answer, feed, whole_answer

ADDED = "response.output_item.added"
ARGUMENTS = "response.function_call_arguments.delta"
OUTPUT = [
    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
    {
        "type": "message",
        "content": [
            {"type": "output_text", "text": "Hi"},
            {"type": "refusal", "refusal": "No"},
        ],
    },
    {"type": "function_call", "id": "fc", "call_id": "c", "name": "f", "arguments": "{}"},
]
USAGE = {
    "input_tokens": 3,
    "input_tokens_details": {"cached_tokens": 2},
    "output_tokens": 9,
    "output_tokens_details": {"reasoning_tokens": 5},
}
SAID = [
    ReasoningDelta("hm"),
    TextDelta("Hi"),
    RefusalDelta("No"),
    ToolCallDelta(2, "{}", "c", "f"),
    Usage(3, 9, cached=2, reasoning=5),
    Finish("completed"),
]


def read(*events: dict[str, Any]) -> list[Delta]:
    return answer("openai-responses", *events)


def call(call_id: str, name: str, **where: Any) -> dict[str, Any]:
    item = {"type": "function_call", "call_id": call_id, "name": name, "arguments": ""}
    return {"type": ADDED, "item": item, **where}


def test_calls_are_numbered_and_their_pieces_found_by_place() -> None:
    deltas = read(
        call("a", "f", output_index=1),
        call("b", "g", output_index=2),
        {"type": ARGUMENTS, "output_index": 1, "item_id": "other", "delta": "{"},
        {"type": ARGUMENTS, "output_index": 2, "delta": "{}"},
        {"type": ARGUMENTS, "output_index": 1, "delta": "}"},
    )
    assert deltas == [
        ToolCallDelta(0, "", "a", "f"),
        ToolCallDelta(1, "", "b", "g"),
        ToolCallDelta(0, "{"),
        ToolCallDelta(1, "{}"),
        ToolCallDelta(0, "}"),
    ]


def test_pieces_are_found_by_id_where_there_is_no_place() -> None:
    # llama.cpp sends no `output_index`, and no `id` in the item.
    deltas = read(
        call("fc_a", "f"),
        call("fc_b", "g"),
        {"type": ARGUMENTS, "item_id": "fc_a", "delta": "{}"},
        {"type": ARGUMENTS, "delta": "[]"},
    )
    assert deltas[2:] == [ToolCallDelta(0, "{}"), ToolCallDelta(1, "[]")]


def test_paragraphs_of_a_summary_stay_apart() -> None:
    added = "response.reasoning_summary_part.added"
    text = "response.reasoning_summary_text.delta"
    deltas = read(
        {"type": added, "summary_index": 0},
        {"type": text, "delta": "One"},
        {"type": added, "summary_index": 1},
        {"type": text, "delta": "Two"},
    )
    assert deltas == [ReasoningDelta("One"), ReasoningDelta("\n\n"), ReasoningDelta("Two")]


def test_an_answer_that_comes_with_the_last_event_only_is_read_from_it() -> None:
    response = {"id": "r", "model": "m", "status": "completed", "output": OUTPUT, "usage": USAGE}
    created = {"type": "response.created", "response": {"id": "r", "model": "m"}}
    deltas = read(created, {"type": "response.completed", "response": response})
    assert deltas == [ResponseInfo("r", "m"), *SAID]


def test_an_answer_that_was_streamed_is_not_said_twice() -> None:
    response = {"status": "completed", "output": OUTPUT}
    deltas = read(
        {"type": "response.output_text.delta", "delta": "Hi"},
        {"type": "response.output_text.done", "text": "Hi"},
        {"type": "response.completed", "response": response},
    )
    assert deltas == [TextDelta("Hi"), Finish("completed")]


def test_an_answer_in_one_piece_is_read() -> None:
    document = {"object": "response", "status": "completed", "output": OUTPUT, "usage": USAGE}
    assert whole_answer("openai-responses", document) == SAID
    with pytest.raises(ProtocolError, match="no completion"):
        whole_answer("openai-responses", {"object": "list"})


@pytest.mark.parametrize(
    ("event", "finish"),
    [
        ({"type": "response.completed"}, "completed"),
        ({"type": "response.incomplete", "response": {"status": "incomplete"}}, "incomplete"),
        (
            {
                "type": "response.incomplete",
                "response": {"incomplete_details": {"reason": "content_filter"}},
            },
            "content_filter",
        ),
    ],
)
def test_the_last_event_says_why_the_answer_ended(event: dict[str, Any], finish: str) -> None:
    assert read(event, {"type": "error", "message": "too late"}) == [Finish(finish)]


@pytest.mark.parametrize(
    ("event", "kind", "message"),
    [
        (
            {"type": "response.failed", "response": {"error": {"code": "server_error"}}},
            "server",
            "server_error",
        ),
        ({"type": "response.failed"}, "server", "reported an error"),
        (
            {"type": "error", "code": "rate_limit_exceeded", "message": "slow down"},
            "rate-limit",
            "slow down",
        ),
        (
            {"type": "error", "error": {"type": "insufficient_quota", "message": "pay"}},
            "quota",
            "pay",
        ),
        (
            {"type": "response.failed", "response": {"error": {"code": "invalid_prompt"}}},
            "bad-request",
            "invalid_prompt",
        ),
        ({"error": {"message": "boom", "code": "500"}}, "server", "boom"),
    ],
)
def test_errors_come_as_three_kinds_of_event(
    event: dict[str, Any], kind: str, message: str
) -> None:
    with pytest.raises(ProviderError, match=message) as caught:
        read(event)
    assert caught.value.kind == kind


def test_done_of_a_proxy_is_no_mark_of_success() -> None:
    decoder = DIALECTS["openai-responses"].decoder()
    feed(decoder, {"type": "response.output_text.delta", "delta": "Hi"})
    assert decoder.feed(Frame("[DONE]")) == []
    assert not decoder.complete


def test_an_unknown_event_is_told() -> None:
    (delta,) = read({"type": "response.web_search_call.searching"})
    assert isinstance(delta, UnknownFrame)
