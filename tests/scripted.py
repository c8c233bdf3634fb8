"""Parts of the engine with the network and the waiting taken out: bytes in a list, events in one."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self

from streamtui.config import Endpoint
from streamtui.engine.bus import Bus, Subscriber
from streamtui.engine.dialects.base import Request
from streamtui.engine.doors import Command, Doors, GetTranscript, Query, Subscription
from streamtui.engine.engine import EmbeddedServer, Engine
from streamtui.engine.reports import Answer, Transcript
from streamtui.engine.transport import Response, Transport
from streamtui.events import RUN_ENDS, Chunk, Event, Message, TextDelta

Step = bytes | Exception | asyncio.Event


class ScriptedResponse:
    """A status, headers, and a body of pieces; an exception is raised, an event awaited."""

    def __init__(
        self, *body: Step, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        self.status = status
        self.headers: Mapping[str, str] = headers or {}
        self.in_clear_to_proxy = False
        self._body = body

    async def chunks(self) -> AsyncGenerator[bytes]:
        for step in self._body:
            if isinstance(step, Exception):
                raise step
            if isinstance(step, asyncio.Event):
                await step.wait()
            else:
                yield step

    async def read_error_body(self) -> bytes:
        return b"".join(step for step in self._body if isinstance(step, bytes))

    async def drain(self) -> None:
        pass

    def is_lost(self) -> bool:
        return False


class ScriptedTransport:
    """Answers each request with the next of its answers; an exception is a failed connection."""

    def __init__(self, *answers: ScriptedResponse | Exception) -> None:
        self._answers = list(answers)
        self.requests: list[Request] = []
        self.open_now = 0

    @asynccontextmanager
    async def open(
        self, endpoint: Endpoint, request: Request, on_sent: Callable[[], None]
    ) -> AsyncIterator[Response]:
        self.requests.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        on_sent()
        self.open_now += 1
        try:
            yield answer
        finally:
            self.open_now -= 1

    async def aclose(self) -> None:
        pass


def text_of(events: Iterable[Event]) -> str:
    """The text that events add up to."""
    return "".join(
        delta.text
        for event in events
        if isinstance(event.body, Chunk)
        for delta in event.body.deltas
        if isinstance(delta, TextDelta)
    )


async def no_demo() -> EmbeddedServer:
    message = "this test needs no demo server"
    raise AssertionError(message)


class BusDoors(Doors):
    """Doors with a bus and no engine: commands are noted, and nothing comes of them."""

    def __init__(self) -> None:
        self.bus = Bus(time.time, time.monotonic)
        self.commands: list[Command] = []

    def execute(self, command: Command) -> None:
        self.commands.append(command)

    def subscribe(
        self,
        wake: Callable[[], object],
        *,
        session_ids: Collection[str] | None = None,
        **_: object,
    ) -> Subscription:
        return self.bus.subscribe(wake, session_ids)

    async def ask(self, query: Query) -> Answer:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class Listener:
    """A subscription that can be awaited."""

    def __init__(self, bus: Bus) -> None:
        self._loop = asyncio.get_running_loop()
        self._woken = asyncio.Event()
        self._subscription: Subscriber = bus.subscribe(self._wake)
        self.events: list[Event] = []

    def _wake(self) -> None:
        self._loop.call_soon_threadsafe(self._woken.set)

    async def until(self, wanted: Callable[[Event], bool], count: int = 1) -> list[Event]:
        """All events up to the `count`th that is wanted."""
        while sum(map(wanted, self.events)) < count:
            await self._woken.wait()
            self._woken.clear()
            self.events += self._subscription.drain()
        return self.events

    async def run_ends(self, count: int = 1) -> list[Event]:
        """All events up to the end of a run."""
        return await self.until(lambda event: isinstance(event.body, RUN_ENDS), count)

    def bodies(self, *kinds: type) -> list[Any]:
        """The bodies of the events so far, of some kinds only if kinds are given."""
        bodies = [event.body for event in self.events]
        return [body for body in bodies if isinstance(body, kinds)] if kinds else bodies


class EngineUnderTest:
    """A real engine on the test's own loop."""

    def __init__(self, transport: Transport | None = None) -> None:
        clock = asyncio.get_running_loop().time
        self.bus = Bus(clock, clock)
        self.engine = Engine(self.bus, no_demo, transport=transport, rng=lambda: 0.0)
        self.listener = Listener(self.bus)
        self._ready = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._tasks = asyncio.TaskGroup()
        await self._tasks.__aenter__()
        self._tasks.create_task(self.engine.run(self._ready.set))
        await self._ready.wait()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.engine.stop()
        await self._tasks.__aexit__(None, None, None)

    async def ask(self, query: Query) -> Answer:
        """What the engine answers to a query."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.engine.answer(query, answer.set_result)
        return await answer

    async def transcript(self, session_id: str) -> tuple[Message, ...]:
        """What would be sent with the next prompt of a session."""
        found = await self.ask(GetTranscript(session_id))
        assert isinstance(found, Transcript)
        return found.messages
