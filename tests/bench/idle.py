"""What a console costs at which nothing happens: finished answers in sixteen panes.

    python -m tests.bench.idle [--seconds 20] [--panes 16] [--json]

Beside an empty Textual app in the same run. Prints figures and asserts nothing about them.
"""

import argparse
import json
import time
from contextlib import closing

from tests.bench.panes import empty_app
from tests.bench.programs import Terminal, asking, bench_server, home
from tests.processes import cpu_seconds

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
    command = asking(panes, f"bench/tokens/0/{TOKENS}")
    with bench_server() as url, home() as there:
        with empty_app(there) as app:
            time.sleep(1.0)
            empty = at_rest(app, [app.pid], seconds)
        there.configure(url)
        with closing(Terminal(command, there.environ)) as console:
            console.wait_for(b"dance")
            time.sleep(REST_SECONDS)
            cpu, written = at_rest(console, there.pids(console), seconds)
            alone, _ = at_rest(console, [console.pid], seconds)
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
