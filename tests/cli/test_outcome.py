"""Exit codes and summaries, from events alone."""

from itertools import permutations
from typing import get_args

import pytest

from streamtui.cli.codes import (
    ANSWERED,
    BROKEN,
    BUG,
    CANCELLED,
    NETWORK,
    OVERLOADED,
    REFUSED,
    USAGE,
    WORST_FIRST,
)
from streamtui.cli.outcome import EXIT_CODES, Answer, code_of, worst
from streamtui.config import Endpoint
from streamtui.events import (
    Chunk,
    Delta,
    ErrorInfo,
    ErrorKind,
    Finish,
    Metrics,
    ReasoningDelta,
    RefusalDelta,
    RunCancelled,
    RunCompleted,
    RunCutOff,
    RunFailed,
    TextDelta,
    ToolCallDelta,
    Usage,
)

KINDS: tuple[ErrorKind, ...] = get_args(ErrorKind)
BEGUN = Metrics(chunks=3, text_chars=9)


def endpoint(name: str = "far", model: str = "m") -> Endpoint:
    return Endpoint(name, "openai-chat", "http://127.0.0.1:9/v1", model)


def answer_of(*deltas: Delta, limit: int | None = None) -> Answer:
    """An answer that got each of these in a chunk of its own."""
    answer = Answer(endpoint(), limit=limit)
    for delta in deltas:
        answer.apply(Chunk((delta,)))
    return answer


def test_every_kind_of_error_has_a_code() -> None:
    assert set(EXIT_CODES) == set(KINDS)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        *(("auth", REFUSED), ("forbidden", REFUSED), ("not-found", REFUSED)),
        *(("bad-request", REFUSED), ("rate-limit", OVERLOADED), ("overloaded", OVERLOADED)),
        *(("dns", NETWORK), ("connect", NETWORK), ("proxy", NETWORK), ("tls", NETWORK)),
        *(("truncated", BROKEN), ("protocol-error", BROKEN), ("not-a-stream", BROKEN)),
        *(("no-key", USAGE), ("bug", BUG)),
    ],
)
def test_a_failure_before_the_answer_has_the_code_of_the_manual(kind: ErrorKind, code: int) -> None:
    assert code_of(RunFailed(ErrorInfo(kind, "words"), Metrics())) == code


@pytest.mark.parametrize("kind", KINDS)
def test_a_failure_in_mid_answer_breaks_it_unless_we_have_a_bug(kind: ErrorKind) -> None:
    code = code_of(RunFailed(ErrorInfo(kind, "words"), BEGUN))
    assert code == (BUG if kind == "bug" else BROKEN)


def test_other_ends() -> None:
    assert code_of(RunCompleted("stop", BEGUN)) == ANSWERED
    assert code_of(RunCancelled(BEGUN)) == CANCELLED
    assert code_of(RunCutOff(ErrorInfo("truncated", "words"), BEGUN)) == BROKEN


def test_the_worst_code_wins_in_any_order() -> None:
    assert set(WORST_FIRST) == {*EXIT_CODES.values(), ANSWERED, CANCELLED}
    for pair in permutations(WORST_FIRST, 2):
        assert worst(pair) == min(pair, key=WORST_FIRST.index)
    assert worst([]) == ANSWERED


@pytest.mark.parametrize(
    ("name", "model", "label"),
    [
        *(("openai", "gpt-4o-mini", "openai/gpt-4o-mini"), ("demo", "demo/verse", "demo/verse")),
        *(("far", "", "far"), ("openrouter", "openai/gpt-4o", "openrouter/openai/gpt-4o")),
    ],
)
def test_the_label_is_what_the_command_line_accepts(name: str, model: str, label: str) -> None:
    assert Answer(endpoint(name, model)).label == label


def test_text_and_refusals_are_the_answer_and_nothing_else_is() -> None:
    deltas = (TextDelta("a"), ReasoningDelta("b"), RefusalDelta("c"), Finish("stop"), Usage(1, 2))
    assert answer_of(*deltas).text == "ac"


def test_a_chunk_is_one_piece_whatever_is_in_it() -> None:
    answer = Answer(endpoint(), limit=1)
    assert answer.apply(Chunk((TextDelta("a"), ReasoningDelta("x"), TextDelta("b")))) == "ab"
    assert answer.enough


def test_a_limit_counts_chunks_with_text_and_forgets_the_rest() -> None:
    answer = answer_of(ReasoningDelta("r"), TextDelta(""), *map(TextDelta, "abc"), limit=2)
    assert (answer.text, answer.over, answer.exit_code) == ("ab", True, ANSWERED)


def test_a_run_without_an_end_is_a_bug() -> None:
    assert answer_of(TextDelta("a")).exit_code == BUG


def test_pieces_of_a_tool_call_become_one() -> None:
    answer = answer_of(
        ToolCallDelta(1, "{}", "id-1", "second"),
        ToolCallDelta(0, '{"a"', "id-0", "first"),
        ToolCallDelta(0, ": 1}"),
    )
    answer.apply(RunCompleted("tool_calls", BEGUN))
    assert answer.summary()["tool_calls"] == [
        {"id": "id-0", "name": "first", "arguments": '{"a": 1}'},
        {"id": "id-1", "name": "second", "arguments": "{}"},
    ]


def test_a_summary_of_everything() -> None:
    answer = answer_of(ReasoningDelta("hm"), TextDelta("a\ud83d"), TextDelta("\udc69"))
    answer.run_id = "run"
    metrics = Metrics(0.12345, 1.5, 2, 2, usage=Usage(1, 2, None, 0))
    error = ErrorInfo("rate-limit", "slow down", status=429)
    answer.apply(RunFailed(error, metrics))
    assert answer.summary() == {
        "endpoint": "far",
        "model": "m",
        "run_id": "run",
        "state": "failed",
        "text": "a👩",
        "reasoning": "hm",
        "tool_calls": None,
        "finish_reason": None,
        "usage": {"input": 1, "output": 2, "cached": None, "reasoning": 0},
        "ttft_ms": 123.5,
        "duration_ms": 1500.0,
        "chunks": 2,
        "attempts": 2,
        "error": {"kind": "rate-limit", "message": "slow down", "status": 429},
    }
