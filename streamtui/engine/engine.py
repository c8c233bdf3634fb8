"""The engine: owns sessions, bus, transport and all tasks, on one event loop.

Carries out commands and answers queries on that loop; `host` brings them there.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from streamtui.config import EMBEDDED_DEMO_URL, Endpoint
from streamtui.engine.archive import look_up
from streamtui.engine.attempt import Tools
from streamtui.engine.bus import Bus
from streamtui.engine.doors import (
    Cancel,
    CancelAll,
    CloseSession,
    Command,
    EndSessions,
    GetTranscript,
    ListModels,
    ListSessions,
    OpenSession,
    Probe,
    Query,
    Retry,
    Send,
)
from streamtui.engine.model_list import list_models
from streamtui.engine.probe import probe
from streamtui.engine.reports import Answer, Done, SessionList, Transcript, Unanswered
from streamtui.engine.session import Session, refusal
from streamtui.engine.traffic import Traffic
from streamtui.engine.transport import AiohttpTransport, Transport
from streamtui.errors import RunError

if TYPE_CHECKING:
    from streamtui.engine.journal import Journal

logger = logging.getLogger(__name__)


class EmbeddedServer(Protocol):
    """The demo server as the engine sees it."""

    @property
    def base_url(self) -> str:
        """Where it listens."""

    async def aclose(self) -> None:
        """End it and its streams."""


StartServer = Callable[[], Awaitable[EmbeddedServer]]
GiveUp = Callable[[], object]


class Engine:
    """Everything that streams. One instance runs on one loop, inside `run()`."""

    def __init__(
        self,
        bus: Bus,
        start_demo: StartServer,
        *,
        transport: Transport | None = None,
        journal: "Journal | None" = None,
        rng: Callable[[], float] = random.random,
    ) -> None:
        self._transport = transport or AiohttpTransport()
        self._demo = _Embedded(start_demo)
        self._journal = journal
        self._sessions: dict[str, Session] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._tools = Tools(
            transport=self._transport,
            publish=bus.publish,
            make_safe=self._make_safe,
            spawn=self.spawn,
            locate=self._locate,
            wall_clock=time.time,
            mono_clock=time.monotonic,
            rng=rng,
            traffic=Traffic(time.monotonic, rng),
        )

    async def run(self, on_ready: Callable[[], None]) -> None:
        """Work until `stop`; then end all runs and close all connections."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            on_ready()
            await self._stopping.wait()
            await self._close_all()

    @property
    def live(self) -> int:
        """How many sessions have an answer under way or waiting."""
        return sum(session.is_live for session in self._sessions.values())

    @property
    def is_stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping.is_set()

    async def stops_within(self, seconds: float) -> bool:
        """Wait so long at the most; whether `stop` was called by then."""
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def stop(self) -> None:
        """Make `run` return once everything is closed."""
        self._stopping.set()

    def execute(self, command: Command) -> None:
        """Carry out a command."""
        match command:
            case OpenSession():
                self._open(command)
            case CancelAll():
                for session in self._sessions.values():
                    session.cancel_all()
            case CloseSession():
                self._close(command.session_id)
            case _:
                self._execute_in(command)

    def answer(self, query: Query, give: Callable[[Answer], None]) -> GiveUp:
        """Find something out and `give` it, at once or later; not once the engine stops.

        Returns what to call when nobody waits any more: an endpoint is then asked no further. What
        changes something is finished all the same.
        """
        task = self.spawn(self._answer(query, give), "answer")
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)
        return task.cancel if isinstance(query, ListModels | Probe) else _go_on

    async def _answer(self, query: Query, give: Callable[[Answer], None]) -> None:
        try:
            give(await self._find(query))
        except Exception:
            bug = RunError("a bug in streamtui", kind="bug", hint="Please report it")
            give(Unanswered(bug.info()))
            raise

    async def _find(self, query: Query) -> Answer:
        match query:
            case GetTranscript():
                return self._transcript(query.session_id)
            case ListModels():
                return await list_models(query.endpoint, self._tools)
            case Probe():
                return await probe(query.endpoint, self._tools)
            case EndSessions():
                await self._end(query.session_ids)
                return Done()
            case ListSessions():
                return SessionList(tuple(s.summary() for s in self._sessions.values()))
            case _:
                return await look_up(query, self._journal)

    def _transcript(self, session_id: str) -> Transcript:
        session = self._sessions.get(session_id)
        return Transcript(session.messages() if session else ())

    def _execute_in(self, command: Send | Retry | Cancel) -> None:
        session = self._sessions.get(command.session_id)
        match command:
            case Send() if session:
                session.send(command.run_id, command.prompt, command.context)
            case Retry() if session:
                session.retry(command.run_id)
            case Cancel() if session:
                session.cancel()
            case Send() | Retry():
                # Whoever waits for this run must hear of its end.
                closed = refusal("the session is closed", "Open it again")
                self._tools.publish(command.session_id, command.run_id, closed)

    def _open(self, command: OpenSession) -> None:
        # Two consoles bring the same sessions back when an engine has ended.
        if command.session_id in self._sessions:
            return
        session = Session(command, self._tools)
        self._sessions[command.session_id] = session
        session.open()

    def _close(self, session_id: str) -> None:
        if session_id in self._sessions:
            closing = self._sessions.pop(session_id).aclose()
            self.spawn(closing, f"close {session_id}")

    async def _end(self, session_ids: Iterable[str]) -> None:
        for session_id in session_ids:
            if session_id in self._sessions:
                await self._sessions.pop(session_id).aclose()

    def close_sessions(self) -> None:
        """End all sessions, and what runs in them."""
        for session_id in list(self._sessions):
            self._close(session_id)

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """A task that ends with the engine; a bug in it is logged and ends nothing else."""
        return self._tasks.create_task(_guarded(work, name), name=name)

    async def _make_safe(self) -> None:
        """Wait until what was asked is on disk; a disk that refuses is told of and stops nobody."""
        if self._journal is not None:
            await self._journal.made_safe()

    async def _locate(self, endpoint: Endpoint) -> Endpoint:
        if endpoint.base_url != EMBEDDED_DEMO_URL:
            return endpoint
        return msgspec.structs.replace(endpoint, base_url=await self._demo.base_url())

    async def _close_all(self) -> None:
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            session.cancel_all()
        for session in sessions.values():
            await session.aclose()
        await self._give_up_answers()
        await self._transport.aclose()
        await self._demo.aclose()

    async def _give_up_answers(self) -> None:
        """A test of an endpoint may take as long as a run."""
        for task in self._answering:
            task.cancel()
        if self._answering:
            await asyncio.wait(self._answering)


async def _guarded(work: Coroutine[Any, Any, None], name: str) -> None:
    """A bug in one task must not end all the others, which a task group would do."""
    try:
        await work
    except Exception:
        logger.exception("a bug ended the task “%s”", name)


def _go_on() -> None:
    """Nothing is given up."""


class _Embedded:
    """The demo server, started by whoever needs it first."""

    def __init__(self, start: StartServer) -> None:
        self._start = start
        self._lock = asyncio.Lock()
        self._server: EmbeddedServer | None = None

    async def base_url(self) -> str:
        async with self._lock:
            if self._server is None:
                self._server = await self._started()
            return self._server.base_url

    async def _started(self) -> EmbeddedServer:
        try:
            return await self._start()
        except OSError as error:
            raise RunError(
                f"the demo server cannot listen: {error.strerror}",
                kind="connect",
                hint="Check that loopback connections are allowed",
            ) from error

    async def aclose(self) -> None:
        if self._server is not None:
            await self._server.aclose()
