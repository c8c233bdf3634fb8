"""Programs under measurement: in a terminal of their own, with a home of their own."""

import contextlib
import fcntl
import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


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
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    command = (entry / "cmdline").read_bytes()
                    if b"streamtui.service" in command and str(self.folder).encode() in command:
                        return int(entry.name)
        return None

    def close(self) -> None:
        if (pid := self.engine()) is not None:
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def home() -> Iterator[Home]:
    there = Home()
    try:
        yield there
    finally:
        there.close()


@contextlib.contextmanager
def bench_server() -> Iterator[str]:
    """The endpoint in a process of its own; gives its URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.server"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


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


def cpu_seconds(pid: int) -> float:
    """What a process has used so far, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mib(pid: int) -> float:
    """The memory of a process that is in RAM."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
