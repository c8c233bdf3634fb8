"""Folders that nobody else uses, the program in them, and what its journal has kept."""

import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import TypeVar

from streamtui.engine.journal.history import History
from streamtui.engine.reports import RunSummary, StoredRun
from tests.lifetimes.talker import Talker, talking
from tests.processes import engine_pids, running, state_of, stop_engines
from tests.scripted import text_of

ROOT = Path(__file__).parents[2]
PROMPT = "Tell me about rivers."
DEADLINE = 60.0
LONG = os.environ.get("STREAMTUI_LONG_TESTS") == "1"
"""Whether tests take the times and numbers of life, or such that they end soon."""
MOST_SECONDS = 2.0 if LONG else 5.0
"""The longest that people wait for what should happen at once; machines of many may be busy."""

Found = TypeVar("Found")


class Home:
    """`talk` is an endpoint whose answers go on until they are let end; see `let_talk`."""

    def __init__(self, folder: Path, until_end: ExitStack) -> None:
        # Names of sockets have to be short.
        self.runtime = Path(mkdtemp(prefix="stui-"))
        self.config = folder / "config" / "streamtui" / "config.toml"
        self.journal = folder / "state" / "streamtui" / "journal.db"
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_RUNTIME_DIR": str(self.runtime),
            "XDG_STATE_HOME": str(folder / "state"),
        }
        self._until_end = until_end
        self._talker: Talker | None = None

    def let_talk(self, *, rate: float) -> None:
        """From now on `talk` answers whoever asks, so many words a second."""
        self._talker = self._until_end.enter_context(talking(rate))
        self.configure(
            '[endpoints.talk]\ndialect = "openai-chat"\nmodel = "words"\n'
            f'base_url = "{self._talker.base_url}"\n'
        )

    def let_end(self) -> None:
        """All answers of `talk` come to their ends."""
        assert self._talker is not None
        self._talker.let_end()

    def said(self) -> list[str]:
        """What `talk` has said so far, by answer, in the order in which they began."""
        return self._talker.said if self._talker is not None else []

    def configure(self, text: str) -> None:
        self.config.parent.mkdir(parents=True, exist_ok=True)
        self.config.write_text(text)

    @property
    def engines(self) -> list[int]:
        """The processes of the engines that run here."""
        return engine_pids(self.runtime)

    def engine(self) -> int:
        """The one engine, once it runs."""
        [pid] = until(lambda: self.engines, "an engine")
        return pid

    def console(self) -> int:
        """The process of the one console that runs here, whoever started it."""
        [pid] = self.consoles
        return pid

    @property
    def consoles(self) -> list[int]:
        """The processes of the consoles that run here."""
        wanted = f"XDG_RUNTIME_DIR={self.runtime}".encode()
        return [
            pid
            for pid, command in running()
            if b"\0-m\0streamtui\0" in command and wanted in _environ(pid)
        ]

    def look(self, find: Callable[[History], Found]) -> Found:
        """Find something in the journal as it is at one moment, whoever writes to it."""
        address = f"{self.journal.as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection:
            connection.execute("BEGIN")
            return find(History(connection))

    def runs(self) -> list[RunSummary]:
        return list(self.look(lambda history: history.runs("", 1_000, None)).runs)

    def states(self) -> list[str]:
        """The states of all runs; none while there is no journal."""
        with suppress(sqlite3.OperationalError):
            return [run.state for run in self.runs()]
        return []

    def answers(self) -> list[str]:
        """What was received of each run, from the journal."""

        def stored(history: History) -> list[StoredRun | None]:
            return [history.run(run.run_id) for run in history.runs("", 1_000, None).runs]

        return [text_of(run.events) for run in self.look(stored) if run is not None]

    def until_all_ended(self, count: int) -> list[str]:
        """The states of so many runs, once none of them goes on."""

        def ended() -> list[str]:
            states = self.states()
            over = len(states) == count and not {"queued", "streaming"} & set(states)
            return states if over else []

        return until(ended, "all runs have ended")


def assert_all_is_kept(home: Home, count: int) -> None:
    """Once they are let end: so many answers, each of them whole."""
    home.let_end()
    assert home.until_all_ended(count) == ["done"] * count
    assert sorted(home.answers()) == sorted(home.said())
    assert all(home.said())


def until(condition: Callable[[], Found], what: str, seconds: float = DEADLINE) -> Found:
    """What a condition gives once it holds; fails after a deadline."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)
    return found


def _environ(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def until_gone(pid: int) -> float:
    """Wait for the end of a process; returns how many seconds that took."""
    began = time.monotonic()
    until(lambda: state_of(pid) in {"", "Z"}, f"process {pid} is gone")
    return time.monotonic() - began


@contextmanager
def home_in(folder: Path) -> Iterator[Home]:
    """Its consoles and engines are killed at the end."""
    with ExitStack() as until_end:
        home = Home(folder, until_end)
        try:
            yield home
        finally:
            # A console that lives longer than its engine would start another.
            for pid in home.consoles:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            stop_engines(home.runtime)
