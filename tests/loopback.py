"""What the servers that play scripts share: connections on a free port of loopback, all ended."""

import asyncio
import socket
import ssl
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar


class LoopbackServer(ABC):
    """Subclasses say what happens on a connection; a client that leaves is no error."""

    def __init__(self) -> None:
        self._open: set[asyncio.Task[None]] = set()
        self.port = 0
        self.connections = 0

    @abstractmethod
    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection from beginning to end."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        self.connections += 1
        try:
            await self.converse(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            await _close(writer)
            self._open.discard(task)

    async def aclose(self) -> None:
        """End all connections."""
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open)


async def _close(writer: asyncio.StreamWriter) -> None:
    """Close; at once when this is cancelled, as TLS waits for the other side to say goodbye."""
    writer.close()
    try:
        await writer.wait_closed()
    except (ConnectionError, asyncio.CancelledError):
        writer.transport.abort()


ServerT = TypeVar("ServerT", bound=LoopbackServer)


@asynccontextmanager
async def listening(
    server: ServerT, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[ServerT]:
    """The server on a port of its own, until the context is left."""
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        await server.aclose()


def free_port() -> int:
    """A port of loopback on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
