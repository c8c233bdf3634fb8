"""A SOCKS5 server that answers as it is told, byte by byte, on loopback (RFC 1928, RFC 1929)."""

import asyncio
import contextlib
import socket
from contextlib import AbstractAsyncContextManager

from msgspec import Struct

from tests.loopback import LoopbackServer, listening

NO_LOGIN, PASSWORD, NONE_ACCEPTABLE = 0, 2, 0xFF


class SocksScript(Struct, frozen=True):
    """What the server does; the defaults let everyone through."""

    method: int = NO_LOGIN
    """The way to log in that it chooses."""
    login_status: int = 0
    """Of a password: 0 lets its owner in."""
    reply: int = 0
    """Of a connection: 0 makes one, the others are RFC 1928, section 6."""
    stops_after: str = ""
    """Hangs up after it has read the `greeting`, the `login` or the `request`, or sent `reply`."""
    silent: bool = False
    """Reads and says nothing."""
    says: bytes = b""
    """In place of SOCKS, when it has read the greeting."""


class SocksServer(LoopbackServer):
    """Plays one script for each connection; keeps what it was asked."""

    def __init__(self, script: SocksScript) -> None:
        super().__init__()
        self._script = script
        self.targets: list[tuple[str, int]] = []
        """What it was asked to connect to, as the client wrote it."""
        self.logins: list[tuple[str, str]] = []

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        script = self._script
        _, count = await reader.readexactly(2)
        await reader.readexactly(count)
        if script.silent:
            await reader.read()
        if script.silent or script.stops_after == "greeting":
            return
        writer.write(script.says or bytes([5, script.method]))
        if script.says or script.method == NONE_ACCEPTABLE:
            return
        if script.method == PASSWORD and not await self._let_in(reader, writer):
            return
        await self._connect(reader, writer)

    async def _let_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        _, length = await reader.readexactly(2)
        user = await reader.readexactly(length)
        [length] = await reader.readexactly(1)
        self.logins.append((user.decode(), (await reader.readexactly(length)).decode()))
        if self._script.stops_after == "login":
            return False
        writer.write(bytes([1, self._script.login_status]))
        return self._script.login_status == 0

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = await _read_target(reader)
        self.targets.append((host, port))
        if self._script.stops_after == "request":
            return
        writer.write(bytes([5, self._script.reply, 0, 1, 0, 0, 0, 0, 0, 0]))
        if self._script.reply == 0 and self._script.stops_after != "reply":
            # Names of the reserved domains that tests use are all on this machine.
            address = host if _is_address(host) else "127.0.0.1"
            there, back = await asyncio.open_connection(address, port)
            await _pass_on(reader, writer, there, back)


async def _read_target(reader: asyncio.StreamReader) -> tuple[str, int]:
    *_, kind = await reader.readexactly(4)
    if kind == 3:
        [length] = await reader.readexactly(1)
        host = (await reader.readexactly(length)).decode()
    else:
        family, size = (socket.AF_INET, 4) if kind == 1 else (socket.AF_INET6, 16)
        host = socket.inet_ntop(family, await reader.readexactly(size))
    return host, int.from_bytes(await reader.readexactly(2), "big")


async def _pass_on(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    there: asyncio.StreamReader,
    back: asyncio.StreamWriter,
) -> None:
    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        sink.close()

    async with asyncio.TaskGroup() as group:
        group.create_task(pump(reader, back))
        group.create_task(pump(there, writer))


def _is_address(host: str) -> bool:
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    except OSError:
        return False
    return True


def socks_server(
    script: SocksScript = SocksScript(),  # noqa: B008
) -> AbstractAsyncContextManager[SocksServer]:
    """A listening SocksServer."""
    return listening(SocksServer(script))
