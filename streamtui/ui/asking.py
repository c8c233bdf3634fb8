"""Questions to an engine, which may stand still."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from streamtui.engine.doors import AnswerT, Doors, Query
from streamtui.errors import RunError

if TYPE_CHECKING:
    from streamtui.ui.app import StreamTUIApp

ANSWER_SECONDS = 20.0
"""How long an answer is waited for: the engine may have to be started first, and a large history on
a slow disk takes its time."""
PATIENCE_SECONDS = 1.0
"""How long what was said before may take before it is said that it is on its way."""
LATE = "Older answers are read from the history first. All keys work meanwhile."
READ = "Older answers were read from the history: the command can be given again."

GoOn = Callable[[], Awaitable[object]]


async def ask(doors: Doors, query: Query, kind: type[AnswerT]) -> AnswerT | None:
    """What the engine answers. Raises RunError, also where it says nothing."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await doors.find(query, kind)
    except TimeoutError:
        words = f"the engine did not answer within {ANSWER_SECONDS:.0f} s"
        raise RunError(words, kind="usage", hint="Try again") from None


@contextmanager
def saying_if_late(app: "StreamTUIApp") -> Iterator[None]:
    """Say that old answers are on their way, if this takes longer than people wait."""
    late = app.set_timer(PATIENCE_SECONDS, lambda: app.notice(LATE))
    try:
        yield
    finally:
        late.stop()


async def fetch_first(app: "StreamTUIApp", fetch: Callable[[], Awaitable[GoOn | None]]) -> None:
    """Go on with what `fetch` returns, if anything, in the app's own queue: no key is carried out
    in the middle of it.

    Nothing is done where somebody has gone on to something else meanwhile.
    """
    before = _scene(app)
    with saying_if_late(app):
        go_on = await fetch()

    async def go_on_if_wanted() -> None:
        if go_on is not None and _scene(app) == before:
            await go_on()
        elif go_on is not None:
            app.notice(READ)

    app.call_later(go_on_if_wanted)


def _scene(app: "StreamTUIApp") -> tuple[object, ...]:
    """Is another where somebody has gone on to something else."""
    pane, main = app.main.grid.current, app.main
    turns = len(pane.state.turns) if pane else 0
    return app.screen, app.desk.current, turns, main.typing, main.prompt.text
