"""A terminal that takes few bytes a second: keys are seen soon, and in the end all is shown."""

import time

import pytest

from tests.lifetimes.home import MOST_SECONDS, PROMPT, Home, assert_all_is_kept
from tests.lifetimes.terminal import STREAMTUI, Terminal, panes, terminal

COUNT = 9
RATE = 120
BYTES_PER_SECOND = 20 << 10
LETTERS = "жшщю"
"""None of them is on the screen before."""
QUIET = 0.5
MOST_BYTES_A_CELL = 4
"""With colours and borders; a screen that is drawn twice has more."""

pytestmark = pytest.mark.timeout(60)


def seconds_until_seen(shown: Terminal, letter: str) -> float:
    began = time.monotonic()
    shown.press(letter.encode())
    shown.wait_for_text(letter)
    return time.monotonic() - began


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
        shown.assert_it_is_what_a_new_one_would_be()
        assert all(answer.split()[-1] in shown.text() for answer in home.said())


@pytest.mark.parametrize("key", [b"\x1bOP", b"\x10"], ids=["help", "palette"])
def test_a_dialog_is_drawn_once_and_only_where_it_lies(home: Home, key: bytes) -> None:
    columns, rows = 80, 24
    home.let_talk(rate=RATE)
    with terminal(home, *STREAMTUI, *panes(4), columns=columns, rows=rows) as shown:
        shown.wait_for_text("4 panes")
        shown.wait_until_quiet(QUIET)
        before = len(shown.received)
        for pressed in (key, b"\x1b"):
            shown.press(pressed)
            shown.wait_until_quiet(QUIET)
        assert 0 < len(shown.received) - before < 2 * MOST_BYTES_A_CELL * columns * rows
