"""Time from start to a usable screen: the console beside an empty Textual app, in one run.

    python -m tests.bench.first_frame [runs]

Prints figures and asserts nothing about them.
"""

import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import sys
import tempfile
import termios
import time

EMPTY_APP = """
from textual.app import App
from textual.widgets import Static
class Empty(App):
    def compose(self):
        yield Static("screen is ready")
Empty().run()
"""
# The cursor stands on the first letter of the prompt's own words, in a style of its own.
COMMANDS = {
    "empty Textual app": ([sys.executable, "-c", EMPTY_APP], b"screen is ready"),
    "console": ([sys.executable, "-m", "streamtui", "-e", "demo/verse"], b"ype a prompt"),
}
GIVE_UP_SECONDS = 30.0


def seconds_until(marker: bytes, command: list[str]) -> float:
    """How long a command takes until it has written `marker` to its terminal of 200×50."""
    began = time.perf_counter()
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ |= {"TERM": "xterm-256color", "LINES": "50", "COLUMNS": "200"}
        os.execv(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
    seen = b""
    try:
        while marker not in seen:
            if time.perf_counter() - began > GIVE_UP_SECONDS:
                raise TimeoutError(seen[-500:])
            if select.select([terminal], [], [], 1)[0]:
                seen = (seen + os.read(terminal, 65536))[-200_000:]
        return time.perf_counter() - began
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"HOME": home, "XDG_CONFIG_HOME": home}
        seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
        for _ in range(runs):
            for name, (command, marker) in COMMANDS.items():
                seconds[name].append(seconds_until(marker, command))
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, values in seconds.items():
        print(
            f"{name:20} median {medians[name]:.3f} s  min {min(values):.3f}  max {max(values):.3f}"
        )
    empty, console = medians.values()
    print(f"{'difference':20} {1000 * (console - empty):.0f} ms")


if __name__ == "__main__":
    main()
