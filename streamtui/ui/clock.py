"""The two clocks of the screen, as an argument, so that a test can stop them; and its beat."""

import time
from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable
from typing import NamedTuple

FRAME_SECONDS = 0.05
"""Twenty frames a second: nobody sees more, and three times as many cost twice the CPU."""
SLOW_SECONDS = 0.25
"""Ages and countdowns move that often while something is live."""
STEADY_SECONDS = 0.2
"""Figures in lines and in the current pane's border move at most that often."""
UNHURRIED_SECONDS = 0.5
"""Those in the borders of the other panes. Twenty times a second nobody reads them."""
LEAST_PAUSE = 0.01
"""Left to keys between two frames, however long a frame took."""


class Clock(NamedTuple):
    """Monotonic seconds for ages (the engine's own clock), and seconds since the epoch."""

    mono: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time


class Beat:
    """Calls `frame` soon after `request`, at most twenty times a second; never without a request.

    After a rest the first frame comes at once, so that a first token is not kept waiting.
    """

    def __init__(self, loop: AbstractEventLoop, frame: Callable[[], None]) -> None:
        self._loop = loop
        self._frame = frame
        self._due: TimerHandle | None = None
        self._not_before = 0.0

    def request(self, delay: float = 0.0) -> None:
        """Ask for a frame, `delay` seconds from now at the latest."""
        when = max(self._loop.time() + delay, self._not_before)
        if self._due is not None:
            if self._due.when() <= when:
                return
            self._due.cancel()
        self._due = self._loop.call_at(when, self._run)

    def done(self, started: float) -> None:
        """A frame that began at `started` (the loop's time) has been worked off."""
        self._not_before = max(started + FRAME_SECONDS, self._loop.time() + LEAST_PAUSE)

    def stop(self) -> None:
        """No more frames."""
        if self._due is not None:
            self._due.cancel()
        self._not_before = float("inf")

    def _run(self) -> None:
        self._due = None
        # Until `done` says otherwise; a frame that waits in a queue must not be asked for twice.
        self._not_before = self._loop.time() + FRAME_SECONDS
        self._frame()
