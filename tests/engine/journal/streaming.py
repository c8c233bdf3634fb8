"""A process that streams a hundred answers into a journal until it is killed.

    python -m tests.engine.journal.streaming JOURNAL PUBLISHED NAME

Each token is the moment at which it was published, on the monotonic clock that all processes of a
machine share. The last one of each run stands in the file `PUBLISHED` too, as a number in memory
that outlives the process.
"""

import asyncio
import mmap
import struct
import sys
import time
from pathlib import Path

from streamtui.engine.bus import Bus
from streamtui.engine.journal import Journal
from streamtui.events import Chunk, Message, RunStarted, SessionOpened, TextDelta

RUNS = 100
TOKENS_PER_SECOND = 50
MOMENT = struct.Struct("=d")


async def stream(path: Path, published: Path, name: str) -> None:
    bus = Bus(time.time, time.monotonic)
    journal = Journal(path, bus, print)
    ids = [f"{name}-{number:03}" for number in range(RUNS)]
    for run_id in ids:
        bus.publish(run_id, "", SessionOpened("mirror", "m", "d"))
        started = RunStarted("Sing", (Message("user", "Sing"),), "mirror", "m", "d")
        bus.publish(run_id, run_id, started)
    assert await journal.made_safe()
    published.write_bytes(bytes(RUNS * MOMENT.size))
    with published.open("r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        print("streaming", flush=True)
        began, step = time.monotonic(), 0
        while True:
            for number, run_id in enumerate(ids):
                moment = time.monotonic()
                bus.publish(run_id, run_id, Chunk((TextDelta(f"{moment:.6f} "),)))
                MOMENT.pack_into(memory, number * MOMENT.size, moment)
            step += 1
            await asyncio.sleep(began + step / TOKENS_PER_SECOND - time.monotonic())


if __name__ == "__main__":
    asyncio.run(stream(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
