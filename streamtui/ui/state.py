"""Events into what the panes show. Pure: no Textual, no I/O, no clock.

`apply` is the only place that changes a pane's state. The data itself is in `pane_state`, the words
of the border in `border_text`, those of toasts in `toast_words`; what is needed along with `apply`
is offered here too.
"""

from typing import assert_never

from streamtui.config import Price
from streamtui.events import (
    AttemptFailed,
    AttemptStarted,
    Chunk,
    Delta,
    Event,
    Finish,
    JournalReplaced,
    JournalResumed,
    JournalStopped,
    KeepAliveReceived,
    MalformedFrame,
    ReasoningDelta,
    ReconnectScheduled,
    RefusalDelta,
    RequestSent,
    ResponseInfo,
    ResponseStarted,
    RetryScheduled,
    RunCancelled,
    RunCompleted,
    RunCutOff,
    RunEnd,
    RunFailed,
    RunQueued,
    RunStarted,
    RunWaiting,
    ServerEvent,
    SessionClosed,
    SessionOpened,
    StreamStalled,
    TextDelta,
    ToolCallDelta,
    UnknownFrame,
    Usage,
)
from streamtui.ui.arriving import GrowingText
from streamtui.ui.attempts import note
from streamtui.ui.border_text import (
    BorderText,
    border_subtitle,
    border_title,
    state_words,
)
from streamtui.ui.figures import (
    cost,
    failed_count,
    live_count,
    rate,
    session_cost,
    tokens,
    total_cost,
    total_rate,
    ttft,
)
from streamtui.ui.pane_state import (
    ASCII_GLYPHS,
    GLYPHS,
    AppState,
    End,
    PaneState,
    Phase,
    QueuedPrompt,
    Turn,
    is_live,
    messages,
    turn_of,
    turns_of,
)
from streamtui.ui.toast_words import Toast, toast_for

__all__ = [
    "ASCII_GLYPHS",
    "GLYPHS",
    "AppState",
    "BorderText",
    "GrowingText",
    "PaneState",
    "Phase",
    "Toast",
    "Turn",
    "apply",
    "border_subtitle",
    "border_title",
    "cost",
    "failed_count",
    "is_live",
    "live_count",
    "messages",
    "rate",
    "session_cost",
    "state_words",
    "toast_for",
    "tokens",
    "total_cost",
    "total_rate",
    "ttft",
    "turns_of",
]


def apply(state: AppState, event: Event) -> None:
    """Bring the state up to date with one event; events come in the order of their `seq`."""
    state.events_seen += 1
    if isinstance(event.body, Chunk):
        # Nearly all events are, so they are asked for first.
        if (pane := state.panes.get(event.session_id)) is not None:
            pane.revision += 1
            _receive(pane, event, event.body)
        return
    if isinstance(event.body, JournalStopped | JournalResumed):
        _note_journal(state, event)
    pane = _pane_for(state, event)
    if pane is None:
        return
    pane.revision += 1
    match event.body:
        case SessionOpened():
            _name(pane, event.body, state)
        case SessionClosed():
            pane.closed = True
        case RunQueued():
            _queue(pane, event.run_id, event.body)
        case RunStarted():
            _start(pane, event, event.body)
        case AttemptStarted():
            _attempt(pane, event.body)
            _note(pane, event.run_id, event.body)
            _price(pane, event.run_id, state.prices.get(event.body.endpoint))
        case RunWaiting():
            _wait(pane, event.mono, event.body)
        case RequestSent():
            pane.phase = "waiting"
        case ResponseStarted():
            pane.last_data = event.mono
            _note(pane, event.run_id, event.body)
        case KeepAliveReceived():
            pane.keep_alive = event.body.comment
        case StreamStalled():
            _stall(pane, event.mono, event.body)
        case AttemptFailed():
            pane.retry_error = event.body.error
            _note(pane, event.run_id, event.body)
        case RetryScheduled():
            _await_retry(pane, event.mono, event.body)
        case ReconnectScheduled():
            _await_reconnect(pane, event.mono, event.body)
        case RunCompleted() | RunCutOff() | RunFailed() | RunCancelled():
            _end(pane, event, event.body)
        case JournalStopped() | JournalResumed() | JournalReplaced():
            pass
        case _:
            assert_never(event.body)


def _note_journal(state: AppState, event: Event) -> None:
    if isinstance(event.body, JournalResumed):
        state.not_saved_since = None
    elif state.not_saved_since is None:
        state.not_saved_since = event.time


def _pane_for(state: AppState, event: Event) -> PaneState | None:
    pane = state.panes.get(event.session_id)
    if pane is None and isinstance(event.body, SessionOpened | RunStarted):
        pane = state.panes[event.session_id] = PaneState(event.session_id)
        _name(pane, event.body, state)
    return pane


def _name(pane: PaneState, body: SessionOpened | RunStarted, state: AppState) -> None:
    pane.endpoint, pane.model, pane.dialect = body.endpoint, body.model, body.dialect
    if isinstance(body, SessionOpened):
        pane.insecure, pane.private, pane.closed = body.insecure, body.private, False
    if pane.price is None:
        pane.price = state.prices.get(body.endpoint)


def _queue(pane: PaneState, run_id: str, body: RunQueued) -> None:
    pane.queued.append(QueuedPrompt(run_id, body.prompt))
    if not is_live(pane):
        pane.phase = "queued"


def _start(pane: PaneState, event: Event, body: RunStarted) -> None:
    _unqueue(pane, event.run_id)
    if not pane.turns:
        pane.turns = turns_of(body.messages[:-1])
    if body.replaces and (replaced := turn_of(pane, body.replaces)):
        replaced.superseded = True
    sent = sum(len(message.content) for message in body.messages)
    pane.turns.append(Turn(event.run_id, body.prompt, input_chars=sent))
    pane.endpoint, pane.model, pane.dialect = body.endpoint, body.model, body.dialect
    pane.phase = "connecting"
    pane.can_repeat = True
    pane.run_started = event.mono
    pane.first_visible = pane.last_data = pane.run_ended = pane.retry_due = None
    pane.retry_error = None
    pane.keep_alive = ""
    pane.attempt = pane.attempts = 0
    pane.answering_endpoint = pane.answering_model = pane.queue_reason = ""


def _unqueue(pane: PaneState, run_id: str) -> str:
    """The queued prompt of a run, taken off the queue; empty when it was not queued."""
    prompt = next((queued.prompt for queued in pane.queued if queued.run_id == run_id), "")
    pane.queued = [queued for queued in pane.queued if queued.run_id != run_id]
    return prompt


def _attempt(pane: PaneState, body: AttemptStarted) -> None:
    pane.phase = "connecting"
    pane.attempt, pane.attempts, pane.route = body.attempt, body.of, body.route
    pane.answering_endpoint, pane.answering_model = body.endpoint, body.model
    pane.insecure = body.insecure
    pane.retry_due = None
    pane.queue_reason = ""


def _note(
    pane: PaneState, run_id: str, body: AttemptStarted | ResponseStarted | AttemptFailed
) -> None:
    if turn := turn_of(pane, run_id):
        note(turn.attempts, body)


def _price(pane: PaneState, run_id: str, price: Price | None) -> None:
    if turn := turn_of(pane, run_id):
        turn.fallback_price = price


def _wait(pane: PaneState, mono: float, body: RunWaiting) -> None:
    pane.phase = "queued"
    pane.queue_reason = body.reason
    pane.retry_due = None if body.delay is None else mono + body.delay


def _stall(pane: PaneState, mono: float, body: StreamStalled) -> None:
    pane.phase = "stalled"
    pane.last_data = mono - body.silent_for


def _await_retry(pane: PaneState, mono: float, body: RetryScheduled) -> None:
    pane.phase, pane.reconnects = "retry", False
    pane.retry_attempt, pane.retry_of = body.attempt, body.of
    pane.retry_due = mono + body.delay
    pane.retry_error = body.error


def _await_reconnect(pane: PaneState, mono: float, body: ReconnectScheduled) -> None:
    pane.phase, pane.reconnects = "retry", True
    pane.retry_due = mono + body.delay
    pane.retry_error = body.error


def _receive(pane: PaneState, event: Event, chunk: Chunk) -> None:
    turn = turn_of(pane, event.run_id)
    if turn is None or turn.end is not None:
        return
    visible: Phase | None = None
    for delta in chunk.deltas:
        visible = _take(turn, delta, event.seq) or visible
    pane.last_data = event.mono
    if visible is not None:
        turn.chunks += chunk.merged
        pane.meter.add(event.mono, chunk.merged)
        pane.phase = visible
        if pane.first_visible is None:
            pane.first_visible = event.mono
    elif pane.phase == "stalled":
        pane.phase = "streaming" if turn.text_pieces else "thinking"


def _take(turn: Turn, delta: Delta, seq: int) -> Phase | None:
    """Add a delta to its turn; returns the phase that it shows, if it shows anything."""
    match delta:
        case TextDelta():
            turn.text_pieces.append(delta.text)
            return "streaming"
        case ReasoningDelta():
            turn.reasoning_pieces.append(delta.text)
            return "thinking"
        case RefusalDelta():
            turn.refusal_pieces.append(delta.text)
            return "streaming"
        case ToolCallDelta():
            _take_tool_call(turn, delta)
            return "streaming"
        case Usage():
            turn.usage = _merge_usage(turn.usage, delta)
        case Finish():
            turn.finish_reason = delta.reason
        case MalformedFrame():
            if turn.first_malformed_seq is None:
                turn.first_malformed_seq = seq
        case ResponseInfo():
            turn.response = delta
        case UnknownFrame() | ServerEvent():
            pass
        case _:
            assert_never(delta)
    return None


def _take_tool_call(turn: Turn, delta: ToolCallDelta) -> None:
    call = turn.call_at(delta.index)
    call.id = delta.id or call.id
    call.name = delta.name or call.name
    call.argument_pieces.append(delta.arguments)


def _merge_usage(known: Usage | None, told: Usage) -> Usage:
    """What was told last wins; what it leaves open stays as it was."""
    if known is None:
        return told
    return Usage(
        input=known.input if told.input is None else told.input,
        output=known.output if told.output is None else told.output,
        cached=known.cached if told.cached is None else told.cached,
        reasoning=known.reasoning if told.reasoning is None else told.reasoning,
    )


_ENDS: dict[type[RunEnd], End] = {
    RunCompleted: "done",
    RunCutOff: "cut off",
    RunFailed: "failed",
    RunCancelled: "cancelled",
}


def _end(pane: PaneState, event: Event, body: RunEnd) -> None:
    end = _ENDS[type(body)]
    turn = turn_of(pane, event.run_id)
    if turn is None:
        turn = _never_started(pane, event.run_id, end)
    if turn is None:
        return
    turn.end, turn.metrics = end, body.metrics
    if isinstance(body, RunCutOff | RunFailed):
        turn.error = body.error
    if isinstance(body, RunCompleted):
        turn.finish_reason = body.finish_reason or turn.finish_reason
    if body.metrics.usage is not None:
        turn.usage = _merge_usage(turn.usage, body.metrics.usage)
    if turn is pane.turns[-1]:
        pane.phase, pane.run_ended = end, event.mono
        pane.queue_reason, pane.retry_due = "", None


def _never_started(pane: PaneState, run_id: str, end: End) -> Turn | None:
    """A run that ended in the queue: it is shown when it failed, and forgotten when cancelled."""
    prompt = _unqueue(pane, run_id)
    if end != "cancelled":
        pane.turns.append(Turn(run_id, prompt))
        pane.run_started = pane.first_visible = None
        return pane.turns[-1]
    # With a reason it is another run, one that began, that waits.
    if pane.phase == "queued" and not pane.queued and not pane.queue_reason:
        pane.phase = (pane.turns[-1].end or "idle") if pane.turns else "idle"
    return None
