"""An engine that is gone before its time, as its users see it."""

import os
import signal
import time

import pytest

from tests.lifetimes.home import MOST_SECONDS, PROMPT, Home, until, until_gone
from tests.lifetimes.terminal import STREAMTUI, panes, terminal

COUNT = 4
MANY = 100

pytestmark = pytest.mark.timeout(180)


def test_a_console_says_what_is_interrupted_and_goes_on_with_another_engine(home: Home) -> None:
    home.let_talk(rate=20)
    with terminal(home, *STREAMTUI, *panes(COUNT), "-p", PROMPT) as shown:
        shown.wait_for(lambda text: text.count("● talk") == COUNT, "all of them")
        killed = home.engine()
        os.kill(killed, signal.SIGKILL)
        shown.wait_for_text("The engine ended")
        shown.wait_for_text("Another engine runs")
        shown.wait_for(lambda text: "live" not in text, "nothing goes on")
        assert shown.text().count("interrupted") >= COUNT
        [engine] = home.engines
        assert engine != killed
        shown.press(b"and now?")
        shown.wait_until_quiet(0.2)
        shown.press(b"\r")
        until(lambda: len(home.states()) == COUNT + 1, "another run")
    assert home.states().count("interrupted") == COUNT


def test_the_next_console_shows_what_was_interrupted_while_nobody_was_there(home: Home) -> None:
    home.let_talk(rate=20)
    with terminal(home, *STREAMTUI, *panes(COUNT), "-p", PROMPT) as first:
        first.wait_for(lambda text: text.count("● talk") == COUNT, "all of them")
        until(
            lambda: len(home.states()) == COUNT and all(home.answers()),
            "something of each is kept",
        )
        until(lambda: home.look(lambda history: history.workspace("default").desk), "so are panes")
        first.hang_up()
    killed = home.engine()
    os.kill(killed, signal.SIGKILL)
    until_gone(killed)
    with terminal(home, *STREAMTUI) as second:
        second.wait_for(lambda text: text.count("interrupted") >= COUNT, "all of them")
        assert home.states() == ["interrupted"] * COUNT
        answers = home.answers()
        assert all(answers)
        assert len(home.said()) == COUNT
        assert all(any(answer.startswith(kept) for kept in answers) for answer in home.said())
        for answer in answers:
            assert answer.split()[0] in second.text()


def test_quitting_while_many_answers_stream_is_quick_and_cancels_them(home: Home) -> None:
    home.let_talk(rate=10)
    with terminal(home, *STREAMTUI, *panes(MANY), "-p", PROMPT) as shown:
        shown.wait_for(lambda text: f"{MANY} live" in text, "all of them")
        engine = home.engine()
        shown.press(b"\x11")
        shown.wait_for_text("Quit and cancel them?")
        shown.press(b"y")
        began = time.monotonic()
        assert shown.wait_for_exit() == 0
        assert time.monotonic() - began <= MOST_SECONDS
    assert home.until_all_ended(MANY) == ["cancelled"] * MANY
    until_gone(engine)
    assert not home.journal.with_name("journal.db-wal").exists()


def test_an_engine_told_to_end_does_not_wait_for_a_console_that_stands_still(home: Home) -> None:
    home.let_talk(rate=50)
    with terminal(home, *STREAMTUI, *panes(COUNT), "-p", PROMPT) as shown:
        shown.wait_for(lambda text: text.count("● talk") == COUNT, "all of them")
        shown.signal(signal.SIGSTOP)
        heard = len("".join(home.said()))
        until(lambda: len("".join(home.said())) > heard + 2_000, "more that it cannot be told")
        engine = home.engine()
        os.kill(engine, signal.SIGTERM)
        assert until_gone(engine) <= MOST_SECONDS + 1
    assert home.states() == ["cancelled"] * COUNT
