"""What is published, on its way to the thread that writes: taken in a moment, in few bytes."""

import logging
from collections.abc import Callable, Iterator, Sequence
from threading import Lock
from typing import Any, NamedTuple, cast

from msgspec.structs import astuple

from streamtui.engine.journal.codec import NO_CLOCK, Clock
from streamtui.engine.merge import join_chunks
from streamtui.events import Chunk, Event, TextDelta

MERGE_AFTER = 50_000
"""Events that wait for the writer from which on the chunks of a run lose their separate moments."""
MAX_BYTES = 64 * 1024 * 1024
"""About how much text may wait for it."""
_VALUES_OF_ONE, _CONTENT = 4, 3

logger = logging.getLogger(__name__)

_Taken = str | Chunk | Event
"""The text of a chunk that adds one piece of text, as nearly all do; another chunk; a whole event
of another kind."""
Arrival = tuple[str, int, float, Any]
"""Of an event: its run's id, `seq`, monotonic seconds and content."""


class Arrivals(NamedTuple):
    """What came between two looks.

    All of it in one list: objects that live until the next look, one for each event, would cost
    more than everything else that is done with them.
    """

    values: list[Any]
    whole: list[int]
    """The places in it where a whole event stands in the place of its content: what is no chunk."""
    clock: Clock = NO_CLOCK
    lost: int = 0
    """Bytes of text for which there was no room."""

    def rows(self) -> Iterator[Arrival]:
        """Event by event."""
        values = iter(self.values)
        return cast("Iterator[Arrival]", zip(values, values, values, values, strict=True))

    def size(self) -> int:
        """About how many bytes of text they are."""
        return sum(_weight(content) for *_, content in self.rows())


class Intake:
    """A listener of the bus; `wake` is called for the first event after a `drain`.

    Chunks are taken without a lock, which would cost as much as all the rest: one thread publishes,
    and what Python does to a list in one step, no other thread sees half done.
    """

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._lock = Lock()
        """For all that is done in several steps."""
        self._values: list[Any] = []
        """Always the same list."""
        self._whole: list[int] = []
        self._limit = MERGE_AFTER * _VALUES_OF_ONE
        self._lost = 0
        self._first: Event | None = None
        """About the first of what waits."""
        self._first_ever: Event | None = None

    def offer(self, event: Event) -> None:
        """Take an event. Never raises, and waits for no more than another thread's `drain`."""
        try:
            values, body = self._values, event.body
            if not values:
                self._first = event
            if type(body) is Chunk:
                delta = body.deltas[0] if len(body.deltas) == 1 else None
                content = delta.text if type(delta) is TextDelta else body
                values += (event.run_id, event.seq, event.mono, content)
            else:
                with self._lock:
                    self._whole.append(len(values) + _CONTENT)
                    values += (event.run_id, event.seq, event.mono, event)
            if not _VALUES_OF_ONE < len(values) <= self._limit:
                self._look_up(values)
        except Exception:
            logger.exception("the journal could not take an event")

    def drain(self) -> Arrivals:
        """All that came since the last look."""
        with self._lock:
            values = self._values[:]
            first = self._first
            # Meanwhile chunks may have come to its end, which woke nobody.
            del self._values[: len(values)]
            is_more = bool(self._values)
            whole, self._whole = self._whole, []
            lost, self._lost = self._lost, 0
            self._limit = MERGE_AFTER * _VALUES_OF_ONE
        if is_more:
            self._wake()
        if first is None:
            return Arrivals(values, whole, lost=lost)
        start = self._first_ever = self._first_ever or first
        clock = Clock(start.mono, first.time - first.mono, start.seq)
        return Arrivals(values, whole, clock, lost)

    def _look_up(self, values: list[Any]) -> None:
        if len(values) <= _VALUES_OF_ONE:
            self._wake()
            return
        with self._lock:
            if len(values) > self._limit:
                self._merge()

    def _merge(self) -> None:
        """Fewer values that say the same; where there is far too much, what came last is lost."""
        size = 0
        rows: list[tuple[str, int, float, list[_Taken]]] = []
        piles: dict[str, list[_Taken]] = {}
        for run_id, seq, mono, content in Arrivals(self._values, self._whole).rows():
            weight = _weight(content)
            if size + weight > MAX_BYTES:
                self._lost += weight
                continue
            size += weight
            if isinstance(content, Event):
                piles.pop(run_id, None)
                rows.append((run_id, seq, mono, [content]))
            elif run_id in piles:
                piles[run_id].append(content)
            else:
                pile = piles[run_id] = [content]
                rows.append((run_id, seq, mono, pile))
        self._values[:] = [part for *stamp, pile in rows for part in (*stamp, _joined(pile))]
        self._whole = [
            number * _VALUES_OF_ONE + _CONTENT
            for number, (*_, pile) in enumerate(rows)
            if isinstance(pile[0], Event)
        ]
        self._limit = len(self._values) + MERGE_AFTER * _VALUES_OF_ONE


def _weight(content: Any) -> int:
    """About how many bytes of an answer it holds; other events are few."""
    if isinstance(content, str):
        return len(content)
    deltas = content.deltas if isinstance(content, Chunk) else ()
    return sum(len(part) for d in deltas for part in astuple(d) if isinstance(part, str))


def _joined(pile: Sequence[_Taken]) -> _Taken:
    if len(pile) == 1:
        return pile[0]
    if all(isinstance(content, str) for content in pile):
        return "".join(cast("Sequence[str]", pile))
    return join_chunks([_chunk(content) for content in pile if not isinstance(content, Event)])


def _chunk(content: str | Chunk) -> Chunk:
    return Chunk((TextDelta(content),)) if isinstance(content, str) else content
