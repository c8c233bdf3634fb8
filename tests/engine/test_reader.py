"""Every recording and every provider case: whole, byte by byte, and cut at every place."""

import hashlib
import json
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamtui.engine.dialects import DIALECTS
from streamtui.engine.dialects.base import Dialect
from streamtui.engine.reader import AnswerReader, Read
from streamtui.errors import ProtocolError, RunError
from streamtui.events import (
    Chunk,
    Delta,
    Finish,
    KeepAliveReceived,
    MalformedFrame,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)

HERE = Path(__file__).parent.parent
FIXTURES = HERE / "fixtures"
EXPECTED = json.loads((FIXTURES / "expected.json").read_text())
CASES = json.loads((HERE / "cases" / "llm_stream_cases.json").read_text())["cases"]
SPOKEN = {
    "openai": "openai-chat",
    "anthropic": "anthropic",
    "gemini": "gemini",
    "langserve": "langserve",
    "ollama": "ollama",
}
SPOKEN_CASES = [pytest.param(case, id=case["id"]) for case in CASES if case["provider"] in SPOKEN]
MAX_SPLITS = 1500
SHOWN_CHARS = 200


def read_stream(dialect: Dialect, pieces: list[bytes]) -> dict[str, Any]:
    """The outcome of one response body, as plain values."""
    return outcome(*read_deltas(dialect, pieces))


def read_deltas(dialect: Dialect, pieces: list[bytes]) -> tuple[list[Delta], RunError | None]:
    """All that one response body adds, and what is wrong with it."""
    reader = AnswerReader(dialect)
    read: list[Read] = []
    error: RunError | None = None
    try:
        for piece in chain(map(reader.feed, pieces), [reader.close()]):
            read.extend(piece)
        error = reader.verdict()
    except RunError as caught:
        error = caught
    chunks = [body for body in read if isinstance(body, Chunk)]
    return [delta for chunk in chunks for delta in chunk.deltas], error


def outcome(deltas: list[Delta], error: RunError | None) -> dict[str, Any]:
    usages = [delta for delta in deltas if isinstance(delta, Usage)]
    finishes = [delta.reason for delta in deltas if isinstance(delta, Finish)]
    return {
        "text": text_of(deltas, TextDelta),
        "reasoning": text_of(deltas, ReasoningDelta),
        "refusal": text_of(deltas, RefusalDelta),
        "tool_calls": tool_calls(deltas),
        "finish": finishes[-1] if finishes else None,
        "usage": [usages[-1].input, usages[-1].output] if usages else None,
        "malformed": sum(isinstance(delta, MalformedFrame) for delta in deltas),
        "error": None if error is None else [error.kind, error.message],
    }


def text_of(deltas: list[Delta], kind: type[TextDelta | ReasoningDelta | RefusalDelta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, kind))


def tool_calls(deltas: list[Delta]) -> list[list[str | None]]:
    calls: dict[int, list[str | None]] = {}
    for delta in deltas:
        if isinstance(delta, ToolCallDelta):
            call = calls.setdefault(delta.index, [delta.id, delta.name, ""])
            call[2] = (call[2] or "") + delta.arguments
    return list(calls.values())


def shown(result: dict[str, Any]) -> dict[str, Any]:
    """The same with long texts as digests, so that the expectations stay readable."""
    return {
        key: _digest(value) if isinstance(value, str) else value for key, value in result.items()
    }


def _digest(text: str) -> str:
    if len(text) <= SHOWN_CHARS:
        return text
    return f"{len(text)} chars, sha256 {hashlib.sha256(text.encode()).hexdigest()}"


def fixtures() -> list[Any]:
    paths = sorted(FIXTURES.glob("*/*.http"))
    return [pytest.param(path, id=f"{path.parent.name}/{path.stem}") for path in paths]


def head_and_body(path: Path) -> tuple[int, bytes]:
    head, _, body = path.read_bytes().partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def splits(body: bytes) -> list[list[bytes]]:
    step = max(1, len(body) // MAX_SPLITS)
    cuts = [[body[:cut], body[cut:]] for cut in range(0, len(body) + 1, step)]
    return [[body[i : i + 1] for i in range(len(body))], *cuts]


@pytest.mark.parametrize("path", fixtures())
def test_recording_gives_the_same_answer_however_it_is_cut(path: Path) -> None:
    dialect = DIALECTS[path.parent.name]
    status, body = head_and_body(path)
    expected = EXPECTED[f"{path.parent.name}/{path.stem}"]
    if status != 200:
        assert {"status": status, "error": dialect.read_error(body).message} == expected
        return
    whole = read_stream(dialect, [body])
    assert shown(whole) == expected
    for pieces in splits(body) if len(body) < 20_000 else [[body[:9_999], body[9_999:]]]:
        assert read_stream(dialect, pieces) == whole


def outcome_word(result: dict[str, Any]) -> str:
    if result["error"] is None:
        return "complete"
    if result["error"][0] == "truncated":
        return "truncated"
    return "error-midstream" if result["text"] else "error-prestream"


@pytest.mark.parametrize("case", SPOKEN_CASES)
def test_provider_case_has_its_outcome(case: dict[str, Any]) -> None:
    dialect = DIALECTS[SPOKEN[case["provider"]]]
    body, want = case["body"].encode(), case["want"]
    for pieces in [[body], *splits(body)]:
        result = read_stream(dialect, pieces)
        assert outcome_word(result) == want["outcome"]
        assert result["text"] == want["text"]
        assert result["finish"] == want["finish"]
        assert result["usage"] == want["usage"]
        assert result["malformed"] == want["malformed"]
        if want["outcome"].startswith("error") and want["error"][0].isupper():
            assert want["error"] in result["error"][1]


@pytest.mark.parametrize("case", SPOKEN_CASES)
def test_provider_case_that_failed_before_its_first_token_is_retried_or_not(
    case: dict[str, Any],
) -> None:
    want = case["want"]
    if want["outcome"] == "error-prestream":
        dialect = DIALECTS[SPOKEN[case["provider"]]]
        _, error = read_deltas(dialect, [case["body"].encode()])
        assert error is not None
        assert error.retryable == want["auto_retry"].startswith("yes")


def test_halves_of_a_surrogate_pair_in_two_chunks_become_one_character() -> None:
    body = (
        b'data: {"choices":[{"index":0,"delta":{"content":"a\\ud83d"}}]}\n\n'
        b'data: {"choices":[{"index":0,"delta":{"content":"\\ude00b"}}]}\n\n'
        b'data: {"choices":[{"index":0,"delta":{"content":"\\ud83d"},"finish_reason":"stop"}]}\n\n'
    )
    result = read_stream(DIALECTS["openai-chat"], [body])
    assert result["text"] == "a\N{GRINNING FACE}b\N{REPLACEMENT CHARACTER}"


@given(st.lists(st.binary(max_size=80), max_size=12))
def test_arbitrary_bytes_end_in_a_verdict_and_never_in_another_exception(
    pieces: list[bytes],
) -> None:
    for dialect in DIALECTS.values():
        result = read_stream(dialect, pieces)
        ends_anyhow = dialect.decoder().ends_with_body or b"[DONE]" in b"".join(pieces)
        assert result["error"] is not None or ends_anyhow


KEYS = """
    args arguments blockReason candidates choices content content_block delta done done_reason error
    finishReason function functionCall function_call id incomplete_details index input item item_id
    message model name object output output_index output_tokens parts promptFeedback reasoning
    response role stop_details stop_reason summary text thinking thought tool_calls usage
    usageMetadata x_groq
""".split()  # noqa: SIM905 - a list would fill the screen
TYPES = """
    content_block_delta content_block_start error function_call message message_delta message_start
    message_stop reasoning response.completed response.created response.failed
    response.function_call_arguments.delta response.incomplete response.output_item.added
    response.output_text.delta text text_delta thinking tool_use
""".split()  # noqa: SIM905
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([*TYPES, "\ud83d", 10**30])
)


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Arrays and objects; a `type` in an object decides what else of it is read."""
    members = st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    typed = st.builds(lambda rest, kind: {**rest, "type": kind}, members, st.sampled_from(TYPES))
    return st.lists(inner, max_size=3) | members | typed


@settings(max_examples=300)
@given(st.recursive(LEAVES, objects, max_leaves=12))
def test_arbitrary_json_never_ends_in_another_exception(document: object) -> None:
    line = json.dumps(document).encode()
    for dialect in DIALECTS.values():
        for body in (b"data: %b\n\n" % line, b"event: x\n\n%b\n" % line, line):
            deltas, _ = read_deltas(dialect, [body])
            msgspec.msgpack.encode([without_pieces(delta) for delta in deltas])


def without_pieces(delta: Delta) -> Delta:
    """The same without text that may begin or end inside a character."""
    match delta:
        case ToolCallDelta():
            return msgspec.structs.replace(delta, arguments="")
        case RefusalDelta():
            return RefusalDelta("")
        case _:
            return delta


@pytest.mark.parametrize(
    ("dialect", "frame"),
    [
        ("anthropic", 'data: {"type":"content_block_start","content_block":%s}\n\n'),
        ("gemini", 'data: {"candidates":[{"content":{"parts":[{"functionCall":%s}]}}]}\n\n'),
        ("ollama", '{"message":{"tool_calls":[{"function":%s}]}}\n'),
        ("openai-chat", "[%s]"),
    ],
)
def test_nesting_of_any_depth_never_ends_in_another_exception(dialect: str, frame: str) -> None:
    for depth in (*range(850, 1000), 5000):
        deep = "[" * depth + "]" * depth
        value = f'{{"type":"tool_use","args":{{"a":{deep}}},"input":{{"a":{deep}}},"arguments":{{"a":{deep}}}}}'
        read_stream(DIALECTS[dialect], [(frame % value).encode()])


def test_bytes_that_are_no_stream_are_quoted() -> None:
    reader = AnswerReader(DIALECTS["openai-chat"])
    assert list(reader.feed(b"upstream connect error or disconnect")) == []
    assert list(reader.close()) == []
    verdict = reader.verdict()
    assert verdict is not None
    assert verdict.kind == "not-a-stream"
    assert "upstream connect error" in verdict.excerpt


def test_lines_of_json_where_events_were_expected_are_read() -> None:
    body = (
        b'{"choices":[{"index":0,"delta":{"content":"Hel"}}]}\n'
        b'{"choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":"stop"}]}\n'
    )
    result = read_stream(DIALECTS["openai-chat"], [body])
    assert result["text"] == "Hello"
    assert result["error"] is None


def test_blank_lines_before_an_answer_keep_the_line_alive_and_cost_nothing() -> None:
    reader = AnswerReader(DIALECTS["openai-chat"])
    for _ in range(20_000):
        assert list(reader.feed(b"\n" * 8)) == [KeepAliveReceived("")]
    document = b'{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}'
    assert list(reader.feed(document)) == []
    assert [type(read) for read in reader.close()] == [Chunk]


def test_a_second_close_finds_nothing_more() -> None:
    reader = AnswerReader(DIALECTS["openai-chat"])
    list(reader.feed(b'{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}'))
    assert len(list(reader.close())) == 1
    assert list(reader.close()) == []


def test_web_page_is_named_by_its_title() -> None:
    reader = AnswerReader(DIALECTS["openai-chat"])
    assert list(reader.feed(b"<html><head><title>Hotel WiFi login</title></head></html>")) == []
    with pytest.raises(ProtocolError, match="Hotel WiFi login"):
        list(reader.close())
