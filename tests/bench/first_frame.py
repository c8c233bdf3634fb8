"""Time from start to a usable screen: the console beside an empty Textual app, in one run.

    python -m tests.bench.first_frame [--runs 9] [--json]

The console is started where an engine runs, and where none does; and with a first prompt, of which
it is told when the request leaves. Prints figures and asserts nothing about them.
"""

import argparse
import json
import os
import signal
import statistics
import sys
import time
from contextlib import closing

from tests.bench.programs import Home, Terminal, bell, home

EMPTY_APP = """
from textual.app import App
from textual.widgets import Static
class Empty(App):
    def compose(self):
        yield Static("screen is ready")
Empty().run()
"""
EMPTY = [sys.executable, "-c", EMPTY_APP]
CONSOLE = [sys.executable, "-m", "streamtui", "-e", "demo/verse"]
# The cursor stands on the first letter of the prompt's own words, in a style of its own.
PROMPT, PANE = b"ype a prompt", b"verse"


def seconds_until(there: Home, command: list[str], *markers: bytes) -> list[float]:
    """How long a command takes until it has written each marker to its terminal of 200×50."""
    began = time.perf_counter()
    with closing(Terminal(command, there.environ)) as terminal:
        return [terminal.wait_for(marker) - began for marker in markers]


def seconds_until_asked(there: Home) -> list[float]:
    """How long the console takes until its prompt is there, and the request of its first one."""
    with bell(there) as (program, rings):
        command = [*program, "-e", "bell", "-p", "go"]
        began = time.perf_counter()
        with closing(Terminal(command, there.environ)) as terminal:
            return [moment - began for moment in (terminal.wait_for(PROMPT), rings.get())]


def no_engine(there: Home) -> None:
    """End the engine that runs."""
    while (pid := there.engine()) is not None:
        os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    empty, cold, warm, asked_cold, asked_warm = [], [], [], [], []
    with home() as there:
        for _ in range(options.runs):
            empty.append(seconds_until(there, EMPTY, b"screen is ready"))
            no_engine(there)
            cold.append(seconds_until(there, CONSOLE, PROMPT, PANE))
            warm.append(seconds_until(there, CONSOLE, PROMPT, PANE))
            no_engine(there)
            asked_cold.append(seconds_until_asked(there))
            asked_warm.append(seconds_until_asked(there))
    if options.json:
        figures = {
            "empty_s": empty,
            "no_engine_s": cold,
            "engine_s": warm,
            "asked_no_engine_s": asked_cold,
            "asked_engine_s": asked_warm,
        }
        print(
            json.dumps(
                {name: list(map(min, zip(*found, strict=True))) for name, found in figures.items()}
            )
        )
        return
    tell("empty Textual app", [empty_run[0] for empty_run in empty])
    for name, found in (("no engine runs", cold), ("an engine runs", warm)):
        for place, what in enumerate(("prompt", "pane")):
            tell(f"console, {name}: {what}", [moments[place] for moments in found])
    for name, found in (("no engine runs", asked_cold), ("an engine runs", asked_warm)):
        for place, what in enumerate(("prompt", "request")):
            tell(f"asked, {name}: {what}", [moments[place] for moments in found])
    least = min(empty)[0]
    print(f"prompt after the empty app, least of each: {1000 * (min(warm)[0] - least):.0f} ms")


def tell(name: str, seconds: list[float]) -> None:
    """One line of figures."""
    median = statistics.median(seconds)
    print(f"{name:32} median {median:.3f} s  min {min(seconds):.3f}  max {max(seconds):.3f}")


if __name__ == "__main__":
    main()
