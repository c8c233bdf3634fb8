"""What reaches the terminal by the short ways is what Textual would have drawn, cell by cell."""

import random
from collections.abc import Awaitable, Callable

import pytest
from textual._compositor import LayoutUpdate
from textual.drivers.headless_driver import HeadlessDriver

from streamtui.events import Chunk as ChunkBody
from streamtui.events import ErrorInfo, Metrics, ReasoningDelta, RunCompleted, RunCutOff
from streamtui.ui import shortcut as shortcut_module
from streamtui.ui.app import StreamTUIApp
from streamtui.ui.shortcut import Rows, shortcut_for
from tests.lifetimes.home import LONG
from tests.ui.harness import Console, console
from tests.ui.terminal import Cells, Terminal

SIZES = [(120, 40), (80, 24), (200, 50), (61, 17), (37, 11), (14, 6), (160, 30)]
STEPS = 60 if LONG else 15
WORDS = (
    "water ",
    "**bold** ",
    "气泡上升 ",
    "`code` ",
    "\n\n```python\nfor each in range(7):\n    print(each)\n```\n\n",
    "\n- a list\n- of two\n\n",
    "👍 ",
    "\n\n| a | b |\n|---|---|\n| 1 | 二 |\n\n",
    "averylongwordwithoutanyblankinitthathastobebrokensomewhere ",
)
CUT = ErrorInfo("connection-lost", "the connection was lost", "Ask again for the rest")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Where consoles under test write to."""
    terminal = Terminal(80, 24)
    monkeypatch.setattr(StreamTUIApp, "is_headless", property(lambda _app: False))
    monkeypatch.setattr(HeadlessDriver, "write", lambda _driver, text: terminal.write(text))
    return terminal


def is_clean(c: Console) -> bool:
    """Nothing waits to be drawn."""
    screen = c.app.screen
    waits = screen._dirty_widgets, screen._layout_required, screen._compositor._dirty_regions
    return not any(waits)


def as_textual_draws_it(c: Console, terminal: Terminal) -> Cells:
    """The whole screen, drawn anew."""
    fresh = Terminal(terminal.screen.columns, terminal.screen.lines)
    update = c.app.screen._compositor.render_update(
        full=True, screen_stack=c.app._background_screens
    )
    assert isinstance(update, LayoutUpdate)
    fresh.write(update.render_segments(c.app.console))
    return fresh.cells()


async def compare(c: Console, terminal: Terminal, after: str) -> None:
    await c.settle()
    await c.until(lambda: is_clean(c), "nothing waits to be drawn")
    seen, wanted = terminal.cells(), as_textual_draws_it(c, terminal)
    wrong = [
        f"row {y}, column {x}: {seen[y][x]} is not {wanted[y][x]}"
        for y in range(len(wanted))
        for x in range(len(wanted[y]))
        if seen[y][x] != wanted[y][x]
    ]
    assert not wrong, f"after {after}: {wrong[:5]}"


class Storm:
    """All that may happen to a console, while it streams."""

    def __init__(self, c: Console, terminal: Terminal, rng: random.Random) -> None:
        self._c = c
        self._terminal = terminal
        self._rng = rng

    @property
    def steps(self) -> list[Callable[[], Awaitable[None]]]:
        changes = [self.resize, self.toast, self.theme, self.layout, self.zoom, self.dialog]
        more = [self.close_dialog, self.events, self.scroll, self.type, self.go_on, self.end]
        return [*[self.stream] * len(changes + more), *changes, *more]

    async def stream(self) -> None:
        for _frame in range(4):
            for session in self._c.sessions:
                if session in self._c.doors.runs:
                    words = self._rng.choices(WORDS, k=self._rng.randint(0, 4))
                    self._c.doors.answer(session, "".join(words))
            self._c.doors.now += 0.3
            await self._c.settle()

    async def resize(self) -> None:
        width, height = self._rng.choice(SIZES)
        self._terminal.screen.resize(height, width)
        await self._c.pilot.resize_terminal(width, height)

    async def toast(self) -> None:
        self._c.app.notice("Something is to be said, in a line or two.", title="A notice")

    async def theme(self) -> None:
        self._c.app.theme = self._rng.choice(self._c.app.theme_names)

    async def layout(self) -> None:
        await self._c.press("alt+l")

    async def zoom(self) -> None:
        await self._c.press("alt+z")

    async def dialog(self) -> None:
        await self._c.press(self._rng.choice(["f1", "ctrl+p", "f5", "ctrl+n", "f7"]))

    async def close_dialog(self) -> None:
        await self._c.press("escape")

    async def events(self) -> None:
        await self._c.press("f3")

    async def scroll(self) -> None:
        await self._c.press(self._rng.choice(["pageup", "pagedown"]))

    async def type(self) -> None:
        await self._c.press(*self._rng.choice(["abc", "水", "x y"]))

    async def go_on(self) -> None:
        for session in self._c.sessions:
            if session not in self._c.doors.runs:
                self._c.app.runs.send_to([session], "And now?")

    async def end(self) -> None:
        session = self._rng.choice(self._c.sessions)
        if session in self._c.doors.runs:
            ends = RunCompleted("stop", Metrics()), RunCutOff(CUT, Metrics())
            self._c.doors.end(session, self._rng.choice(ends))


@pytest.mark.parametrize("seed", range(4 if LONG else 2))
@pytest.mark.parametrize("panes", [4, 16])
async def test_whatever_happens_the_terminal_shows_what_textual_would_draw(
    terminal: Terminal, panes: int, seed: int
) -> None:
    rng = random.Random(seed)
    terminal.screen.resize(40, 120)
    async with console(panes, prompt="Tell me about bubbles.", show_events=True) as c:
        storm = Storm(c, terminal, rng)
        await compare(c, terminal, "the start")
        for number in range(STEPS):
            step = rng.choice(storm.steps)
            await step()
            await compare(c, terminal, f"step {number}, {step.__name__}")


class Watch:
    """Which rows were painted past the compositor."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rows = 0

        class Counted(Rows):
            def __init__(_self, rows: object) -> None:  # noqa: N805
                self.rows += len(rows)  # type: ignore[arg-type]
                super().__init__(rows)  # type: ignore[arg-type]

        monkeypatch.setattr(shortcut_module, "Rows", Counted)

    def count(self) -> int:
        rows, self.rows = self.rows, 0
        return rows


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    return Watch(monkeypatch)


async def say_more(c: Console, session: str) -> None:
    c.doors.answer(session, "more of it\n")
    await c.settle()


async def test_streams_take_the_short_way(watch: Watch) -> None:
    async with console(4, prompt="hi") as c:
        await say_more(c, c.sessions[1])
        watch.count()
        await say_more(c, c.sessions[1])
        assert watch.count() >= 1


async def test_under_a_dialog_textual_draws(watch: Watch) -> None:
    async with console(4, prompt="hi") as c:
        await say_more(c, c.sessions[0])
        await c.press("f1")
        await c.until_shown("Panes")
        watch.count()
        await say_more(c, c.sessions[0])
        assert watch.count() == 0


async def test_rows_under_a_toast_are_textuals_and_others_are_not(watch: Watch) -> None:
    async with console(4, size=(120, 40), prompt="hi") as c:
        for session in c.sessions:
            await say_more(c, session)
        c.app.notice("Something is said.", title="A notice")
        await c.until(lambda: c.toasts_on_screen() == 1, "the toast")
        await c.settle()
        watch.count()
        await say_more(c, c.sessions[0])
        assert watch.count() >= 1
        region, clear = c.app.shortcut._place(c.panes[3])  # type: ignore[union-attr, misc]
        assert region.height - 1 not in clear
        assert 0 in clear


async def test_a_textual_without_what_it_stands_on_draws_for_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with console(1) as c:
        assert shortcut_for(c.app, c.app.main) is not None
        monkeypatch.setattr(shortcut_module, "_PRIVATE", ("_no_such_part",))
        assert shortcut_for(c.app, c.app.main) is None


async def test_reasoning_that_is_folded_leaves_nothing_behind(terminal: Terminal) -> None:
    terminal.screen.resize(40, 120)
    async with console(1, prompt="hi") as c:
        session = c.sessions[0]
        for number in range(60):
            c.doors.emit(session, ChunkBody((ReasoningDelta(f"step {number}\n"),)))
            await c.settle()
        await compare(c, terminal, "thinking")
        await say_more(c, session)
        await compare(c, terminal, "the answer")
