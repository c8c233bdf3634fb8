"""Certificates made for a test, and servers on loopback that show them."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trustme

from tests.faultserver import STREAM_HEAD, FaultServer

TOKEN = 'data: {"choices":[{"index":0,"delta":{"content":"tok1 "}}]}\n\n'
END = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
ANSWER: list[Any] = [
    ["send", STREAM_HEAD.decode()],
    ["chunk", TOKEN + END],
    ["send", "0\r\n\r\n"],
]


def server_context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def self_signed(folder: Path) -> ssl.SSLContext:
    """A server whose certificate is its own authority."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "self.pem")
    authority.private_key_pem.write_to_path(folder / "self.key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "self.pem", folder / "self.key")
    return context


def trust(authority: trustme.CA, folder: Path) -> str:
    """The authority's certificate in a file."""
    path = folder / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


@asynccontextmanager
async def tls_server(context: ssl.SSLContext) -> AsyncIterator[FaultServer]:
    """Answers each request over TLS with one token."""
    player = FaultServer(ANSWER)
    server = await asyncio.start_server(player.serve, "127.0.0.1", 0, ssl=context)
    player.port = server.sockets[0].getsockname()[1]
    try:
        yield player
    finally:
        server.close()
        await player.aclose()
