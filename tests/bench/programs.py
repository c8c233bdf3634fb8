"""Programs under measurement: in a terminal of their own, with a home of their own."""

import fcntl
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from itertools import cycle
from pathlib import Path
from queue import SimpleQueue
from typing import IO

from tests.processes import engine_pids, stop_engines

LETTERS = "жшщюяфэъ"
"""Typed one after the other; none of them is on the screen before."""


class Home:
    """Folders that nobody else uses, and the processes that a console starts in them."""

    def __init__(self) -> None:
        # Names of sockets have to be short.
        self.folder = Path(tempfile.mkdtemp(prefix="stui-"))
        self.environ = {
            # Programs would believe these rather than the terminal.
            **{k: v for k, v in os.environ.items() if k not in {"COLUMNS", "LINES"}},
            "HOME": str(self.folder),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "XDG_STATE_HOME": str(self.folder / "state"),
            "XDG_RUNTIME_DIR": str(self.folder),
            "TERM": "xterm-256color",
            "COLORTERM": "",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }

    def configure(self, base_url: str) -> None:
        path = self.folder / "config" / "streamtui"
        path.mkdir(parents=True)
        (path / "config.toml").write_text(
            f'[endpoints.bench]\ndialect = "openai-chat"\nbase_url = "{base_url}"\nmodel = "m"\n'
        )

    def engine(self) -> int | None:
        """The process of the engine that a console started here."""
        return next(iter(engine_pids(self.folder)), None)

    def pids(self, console: "Terminal") -> list[int]:
        """A console and its engine."""
        return [console.pid, *engine_pids(self.folder)]

    def close(self) -> None:
        stop_engines(self.folder)


def home() -> AbstractContextManager[Home]:
    """Its engine is killed at the end, and all is removed."""
    return closing(Home())


@contextmanager
def server_process(*options: str, inside: Sequence[str] = ()) -> Iterator[IO[str]]:
    """The endpoint in a process of its own; gives what it prints, of which its URL is the first.

    `inside` is a command that runs others somewhere else.
    """
    command = [*inside, sys.executable, "-m", "tests.bench.server", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout
        finally:
            process.kill()


@contextmanager
def bench_server(*, inside: Sequence[str] = ()) -> Iterator[str]:
    """The endpoint in a process of its own; gives its URL."""
    with server_process(inside=inside) as printed:
        yield printed.readline().strip()


@contextmanager
def bell(there: Home) -> Iterator[tuple[list[str], "SimpleQueue[float]"]]:
    """The program with an endpoint `bell`, and the moments at which it is asked.

    Nobody is answered.
    """
    rings: SimpleQueue[float] = SimpleQueue()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def listen() -> None:
            with suppress(OSError):
                while True:
                    caller, _ = listener.accept()
                    with caller:
                        caller.recv(1)
                        rings.put(time.perf_counter())

        threading.Thread(target=listen, daemon=True).start()
        config = there.folder / "bell.toml"
        config.write_text(
            '[endpoints.bell]\ndialect = "openai-chat"\nmodel = "m"\nretries = 0\n'
            f'base_url = "http://127.0.0.1:{listener.getsockname()[1]}/v1"\n'
        )
        yield [sys.executable, "-m", "streamtui", "--config", str(config)], rings


def asking(panes: int, model: str) -> list[str]:
    """The console with so many panes, all of them asked."""
    return [sys.executable, "-m", "streamtui", *["-e", model] * panes, "-p", "go"]


class Terminal:
    """A program in a terminal of some size, which is read by a thread as fast as it writes."""

    def __init__(
        self, command: list[str], environ: dict[str, str], columns: int = 200, rows: int = 50
    ) -> None:
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            size = struct.pack("HHHH", rows, columns, 0, 0)
            fcntl.ioctl(0, termios.TIOCSWINSZ, size)
            os.execve(command[0], command, environ)
        self.received = 0
        self.tail = bytearray()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def press(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def ask(self, prompt: bytes) -> None:
        """Send a prompt: an enter so soon after a letter would be taken for a pasted one."""
        self.press(prompt)
        time.sleep(0.3)
        self.press(b"\r")

    def echo(self, letter: bytes, seconds: float = 60.0) -> float:
        """Milliseconds from a key to its letter, which is then taken back."""
        self.forget()
        pressed = time.perf_counter()
        self.press(letter)
        seen = self.wait_for(letter, seconds)
        self.press(b"\x7f")
        return (seen - pressed) * 1000

    def echoes(self, seconds: float) -> list[float]:
        """Of one key after the other, for so long; two at the least."""
        until = time.perf_counter() + seconds
        found: list[float] = []
        for letter in cycle(LETTERS):
            if time.perf_counter() >= until and len(found) > 1:
                break
            found.append(self.echo(letter.encode()))
            time.sleep(0.2)
        return found

    def wait_for(self, marker: bytes, seconds: float = 60.0) -> float:
        """Until bytes are written; returns the moment."""
        with self._changed:
            if not self._changed.wait_for(lambda: marker in self.tail, seconds):
                raise TimeoutError(f"never written: {marker!r}; {bytes(self.tail[-2000:])!r}")
        return time.perf_counter()

    def forget(self) -> None:
        """What was written so far is not waited for any more."""
        with self._changed:
            self.tail.clear()

    def close(self) -> None:
        self._closed = True
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self._thread.join()
        os.close(self._master)

    def _read(self) -> None:
        while not self._closed:
            if not select.select([self._master], [], [], 0.2)[0]:
                continue
            try:
                data = os.read(self._master, 1 << 16)
            except OSError:
                return
            self.take(data)

    def take(self, data: bytes) -> None:
        """What has been read."""
        with self._changed:
            self.received += len(data)
            self.tail += data
            del self.tail[: -(1 << 20)]
            self._changed.notify_all()


def memory_mib(pid: int) -> float:
    """The memory of a process that is in RAM."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
