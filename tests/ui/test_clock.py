"""The beat of the screen: at once after a rest, then at most twenty times a second."""

import asyncio
from collections.abc import Callable
from itertools import pairwise
from typing import cast

from streamtui.ui.clock import FRAME_SECONDS, LEAST_PAUSE, SLOW_SECONDS, Beat


class FakeTimer:
    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self._when = when
        self.callback = callback
        self.cancelled = False

    def when(self) -> float:
        return self._when

    def cancel(self) -> None:
        self.cancelled = True


class FakeLoop:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[FakeTimer] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> FakeTimer:
        self.timers.append(FakeTimer(when, callback))
        return self.timers[-1]

    def run_until(self, end: float) -> None:
        while due := [timer for timer in self.timers if timer.when() <= end]:
            timer = min(due, key=FakeTimer.when)
            self.timers.remove(timer)
            self.now = max(self.now, timer.when())
            if not timer.cancelled:
                timer.callback()
        self.now = end


def beating() -> tuple[FakeLoop, Beat, list[float]]:
    loop = FakeLoop()
    frames: list[float] = []
    beat = Beat(cast("asyncio.AbstractEventLoop", loop), lambda: frames.append(loop.now))
    return loop, beat, frames


def test_the_first_frame_after_a_rest_comes_at_once() -> None:
    loop, beat, frames = beating()
    beat.request()
    loop.run_until(100.0)
    assert frames == [100.0]


def test_requests_between_frames_make_one_frame() -> None:
    loop, beat, frames = beating()
    for _ in range(50):
        beat.request()
        loop.run_until(loop.now + 0.01)
        if frames and frames[-1] == loop.now:
            beat.done(loop.now)
    assert len(frames) <= 11
    assert all(later - earlier > FRAME_SECONDS - 1e-6 for earlier, later in pairwise(frames))


def test_keys_get_a_turn_after_a_frame_that_took_long() -> None:
    loop, beat, frames = beating()
    beat.request()
    loop.run_until(100.0)
    loop.now = 103.0
    beat.done(100.0)
    beat.request()
    loop.run_until(104.0)
    assert frames[-1] == 103.0 + LEAST_PAUSE


def test_a_slow_frame_gives_way_to_an_urgent_one() -> None:
    loop, beat, frames = beating()
    beat.request(SLOW_SECONDS)
    beat.request()
    loop.run_until(101.0)
    assert frames == [100.0]


def test_without_a_request_there_is_no_frame() -> None:
    loop, beat, frames = beating()
    beat.request()
    loop.run_until(100.0)
    beat.done(100.0)
    loop.run_until(200.0)
    assert frames == [100.0]
    assert loop.timers == []


def test_a_beat_that_is_stopped_stays_silent() -> None:
    loop, beat, frames = beating()
    beat.request(SLOW_SECONDS)
    beat.stop()
    loop.run_until(200.0)
    assert frames == []
