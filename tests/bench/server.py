"""An endpoint that is never the bottleneck: raw HTTP, chunks made before they are needed.

    python -m tests.bench.server [--tell]

The model says what comes: `KIND/RATE/COUNT`, RATE 0 for as fast as it is taken. KIND is `tokens`,
`markdown` (pages with something of everything), `fence` (Markdown, most of it one block of code) or
`line` (a single line without a blank).
Prints its URL, and with `--tell` the monotonic second at which the last token of each answer left.
"""

import asyncio
import json
import re
import sys
import time
from collections.abc import Callable

from tests.raw_http import LAST_CHUNK, STREAM_HEAD, chunk, read_request

HEAD = STREAM_HEAD.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
WORDS = ("Spark", "ling ", "water", ", ", "clear ", "and ", "bright", ".\n", "You ", "dance ")
"""Plain tokens: about four characters each, with a line end now and then."""
PAGE = """\
## What a glass does

You dance around **the bubbles**, and they rise: *light* goes up, `heavy` goes down.

1. Open the bottle, slowly, and wait until it is quiet again.
2. Pour along the side of the glass, not into the middle of it.
3. Look at it from below, where the bubbles begin.

| drink | columns | says |
|:------|--------:|:-----|
| water | 6 | nothing |
| 气泡水 | 12 | a little |

```python
def bubbles(glass: str, rising: int = 3) -> list[str]:
    # So many of them, the first at the bottom.
    return [f"{glass}: {number}" for number in range(rising)]
```

> Whoever looks for long sees that they come from the same places.

- A scratch, that nobody saw;
- a hair, which **somebody** should have seen.

"""
LAST_WORD = "jq\N{SNOWMAN}"
"""How an answer ends that is not made of plain tokens: seen nowhere else."""
BURST = 200
"""Tokens in one write where there is no rate."""


def token(number: int) -> str:
    """A plain token."""
    return WORDS[number % len(WORDS)]


def fence_token(number: int) -> str:
    """The same of an answer that explains a little, and then is code of ten characters a token."""
    if number < len(WORDS):
        return WORDS[number]
    if number == len(WORDS):
        return "\n## The code\n\n```python\n"
    return ("    total ", "= weigh(1,", f" {number:>6})\n")[number % 3]


def line_token(number: int) -> str:
    """The same of a line that never ends, as a token of a file in base64."""
    return f"{number % 10_000:>050}"


KINDS: dict[str, Callable[[int], str]] = {
    "fence": fence_token,
    "line": line_token,
}


def event(data: str) -> bytes:
    return chunk(f"data: {data}\n\n".encode())


def frame(word: str) -> bytes:
    return event(json.dumps({"choices": [{"index": 0, "delta": {"content": word}}]}))


AGAIN = {
    "tokens": [frame(word) for word in WORDS],
    "markdown": [frame(word) for word in re.findall(r"\S+\s*", PAGE)],
}
"""Frames that come again and again."""


def frames(kind: str, count: int) -> list[bytes]:
    """All frames of an answer, or those that come again and again."""
    if kind in AGAIN:
        return AGAIN[kind]
    token_of = KINDS[kind]
    return [*(frame(token_of(number)) for number in range(count - 1)), frame(LAST_WORD)]


END = (
    event(json.dumps({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
    + event("[DONE]")
    + LAST_CHUNK
)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        _head, question = await read_request(reader)
        kind, rate, count = json.loads(question)["model"].split("/")
        made = frames(kind, int(count))
        writer.write(HEAD)
        await stream(writer, made, float(rate), int(count))
        writer.write(END)
        await writer.drain()
        if "--tell" in sys.argv:
            print(time.monotonic(), flush=True)
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def stream(writer: asyncio.StreamWriter, made: list[bytes], rate: float, count: int) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    sent = 0
    while sent < count:
        due = min(count, int((loop.time() - began) * rate) + 1) if rate else sent + BURST
        due = min(due, count)
        writer.write(b"".join(made[n % len(made)] for n in range(sent, due)))
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
