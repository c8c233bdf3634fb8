"""Questions to an engine, which may stand still."""

import asyncio

from streamtui.engine.doors import AnswerT, Doors, Query
from streamtui.errors import RunError

ANSWER_SECONDS = 20.0
"""How long an answer is waited for: the engine may have to be started first, and a large history on
a slow disk takes its time."""


async def ask(doors: Doors, query: Query, kind: type[AnswerT]) -> AnswerT | None:
    """What the engine answers. Raises RunError, also where it says nothing."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await doors.find(query, kind)
    except TimeoutError:
        words = f"the engine did not answer within {ANSWER_SECONDS:.0f} s"
        raise RunError(words, kind="usage", hint="Try again") from None
