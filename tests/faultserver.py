"""A server that plays the wire scenarios of `cases/http_faults.json`, byte by byte, on loopback."""

import asyncio
import json
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from tests.loopback import LoopbackServer, listening
from tests.raw_http import END, STREAM_HEAD, TOKEN, chunk, read_request, reset

SCENARIOS: dict[str, dict[str, Any]] = {
    scenario["id"]: scenario
    for scenario in json.loads((Path(__file__).parent / "cases" / "http_faults.json").read_text())[
        "scenarios"
    ]
}
ANSWER: list[Any] = [["head"], ["chunk", TOKEN + END], ["chunk", ""]]
"""The steps of one that is good, with one token."""


class FaultServer(LoopbackServer):
    """Plays one scenario for each connection; `hits` counts the requests."""

    def __init__(
        self,
        steps: list[Any] | dict[str, list[Any]],
        *,
        keepalive: bool = False,
        lets_down: bool = False,
    ) -> None:
        super().__init__()
        self._steps = steps
        self._keepalive = keepalive
        self._lets_down = lets_down
        self._hit = asyncio.Condition()
        self.hits = 0
        self.let_down = 0
        """Connections that were closed when they were used a second time."""
        self.requests: list[bytes] = []
        self.left = asyncio.Event()
        """Set when a client has gone away."""

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def reached(self, hits: int) -> None:
        """Wait until so many requests have come."""
        async with self._hit:
            await self._hit.wait_for(lambda: self.hits >= hits)

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._serve_request(reader, writer)
        while self._keepalive:
            await self._serve_request(reader, writer)
        if self._lets_down:
            await read_request(reader)
            self.let_down += 1
            writer.transport.abort()

    async def _serve_request(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.requests.append(b"".join(await read_request(reader)))
        async with self._hit:
            self.hits += 1
            self._hit.notify_all()
        player = _Player(reader, writer, self)
        await player.play(self._steps_of(self.hits))
        await writer.drain()

    def _steps_of(self, hit: int) -> list[Any]:
        if isinstance(self._steps, list):
            return self._steps
        return self._steps.get(str(hit), self._steps.get("*", []))


class _Player:
    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: FaultServer
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._server = server

    async def play(self, steps: list[Any]) -> None:
        for name, *arguments in steps:
            await getattr(self, f"_{name}")(*arguments)
            await self._writer.drain()

    async def _head(self) -> None:
        self._writer.write(STREAM_HEAD)

    async def _send(self, text: str) -> None:
        self._writer.write(text.encode())

    async def _sendbytes(self, data: bytes) -> None:
        self._writer.write(data)

    async def _sendfill(self, before: str, fill: str, count: int, after: str) -> None:
        await self._send(before + fill * count + after)

    async def _chunk(self, text: str) -> None:
        self._writer.write(chunk(text.encode()))

    async def _chunkfill(self, before: str, fill: str, count: int, after: str) -> None:
        await self._chunk(before + fill * count + after)

    async def _drip(self, text: str, seconds: float) -> None:
        for byte in text.encode():
            self._writer.write(bytes([byte]))
            await self._writer.drain()
            await asyncio.sleep(seconds)

    async def _repeat(self, count: int, steps: list[Any]) -> None:
        played = 0
        while played != count:
            await self.play(steps)
            played += 1

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def _wait(self, hits: int) -> None:
        """Until so many requests have come in all."""
        await self._server.reached(hits)

    async def _stall(self) -> None:
        await self._reader.read()
        self._server.left.set()

    async def _fin(self) -> None:
        self._writer.close()

    async def _rst(self) -> None:
        reset(self._writer)


def fault_server(
    steps: list[Any] | dict[str, list[Any]], *, keepalive: bool = False, lets_down: bool = False
) -> AbstractAsyncContextManager[FaultServer]:
    """A listening FaultServer."""
    return listening(FaultServer(steps, keepalive=keepalive, lets_down=lets_down))
