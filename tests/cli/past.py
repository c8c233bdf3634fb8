"""A past for the program: runs in the journal of its home, and engines that run there."""

import asyncio
import os
import select
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from streamtui.config import Endpoint
from streamtui.demo.server import DemoServer
from streamtui.engine.doors import FindRuns
from streamtui.engine.reports import RunList
from streamtui.events import RUN_ENDS
from tests.cli.conftest import Program
from tests.engine.host.consoles import ConsoleUnderTest, console
from tests.engine.journal.keeping import Keeping, keeping

DEADLINE = 20.0


class Past:
    """What the program finds when it is started."""

    def __init__(self, program: Program, home: Path) -> None:
        self.program = program
        self.journal = home / "streamtui" / "journal.db"
        program.environ["XDG_STATE_HOME"] = str(home)
        # Where openpty makes a terminal without a size.
        program.environ["COLUMNS"] = "80"

    @asynccontextmanager
    async def keeping(self) -> AsyncIterator[Keeping]:
        """A journal that is written to, and closed when this is left."""
        self.journal.parent.mkdir(parents=True, exist_ok=True)
        async with keeping(self.journal) as kept:
            yield kept

    async def keep(self, *runs: tuple[str, str, str]) -> None:
        """Runs that are over: their ids, prompts and answers."""
        async with self.keeping() as kept:
            kept.open_session()
            for run_id, prompt, answer in runs:
                kept.keep_run(run_id, prompt, answer)

    def bytes(self) -> bytes:
        """Everything that stands in the journal's files."""
        return b"".join(path.read_bytes() for path in self.journal.parent.glob("journal.db*"))


@pytest.fixture
def past(program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Past:
    """The program and engines that are started here share their folders."""
    past = Past(program, tmp_path / "state")
    for name in ("XDG_STATE_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, program.environ[name])
    return past


@asynccontextmanager
async def engine() -> AsyncIterator[ConsoleUnderTest]:
    """An engine's process with a console that is attached; its runs go on without it."""
    async with console(keep_runs=True) as attached:
        yield attached


def on(server: DemoServer, model: str) -> Endpoint:
    return Endpoint("far", "openai-chat", server.base_url, model, retries=0)


async def ask(attached: ConsoleUnderTest, endpoint: Endpoint, prompt: str) -> str:
    """A whole run, from its prompt until all of it is on disk; returns its id."""
    _session, run_id = attached.ask(prompt, endpoint)
    await attached.until(*RUN_ENDS, also=lambda event: event.run_id == run_id)
    # What the engine finds in its journal is written there.
    await attached.doors.find(FindRuns(), RunList)
    return run_id


class Terminal:
    """Both sides of a pseudo-terminal that a process has for its three streams."""

    def __init__(self) -> None:
        self._master, self.slave = os.openpty()
        self._seen = b""

    async def start(self, program: Program, *args: str, **streams: Any) -> Process:
        given = dict.fromkeys(("stdin", "stdout", "stderr"), self.slave) | streams
        process = await program.start(*args, **given)
        os.close(self.slave)
        return process

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    async def until(self, words: str) -> str:
        """Everything up to some words, which is then forgotten."""
        wanted = words.encode().replace(b"\n", b"\r\n")
        while wanted not in self._seen:
            if not await self._read():
                raise AssertionError(f"never: {words!r}\n{self._seen.decode()}")
        seen, _, self._seen = self._seen.partition(wanted)
        return _lines(seen + wanted)

    async def rest(self) -> str:
        """Everything up to the end."""
        while await self._read():
            pass
        os.close(self._master)
        return _lines(self._seen)

    async def _read(self) -> bool:
        data = await asyncio.to_thread(self._read_some)
        self._seen += data
        return bool(data)

    def _read_some(self) -> bytes:
        """What comes next; nothing at the end."""
        if not select.select([self._master], [], [], DEADLINE)[0]:
            raise AssertionError(f"nothing comes any more\n{self._seen.decode()}")
        try:
            return os.read(self._master, 65536)
        except OSError:  # EIO: the last one has closed it
            return b""


def _lines(data: bytes) -> str:
    return data.decode().replace("\r\n", "\n")
