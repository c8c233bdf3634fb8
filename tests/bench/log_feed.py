"""Events at a steady rate, made when they are taken, and a real engine's events counted."""

import gc
import itertools
import time
from collections.abc import Callable
from typing import NamedTuple

from msgspec import Struct

from streamtui.engine.doors import Command, Doors, ListSessions, OpenSession, Query, Subscription
from streamtui.engine.reports import Answer, SessionList, Transcript
from streamtui.events import (
    Body,
    Chunk,
    Event,
    Message,
    RunStarted,
    ServerEvent,
    SessionOpened,
    TextDelta,
)
from tests.bench.server import token

DIALECT = "openai-completions"


class Load(Struct):
    """What a program is given, and for how long it is watched."""

    program: str
    rate: int
    """Events per second of all sessions together."""
    seconds: float
    filter: str = ""
    kind: str = "server"
    """`server`: events in a server's own words, which grow no transcript. `tokens`: an answer."""
    sessions: int = 8
    url: str = ""
    """Of a real endpoint, where there is a real engine too."""


class Batch(NamedTuple):
    """Events that were taken at once."""

    events: int
    chunks: int
    """Chunks of the wire in them."""
    due: float
    """When the first of them happened; monotonic seconds, like all here."""
    taken: float
    cpu: float
    """What the thread that takes them had used by then."""


class Garbage:
    """How long Python looks for garbage, wherever that happens to be."""

    def __init__(self) -> None:
        self.spent = 0.0
        self.longest = 0.0
        self._began = 0.0
        gc.callbacks.append(self._note)

    def _note(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.thread_time()
            return
        taken = time.thread_time() - self._began
        self.spent += taken
        self.longest = max(self.longest, taken)


class Taken:
    """What was taken and not painted yet."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.garbage = Garbage()
        self.spent = 0.0
        """CPU seconds that making events took: no cost of the program's. It keeps them alive, so
        that all garbage is its own."""

    def note(self, events: list[Event]) -> None:
        """These are taken now."""
        bodies = [event.body for event in events]
        chunks = sum(body.merged if type(body) is Chunk else 0 for body in bodies)
        batch = Batch(len(events), chunks, events[0].mono, time.monotonic(), time.thread_time())
        self.batches.append(batch)

    def note_all_of(self, subscription: Subscription) -> None:
        """From now on whatever is taken from there."""
        drain = subscription.drain

        def noted() -> list[Event]:
            events = drain()
            if events:
                self.note(events)
            return events

        subscription.drain = noted  # type: ignore[method-assign]


class Feed:
    """A subscription that makes the events that are due when it is drained, `at_once` at most."""

    merged = 0

    def __init__(
        self, load: Load, taken: Taken, wake: Callable[[], object], *, at_once: int | None = None
    ) -> None:
        self._load = load
        self._taken = taken
        self._wake = wake
        self._at_once = at_once
        self._first: list[Event] = []
        self._runs: list[tuple[str, str]] = []
        self._numbers = itertools.count(1)
        self._made = 0
        self._began: float | None = None
        self._chunk = _told if load.kind == "server" else _token

    def open(self, session_id: str) -> None:
        """Begin a session with a run in it."""
        run_id = f"run-of-{session_id}"
        opened = SessionOpened("bench", "m", DIALECT)
        started = RunStarted("go", (Message("user", "go"),), "bench", "m", DIALECT)
        self._first.append(self._event(session_id, "", opened))
        self._first.append(self._event(session_id, run_id, started))
        self._runs.append((session_id, run_id))
        self._wake()

    def begin(self) -> None:
        """From now on events are due."""
        self._began = time.monotonic()
        self._wake()

    def drain(self) -> list[Event]:
        events, self._first = self._first, []
        if self._began is None:
            return events
        cpu, garbage = time.thread_time(), self._taken.garbage.spent
        due = self._due(time.monotonic(), self._began)
        made = time.thread_time() - cpu
        self._taken.spent += made - (self._taken.garbage.spent - garbage)
        if due:
            self._taken.note(due)
        self._wake()
        return [*events, *due]

    def _due(self, now: float, began: float) -> list[Event]:
        rate, runs, chunk = self._load.rate, self._runs, self._chunk
        first, last = self._made, int((now - began) * rate)
        self._made = last = min(last, first + (self._at_once or last))
        to_epoch = time.time() - time.monotonic()
        events = []
        for number in range(first, last):
            session_id, run_id = runs[number % len(runs)]
            mono = began + number / rate
            stamp = next(self._numbers), mono + to_epoch, mono
            events.append(Event(*stamp, session_id, run_id, chunk(number)))
        return events

    def _event(self, session_id: str, run_id: str, body: Body) -> Event:
        return Event(next(self._numbers), time.time(), time.monotonic(), session_id, run_id, body)

    def close(self) -> None:
        """Nothing is kept anywhere."""


def _token(number: int) -> Chunk:
    return Chunk((TextDelta(token(number)),))


def _told(number: int) -> Chunk:
    data = (
        f'{{"chunk": {token(number)!r}, "number": {number}, "metadata": {{"ls_model_name": "m"}}}}'
    )
    return Chunk((ServerEvent("on_llm_stream", data),))


class FeedDoors(Doors):
    """An engine in the console's own loop that only tells what is due."""

    def __init__(self, load: Load, taken: Taken) -> None:
        self._load = load
        self._taken = taken
        self._feed: Feed | None = None

    def begin(self) -> None:
        """From now on events are due; somebody has to listen."""
        if self._feed is not None:
            self._feed.begin()

    def execute(self, command: Command) -> None:
        if isinstance(command, OpenSession) and self._feed is not None:
            self._feed.open(command.session_id)

    def subscribe(self, wake: Callable[[], object], **_: object) -> Subscription:
        self._feed = Feed(self._load, self._taken, wake)
        return self._feed

    async def ask(self, query: Query) -> Answer:
        return SessionList(()) if isinstance(query, ListSessions) else Transcript()

    def close(self) -> None:
        """There is nothing to end."""
