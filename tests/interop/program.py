"""`streamtui run --json` as a process of its own, with a home that nobody else has."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, create_subprocess_exec
from pathlib import Path
from typing import Any

import tomli_w

from .answers import Said

_ROOT = Path(__file__).parents[2]
_MOST_SECONDS = 40


async def run_all(
    home: Path, endpoints: dict[str, dict[str, Any]], prompt: str
) -> tuple[int | None, list[Any]]:
    """The exit code, and the summaries of all endpoints in order."""
    config = home / "config.toml"
    config.write_text(tomli_w.dumps({"endpoints": endpoints}))
    chosen = [word for name in endpoints for word in ("-e", name)]
    process = await create_subprocess_exec(
        *(sys.executable, "-m", "streamtui", "--config", str(config), "run", prompt, "--json"),
        *chosen,
        cwd=_ROOT,
        env={"HOME": str(home), "PYTHONPATH": str(_ROOT)},
        stdout=PIPE,
    )
    async with asyncio.timeout(_MOST_SECONDS):
        printed, _ = await process.communicate()
    return process.returncode, [json.loads(line) for line in printed.splitlines()]


def said_in(summary: Any) -> Said:
    """What a summary says."""
    usage = summary["usage"]
    return Said(
        summary["text"],
        summary["reasoning"] or "",
        [(c["id"], c["name"], json.loads(c["arguments"])) for c in summary["tool_calls"] or ()],
        (usage["input"], usage["output"], usage["reasoning"] or 0) if usage else None,
    )
