"""SIGINT and SIGTERM as a wish to end, which a wait for anything else can notice."""

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from streamtui.cli.codes import CANCELLED


class Interrupts:
    """A pipe that ends a wait, written to by other threads and when a signal comes.

    No lock: a signal may come while the main thread holds any.
    """

    def __init__(self) -> None:
        self.asked = False
        """SIGINT or SIGTERM came."""
        self.descriptor, self.end = os.pipe()
        os.set_blocking(self.descriptor, False)
        os.set_blocking(self.end, False)

    def wake(self) -> None:
        """End the wait of the main thread; callable from any thread, never blocks."""
        with suppress(BlockingIOError):  # full: awake anyway
            os.write(self.end, b"\0")

    def clear(self) -> None:
        """What woke us is being seen to."""
        with suppress(BlockingIOError):
            os.read(self.descriptor, select.PIPE_BUF)

    def ask(self, _number: int, _frame: FrameType | None) -> None:
        """The first signal asks for an end, the second one is the end."""
        if self.asked:
            os._exit(CANCELLED)
        self.asked = True

    def read_all(self, descriptor: int) -> bytes:
        """Everything up to the end of a file; raises KeyboardInterrupt when a signal comes.

        Python's own `read` goes on waiting after a signal that came between two pieces.
        """
        pieces: list[bytes] = []
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        poll.register(descriptor, select.POLLIN)
        while not pieces or pieces[-1]:
            ready = [number for number, _ in poll.poll()]
            self.clear()
            if self.asked:
                raise KeyboardInterrupt
            if descriptor in ready:
                pieces.append(os.read(descriptor, 65536))
        return b"".join(pieces)

    def close(self) -> None:
        os.close(self.descriptor)
        os.close(self.end)


@contextmanager
def interrupts() -> Iterator[Interrupts]:
    """Signals are a wish, for as long as this lasts; one that was ignored stays so."""
    pipe = Interrupts()
    handlers = {
        number: signal.signal(number, pipe.ask)
        for number in (signal.SIGINT, signal.SIGTERM)
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    # Written to by Python's own handler in C, so that a signal between our last look and the wait
    # ends the wait: `ask` runs only after it.
    wakeup = signal.set_wakeup_fd(pipe.end, warn_on_full_buffer=False)
    try:
        yield pipe
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        pipe.close()
