"""A stored run in the pauses in which it came: paused, stepped, faster, slower. No Textual.

The clock is an argument; it is only read, and nobody is called back.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from itertools import accumulate

from msgspec.structs import replace

from streamtui.events import Event
from streamtui.replay import steps_of
from streamtui.ui.pane_state import Tag

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


class Playback:
    """The events of a run, each at its time.

    Events come out with the session's id given and with times of the playback's own: seconds since
    the first of them, as `now` tells them.
    """

    def __init__(
        self, events: Iterable[Event], session_id: str, clock: Callable[[], float]
    ) -> None:
        steps = list(steps_of(events))
        self._times = list(accumulate(step.pause for step in steps))
        self._events = [
            replace(step.event, mono=time, session_id=session_id)
            for step, time in zip(steps, self._times, strict=True)
        ]
        self._clock = clock
        self._next = 0
        self._at = 0.0
        self._since = clock()
        self.speed = 1.0
        self.paused = False

    @property
    def is_over(self) -> bool:
        """Whether every event was played."""
        return self._next >= len(self._events)

    def now(self) -> float:
        """Seconds of the run that have passed; stands still while paused, and at the end."""
        if self.paused or self.is_over:
            return self._at
        return self._at + max(0.0, self._clock() - self._since) * self.speed

    def due(self) -> list[Event]:
        """The events whose time has come since the last call."""
        if self.paused:
            return []
        return self._take(bisect_right(self._times, self.now(), lo=self._next) - self._next)

    def seconds_to_next(self) -> float | None:
        """Until the next event is due, by the clock; None while none will be."""
        if self.paused or self.is_over:
            return None
        return max(0.0, self._times[self._next] - self.now()) / self.speed

    def toggle_pause(self) -> None:
        """Stand still, or go on from there."""
        self._anchor()
        self.paused = not self.paused

    def change_speed(self, by: int) -> None:
        """Go so many steps up or down in SPEEDS."""
        self._anchor()
        place = SPEEDS.index(self.speed) + by
        self.speed = SPEEDS[min(max(place, 0), len(SPEEDS) - 1)]

    def step(self) -> list[Event]:
        """The next event, at once; the playback is paused then."""
        self._anchor()
        self.paused = True
        return self._take(1)

    def finish(self) -> list[Event]:
        """All that is left, at once."""
        self.paused = False
        return self._take(len(self._events))

    def tag(self) -> Tag:
        """How it goes, for the border."""
        speed = f"{self.speed:g}×"
        if self.is_over:
            return Tag("replay", "replay")
        if self.paused:
            return Tag(f"replay {speed} paused", f"‖ {speed}")
        return Tag(f"replay {speed}", f"▶ {speed}")

    def _anchor(self) -> None:
        self._at, self._since = self.now(), self._clock()

    def _take(self, count: int) -> list[Event]:
        taken = self._events[self._next : self._next + count]
        self._next += len(taken)
        if taken and (self.paused or self.is_over):
            self._at = max(self._at, taken[-1].mono)
            self._since = self._clock()
        return taken
