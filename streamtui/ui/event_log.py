"""All events of all sessions as rows: the latest ones, filtered, paused, opened.

Appending costs next to nothing: an event becomes words only when its row is seen, or when a filter
has to look at it.
"""

import time
from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.message import Message

from streamtui.events import Event, Severity, describe
from streamtui.safe_text import safe_line
from streamtui.ui.border_text import BorderText, Segment, shorten
from streamtui.ui.lines import LineView
from streamtui.ui.log_store import Entry, LogStore
from streamtui.ui.log_words import payload
from streamtui.ui.rows import Row, Span, drawable

CAPACITY = 20_000
_PAGE_OVERLAP = 2
_NAME_CELLS = 20
_ENDPOINT_CELLS = 10
_ENDPOINT_FROM_WIDTH = 64
"""Narrower logs show no endpoint: the pane's number says as much."""

_SIGNS: dict[Severity, tuple[str, str]] = {
    "debug": (" ", "muted"),
    "info": ("·", "muted"),
    "success": ("✓", "state-done"),
    "warning": ("▲", "warning"),
    "error": ("✗", "state-failed"),
}


class EventLog(LineView):
    """The newest event is at the bottom, and the view stays with it until it is moved."""

    DEFAULT_CSS = """
    EventLog {
        width: 1fr;
        height: 1fr;
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move_cursor(-1)", "Event before", show=False),
        Binding("down,j", "move_cursor(1)", "Event after", show=False),
        Binding("enter", "open", "Open event", show=False),
    ]

    class Opened(Message):
        """The user wants to see an event whole."""

        def __init__(self, event: Event) -> None:
            super().__init__()
            self.event = event

    class PositionChanged(Message):
        """The user moved, paused or went on: `border_text` says something else."""

    def __init__(
        self,
        *,
        capacity: int = CAPACITY,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.following = True
        self._paused = False
        self._store = LogStore(capacity)
        self._filter = ""
        self._top = 0
        self._cursor = 0
        """The number of the chosen entry, once the view has left the newest."""

    def append(self, events: Sequence[Event], numbers: Callable[[str], int | None]) -> None:
        """Add events; `numbers` tells the pane number of a session."""
        append = self._store.append
        for event in events:
            append(event, numbers(event.session_id))
        if not self._paused:
            self._paint()

    def set_filter(self, text: str) -> None:
        """Show only what matches; see `log_store.parse_filter`."""
        self._filter = text.strip()
        self._store.set_filter(text)
        self._paint()

    @property
    def paused(self) -> bool:
        """The view stands still; events are collected all the same."""
        return self._paused

    @paused.setter
    def paused(self, paused: bool) -> None:
        self._paused = paused
        self._moved()

    @property
    def selected(self) -> Event | None:
        """The event that the cursor is on: the newest one while following."""
        if not self._store.count:
            return None
        return self._store[self._cursor_number()].event

    def border_text(self) -> BorderText:
        """What is seen, and how much of it: `events ─ all sessions`, `1,204 · follow`."""
        left: list[Segment] = [("events ", "foreground bold"), (f"─ {self._scope()} ", "muted")]
        if self._filter:
            left.append((f"─ filter: {safe_line(self._filter, limit=60)} ", "state-queued"))
        seen, kept = self._store.count, self._store.end - self._store.first
        count = f"{seen:,} of {kept:,}" if self._filter else f"{self._store.end:,}"
        return BorderText(left, [(f" {count} · {self._mode()} ", "muted")])

    def _mode(self) -> str:
        if self._paused:
            return "paused"
        if self.following:
            return "follow"
        return f"{self._store.below(self._top, self.size.height):,} below"

    def _scope(self) -> str:
        words = [word for word in self._filter.split() if word.startswith("session:")]
        return words[0].replace(":", " ") if words else "all sessions"

    def scroll_rows(self, delta: int) -> None:
        """Move the view; reaching the newest event follows again."""
        last = self._store.last_top(self.size.height)
        top = last if self.following else self._top
        self._hold_at(min(self._store.shift(top, delta), last))

    def page_up(self) -> None:
        self.scroll_rows(min(_PAGE_OVERLAP - self.size.height, -1))

    def page_down(self) -> None:
        self.scroll_rows(max(self.size.height - _PAGE_OVERLAP, 1))

    def scroll_home(self, *_args: object, **_options: object) -> None:
        """Show the oldest event."""
        self._hold_at(self._store.first)

    def follow(self) -> None:
        """Show the newest event, and stay with it."""
        self.following = True
        self._moved()

    def _hold_at(self, top: int) -> None:
        """Stand still with an entry on top, unless the newest is seen from there."""
        cursor = self._cursor_number()
        self.following = top >= self._store.last_top(self.size.height)
        self._top = top
        seen = self._store.window(top, self.size.height)
        if seen:
            self._cursor = min(max(cursor, seen[0]), seen[-1])
        self._moved()

    def action_move_cursor(self, delta: int) -> None:
        """Choose the event before or after."""
        if not self._store.count:
            return
        cursor = self._store.shift(self._cursor_number(), delta)
        if self.following:
            self._top = self._store.last_top(self.size.height)
        self._cursor = cursor
        self.following = cursor == self._store.shift(self._store.end, 0)
        self._show_cursor()
        self._moved()

    def action_open(self) -> None:
        """Ask for the chosen event to be shown whole."""
        if (event := self.selected) is not None:
            self.post_message(self.Opened(event))

    def _cursor_number(self) -> int:
        store = self._store
        return store.shift(store.end if self.following else self._cursor, 0)

    def _show_cursor(self) -> None:
        """Move the view as little as it takes to have the cursor in it."""
        height = max(self.size.height, 1)
        if self._cursor < self._top:
            self._top = self._cursor
        else:
            self._top = max(self._top, self._store.shift(self._cursor, 1 - height))

    def on_resize(self) -> None:
        """Rows have another width, and there is room for more or fewer."""
        self._paint()

    def on_focus(self) -> None:
        """The cursor is seen only where keys move it."""
        self._paint()

    def on_blur(self) -> None:
        self._paint()

    def _moved(self) -> None:
        self._paint()
        self.post_message(self.PositionChanged())

    def _paint(self) -> None:
        width, height = self.size
        if not width:
            return
        if self.following:
            self._top = self._store.last_top(height)
        cursor = self._cursor_number() if self.has_focus or not self.following else None
        self.show_rows(
            [
                log_row(self._store[number], width, chosen=number == cursor)
                for number in self._store.window(self._top, height)
            ]
        )


def log_row(entry: Entry, width: int, *, chosen: bool = False) -> Row:
    """`▸12:31:02.113   1  ✓ on_llm_start          openai      prompt="Write me…"`."""
    description = describe(entry.event.body)
    sign, role = _SIGNS[description.severity]
    number = "" if entry.pane is None else str(entry.pane)
    spans = [
        Span("▸" if chosen else " ", "foreground"),
        Span(_clock_time(entry.event.time), "log-time"),
        Span(f"  {number:>2}  ", "foreground"),
        Span(f"{sign} ", role),
        Span(f"{entry.name:<{_NAME_CELLS}}  ", "log-event"),
    ]
    if width >= _ENDPOINT_FROM_WIDTH:
        spans.append(Span(_column(entry.source.endpoint, _ENDPOINT_CELLS) + "  ", "muted"))
    room = width - cell_len("".join(span.text for span in spans))
    words = drawable(safe_line(payload(entry.event.body), limit=max(room, 0) + 1))
    payload_role = role if description.severity in {"warning", "error"} else "foreground"
    spans.append(Span(shorten(words, room), payload_role))
    if not chosen:
        return Row(tuple(spans))
    lit = tuple(Span(text, f"{role} on-panel bold") for text, role in spans)
    return Row(lit, fill="on-panel")


def _clock_time(seconds: float) -> str:
    local = time.localtime(seconds)
    return f"{time.strftime('%H:%M:%S', local)}.{int(seconds % 1 * 1000):03d}"


def _column(text: str, cells: int) -> str:
    short = shorten(safe_line(text, limit=cells), cells)
    return short + " " * (cells - cell_len(short))
