"""A console that is gone, in whatever way: what streams goes on, and the next one shows it."""

import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lifetimes.home import MOST_SECONDS, PROMPT, Home, assert_all_is_kept, until_gone
from tests.lifetimes.terminal import STREAMTUI, Terminal, panes, terminal
from tests.processes import cpu_seconds

COUNT = 20

pytestmark = pytest.mark.timeout(180)


def all_stream(text: str) -> bool:
    return f"{COUNT} live" in text and text.count("● talk") == COUNT


def kill(shown: Terminal) -> None:
    shown.signal(signal.SIGKILL)


def hang_up(shown: Terminal) -> None:
    shown.hang_up()


def detach(shown: Terminal) -> None:
    shown.press(b"\x11")
    shown.wait_for_text("detach")
    shown.press(b"d")


@pytest.mark.parametrize("end", [kill, hang_up, detach])
def test_what_streamed_is_shown_live_by_the_next_console_and_is_kept_whole(
    home: Home, end: Callable[[Terminal], None]
) -> None:
    home.let_talk(rate=10)
    with terminal(home, *STREAMTUI, *panes(COUNT), "-p", PROMPT) as first:
        first.wait_for(all_stream, "all of them")
        end(first)
        first.wait_for_exit()
    [engine] = home.engines
    began = time.monotonic()
    with terminal(home, *STREAMTUI) as second:
        second.wait_for(all_stream, "all of them")
        seconds = time.monotonic() - began
        before = second.text()
        second.wait_for(lambda text: text != before, "something new")
        assert_all_is_kept(home, COUNT)
        second.wait_for(lambda text: text.count("✓ talk") == COUNT, "all of them done")
        assert home.engines == [engine]
    print(f"live again after {seconds:.2f} s")
    assert seconds <= MOST_SECONDS
    until_gone(engine)


@pytest.mark.parametrize("controls", [True, False], ids=["told", "untold"])
@pytest.mark.parametrize("engine", ["process", "thread"])
def test_a_console_whose_terminal_is_gone_ends_soon_and_does_not_spin(
    home: Home, engine: str, controls: bool
) -> None:
    """Of a terminal that is none of its own a program hears nothing when it is closed."""
    home.let_talk(rate=10)
    environ = {"STREAMTUI_ENGINE": engine}
    command = (*STREAMTUI, *panes(4), "-p", PROMPT)
    with terminal(home, *command, controls=controls, environ=environ) as shown:
        shown.wait_for_text("4 live")
        used, began = cpu_seconds(shown.pid), time.monotonic()
        shown.hang_up()
        until_gone(shown.pid)
        assert time.monotonic() - began <= MOST_SECONDS
        assert cpu_seconds(shown.pid) - used <= MOST_SECONDS / 2
        assert shown.wait_for_exit() == 0


@pytest.mark.skipif(not shutil.which("bash"), reason="needs a shell with job control")
def test_the_engine_belongs_to_no_terminal_and_outlives_the_shell_that_led_to_it(
    home: Home,
) -> None:
    home.let_talk(rate=10)
    with terminal(home, shutil.which("bash") or "", "--norc", "--noprofile", "-i") as shown:
        shown.press(" ".join([*STREAMTUI, *panes(2), "-p", f'"{PROMPT}"']).encode() + b"\n")
        shown.wait_for_text("2 live")
        engine = home.engine()
        assert os.getsid(engine) == engine
        for number in range(3):
            there = Path(f"/proc/{engine}/fd/{number}").readlink()
            assert there == Path(os.devnull)
        shown.signal(signal.SIGKILL)
    assert_all_is_kept(home, 2)
