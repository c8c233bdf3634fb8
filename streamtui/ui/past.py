"""A conversation of the journal as a pane shows it. Pure: no Textual, no I/O."""

from collections.abc import Mapping
from itertools import takewhile

from streamtui.config import Price
from streamtui.engine.reports import SessionRecord, StoredRun
from streamtui.events import RUN_ENDS, ErrorInfo, Event, Metrics, RunCutOff
from streamtui.ui.state import AppState, PaneState, Turn, apply, turns_of

LIVE_STATES = frozenset(("queued", "streaming"))
"""States of stored runs that have not ended."""
INTERRUPTED = ErrorInfo(
    kind="interrupted",
    message="interrupted: the engine ended while this answer came",
    hint="Ask again for the rest",
)


def recalled(record: SessionRecord, *, prices: Mapping[str, Price] | None = None) -> PaneState:
    """A pane with all turns of a conversation; what no end is known of is shown as interrupted."""
    state = AppState(prices=dict(prices or {}))
    pane = PaneState(record.session_id, turns=turns_of(record.preface))
    state.panes[record.session_id] = pane
    for event in record.events:
        apply(state, event)
    end_open_turns(state, pane, wall=0.0, mono=pane.last_data or pane.run_started or 0.0)
    pane.closed = pane.can_repeat = False
    if pane.turns and pane.phase == "idle":
        pane.phase = "done"
    return pane


def precede(pane: PaneState, story: PaneState) -> None:
    """Let a pane show what its engine knows as messages only in the way the journal knows it.

    `story` is the whole conversation, that of the pane itself included.
    """
    known = [turn for turn in pane.turns if turn.run_id]
    first = known[0].run_id if known else ""
    before = list(takewhile(lambda turn: not first or turn.run_id != first, story.turns))
    said = sum(bool(turn.text_pieces) and not turn.superseded for turn in before)
    if not before or said < len(pane.turns) - len(known):
        return  # Some of it was deleted from the journal, which the engine still has.
    pane.turns = [*before, *known]
    if not known:
        pane.phase = story.phase
        pane.run_started, pane.run_ended = story.run_started, story.run_ended
        pane.first_visible, pane.last_data = story.first_visible, story.last_data


def end_open_turns(state: AppState, pane: PaneState, *, wall: float, mono: float) -> list[str]:
    """End what nobody else ends any more; returns the prompts that were still queued."""
    waiting = [queued.prompt for queued in pane.queued]
    pane.queued = []
    for turn in pane.turns:
        if turn.end is None:
            apply(state, Event(0, wall, mono, pane.session_id, turn.run_id, _cut(turn)))
    if pane.phase == "queued":
        pane.phase = (pane.turns[-1].end or "idle") if pane.turns else "idle"
    return waiting


def with_end(run: StoredRun) -> tuple[Event, ...]:
    """The events of a run, with an end where none was stored."""
    if not run.events or any(isinstance(event.body, RUN_ENDS) for event in run.events):
        return run.events
    last = run.events[-1]
    end = RunCutOff(INTERRUPTED, Metrics(text_chars=len(run.answer)))
    return (*run.events, Event(last.seq, last.time, last.mono, last.session_id, last.run_id, end))


def _cut(turn: Turn) -> RunCutOff:
    return RunCutOff(INTERRUPTED, Metrics(text_chars=len(turn.text_pieces), chunks=turn.chunks))
