"""One publish, many bounded subscribers. Stamps events; knows nothing of sessions or screens.

Two promises: a slow subscriber gets the chunks of one run merged, never lost; all other events
arrive one by one. The order within a run is kept.
"""

import logging
from collections.abc import Callable, Collection
from threading import Lock

from streamtui.engine.merge import ChunkPile
from streamtui.events import Body, Chunk, Event, KeepAliveReceived

MERGE_AFTER = 512
"""Events that wait for a subscriber before the chunks of a run are merged."""

logger = logging.getLogger(__name__)


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
    """An event that waits; a chunk takes in those of its run that follow it."""

    __slots__ = ("_pile", "stamp")

    def __init__(self, event: Event) -> None:
        self.stamp = event
        self._pile: ChunkPile | None = None

    def absorb(self, event: Event) -> bool:
        """Whether the next event of the same run could be taken in."""
        match self.stamp.body, event.body:
            case Chunk() as first, Chunk() as chunk:
                self._pile = self._pile or ChunkPile(first)
                self._pile.add(chunk)
            case KeepAliveReceived(), KeepAliveReceived():
                self.stamp = event
            case _:
                return False
        return True

    def event(self) -> Event:
        if self._pile is None:
            return self.stamp
        seq, time, mono = self.stamp.seq, self.stamp.time, self.stamp.mono
        session_id, run_id = self.stamp.session_id, self.stamp.run_id
        return Event(seq, time, mono, session_id, run_id, self._pile.joined())


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
            self._wake_listener()

    def drain(self) -> list[Event]:
        """All events that wait, in order."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
            self._last_of_run.clear()
        return [item.event() for item in waiting]

    def close(self) -> None:
        """Stop listening."""
        self._on_close(self)

    def _merge(self, event: Event) -> bool:
        if len(self._waiting) < self._merge_after:
            return False
        last = self._last_of_run.get(event.run_id)
        if last is None or not last.absorb(event):
            return False
        self.merged += 1
        return True

    def _wake_listener(self) -> None:
        try:
            self._wake()
        except Exception:
            # One listener that is gone must not cost the others an event.
            logger.exception("a subscriber could not be woken")
