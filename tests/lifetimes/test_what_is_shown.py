"""What many answers say at once is on the screen, in the journal and in panes that nobody saw."""

import re

import pytest

from tests.lifetimes.home import LONG, PROMPT, Home, assert_all_is_kept, until
from tests.lifetimes.terminal import STREAMTUI, Terminal, panes, terminal

SECONDS = 10 if LONG else 2
LOADS = [(1, 100), (16, 50), (64, 20), (64, 200)] if LONG else [(1, 100), (64, 200)]
"""Panes, and words a second in each."""
ZOOM, NEXT_PANE, PAGE_UP = b"\x1bz", b"\x1d", b"\x1b[5~"
COLUMNS, ROWS = 200, 50

_NUMBER = re.compile(r"─(\d+) ✓ talk")
_WORD = re.compile(r"a\d\dw\d{4}")

pytestmark = pytest.mark.timeout(300)


def number_shown(text: str) -> int:
    """The number of the pane that is alone on the screen; 0 where there are several, or none."""
    numbers = _NUMBER.findall(text)
    return int(numbers[0]) if len(numbers) == 1 else 0


def words_of(text: str) -> list[str]:
    return _WORD.findall(text)


def assert_the_whole_pane_shows(shown: Terminal, said: dict[str, list[str]]) -> str:
    """Page by page, from its end to its start; returns which answer it is."""
    words = words_of(shown.text())
    name = words[-1][:3]
    whole = said[name]
    end, start = len(whole), len(whole)
    while True:
        start = end - len(words)
        assert words == whole[start:end]
        if not start:
            return name
        before = words
        shown.press(PAGE_UP)
        shown.wait_for(lambda text: words_of(text) != before, "the page before")  # noqa: B023
        shown.wait_until_quiet(0.1)
        words = words_of(shown.text())
        end = whole.index(words[-1]) + 1
        assert end >= start


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize(("count", "rate"), LOADS)
def test_all_that_was_said_is_on_screen_and_in_the_journal(
    home: Home, count: int, rate: int, hidden: bool
) -> None:
    home.let_talk(rate=rate)
    command = (*STREAMTUI, *panes(count), "-p", PROMPT)
    with terminal(home, *command, columns=COLUMNS, rows=ROWS) as shown:
        shown.wait_for_text(f"{count} live")
        if hidden:
            shown.press(ZOOM)
        enough = 8 * rate * SECONDS
        until(lambda: sum(len(each) > enough for each in home.said()) == count, "enough was said")
        assert_all_is_kept(home, count)
        said = {answer[:3]: answer.split() for answer in home.said()}
        if not hidden:
            ends = [words[-1] for words in said.values()]
            shown.wait_for(lambda text: all(end in text for end in ends), "all ends")
            shown.press(ZOOM)
        seen = set()
        for number in range(1, count + 1):
            shown.wait_for(lambda text: number_shown(text) == number, f"pane {number}")  # noqa: B023
            shown.wait_until_quiet(0.1)
            seen.add(assert_the_whole_pane_shows(shown, said))
            shown.press(NEXT_PANE)
        assert seen == set(said)
