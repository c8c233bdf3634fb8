"""An endpoint whose tokens are the moments at which they were sent, in seconds.

Of a clock that all processes of a machine share: whoever has the text knows how much of it lacks.
"""

import asyncio
import json
import time
from collections import defaultdict

from tests.loopback import LoopbackServer

TOKENS_PER_SECOND = 50
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


class ClockServer(LoopbackServer):
    """Talks until nobody listens. `sent` holds the moments, by prompt."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: defaultdict[str, list[float]] = defaultdict(list)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent = self.sent[await _read_prompt(reader)]
        writer.write(_HEAD)
        due = asyncio.get_running_loop().time()
        while not writer.is_closing():
            moment = round(time.monotonic(), 6)
            frame = f'data: {{"choices":[{{"delta":{{"content":"{moment:.6f} "}}}}]}}\n\n'
            writer.write(f"{len(frame):x}\r\n{frame}\r\n".encode())
            sent.append(moment)
            due += 1 / TOKENS_PER_SECOND
            await asyncio.sleep(due - asyncio.get_running_loop().time())


async def _read_prompt(reader: asyncio.StreamReader) -> str:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
    prompt: str = json.loads(await reader.readexactly(length))["messages"][-1]["content"]
    return prompt
