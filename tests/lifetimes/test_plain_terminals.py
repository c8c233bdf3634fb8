"""Terminals that know less than others: no UTF-8, no colours, no synchronized output."""

import re

import pytest

from tests.lifetimes.home import Home
from tests.lifetimes.terminal import STREAMTUI, Terminal, terminal

# Of SGR those parameters that choose a colour, but for the terminal's own (39, 49).
COLORS = re.compile(rb"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;\d+)*m")
MORE_COLORS = re.compile(rb"\x1b\[(?:\d+;)*[34]8;[\d;]*m")
BACKGROUND = re.compile(rb"\x1b\[(?:\d+;)*(?:4[0-7]|10[0-7])(?:;\d+)*m")
BOLD = re.compile(rb"\x1b\[(?:0;)?1;39;49m")
BEGIN, END = b"\x1b[?2026h", b"\x1b[?2026l"
ASKED, HAS_IT = b"\x1b[?2026$p", b"\x1b[?2026;2$y"
CURSOR_ASKED = (b"\x1b[6n", b"\x1b[?6n")

pytestmark = pytest.mark.timeout(60)


def answered(shown: Terminal) -> str:
    """The screen once there is some of an answer."""
    return shown.wait_for(lambda text: re.search(r"ttft \d", text) is not None, "an answer")


DEMO = (*STREAMTUI, "-e", "demo/verse", "-p", "Sing … of «water»")


@pytest.mark.parametrize("locale", [{"LC_ALL": "C"}, {"LANG": "POSIX"}, {"LC_ALL": "de_DE"}])
def test_where_the_locale_is_not_utf_8_all_is_ascii(home: Home, locale: dict[str, str]) -> None:
    with terminal(home, *DEMO, controls=False, environ={"LANG": "", **locale}) as shown:
        text = answered(shown)
        assert shown.received.isascii()
    assert re.search(r"\+-1 . demo verse", text)
    assert "Sing ~ of <water>" in text


def test_in_a_utf_8_locale_borders_are_drawn(home: Home) -> None:
    with terminal(home, *DEMO) as shown:
        assert "╭─1 " in answered(shown)


def test_keys_that_are_no_utf_8_end_nothing(home: Home) -> None:
    with terminal(home, *DEMO) as shown:
        answered(shown)
        shown.press("caf\u00e9 ".encode("latin-1") + b"still here")
        shown.wait_for_text("caf\ufffd still here")


@pytest.mark.parametrize("theme", ["night", "paper"])
def test_without_colours_there_are_none(home: Home, theme: str) -> None:
    home.configure(f'[defaults]\ntheme = "{theme}"\n')
    with terminal(home, *DEMO, environ={"NO_COLOR": "1"}) as shown:
        answered(shown)
        assert not COLORS.search(shown.received)
        assert BOLD.search(shown.received)  # what has the focus


def test_where_there_are_sixteen_colours_they_are_the_terminal_s_own(home: Home) -> None:
    with terminal(home, *DEMO, environ={"TERM": "xterm", "COLORTERM": ""}) as shown:
        answered(shown)
        assert COLORS.search(shown.received)
        assert not MORE_COLORS.search(shown.received)
        assert not BACKGROUND.search(shown.received)


def test_updates_are_synchronized_only_where_the_terminal_says_that_it_can(home: Home) -> None:
    with terminal(home, *DEMO) as shown:
        answered(shown)
        assert ASKED in shown.received
        assert BEGIN not in shown.received
    with terminal(home, *DEMO) as shown:
        shown.wait_for_bytes(ASKED)
        shown.press(HAS_IT)
        shown.wait_for_bytes(BEGIN)
        answered(shown)
        shown.wait_until_quiet(0.3)
        assert shown.received.count(BEGIN) == shown.received.count(END)


def test_the_terminal_is_never_asked_where_its_cursor_is(home: Home) -> None:
    with terminal(home, *DEMO) as shown:
        answered(shown)
        assert not any(question in shown.received for question in CURSOR_ASKED)
