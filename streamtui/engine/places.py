"""A limit of runs at a time: who comes when all places are taken waits, first come, first served.

Knows no endpoint and publishes nothing.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class Places:
    """Counts who is inside; used on one event loop."""

    def __init__(self) -> None:
        self.taken = 0
        self._limit: int | None = None
        self._waiting: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def place(self, limit: int | None, tell: Callable[[int], None]) -> AsyncIterator[None]:
        """Entered when there is a place; `tell` hears how many come before, if one has to wait.

        The newest `limit` counts for all: the configuration may have changed meanwhile. None lets
        everybody in.
        """
        self._limit = limit
        self._let_in()
        if self._waiting or self._is_full():
            await self._queue(tell)
        else:
            self.taken += 1
        try:
            yield
        finally:
            self._free()

    async def _queue(self, tell: Callable[[int], None]) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        tell(len(self._waiting))
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._waiting.remove(turn)
            else:
                # Cancelled after the place was handed over and before it could be used.
                self._free()
            raise

    def _free(self) -> None:
        self.taken -= 1
        self._let_in()

    def _let_in(self) -> None:
        """Hand free places to those who wait longest."""
        for turn in list(self._waiting):
            if self._is_full():
                return
            # A cancelled one removes itself as soon as its task runs.
            if not turn.done():
                self._waiting.remove(turn)
                self.taken += 1
                turn.set_result(None)

    def _is_full(self) -> bool:
        return self._limit is not None and self.taken >= self._limit
