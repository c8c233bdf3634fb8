"""Runs and conversations as the journal gives them back."""

from collections.abc import Sequence

from streamtui.engine.reports import RunSummary, SessionRecord, StoredRun
from streamtui.events import (
    RUN_ENDS,
    Body,
    Event,
    Message,
    Metrics,
    RequestSent,
    RunCompleted,
    RunStarted,
    SessionOpened,
)
from tests.stored_runs import text
from tests.ui.scripted_doors import WALL, ScriptedDoors

DONE = RunCompleted("stop", Metrics())
_MONO = 50.0


def past_run(
    run_id: str,
    *pieces: str,
    prompt: str = "Sing",
    session_id: str = "past",
    endpoint: str = "demo",
    model: str = "demo/verse",
    end: Body | None = DONE,
    state: str = "done",
    key: int = 1,
    ago: float = 60.0,
    replaces: str = "",
) -> StoredRun:
    """A run whose pieces came one second after the other; it began `ago` seconds before now."""
    started = RunStarted(
        prompt, (Message("user", prompt),), endpoint, model, "openai-chat", replaces=replaces
    )
    bodies = [started, RequestSent(), *text(*pieces)]
    if end is not None:
        bodies.append(end)
    events = [
        Event(number, WALL - ago + number, _MONO + number, session_id, run_id, body)
        for number, body in enumerate(bodies)
    ]
    answer = "".join(pieces)
    ended = events[-1].time if isinstance(events[-1].body, RUN_ENDS) else None
    names = endpoint, model, "openai-chat"
    summary = RunSummary(
        key,
        run_id,
        session_id,
        events[0].time,
        ended,
        *names,
        state,
        prompt[:200],
        answer[:200],
        len(answer),
    )
    return StoredRun(summary, prompt, answer, tuple(events))


def conversation(
    *runs: StoredRun, preface: Sequence[Message] = (), session_id: str = "past"
) -> SessionRecord:
    """The runs of one session."""
    summary = runs[0].summary if runs else past_run("none").summary
    opened = SessionOpened(summary.endpoint, summary.model, summary.dialect)
    first = Event(0, WALL - 100, 0.0, session_id, "", opened)
    events = [event for run in runs for event in run.events]
    return SessionRecord(session_id, tuple(preface), (first, *events))


def remember(doors: ScriptedDoors, *runs: StoredRun) -> None:
    """Let the engine know runs; those of one session are one conversation, in their order."""
    for run in runs:
        doors.stored[run.summary.run_id] = run
        doors.history.insert(0, run.summary)
    by_session: dict[str, list[StoredRun]] = {}
    for run in doors.stored.values():
        by_session.setdefault(run.summary.session_id, []).append(run)
    for session_id, its_runs in by_session.items():
        doors.records[session_id] = conversation(*its_runs, session_id=session_id)
