"""The items of an answer as iterators, blocking and asynchronous, and the engine behind them.

Leaving a loop over an answer ends its run and closes its connection, however it is left.
"""

import asyncio
import atexit
import os
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Generic, Protocol, Self, TypeVar

from msgspec import Struct

from streamtui.config import Endpoint
from streamtui.demo import start_demo
from streamtui.engine.doors import Doors, OpenSession, RunContext, Subscription
from streamtui.errors import RunError, TransportError, error_from_info
from streamtui.events import (
    RUN_ENDS,
    Body,
    Chunk,
    Event,
    Message,
    RunCompleted,
    RunCutOff,
    RunFailed,
    RunStarted,
    SessionClosed,
)
from streamtui.ids import new_id
from streamtui.langchain import text_pieces

T = TypeVar("T")


class Question(Struct, frozen=True):
    endpoint: Endpoint
    earlier: tuple[Message, ...]
    text: str
    context: RunContext = RunContext()


class Call:
    """A session that answers one question."""

    def __init__(self, doors: Doors, question: Question) -> None:
        self.endpoint = question.endpoint.name
        self._doors = doors
        self._question = question
        self._session_id = new_id()
        self._subscription: Subscription | None = None
        self._open = False

    def start(self, wake: Callable[[], None]) -> None:
        """Ask. `wake` is called from another thread when there is something to drain."""
        _sweep()
        self._open = True
        asked = self._question
        # Before anything is asked, so that no event is missed.
        self._subscription = self._doors.subscribe(wake, session_ids=(self._session_id,))
        self._doors.execute(OpenSession(self._session_id, asked.endpoint, asked.earlier))
        self._doors.send(self._session_id, asked.text, asked.context)

    def drain(self) -> list[Event]:
        return [] if self._subscription is None else self._subscription.drain()

    def close(self) -> None:
        """End the run and its connection, if they have not ended."""
        self._end()
        if self._subscription is not None:
            self._subscription.close()

    def abandon(self) -> None:
        """`close`, for a finaliser: it may interrupt its own thread inside a lock of the bus."""
        if self._open:
            self._end()
            _ABANDONED.append(self)

    def _end(self) -> None:
        if self._open:
            self._open = False
            self._doors.cancel(self._session_id)
            self._doors.close_session(self._session_id)


_ABANDONED: deque[Call] = deque()
"""Calls that wait to be taken off the bus, by the next call that is made."""


def _sweep() -> None:
    with suppress(IndexError):  # another thread may be faster
        while _ABANDONED:
            _ABANDONED.popleft().close()


class _Reader(Protocol[T]):
    def feed(self, event: Event) -> list[T]:
        """What an event of the run means to the caller."""


class TextReader:
    def __init__(self) -> None:
        self._run: RunStarted | None = None

    def feed(self, event: Event) -> list[str]:
        match event.body:
            case RunStarted() as run:
                self._run = run
                return []
            case Chunk() as chunk if self._run is not None:
                return text_pieces(self._run, chunk)
            case _:
                return []


class _Answer(Generic[T]):
    """What has come of a call, and how it ended. The call is made at the first step.

    Each loop over an answer holds a `_Loop` or `_AsyncLoop` of its own. Python drops it when the
    loop is left, whoever keeps the answer: that is how leaving a loop ends the run.
    """

    def __init__(
        self,
        make_call: Callable[[], Call],
        make_reader: Callable[[], _Reader[T]],
    ) -> None:
        self._make_call = make_call
        self._make_reader = make_reader
        self._call: Call | None = None
        self._reader: _Reader[T] | None = None
        self._items: deque[T] = deque()
        self._ended = False
        self._error: RunError | None = None

    def close(self) -> None:
        """End the run and its connection, if they have not ended; nothing more comes."""
        self._forget()
        if self._call is not None:
            self._call.close()

    def abandon(self) -> None:
        """`close`, for finalisers."""
        self._forget()
        if self._call is not None:
            self._call.abandon()

    def __del__(self) -> None:
        if self._call is not None:
            self._call.abandon()

    def _forget(self) -> None:
        self._items.clear()
        self._ended = True
        self._error = None

    def _begin(self, wake: Callable[[], None]) -> None:
        self._reader = self._make_reader()
        self._call = self._make_call()
        self._call.start(wake)

    def _is_waiting(self) -> bool:
        return not self._items and not self._ended

    def _take(self) -> None:
        """Read what has come, up to the end of the run."""
        if self._call is None or self._reader is None:
            return
        for event in self._call.drain():
            self._items.extend(self._reader.feed(event))
            if isinstance(event.body, (*RUN_ENDS, SessionClosed)):
                self._ended = True
                self._error = _error_of(event.body, self._call.endpoint)
                self._call.close()
                return

    def _next(self, at_end: type[Exception]) -> T:
        if self._items:
            return self._items.popleft()
        error, self._error = self._error, None
        raise error or at_end


def _error_of(end: Body, endpoint: str) -> RunError | None:
    match end:
        case RunFailed() | RunCutOff():
            return error_from_info(end.error, endpoint=endpoint, attempt=end.metrics.attempts)
        case RunCompleted():
            return None
        case _:
            return TransportError("the run was cancelled before its end", kind="connection-lost")


class TextStream(_Answer[str]):
    """The pieces of an answer, for `for`; a context manager too."""

    _news: threading.Event

    def __iter__(self) -> Iterator[str]:
        return _Loop(self)

    def __next__(self) -> str:
        try:
            while self._is_waiting():
                self._wait()
        except BaseException:  # Ctrl+C too ends the run
            self.close()
            raise
        return self._next(StopIteration)

    def _wait(self) -> None:
        if self._call is None:
            self._news = threading.Event()
            # The bus must not keep this object alive, so it gets a method of another one.
            self._begin(self._news.set)
        self._news.wait()
        self._news.clear()
        self._take()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class _Loop(Iterator[str]):
    def __init__(self, answer: TextStream) -> None:
        self._answer = answer

    def __next__(self) -> str:
        return next(self._answer)

    def __del__(self) -> None:
        self._answer.abandon()


class AsyncStream(_Answer[T]):
    """The items of an answer, for `async for`; an asynchronous context manager too.

    It belongs to the event loop in which its first step was made.
    """

    _news: "_News"

    def __aiter__(self) -> AsyncIterator[T]:
        return _AsyncLoop(self)

    async def __anext__(self) -> T:
        try:
            while self._is_waiting():
                await self._wait()
        except BaseException:  # a cancelled task too ends the run
            self.close()
            raise
        return self._next(StopAsyncIteration)

    async def _wait(self) -> None:
        if self._call is None:
            self._news = _News()
            self._begin(self._news.announce)
        await self._news.wait()
        self._take()

    async def aclose(self) -> None:
        """End the run and its connection, if they have not ended; nothing more comes."""
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.close()


class _AsyncLoop(AsyncIterator[T]):
    def __init__(self, answer: AsyncStream[T]) -> None:
        self._answer = answer

    async def __anext__(self) -> T:
        return await anext(self._answer)

    def __del__(self) -> None:
        self._answer.abandon()


class _News:
    """Tells a coroutine of this event loop what another thread announces."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()

    def announce(self) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._news.set)

    async def wait(self) -> None:
        await self._news.wait()
        self._news.clear()


class _SharedEngine:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._doors: Doors | None = None

    def doors(self) -> Doors:
        """The engine, started if it does not run yet."""
        with self._lock:
            if self._doors is None:
                from streamtui.engine.host import EngineThread

                self._doors = EngineThread(start_demo)
            return self._doors

    def close(self) -> None:
        with self._lock:
            if self._doors is not None:
                self._doors.close()

    def forget(self) -> None:
        """Threads do not survive a fork: the child starts an engine of its own."""
        self._lock = threading.Lock()
        self._doors = None


SHARED_ENGINE = _SharedEngine()
atexit.register(SHARED_ENGINE.close)
os.register_at_fork(after_in_child=SHARED_ENGINE.forget)
