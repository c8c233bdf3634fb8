"""The doors of an engine that is still being found or started: what is asked of it waits for it.

So that a screen is drawn at once, however long Python takes to start a second time.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Collection
from concurrent.futures import Future

from streamtui.engine.doors import Command, Doors, Query, Subscription
from streamtui.engine.reports import Answer, Unanswered
from streamtui.errors import RunError
from streamtui.events import Event

LEAVE_SECONDS = 2.0
"""How long leaving waits for an engine that is not there yet."""

logger = logging.getLogger(__name__)


class LateDoors(Doors):
    """`find` brings the real doors; it runs in a thread of its own and may block.

    Where it raises RunError, queries are Unanswered with its words, and nothing comes of commands.
    """

    def __init__(self, find: Callable[[], Doors]) -> None:
        self._find = find
        self._lock = threading.Lock()
        self._early: list[Callable[[Doors], object]] = []
        self._found: Future[Doors] = Future()
        # From here on no query that is given up can cancel it for the others.
        self._found.set_running_or_notify_cancel()
        self._left = False
        threading.Thread(target=self._work, name="to find the engine", daemon=True).start()

    def execute(self, command: Command) -> None:
        """Hand a command over, in its order."""
        self._call(lambda doors: doors.execute(command))

    def subscribe(
        self,
        wake: Callable[[], object],
        *,
        session_ids: Collection[str] | None = None,
        from_start: bool = False,
    ) -> Subscription:
        """Listen from the moment on at which the engine is there."""
        late = _LateSubscription()
        self._call(
            lambda doors: late.begin(
                doors.subscribe(wake, session_ids=session_ids, from_start=from_start)
            )
        )
        return late

    async def ask(self, query: Query) -> Answer:
        """Find something out; Unanswered where there is no engine."""
        try:
            doors = await asyncio.wrap_future(self._found)
        except RunError as error:
            return Unanswered(error.info())
        return await doors.ask(query)

    def close(self) -> None:
        """Leave, and end what runs if nobody else is attached."""
        self.leave(keep_runs=False)

    def leave(self, *, keep_runs: bool) -> None:
        """Leave, once what was asked is handed over; a second call does nothing."""
        if self._left:
            return
        self._left = True
        try:
            doors = self._found.result(LEAVE_SECONDS)
        except (RunError, TimeoutError):
            return
        doors.leave(keep_runs=keep_runs)

    def _call(self, work: Callable[[Doors], object]) -> None:
        with self._lock:
            if not self._found.done():
                self._early.append(work)
                return
        if self._found.exception() is None:
            work(self._found.result())

    def _work(self) -> None:
        try:
            doors = self._find()
        except RunError as error:
            self._found.set_exception(error)
            return
        except Exception:
            logger.exception("no engine could be found, through a bug")
            self._found.set_exception(RunError("a bug in streamtui", kind="bug"))
            return
        with self._lock:
            for work in self._early:
                work(doors)
            self._found.set_result(doors)


class _LateSubscription:
    """Events of a subscription that begins later."""

    def __init__(self) -> None:
        self.merged = 0
        self._lock = threading.Lock()
        self._real: Subscription | None = None
        self._closed = False

    def begin(self, real: Subscription) -> None:
        """The engine is there."""
        with self._lock:
            self._real = real
            closed = self._closed
        if closed:
            real.close()

    def drain(self) -> list[Event]:
        """All events that came since the last call, in order."""
        if self._real is None:
            return []
        events = self._real.drain()
        self.merged = self._real.merged
        return events

    def close(self) -> None:
        """Stop listening."""
        with self._lock:
            self._closed = True
            real = self._real
        if real is not None:
            real.close()
