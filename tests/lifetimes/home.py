"""Folders that nobody else uses, the program in them, and what its journal has kept."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import TypeVar

from streamtui.demo.question import Overrides, Question, Turn
from streamtui.demo.scripts import Said, write_script
from streamtui.engine.journal.history import History
from streamtui.engine.reports import RunSummary
from tests.engine.host.consoles import engine_pids, stop_engines, text_of

ROOT = Path(__file__).parents[2]
PROMPT = "Tell me about rivers."
DEADLINE = 60.0
LONG = os.environ.get("STREAMTUI_LONG_TESTS") == "1"
"""Whether tests take the times and numbers of life, or such that they end soon."""
MOST_SECONDS = 2.0 if LONG else 5.0
"""The longest that people wait for what should happen at once; machines of many may be busy."""

Found = TypeVar("Found")


class Home:
    """`talk` is an endpoint of the embedded demo server that answers at a rate that is known."""

    def __init__(self, folder: Path) -> None:
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
        self._tokens = 0

    def let_talk(self, *, rate: float, tokens: int) -> None:
        """Answers of so many tokens, so many a second."""
        self._tokens = tokens
        self.configure(
            '[endpoints.talk]\ndialect = "openai-chat"\nbase_url = "demo:"\nmodel = "demo/verse"\n'
            f"params = {{ demo = {{ rate = {rate}, tokens = {tokens}, delay = 0 }} }}\n"
        )

    def configure(self, text: str) -> None:
        self.config.parent.mkdir(parents=True, exist_ok=True)
        self.config.write_text(text)

    def answer(self) -> str:
        """What `talk` answers to PROMPT."""
        question = Question(
            model="demo/verse",
            turns=(Turn("user", PROMPT),),
            overrides=Overrides(tokens=self._tokens),
        )
        return "".join(step.text for step in write_script(question).steps() if type(step) is Said)

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
        wanted = f"XDG_RUNTIME_DIR={self.runtime}".encode()
        [pid] = [
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit()
            and b"-m\0streamtui\0" in _read(entry / "cmdline")
            and wanted in _read(entry / "environ")
        ]
        return pid

    def look(self, find: Callable[[History], Found]) -> Found:
        """Find something in the journal, whoever writes to it."""
        address = f"{self.journal.as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True)) as connection:
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
        stored = [
            self.look(lambda history, run_id=run.run_id: history.run(run_id))  # type: ignore[misc]
            for run in self.runs()
        ]
        return [text_of(run.events) for run in stored if run is not None]

    def until_all_ended(self, count: int) -> list[str]:
        """The states of so many runs, once none of them goes on."""

        def ended() -> list[str]:
            states = self.states()
            over = len(states) == count and not {"queued", "streaming"} & set(states)
            return states if over else []

        return until(ended, "all runs have ended")


def until(condition: Callable[[], Found], what: str, seconds: float = DEADLINE) -> Found:
    """What a condition gives once it holds; fails after a deadline."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)
    return found


def children_of(pid: int) -> list[int]:
    """The processes that a process has started and that have not ended."""
    found = _read(Path(f"/proc/{pid}/task/{pid}/children"))
    return [int(child) for child in found.split()]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def state_of(pid: int) -> str:
    """The letter that stands for what a process does; empty for one that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def until_gone(pid: int, seconds: float = DEADLINE) -> float:
    """Wait for the end of a process; returns how many seconds that took."""
    began = time.monotonic()
    until(lambda: state_of(pid) in {"", "Z"}, f"process {pid} is gone", seconds)
    return time.monotonic() - began


@contextmanager
def home_in(folder: Path) -> Iterator[Home]:
    """Its engines are killed at the end."""
    home = Home(folder)
    try:
        yield home
    finally:
        stop_engines(home.runtime)
