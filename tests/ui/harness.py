"""The console in a test: scripted doors, clocks that stand still, and waiting for conditions."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from textual.pilot import Pilot
from textual.widgets._toast import Toast as ToastWidget

from streamtui.config import EMBEDDED_DEMO_URL, Config, Endpoint
from streamtui.engine.doors import Doors
from streamtui.ui.app import StreamTUIApp
from streamtui.ui.clock import Clock
from streamtui.ui.pane import Pane
from tests.ui.scripted_doors import MONO, WALL, ScriptedDoors

DEADLINE = 10.0
MODELS = ("demo/verse", "demo/markdown", "demo/thinker", "demo/tools", "demo/slow", "demo/fast")


def endpoint(name: str = "demo", model: str = "demo/verse") -> Endpoint:
    base_url = EMBEDDED_DEMO_URL if name == "demo" else "https://api.example.com/v1"
    return Endpoint(name=name, dialect="openai-chat", base_url=base_url, model=model)


def configuration(*endpoints: Endpoint) -> Config:
    given = endpoints or (endpoint(),)
    return Config(endpoints={each.name: each for each in given}, default_endpoint=given[0].name)


class Console:
    """An app under test, and what tests ask of it."""

    def __init__(self, app: StreamTUIApp, doors: ScriptedDoors, pilot: Pilot[None]) -> None:
        self.app = app
        self.doors = doors
        self.pilot = pilot

    @property
    def sessions(self) -> list[str]:
        """The open sessions by their numbers."""
        return list(self.app.desk.order)

    @property
    def panes(self) -> list[Pane]:
        return self.app.main.grid.in_order

    @property
    def prompt_text(self) -> str:
        return self.app.main.prompt.text

    def screen_text(self) -> str:
        """What is on screen, row by row."""
        return "\n".join(strip.text for strip in self.app.screen._compositor.render_strips())

    def toasts(self) -> list[str]:
        """Title and message of each notice, oldest first."""
        return [f"{shown.title}: {shown.message}" for shown in self.app._notifications]

    def toasts_on_screen(self) -> int:
        return len(self.app.screen.query(ToastWidget))

    def type(self, text: str) -> None:
        """Have text in the prompt, as if it was typed at leisure."""
        self.app.main.prompt.insert_text(text)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def ask(self, text: str) -> None:
        """Type a prompt and send it."""
        self.type(text)
        await self.press("enter")
        await self.until(lambda: not self.prompt_text, "the prompt was sent")

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait for a condition; fails after a deadline with the screen."""
        deadline = time.monotonic() + DEADLINE
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"never: {what}\n{self.screen_text()}")
            await self.pilot.pause(0.01)

    async def until_shown(self, words: str) -> None:
        await self.until(lambda: words in self.screen_text(), words)

    async def settle(self) -> None:
        """Wait until everything that was emitted is on screen."""
        subscription = self.doors.subscriptions[0]
        await self.until(lambda: not subscription.waiting, "all events drained")
        await self.pilot.pause()
        await asyncio.sleep(0)
        await self.pilot.pause()


@asynccontextmanager
async def console(
    panes: int = 4,
    *,
    size: tuple[int, int] = (120, 40),
    prompt: str = "",
    show_events: bool = False,
    opening: Sequence[Endpoint] = (),
    config: Config | None = None,
    load: Callable[[], Config] | None = None,
    doors: ScriptedDoors | None = None,
    reattach: Callable[[], Doors] | None = None,
) -> AsyncIterator[Console]:
    """A console with panes that are open and idle, or asked `prompt`."""
    doors = doors or ScriptedDoors()
    app = StreamTUIApp(
        doors,
        config or configuration(),
        opening=opening or [endpoint(model=MODELS[n % len(MODELS)]) for n in range(panes)],
        prompt=prompt,
        show_events=show_events,
        load_config=load,
        reattach=reattach,
        clock=Clock(lambda: doors.now, lambda: WALL + doors.now - MONO),
        host="build-07",
    )
    async with app.run_test(size=size, notifications=True) as pilot:
        under_test = Console(app, doors, pilot)
        wanted = len(opening) or panes
        await under_test.until(lambda: len(app.main.grid.panes) == wanted, "all panes open")
        await under_test.settle()
        yield under_test
