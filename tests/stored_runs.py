"""Runs as a journal would hand them over, made by hand: what was said, and when."""

from collections.abc import Iterable

from streamtui.engine.reports import RunSummary, SessionRecord, StoredRun
from streamtui.events import (
    Body,
    Chunk,
    ErrorInfo,
    ErrorKind,
    Event,
    Message,
    Metrics,
    RunCancelled,
    RunCompleted,
    RunCutOff,
    RunFailed,
    RunStarted,
    SessionOpened,
    TextDelta,
    Usage,
)

STARTED = 1_700_000_000.0
COMPLETED = RunCompleted("stop", Metrics(ttft=0.2, duration=1.5, chunks=2, usage=Usage(3, 5)))


def text(*pieces: str) -> list[Body]:
    """One chunk for each piece of an answer."""
    return [Chunk((TextDelta(piece),)) for piece in pieces]


def cut_off(message: str = "the connection was lost", kind: ErrorKind = "connection-lost") -> Body:
    return RunCutOff(ErrorInfo(kind, message, "Ask again"), Metrics(chunks=1, text_chars=4))


def failed(
    message: str = "HTTP 401, no", kind: ErrorKind = "auth", status: int | None = 401
) -> Body:
    return RunFailed(ErrorInfo(kind, message, status=status, excerpt="no"), Metrics())


def cancelled() -> Body:
    return RunCancelled(Metrics(chunks=1, text_chars=4))


def started(prompt: str = "hi", *, replaces: str = "") -> Body:
    messages = (Message("user", prompt),)
    return RunStarted(prompt, messages, "mirror", "m", "openai-chat", replaces=replaces)


def run(
    *bodies: Body,
    prompt: str = "hi",
    run_id: str = "r",
    session_id: str = "s",
    at: Iterable[float] = (),
    replaces: str = "",
) -> list[Event]:
    """The events of a run, the first of them its start; `at` are the seconds of the others."""
    moments = [0.0, *at] if at else [0.1 * number for number in range(len(bodies) + 1)]
    all_bodies = [started(prompt, replaces=replaces), *bodies]
    return [
        Event(number, STARTED + moment, 100.0 + moment, session_id, run_id, body)
        for number, (moment, body) in enumerate(zip(moments, all_bodies, strict=True), 1)
    ]


def stored(events: list[Event], state: str = "done") -> StoredRun:
    """As the journal hands over a run alone."""
    first = events[0]
    summary = RunSummary(
        1, first.run_id, first.session_id, STARTED, None, "mirror", "m", "", state, "", "", 0
    )
    return StoredRun(summary, "", "", tuple(events))


def conversation(*runs: list[Event], preface: tuple[Message, ...] = ()) -> SessionRecord:
    """As the journal hands over a session."""
    opened = Event(0, STARTED, 100.0, "s", "", SessionOpened("mirror", "m", "openai-chat"))
    return SessionRecord("s", preface, (opened, *(event for events in runs for event in events)))
