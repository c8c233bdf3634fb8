"""When the steps of a script are due: a monotonic schedule, so delays never add up. No I/O."""

import asyncio
import math
from bisect import bisect_right
from collections.abc import AsyncGenerator, Iterator
from itertools import islice
from typing import TypeVar

from msgspec import Struct

from streamtui.demo.scripts import Script, Step

Played = TypeVar("Played")

MAX_BATCH = 128
"""Steps handed out at once; then everybody else on the loop has a turn."""


class Schedule(Struct, frozen=True):
    """Step i is due at begin + i * interval, in seconds of the loop's clock."""

    begin: float
    interval: float

    def due_at(self, played: int) -> float:
        """When the step after those that were played is due."""
        return self.begin + played * self.interval

    def steps_due(self, now: float, played: int) -> int:
        """How many to play now, given that one is due."""
        if self.interval == 0:
            return MAX_BATCH
        overdue = math.floor((now - self.begin) / self.interval) + 1 - played
        return min(max(1, overdue), MAX_BATCH)


class RecordedSchedule(Struct, frozen=True):
    """Step i is due at begin + offsets[i]; the last offset is the ending's."""

    begin: float
    offsets: tuple[float, ...]

    def due_at(self, played: int) -> float:
        """When the step after those that were played is due."""
        return self.begin + self.offsets[min(played, len(self.offsets) - 1)]

    def steps_due(self, now: float, played: int) -> int:
        """How many to play now, given that one is due."""
        overdue = bisect_right(self.offsets, now - self.begin) - played
        return min(max(1, overdue), MAX_BATCH)


def schedule(script: Script, pace: float, now: float) -> Schedule | RecordedSchedule:
    """For a script that starts now; `pace` multiplies all delays."""
    if script.offsets:
        return RecordedSchedule(now, tuple(offset * pace for offset in script.offsets))
    return Schedule(now + script.delay * pace, pace / script.rate)


def paced(script: Script, pace: float) -> AsyncGenerator[list[Step]]:
    """The steps of a script that starts now, in time."""
    times = schedule(script, pace, asyncio.get_running_loop().time())
    return in_time(script.steps(), times)


async def in_time(
    steps: Iterator[Played], times: Schedule | RecordedSchedule
) -> AsyncGenerator[list[Played]]:
    """The steps in time, those that are due together as one list.

    A reader who was late gets what is overdue at once.
    """
    clock = asyncio.get_running_loop().time
    played = 0
    while True:
        await asyncio.sleep(times.due_at(played) - clock())
        batch = list(islice(steps, times.steps_due(clock(), played)))
        if not batch:
            return
        played += len(batch)
        yield batch
