"""A terminal that nobody reads for a while, as on a stalled link: no stream notices."""

import time

import pytest

from tests.lifetimes.home import LONG, MOST_SECONDS, PROMPT, Home, assert_all_is_kept
from tests.lifetimes.terminal import STREAMTUI, panes, seconds_shown, terminal

COUNT = 20
RATE = 20
UNREAD_SECONDS = 30.0 if LONG else 6.0

pytestmark = pytest.mark.timeout(180)


def test_answers_that_end_while_nobody_reads_are_whole_and_shown_once_somebody_does(
    home: Home,
) -> None:
    home.let_talk(rate=RATE)
    with terminal(home, *STREAMTUI, *panes(COUNT), "-p", PROMPT) as shown:
        shown.wait_for_text(f"{COUNT} live")
        began = time.monotonic()
        shown.stand_still()
        time.sleep(max(0.0, began + UNREAD_SECONDS * 0.8 - time.monotonic()))
        assert_all_is_kept(home, COUNT)
        time.sleep(max(0.0, began + UNREAD_SECONDS - time.monotonic()))
        again = time.monotonic()
        shown.read_again()
        shown.wait_for(lambda text: text.count("✓ talk") == COUNT, "all of them done")
        seconds = time.monotonic() - again
        print(f"right again after {seconds:.2f} s")
        assert seconds <= MOST_SECONDS
        shown.assert_it_is_what_a_new_one_would_be()
        assert all(answer.split()[-1] in shown.text() for answer in home.said())


def test_answers_that_go_on_are_shown_where_they_are_once_somebody_reads(home: Home) -> None:
    home.let_talk(rate=RATE)
    with terminal(home, *STREAMTUI, *panes(COUNT), "-p", PROMPT) as shown:
        text = shown.wait_for(lambda text: len(seconds_shown(text)) == COUNT, "all of them")
        least = min(seconds_shown(text)) + UNREAD_SECONDS
        began = time.monotonic()
        shown.stand_still()
        time.sleep(max(0.0, began + UNREAD_SECONDS - time.monotonic()))
        again = time.monotonic()
        shown.read_again()
        shown.wait_for(lambda text: min(seconds_shown(text), default=0) >= least, "what is now")
        seconds = time.monotonic() - again
        print(f"right again after {seconds:.2f} s")
        assert seconds <= MOST_SECONDS
        assert_all_is_kept(home, COUNT)
        shown.wait_for(lambda text: text.count("✓ talk") == COUNT, "all of them done")
        shown.assert_it_is_what_a_new_one_would_be()
