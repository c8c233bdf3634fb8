"""Signals to a console, and what its terminal is left like."""

import os
import shlex
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lifetimes.home import LONG, MOST_SECONDS, PROMPT, Home, assert_all_is_kept, until
from tests.lifetimes.terminal import (
    ALT_SCREEN,
    ALT_SCREEN_LEFT,
    CURSOR_SHOWN,
    MOUSE_OFF,
    STREAMTUI,
    Terminal,
    panes,
    seconds_shown,
    switches,
    terminal,
)
from tests.processes import state_of

BASH = shutil.which("bash")
CTRL_C, CTRL_G, CTRL_Z, TAB = b"\x03", b"\x07", b"\x1a", b"\t"
COUNT = 6
STOPPED_SECONDS = 30.0 if LONG else 2.0

pytestmark = pytest.mark.timeout(180)


@contextmanager
def streaming(home: Home) -> Iterator[Terminal]:
    """A console with answers under way."""
    home.let_talk(rate=10)
    with terminal(home, *STREAMTUI, *panes(COUNT), "-p", PROMPT) as shown:
        shown.wait_for_text(f"{COUNT} live")
        yield shown


def seconds_to_end(shown: Terminal) -> tuple[float, int]:
    """How long the program takes to end from now on, and its exit status."""
    began = time.monotonic()
    status = shown.wait_for_exit()
    return time.monotonic() - began, status


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_console_told_to_end_does_so_at_once_and_what_streams_goes_on(
    home: Home, number: signal.Signals
) -> None:
    with streaming(home) as shown:
        shown.signal(number)
        seconds, status = seconds_to_end(shown)
        assert status == 0
        assert seconds <= MOST_SECONDS
        shown.wait_for_bytes(ALT_SCREEN_LEFT, CURSOR_SHOWN, MOUSE_OFF)
        assert shown.modes() == shown.modes_before
    assert_all_is_kept(home, COUNT)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_console_whose_terminal_does_not_read_ends_too_and_leaves_it_as_it_was(
    home: Home, number: signal.Signals
) -> None:
    with streaming(home) as shown:
        shown.stand_still()
        shown.signal(number)
        seconds, _status = seconds_to_end(shown)
        assert seconds <= MOST_SECONDS
        assert shown.modes() == shown.modes_before
        shown.read_again()
        shown.wait_for_bytes(ALT_SCREEN_LEFT, CURSOR_SHOWN, MOUSE_OFF)
    assert_all_is_kept(home, COUNT)


def test_an_impatient_second_signal_changes_nothing(home: Home) -> None:
    with streaming(home) as shown:
        shown.signal(signal.SIGTERM)
        shown.signal(signal.SIGTERM)
        shown.signal(signal.SIGINT)
        seconds, status = seconds_to_end(shown)
        assert (status, seconds <= MOST_SECONDS) == (0, True)
        assert shown.modes() == shown.modes_before
        assert b"Traceback" not in shown.received


def test_an_interrupt_that_is_meant_for_the_editor_does_not_end_the_console(
    home: Home, tmp_path: Path
) -> None:
    home.let_talk(rate=10)
    editor = tmp_path / "editor"
    editor.write_text("echo your text, please\nexec sleep 600\n")
    environ = {"EDITOR": shlex.join(["sh", str(editor)])}
    with terminal(home, *STREAMTUI, *panes(1), environ=environ) as shown:
        shown.wait_for_text("talk words")
        shown.press(CTRL_G)
        shown.wait_for_text("your text, please")
        assert shown.modes() == shown.modes_before
        shown.press(CTRL_C)
        shown.wait_for_text(f"The editor ended with status -{signal.SIGINT:d}")
        shown.press(b"still here")
        shown.wait_for_text("still here")


def most_seconds_shown(text: str) -> float:
    """For how long the answer that is farthest has been streaming."""
    return max(seconds_shown(text), default=0)


def test_streams_go_on_while_a_console_is_stopped_and_it_comes_back_as_it_was(home: Home) -> None:
    with streaming(home) as shown:
        raw = shown.modes()
        before = most_seconds_shown(shown.text())
        shown.signal(signal.SIGSTOP)
        until(lambda: state_of(shown.pid) == "T", "stopped")
        time.sleep(STOPPED_SECONDS)
        until(lambda: home.states() == ["streaming"] * COUNT, "all of them go on")
        taken = shown.received.count(ALT_SCREEN)
        shown.signal(signal.SIGCONT)
        # What is typed before that is thrown away.
        until(lambda: shown.received.count(ALT_SCREEN) > taken, "the terminal is taken back")
        shown.wait_for(
            lambda text: most_seconds_shown(text) > before + STOPPED_SECONDS, "what came meanwhile"
        )
        until(lambda: shown.modes() == raw, "the modes of a console")
        assert shown.text().count("╭") == COUNT + 1
        shown.press(b"still here")
        shown.wait_for_text("still here")
        shown.signal(signal.SIGTERM)
        assert seconds_to_end(shown)[1] == 0
        assert shown.modes() == shown.modes_before
    assert_all_is_kept(home, COUNT)


def test_where_no_shell_could_have_it_go_on_a_console_does_not_stop(home: Home) -> None:
    with streaming(home) as shown:
        stops: tuple[Callable[[], object], ...] = (
            lambda: shown.press(CTRL_Z),
            lambda: shown.signal(signal.SIGTSTP),
        )
        for stop in stops:
            shown.press(TAB)
            shown.wait_for_text("i type")
            left = shown.received.count(ALT_SCREEN_LEFT)
            stop()
            until(lambda: shown.received.count(ALT_SCREEN_LEFT) > left, "the screen was left")  # noqa: B023
            shown.press(b"i")
            shown.wait_for_text("enter send")
        assert state_of(shown.pid) != "T"


def until_stopped_again(pid: int, let_go_on: Callable[[], None]) -> None:
    """A process that is stopped goes on, and finds that it has no terminal."""
    until(lambda: state_of(pid) == "T", "stopped")
    before = switches(pid)
    let_go_on()
    until(lambda: switches(pid) > before and state_of(pid) == "T", "stopped again")


@pytest.mark.skipif(not BASH, reason="needs a shell with job control")
@pytest.mark.parametrize(
    ("line", "by_key"),
    [("{}", True), ("{}", False), ("sh -c '{}; true'", True)],
    ids=["ctrl+z", "signal", "ctrl+z in a script"],
)
def test_a_console_that_is_suspended_gives_the_shell_back_and_fg_returns(
    home: Home, line: str, by_key: bool
) -> None:
    home.let_talk(rate=10)
    command = " ".join([*STREAMTUI, *panes(COUNT), "-p", f'"{PROMPT}"'])
    with terminal(home, BASH or "", "--norc", "--noprofile", "-i") as shown:
        shown.press(line.format(command).encode() + b"\n")
        before = most_seconds_shown(shown.wait_for_text(f"{COUNT} live"))
        if by_key:
            shown.press(TAB)
            shown.wait_for_text("i type")
            shown.press(CTRL_Z)
        else:
            os.kill(home.console(), signal.SIGTSTP)
        shown.wait_for_text("Stopped")
        shown.press(b"echo so many: $((6 * 7))\n")
        shown.wait_for_text("so many: 42")
        for bytes_of_restoration in (ALT_SCREEN_LEFT, CURSOR_SHOWN, MOUSE_OFF):
            assert bytes_of_restoration in shown.received
        time.sleep(STOPPED_SECONDS)
        until_stopped_again(home.console(), lambda: shown.press(b"bg\n"))
        shown.press(b"fg\n")
        shown.wait_for(
            lambda text: most_seconds_shown(text) > before + STOPPED_SECONDS, "what came meanwhile"
        )
        assert_all_is_kept(home, COUNT)
