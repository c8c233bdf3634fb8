"""A stored run as a script of the demo server: what was said, when, and how it ended. No I/O.

A dialect says it in frames of its own; what only the recorded one could say is left out.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from msgspec import Struct

from streamtui.demo.answers import Draft
from streamtui.demo.dialect import Refusal
from streamtui.demo.question import Question
from streamtui.demo.scripts import (
    AS_FAST_AS_IT_CAN,
    CallArguments,
    CallStarted,
    Ending,
    Said,
    Script,
    Step,
    Thought,
    Usage,
)
from streamtui.events import (
    RUN_ENDS,
    AttemptStarted,
    Chunk,
    Delta,
    ErrorInfo,
    ErrorKind,
    Event,
    ReasoningDelta,
    RefusalDelta,
    RunCompleted,
    RunCutOff,
    RunEnd,
    RunFailed,
    RunStarted,
    TextDelta,
    ToolCallDelta,
)

# What of the endpoints' own words is more than an end like any other.
_FINISHES = {
    "length": Ending.LENGTH,
    "max_tokens": Ending.LENGTH,
    "max_output_tokens": Ending.LENGTH,
    "MAX_TOKENS": Ending.LENGTH,
    "tool_calls": Ending.TOOL_CALLS,
    "tool_use": Ending.TOOL_CALLS,
}
_LOSSES: dict[ErrorKind, Ending] = {
    "connection-lost": Ending.DROP,
    "timeout-first-token": Ending.STALL,
    "timeout-idle": Ending.STALL,
}
"""Ends that a client can have again as they were; after all others the response just ends."""
_EMPTY: frozenset[ErrorKind] = frozenset({"empty-body", "error-midstream", "truncated", *_LOSSES})
"""Ends of an answer of which nothing came, but a response had begun."""


class TimedStep(NamedTuple):
    """A step, and when it came: in seconds after the attempt that brought it began."""

    at: float
    step: Step


class RecordedRun(Struct, frozen=True):
    """A run, ready to be served again and again."""

    steps: tuple[TimedStep, ...]
    ending: Ending
    ended_at: float
    usage: Usage
    error: ErrorInfo | None = None

    def script(self, question: Question) -> Script:
        """What is answered to a question, whatever it asks. Raises `Refusal` where that was the
        answer."""
        if self.error is not None and self.error.status is not None and not self.steps:
            raise _refusal(self.error)
        steps = [timed for timed in self.steps if _has_place(timed.step, question)]
        return Script(
            draft=Draft(answer=()),
            recorded=tuple(timed.step for timed in steps),
            offsets=(*(timed.at for timed in steps), self.ended_at),
            length=len(steps),
            ending=self.ending,
            failure=self.error.message if self.error else "",
            rate=AS_FAST_AS_IT_CAN,
            delay=0.0,
            usage=self.usage,
        )


def recorded_run(events: Sequence[Event]) -> RecordedRun:
    """The run that these are the events of, the last of which is its end.

    Of several attempts the last is taken, of several tool calls the first. Raises ValueError for
    a run that never got as far as an answer.
    """
    end = events[-1].body
    if not isinstance(end, RUN_ENDS):
        raise ValueError("its end is missing")  # noqa: TRY004 - the file is wrong, not the caller
    start = _start(events)
    steps = tuple(_steps(events, start))
    error = end.error if isinstance(end, RunCutOff | RunFailed) else None
    if error and not steps and error.status is None and error.kind not in _EMPTY:
        raise ValueError(f"it got no answer ({error.message}), so there is none to serve")
    return RecordedRun(
        steps=steps,
        ending=_ending(end),
        ended_at=max(0.0, events[-1].mono - start),
        usage=_usage(end, steps),
        error=error,
    )


def _start(events: Iterable[Event]) -> float:
    starts = [e.mono for e in events if isinstance(e.body, RunStarted | AttemptStarted)]
    return starts[-1] if starts else 0.0


def _steps(events: Iterable[Event], start: float) -> Iterator[TimedStep]:
    at, call_index = 0.0, None
    for event in events:
        # A clock that was set back makes no step come before another.
        at = max(at, event.mono - start)
        for delta in event.body.deltas if isinstance(event.body, Chunk) else ():
            if isinstance(delta, ToolCallDelta):
                if call_index is None:
                    call_index = delta.index
                    yield TimedStep(at, CallStarted(delta.id or "call_1", delta.name or "tool"))
                if delta.index == call_index and delta.arguments:
                    yield TimedStep(at, CallArguments(delta.arguments))
            elif step := _step(delta):
                yield TimedStep(at, step)


def _step(delta: Delta) -> Step | None:
    match delta:
        case TextDelta(text) | RefusalDelta(text) if text:
            return Said(text)
        case ReasoningDelta(text) if text:
            return Thought(text)
    return None


def _has_place(step: Step, question: Question) -> bool:
    if isinstance(step, Thought):
        return question.can_think
    return question.can_call_tools or isinstance(step, Said)


def _ending(end: RunEnd) -> Ending:
    match end:
        case RunCompleted():
            return _FINISHES.get(end.finish_reason or "", Ending.STOP)
        case RunCutOff() | RunFailed():
            told = isinstance(end, RunFailed) and end.error.kind not in {*_LOSSES, "empty-body"}
            return Ending.ERROR if told else _LOSSES.get(end.error.kind, Ending.CUT)
    # Who cancelled it knows no more of it than came.
    return Ending.CUT


def _usage(end: RunEnd, steps: Sequence[TimedStep]) -> Usage:
    counted = end.metrics.usage
    thoughts = sum(isinstance(timed.step, Thought) for timed in steps)
    if counted is None:
        return Usage(0, len(steps), thoughts)
    return Usage(counted.input or 0, counted.output or 0, counted.reasoning or 0)


def _refusal(error: ErrorInfo) -> Refusal:
    after = error.retry_after
    headers = {} if after is None else {"Retry-After": f"{after:g}"}
    return Refusal(error.status or 500, error.excerpt or error.message, headers=headers)
