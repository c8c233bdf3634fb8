"""Where the engine runs: its own event loop in its own thread, behind the three doors.

A screen that stands still, because its terminal does not read, must not hold up a stream.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import TYPE_CHECKING

from streamtui.engine.bus import Bus
from streamtui.engine.doors import (
    Command,
    Doors,
    Query,
    Retry,
    Send,
    Subscription,
    engine_ended,
)
from streamtui.engine.reports import Answer, Unanswered
from streamtui.events import RUN_ENDS, Event, Metrics, RunFailed

if TYPE_CHECKING:
    from streamtui.engine.engine import Engine, StartServer

logger = logging.getLogger(__name__)

CLOSE_SECONDS = 5.0
"""How long `close` waits for connections to end."""


class EngineThread(Doors):
    """The engine in a thread of this process. `start_demo` starts the embedded server.

    Everything works at once, also while the engine still starts: commands wait for it.
    """

    def __init__(self, start_demo: "StartServer") -> None:
        self._start_demo = start_demo
        self._bus = Bus(time.time, time.monotonic, note=self._note)
        self._open_runs: dict[str, str] = {}
        """The session of each run that has not ended."""
        # Reentrant: a finaliser that cancels its stream may run inside a call of the same thread.
        self._lock = threading.RLock()
        self._early: list[Callable[[Engine], None]] = []
        self._running: tuple[Engine, asyncio.AbstractEventLoop] | None = None
        self._asked: set[Future[Answer]] = set()
        self._closed = False
        self._why = ""
        """Why it ended, if nobody closed it."""
        self._thread = threading.Thread(target=self._work, name="streamtui engine", daemon=True)
        self._thread.start()

    def execute(self, command: Command) -> None:
        """Hand a command over; a run that an engine that is gone cannot begin fails at once."""
        if isinstance(command, Send | Retry):
            self._open_runs[command.run_id] = command.session_id
        self._call(lambda engine: engine.execute(command))
        if self._closed:
            self._fail_open_runs()

    def subscribe(
        self,
        wake: Callable[[], object],
        *,
        session_ids: Collection[str] | None = None,
        from_start: bool = False,  # noqa: ARG002 - nobody comes later to an engine of one's own
    ) -> Subscription:
        """Listen from this moment on."""
        return self._bus.subscribe(wake, session_ids)

    async def ask(self, query: Query) -> Answer:
        """Find something out; Unanswered once the engine is closed."""
        answer: Future[Answer] = Future()
        self._asked.add(answer)
        self._call(lambda engine: _find(engine, query, answer))
        if self._closed:
            self._answer_all()
        try:
            return await asyncio.wrap_future(answer)
        finally:
            self._asked.discard(answer)

    @property
    def is_alive(self) -> bool:
        """Whether the engine's thread runs."""
        return self._thread.is_alive()

    def close(self) -> None:
        """End all runs and wait until their connections are closed; a second call does nothing."""
        self._call(lambda engine: engine.stop())
        self._closed = True
        self._thread.join(CLOSE_SECONDS)

    def _call(self, work: "Callable[[Engine], None]") -> None:
        """Have the engine do something on its own thread, in the order of the calls."""
        with self._lock:
            if self._closed:
                return
            if self._running is None:
                self._early.append(work)
                return
            engine, loop = self._running
            with suppress(RuntimeError):  # the loop has just ended
                loop.call_soon_threadsafe(_carry_out, work, engine)

    def _work(self) -> None:
        try:
            asyncio.run(self._run())
        except BaseException as error:
            # Its words are for the log alone: nobody looked at them for secrets.
            self._why = type(error).__name__
            logger.exception("the engine ended through a bug")
        finally:
            with self._lock:
                self._closed = True
            self._answer_all()
            self._fail_open_runs()

    def _note(self, event: Event) -> None:
        if isinstance(event.body, RUN_ENDS):
            self._open_runs.pop(event.run_id, None)

    def _fail_open_runs(self) -> None:
        """Whoever waits for a run hears of its end, also if the engine ended through a bug."""
        gone = engine_ended(self._why)
        with self._lock:
            for run_id, session_id in list(self._open_runs.items()):
                self._bus.publish(session_id, run_id, RunFailed(gone, Metrics(attempts=0)))

    def _answer_all(self) -> None:
        gone = Unanswered(engine_ended(self._why))
        for answer in list(self._asked):
            _settle(answer, gone)

    async def _run(self) -> None:
        # aiohttp takes a tenth of a second to import: here it delays nobody's first frame.
        from streamtui.engine.engine import Engine

        engine = Engine(self._bus, self._start_demo)
        await engine.run(lambda: self._begin(engine))

    def _begin(self, engine: "Engine") -> None:
        with self._lock:
            for work in self._early:
                _carry_out(work, engine)
            self._running = engine, asyncio.get_running_loop()


def _find(engine: "Engine", query: Query, answer: "Future[Answer]") -> None:
    """Find something out for as long as somebody waits for it; on the engine's thread."""
    give_up = engine.answer(query, lambda found: _settle(answer, found))
    loop = asyncio.get_running_loop()

    def heed(answer: "Future[Answer]") -> None:
        if answer.cancelled():
            with suppress(RuntimeError):  # the loop has just ended
                loop.call_soon_threadsafe(give_up)

    answer.add_done_callback(heed)


def _settle(answer: "Future[Answer]", found: Answer) -> None:
    """Whoever asked may have gone, or been told already that the engine ended."""
    with suppress(InvalidStateError):
        answer.set_result(found)


def _carry_out(work: "Callable[[Engine], None]", engine: "Engine") -> None:
    """A command that fails through a bug must not take the engine with it."""
    try:
        work(engine)
    except Exception:
        logger.exception("a command failed through a bug")
