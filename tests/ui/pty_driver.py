"""A program in a real pseudo-terminal: its bytes are kept, and drawn by pyte.

The program is a Python function in a forked child; keys are written as a terminal sends them.
"""

import errno
import fcntl
import os
import pty
import select
import signal
import struct
import termios
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pyte

DEADLINE = 20.0


class PtyProgram:
    """The far side of the terminal: what the program wrote, and what a screen would show."""

    deadline = DEADLINE

    most_at_once = 65536
    """Bytes that are taken in one go."""

    def __init__(self, pid: int, master: int, columns: int, rows: int) -> None:
        self.pid = pid
        self.received = bytearray()
        self._master = master
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def press(self, keys: bytes) -> None:
        """Send bytes as if they were typed, all at once."""
        os.write(self._master, keys)

    def lines(self) -> list[str]:
        """The screen as text, one string for each row."""
        with self._lock:
            return list(self._screen.display)

    def text(self) -> str:
        return "\n".join(self.lines())

    def wait_for(self, condition: Callable[[str], bool], what: str) -> str:
        """Wait until the screen shows something; fails after a deadline with the screen."""
        deadline = time.monotonic() + self.deadline
        while time.monotonic() < deadline:
            text = self.text()
            if condition(text):
                return text
            self._stop.wait(0.02)
        raise AssertionError(f"never shown: {what}\n{self.text()}")

    def wait_for_text(self, words: str) -> str:
        return self.wait_for(lambda text: words in text, words)

    def wait_until_quiet(self, seconds: float) -> int:
        """Wait until nothing was written for so long; returns how many bytes came in all."""
        deadline = time.monotonic() + self.deadline
        count, since = -1, time.monotonic()
        while time.monotonic() < deadline:
            if len(self.received) != count:
                count, since = len(self.received), time.monotonic()
            elif time.monotonic() - since >= seconds:
                return count
            self._stop.wait(0.02)
        raise AssertionError(f"the program never stopped writing\n{self.text()}")

    def wait_for_exit(self) -> int:
        """The exit status."""
        deadline = time.monotonic() + self.deadline
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
            self._stop.wait(0.02)
        raise AssertionError(f"still running\n{self.text()}")

    def close(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0
        self.hang_up()

    def hang_up(self) -> None:
        """The terminal is closed; a second time does nothing."""
        if self._master < 0:
            return
        self._stop.set()
        self._reader.join(5)
        os.close(self._master)
        self._master = -1

    def _read(self) -> None:
        while not self._stop.is_set() and self._read_some():
            pass

    def _read_some(self) -> bool:
        """What comes within a moment; whether more may come."""
        ready, _, _ = select.select([self._master], [], [], 0.1)
        if not ready:
            return True
        try:
            data = os.read(self._master, self.most_at_once)
        except OSError as error:
            if error.errno == errno.EIO:
                return False
            raise
        if data:
            with self._lock:
                self.received += data
                self._stream.feed(data)
        return bool(data)


@contextmanager
def program_in_pty(
    main: Callable[[], None], *, columns: int = 100, rows: int = 30
) -> Iterator[PtyProgram]:
    """Run a function in a child whose terminal this is."""
    pid, master = pty.fork()
    if pid == 0:
        _be_the_child(main, columns, rows)
    program = PtyProgram(pid, master, columns, rows)
    try:
        yield program
    finally:
        program.close()


def _be_the_child(main: Callable[[], None], columns: int, rows: int) -> None:
    status = 1
    try:
        # Here and not in the parent: the program must find it when it first looks.
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        # A worker of pytest-xdist has no `sys.__stdout__` that could be asked.
        os.environ.update(COLUMNS=str(columns), LINES=str(rows))
        os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
        main()
        status = 0
    except BaseException:  # the parent's test runner must not go on in the child
        traceback.print_exc()
    finally:
        os._exit(status)
