"""How long a change of the terminal's size takes: from the signal to the last byte of the frame.

    python -m tests.bench.resize [--json] [--panes N] [--turns N] [--sizes N]

Panes hold long conversations that have ended; beside an empty Textual app in the same run. Prints
figures and asserts nothing about them.
"""

import argparse
import fcntl
import json
import random
import statistics
import struct
import termios
import time
from contextlib import closing

from tests.bench.panes import empty_app
from tests.bench.programs import Home, Terminal, asking, bench_server, home
from tests.processes import cpu_seconds

GOAL = 150
"""Milliseconds for 64 panes with long transcripts."""
REST = 0.4
"""Seconds without a byte after which a frame was the last one."""
TOKENS = 2_000
"""Tokens of each answer, of about four characters."""


def measure_empty(there: Home, sizes: int) -> list[float]:
    with empty_app(there) as app:
        return [resize(app, *size) for size in some_sizes(sizes)]


def measure(panes: int, turns: int, sizes: int) -> tuple[list[float], float]:
    """Milliseconds of each resize, and CPU seconds of one."""
    command = asking(panes, f"bench/tokens/0/{TOKENS}")
    with bench_server() as url, home() as there:
        there.configure(url)
        with closing(Terminal(command, there.environ)) as console:
            console.wait_for(b"dance")
            console.press(b"\x14")
            for _ in range(turns - 1):
                wait_until_quiet(console, 1.5)
                console.press(b"more")
                wait_until_quiet(console, 0.3)
                console.press(b"\r")
            wait_until_quiet(console, 2.0)
            before = cpu_seconds(console.pid)
            took = [resize(console, *size) for size in some_sizes(sizes)]
            return took, (cpu_seconds(console.pid) - before) / sizes


def some_sizes(count: int) -> list[tuple[int, int]]:
    """Near 200×50, so that all panes can be seen; none twice in a row."""
    chance = random.Random(1)
    return [(210 + place % 2 + 2 * chance.randint(-5, 5), 52 + place % 3) for place in range(count)]


def resize(program: Terminal, columns: int, rows: int) -> float:
    """Milliseconds from the change to the last byte that followed it."""
    size = struct.pack("HHHH", rows, columns, 0, 0)
    began = time.perf_counter()
    fcntl.ioctl(program._master, termios.TIOCSWINSZ, size)
    return (wait_until_quiet(program, REST) - began) * 1000


def wait_until_quiet(program: Terminal, seconds: float) -> float:
    """The moment after which nothing was written for so long."""
    count, since = program.received, time.perf_counter()
    while time.perf_counter() - since < seconds:
        time.sleep(0.002)
        if program.received != count:
            count, since = program.received, time.perf_counter()
    return since


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--panes", type=int, default=64)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--sizes", type=int, default=20)
    options = parser.parse_args()
    with home() as there:
        empty = measure_empty(there, options.sizes)
    took, cpu = measure(options.panes, options.turns, options.sizes)
    figures = {
        "panes": options.panes,
        "tokens_in_each": options.turns * TOKENS,
        "p50_ms": statistics.median(took),
        "p95_ms": statistics.quantiles(took, n=20)[-1],
        "cpu_ms": cpu * 1000,
        "empty_p50_ms": statistics.median(empty),
        "empty_p95_ms": statistics.quantiles(empty, n=20)[-1],
    }
    if options.json:
        print(json.dumps(figures))
        return
    print(
        f"{options.panes} panes of {figures['tokens_in_each']} tokens:"
        f" frame complete p50 {figures['p50_ms']:.0f} p95 {figures['p95_ms']:.0f} ms,"
        f" CPU {figures['cpu_ms']:.0f} ms;"
        f" empty app p50 {figures['empty_p50_ms']:.0f} p95 {figures['empty_p95_ms']:.0f} ms;"
        f" goal {GOAL} ms"
    )


if __name__ == "__main__":
    main()
