"""Processes that tests start, as /proc shows them."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def running() -> Iterator[tuple[int, bytes]]:
    """Each process, and its command line, every argument of which ends with a NUL."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                yield int(entry.name), (entry / "cmdline").read_bytes()


def engine_pids(folder: Path) -> list[int]:
    """The engines that listen in a folder."""
    inside = str(folder).encode()
    return [
        pid
        for pid, command in running()
        if b"\0streamtui.service\0" in command and inside in command
    ]


def stop_engines(folder: Path) -> None:
    """Kill the engines that listen in a folder of a test, which is then removed."""
    for pid in engine_pids(folder):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


def cpu_seconds(pid: int) -> float:
    """What a process has used so far, all its threads."""
    user, system = _stat(pid)[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def state_of(pid: int) -> str:
    """The letter that stands for what a process does; empty for one that is gone."""
    try:
        return _stat(pid)[0]
    except OSError:
        return ""


def _stat(pid: int) -> list[str]:
    """https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html, from the third field on."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
