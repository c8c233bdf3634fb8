"""What typing is like over a thin line: 9 panes of 40 tokens a second through 256 kbit/s.

    python -m tests.bench.thin_line [--json] [--seconds S] [--line ssh|terminal|fast] [PANESxRATE …]

Over ssh to an address of this machine whose link is shaped, where we may do that; and in a terminal
that takes 32 KiB a second. Beside a terminal that takes all. Prints figures and asserts nothing
about them.
"""

import argparse
import json
import os
import select
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.bench.programs import Home, Terminal, asking, bench_server, home
from tests.lifetimes.ssh import SshServer, ssh_server

SCENARIOS = ("9x40",)
LINES = ("fast", "terminal", "ssh")
KBIT_PER_SECOND = 256
BYTES_PER_SECOND = KBIT_PER_SECOND * 128
GOAL = "goal p95 250 ms, 24 KiB/s"
SETTLING_SECONDS = 3.0
_SLICE = 1024
"""Bytes that a slow terminal takes at once."""
_INSIDE, _HERE, _THERE = "stui-thin", "stui-here", "stui-there"
_NET = "10.251.86."


class SlowTerminal(Terminal):
    """Takes so many bytes a second and no more."""

    def _read(self) -> None:
        due = time.perf_counter()
        while not self._closed:
            if not select.select([self._master], [], [], 0.2)[0]:
                continue
            try:
                data = os.read(self._master, _SLICE)
            except OSError:
                return
            # It takes time before it is seen, and what comes later has to wait for it.
            due = max(due, time.perf_counter()) + len(data) / BYTES_PER_SECOND
            time.sleep(max(0.0, due - time.perf_counter()))
            self.take(data)


class Line(NamedTuple):
    """A way from the program to who sits in front of it."""

    inside: list[str]
    """Runs a command where the program runs."""
    open: Callable[[list[str], dict[str, str]], Terminal]
    on_wire: Callable[[], int] | None = None
    """Bytes on the wire so far, with all that the protocols add."""


@contextmanager
def line_called(name: str) -> Iterator[Line]:
    """One of LINES. Raises pytest's `Skipped` with the reason where it cannot be had."""
    if name == "fast":
        yield Line([], Terminal)
    elif name == "terminal":
        yield Line([], SlowTerminal)
    else:
        with ExitStack() as stack:
            inside, address = stack.enter_context(shaped_link())
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "ssh"
            server = stack.enter_context(ssh_server(folder, address=address, inside=inside))
            yield Line(inside, partial(_over_ssh, server), _received_here)


def _over_ssh(server: SshServer, command: list[str], environ: dict[str, str]) -> Terminal:
    settings = (f"{name}={value}" for name, value in environ.items())
    program, *rest = server.command(server.port, shlex.join(["env", *settings, *command]))
    return Terminal([str(shutil.which(program)), *rest], dict(os.environ))


@contextmanager
def shaped_link() -> Iterator[tuple[list[str], str]]:
    """A network with one way in, which carries KBIT_PER_SECOND in either direction.

    Gives the command that runs others inside it, and its address.
    """
    if os.geteuid() or not (shutil.which("ip") and shutil.which("tc")):
        pytest.skip("a link can only be shaped by root, with `ip` and `tc` of iproute2")
    inside = ["ip", "netns", "exec", _INSIDE]
    shape = f"root tbf rate {KBIT_PER_SECOND}kbit burst 2kb latency 10s".split()
    steps = [
        ["ip", "netns", "add", _INSIDE],
        ["ip", "link", "add", _HERE, "type", "veth", "peer", "name", _THERE, "netns", _INSIDE],
        ["ip", "address", "add", f"{_NET}1/24", "dev", _HERE],
        ["ip", "link", "set", _HERE, "up"],
        [*inside, "ip", "link", "set", "lo", "up"],
        [*inside, "ip", "address", "add", f"{_NET}2/24", "dev", _THERE],
        [*inside, "ip", "link", "set", _THERE, "up"],
        ["tc", "qdisc", "add", "dev", _HERE, *shape],
        [*inside, "tc", "qdisc", "add", "dev", _THERE, *shape],
    ]
    try:
        for step in steps:
            done = subprocess.run(step, capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"`{shlex.join(step)}`: {done.stderr.strip()}")
        yield inside, f"{_NET}2"
    finally:
        for undo in (["ip", "link", "del", _HERE], ["ip", "netns", "del", _INSIDE]):
            subprocess.run(undo, capture_output=True, check=False)


def _received_here() -> int:
    return int(Path(f"/sys/class/net/{_HERE}/statistics/rx_bytes").read_text())


def measure(line: Line, panes: int, rate: int, seconds: float) -> dict[str, float]:
    """One scenario from a fresh start."""
    count = int(rate * (seconds + 3 * SETTLING_SECONDS))
    command = asking(panes, f"bench/tokens/{rate}/{count}")
    with bench_server(inside=line.inside) as url, home() as there:
        there.configure(url)
        return _measure_in(there, line, command, seconds)


def _measure_in(there: Home, line: Line, command: list[str], seconds: float) -> dict[str, float]:
    with closing(line.open(command, there.environ)) as console:
        console.wait_for(b"dance")
        time.sleep(SETTLING_SECONDS)
        began = time.perf_counter()
        received = console.received
        on_wire = line.on_wire() if line.on_wire else 0
        echoes = console.echoes(seconds)
        took = time.perf_counter() - began
        figures = {
            "kib_per_second": (console.received - received) / took / 1024,
            "echo_p50_ms": statistics.median(echoes),
            "echo_p95_ms": statistics.quantiles(echoes, n=20)[-1],
            "echo_max_ms": max(echoes),
        }
        if line.on_wire:
            figures["wire_kib_per_second"] = (line.on_wire() - on_wire) / took / 1024
        return figures


def tell(name: str, scenario: str, figures: dict[str, float]) -> None:
    """One line of figures."""
    wire = figures.get("wire_kib_per_second")
    print(
        f"{name:>8} {scenario:>6}: {figures['kib_per_second']:5.1f} KiB/s"
        f"{f' ({wire:.1f} on the wire)' if wire else ''}, echo p50 {figures['echo_p50_ms']:.0f}"
        f" p95 {figures['echo_p95_ms']:.0f} max {figures['echo_max_ms']:.0f} ms"
        f"{'' if name == 'fast' else f'  {GOAL}'}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.thin_line")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--line", action="append", choices=LINES)
    parser.add_argument("scenarios", nargs="*", default=SCENARIOS)
    options = parser.parse_args()
    for name in options.line or LINES:
        try:
            with line_called(name) as line:
                for scenario in options.scenarios:
                    panes, _, rate = scenario.partition("x")
                    figures = measure(line, int(panes), int(rate), options.seconds)
                    if options.json:
                        found = {"line": name, "scenario": scenario, **figures}
                        print(json.dumps(found), flush=True)
                    else:
                        tell(name, scenario, figures)
        except pytest.skip.Exception as reason:
            print(f"{name:>8} skipped: {reason}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
