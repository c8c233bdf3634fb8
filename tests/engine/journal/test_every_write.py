"""Each write to the disk fails once, or is the last thing that the process does.

A sample of the writes of a short life is tried; STREAMTUI_EVERY_WRITE=1 tries all.
"""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from streamtui.events import JournalReplaced, JournalStopped
from tests.engine.journal.keeping import keeping
from tests.engine.journal.short_runs import RUNS, answer

HOWS = ("EIO", "ENOSPC", "killed before", "killed halfway")
LIVES_AT_ONCE = os.cpu_count() or 1
SAMPLE = 40
FIRST = 150
"""Writes with which a journal is made and its first run kept: half of the sample are of these."""


class Life(NamedTuple):
    folder: Path
    status: int

    @property
    def said(self) -> list[str]:
        return (self.folder / "said").read_text().splitlines()

    def which(self, word: str) -> set[str]:
        """The ids of the runs of which that was said: `asked`, `answered` or `deleted`."""
        said = (line.split() for line in self.said)
        return {f"r{words[1]}" for words in said if words[0] == word}


@contextmanager
def lives(library: Path) -> "Iterator[Lives]":
    command = [sys.executable, "-m", "tests.engine.journal.short_runs"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "LD_PRELOAD": str(library)},
        cwd=Path(__file__).parents[3],
    ) as process:
        yield Lives(process)


class Lives:
    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def live(self, folder: Path, call: int, how: int, *, log: bool) -> Life:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        folder.mkdir(parents=True)
        print(folder, call, how, int(log), file=self._process.stdin, flush=True)
        return Life(folder, int(self._process.stdout.readline()))


def sample(calls: int) -> list[int]:
    if os.environ.get("STREAMTUI_EVERY_WRITE"):
        return [*range(1, calls + 1)]
    first = range(1, FIRST, 2 * FIRST // SAMPLE)
    rest = range(FIRST, calls + 1, max(1, 2 * (calls - FIRST) // SAMPLE))
    return [*first, *rest]


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("log", [True, False], ids=["with a log", "without a log"])
@pytest.mark.parametrize("how", range(len(HOWS)), ids=HOWS)
async def test_nothing_that_was_said_to_be_safe_is_lost_whichever_write_fails(
    faulty_disk: Path, tmp_path: Path, how: int, log: bool
) -> None:
    with lives(faulty_disk) as whole:
        life = whole.live(tmp_path / "whole", 0, how, log=log)
    calls = int((life.folder / "calls").read_text())
    assert calls > FIRST
    for call, life in _all_lives(faulty_disk, tmp_path, sample(calls), how, log=log):
        is_kill = HOWS[how].startswith("killed")
        # How many writes a life takes differs a little from one to the next.
        assert life.status == (-9 if is_kill else 0) or (is_kill and call > 0.8 * calls), call
        if not is_kill:
            assert life.said[-1] == "closed True", call
            assert life.which("answered") == {f"r{run}" for run in range(RUNS)}
        await _check(life, call)


def _all_lives(
    library: Path, folder: Path, calls: list[int], how: int, *, log: bool
) -> Iterator[tuple[int, Life]]:
    def live_some(shard: int) -> list[tuple[int, Life]]:
        with lives(library) as some:
            mine = calls[shard::LIVES_AT_ONCE]
            return [(call, some.live(folder / str(call), call, how, log=log)) for call in mine]

    with ThreadPoolExecutor(LIVES_AT_ONCE) as pool:
        for some in pool.map(live_some, range(LIVES_AT_ONCE)):
            yield from some


async def _check(life: Life, call: int) -> None:
    """Open what a life left; what was safe is there, and nothing is taken for damaged."""
    path = life.folder / "state" / "journal.db"
    deleted = life.which("deleted")
    asked, answered = life.which("asked") - {"r0"}, life.which("answered") - {"r0"}
    async with keeping(path) as kept:
        await kept.until_packed()
        runs = {run.run_id: run for run in (await kept.runs()).runs}
        for run_id in asked:
            assert runs[run_id].prompt == f"prompt {run_id[1:]}", call
        for run_id in answered:
            assert runs[run_id].state == "done", call
            stored = await kept.stored(run_id)
            assert stored.answer == "".join(answer(int(run_id[1:]))), call
        assert not deleted & runs.keys(), call
        found = await kept.ids("prompt")
        assert set(found) >= asked, call
    assert not [body for body in kept.told if isinstance(body, JournalReplaced | JournalStopped)]
    assert not [file for file in path.parent.iterdir() if "corrupt" in file.name], call
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)], call
