"""What the journal costs: while answers stream, when much is looked for, and when it is killed.

    python -m tests.bench.journal [--json] [--seconds 10] [--runs 100000] [--kills 25]

Prints figures and asserts nothing about them. `0` leaves a part out. The large journal takes some
minutes to make and 2 GB in the folder for temporary files.
"""

import argparse
import asyncio
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from streamtui.engine.bus import Bus
from streamtui.engine.journal import Journal
from streamtui.engine.journal.history import History
from streamtui.engine.journal.intake import Intake
from streamtui.engine.journal.ledger import Ledger
from streamtui.engine.journal.reader import Reader
from streamtui.engine.journal.store import Store, open_store
from streamtui.engine.reports import RunList
from streamtui.events import (
    Chunk,
    Message,
    Metrics,
    RunCompleted,
    RunStarted,
    SessionOpened,
    TextDelta,
)
from streamtui.ids import new_id
from tests.engine.journal.kills import losses

STREAMS, TOKENS_PER_SECOND = 1_000, 50
SLICES = 10
"""Into how many bursts the tokens of all streams are divided."""
QUESTIONS = 9
RARE, COMMON, SHORT, CHINESE, CHINESE_COMMON = "zyzzyva", "river", "qu", "气泡", "光芒"

Figures = dict[str, Any]


def start(bus: Bus, session_id: str, run_id: str, prompt: str) -> None:
    bus.publish(session_id, "", SessionOpened("mirror", "m", "openai-chat"))
    messages = (Message("user", prompt),)
    started = RunStarted(prompt, messages, "mirror", "m", "openai-chat")
    bus.publish(session_id, run_id, started)


def publish_for(bus: Bus, ids: list[tuple[str, str]], seconds: float) -> float:
    """Publish tokens at their pace; returns the share of a core that this took."""
    began, used = time.monotonic(), 0.0
    size = len(ids) // SLICES
    for number in range(int(seconds * TOKENS_PER_SECOND * SLICES)):
        pause = began + number / TOKENS_PER_SECOND / SLICES - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        place = number % SLICES * size
        before = time.thread_time()
        for session_id, run_id in ids[place : place + size]:
            bus.publish(session_id, run_id, Chunk((TextDelta(f" tok{number % 100}"),)))
        used += time.thread_time() - before
    return used / (time.monotonic() - began)


async def streaming(folder: Path, seconds: float) -> Figures:
    """The cost of writing what streams, and of what is done when it ends."""
    ids = [(new_id(), new_id()) for _ in range(STREAMS)]
    alone = await asyncio.to_thread(publish_for, Bus(time.time, time.monotonic), ids, seconds)
    bus = Bus(time.time, time.monotonic)
    path = folder / "journal.db"
    journal = Journal(path, bus, lambda _: None)
    for session_id, run_id in ids:
        start(bus, session_id, run_id, "Sing")
    assert await journal.made_safe()
    clock = time.pthread_getcpuclockid(journal._writer._thread.ident or 0)
    before = time.clock_gettime(clock)
    together = await asyncio.to_thread(publish_for, bus, ids, seconds)
    writer = (time.clock_gettime(clock) - before) / seconds
    before, began = time.clock_gettime(clock), time.monotonic()
    for session_id, run_id in ids:
        bus.publish(session_id, run_id, RunCompleted("stop", Metrics()))
    while await journal.read(_unpacked):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    packing, wall = time.clock_gettime(clock) - before, time.monotonic() - began
    await asyncio.to_thread(journal.close)
    tokens = seconds * TOKENS_PER_SECOND
    return {
        "tokens a second": STREAMS * TOKENS_PER_SECOND,
        "publishing without it, % of a core": 100 * alone,
        "publishing with it, % of a core": 100 * together,
        "its thread, % of a core": 100 * writer,
        "cost, % of a core": 100 * (together - alone + writer),
        "end of a run, CPU ms": 1000 * packing / STREAMS,
        "end of a run, CPU µs per token": 1e6 * packing / STREAMS / tokens,
        "all findable after the end, s": wall,
        "bytes on disk per token": path.stat().st_size / STREAMS / tokens,
    }


def _unpacked(history: History) -> bool:
    found = history._connection.execute("SELECT 1 FROM run WHERE NOT packed LIMIT 1").fetchone()
    return found is not None


def words(rng: random.Random) -> Iterator[str]:
    """Words as common as those of a language, without end."""
    parts = [
        "ka",
        "ro",
        "mi",
        "ten",
        "sol",
        "va",
        "ing",
        "er",
        "ous",
        "con",
        "the",
        "tr",
        "lo",
        "qu",
    ]
    known = ["".join(rng.choices(parts, k=rng.randint(1, 4))) for _ in range(20_000)]
    weights = [1 / (place + 5) for place in range(len(known))]
    while True:
        yield from rng.choices(known, weights, k=10_000)


def chinese(rng: random.Random, length: int) -> str:
    return "".join(chr(0x4E00 + int(rng.paretovariate(0.4)) % 3_000) for _ in range(length))


def answers(rng: random.Random, runs: int) -> Iterator[str]:
    """Texts of about 2 KB; some words in few of them, some in many, some texts in Chinese."""
    language = words(rng)
    for number in range(runs):
        if number % 10 == 0:
            text = chinese(rng, 600)
            extra = CHINESE if number % (runs // 20 * 10 or 1) == 0 else ""
            yield text + extra + (CHINESE_COMMON if number % 20 == 0 else "")
            continue
        found = list(islice(language, 330))
        if number % 3 == 0:
            found.append(COMMON)
        if number % (runs // 5) == 1:
            found.append(RARE)
        yield " ".join(found)


def fill(store: Store, runs: int) -> float:
    """Write whole runs; returns the CPU milliseconds of each."""
    bus, ledger = Bus(time.time, time.monotonic), Ledger()
    intake = Intake(lambda: None)
    bus.attach(intake)
    before = time.thread_time()
    texts = list(answers(random.Random(7), min(runs, 20_000)))
    spent = 0.0
    for number in range(runs):
        session_id, run_id = new_id(), new_id()
        start(bus, session_id, run_id, f"question {number}")
        text = texts[number % len(texts)]
        for place in range(0, len(text), 40):
            bus.publish(session_id, run_id, Chunk((TextDelta(text[place : place + 40]),)))
        bus.publish(session_id, run_id, RunCompleted("stop", Metrics()))
        if number % 200 == 199 or number == runs - 1:
            before = time.thread_time()
            store.write([ledger.tick(intake.drain())], durably=False)
            ledger.settle()
            store.packing.finish()
            spent += time.thread_time() - before
    return 1000 * spent / runs


def milliseconds(work: Callable[[], Any]) -> float:
    """The median of several times."""
    times = []
    for _ in range(QUESTIONS):
        began = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


def looking(folder: Path, runs: int) -> Figures:
    """What is asked of a journal of many runs, and how large it is."""
    path = folder / "large.db"
    store = _open(path)
    cpu = fill(store, runs)
    store.close()
    figures: Figures = {
        "runs": runs,
        "bytes on disk per run": path.stat().st_size / runs,
        "writing and packing a run, CPU ms": cpu,
        "open, ms": milliseconds(lambda: _open(path).close()),
    }
    reader = Reader(path)
    questions = {
        "first page": "",
        "a word in 5 runs": RARE,
        "a word in every third run": COMMON,
        "two words": f"{COMMON} {RARE}",
        "a word in none": "xylophone",
        "two letters": SHORT,
        "a word of 2 characters in few runs": CHINESE,
        "a word of 2 characters in 5 % of the runs": CHINESE_COMMON,
        "a character in none": "龘",
    }
    for name, text in questions.items():
        ask = partial(reader.find, partial(_look_for, text))
        figures[f"{name} ({len(ask().runs)} found), ms"] = milliseconds(ask)
    reader.close()
    return figures


def _look_for(text: str, history: History) -> RunList:
    return history.runs(text, 50, None)


def _open(path: Path) -> Store:
    return open_store(path, on_damage=print, same_boot=False)


async def killing(folder: Path, kills: int) -> Figures:
    """What a process that is killed loses of 100 streams."""
    rng = random.Random()
    lost: list[float] = []
    for number in range(kills):
        lost += await losses(folder, f"kill{number}", rng)
    return {
        "kills": kills,
        "lost of a stream, p50 ms": statistics.median(lost),
        "lost of a stream, p95 ms": statistics.quantiles(lost, n=20)[-1],
        "lost of a stream, max ms": max(lost),
    }


async def measure(options: argparse.Namespace) -> dict[str, Figures]:
    found: dict[str, Figures] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.seconds:
            found["streaming"] = await streaming(folder, options.seconds)
        if options.runs:
            found["looking"] = await asyncio.to_thread(looking, folder, options.runs)
        if options.kills:
            found["killing"] = await killing(folder, options.kills)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.journal")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=25)
    options = parser.parse_args()
    found = asyncio.run(measure(options))
    if options.json:
        print(json.dumps(found, ensure_ascii=False))
        return
    for part, figures in found.items():
        print(part)
        for figure, value in figures.items():
            print(f"  {figure:48} {value:>12,.2f}")


if __name__ == "__main__":
    main()
