"""An engine that is sent a line without an end. Prints what was said of it and what it cost.

Run as a program: the memory of a process can only be seen from inside it, and only grows.
"""

import asyncio
import json
import resource

from tests.faults.outcome import TOKEN, play
from tests.faultserver import SCENARIOS

KIB = 1024


def peak() -> int:
    """The most bytes that this process ever had in memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB


async def main() -> None:
    head, endless = SCENARIOS["endless-line"]["steps"]
    await play([head, TOKEN])
    before = peak()
    outcome = await play([head, TOKEN, endless])
    told = {"phase": outcome.pane.phase, "toast": outcome.toast, "hits": outcome.hits}
    print(json.dumps(told | {"text": outcome.turn.text, "growth": peak() - before}))


if __name__ == "__main__":
    asyncio.run(main())
