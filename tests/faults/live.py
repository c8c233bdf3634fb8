"""The whole program but its terminal: the console, and the engine in its thread, on real sockets."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from textual.message import Message
from textual.pilot import Pilot

from streamtui.config import Endpoint
from streamtui.engine.host import EngineThread
from streamtui.ui.app import StreamTUIApp
from tests.scripted import no_demo
from tests.ui.harness import Console, configuration

DEADLINE = 40.0


class LiveConsole(Console):
    """A console whose events come from the engine, not from the test."""

    def __init__(self, app: StreamTUIApp, engine: EngineThread, pilot: Pilot[None]) -> None:
        self.app = app
        self.engine = engine
        self.pilot = pilot

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait for a condition, for longer than where nothing has to come over a network."""
        deadline = time.monotonic() + DEADLINE
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"never: {what}\n{self.screen_text()}")
            await asyncio.sleep(0.01)


@asynccontextmanager
async def live_console(
    *opening: Endpoint,
    size: tuple[int, int] = (160, 40),
    hook: Callable[[Message], None] | None = None,
) -> AsyncIterator[LiveConsole]:
    """A pane for each endpoint, all asked at once; `hook` sees each message that is handled."""
    engine = EngineThread(no_demo)
    app = StreamTUIApp(
        engine, configuration(*opening), opening=opening, prompt="hi", host="build-07"
    )
    async with app.run_test(size=size, notifications=True, message_hook=hook) as pilot:
        console = LiveConsole(app, engine, pilot)
        await console.until(lambda: len(console.panes) == len(opening), "all panes open")
        yield console
