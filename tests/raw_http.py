"""HTTP as it stands on the wire, for servers that play scripts."""

import asyncio
import socket
import struct

STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)
"""Of a body in chunks: without the last one the connection was lost."""
LAST_CHUNK = b"0\r\n\r\n"
TOKEN = 'data: {"choices":[{"index":0,"delta":{"content":"tok1 "}}]}\n\n'
END = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


def chunk(data: bytes) -> bytes:
    """A piece of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def whole_answer(status: str, *headers: str, body: str = "") -> str:
    """An answer in one piece."""
    head = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body.encode())}"]
    return "\r\n".join([*head, "", body])


async def read_request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """The head of a request, its blank line included, and its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    return head, await reader.readexactly(int(header(head, "content-length") or 0))


def header(head: bytes, name: str) -> str | None:
    """The value of a header of a request; None when it has none of that name."""
    for line in head.decode().split("\r\n")[1:]:
        found, _, value = line.partition(":")
        if found.lower() == name:
            return value.strip()
    return None


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection without a goodbye."""
    opened = writer.get_extra_info("socket")
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
