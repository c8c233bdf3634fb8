"""What a console costs at which nothing happens: finished answers in sixteen panes.

    python -m tests.bench.idle [--seconds 20] [--panes 16] [--json]

Beside an empty Textual app in the same run. Prints figures and asserts nothing about them.
"""

import argparse
import json
import sys
import time

from tests.bench.panes import EMPTY
from tests.bench.programs import Terminal, bench_server, cpu_seconds, home

TOKENS = 400
REST_SECONDS = 6.0
"""Until rates, ages and whatever else moves with time have come to rest."""


def at_rest(app: Terminal, pids: list[int], seconds: float) -> tuple[float, float]:
    """Percent of a core and bytes a second."""
    before, received = sum(map(cpu_seconds, pids)), app.received
    time.sleep(seconds)
    spent = sum(map(cpu_seconds, pids)) - before
    return 100 * spent / seconds, (app.received - received) / seconds


def measure(panes: int, seconds: float) -> dict[str, float]:
    with bench_server() as url, home() as there:
        app = Terminal([sys.executable, "-c", EMPTY], there.environ)
        try:
            app.wait_for(b"creen is ready")
            time.sleep(2.0)
            empty = at_rest(app, [app.pid], seconds)
        finally:
            app.close()
        there.configure(url)
        model = f"bench/tokens/0/{TOKENS}"
        command = [sys.executable, "-m", "streamtui", *["-e", model] * panes, "-p", "go"]
        console = Terminal(command, there.environ)
        try:
            console.wait_for(b"dance")
            time.sleep(REST_SECONDS)
            engine = there.engine()
            pids = [console.pid] + ([engine] if engine else [])
            cpu, written = at_rest(console, pids, seconds)
            alone, _ = at_rest(console, [console.pid], seconds)
        finally:
            console.close()
    return {
        "cpu_percent": cpu,
        "console_percent": alone,
        "bytes_per_second": written,
        "empty_percent": empty[0],
        "empty_bytes_per_second": empty[1],
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--panes", type=int, default=16)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options.panes, options.seconds)
    if options.json:
        print(json.dumps({"scenario": "idle", **found}))
        return
    print(
        f"idle, {options.panes} finished panes: {found['cpu_percent']:.2f} % of a core"
        f" (console {found['console_percent']:.2f}), {found['bytes_per_second']:.1f} B/s;"
        f" empty app {found['empty_percent']:.2f} %, {found['empty_bytes_per_second']:.1f} B/s"
        "  goal < 0.5 %, 0 B/s"
    )


if __name__ == "__main__":
    main()
