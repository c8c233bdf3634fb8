"""What comes from outside: signals, and the end of the terminal itself.

A terminal that nobody reads makes Textual's loop stand still for as long as that lasts. So a thread
sees to it that whoever wants the console to end is obeyed all the same.
"""

import atexit
import contextlib
import os
import select
import signal
import termios
import threading
import time
from collections.abc import Callable
from types import FrameType

from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

LAST_SECONDS = 1.0
"""How long the console may take to end by itself."""
_TRIES, _TRY_SECONDS = 100, 0.005

_RESTORE = (
    b"\x1b[?2026l\x1b[?2004l\x1b[?7h\x1b[?2048l\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l"
    b"\x1b[?1004l\x1b[<u\x1b[?1049l\x1b[?25h"
)
"""Ends all that Textual's `LinuxDriver` begins."""


class Outside:
    """Listens from `listen` on, as long as the process lives.

    `call_soon` has something done on the app's loop, asked from any thread; `hang_up` ends the app.
    """

    def __init__(
        self,
        app: App[None],
        call_soon: Callable[[Callable[[], object]], object],
        hang_up: Callable[[], object],
    ) -> None:
        self._app = app
        self._call_soon = call_soon
        self._hang_up = hang_up
        self._is_stopping = False
        self._is_over = False
        """The terminal has been given back for good."""

    def listen(self) -> None:
        """Begin, on the main thread; does nothing where there is no terminal."""
        driver = self._app._driver
        if not isinstance(driver, LinuxDriver):
            return
        self._driver = driver
        heard, self._tell = os.pipe()
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        # In place of the driver's own handlers. They act in the middle of anything, also of a write
        # that holds the lock which they then wait for; and going on after a SIGSTOP they begin
        # everything a second time.
        signal.signal(signal.SIGTSTP, self._heed_stop)
        signal.signal(signal.SIGCONT, self._go_on)
        watch = threading.Thread(
            target=self._watch, args=(heard,), name="to the last end", daemon=True
        )
        watch.start()
        atexit.register(self._let_finish, watch)

    def stop(self, process: int = 0) -> None:
        """Give the terminal back, and stop; 0 for all processes of our job, as ctrl+z is meant.

        Where no shell could have us go on, the system stops nobody and we go on at once.
        """
        self._driver.suspend_application_mode()
        self._is_stopping = True
        before = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(process, signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, before)
        self._is_stopping = False
        self._resume()

    # These run between any two steps of the main thread: they take no lock.

    def _end(self, number: int, _frame: FrameType | None) -> None:
        if self._in_editor and number == signal.SIGINT:
            return  # meant for the editor, which has the terminal
        os.write(self._tell, bytes([number]))

    def _heed_stop(self, _number: int, _frame: FrameType | None) -> None:
        if self._in_editor:
            os.kill(os.getpid(), signal.SIGSTOP)
        else:
            self._call_soon(lambda: self.stop(os.getpid()))

    def _go_on(self, _number: int, _frame: FrameType | None) -> None:
        if not self._is_stopping and not self._in_editor:
            self._call_soon(self._take_terminal_back)

    @property
    def _in_editor(self) -> bool:
        return not self._driver._auto_restart

    def _take_terminal_back(self) -> None:
        """We were stopped without notice: somebody may have left the terminal in any state."""
        # Else a shell had us go on in the background, where there was no terminal to take.
        if not self._driver._must_signal_resume:
            self._driver.suspend_application_mode()
        self._resume()

    def _resume(self) -> None:
        if self._is_over:
            return
        # The driver takes it back and tells the app, once it has the terminal.
        self._driver._must_signal_resume = True
        self._driver.resume_application_mode()

    # This runs on a thread of its own.

    def _watch(self, heard: int) -> None:
        """Until the console is to end, or its terminal is gone, which is not told everybody."""
        number = _next_end(heard, self._driver.fileno)
        self._call_soon(self._hang_up)
        time.sleep(LAST_SECONDS)
        while number == signal.SIGTERM and self._in_editor:
            time.sleep(LAST_SECONDS)
        self._leave_by_force(128 + number)

    def _leave_by_force(self, code: int) -> None:
        # The app's thread may come free meanwhile, by the very signal that is to end its waiting.
        self._is_over = True
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        with contextlib.suppress(OSError, termios.error):
            self._restore_terminal()
        os._exit(code)

    def _restore_terminal(self) -> None:
        """What was written and not read is thrown away: it would be in the way."""
        driver = self._driver
        if driver.attrs_before is not None:
            termios.tcsetattr(driver.fileno, termios.TCSANOW, driver.attrs_before)
        # One of our own: the modes of those that we have are shared with our shell.
        out = os.open(
            os.ttyname(driver.fileno), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
        )
        self._silence_writer()
        _write_at_once(out, _RESTORE)

    def _let_finish(self, watch: threading.Thread) -> None:
        """Once the writer is silent the app can end too, and the process with it: not too soon."""
        if self._is_over:
            watch.join()

    def _silence_writer(self) -> None:
        """What it still has to write goes nowhere."""
        writer, output = self._driver._writer_thread, self._driver._file
        if writer is None or writer.ident is None or output is None:
            return
        os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), output.fileno())
        # Ends a write that waits for the reader.
        signal.pthread_kill(writer.ident, signal.SIGCONT)


def _next_end(heard: int, terminal: int) -> int:
    """The signal that comes out of a pipe, or SIGHUP for a terminal that is gone."""
    poll = select.poll()
    poll.register(heard, select.POLLIN)
    poll.register(terminal, 0)
    while True:
        for descriptor, events in poll.poll():
            if descriptor == heard:
                return os.read(heard, 1)[0]
            if events & (select.POLLHUP | select.POLLERR):
                return signal.SIGHUP
            # Some systems cannot watch a terminal in this way.
            poll.unregister(descriptor)


def _write_at_once(descriptor: int, data: bytes) -> None:
    """Write to a terminal ahead of what waits for its reader. Raises OSError."""
    length = len(data)
    for _ in range(_TRIES):
        if len(data) == length:
            termios.tcflush(descriptor, termios.TCOFLUSH)
        # Whoever was writing may need a moment to give the terminal free.
        with contextlib.suppress(BlockingIOError):
            data = data[os.write(descriptor, data) :]
        if not data:
            return
        time.sleep(_TRY_SECONDS)
