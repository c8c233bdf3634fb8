"""The engine's process is killed while it streams a hundred answers to the disk."""

import asyncio
import os
import random
import signal
import sqlite3
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from streamtui.config import Endpoint
from streamtui.engine.doors import Doors, FindRuns, GetRun
from streamtui.engine.host.client import AttachedEngine
from streamtui.engine.host.process import attach
from streamtui.engine.journal import default_journal_path
from streamtui.engine.reports import RunList, StoredRun
from tests.crowding import Crowding
from tests.engine.host.consoles import folders_of_its_own
from tests.lifetimes.clock_server import TOKENS_PER_SECOND, ClockServer
from tests.lifetimes.home import LONG, until
from tests.loopback import listening
from tests.processes import engine_pids
from tests.scripted import text_of

SESSIONS = 100
KILLS = 25 if LONG else 2
MOST_LOST_MS = 250


class Loss(NamedTuple):
    ms: float
    crowded_ms: float
    """How long the engine was kept from running in that time."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with folders_of_its_own(tmp_path, monkeypatch) as folder:
        yield folder


@pytest.mark.timeout(60 + 30 * KILLS)
async def test_a_killed_engine_has_lost_a_quarter_of_a_second_of_each_stream_at_the_most(
    folder: Path,
) -> None:
    """What the machine gave to others in that time is no loss of ours."""
    rng = random.Random()
    losses: list[Loss] = []
    async with listening(ClockServer()) as server:
        for kill in range(KILLS):
            losses += await _losses(server, folder, kill, rng.uniform(0.2, 2.5))
    lost = [loss.ms for loss in losses]
    cuts = statistics.quantiles(lost, n=20)
    print(
        f"{KILLS} kills of {SESSIONS} streams, {TOKENS_PER_SECOND} tokens/s each: lost ms"
        f" p50 {statistics.median(lost):.0f}, p95 {cuts[-1]:.0f}, max {max(lost):.0f},"
        f" the engine was kept waiting for {max(loss.crowded_ms for loss in losses):.0f}"
    )
    assert max(loss.ms - loss.crowded_ms for loss in losses) <= MOST_LOST_MS
    with closing(sqlite3.connect(default_journal_path())) as database:
        assert database.execute("PRAGMA quick_check").fetchall() == [("ok",)]


@asynccontextmanager
async def attached() -> AsyncIterator[AttachedEngine]:
    """An engine to which nobody listens."""
    doors = AttachedEngine(await asyncio.to_thread(attach, "disk"))
    try:
        yield doors
    finally:
        await asyncio.to_thread(doors.leave, keep_runs=True)


async def _losses(server: ClockServer, folder: Path, kill: int, seconds: float) -> list[Loss]:
    """Of each stream, what the next engine does not know."""
    prompts = [f"kill {kill} session {number}" for number in range(SESSIONS)]
    endpoint = Endpoint("clock", "openai-chat", server.base_url, "m")
    async with attached() as first:
        for prompt in prompts:
            first.send(first.open_session(endpoint), prompt)
        await asyncio.to_thread(
            until, lambda: all(server.sent[prompt] for prompt in prompts), "all of them stream"
        )
        [pid] = engine_pids(folder)
        crowding = Crowding(pid)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await crowding.watch()
        crowding.look()
        killed_at = time.monotonic()
        os.kill(pid, signal.SIGKILL)
    async with attached() as second:
        lost = [await _lost(second, server, prompt, killed_at) for prompt in prompts]
    return [
        Loss(
            1000 * seconds_lost,
            1000 * crowding.between(killed_at - seconds_lost, killed_at),
        )
        for seconds_lost in lost
    ]


async def _lost(doors: Doors, server: ClockServer, prompt: str, killed_at: float) -> float:
    """How many seconds of its text lack."""
    page = await doors.find(FindRuns(f"{prompt} ", limit=SESSIONS), RunList)
    assert page is not None
    [summary] = [run for run in page.runs if run.prompt == prompt]
    assert summary.state == "interrupted"
    run = await doors.find(GetRun(summary.run_id), StoredRun)
    assert run is not None
    kept = [float(token) for token in text_of(run.events).split()]
    sent = [moment for moment in server.sent[prompt] if moment <= killed_at]
    # All of them, up to one: nothing lacks between two that are there.
    assert kept == server.sent[prompt][: len(kept)]
    last = kept[-1] if kept else sent[0]
    return max(0.0, sent[-1] - last)
