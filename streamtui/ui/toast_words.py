"""Events into toasts: which deserve one, and what it says. Pure: no Textual, no I/O, no clock."""

from typing import Literal, NamedTuple

from msgspec.structs import replace

from streamtui.event_words import describe
from streamtui.events import (
    Chunk,
    ErrorInfo,
    Event,
    JournalReplaced,
    JournalResumed,
    JournalStopped,
    RetryScheduled,
    RunCutOff,
    RunFailed,
)
from streamtui.safe_text import safe_line
from streamtui.ui.pane_state import PaneState, turn_of
from streamtui.ui.words import shorten

_TOAST_CAUSE_CELLS = 90
_TOAST_HINT_CELLS = 60
_TOAST_NAME_CELLS = 24


class Toast(NamedTuple):
    """A notice whose text is safe to draw as it is, on one line that wraps into three at most."""

    severity: Literal["information", "warning", "error"]
    title: str
    message: str


def toast_for(event: Event, pane: PaneState | None) -> Toast | None:
    """The notice for an event, if it deserves one; `pane` has had the event applied."""
    match event.body:
        case Chunk():
            return _malformed_toast(event, pane)
        case JournalStopped() | JournalReplaced():
            return Toast("error", "Not saved", _journal_words(event.body))
        case JournalResumed():
            return Toast("information", "Saved again", _journal_words(event.body))
        case RunFailed():
            return Toast("error", "Run failed", _toast_words(pane, event.body))
        case RunCutOff():
            return Toast("error", "Answer cut off", _toast_words(pane, event.body))
        case RetryScheduled():
            return Toast("warning", "Trying again", _toast_words(pane, event.body) + ".")
        case _:
            return None


def _journal_words(body: JournalStopped | JournalResumed | JournalReplaced) -> str:
    words = safe_line(describe(body).words, limit=240)
    return f"{words[:1].upper()}{words[1:]}."


def _toast_words(pane: PaneState | None, body: RunFailed | RunCutOff | RetryScheduled) -> str:
    error: ErrorInfo = replace(
        body.error,
        message=_brief(body.error.message, _TOAST_CAUSE_CELLS),
        hint=_brief(body.error.hint, _TOAST_HINT_CELLS),
    )
    return f"{_toast_name(pane)}: {safe_line(describe(replace(body, error=error)).words)}"


def _malformed_toast(event: Event, pane: PaneState | None) -> Toast | None:
    turn = turn_of(pane, event.run_id) if pane else None
    if turn is None or turn.first_malformed_seq != event.seq:
        return None
    message = (
        f"{_toast_name(pane)}: a part of the stream could not be read and was passed over. "
        "What came is kept. F3 shows the events."
    )
    return Toast("warning", "Unreadable frame", message)


def _toast_name(pane: PaneState | None) -> str:
    return _brief(pane.endpoint, _TOAST_NAME_CELLS) if pane and pane.endpoint else "session"


def _brief(text: str, cells: int) -> str:
    return shorten(safe_line(text, limit=cells), cells)
