from typing import Any

import pytest

from streamtui.engine.dialects import DIALECTS
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


def read(*events: dict[str, Any]) -> list[Delta]:
    return answer("anthropic", *events)


def start(**usage: int | None) -> dict[str, Any]:
    return {"type": "message_start", "message": {"id": "msg_1", "model": "c", "usage": usage}}


def block(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def piece(index: int, **delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def end(reason: str, usage: dict[str, Any] | None = None, **delta: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason, **delta}, "usage": usage}


def test_blocks_that_overlap_are_told_apart_by_their_index() -> None:
    # llama.cpp opens blocks before it stops the first, and signs that one last.
    deltas = read(
        block(0, type="thinking"),
        block(1, type="tool_use", id="a", name="get_weather"),
        block(2, type="tool_use", id="b", name="get_time"),
        piece(2, type="input_json_delta", partial_json='{"tz":'),
        piece(1, type="input_json_delta", partial_json="{}"),
        piece(2, type="input_json_delta", partial_json='"UTC"}'),
        piece(0, type="signature_delta", signature="s"),
    )
    assert deltas == [
        ToolCallDelta(1, "", "a", "get_weather"),
        ToolCallDelta(2, "", "b", "get_time"),
        ToolCallDelta(2, '{"tz":'),
        ToolCallDelta(1, "{}"),
        ToolCallDelta(2, '"UTC"}'),
    ]


def test_a_block_may_begin_with_what_it_holds() -> None:
    deltas = read(
        block(0, type="text", text="Hi"),
        block(1, type="thinking", thinking="hm"),
        block(2, type="server_tool_use", id="s", name="web_search", input={"q": "été"}),
    )
    assert deltas == [
        TextDelta("Hi"),
        ReasoningDelta("hm"),
        ToolCallDelta(2, '{"q":"été"}', "s", "web_search"),
    ]


def test_counts_of_tokens_are_cumulative_and_include_the_cache() -> None:
    deltas = read(
        start(input_tokens=5, cache_read_input_tokens=64, output_tokens=1),
        end("end_turn", {"output_tokens": 20, "output_tokens_details": {"thinking_tokens": 8}}),
    )
    assert [delta for delta in deltas if isinstance(delta, Usage)] == [
        Usage(69, 1, cached=64),
        Usage(69, 20, cached=64, reasoning=8),
    ]


def test_counts_that_a_later_event_sets_to_null_stay() -> None:
    usage = {"input_tokens": None, "output_tokens": 2}
    assert read(start(input_tokens=5), end("end_turn", usage))[-2] == Usage(5, 2)


def test_an_answer_is_complete_with_its_stop_reason_and_ended_with_its_last_event() -> None:
    decoder = DIALECTS["anthropic"].decoder()
    assert not decoder.complete
    assert feed(decoder, end("max_tokens")) == [Finish("max_tokens")]
    assert (decoder.complete, decoder.ended) == (True, False)
    assert feed(decoder, {"type": "message_stop"}, piece(0, type="text_delta", text="x")) == []
    assert decoder.ended


def test_what_is_said_of_a_refusal_is_shown() -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": "No exploits"}
    deltas = read(end("refusal", stop_details=details))
    assert deltas == [RefusalDelta("No exploits"), Finish("refusal")]


@pytest.mark.parametrize(
    "event",
    [
        {"type": "new_thing", "x": 1},
        piece(0, type="new_delta", x=1),
        block(0, type="web_search_tool_result", content=[]),
    ],
)
def test_unknown_events_deltas_and_blocks_are_told_and_end_nothing(event: dict[str, Any]) -> None:
    (delta,) = read(event)
    assert isinstance(delta, UnknownFrame)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "ping"},
        {"type": "content_block_stop", "index": 0},
        block(0, type="redacted_thinking", data="…"),
        {"type": "message_start"},
        {"type": "message_delta"},
    ],
)
def test_events_that_only_hold_the_stream_together_say_nothing(event: dict[str, Any]) -> None:
    assert read(event) == []


def test_the_name_of_the_event_counts_where_the_data_has_no_type() -> None:
    deltas = answer("anthropic", {"delta": {"stop_reason": "end_turn"}}, event="message_delta")
    assert deltas == [Finish("end_turn")]


@pytest.mark.parametrize(
    ("kind", "expected", "retryable"),
    [
        ("overloaded_error", "overloaded", True),
        ("rate_limit_error", "rate-limit", True),
        ("api_error", "server", True),
        ("timeout_error", "server", True),
        ("authentication_error", "auth", False),
        ("permission_error", "forbidden", False),
        ("billing_error", "quota", False),
        ("invalid_request_error", "bad-request", False),
        ("not_found_error", "not-found", False),
        ("request_too_large", "too-large", False),
    ],
)
def test_error_event_has_the_kind_of_its_type(kind: str, expected: str, retryable: bool) -> None:
    with pytest.raises(ProviderError, match="boom") as caught:
        read({"type": "error", "error": {"type": kind, "message": "boom"}})
    assert (caught.value.kind, caught.value.retryable) == (expected, retryable)


def test_an_error_after_the_stop_reason_does_not_make_the_answer_a_failure() -> None:
    error = {"type": "error", "error": {"type": "api_error", "message": "boom"}}
    assert Finish("end_turn") in read(end("end_turn"), error)


def test_an_answer_in_one_piece_is_read() -> None:
    document = {
        "type": "message",
        "id": "msg_1",
        "model": "c",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "text", "text": "Hi"},
            {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
        ],
        "stop_reason": "tool_use",
        "usage": {"input_tokens": 3, "output_tokens": 4},
    }
    assert whole_answer("anthropic", document) == [
        ResponseInfo("msg_1", "c"),
        Usage(3, 4),
        ReasoningDelta("hm"),
        TextDelta("Hi"),
        ToolCallDelta(2, '{"a":1}', "t", "f"),
        Finish("tool_use"),
    ]


def test_another_document_is_no_answer() -> None:
    with pytest.raises(ProtocolError, match="no completion"):
        whole_answer("anthropic", {"hello": "world"})
