"""Kill a process that streams, and measure what of it is found again."""

import asyncio
import random
import subprocess
import sys
from pathlib import Path

from streamtui.engine.reports import StoredRun
from streamtui.events import Chunk, RunCutOff, TextDelta
from tests.engine.journal.keeping import Keeping, keeping
from tests.engine.journal.streaming import MOMENT, RUNS

ROOT = Path(__file__).parents[3]


def kill_one(folder: Path, name: str, seconds: float) -> list[float]:
    """Stream for so long and be killed; returns when each run published its last token."""
    published = folder / f"published-{name}"
    command = [sys.executable, "-m", "tests.engine.journal.streaming"]
    with subprocess.Popen(
        [*command, folder / "state" / "journal.db", published, name],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "streaming\n"
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    return [moment for (moment,) in MOMENT.iter_unpack(published.read_bytes())]


async def losses(folder: Path, name: str, rng: random.Random) -> list[float]:
    """The milliseconds of its text that each run of a killed process lacks."""
    published = await asyncio.to_thread(kill_one, folder, name, rng.uniform(0.5, 1.5))
    async with keeping(folder / "state" / "journal.db") as kept:
        await kept.until_packed()
        runs = [await _run(kept, f"{name}-{number:03}") for number in range(RUNS)]
    assert not kept.told
    return [
        1000 * (moment - _last_moment(run)) for moment, run in zip(published, runs, strict=True)
    ]


async def _run(kept: Keeping, run_id: str) -> StoredRun:
    run = await kept.stored(run_id)
    assert (run.prompt, run.summary.state) == ("Sing", "interrupted")
    assert isinstance(run.events[-1].body, RunCutOff)
    return run


def _last_moment(run: StoredRun) -> float:
    """The last token that was kept; all before it are there, in their order and at their time."""
    tokens = [float(token) for token in run.answer.split()]
    assert tokens == sorted(tokens)
    chunks = [event for event in run.events if isinstance(event.body, Chunk)]
    assert len(chunks) == len(tokens)
    for event, token in zip(chunks, tokens, strict=True):
        assert abs(event.mono - token) < 0.1
        assert isinstance(event.body, Chunk)
        assert event.body.deltas == (TextDelta(f"{token:.6f} "),)
    return tokens[-1] if tokens else run.events[0].mono
