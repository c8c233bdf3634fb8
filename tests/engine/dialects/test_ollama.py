from typing import Any

import pytest

from streamtui.engine.dialects import DIALECTS
from streamtui.errors import ProviderError
from streamtui.events import (
    Delta,
    Finish,
    ReasoningDelta,
    ResponseInfo,
    TextDelta,
    ToolCallDelta,
    UnknownFrame,
    Usage,
)
from tests.engine.dialects.speaking import answer


def read(*lines: dict[str, Any]) -> list[Delta]:
    return answer("ollama", *lines)


def test_a_line_of_chat_holds_a_message() -> None:
    call = {"function": {"index": 0, "name": "f", "arguments": {"city": "Orléans"}}}
    line = {"message": {"thinking": "hm", "content": "Hi", "tool_calls": [call]}, "done": False}
    assert read({"model": "q", **line}, {"model": "q", **line}) == [
        ResponseInfo("", "q"),
        ReasoningDelta("hm"),
        TextDelta("Hi"),
        ToolCallDelta(0, '{"city":"Orléans"}', None, "f"),
        ReasoningDelta("hm"),
        TextDelta("Hi"),
        ToolCallDelta(1, '{"city":"Orléans"}', None, "f"),
    ]


def test_a_line_of_generate_holds_a_response() -> None:
    deltas = read({"thinking": "hm", "response": ""}, {"response": "Hi", "done": False})
    assert deltas == [ReasoningDelta("hm"), TextDelta("Hi")]


def test_arguments_that_are_text_already_stay_as_they_are() -> None:
    call = {"id": "c1", "function": {"name": "f", "arguments": '{"a": 1}'}}
    assert read({"message": {"tool_calls": [call]}}) == [ToolCallDelta(0, '{"a": 1}', "c1", "f")]


def test_the_last_line_ends_the_answer_also_without_a_reason() -> None:
    assert read(
        {"response": "Hi", "done": False},
        {"response": "", "done": True, "prompt_eval_count": 3, "eval_count": 2},
        {"error": "too late"},
    ) == [TextDelta("Hi"), Usage(3, 2)]


def test_the_reason_is_the_word_of_the_endpoint() -> None:
    assert read({"done": True, "done_reason": "load"}) == [Finish("load")]


@pytest.mark.parametrize("error", ["boom", {"message": "boom"}])
def test_a_line_with_an_error_is_one(error: object) -> None:
    with pytest.raises(ProviderError, match="boom"):
        read({"response": "Hi"}, {"error": error})


def test_a_line_of_another_shape_is_told() -> None:
    (delta,) = read({"hello": "world"})
    assert isinstance(delta, UnknownFrame)


def test_an_error_of_http_is_a_string() -> None:
    error = DIALECTS["ollama"].read_error(b'{"error":"model \'x\' not found"}')
    assert error.message == "model 'x' not found"
