"""All events of all sessions as rows: the latest ones, filtered, searched, paused, opened.

Appending costs next to nothing: an event becomes words only when its row is seen.
"""

import time
from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.message import Message

from streamtui.event_words import Severity
from streamtui.events import Event
from streamtui.safe_text import safe_line
from streamtui.ui.border_text import BorderText
from streamtui.ui.lines import LineView
from streamtui.ui.log_store import Entry, LogStore
from streamtui.ui.log_words import payload, severity
from streamtui.ui.rows import Row, Span, drawable
from streamtui.ui.words import Words, padded, shorten

CAPACITY = 20_000
SCANNED_AT_ONCE = 2_000
"""Entries that a changed filter looks at before keys have their turn; a few milliseconds."""
_NAME_CELLS = 20
_ENDPOINT_CELLS = 10
_ENDPOINT_FROM_WIDTH = 64
"""Narrower logs show no endpoint: the pane's number says as much."""

_MARK = "◆"
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
        Binding("n", "go_to_marked(1)", "Next marked event", show=False),
        Binding("N", "go_to_marked(-1)", "Marked event before", show=False),
    ]

    class Opened(Message):
        """The user wants to see an event whole."""

        def __init__(self, event: Event) -> None:
            super().__init__()
            self.event = event

    class PositionChanged(Message):
        """The user moved, paused or went on, or a filter is through: `border_text` says something
        else."""

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
        self._live = LogStore(capacity)
        self._held: LogStore | None = None
        """What there was when the view last stopped: it is read on when the ring has moved on."""
        self._filter = ""
        self._scanning = False
        self._top = 0
        self._cursor = 0
        """The number of the chosen entry, once the view has left the newest."""
        self._worded: dict[int, Row] = {}
        """The rows in view by number, while nothing about them changes."""
        self._worded_width = 0

    @property
    def _store(self) -> LogStore:
        """What is read: never moves away under whoever reads it."""
        held = self._held
        is_lost = not self.following and self._live.first > self._top
        return self._live if held is None or not (self._paused or is_lost) else held

    def append(self, events: Sequence[Event], numbers: Callable[[str], int | None]) -> None:
        """Add events; `numbers` tells the pane number of a session."""
        self._live.append(events, numbers)
        if not self._paused:
            self._paint()

    def set_filter(self, text: str) -> None:
        """Show only what matches; see `log_filter.parse_filter`.

        Of what is there the newest are looked at first, and the others between keys.
        """
        self._filter = text.strip()
        for store in self._stores():
            store.set_filter(text)
        self._worded.clear()
        if not self._scanning:
            self._scan()

    def _stores(self) -> list[LogStore]:
        return [self._live] if self._held is None else [self._held, self._live]

    def _scan(self) -> None:
        """A part of what the filter has not looked at; comes back until nothing is left."""
        more = [store.scan(SCANNED_AT_ONCE) for store in self._stores()]
        self._scanning = any(more)
        if self._scanning:
            self.call_later(self._scan)
        self._moved()

    @property
    def paused(self) -> bool:
        """The view stands still; events are collected all the same."""
        return self._paused

    @paused.setter
    def paused(self, paused: bool) -> None:
        if paused and not self._paused:
            self._hold()
        self._paused = paused
        self._moved()

    def _hold(self) -> None:
        """Have what is read now stay, whatever comes."""
        if self._store is self._live:
            self._held = self._live.snapshot()

    @property
    def selected(self) -> Event | None:
        """The event that the cursor is on: the newest one while following."""
        if not self._store.count:
            return None
        return self._store[self._cursor_number()].event

    def border_text(self) -> BorderText:
        """What is seen, and how much of it: `events ─ all sessions`, `1,204 · follow`."""
        left: Words = [("events ", "foreground bold"), (f"─ {self._scope()} ", "muted")]
        if self._filter:
            left.append((f"─ filter: {safe_line(self._filter, limit=60)} ", "state-queued"))
        seen, kept = self._live.count, self._live.end - self._live.first
        count = f"{seen:,} of {kept:,}" if self._filter else f"{self._live.end:,}"
        return BorderText(left, [(f" {count} · {self._mode()} ", "muted")])

    def _mode(self) -> str:
        new = self._live.count_from(self._held.end) if self._held else 0
        if self._paused:
            return f"paused · {new:,} new" if new else "paused"
        if self.following:
            return "follow"
        store = self._store
        below = store.below(self._top, self.size.height)
        return f"{below + (new if store is self._held else 0):,} below"

    def _scope(self) -> str:
        words = [word for word in self._filter.split() if word.startswith("session:")]
        return words[0].replace(":", " ") if words else "all sessions"

    def scroll_rows(self, delta: int) -> None:
        """Move the view; reaching the newest event follows again."""
        last = self._store.last_top(self.size.height)
        top = last if self.following else self._top
        self._hold_at(min(self._store.shift(top, delta), last))

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
        self._hold()
        self.following = top >= self._store.last_top(self.size.height)
        self._top = top
        seen = self._store.window(top, self.size.height)
        if seen:
            self._cursor = min(max(cursor, seen[0]), seen[-1])
        self._moved()

    def action_move_cursor(self, delta: int) -> None:
        """Choose the event before or after."""
        if self._store.count:
            self._choose(self._store.shift(self._cursor_number(), delta))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys of a search are others' while nothing is searched for."""
        if action == "go_to_marked":
            return self._live.marks
        return super().check_action(action, parameters)

    def action_go_to_marked(self, step: int) -> None:
        """Choose the next event that the filter marks, or the one before."""
        number = self._store.marked_from(self._cursor_number(), step)
        if number is not None:
            self._choose(number)

    def _choose(self, number: int) -> None:
        store = self._store
        if self.following:
            self._top = store.last_top(self.size.height)
        self._hold()
        self._cursor = number
        self.following = number == store.shift(store.end, 0)
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

    def on_show(self) -> None:
        """What came meanwhile was not drawn."""
        self._paint()

    def on_focus(self) -> None:
        """The cursor is seen only where keys move it."""
        self._paint()

    def on_blur(self) -> None:
        self._paint()

    def _moved(self) -> None:
        if self.following and not self._paused:
            self._held = None
        self._paint()
        self.post_message(self.PositionChanged())

    def _paint(self) -> None:
        width, height = self.size
        if not width or not self.is_on_screen:
            return
        store = self._store
        last = store.last_top(height)
        # What a filter leaves may all be further up.
        self._top = last if self.following else min(self._top, last)
        cursor = self._cursor_number() if self.has_focus or not self.following else None
        before = self._worded if self._worded_width == width else {}
        self._worded_width = width
        self._worded = {
            number: before.get(number) or self._row(store, number, width)
            for number in store.window(self._top, height)
        }
        self.show_rows(
            [chosen_row(row) if number == cursor else row for number, row in self._worded.items()]
        )

    def _row(self, store: LogStore, number: int, width: int) -> Row:
        return log_row(store[number], width, marked=store.is_marked(number))


def log_row(entry: Entry, width: int, *, marked: bool = False) -> Row:
    """` 12:31:02.113   1  ✓ on_llm_start          openai      prompt="Write me…"`."""
    grade = severity(entry.event.body)
    sign, role = _SIGNS[grade]
    pane = entry.source.pane
    number = "" if pane is None else str(pane)
    spans = [
        Span(_MARK, "target-marked") if marked else Span(" ", "foreground"),
        Span(_clock_time(entry.event.time), "log-time"),
        Span(f"  {number:>2}  ", "foreground"),
        Span(f"{sign} ", role),
        Span(f"{entry.name:<{_NAME_CELLS}}  ", "target-marked bold" if marked else "log-event"),
    ]
    if width >= _ENDPOINT_FROM_WIDTH:
        endpoint = safe_line(entry.source.endpoint, limit=_ENDPOINT_CELLS)
        spans.append(Span(f"{padded(endpoint, _ENDPOINT_CELLS)}  ", "muted"))
    room = width - cell_len("".join(span.text for span in spans))
    words = drawable(safe_line(payload(entry.event.body), limit=max(room, 0) + 1))
    payload_role = role if grade in {"warning", "error"} else "foreground"
    spans.append(Span(shorten(words, room), payload_role))
    return Row(tuple(spans))


def chosen_row(row: Row) -> Row:
    """The same row under the cursor."""
    spans = (Span("▸", "foreground"), *row.spans[1:])
    lit = tuple(Span(text, f"{role} on-panel bold") for text, role in spans)
    return Row(lit, fill="on-panel")


def _clock_time(seconds: float) -> str:
    local = time.localtime(seconds)
    return f"{time.strftime('%H:%M:%S', local)}.{int(seconds % 1 * 1000):03d}"
