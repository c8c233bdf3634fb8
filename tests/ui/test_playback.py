"""A stored run in the pauses in which it came: its clock, its speeds, its steps."""

import pytest
from msgspec.structs import replace

from streamtui.events import Event, RunCompleted, RunCutOff
from streamtui.ui.past import with_end
from streamtui.ui.playback import SPEEDS, Playback
from tests.ui.past_runs import past_run

RUN = past_run("r1", "one ", "two ", "three")
"""Started, sent, three pieces and the end, a second after one another."""


class Play:
    """A playback and the clock in front of it."""

    def __init__(self, *events: Event) -> None:
        self.clock = 1_000.0
        self.playback = Playback(events or RUN.events, "replay-1", lambda: self.clock)

    def after(self, seconds: float) -> list[str]:
        """What becomes due when so much time has passed."""
        self.clock += seconds
        return names(self.playback.due())


def names(events: list[Event]) -> list[str]:
    return [type(event.body).__name__ for event in events]


def test_events_come_in_the_pauses_in_which_they_came() -> None:
    play = Play()
    assert play.after(0) == ["RunStarted"]
    assert play.after(0.9) == []
    assert play.after(0.1) == ["RequestSent"]
    assert play.after(2.5) == ["Chunk", "Chunk"]
    assert play.after(60) == ["Chunk", "RunCompleted"]
    assert play.playback.is_over
    assert play.after(60) == []


def test_events_carry_the_playbacks_own_session_and_time() -> None:
    play = Play()
    play.clock += 3
    events = play.playback.due()
    assert {event.session_id for event in events} == {"replay-1"}
    assert [event.mono for event in events] == [0, 1, 2, 3]
    assert {event.run_id for event in events} == {"r1"}


@pytest.mark.parametrize(("steps", "speed"), [(1, 2.0), (3, 8.0), (-1, 0.5), (99, 64.0)])
def test_time_passes_as_fast_as_it_is_told(steps: int, speed: float) -> None:
    play = Play()
    for _step in range(abs(steps)):
        play.playback.change_speed(1 if steps > 0 else -1)
    assert play.playback.speed == speed
    assert play.after(0) == ["RunStarted"]
    assert play.playback.seconds_to_next() == pytest.approx(1 / speed)
    assert play.after(1 / speed) == ["RequestSent"]


def test_a_change_of_speed_skips_nothing_and_repeats_nothing() -> None:
    play = Play()
    play.after(1.5)
    play.playback.change_speed(1)
    assert play.playback.now() == pytest.approx(1.5)
    assert play.after(0.2) == []
    assert play.after(0.1) == ["Chunk"]


def test_while_it_is_paused_no_time_passes() -> None:
    play = Play()
    play.after(1.5)
    play.playback.toggle_pause()
    assert play.after(100) == []
    assert play.playback.seconds_to_next() is None
    assert play.playback.now() == pytest.approx(1.5)
    play.playback.toggle_pause()
    assert play.after(0.4) == []
    assert play.after(0.2) == ["Chunk"]


def test_a_step_is_one_event_and_pauses() -> None:
    play = Play()
    play.after(0)
    assert names(play.playback.step()) == ["RequestSent"]
    assert play.playback.paused
    assert play.playback.now() == 1.0
    assert names(play.playback.step()) == ["Chunk"]
    play.playback.toggle_pause()
    assert play.after(0.9) == []
    assert play.after(0.2) == ["Chunk"]


def test_the_end_comes_at_once_and_time_stands_still_there() -> None:
    play = Play()
    play.playback.toggle_pause()
    assert len(play.playback.finish()) == 6
    assert play.playback.is_over
    assert play.playback.now() == 5.0
    play.clock += 9
    assert play.playback.now() == 5.0
    assert play.playback.seconds_to_next() is None
    assert play.playback.step() == play.playback.finish() == []


def test_a_clock_that_was_set_back_makes_no_pause() -> None:
    early = [replace(event, mono=event.mono - 40) for event in RUN.events[3:]]
    play = Play(*RUN.events[:3], *early)
    assert play.after(1.9) == ["RunStarted", "RequestSent"]
    assert play.after(0.2) == ["Chunk", "Chunk"]
    assert play.after(2.0) == ["Chunk", "RunCompleted"]


def test_a_clock_in_front_of_it_that_goes_back_does_no_harm() -> None:
    play = Play()
    play.after(1.2)
    assert play.after(-50) == []
    assert play.playback.now() == pytest.approx(0.0)


def test_its_state_has_words_for_wide_and_narrow_borders() -> None:
    play = Play()
    assert play.playback.tag()[:2] == ("replay 1×", "▶ 1×")
    play.playback.change_speed(-1)
    play.playback.toggle_pause()
    assert play.playback.tag()[:2] == ("replay 0.5× paused", "‖ 0.5×")
    play.playback.finish()
    assert play.playback.tag()[:2] == ("replay", "replay")


def test_speeds_have_a_slowest_and_a_fastest() -> None:
    play = Play()
    for _step in range(20):
        play.playback.change_speed(-1)
    assert play.playback.speed == SPEEDS[0]


def test_a_run_that_never_ended_ends_where_it_was_interrupted() -> None:
    stored = past_run("r1", "half an", end=None, state="interrupted")
    *before, end = with_end(stored)
    assert tuple(before) == stored.events
    assert isinstance(end.body, RunCutOff)
    assert end.body.metrics.text_chars == len("half an")
    assert isinstance(with_end(RUN)[-1].body, RunCompleted)
    assert with_end(RUN) == RUN.events
