"""A stored run, played into a pane of its own. It has no session in the engine.

All its times are those of the playback, so that the border says what it said then.
"""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.binding import BindingType
from textual.timer import Timer

from streamtui.events import Event
from streamtui.ui.clock import FRAME_SECONDS, SLOW_SECONDS, Clock
from streamtui.ui.commands import Where, bindings_for
from streamtui.ui.pane import Pane
from streamtui.ui.playback import Playback
from streamtui.ui.state import PaneState

Show = Callable[[Sequence[Event]], object]
"""Brings the pane's state up to date with events, and what the console says of it."""


class ReplayPane(Pane):
    """Plays from the moment it is shown until it is closed."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(Where.REPLAY)]

    def __init__(self, state: PaneState, playback: Playback, show: Show, *, run_id: str) -> None:
        super().__init__(state, Clock(playback.now))
        self.run_id = run_id
        self._playback = playback
        self._show = show
        self._timer: Timer | None = None

    def on_mount(self) -> None:
        """The first event is due at once."""
        self.play()

    def let_time_pass(self, now: float) -> None:  # noqa: ARG002 - it is another time
        """Move ages and figures by the playback's time."""
        super().let_time_pass(self._playback.now())

    def update_border(self, now: float) -> None:  # noqa: ARG002
        """The border's words at the playback's time."""
        self.state.tag = self._playback.tag()
        super().update_border(self._playback.now())

    def play(self) -> None:
        """Show what has become due, and wait for what comes next."""
        self._take(self._playback.due())

    def toggle_pause(self) -> None:
        """Stand still, or go on."""
        self._playback.toggle_pause()
        self._take(())

    def change_speed(self, by: int) -> None:
        """A step faster, or slower."""
        self._playback.change_speed(by)
        self._take(())

    def step(self) -> None:
        """One event further, and stand still there."""
        self._take(self._playback.step())

    def finish(self) -> None:
        """To the end."""
        self._take(self._playback.finish())
        self.transcript.follow()

    def _take(self, events: Sequence[Event]) -> None:
        if events:
            self._show(events)
        now = self._playback.now()
        self.update(now)
        self.update_border(now)
        self._wait()

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        wait = self._playback.seconds_to_next()
        if wait is not None:
            # Ages move meanwhile.
            self._timer = self.set_timer(min(max(wait, FRAME_SECONDS), SLOW_SECONDS), self.play)
