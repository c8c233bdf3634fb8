"""Programs of this folder as processes of their own, for what can only be seen from inside one."""

import sys
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from pathlib import Path

_ROOT = Path(__file__).parents[2]


async def start_child(module: str, *args: str, python: tuple[str, ...] = ()) -> Process:
    """A running program; `python` are options of the interpreter. What it says goes into pipes."""
    return await create_subprocess_exec(
        *(sys.executable, *python, "-m", f"tests.faults.{module}", *args),
        cwd=_ROOT,
        stdout=PIPE,
        stderr=PIPE,
    )
