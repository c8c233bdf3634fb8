"""What is written to a terminal arrives whole, and the line is told when the terminal is full."""

import math
import os
import pty
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from streamtui.ui.line_driver import TerminalFile
from streamtui.ui.line_speed import LineSpeed
from tests.lifetimes.home import until

TEXT = "".join(f"{number:06d} ● " for number in range(20_000))


class Reader:
    """The far side of a terminal."""

    def __init__(self, master: int) -> None:
        self.received = bytearray()
        self._master = master
        self._thread = threading.Thread(target=self._read)

    def begin(self) -> None:
        self._thread.start()

    def _read(self) -> None:
        # A pseudo-terminal whose other side is closed says so by an error.
        with suppress(OSError):
            while data := os.read(self._master, 4096):
                self.received += data

    def join(self) -> None:
        self._thread.join(10)


@contextmanager
def a_terminal() -> Iterator[tuple[int, Reader]]:
    master, slave = pty.openpty()
    reader = Reader(master)
    try:
        yield slave, reader
    finally:
        with suppress(OSError):
            os.close(slave)
        os.close(master)


def test_all_that_is_written_arrives_in_order() -> None:
    with a_terminal() as (terminal, reader):
        file = TerminalFile(terminal, LineSpeed())
        reader.begin()
        for at in range(0, len(TEXT), 777):
            file.write(TEXT[at : at + 777])
        file.flush()
        os.close(terminal)
        reader.join()
    assert reader.received.decode() == TEXT


def test_a_non_blocking_terminal_gets_all_too() -> None:
    with a_terminal() as (terminal, reader):
        os.set_blocking(terminal, False)
        file = TerminalFile(terminal, LineSpeed())
        reader.begin()
        file.write(TEXT)
        file.flush()
        os.close(terminal)
        reader.join()
    assert reader.received.decode() == TEXT


def test_lone_surrogates_do_not_end_the_writer() -> None:
    with a_terminal() as (terminal, reader):
        file = TerminalFile(terminal, LineSpeed())
        file.write("a\udc80b")
        file.flush()
        assert os.read(reader._master, 10) == b"a?b"


def test_while_nobody_reads_there_is_no_room() -> None:
    with a_terminal() as (terminal, reader):
        line = LineSpeed()
        file = TerminalFile(terminal, line)
        file.write(TEXT[:2000])
        file.flush()
        assert line.room() == math.inf
        file.write(TEXT[:30_000])
        writer = threading.Thread(target=file.flush)
        writer.start()
        until(lambda: line.room() < 0, "no room")
        reader.begin()
        writer.join(10)
        assert line.stuck_since is None
        os.close(terminal)
        reader.join()


def test_a_terminal_that_is_gone_is_no_error() -> None:
    master, slave = pty.openpty()
    os.close(master)
    try:
        file = TerminalFile(slave, LineSpeed())
        file.write("too late")
        file.flush()
    finally:
        os.close(slave)
