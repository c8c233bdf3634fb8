"""The latest events, and which of them pass a filter. Pure: no Textual, no clock.

Each entry has a number that grows by one and stays with it, so a view is not disturbed when the
oldest entries go. No object is made for an entry: its event is kept, and what it says of itself is
shared by all of its session.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, pairwise
from operator import attrgetter
from sys import getsizeof
from typing import NamedTuple

from msgspec import structs

from streamtui.events import (
    Body,
    Chunk,
    Delta,
    Event,
    MalformedFrame,
    ReasoningDelta,
    RefusalDelta,
    RunQueued,
    RunStarted,
    ServerEvent,
    SessionClosed,
    SessionOpened,
    TextDelta,
    ToolCallDelta,
    UnknownFrame,
)
from streamtui.ui.log_filter import Filter, Test, parse_filter
from streamtui.ui.log_words import Source, event_name

MOST_BYTES = 32 * 2**20
"""About what the events may take. One that takes more is kept while it is the newest."""

_EVENT_BYTES = 260
"""An event without any text, on a computer of 64 bits; its ids are shared by many."""
_DELTA_BYTES = 50
_TEXTS: dict[type[Delta], Callable[[Delta], str]] = {
    TextDelta: attrgetter("text"),
    ReasoningDelta: attrgetter("text"),
    RefusalDelta: attrgetter("text"),
    ToolCallDelta: attrgetter("arguments"),
    ServerEvent: attrgetter("data"),
    UnknownFrame: attrgetter("data"),
    MalformedFrame: attrgetter("data"),
}
_TELLING = frozenset((SessionOpened, SessionClosed, RunStarted))
"""After these more is known of a session, or less has to be."""


class Entry(NamedTuple):
    """An event with what is needed to show it."""

    event: Event
    source: Source

    @property
    def name(self) -> str:
        return event_name(self.event.body, self.source.dialect)


class LogStore:
    """Entries `first` to `end`, of which those that pass the filter are seen."""

    def __init__(self, capacity: int, most_bytes: int = MOST_BYTES) -> None:
        self._capacity = capacity
        self._most_bytes = most_bytes
        self._events: deque[Event] = deque()
        self._from: deque[Source] = deque()
        self._bytes: deque[int] = deque()
        self.bytes = 0
        """About what the events take."""
        self.first = 0
        """The number of the oldest entry."""
        self._filter = Filter()
        self._matches: list[int] = []
        """Numbers of the entries that pass; not kept while there is no filter."""
        self._unscanned = 0
        """Entries before this number have not been looked at since the filter changed."""
        self._sources: dict[str, Source] = {}

    @property
    def end(self) -> int:
        """The number of the next entry; so many events came in all."""
        return self.first + len(self._events)

    def __getitem__(self, number: int) -> Entry:
        place = number - self.first
        return Entry(self._events[place], self._from[place])

    def snapshot(self) -> "LogStore":
        """The same entries, which stay when they go from here; the filter can be changed there."""
        copy = LogStore(self._capacity, self._most_bytes)
        copy._events, copy._from = self._events.copy(), self._from.copy()
        copy.first = self.first
        copy._filter, copy._unscanned = self._filter, self._unscanned
        copy._matches = self._matches.copy()
        return copy

    def append(self, events: Sequence[Event], numbers: Callable[[str], int | None]) -> None:
        """Add events; `numbers` tells the pane number of a session."""
        events = told_apart(events)
        start = self.end
        sources = list(self._sources_of(events, numbers))
        weights = [bytes_of(event.body) for event in events]
        self._events.extend(events)
        self._from.extend(sources)
        self._bytes.extend(weights)
        self.bytes += sum(weights)
        if self._filter.tests:
            self._matches += self._passing(start, events, sources)
        self._forget_oldest()

    def _sources_of(
        self, events: Iterable[Event], numbers: Callable[[str], int | None]
    ) -> Iterator[Source]:
        known: dict[str, Source] = {}
        for event in events:
            source = known.get(event.session_id)
            if source is None or type(event.body) in _TELLING:
                source = self._source_of(event, numbers(event.session_id))
                known[event.session_id] = source
            yield source

    def _source_of(self, event: Event, pane: int | None) -> Source:
        match event.body:
            case RunStarted() as body:
                source = Source(pane, body.endpoint, body.dialect, body.name, body.tags)
            case SessionOpened() as body:
                source = Source(pane, body.endpoint, body.dialect)
            case SessionClosed():
                return self._sources.pop(event.session_id, Source())._replace(pane=pane)
            case _:
                source = self._sources.get(event.session_id, Source())
                if source.pane == pane:
                    return source
                source = source._replace(pane=pane)
        self._sources[event.session_id] = source
        return source

    def _forget_oldest(self) -> None:
        surplus = len(self._events) - self._capacity
        while surplus > 0 or (self.bytes > self._most_bytes and len(self._events) > 1):
            surplus -= 1
            self._events.popleft()
            self._from.popleft()
            self.bytes -= self._bytes.popleft()
            self.first += 1
        if self._matches and self._matches[0] < self.first:
            del self._matches[: bisect_left(self._matches, self.first)]

    def set_filter(self, text: str) -> None:
        """Narrow what is seen; see `parse_filter`. What is there is looked at by `scan`."""
        self._filter = parse_filter(text)
        self._matches = []
        self._unscanned = self.end if self._filter.tests else 0

    def scan(self, most: int) -> bool:
        """Look at entries that were there before the filter, the newest first, so many at most.

        Whether there are more of them.
        """
        end = self._unscanned
        start = max(end - most, self.first)
        if start >= end:
            return False
        places = start - self.first, end - self.first
        events, sources = islice(self._events, *places), islice(self._from, *places)
        self._matches[:0] = self._passing(start, events, sources)
        self._unscanned = start
        return start > self.first

    def _passing(self, start: int, events: Iterable[Event], sources: Iterable[Source]) -> list[int]:
        tests = self._filter.tests
        return [
            number
            for number, (event, source) in enumerate(zip(events, sources, strict=True), start)
            if _passes(tests, event, source)
        ]

    def is_marked(self, number: int) -> bool:
        """Whether the filter marks an entry."""
        marks = self._filter.marks
        return bool(marks) and _passes(marks, *self[number])

    @property
    def marks(self) -> bool:
        """Whether the filter marks any at all."""
        return bool(self._filter.marks)

    def marked_from(self, number: int, step: int) -> int | None:
        """The nearest entry after a number (or before it, with a step of -1) that is marked."""
        seen = self._seen()
        place = bisect_left(seen, number + 1 if step > 0 else number)
        later = seen[place:] if step > 0 else reversed(seen[:place])
        return next((each for each in later if self.is_marked(each)), None)

    @property
    def count(self) -> int:
        """How many entries are seen."""
        return len(self._seen())

    def count_from(self, number: int) -> int:
        """How many of them have this number or a later one."""
        if not self._filter.tests:
            return self.end - number
        return len(self._matches) - bisect_left(self._matches, number)

    def _seen(self) -> "range | list[int]":
        return self._matches if self._filter.tests else range(self.first, self.end)

    def window(self, top: int, height: int) -> list[int]:
        """The numbers seen from `top` on."""
        seen = self._seen()
        start = bisect_left(seen, top)
        return list(seen[start : start + height])

    def shift(self, number: int, delta: int) -> int:
        """The number seen `delta` places later; the nearest there is."""
        seen = self._seen()
        if not seen:
            return self.end
        index = bisect_left(seen, number) + delta
        return seen[min(max(index, 0), len(seen) - 1)]

    def below(self, top: int, height: int) -> int:
        """How many are seen only further down."""
        return max(self.count_from(top) - height, 0)

    def last_top(self, height: int) -> int:
        """The top of the view that shows the newest."""
        seen = self._seen()
        return seen[-height:][0] if seen else self.end


def _passes(tests: tuple[Test, ...], event: Event, source: Source) -> bool:
    for test in tests:  # noqa: SIM110 - `all` makes a generator, for each event
        if not test(event, source):
            return False
    return True


def told_apart(events: Iterable[Event]) -> list[Event]:
    """Of events in a server's own words that were merged into one chunk, each by itself."""
    apart: list[Event] = []
    for event in events:
        body = event.body
        if type(body) is Chunk and len(body.deltas) > 1:
            apart += _told_by(event, body)
        else:
            apart.append(event)
    return apart


def _told_by(event: Event, chunk: Chunk) -> list[Event]:
    deltas = chunk.deltas
    starts = [place for place, delta in enumerate(deltas) if type(delta) is ServerEvent]
    if len(starts) < 2:
        return [event]
    # What came before the first of them belongs to no event: it stays with it.
    bounds = pairwise((0, *starts[1:], len(deltas)))
    return [structs.replace(event, body=Chunk(deltas[first:end])) for first, end in bounds]


def bytes_of(body: Body) -> int:
    """About what an event with this body takes in memory."""
    if type(body) is Chunk:
        taken = _EVENT_BYTES
        for delta in body.deltas:
            text = _TEXTS.get(type(delta))
            taken += _DELTA_BYTES + (getsizeof(text(delta)) if text else 0)
        return taken
    match body:
        case RunStarted():
            texts = (body.prompt, *(message.content for message in body.messages))
            return 2 * _EVENT_BYTES + sum(map(getsizeof, texts))
        case RunQueued():
            return _EVENT_BYTES + getsizeof(body.prompt)
        case _:
            return 2 * _EVENT_BYTES
