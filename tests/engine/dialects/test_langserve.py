from typing import Any

import pytest

from streamtui.engine.dialects import DIALECTS
from streamtui.errors import ProtocolError, ProviderError, RunError
from streamtui.events import Message, ResponseInfo, TextDelta, UnknownFrame
from tests.engine.dialects.speaking import ask, feed, whole_answer
from tests.engine.test_reader import read_deltas

ONE = (Message("user", "hi"),)
HUMAN = {"type": "human", "content": "hi"}


def read(*frames: str) -> tuple[list[Any], RunError | None]:
    return read_deltas(DIALECTS["langserve"], [f"{frame}\r\n\r\n".encode() for frame in frames])


# Requests


@pytest.mark.parametrize(
    ("params", "path", "body"),
    [
        ({}, "/stream", {"input": "hi"}),
        ({"method": "stream_events"}, "/stream_events", {"input": "hi"}),
        ({"method": "stream_log"}, "/stream_log", {"input": "hi", "diff": True}),
        ({"input": "messages"}, "/stream", {"input": [HUMAN]}),
        ({"input": "topic"}, "/stream", {"input": {"topic": "hi"}}),
        ({"input": {"topic": [1]}}, "/stream", {"input": {"topic": [1]}}),
        ({"input": None}, "/stream", {"input": None}),
        (
            {"config": {"tags": ["t"]}, "kwargs": {"stop": ["."]}},
            "/stream",
            {"input": "hi", "config": {"tags": ["t"]}, "kwargs": {"stop": ["."]}},
        ),
    ],
)
def test_method_and_input_are_ours_and_the_rest_is_sent(
    params: dict[str, object], path: str, body: dict[str, object]
) -> None:
    request = ask("langserve", ONE, base_url="https://host/chain", params=params)
    assert (request["path"], request["body"]) == (path, body)
    assert request["headers"]["accept"] == "text/event-stream"


@pytest.mark.parametrize("method", ["invoke", ["stream"], None])
def test_method_that_is_none_is_refused(method: object) -> None:
    with pytest.raises(RunError, match=r"params\.method"):
        ask("langserve", ONE, params={"method": method})


# Streams


def test_run_is_announced() -> None:
    deltas, _ = read('event: metadata\r\ndata: {"run_id": "r1"}', "event: end")
    assert deltas == [ResponseInfo("r1")]


@pytest.mark.parametrize("end", ["event: end", "event: end\r\ndata:"])
def test_end_may_come_with_data_and_without(end: str) -> None:
    deltas, error = read('event: data\r\ndata: "Hi"', end)
    assert (deltas, error) == ([TextDelta("Hi")], None)


def test_without_its_end_a_stream_is_cut_off() -> None:
    _, error = read('event: data\r\ndata: "Hi"')
    assert error is not None
    assert error.kind == "truncated"


@pytest.mark.parametrize(
    ("frame", "kind", "message"),
    [
        ('data: {"status_code": 500, "message": "Oh no"}', "error-midstream", "Oh no"),
        ('data: {"status_code": 429, "message": "Slow"}', "rate-limit", "Slow"),
        ('data: {"status_code": 422, "detail": "Bad"}', "bad-request", "Bad"),
        ("data: out of order", "error-midstream", "out of order"),
        (":", "error-midstream", "the endpoint reported an error"),
    ],
)
def test_error_is_told_in_the_words_of_the_server(frame: str, kind: str, message: str) -> None:
    deltas, error = read('event: data\r\ndata: "Hi"', f"event: error\r\n{frame}")
    assert deltas == [TextDelta("Hi")]
    assert isinstance(error, ProviderError)
    assert (error.kind, error.message) == (kind, message)
    assert not error.retryable


def test_chunk_that_looks_like_an_error_is_none() -> None:
    deltas, error = read('event: data\r\ndata: {"error": {"a": 1}}', "event: end")
    assert error is None
    assert [type(delta) for delta in deltas] == [UnknownFrame]


def test_texts_under_keys_are_text() -> None:
    decoder = DIALECTS["langserve"].decoder()
    said = feed(decoder, {"question": "Why?"}, {"answer": "Be"}, {"answer": "cause"}, event="data")
    assert said == [TextDelta("Why?"), TextDelta("\n\nBe"), TextDelta("cause")]


def test_messages_under_keys_are_told_at_the_end_when_nothing_else_came() -> None:
    decoder = DIALECTS["langserve"].decoder()
    parts = [{"answer": {"type": "AIMessageChunk", "content": text}} for text in ("He", "llo")]
    assert all(isinstance(delta, UnknownFrame) for delta in feed(decoder, *parts, event="data"))
    assert decoder.close() == [TextDelta("Hello")]


@pytest.mark.parametrize("keys", [(), ("agent",)])
def test_last_message_of_a_state_is_told_at_the_end(keys: tuple[str, ...]) -> None:
    decoder = DIALECTS["langserve"].decoder()
    state: dict[str, Any] = {"messages": [HUMAN, {"type": "ai", "content": "Hello"}]}
    for key in keys:
        state = {key: state}
    feed(decoder, state, event="data")
    assert decoder.close() == [TextDelta("Hello")]


def test_output_that_a_log_only_replaces_is_told_at_the_end() -> None:
    decoder = DIALECTS["langserve"].decoder()
    ops = {"ops": [{"op": "replace", "path": "/final_output", "value": "Hello"}]}
    feed(decoder, ops, event="data")
    assert decoder.close() == [TextDelta("Hello")]


@pytest.mark.parametrize("output", ["Hi", {"type": "ai", "content": "Hi"}, {"a": "Hi"}])
def test_answer_in_one_piece(output: object) -> None:
    assert whole_answer("langserve", {"output": output, "metadata": {}}) == [TextDelta("Hi")]


def test_document_without_output_is_no_answer() -> None:
    with pytest.raises(ProtocolError):
        whole_answer("langserve", {"title": "RunnableSequence"})
