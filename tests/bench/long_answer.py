"""What one long answer costs: at its end against its start, in memory, and when it comes at once.

    python -m tests.bench.long_answer [--json] [--tokens 50000]

Beside an empty Textual app and a script that reads the same stream and shows nothing. Prints
figures and asserts nothing about them.
"""

import argparse
import asyncio
import json
import resource
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from typing import IO

import aiohttp

from tests.bench.panes import measure_empty
from tests.bench.programs import Home, Terminal, home, memory_mib, server_process
from tests.bench.server import LAST_WORD
from tests.processes import cpu_seconds

RATE = 2_000
"""Tokens a second while cost and memory are looked at."""
BURSTS = {
    "fence": ("20,000 tokens, a fence of 200 KB", 20_000),
    "line": ("a line of 1 MB", 20_000),
}
SHARE = 5
"""The start and the end are one part each of so many."""
NEXT_PANE = b"\x1d"
SEEN = LAST_WORD.encode()


class Server:
    """The endpoint in a process of its own, which tells when an answer has left."""

    def __init__(self, url: str, told: IO[str]) -> None:
        self.url = url
        self._told = told

    def wait_until_sent(self) -> float:
        """The monotonic second at which the next answer had left."""
        return float(self._told.readline())


@contextmanager
def server() -> Iterator[Server]:
    with server_process("--tell") as printed:
        yield Server(printed.readline().strip(), printed)


@contextmanager
def console(there: Home, *models: str) -> Iterator[Terminal]:
    """A pane for each model; the first has answered, so that all is imported that it needs."""
    panes = [part for model in models for part in ("-e", f"bench/{model}")]
    command = [sys.executable, "-m", "streamtui", *panes]
    with closing(Terminal(command, there.environ)) as terminal:
        terminal.wait_for(b"ype a prompt")
        time.sleep(1.0)
        terminal.ask(b"go")
        terminal.wait_for(SEEN)
        time.sleep(1.0)
        terminal.press(NEXT_PANE)
        time.sleep(0.5)
        yield terminal


def measure_growth(tokens: int, empty: float) -> dict[str, float]:
    """Cost of a token at the start and at the end, and what the whole answer takes in memory.

    The first answer fills the event log too, which all panes share; the second finds it full.
    """
    model = f"tokens/{RATE}/{tokens}"
    with server() as there, home() as folders:
        folders.configure(there.url)
        with console(folders, "fence/0/200", model, model) as terminal:
            there.wait_until_sent()
            pids = folders.pids(terminal)
            memory = [[memory_mib(pid) for pid in pids]]
            costs = _costs(terminal, pids, tokens, empty)
            for following in (True, False):
                there.wait_until_sent()
                time.sleep(2.0)
                memory.append([memory_mib(pid) for pid in pids])
                if following:
                    terminal.press(NEXT_PANE)
                    time.sleep(0.5)
                    terminal.ask(b"go")
    start, end = costs[0], costs[-1]
    return {
        "start_ms_per_token": start,
        "end_ms_per_token": end,
        "ratio": end / start,
        "console_mib": memory[2][0] - memory[1][0],
        "console_first_mib": memory[1][0] - memory[0][0],
        "engine_mib": sum(memory[2][1:]) - sum(memory[1][1:]),
        "engine_first_mib": sum(memory[1][1:]) - sum(memory[0][1:]),
    }


def _costs(terminal: Terminal, pids: list[int], tokens: int, empty: float) -> list[float]:
    """CPU milliseconds for a token, over an empty app, in each part of the answer."""
    terminal.ask(b"go")
    # The first second has costs of its own: connecting, filling the pane.
    time.sleep(1.0)
    part = (tokens / RATE - 1.0) / SHARE
    began = time.perf_counter()
    marks = []
    for number in range(SHARE):
        marks.append(sum(map(cpu_seconds, pids)))
        time.sleep(max(0.0, began + 0.98 * part * (number + 1) - time.perf_counter()))
    marks.append(sum(map(cpu_seconds, pids)))
    spent = [late - early for early, late in pairwise(marks)]
    return [1000 * (each - empty * part) / (RATE * 0.98 * part) for each in spent]


def measure_burst(kind: str, tokens: int) -> dict[str, float]:
    """Seconds from the server's end until the last word is on screen, and CPU for a token."""
    with server() as there, home() as folders:
        folders.configure(there.url)
        with console(folders, "fence/0/200", f"{kind}/0/{tokens}") as terminal:
            there.wait_until_sent()
            pids = folders.pids(terminal)
            cpu = sum(map(cpu_seconds, pids))
            terminal.forget()
            began = time.monotonic()
            terminal.ask(b"go")
            sent = there.wait_until_sent()
            terminal.wait_for(SEEN)
            seen = time.monotonic()
            time.sleep(1.0)
            spent = sum(map(cpu_seconds, pids)) - cpu
    return {
        "sent_s": sent - began,
        "behind_s": seen - sent,
        "cpu_ms_per_token": 1000 * spent / tokens,
    }


def measure_floor(kind: str, tokens: int) -> dict[str, float]:
    """The same answer read with aiohttp and parsed, and nothing else."""
    with server() as there:
        used = resource.getrusage(resource.RUSAGE_SELF).ru_utime
        began = time.monotonic()
        asyncio.run(_read(there.url, f"{kind}/0/{tokens}"))
        seconds = time.monotonic() - began
        used = resource.getrusage(resource.RUSAGE_SELF).ru_utime - used
    return {"seconds": seconds, "cpu_ms_per_token": 1000 * used / tokens}


async def _read(url: str, model: str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/chat/completions", json={"model": model}) as response,
    ):
        async for line in response.content:
            if line.startswith(b"data: {"):
                json.loads(line[6:])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--tokens", type=int, default=50_000)
    parser.add_argument("--runs", type=int, default=3, help="how often each burst is measured")
    options = parser.parse_args()
    with home() as there:
        empty = measure_empty(there, 5.0)
    growth = measure_growth(options.tokens, empty)
    bursts = {
        kind: [measure_burst(kind, BURSTS[kind][1]) for _ in range(options.runs)] for kind in BURSTS
    }
    floors = {kind: measure_floor(kind, BURSTS[kind][1]) for kind in BURSTS}
    middle = {kind: _middle(found) for kind, found in bursts.items()}
    if options.json:
        print(json.dumps({"empty": empty, "growth": growth, "bursts": middle, "floors": floors}))
        return
    print(f"empty app: {empty * 100:.1f} % of a core")
    print(
        f"{options.tokens:,} tokens at {RATE:,}/s: {growth['start_ms_per_token']:.3f} ms/token at"
        f" the start, {growth['end_ms_per_token']:.3f} at the end, {growth['ratio']:.2f}×"
        f" (goal 1.1×)"
    )
    print(
        f"memory for it: {growth['console_mib']:.1f} MiB in the console and"
        f" {growth['engine_mib']:.1f} in the engine (goal 12 MB); for the first one, which fills the"
        f" event log, {growth['console_first_mib']:.1f} and {growth['engine_first_mib']:.1f}"
    )
    for kind, figures in middle.items():
        print(
            f"{BURSTS[kind][0]} at once: sent in {figures['sent_s']:.2f} s, on screen"
            f" {figures['behind_s']:.2f} s later (goal 1 s), {figures['cpu_ms_per_token']:.3f}"
            f" ms/token; only read: {floors[kind]['seconds']:.2f} s,"
            f" {floors[kind]['cpu_ms_per_token']:.3f} ms/token"
        )


def _middle(found: list[dict[str, float]]) -> dict[str, float]:
    """The median of each figure."""
    return {name: statistics.median(each[name] for each in found) for name in found[0]}


if __name__ == "__main__":
    main()
