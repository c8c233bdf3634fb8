"""A terminal that takes few bytes a second: keys are seen soon, and in the end all is shown."""

import time

import pytest

from tests.lifetimes.home import MOST_SECONDS, PROMPT, Home, assert_all_is_kept, until
from tests.lifetimes.terminal import REDRAW, STREAMTUI, Terminal, panes, terminal

COUNT = 9
RATE = 120
BYTES_PER_SECOND = 20 << 10
LETTERS = "жшщю"
"""None of them is on the screen before."""

pytestmark = pytest.mark.timeout(60)


def seconds_until_seen(shown: Terminal, letter: str) -> float:
    began = time.monotonic()
    shown.press(letter.encode())
    shown.wait_for_text(letter)
    return time.monotonic() - began


def picture(text: str) -> list[str]:
    """The screen without what time alone changes."""
    return [line for line in text.splitlines()[1:] if "tok/s" not in line]


def test_keys_are_seen_soon_and_answers_are_whole_on_a_line_that_is_too_thin_for_them(
    home: Home,
) -> None:
    home.let_talk(rate=RATE)
    with terminal(home, *STREAMTUI, *panes(COUNT), "-p", PROMPT, columns=120) as shown:
        shown.wait_for_text(f"{COUNT} live")
        shown.read_slowly(BYTES_PER_SECOND)
        waits = [seconds_until_seen(shown, letter) for letter in LETTERS]
        print(f"keys seen after {', '.join(f'{wait:.2f}' for wait in waits)} s")
        assert max(waits) <= MOST_SECONDS
        assert LETTERS in shown.text()
        assert_all_is_kept(home, COUNT)
        shown.wait_for(lambda text: text.count("✓ talk") == COUNT, "all of them done")
        count = shown.wait_until_quiet(0.5)
        assert all(answer.split()[-1] in shown.text() for answer in home.said())
        before = picture(shown.text())
        shown.press(REDRAW)
        until(lambda: len(shown.received) > count, "drawn again")
        shown.wait_until_quiet(0.5)
        assert picture(shown.text()) == before
