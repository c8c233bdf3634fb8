"""The engine as a process of its own: started by a console, ended by itself.

It belongs to no terminal: neither a closed one nor a console that is killed ends what streams.
"""

import asyncio
import gc
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from streamtui.demo import start_demo
from streamtui.engine.bus import Bus
from streamtui.engine.engine import Engine
from streamtui.engine.host.server import HostServer
from streamtui.engine.journal import Journal, default_journal_path
from streamtui.engine.recall import Recall
from streamtui.events import Body
from streamtui.garbage import look_rarely
from streamtui.logs import default_log_path, log_to_file

GRACE_SECONDS = 2.0
"""How long an engine waits, with nothing to do and nobody attached, before it ends."""
UNSAVED_SECONDS = 3600.0
"""The same while the disk takes nothing: what waits for it is nowhere else."""
LOOK_SECONDS = 1.0
"""Between two looks whether its socket is still where consoles look for it."""
TIDY_SECONDS = 60.0


def main(arguments: list[str]) -> None:
    """`SOCKET KEEP READY`: where to listen, where history is kept (`disk`, `memory` or `off`), and
    a descriptor that hears a `+` once consoles can attach."""
    path, keep, ready = Path(arguments[0]), arguments[1], int(arguments[2])
    log_to_file(default_log_path())
    look_rarely()
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    asyncio.run(_Service(keep).run(path, ready))


class _Service:
    """The engine and what stands around it; made on the loop on which it runs."""

    def __init__(self, keep: str) -> None:
        self._keep = keep

    async def run(self, path: Path, ready: int) -> None:
        """Serve until nothing runs and nobody is attached, or SIGTERM comes."""
        recall = Recall()
        # Later than any event of an engine before, so that what is resumed keeps its order.
        first = time.time_ns() // 1_000
        bus = Bus(time.time, time.monotonic, first_seq=first, note=recall.note)
        journal = self._journal(bus)
        engine = Engine(bus, start_demo, journal=journal)
        server = HostServer(engine, bus, recall)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, engine.stop)
        await server.start(path)

        def begin() -> None:
            engine.spawn(_end_when_alone(engine, server, journal), "end when alone")
            engine.spawn(_stay_reachable(engine, server), "stay reachable")
            engine.spawn(_stay_small(engine), "stay small")
            os.write(ready, b"+")
            os.close(ready)

        try:
            await engine.run(begin)
        finally:
            await server.aclose()
            if journal is not None:
                await asyncio.to_thread(journal.close)

    def _journal(self, bus: Bus) -> Journal | None:
        if self._keep == "off":
            return None
        loop = asyncio.get_running_loop()

        def tell(body: Body) -> None:
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(bus.publish, "", "", body)

        return Journal(default_journal_path() if self._keep == "disk" else None, bus, tell)


async def _end_when_alone(engine: Engine, server: HostServer, journal: Journal | None) -> None:
    """An engine with nothing to do and nobody attached is only in the way."""
    alone_for = 0.0
    while not await engine.stops_within(GRACE_SECONDS):
        is_alone = not server.consoles and not engine.live
        alone_for = alone_for + GRACE_SECONDS if is_alone else 0.0
        unsaved = journal is not None and journal.is_failing
        if alone_for > (UNSAVED_SECONDS if unsaved else 0.0):
            engine.stop()


async def _stay_reachable(engine: Engine, server: HostServer) -> None:
    """An engine that nobody can reach is lost to its user."""
    while not await engine.stops_within(LOOK_SECONDS):
        await server.listen_again()


async def _stay_small(engine: Engine) -> None:
    """An error and the frames that it passed hold each other, and the request between them."""
    while not await engine.stops_within(TIDY_SECONDS):
        gc.collect()


if __name__ == "__main__":
    main(sys.argv[1:])
