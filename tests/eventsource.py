"""A server of event streams on loopback: each connection plays the next of its answers."""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from tests.loopback import LoopbackServer, listening
from tests.raw_http import header, read_request, reset

Step = bytes | asyncio.Event | float
"""Bytes are sent; an event is awaited, and a number of seconds."""

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
"""Ends with its connection: whatever came then counts as a body that ended well."""
GONE = b"HTTP/1.1 204 No Content\r\n\r\n"
RESET = b""
"""As the last step: the connection is reset."""


class EventSource(LoopbackServer):
    """Answers in their order, then resets whoever comes."""

    def __init__(self, *answers: Sequence[Step]) -> None:
        super().__init__()
        self._answers = list(answers)
        self._asked = asyncio.Condition()
        self.heads: list[bytes] = []
        """What was asked, without the bodies."""
        self.bodies: list[bytes] = []
        self.times: list[float] = []
        self.left = asyncio.Event()
        """A client has gone away from an answer that was still open."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def places(self) -> list[str | None]:
        """The `Last-Event-ID` of each request."""
        return [header(head, "last-event-id") for head in self.heads]

    async def reached(self, count: int) -> None:
        """Wait until so many requests have come."""
        async with self._asked:
            await self._asked.wait_for(lambda: len(self.heads) >= count)

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._read_request(reader)
        steps = self._answers.pop(0) if self._answers else [RESET]
        for step in steps:
            if isinstance(step, bytes):
                writer.write(step)
                await writer.drain()
            else:
                await self._wait(step, reader)
        if steps[-1] == RESET:
            reset(writer)

    async def _read_request(self, reader: asyncio.StreamReader) -> None:
        head, body = await read_request(reader)
        async with self._asked:
            self.heads.append(head)
            self.bodies.append(body)
            self.times.append(asyncio.get_running_loop().time())
            self._asked.notify_all()

    async def _wait(self, step: asyncio.Event | float, reader: asyncio.StreamReader) -> None:
        if isinstance(step, float):
            await asyncio.sleep(step)
            return
        async with asyncio.TaskGroup() as tasks:
            leaving = tasks.create_task(self._watch(reader))
            waiting = tasks.create_task(step.wait())
            await asyncio.wait([leaving, waiting], return_when=asyncio.FIRST_COMPLETED)
            leaving.cancel()
            waiting.cancel()

    async def _watch(self, reader: asyncio.StreamReader) -> None:
        await reader.read()
        self.left.set()


def event_source(*answers: Sequence[Step]) -> AbstractAsyncContextManager[EventSource]:
    """A listening EventSource."""
    return listening(EventSource(*answers))
