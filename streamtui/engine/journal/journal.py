"""The journal as the engine uses it: offered all events, asked about what was."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar

from streamtui.engine.bus import Bus
from streamtui.engine.journal.history import History
from streamtui.engine.journal.reader import Reader
from streamtui.engine.journal.store import Store, is_damage
from streamtui.engine.journal.writer import Writer
from streamtui.errors import JournalError
from streamtui.events import Body

Found = TypeVar("Found")

CLOSE_SECONDS = 3.0
SAFE_SECONDS = 5.0
"""The longest that a prompt waits for a slow disk before it leaves all the same."""
UP_TO_DATE_SECONDS = 1.0
"""The longest that a question waits for what was published before it."""


class Journal:
    """Keeps what a bus publishes. `path` None keeps it in memory, as long as the process lives.

    `tell` takes JournalStopped and its like; it is called from another thread.
    """

    def __init__(self, path: Path | None, bus: Bus, tell: Callable[[Body], None]) -> None:
        self._path = path
        self._writer = Writer(path, bus, tell)

    @property
    def is_failing(self) -> bool:
        """Whether something waits that cannot be written."""
        return self._writer.is_failing

    async def made_safe(self) -> bool:
        """Wait until all that was published survives a power failure; False where it cannot."""
        saving = asyncio.wrap_future(self._writer.when_durable())
        try:
            return await asyncio.wait_for(saving, SAFE_SECONDS)
        except TimeoutError:
            return False

    async def read(self, find: Callable[[History], Found]) -> Found:
        """Find something out. Raises JournalError where it cannot be.

        Where another process writes the journal, what that has written so far is found.
        """
        try:
            if self._path is None:
                # Nobody else can see what is in memory.
                return await self._do(lambda store: find(History(store.connection)))
            await self._up_to_date()
            return await asyncio.to_thread(self._find, self._path, find)
        except sqlite3.Error as error:
            raise JournalError(f"the history cannot be read: {error}") from error

    async def save_workspace(self, name: str, desk: bytes) -> None:
        """Keep what a console shows. Raises JournalError where it cannot be kept."""
        await self._change(lambda store: store.save_workspace(name, desk, time.time()))

    async def delete(self, run_ids: Sequence[str]) -> None:
        """Remove runs. Raises JournalError."""
        await self._change(lambda store: store.delete_runs(run_ids))

    async def purge(self) -> None:
        """Remove everything that does not stream any more, for good. Raises JournalError."""
        await self._change(Store.purge)

    def close(self) -> bool:
        """Write what waits and leave the file. Blocks for a moment; whether all is saved."""
        return self._writer.close(CLOSE_SECONDS)

    async def _up_to_date(self) -> None:
        """What was published a moment ago is to be found too, if it can be written soon."""
        if not self._writer.is_failing:
            with suppress(TimeoutError, JournalError):
                await asyncio.wait_for(self._do(lambda _store: None), UP_TO_DATE_SECONDS)

    async def _change(self, work: Callable[[Store], None]) -> None:
        try:
            await self._do(work)
        except (sqlite3.Error, UnicodeError) as error:
            raise JournalError(f"the history cannot be changed: {error}") from error

    async def _do(self, work: Callable[[Store], Found]) -> Found:
        found: Found = await asyncio.wrap_future(self._writer.submit(work))
        return found

    def _find(self, path: Path, find: Callable[[History], Found]) -> Found:
        """Runs on any thread."""
        reader = self._writer.reader
        if reader is None:
            return _find_once(path, find)
        try:
            return reader.find(find)
        except sqlite3.DatabaseError as error:
            if is_damage(error):
                self._writer.suspect(reader, error)
            raise


def _find_once(path: Path, find: Callable[[History], Found]) -> Found:
    with closing(Reader(path)) as reader:
        return reader.find(find)
