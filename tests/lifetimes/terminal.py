"""The real program in a real terminal: its own session, and a screen that can stop being read."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from tests.lifetimes.home import DEADLINE, Home, until
from tests.processes import cpu_seconds
from tests.ui.pty_driver import PtyProgram

_WITH_TERMINAL = (
    "import fcntl, os, sys, termios;"
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "os.execvp(sys.argv[1], sys.argv[1:])"
)
STREAMTUI = (sys.executable, "-m", "streamtui")
REDRAW = b"\x0c"
ALT_SCREEN, ALT_SCREEN_LEFT = b"\x1b[?1049h", b"\x1b[?1049l"
CURSOR_SHOWN = b"\x1b[?25h"
MOUSE_OFF = b"\x1b[?1000l"


class Terminal(PtyProgram):
    """What a user sits in front of."""

    deadline = DEADLINE

    def __init__(self, pid: int, master: int, columns: int, rows: int) -> None:
        self._may_read = Event()
        self._may_read.set()
        self._seconds_per_byte = 0.0
        super().__init__(pid, master, columns, rows)
        self.modes_before = self.modes()

    def stop_reading(self) -> None:
        """From now on nobody takes what the program writes."""
        self._may_read.clear()

    def stand_still(self) -> None:
        """Nobody reads, and the program has written so much that it waits for its reader."""
        self.stop_reading()
        self.press(REDRAW * 30)
        until(lambda: _sleeps_for(self.pid, 0.5), "the program stands still")

    def read_slowly(self, bytes_per_second: float) -> None:
        """From now on no more is taken in a second, as by a thin line."""
        self.most_at_once = 512
        self._seconds_per_byte = 1 / bytes_per_second

    def read_again(self) -> None:
        self._may_read.set()

    def hang_up(self) -> None:
        self._stop.set()
        self._may_read.set()
        super().hang_up()

    def modes(self) -> list[object]:
        """How the terminal treats keys: raw or line by line, with echo or without."""
        return termios.tcgetattr(self._master)

    def wait_for_bytes(self, *wanted: bytes) -> None:
        """Until all of them were written, in whatever order."""
        until(lambda: all(each in self.received for each in wanted), f"written: {wanted!r}")

    def assert_it_is_what_a_new_one_would_be(self) -> None:
        """Once nothing is written any more: the screen does not change when all of it is drawn."""
        count = self.wait_until_quiet(0.5)
        before = _lasting(self.text())
        self.press(REDRAW)
        until(lambda: len(self.received) > count, "drawn again")
        self.wait_until_quiet(0.5)
        assert _lasting(self.text()) == before

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def _read(self) -> None:
        while not self._stop.is_set():
            self._may_read.wait()
            before = len(self.received)
            if not self._read_some():
                return
            self._stop.wait((len(self.received) - before) * self._seconds_per_byte)


@contextmanager
def terminal(
    home: Home,
    *command: str,
    columns: int = 160,
    rows: int = 50,
    controls: bool = True,
    environ: Mapping[str, str] = {},
) -> Iterator[Terminal]:
    """A program whose terminal this is; without `controls` it hears nothing when that is closed."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    starter = [sys.executable, "-S", "-c", _WITH_TERMINAL] if controls else []
    process = subprocess.Popen(
        [*starter, *command],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        env={
            **home.environ,
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            **environ,
        },
    )
    os.close(slave)
    shown = Terminal(process.pid, master, columns, rows)
    # Waited for by its number.
    process.returncode = 0
    try:
        yield shown
    except BaseException:
        print(f"The screen of {' '.join(command)}\n{shown.text()}")
        raise
    finally:
        shown.close()


def panes(count: int) -> Sequence[str]:
    """The options for so many panes."""
    return ["-e", "talk"] * count


def _lasting(text: str) -> list[str]:
    """The screen without what time alone changes."""
    return [line for line in text.splitlines()[1:] if "tok/s" not in line]


def _sleeps_for(pid: int, seconds: float) -> bool:
    """Whether a process neither ran nor waited to run for so long."""
    used, until_then = cpu_seconds(pid), time.monotonic() + seconds
    while time.monotonic() < until_then:
        if "R" in thread_states(pid) or cpu_seconds(pid) != used:
            return False
        time.sleep(0.01)
    return True


def thread_states(pid: int) -> list[str]:
    """A letter for each thread of a process."""
    return [
        stat.read_text().rpartition(")")[2].split()[0]
        for stat in Path(f"/proc/{pid}/task").glob("*/stat")
    ]


def switches(pid: int) -> int:
    """How often the main thread of a process has left its processor."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)


def seconds_shown(text: str) -> list[float]:
    """For how long each answer on a screen has been streaming, as the borders say."""
    found = re.findall(r"streaming (?:(\d+)m)?(\d+(?:\.\d)?)s", text)
    return [60 * int(minutes or 0) + float(seconds) for minutes, seconds in found]
