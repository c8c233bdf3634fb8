"""A run that is over, played again: its events, in order, with the pauses in which they came."""

import logging
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from msgspec.structs import replace

from streamtui.config import Endpoint
from streamtui.engine.bus import Subscriber
from streamtui.engine.doors import (
    Cancel,
    CancelAll,
    CloseSession,
    Command,
    Doors,
    OpenSession,
    Query,
    RunContext,
    Send,
    Subscription,
)
from streamtui.engine.reports import Answer, Unanswered
from streamtui.errors import RunError
from streamtui.events import (
    Chunk,
    Event,
    Message,
    Metrics,
    RefusalDelta,
    RunCancelled,
    RunFailed,
    RunQueued,
    TextDelta,
)

CLOSE_SECONDS = 2.0

logger = logging.getLogger(__name__)


class Step(NamedTuple):
    """One event of a run."""

    pause: float
    """Seconds since the one before."""
    event: Event
    text: str
    """What it adds to the answer."""


def steps_of(events: Iterable[Event]) -> Iterator[Step]:
    """The steps of one run. Neither a wait in a queue nor a clock that was set back is a pause."""
    before: float | None = None
    for event in events:
        pause = 0.0 if before is None else max(0.0, event.mono - before)
        before = None if isinstance(event.body, RunQueued) else event.mono
        yield Step(pause, event, text_of(event))


def text_of(event: Event) -> str:
    """What an event adds to the answer."""
    if not isinstance(event.body, Chunk):
        return ""
    texts = (d.text for d in event.body.deltas if isinstance(d, TextDelta | RefusalDelta))
    return "".join(texts)


class Pacer(Protocol):
    """Decides when the next step comes."""

    def wait_for(self, step: Step) -> bool:
        """Return when it is due; whether the play goes on at all."""

    def end(self) -> None:
        """Let nobody wait any more; callable from any thread."""


class Clockwork:
    """Steps as they came, `speed` times as fast; 0 is at once. Delays do not add up."""

    def __init__(self, speed: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._speed = speed
        self._clock = clock
        self._ended = threading.Event()
        self._due: float | None = None

    def wait_for(self, step: Step) -> bool:
        if not self._speed:
            return not self._ended.is_set()
        if self._due is None:
            self._due = self._clock()
        self._due += step.pause / self._speed
        left = max(0.0, self._due - self._clock())
        return not self._ended.wait(min(left, threading.TIMEOUT_MAX))

    def end(self) -> None:
        self._ended.set()


class ReplayDoors(Doors):
    """Answers whatever is asked with the events of one run, the last of which is its end.

    They come with the ids that they have; a run that is cancelled ends with what came until then.
    """

    def __init__(self, events: Sequence[Event], pacer: Pacer) -> None:
        self._events = events
        self._pacer = pacer
        self._listening: list[Subscriber] = []
        self._thread: threading.Thread | None = None

    def open_session(self, endpoint: Endpoint, messages: tuple[Message, ...] = ()) -> str:  # noqa: ARG002
        """The session that it was."""
        return self._events[0].session_id

    def send(self, session_id: str, prompt: str, context: RunContext | None = None) -> str:  # noqa: ARG002
        """Begin to play; returns the id that the run has."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._play, name="replay", daemon=True)
            self._thread.start()
        return self._events[0].run_id

    def execute(self, command: Command) -> None:
        """End; there is nothing else that can be done with what is over."""
        match command:
            case Cancel() | CancelAll() | CloseSession():
                self._pacer.end()
            case OpenSession() | Send():
                pass
            case _:
                raise NotImplementedError

    def subscribe(
        self,
        wake: Callable[[], object],
        *,
        session_ids: Collection[str] | None = None,  # noqa: ARG002 - there is one session
        from_start: bool = False,  # noqa: ARG002 - nobody comes later
    ) -> Subscription:
        """Listen; before the play begins."""
        # Nothing is merged: no more than the run has waits, and every event has its own moment.
        heard = Subscriber(wake, None, sys.maxsize, on_close=lambda _heard: None)
        self._listening.append(heard)
        return heard

    async def ask(self, query: Query) -> Answer:  # noqa: ARG002
        """Nothing can be found out."""
        return Unanswered(RunError("a replay answers no questions", kind="usage").info())

    def close(self) -> None:
        """Stop, and wait a moment for it."""
        self._pacer.end()
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)

    def _play(self) -> None:
        try:
            self._play_steps()
        except Exception:
            # Whoever waits for the end must hear of one.
            logger.exception("a replay ended through a bug")
            bug = RunError("a bug in streamtui", kind="bug", hint="Please report it")
            self._tell(replace(self._events[-1], body=RunFailed(bug.info(), Metrics())))

    def _play_steps(self) -> None:
        chars = chunks = 0
        for step in steps_of(self._events):
            if not self._pacer.wait_for(step):
                metrics = Metrics(chunks=chunks, text_chars=chars)
                self._tell(replace(step.event, body=RunCancelled(metrics)))
                return
            chars += len(step.text)
            chunks += bool(step.text)
            self._tell(step.event)

    def _tell(self, event: Event) -> None:
        for heard in self._listening:
            heard.offer(event)
