"""Name lookups that nobody has to wait for. The system's resolver blocks, sometimes for minutes;
asyncio's own threads for it would hold up the end of the program."""

import asyncio
import socket
import threading
from concurrent.futures import Future
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult


class DaemonResolver(AbstractResolver):
    """Looks each name up in a thread that the process does not wait for when it ends."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """All addresses of a host. Raises OSError, as `socket.getaddrinfo` does."""
        found: Future[list[tuple[Any, ...]]] = Future()

        def look_up() -> None:
            try:
                flags = socket.AI_ADDRCONFIG
                found.set_result(
                    socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=flags)
                )
            except OSError as error:
                found.set_exception(error)
            except UnicodeError:
                # No name: two dots in a row, or more than 63 characters between them.
                found.set_exception(socket.gaierror(socket.EAI_NONAME, "no name of a host"))

        threading.Thread(target=look_up, name=f"resolve {host}", daemon=True).start()
        # The lookup itself cannot be cancelled, and must not be shown that its caller was.
        infos = await asyncio.shield(asyncio.wrap_future(found))
        return [_result(host, port, *info) for info in infos]

    async def close(self) -> None:
        """Nothing is held."""


def _result(
    host: str,
    port: int,
    family: socket.AddressFamily,
    _kind: socket.SocketKind,
    proto: int,
    _canonical_name: str,
    address: tuple[Any, ...],
) -> ResolveResult:
    found = str(address[0])
    # A link-local address means something only together with its interface.
    if family == socket.AF_INET6 and address[3] and "%" not in found:
        found = f"{found}%{address[3]}"
    return ResolveResult(
        hostname=host,
        host=found,
        port=port,
        family=family,
        proto=proto,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )
