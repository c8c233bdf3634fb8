"""What live panes cost: CPU and bytes for each token, and how soon a key is seen.

    python -m tests.bench.panes [--json] [--seconds S] [[KIND:]PANESxRATE …]

KIND is one of the bench's server: plain tokens unless something is said.
Beside an empty Textual app in the same run, whose CPU is taken off; keys are typed after that, while
all of it goes on. Prints figures and asserts nothing about them.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

from tests.bench.programs import Home, Terminal, asking, bench_server, home, memory_mib
from tests.processes import cpu_seconds

SCENARIOS = ("1x100", "16x50", "64x20", "64x200", "markdown:1x100", "markdown:16x50")
GOALS = {
    "1x100": (0.6, 45, 30),
    "16x50": (0.2, 40, 40),
    "64x20": (0.25, 50, 50),
    "64x200": (0.06, 25, 50),
}
EMPTY = """
from textual.app import App
from textual.widgets import Input
class Empty(App):
    def compose(self):
        yield Input(placeholder="screen is ready")
Empty().run()
"""


@contextmanager
def empty_app(there: Home) -> Iterator[Terminal]:
    """An app that shows nothing, once it does."""
    with closing(Terminal([sys.executable, "-c", EMPTY], there.environ)) as app:
        app.wait_for(b"creen is ready")
        time.sleep(1.0)
        yield app


def measure_empty(there: Home, seconds: float) -> float:
    """CPU seconds each second of an app that shows nothing."""
    with empty_app(there) as app:
        cpu = cpu_seconds(app.pid)
        time.sleep(seconds)
        return (cpu_seconds(app.pid) - cpu) / seconds


def measure(kind: str, panes: int, rate: int, seconds: float, empty: float) -> dict[str, float]:
    """One scenario from a fresh start."""
    count = int(rate * (2 * seconds + 6))
    command = asking(panes, f"bench/{kind}/{rate}/{count}")
    with bench_server() as url, home() as there:
        there.configure(url)
        with closing(Terminal(command, there.environ)) as console:
            console.wait_for(b"dance")
            time.sleep(2.0)
            figures = _watch(console, there, seconds)
    tokens = panes * rate * seconds
    return {
        "cpu_ms_per_token": (figures["cpu"] - empty * seconds) / tokens * 1000,
        "console_ms_per_token": figures["console"] / tokens * 1000,
        "bytes_per_token": figures["bytes"] / tokens,
        "echo_p50_ms": figures["echo_p50"],
        "echo_p95_ms": figures["echo_p95"],
        "memory_mib": figures["memory"],
    }


def _watch(console: Terminal, there: Home, seconds: float) -> dict[str, float]:
    pids = there.pids(console)
    before = {pid: cpu_seconds(pid) for pid in pids}
    received = console.received
    time.sleep(seconds)
    spent = {pid: cpu_seconds(pid) - before[pid] for pid in pids}
    written = console.received - received
    echoes = console.echoes(seconds)
    return {
        "cpu": sum(spent.values()),
        "console": spent[console.pid],
        "bytes": written,
        "echo_p50": statistics.median(echoes),
        "echo_p95": statistics.quantiles(echoes, n=20)[-1],
        "memory": sum(map(memory_mib, pids)),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("scenarios", nargs="*", default=SCENARIOS)
    options = parser.parse_args()
    with home() as there:
        empty = measure_empty(there, options.seconds)
    for name in options.scenarios:
        kind, _, size = name.rpartition(":")
        panes, _, rate = size.partition("x")
        figures = measure(kind or "tokens", int(panes), int(rate), options.seconds, empty)
        if options.json:
            print(json.dumps({"scenario": name, **figures}), flush=True)
            continue
        goal = GOALS.get(name)
        words = f"  goal {goal[0]} ms, {goal[1]} B, {goal[2]} ms" if goal else ""
        print(
            f"{name:>14}: {figures['cpu_ms_per_token']:.3f} ms/token"
            f" (console {figures['console_ms_per_token']:.3f}),"
            f" {figures['bytes_per_token']:.0f} B/token,"
            f" echo p50 {figures['echo_p50_ms']:.0f} p95 {figures['echo_p95_ms']:.0f} ms,"
            f" {figures['memory_mib']:.0f} MiB{words}",
            flush=True,
        )


if __name__ == "__main__":
    main()
