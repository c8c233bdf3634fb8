"""A journal on a real file, fed through a real bus."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from streamtui.engine.bus import Bus
from streamtui.engine.journal import Journal
from streamtui.engine.journal.history import History
from streamtui.engine.reports import RunList, RunSummary, StoredRun
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


class Keeping:
    """What a test says and asks; `told` is what the journal says of itself."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.bus = Bus(time.time, time.monotonic)
        self.told: list[Body] = []
        self._loop = asyncio.get_running_loop()
        self._heard = asyncio.Event()
        self.journal = Journal(path, self.bus, self._hear)

    def open_session(self, session_id: str = "s", *, private: bool = False) -> None:
        opened = SessionOpened("mirror", "m", "openai-chat", private=private)
        self.bus.publish(session_id, "", opened)

    def start(
        self,
        run_id: str = "r",
        prompt: str = "hi",
        session_id: str = "s",
        earlier: tuple[Message, ...] = (),
    ) -> None:
        messages = (*earlier, Message("user", prompt))
        self.say(run_id, RunStarted(prompt, messages, "mirror", "m", "openai-chat"), session_id)

    def stream(self, *pieces: str, run_id: str = "r", session_id: str = "s") -> None:
        for piece in pieces:
            self.say(run_id, Chunk((TextDelta(piece),)), session_id)

    def end(self, run_id: str = "r", body: Body | None = None, session_id: str = "s") -> None:
        self.say(run_id, body or RunCompleted("stop", Metrics()), session_id)

    def say(self, run_id: str, body: Body, session_id: str = "s") -> None:
        self.bus.publish(session_id, run_id, body)

    def keep_run(self, run_id: str, prompt: str, *pieces: str, session_id: str = "s") -> None:
        """A whole run, from its prompt to its end."""
        self.start(run_id, prompt, session_id)
        self.stream(*pieces, run_id=run_id, session_id=session_id)
        self.end(run_id, session_id=session_id)

    async def runs(self, text: str = "", limit: int = 50, before: int | None = None) -> RunList:
        return await self.journal.read(lambda history: history.runs(text, limit, before))

    async def ids(self, text: str = "") -> list[str]:
        return [run.run_id for run in (await self.runs(text)).runs]

    async def one(self, run_id: str = "r") -> RunSummary:
        return next(run for run in (await self.runs()).runs if run.run_id == run_id)

    async def stored(self, run_id: str = "r") -> StoredRun:
        """A run with all its events."""
        found = await self.journal.read(lambda history: history.run(run_id))
        assert found is not None
        return found

    async def until_packed(self) -> None:
        """Until the answers of all runs that ended are findable."""
        while await self.journal.read(_unpacked):
            pass

    async def until_told(self, kind: type[Body]) -> Body:
        while True:
            for body in self.told:
                if isinstance(body, kind):
                    return body
            self._heard.clear()
            await self._heard.wait()

    def _hear(self, body: Body) -> None:
        self.told.append(body)
        self._loop.call_soon_threadsafe(self._heard.set)


def _unpacked(history: History) -> int:
    row = history._connection.execute(
        "SELECT count(*) FROM run WHERE state NOT IN ('queued', 'streaming') AND NOT packed"
    )
    count: int = row.fetchone()[0]
    return count


@asynccontextmanager
async def keeping(path: Path | None) -> AsyncIterator[Keeping]:
    """Closes the journal at the end."""
    test = Keeping(path)
    try:
        yield test
    finally:
        await asyncio.to_thread(test.journal.close)
