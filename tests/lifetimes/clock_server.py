"""An endpoint whose tokens are the moments at which they were sent, in seconds.

Of a clock that all processes of a machine share: whoever has the text knows how much of it lacks.
"""

import asyncio
import json
import time
from collections import defaultdict

from tests.loopback import LoopbackServer
from tests.raw_http import STREAM_HEAD, chunk, read_request

TOKENS_PER_SECOND = 50


class ClockServer(LoopbackServer):
    """Talks until nobody listens. `sent` holds the moments, by prompt."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: defaultdict[str, list[float]] = defaultdict(list)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _head, question = await read_request(reader)
        sent = self.sent[json.loads(question)["messages"][-1]["content"]]
        writer.write(STREAM_HEAD)
        due = asyncio.get_running_loop().time()
        while not writer.is_closing():
            moment = round(time.monotonic(), 6)
            frame = f'data: {{"choices":[{{"delta":{{"content":"{moment:.6f} "}}}}]}}\n\n'
            writer.write(chunk(frame.encode()))
            sent.append(moment)
            due += 1 / TOKENS_PER_SECOND
            await asyncio.sleep(due - asyncio.get_running_loop().time())
