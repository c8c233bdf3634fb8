"""Runs played again: which steps they are, and when each comes."""

import threading
import time

import pytest

from streamtui.config import Endpoint
from streamtui.engine.doors import GetTranscript
from streamtui.engine.reports import Unanswered
from streamtui.events import Event, RunCancelled, RunFailed, RunQueued
from streamtui.replay import Clockwork, ReplayDoors, Step, steps_of
from tests.stored_runs import COMPLETED, run, text

ENDPOINT = Endpoint("e", "openai-chat", "")
LONG = 3600.0


class Listener:
    """Hears a replay to its end."""

    def __init__(self, doors: ReplayDoors) -> None:
        self.events: list[Event] = []
        self._woken = threading.Event()
        self._subscription = doors.subscribe(self._woken.set)

    def until(self, count: int) -> list[Event]:
        while len(self.events) < count:
            assert self._woken.wait(10)
            self._woken.clear()
            self.events += self._subscription.drain()
        return self.events


def play(doors: ReplayDoors) -> Listener:
    listener = Listener(doors)
    session_id = doors.open_session(ENDPOINT)
    doors.send(session_id, "anything")
    return listener


def test_steps_have_the_pauses_between_events() -> None:
    steps = list(steps_of(run(*text("a", "b"), COMPLETED, at=(0.5, 0.75, 2.75))))
    assert [step.pause for step in steps] == pytest.approx([0.0, 0.5, 0.25, 2.0])
    assert [step.text for step in steps] == ["", "a", "b", ""]


def test_a_clock_that_was_set_back_makes_no_pause() -> None:
    steps = list(steps_of(run(*text("a", "b"), COMPLETED, at=(5.0, 1.0, 1.5))))
    assert [step.pause for step in steps] == pytest.approx([0.0, 5.0, 0.0, 0.5])


def test_a_wait_in_a_queue_is_not_waited_again() -> None:
    queued = Event(0, 0.0, 0.0, "s", "r", RunQueued("hi", 1))
    assert [step.pause for step in steps_of([queued, *run(COMPLETED)])][:2] == [0.0, 0.0]


def test_a_run_comes_as_it_was_with_its_own_ids() -> None:
    events = run(*text("a", "b"), COMPLETED, run_id="r7", session_id="s7")
    doors = ReplayDoors(events, Clockwork(0))
    listener = Listener(doors)
    assert doors.open_session(ENDPOINT) == "s7"
    assert doors.send("s7", "whatever") == "r7"
    assert listener.until(len(events)) == events
    doors.close()


def test_the_clockwork_keeps_its_time_however_late_it_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, waits = 50.0, []
    clockwork, event = Clockwork(2.0, lambda: now), run(COMPLETED)[0]

    def wait(seconds: float) -> bool:
        nonlocal now
        waits.append(seconds)
        now += seconds
        return False

    monkeypatch.setattr(clockwork._ended, "wait", wait)
    for pause, late in ((0.0, 0.0), (1.0, 0.3), (1.0, 0.0), (0.2, 7.0), (1.0, 0.0)):
        now += late
        assert clockwork.wait_for(Step(pause, event, ""))
    assert waits == pytest.approx([0.0, 0.2, 0.5, 0.0, 0.0])


def test_at_once_is_at_once() -> None:
    clockwork, event = Clockwork(0), run(COMPLETED)[0]
    assert clockwork.wait_for(Step(LONG, event, ""))
    clockwork.end()
    assert not clockwork.wait_for(Step(LONG, event, ""))


def test_a_replay_that_is_cancelled_ends_at_once_with_what_came() -> None:
    doors = ReplayDoors(run(*text("abc", "d"), COMPLETED, at=(0.0, LONG, LONG)), Clockwork(1))
    listener = play(doors)
    listener.until(2)
    doors.cancel("s")
    end = listener.until(3)[-1].body
    assert isinstance(end, RunCancelled)
    assert (end.metrics.chunks, end.metrics.text_chars) == (1, 3)
    doors.close()


def test_closing_waits_for_nobody() -> None:
    doors = ReplayDoors(run(COMPLETED, at=(LONG,)), Clockwork(1))
    play(doors)
    began = time.monotonic()
    doors.close()
    assert time.monotonic() - began < 1


def test_it_plays_once_however_often_it_is_asked() -> None:
    events = run(*text("a"), COMPLETED)
    doors = ReplayDoors(events, Clockwork(0))
    listener = play(doors)
    doors.send("s", "again")
    assert listener.until(len(events)) == events
    doors.close()
    assert listener._subscription.drain() == []


@pytest.mark.parametrize("speed", [1.0, 1e-300])
def test_a_pause_for_ever_can_be_ended(speed: float) -> None:
    doors = ReplayDoors(run(*text("a"), COMPLETED, at=(0.0, 1e300)), Clockwork(speed))
    listener = play(doors)
    listener.until(2)
    doors.cancel_all()
    assert isinstance(listener.until(3)[-1].body, RunCancelled)
    doors.close()


def test_a_bug_is_an_end_too(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Clockwork):
        def wait_for(self, step: Step) -> bool:
            raise AssertionError

    doors = ReplayDoors(run(COMPLETED), Broken(1))
    end = play(doors).until(1)[-1].body
    assert isinstance(end, RunFailed)
    assert end.error.kind == "bug"
    assert "a replay ended through a bug" in caplog.text
    doors.close()


async def test_it_answers_no_questions() -> None:
    doors = ReplayDoors(run(COMPLETED), Clockwork(0))
    assert isinstance(await doors.ask(GetTranscript("s")), Unanswered)
