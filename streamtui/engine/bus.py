"""One publish, many bounded subscribers. Stamps events; knows nothing of sessions or screens.

Two promises: a slow subscriber gets the chunks of one run merged, never lost; all other events
arrive one by one. The order within a run is kept.
"""

from collections.abc import Callable, Collection
from itertools import groupby
from threading import Lock

from streamtui.events import (
    Body,
    Chunk,
    Delta,
    Event,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
)

MERGE_AFTER = 512
"""Events that wait for a subscriber before the chunks of a run are merged."""


class Bus:
    """Hands each event to all subscribers. `publish` is called from one thread only."""

    def __init__(self, wall_clock: Callable[[], float], mono_clock: Callable[[], float]) -> None:
        self._wall_clock = wall_clock
        self._mono_clock = mono_clock
        self._seq = 0
        self._subscribers: tuple[Subscriber, ...] = ()
        self._lock = Lock()

    def publish(self, session_id: str, run_id: str, body: Body) -> Event:
        """Stamp a fact and pass it on."""
        self._seq += 1
        event = Event(self._seq, self._wall_clock(), self._mono_clock(), session_id, run_id, body)
        for subscriber in self._subscribers:
            subscriber.offer(event)
        return event

    def subscribe(
        self,
        wake: Callable[[], object],
        session_ids: Collection[str] | None = None,
        merge_after: int = MERGE_AFTER,
    ) -> "Subscriber":
        """A new subscriber; callable from any thread."""
        subscriber = Subscriber(wake, session_ids, merge_after, self._remove)
        with self._lock:
            self._subscribers = (*self._subscribers, subscriber)
        return subscriber

    def _remove(self, subscriber: "Subscriber") -> None:
        with self._lock:
            self._subscribers = tuple(s for s in self._subscribers if s is not subscriber)


class _Waiting:
    """An event that waits, and the chunks that were merged into it."""

    __slots__ = ("event", "more")

    def __init__(self, event: Event) -> None:
        self.event = event
        self.more: list[Chunk] = []


class Subscriber:
    """What waits for one listener. `offer` and `drain` may be called from different threads."""

    def __init__(
        self,
        wake: Callable[[], object],
        session_ids: Collection[str] | None,
        merge_after: int,
        on_close: Callable[["Subscriber"], None],
    ) -> None:
        self.merged = 0
        self._wake = wake
        self._session_ids = None if session_ids is None else frozenset(session_ids)
        self._merge_after = merge_after
        self._on_close = on_close
        self._lock = Lock()
        self._waiting: list[_Waiting] = []
        self._last_of_run: dict[str, _Waiting] = {}

    def offer(self, event: Event) -> None:
        """Take an event, waking the listener if it had nothing to read."""
        if self._session_ids is not None and event.session_id not in self._session_ids:
            return
        with self._lock:
            first = not self._waiting
            if not self._merge(event):
                waiting = _Waiting(event)
                self._waiting.append(waiting)
                self._last_of_run[event.run_id] = waiting
        if first:
            self._wake()

    def drain(self) -> list[Event]:
        """All events that wait, in order."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
            self._last_of_run.clear()
        return [_merged(item) for item in waiting]

    def close(self) -> None:
        """Stop listening."""
        self._on_close(self)

    def _merge(self, event: Event) -> bool:
        if len(self._waiting) < self._merge_after or not isinstance(event.body, Chunk):
            return False
        last = self._last_of_run.get(event.run_id)
        if last is None or not isinstance(last.event.body, Chunk):
            return False
        last.more.append(event.body)
        self.merged += 1
        return True


def _merged(waiting: _Waiting) -> Event:
    event, body = waiting.event, waiting.event.body
    if not waiting.more or not isinstance(body, Chunk):
        return event
    chunks = [body, *waiting.more]
    deltas = join_deltas([delta for chunk in chunks for delta in chunk.deltas])
    merged = Chunk(deltas, sum(chunk.merged for chunk in chunks))
    return Event(event.seq, event.time, event.mono, event.session_id, event.run_id, merged)


def join_deltas(deltas: list[Delta]) -> tuple[Delta, ...]:
    """The same deltas with neighbours of one kind joined into one."""
    return tuple(
        joined for _, group in groupby(deltas, _merge_key) for joined in _join(list(group))
    )


def _merge_key(delta: Delta) -> tuple[type, int]:
    return type(delta), delta.index if isinstance(delta, ToolCallDelta) else 0


def _join(deltas: list[Delta]) -> list[Delta]:
    match deltas[0]:
        case TextDelta() | ReasoningDelta() | RefusalDelta() as first:
            text = "".join(d.text for d in deltas if isinstance(d, type(first)))
            return [type(first)(text)]
        case ToolCallDelta():
            return [_join_tool_call([d for d in deltas if isinstance(d, ToolCallDelta)])]
        case _:
            return deltas


def _join_tool_call(deltas: list[ToolCallDelta]) -> ToolCallDelta:
    return ToolCallDelta(
        deltas[0].index,
        "".join(delta.arguments for delta in deltas),
        next((delta.id for delta in deltas if delta.id), None),
        next((delta.name for delta in deltas if delta.name), None),
    )
