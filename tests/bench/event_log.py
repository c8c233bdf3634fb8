"""What the event log costs at many events a second, and how far it is behind.

    python -m tests.bench.event_log [--json] [--seconds S] [--rate R] [--filter F] [PROGRAM …]

The programs, each in a terminal of its own, one after the other:

- `console`: the whole console, log open and filtered, eight panes. Its subscription makes the
  events that are due when it is drained, so that neither endpoint nor engine is what is measured;
  the CPU of making them is not counted, that of all garbage is. They are events in a server's own
  words (LangChain's), which grow no transcript, so that memory is the log's.
- `tokens`: the same, and the events are tokens of eight answers, which the panes show too.
- `log`: the log alone in an empty app, filling the terminal.
- `RichLog`, `Log`: Textual's own in its place, given the rows that pass, already filtered and in
  words. They take a thousand events a frame at the most: of all that are due they never come back.
- `engine`: the whole way. A real endpoint with 64 answers, the engine in its own process, its
  socket. What does not fit through is merged there: `events` came, `chunks` are in them.

Before them it says how long work takes that nobody disturbs: more than 5 ms is the neighbours'.

Figures, of all events after a warm-up of three seconds:

- lag: from the moment when an event is taken (the console drains its subscription, twenty times a
  second) to the end of the first painting that was composed with the event in the log, its bytes
  handed to the thread that writes to the terminal. In brackets the part of it that the event loop's
  own thread worked: what neighbours on the same machine do not change.
- behind: from the moment when the event happened to that painting. It has up to a beat of 50 ms in
  it by itself, and grows without end where a program cannot follow.
- CPU of the process, all threads, for each event, and in `engine` of the engine's process too.
- echo: from a key to its letter on the terminal; of the second half of the time.
- memory at the start, in the middle and at the end.

Prints figures and asserts nothing about them.
"""

import argparse
import contextlib
import json
import statistics
import sys
import time
from collections.abc import Sequence

import msgspec

from tests.bench.log_feed import Load
from tests.bench.programs import LETTERS, Home, Terminal, bench_server, home
from tests.processes import cpu_seconds

RATE = 20_000
FILTER = "event:on_* water !session:3"
PROGRAMS = ("console", "tokens", "log", "RichLog", "Log", "engine")
GOAL = "goal lag p95 ≤ 10 ms, ≤ 15 µs, memory flat"
ENGINE_SESSIONS = 64
WITH_PROMPT = ("console", "engine")
ECHO_SECONDS = 2.0
CROWDING_SECONDS = 3.0
WORK_SECONDS = 0.005
PATIENCE = 60.0
"""Seconds for a program to start, and to end when it is behind."""


def load_of(name: str, options: argparse.Namespace, url: str) -> Load:
    """What a program of the list is given."""
    load = Load(name, options.rate, options.seconds, options.filter)
    match name:
        case "tokens":
            load.program, load.kind = "console", "tokens"
        case "engine":
            load.url, load.sessions = url, ENGINE_SESSIONS
    return load


def measure(load: Load, there: Home) -> dict[str, float]:
    """What a program says of itself; nothing of one that never came to an end."""
    result = there.folder / "figures.json"
    words = msgspec.json.encode(load).decode()
    command = [sys.executable, "-m", "tests.bench.log_programs", str(result), words]
    terminal = Terminal(command, there.environ)
    engine_cpu: list[tuple[float, float]] = []
    echoes: list[float] = []
    try:
        if load.program in WITH_PROMPT:
            # Before that, it is the terminal itself that deletes: by the byte.
            terminal.wait_for(b"ype a prompt")
        give_up = time.monotonic() + load.seconds + PATIENCE
        while not result.exists() and time.monotonic() < give_up:
            time.sleep(0.25)
            if load.program in WITH_PROMPT:
                # Nobody may be there any more to see it.
                with contextlib.suppress(OSError, TimeoutError):
                    letter = LETTERS[len(echoes) % len(LETTERS)]
                    echoes.append(terminal.echo(letter.encode(), ECHO_SECONDS))
            # It is gone together with the console.
            with contextlib.suppress(OSError):
                if load.url and (engine := there.engine()):
                    engine_cpu.append((time.monotonic(), cpu_seconds(engine)))
    finally:
        terminal.close()
    if not result.exists():
        return {}
    figures: dict[str, float] = json.loads(result.read_text())
    if load.url and figures["chunks_per_second"]:
        figures["engine_us_per_chunk"] = _steady(engine_cpu) / figures["chunks_per_second"] * 1e6
    if under_load := echoes[len(echoes) // 2 :]:
        figures["echo_p50_ms"] = statistics.median(under_load)
        figures["echo_p95_ms"] = statistics.quantiles(under_load, n=20)[-1]
    return figures


def _steady(samples: Sequence[tuple[float, float]]) -> float:
    """CPU seconds in a second, over the last third of all: the start is not in it."""
    last = samples[len(samples) * 2 // 3 :]
    (began, before), (ended, after) = last[0], last[-1]
    return (after - before) / max(ended - began, 0.1)


def crowding() -> tuple[float, float]:
    """How long 5 ms of work take on this machine now, p50 and p95 in milliseconds."""
    taken = []
    end = time.monotonic() + CROWDING_SECONDS
    while time.monotonic() < end:
        began, cpu = time.monotonic(), time.thread_time()
        while time.thread_time() - cpu < WORK_SECONDS:
            pass
        taken.append((time.monotonic() - began) * 1000)
        time.sleep(0.045)
    return statistics.median(taken), statistics.quantiles(taken, n=20)[-1]


def sentence(name: str, figures: dict[str, float]) -> str:
    """The figures of a program on one line."""
    if not figures:
        return f"{name:>8}: did not come to an end"
    memory = " → ".join(f"{figures[f'memory_{at}_mib']:.0f}" for at in ("start", "middle", "end"))
    lag = f"lag p50 {figures['painted_p50_ms']:.1f} p95 {figures['painted_p95_ms']:.1f} ms"
    parts = [
        f"{figures['events_per_second']:,.0f} events/s",
        f"{lag} (worked {figures['worked_p50_ms']:.1f}, {figures['worked_p95_ms']:.1f})",
        f"behind p95 {figures['behind_p95_ms']:,.0f} ms",
        f"{figures['us_per_event']:.1f} µs CPU/event",
        f"{memory} MiB",
    ]
    if "echo_p95_ms" in figures:
        parts.append(f"echo p50 {figures['echo_p50_ms']:.0f} p95 {figures['echo_p95_ms']:.0f} ms")
    if "engine_us_per_chunk" in figures:
        parts.insert(1, f"{figures['chunks_per_second']:,.0f} chunks/s")
        parts.append(f"engine {figures['engine_us_per_chunk']:.1f} µs/chunk")
    return f"{name:>8}: {', '.join(parts)}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=int, default=RATE)
    parser.add_argument("--filter", default=FILTER)
    parser.add_argument("programs", nargs="*", default=PROGRAMS)
    options = parser.parse_args()
    if not options.json:
        print(f"{options.rate:,} events/s, filter {options.filter!r}; {GOAL}", flush=True)
        print("machine: 5 ms of work take p50 {:.1f} p95 {:.1f} ms".format(*crowding()), flush=True)
    for name in options.programs:
        with bench_server() as url, home() as there:
            figures = measure(load_of(name, options, url), there)
        if options.json:
            print(json.dumps({"program": name, **figures}), flush=True)
        else:
            print(sentence(name, figures), flush=True)


if __name__ == "__main__":
    main()
