"""An endpoint that is never the bottleneck: raw HTTP, chunks made before they are needed.

    python -m tests.bench.server

The model says what comes: `tokens/RATE/COUNT`, RATE 0 for as fast as it is taken. Prints its URL.
"""

import asyncio
import json
import sys

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
    b"Connection: close\r\n\r\n"
)
WORDS = ("Spark", "ling ", "water", ", ", "clear ", "and ", "bright", ".\n", "You ", "dance ")
BURST = 200
"""Tokens in one write where there is no rate."""


def token(number: int) -> str:
    """The text of one token; about four characters, with a line end now and then."""
    return WORDS[number % len(WORDS)]


def chunk(data: str) -> bytes:
    body = f"data: {data}\n\n".encode()
    return b"%x\r\n%b\r\n" % (len(body), body)


def frames() -> list[bytes]:
    """One frame for each word."""
    return [
        chunk(json.dumps({"choices": [{"index": 0, "delta": {"content": word}}]})) for word in WORDS
    ]


FRAMES = frames()
END = (
    chunk(json.dumps({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
    + chunk("[DONE]")
    + b"0\r\n\r\n"
)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.partition(b":")[2])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        )
        model = json.loads(await reader.readexactly(length))["model"]
        _, rate, count = model.split("/")
        writer.write(HEAD)
        await stream(writer, float(rate), int(count))
        writer.write(END)
        await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def stream(writer: asyncio.StreamWriter, rate: float, count: int) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    sent = 0
    while sent < count:
        due = min(count, int((loop.time() - began) * rate) + 1) if rate else sent + BURST
        due = min(due, count)
        writer.write(b"".join(FRAMES[n % len(FRAMES)] for n in range(sent, due)))
        sent = due
        await writer.drain()
        if rate:
            await asyncio.sleep(max(0.0, began + sent / rate - loop.time()))


async def main() -> None:
    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    sys.stdout.write(f"http://127.0.0.1:{port}/v1\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
