"""One picture of each screen, small and large. `pytest --snapshot-update` accepts new ones."""

import itertools
import time
from collections.abc import Awaitable, Callable, Iterator

import pytest
from textual.pilot import Pilot

from streamtui.engine import doors as doors_module
from streamtui.events import Chunk as ChunkBody
from streamtui.events import (
    ErrorInfo,
    Metrics,
    ReasoningDelta,
    RetryScheduled,
    RunCompleted,
    RunCutOff,
    StreamStalled,
    ToolCallDelta,
    Usage,
)
from streamtui.ui.app import StreamTUIApp
from streamtui.ui.clock import Clock
from tests.ui.harness import Console, configuration, endpoint
from tests.ui.scripted_doors import MONO, WALL, ScriptedDoors

SIZES = [(80, 24), (200, 50)]
NAMES = ("openai", "claude", "local", "mirror", "office", "edge")
PROMPT = "Write me a 1 verse song about sparkling water."
VERSE = """**Verse**

Sparkling water, clear and bright,
you dance upon my tongue tonight,
a thousand tiny bubbles rise
like questions under summer skies.
"""
MARKDOWN = """## Two ways to count

| way | cost |
|-----|-----:|
| by hand | 3 |
| 用机器 | 1 |

```python
def count(glass: str) -> int:
    return len(glass)  # bubbles
```

1. fill the glass
2. wait, then *listen*
"""
Script = Callable[[Console], Awaitable[None]]
Compare = Callable[..., bool]


@pytest.fixture(autouse=True)
def same_everywhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times of day and identifiers that do not differ from run to run."""
    numbers = itertools.count(1)
    monkeypatch.setattr(
        doors_module, "new_id", lambda: f"00000000-0000-7000-8000-{next(numbers):012}"
    )
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


class Picture(StreamTUIApp):
    """The console with its scripted doors within reach."""

    def __init__(self, panes: int, *, theme: str = "night") -> None:
        self.script = ScriptedDoors()
        models = ["gpt-4o-mini", "sonnet", "deep-thinker", "tools", "flaky", "drop"]
        endpoints = [endpoint(name, model) for name, model in zip(NAMES, models, strict=True)]
        super().__init__(
            self.script,
            configuration(*endpoints),
            opening=endpoints[:panes],
            prompt=PROMPT if panes > 1 else "",
            show_events=panes > 1,
            clock=Clock(lambda: self.script.now, lambda: WALL + self.script.now - MONO),
            host="build-07",
        )
        self.theme = theme


async def all_states(c: Console) -> None:
    """Six panes, each in another state, 3.2 seconds after the prompt."""
    doors, sessions = c.doors, c.sessions
    doors.now += 0.31
    for session in sessions[:4]:
        doors.answer(session, "")
    for step in range(10):
        doors.now += 0.2
        doors.answer(sessions[0], VERSE[step * 12 : step * 12 + 12])
    doors.answer(sessions[1], MARKDOWN)
    usage = Usage(input=12, output=241)
    doors.end(sessions[1], RunCompleted("stop", Metrics(0.31, 2.3, text_chars=200, usage=usage)))
    doors.emit(sessions[2], ChunkBody((ReasoningDelta("First, restate it: a verse is wanted."),)))
    call = ToolCallDelta(0, '{"city": "Lisbon"}', id="call_1", name="get_weather")
    doors.emit(sessions[3], ChunkBody((call,)))
    doors.now += 0.8
    doors.emit(sessions[3], StreamStalled(5.0, 120.0))
    too_many = ErrorInfo("rate-limit", "HTTP 429, too many requests", "Wait", retryable=True)
    doors.emit(sessions[4], RetryScheduled(2, 3, 4.0, too_many))
    doors.answer(sessions[5], "Oh little bubbles rising")
    lost = ErrorInfo("connection-lost", "the connection was lost", "Ask again for the rest")
    doors.end(sessions[5], RunCutOff(lost, Metrics(0.31, 3.1, text_chars=24)))
    await c.settle()
    doors.now += 0.1
    c.app._notifications.clear()
    c.app._refresh_notifications()
    c.app.main.desk_changed()
    await c.until(lambda: c.toasts_on_screen() == 0, "no toast")


async def nothing(_c: Console) -> None:
    """As it starts."""


def pressing(*keys: str, then: str = "") -> Script:
    async def script(c: Console) -> None:
        await all_states(c)
        await c.press(*keys)
        if then:
            await c.until_shown(then)

    return script


async def marked_with_a_long_prompt(c: Console) -> None:
    await all_states(c)
    await c.press("tab", "space", "3", "space", "i")
    c.type("A question of several lines:\n\n- why bubbles?\n- why 气泡?")
    await c.until_shown("4 lines")


async def queued(c: Console) -> None:
    await all_states(c)
    for prompt in ("And now in French, please.", "And in Portuguese.", "One more.", "The last."):
        await c.ask(prompt)
    await c.until_shown("queued 4")


async def toasts(c: Console) -> None:
    await all_states(c)
    error = ErrorInfo("overloaded", "HTTP 529, the endpoint is overloaded", "Try again later")
    for session in c.sessions[2:5]:
        c.doors.end(session, RunCutOff(error, Metrics(text_chars=37)))
    await c.until(lambda: c.toasts_on_screen() == 3, "three toasts")


async def close_the_only_pane(c: Console) -> None:
    await c.press("alt+w")
    await c.until_shown("No pane is open.")
    c.app._notifications.clear()
    c.app._refresh_notifications()
    await c.until(lambda: c.toasts_on_screen() == 0, "no toast")


SCREENS: dict[str, tuple[int, Script]] = {
    "console": (6, all_states),
    "first_start": (1, nothing),
    "zoomed": (6, pressing("alt+z", then="zoom")),
    "main_and_stack": (6, pressing("alt+l", "alt+l", "alt+l")),
    "command_state": (6, pressing("tab", then="i goes here")),
    "marked": (6, marked_with_a_long_prompt),
    "queued": (6, queued),
    "toasts": (6, toasts),
    "help": (6, pressing("f1", then="keys")),
    "palette": (6, pressing("ctrl+p", then="palette")),
    "new_pane": (6, pressing("ctrl+n", then="as this pane")),
    "errors": (6, pressing("f5", then="errors")),
    "event_detail": (6, pressing("f5", "enter", then="RunCutOff")),
    "quit_question": (6, pressing("ctrl+q", then="Quit and cancel them?")),
    "nothing_open": (1, close_the_only_pane),
}


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "200x50"])
@pytest.mark.parametrize("name", SCREENS)
def test_picture(snap_compare: Compare, name: str, size: tuple[int, int]) -> None:
    panes, script = SCREENS[name]
    assert snap_compare(Picture(panes), terminal_size=size, run_before=_run(script, panes))


@pytest.mark.parametrize("theme", ["ember", "paper", "terminal"])
def test_picture_in_theme(snap_compare: Compare, theme: str) -> None:
    app = Picture(6, theme=theme)
    assert snap_compare(app, terminal_size=(120, 36), run_before=_run(all_states, 6))


def _run(script: Script, panes: int) -> Callable[[Pilot[None]], Awaitable[None]]:
    async def run(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, Picture)
        c = Console(app, app.script, pilot)
        await c.until(lambda: len(app.main.grid.panes) == panes, "all panes open")
        await c.settle()
        await script(c)
        await c.settle()

    return run
