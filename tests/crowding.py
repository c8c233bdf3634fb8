"""What a crowded machine keeps from processes: so that it is not held against them."""

import asyncio
import time
from contextlib import suppress
from pathlib import Path


class Crowding:
    """How long the threads of processes were ready to run while the machine ran something else.

    Their own work is no part of it: a loop that is held up by us counts as held up.
    """

    def __init__(self, *pids: int) -> None:
        self._pids = pids
        self._samples: list[tuple[float, float]] = []

    async def watch(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(0.02)

    def look(self) -> None:
        self._samples.append((time.monotonic(), sum(map(_seconds_in_queue, self._pids))))

    def between(self, start: float, end: float) -> float:
        """Seconds of that time; both ends are on the monotonic clock."""
        before = [waited for at, waited in self._samples if at <= start]
        after = [waited for at, waited in self._samples if at >= end]
        return (after or [self._samples[-1][1]])[0] - (before or [0.0])[-1]


def _seconds_in_queue(pid: int) -> float:
    """https://docs.kernel.org/scheduler/sched-stats.html: the second number, in nanoseconds."""
    nanoseconds = 0
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        # Threads end.
        with suppress(OSError):
            nanoseconds += int(path.read_text().split()[1])
    return nanoseconds / 1e9
