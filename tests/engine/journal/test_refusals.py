"""A disk that is full, a file that is held by another, a place where none can be made."""

import asyncio
import errno
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from streamtui.engine.journal.files import WriterLock
from streamtui.events import (
    JournalResumed,
    JournalStopped,
)
from tests.engine.journal.keeping import Keeping, keeping

ROOT = Path(__file__).parents[3]


def fill(path: Path, how: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.engine.journal.full_disk", str(path), how]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=50)
    assert run.returncode == 0, run.stderr[-2000:]
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def check_that_nothing_is_lost(found: dict[str, Any]) -> None:
    assert found["told"] == ["JournalStopped", "JournalResumed"]
    assert found["stopped after"] < 2
    assert found["slowest publish"] < 0.5
    assert not found["said to be safe"]
    assert found["whole"]
    assert found["meanwhile"] == "answered meanwhile"
    assert found["saved"]


def test_a_file_that_may_not_grow_costs_no_text(path: Path) -> None:
    path.parent.mkdir()
    found = fill(path, "limit")
    check_that_nothing_is_lost(found)
    assert found["reason"] == "the disk reports an error"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root can mount a small disk")
    command = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no small disk could be mounted: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_costs_no_text(small_disk: Path) -> None:
    found = fill(small_disk / "journal.db", "mount")
    check_that_nothing_is_lost(found)
    assert found["reason"] == "the disk is full"


@pytest.fixture
def other_process(path: Path) -> Iterator[WriterLock]:
    """Another process that writes the journal."""
    path.parent.mkdir(parents=True)
    lock = WriterLock(path)
    assert lock.take()
    yield lock
    lock.free()


@pytest.mark.usefixtures("quick_retries")
async def test_memory_is_bounded_and_what_it_has_no_room_for_is_counted_and_told(
    path: Path, other_process: WriterLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamtui.engine.journal.backlog.MAX_WAITING_BYTES", 50_000)
    async with keeping(path) as kept:
        await kept.until_told(JournalStopped)
        kept.open_session()
        published = 0
        while sum(isinstance(body, JournalStopped) for body in kept.told) < 4:
            kept.start(f"r{published}", f"question {published}")
            kept.stream("x" * 1_000, run_id=f"r{published}")
            kept.end(f"r{published}")
            published += 1
            await asyncio.sleep(0.001)
        assert kept.journal._writer._backlog._bytes < 50_000 + 2_000 * published
        other_process.free()
        resumed = await kept.until_told(JournalResumed)
        assert isinstance(resumed, JournalResumed)
        told = [body.lost for body in kept.told if isinstance(body, JournalStopped)]
        assert told[0] == 0
        assert told == sorted(set(told))
        assert resumed.lost >= told[-1] > 0
        runs = (await kept.runs(limit=published + 1)).runs
        # Prompts and ends are kept, however little room there is.
        assert len(runs) == published
        assert {run.state for run in runs} == {"done"}
        await kept.until_packed()
        runs = (await kept.runs(limit=published + 1)).runs
        missing = 1_000 * published - sum(run.answer_chars for run in runs)
        assert 0 < missing <= resumed.lost <= 1.5 * missing


@pytest.mark.usefixtures("quick_retries")
async def test_what_waits_in_memory_when_the_journal_is_closed_is_not_called_saved(
    path: Path, other_process: WriterLock
) -> None:
    kept = Keeping(path)
    await kept.until_told(JournalStopped)
    kept.open_session()
    assert not await asyncio.to_thread(kept.journal.close)


async def test_all_is_saved_when_the_journal_is_closed(path: Path) -> None:
    kept = Keeping(path)
    kept.open_session()
    kept.keep_run("r", "Sing", "La")
    assert await asyncio.to_thread(kept.journal.close)
    async with keeping(path) as again:
        assert (await again.one()).state == "done"


@pytest.mark.usefixtures("quick_retries")
async def test_a_file_that_another_program_holds_holds_up_nobody(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamtui.engine.journal.store.BUSY_SECONDS", 0.3)
    async with keeping(path) as kept:
        kept.open_session()
        kept.start()
        assert await kept.journal.made_safe()
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            slowest = 0.0
            while not kept.told:
                before = time.perf_counter()
                kept.stream("La ")
                slowest = max(slowest, time.perf_counter() - before)
                await asyncio.sleep(0.001)
            assert 0.3 <= time.monotonic() - began < 2
            assert slowest < 0.25
            (stopped,) = kept.told
            assert isinstance(stopped, JournalStopped)
            assert stopped.reason == "another program holds the file"
            # What is there can still be read.
            assert (await kept.one()).state == "streaming"
            assert not await kept.journal.made_safe()
            other.execute("ROLLBACK")
        await kept.until_told(JournalResumed)
        kept.stream("end")
        kept.end()
        await kept.until_packed()
        answer = await kept.stored()
        assert set(answer.answer.split()) == {"La", "end"}


@pytest.mark.usefixtures("quick_retries")
async def test_a_place_where_no_file_can_be_made_is_told_and_taken_once_it_is_there(
    path: Path,
) -> None:
    path.parent.write_text("in the way")
    async with keeping(path) as kept:
        kept.open_session()
        kept.keep_run("r", "Sing", "La")
        stopped = await kept.until_told(JournalStopped)
        assert isinstance(stopped, JournalStopped)
        assert stopped.hint
        path.parent.unlink()
        await kept.until_told(JournalResumed)
        assert await kept.ids() == ["r"]


def refusal(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("no")
    error.sqlite_errorcode = code
    return error


@pytest.mark.usefixtures("quick_retries")
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), "memory is full"),
        (refusal(sqlite3.SQLITE_FULL), "the disk is full"),
        (refusal(sqlite3.SQLITE_IOERR_WRITE), "the disk reports an error"),
        (refusal(sqlite3.SQLITE_READONLY), "the file cannot be written"),
        (refusal(sqlite3.SQLITE_PROTOCOL), "the database says: no"),
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (OSError(errno.EACCES, "Permission denied"), "the file cannot be made: Permission denied"),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_what_is_refused_is_told_in_plain_words_and_written_later(
    path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    async with keeping(path) as kept:
        kept.open_session()
        kept.start()
        kept.stream("before ")
        assert await kept.journal.made_safe()
        with monkeypatch.context() as refusing:
            refusing.setattr("streamtui.engine.journal.store.Store.write", _raise(error))
            kept.stream("meanwhile ")
            stopped = await kept.until_told(JournalStopped)
            assert isinstance(stopped, JournalStopped)
            assert stopped.reason == reason
            kept.start("asked", "asked meanwhile")
            assert not await kept.journal.made_safe()
            # What is there can be read, and the next prompt leaves at once.
            assert [run.run_id for run in (await kept.runs()).runs] == ["r"]
        await kept.until_told(JournalResumed)
        kept.stream("after")
        kept.end()
        await kept.until_packed()
        assert (await kept.one()).answer == "before meanwhile after"
        assert await kept.ids("asked") == ["asked"]
    assert [type(body) for body in kept.told] == [JournalStopped, JournalResumed]


def _raise(error: Exception) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail
