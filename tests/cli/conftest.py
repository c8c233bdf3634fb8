"""The program as a process of its own, with a home that nobody else has; and pipes to read from."""

import os
import sys
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

import pytest

from streamtui.cli.output import Output
from streamtui.demo.server import DemoServer
from tests.processes import stop_engines

MUCH_FASTER_THAN_LIFE = 0.001


class Ended(NamedTuple):
    """What a process left behind."""

    code: int | None
    out: str
    err: str


class Program:
    """`python -m streamtui`; warnings of the process would be errors in its standard error."""

    def __init__(self, home: Path) -> None:
        self.config = home / ".config" / "streamtui" / "config.toml"
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / ".config"),
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "PYTHONWARNINGS": "error",
        }
        # Names of sockets have to be short.
        self.runtime = Path(mkdtemp(prefix="stui-"))
        self.environ["XDG_RUNTIME_DIR"] = str(self.runtime)
        self.python = sys.executable
        self._running: list[Process] = []

    def configure(self, text: str) -> None:
        self.config.parent.mkdir(parents=True, exist_ok=True)
        self.config.write_text(text)

    def add_endpoint(self, name: str, base_url: str, more: str = "", *, model: str = "m") -> None:
        """One more table; the demo server has all its models behind one of them."""
        text = self.config.read_text() if self.config.exists() else ""
        self.configure(
            f'{text}\n[endpoints.{name}]\ndialect = "openai-chat"\n'
            f'base_url = "{base_url}"\nmodel = "{model}"\n{more}\n'
        )

    async def start(self, *args: str, **options: Any) -> Process:
        """A running process; its three streams are pipes unless told otherwise."""
        streams = {"stdin": PIPE, "stdout": PIPE, "stderr": PIPE} | options
        process = await create_subprocess_exec(
            self.python, "-m", "streamtui", *args, env=self.environ, **streams
        )
        self._running.append(process)
        return process

    async def run(self, *args: str, stdin: bytes | None = None, **options: Any) -> Ended:
        """A process from beginning to end."""
        process = await self.start(*args, **options)
        return await finish(process, stdin)

    async def aclose(self) -> None:
        for process in self._running:
            if process.returncode is None:
                process.kill()
            await process.communicate()
        stop_engines(self.runtime)


async def finish(process: Process, stdin: bytes | None = None) -> Ended:
    """Wait for the end of a process and collect what it still says."""
    out, err = await process.communicate(stdin)
    return Ended(process.returncode, (out or b"").decode(), (err or b"").decode())


@pytest.fixture
async def program(tmp_path: Path) -> AsyncIterator[Program]:
    program = Program(tmp_path)
    yield program
    await program.aclose()


@pytest.fixture
async def server() -> AsyncIterator[DemoServer]:
    server = DemoServer(pace=MUCH_FASTER_THAN_LIFE)
    await server.start()
    yield server
    await server.aclose()


@pytest.fixture
def far(program: Program, server: DemoServer) -> Program:
    """The program, with the endpoint `far` on a demo server of the test's own."""
    program.add_endpoint("far", server.base_url, model="demo/verse")
    return program


class Pipe:
    """Both ends of a pipe; the reading one can leave."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        self._ends = {self.reading, self.writing}

    def output(self) -> Output:
        return Output(self.writing, is_terminal=False)

    def fill(self) -> int:
        """Leave no room; returns how many bytes it took."""
        os.set_blocking(self.writing, False)
        written = 0
        try:
            while True:
                written += os.write(self.writing, b"x" * 4096)
        except BlockingIOError:
            os.set_blocking(self.writing, True)
        return written

    def read(self, size: int = 1 << 20) -> bytes:
        return os.read(self.reading, size)

    def leave(self) -> None:
        self._close(self.reading)

    def stop_writing(self) -> None:
        self._close(self.writing)

    def close(self) -> None:
        for end in list(self._ends):
            self._close(end)

    def _close(self, end: int) -> None:
        self._ends.discard(end)
        os.close(end)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()
