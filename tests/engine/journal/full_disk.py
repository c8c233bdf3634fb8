"""A process that streams into a journal for which there is no room, until there is again.

    python -m tests.engine.journal.full_disk JOURNAL HOW

`HOW` is `limit`, a limit to the size of its files, or the size of a filesystem of which the
journal's folder is the root. Prints what was told when, as JSON.
"""

import asyncio
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

from streamtui.engine.journal import writer
from streamtui.events import Body, JournalResumed, JournalStopped
from tests.engine.journal.keeping import Keeping

ROOM = 400 * 1024
TEXT = "0123456789abcde " * 32
"""Half a kilobyte."""


def leave_room(folder: Path, how: str, size: int) -> None:
    if how == "limit":
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    else:
        subprocess.run(["mount", "-o", f"remount,size={size}", folder], check=True)


async def main(path: Path, how: str) -> None:
    writer.RETRY_SECONDS = 0.2
    leave_room(path.parent, how, ROOM)
    kept = Keeping(path)
    kept.open_session()
    kept.start()
    assert await kept.journal.made_safe()
    slowest, published, stopped_after = 0.0, 0, 0.0
    full_since = None
    while not _told(kept, JournalStopped) or published < 2_000:
        began = time.perf_counter()
        kept.stream(f"{published} {TEXT}")
        slowest = max(slowest, time.perf_counter() - began)
        published += 1
        if full_since is None and _used(path.parent, how) > 0.9 * ROOM:
            full_since = time.monotonic()
        if not stopped_after and full_since and _told(kept, JournalStopped):
            stopped_after = time.monotonic() - full_since
        await asyncio.sleep(0.001)
    was_safe = await kept.journal.made_safe()
    kept.keep_run("meanwhile", "asked meanwhile", "answered meanwhile")
    leave_room(path.parent, how, 64 * 1024 * 1024)
    await kept.until_told(JournalResumed)
    kept.end()
    await kept.until_packed()
    answer = "".join(f"{number} {TEXT}" for number in range(published))
    run = await kept.stored()
    found = {
        "told": [type(body).__name__ for body in kept.told],
        "reason": next(body.reason for body in kept.told if isinstance(body, JournalStopped)),
        "stopped after": stopped_after,
        "slowest publish": slowest,
        "said to be safe": was_safe,
        "whole": run.answer == answer,
        "meanwhile": (await kept.one("meanwhile")).answer,
        "saved": await asyncio.to_thread(kept.journal.close),
    }
    print(json.dumps(found))


def _told(kept: Keeping, kind: type[Body]) -> bool:
    return any(isinstance(body, kind) for body in kept.told)


def _used(folder: Path, how: str) -> int:
    sizes = [file.stat().st_size for file in folder.iterdir()]
    return max(sizes, default=0) if how == "limit" else sum(sizes)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
