"""Text to the clipboard by every way that may work, and always into a file.

Over SSH nobody can tell whether OSC 52 arrived, so the words say what was tried, not what happened.
Runs programs with a deadline and without a shell; never reads a clipboard.
"""

import asyncio
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from platformdirs import user_cache_path

TOOL_DEADLINE = 2.0
FILE_NAME = "clipboard.txt"
MOST_OSC_52 = 70_000
"""Bytes: terminals refuse more than about 100 kB of base64, some without a word."""

_NATIVE_TOOLS = (
    ("WAYLAND_DISPLAY", ("wl-copy",)),
    ("DISPLAY", ("xclip", "-selection", "clipboard")),
    ("DISPLAY", ("xsel", "--clipboard", "--input")),
)
_TMUX = ("tmux", "load-buffer", "-w", "-")
"""In tmux's default settings (`set-clipboard external`) only this arrives."""


async def copy(
    text: str,
    osc_52: Callable[[str], None],
    *,
    environment: Mapping[str, str] = os.environ,
    folder: Path | None = None,
) -> str:
    """Copy a text; returns what was tried, in words."""
    tried = []
    data = text.encode("utf-8", "replace")
    if len(data) <= MOST_OSC_52:
        osc_52(text)
        tried.append("OSC 52")
    tool = find_tool(environment)
    if tool:
        worked = await _feed(tool, data)
        tried.append(tool[0] if worked else f"{tool[0]} (failed)")
    path = await asyncio.to_thread(_write, data, folder or user_cache_path("streamtui"))
    tried.append(str(path) if path else "no file could be written")
    return ", ".join(tried)


def find_tool(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The command that takes a text for the clipboard; empty when there is none."""
    if environment.get("TMUX"):
        return _TMUX if shutil.which("tmux") else ()
    if sys.platform == "darwin":
        return ("pbcopy",)
    for variable, command in _NATIVE_TOOLS:
        if environment.get(variable) and shutil.which(command[0]):
            return command
    return ()


async def _feed(command: tuple[str, ...], data: bytes) -> bool:
    """Whether the program took the text in time."""
    quiet = asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=quiet, stderr=quiet
        )
    except OSError:
        return False
    try:
        async with asyncio.timeout(TOOL_DEADLINE):
            await process.communicate(data)
    except TimeoutError:
        return False
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode == 0


def _write(data: bytes, folder: Path) -> Path | None:
    """Replace the file; it can be read by its owner only, whatever the umask."""
    path = folder / FILE_NAME
    fresh = path.with_suffix(f".{os.getpid()}")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with os.fdopen(os.open(fresh, flags, 0o600), "wb") as file:
            file.write(data)
        fresh.replace(path)
    except OSError:
        return None
    return path
