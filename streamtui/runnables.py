"""LangChain runnables of this process as a source of events, behind the doors of an engine.

What a runnable says is read as LangServe would send it: from its `astream_events`. Knows nothing
else of LangChain and never imports it.
"""

import asyncio
import json
import threading
import time
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import aclosing, suppress
from typing import Any, Literal, Protocol

import msgspec

from streamtui.engine.bus import Bus
from streamtui.engine.dialects import DIALECTS
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
from streamtui.engine.framing import Frame
from streamtui.engine.reports import Answer, Unanswered
from streamtui.engine.run import Run
from streamtui.engine.surrogates import SurrogateMender
from streamtui.errors import ProviderError, RunError
from streamtui.events import (
    Body,
    Chunk,
    Delta,
    Message,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunStarted,
    SessionOpened,
)
from streamtui.redact import Redactor

CLOSE_SECONDS = 2.0
"""How long `close` waits for a runnable that was cancelled."""
MAX_ERROR_CHARS = 2000
_DIALECT = "runnable"

Version = Literal["v1", "v2"]


class Runnable(Protocol):
    """As much of LangChain's class of that name as is needed."""

    def astream_events(self, value: Any, /, *, version: Version) -> AsyncGenerator[Any, None]:
        """https://reference.langchain.com/python/langchain_core/runnables/."""


class RunnableDoors(Doors):
    """Asks a runnable once, with `value`, when a prompt is sent; the prompt only stands for it.

    It runs on an event loop of its own, in a thread of its own: so all that it started can be
    cancelled with it, and what it holds up is its own.
    """

    def __init__(self, runnable: Runnable, value: object, version: Version = "v2") -> None:
        self._runnable = runnable
        self._value = value
        self._version = version
        self._bus = Bus(time.time, time.monotonic)
        self._name = ""
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._cancelled = False

    def execute(self, command: Command) -> None:
        """Ask, or end; there is nothing else that a single run needs."""
        match command:
            case OpenSession():
                self._name = command.endpoint.name
                opened = SessionOpened(self._name, "", _DIALECT)
                self._bus.publish(command.session_id, "", opened)
            case Send() if self._thread is None:
                work = threading.Thread(
                    target=self._work, args=(command,), name=self._name, daemon=True
                )
                self._thread = work
                work.start()
            case Cancel() | CancelAll() | CloseSession():
                self._cancel()
            case _:
                raise NotImplementedError

    def subscribe(
        self,
        wake: Callable[[], object],
        *,
        session_ids: Collection[str] | None = None,
        from_start: bool = False,  # noqa: ARG002 - nobody comes later to a runnable of one's own
    ) -> Subscription:
        """Listen from this moment on."""
        return self._bus.subscribe(wake, session_ids)

    async def ask(self, query: Query) -> Answer:  # noqa: ARG002
        """Nothing can be found out."""
        return Unanswered(RunError("a runnable answers no questions", kind="usage").info())

    @property
    def is_alive(self) -> bool:
        """Whether something of it still runs: code in a thread cannot be ended from outside."""
        return self._thread is not None and self._thread.is_alive()

    def close(self) -> None:
        """Cancel what runs, and wait a moment for it."""
        self._cancel()
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)

    def _cancel(self) -> None:
        with self._lock:
            self._cancelled = True
            if self._loop is not None:
                with suppress(RuntimeError):  # the loop has just ended
                    self._loop.call_soon_threadsafe(_cancel_all)

    def _work(self, send: Send) -> None:
        # What ends a loop, such as `sys.exit` in a task, has by then been told as the run's end.
        with suppress(BaseException):
            asyncio.run(self._run(send))

    async def _run(self, send: Send) -> None:
        with self._lock:
            self._loop = asyncio.get_running_loop()
            if self._cancelled:
                _cancel_all()

        def publish(body: Body) -> None:
            self._bus.publish(send.session_id, send.run_id, body)

        listener = _Listener(send, publish)
        listener.begin(self._name)
        try:
            await self._listen(listener)
        except BaseException as error:  # noqa: BLE001 - the user's own code, which may `sys.exit`
            if self._cancelled:
                listener.end_cancelled()
            else:
                listener.end_failed(": ".join(filter(None, (type(error).__name__, str(error)))))
        else:
            listener.end()
        finally:
            with self._lock:
                # What the loop still has to do to end is not to be cancelled.
                self._loop = None

    async def _listen(self, listener: "_Listener") -> None:
        # A cancelled task stops at the first wait, also one that was cancelled before it began.
        await asyncio.sleep(0)
        events = self._runnable.astream_events(self._value, version=self._version)
        async with aclosing(events):
            async for event in events:
                listener.take(event)


def _cancel_all() -> None:
    """All tasks, not the first alone: in v1 the one that produces would go on to its end, and the
    one that listens would wait for it."""
    for task in asyncio.all_tasks():
        task.cancel()


class _Listener:
    """One run, as the events of an engine tell it."""

    def __init__(self, send: Send, publish: Callable[[Body], None]) -> None:
        self._send = send
        self._publish = publish
        self._run = Run(send.run_id, send.prompt, RunContext())
        self._decoder = DIALECTS["langserve"].decoder()
        self._mender = SurrogateMender()

    def begin(self, name: str) -> None:
        self._run.began, self._run.started = True, time.monotonic()
        self._run.begin_attempt()
        prompt = self._send.prompt
        messages = (Message("user", prompt),)
        self._publish(RunStarted(prompt, messages, name, "", _DIALECT))

    def take(self, event: Any) -> None:
        self._add(self._decoder.feed(Frame(event_json(event), "data")))

    def end(self) -> None:
        self._close()
        self._publish(RunCompleted(self._run.finish_reason, self._run.metrics(time.monotonic())))

    def end_cancelled(self) -> None:
        self._close()
        self._publish(RunCancelled(self._run.metrics(time.monotonic())))

    def end_failed(self, words: str) -> None:
        """What came is kept; keys that an error quotes are not told."""
        self._close()
        shown = Redactor().redact(words[: 2 * MAX_ERROR_CHARS])[:MAX_ERROR_CHARS]
        error = ProviderError(shown, kind="error-midstream")
        self._publish(RunFailed(error.info(), self._run.metrics(time.monotonic())))

    def _close(self) -> None:
        self._add(self._decoder.close())
        self._tell(self._mender.close())

    def _add(self, deltas: list[Delta]) -> None:
        self._tell(self._mender.mend(deltas))

    def _tell(self, deltas: list[Delta]) -> None:
        if deltas:
            chunk = Chunk(tuple(deltas))
            self._run.take(chunk, time.monotonic())
            self._publish(chunk)


def event_json(event: Any) -> str:
    """An event of `astream_events` as JSON, its objects as LangServe writes them."""
    try:
        return json.dumps(msgspec.to_builtins(event, enc_hook=_plain, str_keys=True))
    except (TypeError, ValueError, RecursionError) as error:
        # Anything may be passed through a chain; what has no JSON costs its data, not the event.
        told = {"unreadable": type(error).__name__}
        return json.dumps({**event, "data": told}, default=repr)


def _plain(value: Any) -> Any:
    """A message, a generation or any other model as a dictionary; all else in Python's words."""
    if isinstance(value, str):
        return str.__str__(value)
    dump = getattr(value, "model_dump", None)
    return dump() if callable(dump) and not isinstance(value, type) else repr(value)
