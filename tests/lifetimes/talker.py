"""An endpoint that talks until it is told to end, and remembers what it has said.

In a thread of the test's process: it goes on whatever the test waits for.
"""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.loopback import LoopbackServer, listening
from tests.raw_http import END, LAST_CHUNK, STREAM_HEAD, chunk, read_request

_HEAD = STREAM_HEAD.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


class Talker(LoopbackServer):
    """Says words to everybody who asks, so many a second; no word is said twice."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self._seconds = 1 / rate
        self._may_end = asyncio.Event()
        self._closed = asyncio.Event()
        self._said: list[str] = []
        self._listens = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve_until_closed()), name="talker"
        )

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def said(self) -> list[str]:
        """What was said so far, by answer; nothing is missing once the answers have ended."""
        return list(self._said)

    def let_end(self) -> None:
        """All answers end after their next word, as answers should."""
        self._loop.call_soon_threadsafe(self._may_end.set)

    def start(self) -> None:
        self._thread.start()
        assert self._listens.wait(10)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._closed.set)
        self._thread.join()

    async def _serve_until_closed(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with listening(self):
            self._listens.set()
            await self._closed.wait()

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(_HEAD)
        answer = len(self._said)
        self._said.append("")
        await self._talk(answer, writer)
        writer.write(chunk(END.encode()) + LAST_CHUNK)
        await writer.drain()

    async def _talk(self, answer: int, writer: asyncio.StreamWriter) -> None:
        clock = self._loop.time
        due, number = clock(), 0
        while number == 0 or not self._may_end.is_set():
            number += 1
            word = f"a{answer:02}w{number:04} "
            self._said[answer] += word
            delta = {"choices": [{"index": 0, "delta": {"content": word}}]}
            writer.write(chunk(f"data: {json.dumps(delta)}\n\n".encode()))
            await writer.drain()
            due += self._seconds
            await self._pause(due - clock())

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._may_end.wait()
        except TimeoutError:
            pass


@contextmanager
def talking(rate: float) -> Iterator[Talker]:
    """A talker of so many words a second; whoever still listens at the end is cut off."""
    talker = Talker(rate)
    talker.start()
    try:
        yield talker
    finally:
        talker.close()
