"""Consoles without a screen, attached to a real engine process of the test's own."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

import pytest

from streamtui.config import Endpoint, load_config
from streamtui.engine.host.client import AttachedEngine
from streamtui.engine.host.process import attach
from streamtui.events import Event
from tests.processes import stop_engines
from tests.scripted import text_of

DEMO = load_config(environ={}).endpoint("demo/verse")
SLOW = load_config(environ={}).endpoint("demo/slow")
FAST = load_config(environ={}).endpoint("demo/fast")


class ConsoleUnderTest:
    """An attached console and what it has heard."""

    def __init__(self, doors: AttachedEngine, *, from_start: bool, lost: asyncio.Event) -> None:
        loop, self._woken = asyncio.get_running_loop(), asyncio.Event()
        self.doors = doors
        self.events: list[Event] = []
        self.lost = lost
        self._subscription = doors.subscribe(
            lambda: loop.call_soon_threadsafe(self._woken.set), from_start=from_start
        )

    def ask(self, prompt: str = "hi", endpoint: Endpoint = DEMO) -> tuple[str, str]:
        """Open a session and send a prompt; returns the ids of both."""
        session_id = self.doors.open_session(endpoint)
        return session_id, self.doors.send(session_id, prompt)

    async def until(
        self, *kinds: type, count: int = 1, also: Callable[[Event], bool] = lambda _event: True
    ) -> list[Event]:
        """The events of some kinds, once there are so many of them."""
        while (
            len(found := [e for e in self.events if isinstance(e.body, kinds) and also(e)]) < count
        ):
            await self._woken.wait()
            self._woken.clear()
            self.events += self._subscription.drain()
        return found

    def text(self, run_id: str) -> str:
        return text_of(event for event in self.events if event.run_id == run_id)


@asynccontextmanager
async def console(*, keep_runs: bool = True) -> AsyncIterator[ConsoleUnderTest]:
    """A console from its start to its end."""
    lost, loop = asyncio.Event(), asyncio.get_running_loop()

    def tell() -> None:
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(lost.set)

    link = await asyncio.to_thread(attach, "disk")
    doors = AttachedEngine(link, on_lost=tell)
    try:
        yield ConsoleUnderTest(doors, from_start=True, lost=lost)
    finally:
        await asyncio.to_thread(doors.leave, keep_runs=keep_runs)


@contextmanager
def folders_of_its_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """No engine of the user's, nor of another test, is touched; ours is killed at the end."""
    # Names of sockets have to be short.
    runtime = Path(mkdtemp(prefix="stui-"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    try:
        yield runtime
    finally:
        stop_engines(runtime)
