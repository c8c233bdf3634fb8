"""The three doors of an engine in another process, as a console sees them.

Two threads of its own talk to the socket, so that a console that stands still holds up nobody, and
an engine that stands still does not hold up the console.
"""

import asyncio
import itertools
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from sys import intern

from msgspec.structs import force_setattr

from streamtui import __version__
from streamtui.engine.doors import Command, Doors, Query, Subscription, engine_ended
from streamtui.engine.host import wire
from streamtui.engine.reports import Answer, Unanswered
from streamtui.errors import RunError
from streamtui.events import Event

MOST_WAITING = 4_096
"""Events that wait for a console that stands still; more are left to the engine, which merges."""
LEAVE_SECONDS = 2.0

logger = logging.getLogger(__name__)


class EngineMismatchError(RunError):
    """The engine that runs is of another version of streamtui; `live` sessions stream in it."""

    def __init__(self, welcome: wire.Welcome) -> None:
        super().__init__(
            f"the engine that runs is streamtui {welcome.version}, this is {__version__}",
            kind="usage",
            hint="Attach with that version, or end it: streamtui sessions stop",
        )
        self.live = welcome.live


class Link:
    """One connection to an engine: messages in both directions, blocking."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._received = connection.makefile("rb")

    @classmethod
    def to(cls, path: Path) -> "Link | None":
        """A connection to whoever listens there; None where nobody does."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(str(path))
        except OSError:
            connection.close()
            return None
        return cls(connection)

    def give_up_after(self, seconds: float | None) -> None:
        """From now on whoever waits longer gets TimeoutError, an OSError; None for no limit."""
        self._connection.settimeout(seconds)

    def say(self, message: wire.FromConsole) -> None:
        """Raises OSError."""
        self._connection.sendall(wire.packed(message))

    def hear(self) -> wire.FromEngine:
        """The next message. Raises EOFError at the end, OSError, ValueError."""
        data = self._read(wire.length_of(self._read(wire.HEAD_BYTES)))
        return wire.from_engine(data)

    def greet(self) -> wire.Welcome:
        """Say who is here and hear who is there. Raises OSError, EOFError, ValueError."""
        self.say(wire.Hello(wire.PROTOCOL, __version__, os.getpid()))
        match self.hear():
            case wire.Welcome() as welcome:
                return welcome
            case _:
                raise ValueError("no engine of streamtui")

    def end(self) -> None:
        """Wake whoever waits for the other side."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Free the socket, once nobody reads from it any more."""
        self._received.close()
        self._connection.close()

    def _read(self, count: int) -> bytes:
        data = self._received.read(count)
        if len(data) < count:
            raise EOFError("the engine is gone")
        return data


def meet(path: Path, seconds: float) -> tuple[Link, wire.Welcome] | None:
    """A connection to whoever listens there, and what it says of itself; None where nobody does.

    Raises TimeoutError for one that does not answer so long.
    """
    link = Link.to(path)
    if link is None:
        return None
    try:
        link.give_up_after(seconds)
        welcome = link.greet()
        link.give_up_after(None)
    except TimeoutError:
        link.close()
        raise
    except (OSError, EOFError, ValueError):
        link.close()
        return None
    return link, welcome


class AttachedEngine(Doors):
    """An engine in another process. `on_lost` is called once, from a thread, when it is gone."""

    def __init__(self, link: Link, *, on_lost: Callable[[], None] = lambda: None) -> None:
        self._link = link
        self._on_lost = on_lost
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._asked: dict[int, Future[Answer]] = {}
        self._listening: dict[int, _Heard] = {}
        self._outgoing: SimpleQueue[wire.FromConsole | None] = SimpleQueue()
        self._gone = False
        self._leaving = False
        self._threads = [
            threading.Thread(target=work, name=name, daemon=True)
            for work, name in ((self._speak, "to the engine"), (self._hear, "from the engine"))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def is_gone(self) -> bool:
        """Whether the engine ended, or this console left it."""
        return self._gone

    def execute(self, command: Command) -> None:
        """Hand a command over; nothing comes of it once the engine is gone."""
        self._outgoing.put(wire.Execute(command))

    def subscribe(
        self,
        wake: Callable[[], object],
        *,
        session_ids: Collection[str] | None = None,
        from_start: bool = False,
    ) -> Subscription:
        """Listen from this moment on, or from the start of what is open."""
        number = next(self._numbers)
        heard = _Heard(wake, lambda: self._stop_listening(number))
        with self._lock:
            self._listening[number] = heard
        names = None if session_ids is None else tuple(session_ids)
        self._outgoing.put(wire.Listen(number, names, from_start))
        return heard

    async def ask(self, query: Query) -> Answer:
        """Find something out; Unanswered once the engine is gone."""
        number = next(self._numbers)
        answer: Future[Answer] = Future()
        with self._lock:
            if self._gone:
                return Unanswered(engine_ended())
            self._asked[number] = answer
        self._outgoing.put(wire.Ask(number, query))
        try:
            return await asyncio.wrap_future(answer)
        except asyncio.CancelledError:
            self._outgoing.put(wire.StopAsking(number))
            raise
        finally:
            with self._lock:
                self._asked.pop(number, None)

    def close(self) -> None:
        """Leave, and end what runs if nobody else is attached."""
        self.leave(keep_runs=False)

    def leave(self, *, keep_runs: bool) -> None:
        """Leave the engine; a second call does nothing."""
        if not self._leaving:
            self._leaving = True
            self._outgoing.put(wire.Leave(keep_runs))
            self._outgoing.put(None)
            for heard in list(self._listening.values()):
                heard.let_go()
        give_up = time.monotonic() + LEAVE_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, give_up - time.monotonic()))
        self._link.end()

    def _stop_listening(self, number: int) -> None:
        with self._lock:
            self._listening.pop(number, None)
        self._outgoing.put(wire.StopListening(number))

    def _speak(self) -> None:
        try:
            while (message := self._outgoing.get()) is not None:
                self._link.say(message)
        except OSError:
            pass  # whoever hears notices it too
        except (ValueError, OverflowError, TypeError):
            logger.exception("the engine cannot be told something")
            # Nothing that follows would be told either: nobody may wait for it.
            self._link.end()

    def _hear(self) -> None:
        try:
            while True:
                self._take(self._link.hear())
        except (OSError, EOFError):
            pass
        except ValueError:
            logger.exception("the engine said something that is not understood")
        self._end()

    def _take(self, message: wire.FromEngine) -> None:
        match message:
            case wire.Heard(number=number, events=events, merged=merged):
                with self._lock:
                    heard = self._listening.get(number)
                if heard is not None:
                    _share_ids(events)
                    heard.take(events, merged)
            case wire.Answered(number=number, answer=answer):
                with self._lock:
                    asked = self._asked.get(number)
                if asked is not None:
                    _settle(asked, answer)
            case _:
                pass

    def _end(self) -> None:
        with self._lock:
            self._gone = True
            asked = list(self._asked.values())
        self._outgoing.put(None)
        for answer in asked:
            _settle(answer, Unanswered(engine_ended()))
        self._link.end()
        self._threads[0].join()
        self._link.close()
        if not self._leaving:
            self._on_lost()


class _Heard:
    """Events that came over the socket and wait to be drained."""

    def __init__(self, wake: Callable[[], object], on_close: Callable[[], None]) -> None:
        self.merged = 0
        self._wake = wake
        self._on_close = on_close
        self._room = threading.Condition()
        self._waiting: list[Event] = []
        self._closed = False

    def take(self, events: tuple[Event, ...], merged: int) -> None:
        """Add events; waits while too many wait already, which the engine notices."""
        with self._room:
            self._room.wait_for(lambda: self._closed or len(self._waiting) < MOST_WAITING)
            first = not self._waiting
            self._waiting += events
            self.merged = merged
            closed = self._closed
        if first and not closed:
            self._wake()

    def drain(self) -> list[Event]:
        with self._room:
            waiting, self._waiting = self._waiting, []
            self._room.notify()
        return waiting

    def close(self) -> None:
        self.let_go()
        self._on_close()

    def let_go(self) -> None:
        """Keep nobody waiting who brings more."""
        with self._room:
            self._closed = True
            self._room.notify()


def _share_ids(events: Iterable[Event]) -> None:
    """Decoded, every event has ids of its own, which are a third of what it takes in memory."""
    for event in events:
        force_setattr(event, "session_id", intern(event.session_id))
        force_setattr(event, "run_id", intern(event.run_id))


def _settle(answer: "Future[Answer]", found: Answer) -> None:
    with suppress(InvalidStateError):
        answer.set_result(found)
