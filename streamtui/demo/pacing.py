"""When the steps of a script are due: a monotonic schedule, so delays never add up. No I/O."""

import asyncio
import math
from collections.abc import AsyncGenerator
from itertools import islice

from streamtui.demo.scripts import Script, Step

MAX_BATCH = 128
"""Steps handed out at once; then everybody else on the loop has a turn."""


async def paced(script: Script, pace: float) -> AsyncGenerator[list[Step]]:
    """The steps in time, those that are due together as one list.

    Step i is due at delay + i / rate seconds, both multiplied by `pace`. A reader who was
    late gets what is overdue at once.
    """
    clock = asyncio.get_running_loop().time
    interval = pace / script.rate
    begin = clock() + script.delay * pace
    steps = script.steps()
    played = 0
    while True:
        await asyncio.sleep(begin + played * interval - clock())
        batch = list(islice(steps, _steps_due(clock() - begin, interval, played)))
        if not batch:
            return
        played += len(batch)
        yield batch


def _steps_due(elapsed: float, interval: float, played: int) -> int:
    """How many steps to play now: those that are overdue, at least the one we slept for."""
    if interval == 0:
        return MAX_BATCH
    return min(max(1, math.floor(elapsed / interval) + 1 - played), MAX_BATCH)
