"""Every recording and every provider case: whole, byte by byte, and cut at every place."""

import hashlib
import json
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtui.engine.dialects import DIALECTS
from streamtui.engine.dialects.base import Dialect
from streamtui.engine.reader import AnswerReader, Read
from streamtui.errors import ProtocolError, RunError
from streamtui.events import (
    Chunk,
    Delta,
    Finish,
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
OPENAI_CASES = [case for case in CASES if case["provider"] == "openai"]
MAX_SPLITS = 1500
SHOWN_CHARS = 200


def read_stream(dialect: Dialect, pieces: list[bytes]) -> dict[str, Any]:
    """The outcome of one response body, as plain values."""
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
    return outcome([delta for chunk in chunks for delta in chunk.deltas], error)


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


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in OPENAI_CASES])
def test_provider_case_has_its_outcome(case: dict[str, Any]) -> None:
    body, want = case["body"].encode(), case["want"]
    for pieces in [[body], *splits(body)]:
        result = read_stream(DIALECTS["openai-chat"], pieces)
        assert outcome_word(result) == want["outcome"]
        assert result["text"] == want["text"]
        assert result["finish"] == want["finish"]
        assert result["usage"] == want["usage"]
        assert result["malformed"] == want["malformed"]
        if want["outcome"].startswith("error") and want["error"][0].isupper():
            assert want["error"] in result["error"][1]


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
        assert result["error"] is not None or b"[DONE]" in b"".join(pieces)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["choices", "delta", "content", "index", "text", "usage", "tool_calls", "error"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_arbitrary_json_never_ends_in_another_exception(document: object) -> None:
    body = b"data: " + json.dumps(document).encode() + b"\n\n"
    for dialect in DIALECTS.values():
        assert read_stream(dialect, [body])["error"] is not None or b"finish" in body


def test_web_page_is_named_by_its_title() -> None:
    reader = AnswerReader(DIALECTS["openai-chat"])
    assert list(reader.feed(b"<html><head><title>Hotel WiFi login</title></head></html>")) == []
    with pytest.raises(ProtocolError, match="Hotel WiFi login"):
        list(reader.close())
