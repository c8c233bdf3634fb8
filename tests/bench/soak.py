"""Whether a console that works for long stays as it was: memory, and what a token costs.

    python -m tests.bench.soak [--minutes 20] [--panes 16] [--rate 50] [--json] [--plot FILE.svg]

Each pane is asked again whenever all answers, of half a minute each, have ended. Prints a line each
minute and asserts nothing.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from tests.bench.programs import Home, Terminal, bench_server, home, memory_mib
from tests.processes import cpu_seconds

ANSWER_SECONDS = 30
PAUSE_SECONDS = 4.0
ALL, REDRAW = b"\x14", b"\x0c"
WIDTH, HEIGHT, EDGE = 640, 200, 40


class Sample(NamedTuple):
    """What one round was like."""

    minutes: float
    console_mib: float
    engine_mib: float
    ms_per_token: float
    bytes_per_token: float


def address_all(console: Terminal, panes: int) -> None:
    """From now on the prompt speaks to all panes."""
    for _press in range(3):
        console.press(ALL)
        time.sleep(0.3)
        console.forget()
        console.press(REDRAW)
        time.sleep(0.7)
        if f"all ({panes})".encode() in console.tail:
            return
    raise RuntimeError("the prompt does not speak to all panes")


def rounds(
    console: Terminal, there: Home, panes: int, rate: int, minutes: float
) -> Iterator[Sample]:
    """Ask, wait until all have answered, and say what that took."""
    began = time.monotonic()
    engine = there.engine() or 0
    tokens = panes * rate * ANSWER_SECONDS
    while time.monotonic() - began < minutes * 60:
        pids = (console.pid, engine)
        before, received = sum(map(cpu_seconds, pids)), console.received
        time.sleep(ANSWER_SECONDS + PAUSE_SECONDS)
        spent = sum(map(cpu_seconds, pids)) - before
        yield Sample(
            (time.monotonic() - began) / 60,
            memory_mib(console.pid),
            memory_mib(engine),
            1000 * spent / tokens,
            (console.received - received) / tokens,
        )
        console.ask(b"go on")


def plot(samples: list[Sample]) -> str:
    """Memory and cost over time, each against its own highest value, as SVG."""
    lines = (
        ("console MiB", "#4477aa", [s.console_mib for s in samples]),
        ("engine MiB", "#228833", [s.engine_mib for s in samples]),
        ("ms a token", "#ee6677", [s.ms_per_token for s in samples]),
    )
    most = samples[-1].minutes
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT + 2 * EDGE}">',
        f'<rect width="{WIDTH}" height="{HEIGHT + 2 * EDGE}" fill="white"/>',
        '<g font-family="sans-serif" font-size="11">',
    ]
    for number, (name, color, values) in enumerate(lines):
        top = max(values)
        points = " ".join(
            f"{EDGE + (WIDTH - 2 * EDGE) * s.minutes / most:.1f},"
            f"{EDGE + HEIGHT * (1 - value / top):.1f}"
            for s, value in zip(samples, values, strict=True)
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{color}"/>')
        words = f"{name}: {values[0]:.3g} at first, {values[-1]:.3g} at last"
        parts.append(f'<text x="{EDGE + 200 * number}" y="24" fill="{color}">{words}</text>')
    base = EDGE + HEIGHT
    parts.append(f'<path d="M{EDGE} {EDGE}V{base}H{WIDTH - EDGE}" fill="none" stroke="#888"/>')
    parts.append(f'<text x="{WIDTH - 2 * EDGE}" y="{base + 20}">{most:.0f} minutes</text>')
    return "\n".join([*parts, "</g></svg>\n"])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--panes", type=int, default=16)
    parser.add_argument("--rate", type=int, default=50)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    model = f"bench/tokens/{options.rate}/{options.rate * ANSWER_SECONDS}"
    samples = []
    with bench_server() as url, home() as there:
        there.configure(url)
        command = [sys.executable, "-m", "streamtui", *["-e", model] * options.panes]
        with closing(Terminal(command, there.environ)) as console:
            console.wait_for(b"bench")
            time.sleep(3)
            address_all(console, options.panes)
            console.ask(b"go")
            for sample in rounds(console, there, options.panes, options.rate, options.minutes):
                samples.append(sample)
                tell(sample, as_json=options.json)
    if options.plot:
        options.plot.write_text(plot(samples))


def tell(sample: Sample, *, as_json: bool) -> None:
    """One line."""
    if as_json:
        print(json.dumps(sample._asdict()), flush=True)
        return
    print(
        f"{sample.minutes:5.1f} min: console {sample.console_mib:.0f} MiB,"
        f" engine {sample.engine_mib:.0f} MiB, {sample.ms_per_token:.3f} ms/token,"
        f" {sample.bytes_per_token:.0f} B/token",
        flush=True,
    )


if __name__ == "__main__":
    main()
