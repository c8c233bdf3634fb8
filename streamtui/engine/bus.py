"""One publish, many bounded subscribers. Stamps events; knows nothing of sessions or screens.

Two promises: a slow subscriber gets the chunks of one run merged, never lost; all other events
arrive one by one. The order within a run is kept.
"""

import logging
from collections.abc import Callable, Collection
from threading import Lock
from typing import Protocol

from streamtui.engine.merge import Pile
from streamtui.events import Body, Chunk, Event, KeepAliveReceived

MERGE_AFTER = 512
"""Events that wait for a subscriber before the chunks of a run are merged."""

logger = logging.getLogger(__name__)


class Listener(Protocol):
    """Whoever hears every event, in the thread that publishes it."""

    def offer(self, event: Event) -> None:
        """Take an event; never waits and never raises."""


class Bus:
    """Hands each event to all subscribers. `publish` is called from one thread only."""

    def __init__(
        self,
        wall_clock: Callable[[], float],
        mono_clock: Callable[[], float],
        *,
        first_seq: int = 1,
        note: Callable[[Event], object] | None = None,
    ) -> None:
        """`note` is given every event before all subscribers, in the thread that publishes."""
        self._wall_clock = wall_clock
        self._mono_clock = mono_clock
        self._seq = first_seq - 1
        self._note = note
        self._subscribers: tuple[Listener, ...] = ()
        self._lock = Lock()

    def publish(self, session_id: str, run_id: str, body: Body) -> Event:
        """Stamp a fact and pass it on."""
        self._seq += 1
        event = Event(self._seq, self._wall_clock(), self._mono_clock(), session_id, run_id, body)
        if self._note is not None:
            self._note(event)
        for listener in self._subscribers:
            listener.offer(event)
        return event

    def subscribe(
        self,
        wake: Callable[[], object],
        session_ids: Collection[str] | None = None,
        merge_after: int = MERGE_AFTER,
    ) -> "Subscriber":
        """A new subscriber; callable from any thread."""
        subscriber = Subscriber(wake, session_ids, merge_after, self.detach)
        self.attach(subscriber)
        return subscriber

    def attach(self, listener: Listener) -> None:
        """Let somebody hear all that is published from now on; callable from any thread."""
        with self._lock:
            self._subscribers = (*self._subscribers, listener)

    def detach(self, listener: Listener) -> None:
        """Let it hear no more."""
        with self._lock:
            self._subscribers = tuple(other for other in self._subscribers if other is not listener)


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
        self._waiting: list[Event | Pile] = []
        self._last_of_run: dict[str, int] | None = None
        """Where the last event of each run stands; None while nothing is merged."""

    def offer(self, event: Event) -> None:
        """Take an event, waking the listener if it had nothing to read."""
        if self._session_ids is not None and event.session_id not in self._session_ids:
            return
        with self._lock:
            before = len(self._waiting)
            if before < self._merge_after or not self._merge(event):
                self._waiting.append(event)
        if not before:
            self._wake_listener()

    def drain(self) -> list[Event]:
        """All events that wait, in order."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
            self._last_of_run = None
        return [item.event() if isinstance(item, Pile) else item for item in waiting]

    def close(self) -> None:
        """Stop listening."""
        self._on_close(self)

    def _merge(self, event: Event) -> bool:
        """Whether the last event of the same run could take this one in."""
        if self._last_of_run is None:
            self._last_of_run = {item.run_id: place for place, item in enumerate(self._waiting)}
        place = self._last_of_run.get(event.run_id)
        if place is None or not self._absorb(place, event):
            self._last_of_run[event.run_id] = len(self._waiting)
            return False
        self.merged += 1
        return True

    def _absorb(self, place: int, event: Event) -> bool:
        last = self._waiting[place]
        match last, event.body:
            case Pile(), Chunk() as chunk:
                last.add(chunk)
            case Event(body=Chunk() as first), Chunk() as chunk:
                pile = self._waiting[place] = Pile(last, first)
                pile.add(chunk)
            case Event(body=KeepAliveReceived()), KeepAliveReceived():
                self._waiting[place] = event
            case _:
                return False
        return True

    def _wake_listener(self) -> None:
        try:
            self._wake()
        except Exception:
            # One listener that is gone must not cost the others an event.
            logger.exception("a subscriber could not be woken")
