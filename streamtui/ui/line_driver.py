"""Textual's driver for terminals, which knows how fast the terminal takes what is written to it.

What belongs to one frame is written at once: over ssh every write is a packet of its own.
"""

import asyncio
import codecs
import math
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, cast

from textual._ansi_sequences import SYNC_END, SYNC_START
from textual.app import App
from textual.drivers import linux_driver
from textual.drivers.linux_driver import LinuxDriver

from streamtui.ui.ascii_text import ascii_text, needs_ascii
from streamtui.ui.line_speed import LineSpeed

PIECE = 1024
"""Bytes in one write: a terminal that has no room for that many is full."""
PTY_BYTES = 16 << 10
"""What a pseudo-terminal of Linux holds when it takes no more: 8 to 12 KiB, and 4 KiB for who reads
it. It then takes nothing until nearly all of that is read."""
_ENOUGH = 1 << 16
_IDLE_SECONDS = 0.5
"""A terminal of which nobody knew for so long that it had something to do may have had nothing."""
_SHORT_SECONDS = 0.02
"""Too short to say anything: what is read comes in pieces."""
_STOPPED_SECONDS = 2.0
"""A wait for it that was longer was for somebody who had stopped it."""


class TerminalFile:
    """In place of the stream to which Textual's writer thread writes."""

    def __init__(self, descriptor: int, line: LineSpeed) -> None:
        self._descriptor = descriptor
        self._line = line
        self._pending = bytearray()
        self._taken = self._taken_then = 0
        self._full_at = -math.inf
        self._waited = 0.0

    def fileno(self) -> int:
        """Of the terminal."""
        return self._descriptor

    def write(self, text: str) -> None:
        """Keep text until it is flushed, or until there is enough of it."""
        self._pending += text.encode(errors="replace")
        if len(self._pending) >= _ENOUGH:
            self.flush()

    def flush(self) -> None:
        """Write what is pending, as fast as the terminal takes it; the line is told when it is
        full."""
        data, self._pending = self._pending, bytearray()
        for piece in _pieces(data):
            self._line.stuck_since = time.monotonic()
            if not self._has_room(0):
                self._wait_for_room()
            self._write(piece)
            self._taken += len(piece)
            self._line.stuck_since = None

    def _wait_for_room(self) -> None:
        now = time.monotonic()
        self._tell_full(now)
        self._has_room(None)
        self._waited = time.monotonic() - now

    def _tell_full(self, now: float) -> None:
        """What a terminal took between two moments at which it was full is what has left it."""
        seconds, taken = now - self._full_at, self._taken - self._taken_then
        if seconds < _SHORT_SECONDS:
            self._line.was_full(0, 0.0, PTY_BYTES)  # the next time tells of both
            return
        self._full_at, self._taken_then = now, self._taken
        if seconds > min(self._waited, _STOPPED_SECONDS) + _IDLE_SECONDS:
            seconds = taken = 0
        self._line.was_full(taken, seconds, PTY_BYTES)

    def _write(self, data: memoryview) -> None:
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:  # another process has made the terminal a non-blocking one
                self._has_room(None)
            except OSError:
                return  # it is gone, which `outside` sees to

    def _has_room(self, milliseconds: int | None) -> bool:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        return bool(poll.poll(milliseconds))


def _pieces(data: bytearray) -> Iterator[memoryview]:
    view = memoryview(data)
    for at in range(0, len(data), PIECE):
        yield view[at : at + PIECE]


def _lenient_decoder(encoding: str) -> Callable[[], codecs.IncrementalDecoder]:
    return partial(codecs.getincrementaldecoder(encoding), errors="replace")


class LineDriver(LinuxDriver):
    """`line` is told of all that is written."""

    def __init__(
        self,
        app: App[Any],
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self.line = LineSpeed()
        self._in_ascii = needs_ascii(os.environ)
        self._frame: list[str] | None = None
        if self._file is not None:
            self._file.flush()
            self._file = cast("Any", TerminalFile(self._file.fileno(), self.line))

    def start_application_mode(self) -> None:
        """Take the terminal, and hear of all its sizes in their order."""
        super().start_application_mode()  # type: ignore[no-untyped-call]
        heed = signal.getsignal(signal.SIGWINCH)
        if not callable(heed):
            return  # the terminal could not be had
        loop = asyncio.get_running_loop()

        def on_resize(number: int, _frame: object) -> None:
            # Within the handler, the next signal may come between the look at the size and the
            # telling of it: the size that is told last would not be the last.
            if not loop.is_closed():
                loop.call_soon_threadsafe(heed, number, None)

        signal.signal(signal.SIGWINCH, on_resize)

    def run_input_thread(self) -> None:
        """Read keys; a byte that is no text, as from another locale, stands for a strange one."""
        # Textual would end the app for it.
        vars(linux_driver)["getincrementaldecoder"] = _lenient_decoder
        super().run_input_thread()

    def write(self, data: str) -> None:
        """Have text written, in the order in which it comes; that of one frame when it is whole."""
        if data == SYNC_START:
            self._frame = []
        if self._frame is not None:
            self._frame.append(data)
            if data != SYNC_END:
                return
            data, self._frame = "".join(self._frame), None
        if not data.isascii() and self._in_ascii:
            data = ascii_text(data)
        self.line.wrote(len(data) if data.isascii() else len(data.encode(errors="replace")))
        super().write(data)
