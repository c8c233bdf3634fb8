"""The real program while somebody drags the corner of its window: nothing strange stays on screen.

60 sizes by default; STREAMTUI_LONG_TESTS=1 takes all 500.
"""

import fcntl
import os
import random
import struct
import sys
import termios
import time
from pathlib import Path

import pytest
from pyte.screens import Char

from tests.lifetimes.home import home_in
from tests.lifetimes.terminal import ALT_SCREEN_LEFT, REDRAW, STREAMTUI, Terminal, terminal

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="engines are found through /proc"
)

LONG = os.environ.get("STREAMTUI_LONG_TESTS") == "1"
SIZES = 500 if LONG else 60
ROUNDS = SIZES // 30
"""As often all panes are asked, and the screen is looked at when they have answered."""
SMALLEST, LARGEST = (10, 3), (300, 100)
MODELS = ("demo/verse", "demo/fast", "demo/thinker", "demo/tools")
"""Not demo/markdown: of the emoji that join pyte makes one cell for each part."""
PANES = 16
QUIET = 0.7
"""Seconds; ages and rates of what is live move more often."""
STRAY = Char("▒")
TO_ALL = b"\x14"
ENTER = b"\r"

Cells = list[list[Char]]


def resize(window: Terminal, columns: int, rows: int) -> None:
    """Another size; every cell that is not written again from now on is a stray one."""
    with window._lock:
        window._screen.resize(rows, columns)
        _fill(window)
    size = struct.pack("HHHH", rows, columns, 0, 0)
    fcntl.ioctl(window._master, termios.TIOCSWINSZ, size)


def redraw(window: Terminal) -> None:
    """Have all drawn again, over strays."""
    with window._lock:
        _fill(window)
    window.press(REDRAW)


def _fill(window: Terminal) -> None:
    screen = window._screen
    for y in range(screen.lines):
        for x in range(screen.columns):
            screen.buffer[y][x] = STRAY


def cells_of(window: Terminal) -> Cells:
    """Each cell with its colours."""
    with window._lock:
        rows, columns = range(window._screen.lines), range(window._screen.columns)
        return [[window._screen.buffer[y][x] for x in columns] for y in rows]


def random_size(chance: random.Random) -> tuple[int, int]:
    """Any size; small ones, where most is left out, as often as large ones."""
    if chance.random() < 0.5:
        return chance.randint(SMALLEST[0], 100), chance.randint(SMALLEST[1], 30)
    return chance.randint(*sorted((SMALLEST[0], LARGEST[0]))), chance.randint(3, LARGEST[1])


def differences(one: Cells, other: Cells) -> list[str]:
    """Rows that are not the same."""
    return [
        f"{y:3} |{''.join(cell.data for cell in before)}\n    |{''.join(cell.data for cell in after)}"
        for y, (before, after) in enumerate(zip(one, other, strict=True))
        if before != after
    ]


def assert_all_is_as_drawn_anew(window: Terminal) -> None:
    """What came piece by piece is what comes at once; again if the clock moved meanwhile."""
    for _ in range(2):
        window.wait_until_quiet(QUIET)
        seen = cells_of(window)
        assert not any(STRAY in row for row in seen), window.text()
        minute = time.localtime().tm_min
        redraw(window)
        window.wait_until_quiet(QUIET)
        drawn_anew = cells_of(window)
        if minute == time.localtime().tm_min:
            break
    assert differences(seen, drawn_anew) == []
    assert not any(STRAY in row for row in drawn_anew), window.text()


def test_a_size_that_is_gone_before_it_is_drawn_in_leaves_no_stray_cell(tmp_path: Path) -> None:
    with home_in(tmp_path) as home, terminal(home, *STREAMTUI, columns=120, rows=40) as window:
        window.wait_for_text("Nothing asked yet.")
        window.wait_until_quiet(QUIET)
        resize(window, 60, 20)
        resize(window, 120, 40)
        assert_all_is_as_drawn_anew(window)


@pytest.mark.timeout(900 if LONG else 60)
def test_no_size_leaves_a_stray_cell_while_sixteen_panes_stream(tmp_path: Path) -> None:
    chance = random.Random(7)
    with home_in(tmp_path) as home:
        endpoints = [part for n in range(PANES) for part in ("-e", MODELS[n % len(MODELS)])]
        with terminal(home, *STREAMTUI, *endpoints, columns=120, rows=40) as window:
            window.wait_for_text("16 panes")
            window.press(TO_ALL)
            window.wait_for_text("to: all (16)")
            for number in range(ROUNDS):
                window.press(f"round {number} 气泡水".encode())
                window.wait_until_quiet(0.1)
                window.press(ENTER)
                for _ in range(SIZES // ROUNDS):
                    resize(window, *random_size(chance))
                    time.sleep(chance.uniform(0.0, 0.1))
                home.until_all_ended(PANES * (number + 1))
                assert_all_is_as_drawn_anew(window)
                assert ALT_SCREEN_LEFT not in window.received, window.text()
