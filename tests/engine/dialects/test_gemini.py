from typing import Any

import pytest

from streamtui.engine.dialects import DIALECTS
from streamtui.engine.reader import AnswerReader
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
from tests.engine.dialects.speaking import answer, whole_answer


def read(*chunks: dict[str, Any]) -> list[Delta]:
    return answer("gemini", *chunks)


def chunk(*parts: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": [*parts]}, "finishReason": finish}
    return {"candidates": [candidate], **more}


def test_thoughts_text_and_calls_may_share_a_chunk() -> None:
    deltas = read(
        chunk(
            {"text": "hm", "thought": True},
            {"text": "Hi"},
            {"functionCall": {"name": "f", "args": {"city": "Orléans"}}, "thoughtSignature": "x"},
        ),
        chunk({"functionCall": {"id": "c2", "name": "g"}}),
    )
    assert deltas == [
        ReasoningDelta("hm"),
        TextDelta("Hi"),
        ToolCallDelta(0, '{"city":"Orléans"}', None, "f"),
        ToolCallDelta(1, "{}", "c2", "g"),
    ]


def test_counts_of_tokens_include_thoughts_in_the_output() -> None:
    usage = {
        "promptTokenCount": 10,
        "cachedContentTokenCount": 4,
        "candidatesTokenCount": 5,
        "thoughtsTokenCount": 7,
        "totalTokenCount": 22,
    }
    assert read({"usageMetadata": usage}) == [Usage(10, 12, cached=4, reasoning=7)]


def test_counts_are_told_once_though_every_chunk_repeats_them() -> None:
    usage = {"promptTokenCount": 10}
    assert read({"usageMetadata": usage}, {"usageMetadata": usage}) == [Usage(10)]


def test_counts_after_the_finish_reason_are_still_read() -> None:
    deltas = read(chunk(finish="STOP"), {"usageMetadata": {"candidatesTokenCount": 2}})
    assert deltas == [Finish("STOP"), Usage(None, 2)]


def test_a_finish_reason_that_every_chunk_repeats_is_told_once() -> None:
    assert read(chunk(finish="STOP"), chunk({"text": "x"}, finish="STOP")) == [
        Finish("STOP"),
        TextDelta("x"),
    ]


def test_a_prompt_that_was_blocked_is_a_whole_answer() -> None:
    reader = AnswerReader(DIALECTS["gemini"])
    body = b'data: {"promptFeedback":{"blockReason":"SAFETY","blockReasonMessage":"Not that"}}\n\n'
    (read_chunk,) = reader.feed(body)
    assert getattr(read_chunk, "deltas", ()) == (RefusalDelta("Not that"), Finish("SAFETY"))
    assert list(reader.close()) == []
    assert reader.verdict() is None


def test_feedback_without_a_block_says_nothing() -> None:
    assert read({"promptFeedback": {"safetyRatings": []}}) == []


def test_a_response_is_announced_once() -> None:
    about = {"responseId": "r", "modelVersion": "gemini-2.5-flash"}
    deltas = read(chunk({"text": "a"}, **about), chunk({"text": "b"}, **about))
    assert deltas == [ResponseInfo("r", "gemini-2.5-flash"), TextDelta("a"), TextDelta("b")]


def test_only_the_first_candidate_is_shown() -> None:
    other = {"index": 1, "content": {"parts": [{"text": "no"}]}, "finishReason": "STOP"}
    assert read({"candidates": [other]}) == []


def test_an_object_of_another_shape_is_told() -> None:
    (delta,) = read({"hello": "world"})
    assert isinstance(delta, UnknownFrame)


@pytest.mark.parametrize(
    ("code", "status", "kind", "retryable"),
    [
        (429, "RESOURCE_EXHAUSTED", "rate-limit", True),
        (503, "UNAVAILABLE", "overloaded", True),
        (500, "INTERNAL", "server", True),
        (504, "DEADLINE_EXCEEDED", "server", True),
        (400, "INVALID_ARGUMENT", "bad-request", False),
        (401, "UNAUTHENTICATED", "auth", False),
        (403, "PERMISSION_DENIED", "forbidden", False),
        (404, "NOT_FOUND", "not-found", False),
    ],
)
def test_error_object_has_the_kind_of_its_code_and_status(
    code: int, status: str, kind: str, retryable: bool
) -> None:
    with pytest.raises(ProviderError, match="boom") as caught:
        read({"error": {"code": code, "message": "boom", "status": status}})
    assert (caught.value.kind, caught.value.retryable) == (kind, retryable)


def test_a_wrong_key_is_told_by_its_reason_though_its_code_is_400() -> None:
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
    error = {"code": 400, "message": "no", "status": "INVALID_ARGUMENT", "details": [info]}
    with pytest.raises(ProviderError) as caught:
        read({"error": error})
    assert caught.value.kind == "auth"


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [("13s", 13.0), ("0.5s", 0.5), ("0s", None), ("1e9s", None), ("13", None), (13, None)],
)
def test_the_wait_that_an_error_asks_for_is_read_from_its_body(
    delay: object, seconds: float | None
) -> None:
    body = b'[{"error":{"message":"m","details":[{},{"retryDelay":%b}]}}]'
    shown = b'"%b"' % delay.encode() if isinstance(delay, str) else b"13"
    assert DIALECTS["gemini"].read_error(body % shown).retry_after == seconds


def test_an_array_of_chunks_is_an_answer_and_an_error_in_it_is_one() -> None:
    chunks: list[Any] = [chunk({"text": "a"}), chunk({"text": "b"}, finish="STOP")]
    assert whole_answer("gemini", chunks) == [TextDelta("a"), TextDelta("b"), Finish("STOP")]
    with pytest.raises(ProviderError, match="boom"):
        whole_answer("gemini", [chunk({"text": "a"}), {"error": {"message": "boom"}}])


@pytest.mark.parametrize("document", [[], {}, [1], {"models": []}])
def test_another_document_is_no_answer(document: object) -> None:
    with pytest.raises(ProtocolError, match="no completion"):
        whole_answer("gemini", document)
