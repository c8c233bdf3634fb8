"""A console without a terminal that quits while so many answers stream. Prints how long that took.

Run as a program, with a base URL and a number.
"""

import asyncio
import json
import sys
import time

from streamtui.engine.doors import OpenSession, Send
from streamtui.engine.host import EngineThread
from streamtui.events import Chunk
from streamtui.ui.app import StreamTUIApp
from tests.faults.outcome import endpoint_at
from tests.scripted import no_demo
from tests.ui.harness import configuration

MOST_PANES = 64


def main(base_url: str, count: int) -> None:
    endpoint = endpoint_at(base_url)
    engine = EngineThread(no_demo)
    panes = min(count, MOST_PANES)
    app = StreamTUIApp(
        engine,
        configuration(endpoint),
        opening=[endpoint] * panes,
        prompt="hi",
    )
    heard = engine.subscribe(lambda: None)
    for number in range(panes, count):
        engine.execute(OpenSession(f"beside {number}", endpoint))
        engine.execute(Send(f"beside {number}", f"r{number}", "hi"))
    live: set[str] = set()
    quit_at = 0.0

    async def quit_once_all_stream() -> None:
        nonlocal quit_at
        while len(live) < count:
            live.update(
                event.session_id for event in heard.drain() if isinstance(event.body, Chunk)
            )
            await asyncio.sleep(0.01)
        quit_at = time.monotonic()
        app.exit()

    async def run() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(app.run_async(headless=True, size=(200, 60)))
            tasks.create_task(quit_once_all_stream())

    asyncio.run(run())
    seconds = time.monotonic() - quit_at
    print(json.dumps({"live": len(live), "seconds": seconds, "alive": engine.is_alive}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
