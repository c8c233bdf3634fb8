"""A process that keeps ten short runs on a disk that fails once, again and again.

    python -m tests.engine.journal.short_runs

With `faulty_disk` preloaded. Each line of its input, `FOLDER CALL HOW LOG`, is a life of its own: a
forked process that says in `FOLDER/said` what it was told is safe. Answered with its status,
negative for a signal. Nothing is kept between two lives. `LOG` is 0 for a filesystem on which there
is no write-ahead log.
"""

import asyncio
import ctypes
import os
import signal
import sys
import time
from pathlib import Path

from streamtui.engine.bus import Bus
from streamtui.engine.journal import Journal, backlog, files, packing, store, writer
from streamtui.errors import JournalError
from streamtui.events import (
    Body,
    Chunk,
    Message,
    Metrics,
    RunCompleted,
    RunStarted,
    SessionOpened,
    TextDelta,
)

RUNS = 10
DELETED_AFTER = 5
"""The run after which the first one is deleted."""
LIFE_SECONDS = 20


def answer(run: int) -> list[str]:
    """What a run streams; long enough that it takes several pages."""
    return [f"{run}:{piece} " + "x" * 400 for piece in range(8)]


class _Life:
    def __init__(self, folder: Path) -> None:
        self._said = os.open(folder / "said", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._bus = Bus(time.time, time.monotonic)
        self._journal = Journal(folder / "state" / "journal.db", self._bus, self._tell)

    async def live(self) -> None:
        for run in range(RUNS):
            self._publish(f"s{run}", "", SessionOpened("mirror", "m", "d"))
            prompt = f"prompt {run}"
            self._publish(
                f"s{run}",
                f"r{run}",
                RunStarted(prompt, (Message("user", prompt),), "mirror", "m", "d"),
            )
            await self._until_safe(f"asked {run}")
            for piece in answer(run):
                self._publish(f"s{run}", f"r{run}", Chunk((TextDelta(piece),)))
            self._publish(f"s{run}", f"r{run}", RunCompleted("stop", Metrics()))
            await self._until_safe(f"answered {run}")
            if run == DELETED_AFTER:
                await self._delete("r0")
        self._say(f"closed {self._journal.close()}")

    async def _until_safe(self, words: str) -> None:
        while not await self._journal.made_safe():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        self._say(words)

    async def _delete(self, run_id: str) -> None:
        while True:
            try:
                await self._journal.delete([run_id])
            except JournalError:
                await asyncio.sleep(0.005)
            else:
                self._say(f"deleted {run_id[1:]}")
                return

    def _publish(self, session_id: str, run_id: str, body: Body) -> None:
        self._bus.publish(session_id, run_id, body)

    def _tell(self, body: Body) -> None:
        self._say(f"told {type(body).__name__}")

    def _say(self, words: str) -> None:
        os.write(self._said, f"{words}\n".encode())


def _live(folder: Path, call: int, how: int, log: int, disk: ctypes.CDLL) -> None:
    files.is_on_network = lambda *_: not log
    # A log that is folded often, and runs that are packed while others stream.
    store.AUTOCHECKPOINT_PAGES = 20
    packing.FOLD_SECONDS = 0.0
    writer.RETRY_SECONDS = 0.02
    writer.TICK_SECONDS = writer.SLOW_TICK_SECONDS = 0.005
    backlog.BATCH_BYTES = 2_000
    signal.alarm(LIFE_SECONDS)
    disk.faulty_disk_arm(str(folder / "state").encode(), call, how)
    asyncio.run(_Life(folder).live())
    (folder / "calls").write_text(str(disk.faulty_disk_calls()))


def main() -> None:
    disk = ctypes.CDLL(None)
    for line in sys.stdin:
        folder, *numbers = line.split()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                call, how, log = map(int, numbers)
                _live(Path(folder), call, how, log, disk)
                status = 0
            finally:
                os._exit(status)
        _, waited = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(waited), flush=True)


if __name__ == "__main__":
    main()
