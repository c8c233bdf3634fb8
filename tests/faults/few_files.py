"""An engine that may open few files: asks until no more can be opened, and then waits for the end.

Run as a program, with a base URL and a number of files. Prints a line when it is full and one at
the end, as JSON. The server goes on once the first line has come.
"""

import asyncio
import json
import resource
import sys

from streamtui.engine.doors import OpenSession, Send
from streamtui.engine.transport import AiohttpTransport
from streamtui.events import Chunk, Event, RunCompleted, RunFailed
from tests.faults.outcome import Outcome, endpoint_at
from tests.scripted import EngineUnderTest

MORE = 3


async def main(base_url: str, files: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    endpoint = endpoint_at(base_url)
    async with EngineUnderTest(AiohttpTransport()) as test:

        async def ask(name: str) -> list[Event]:
            """The events of a session, up to its first text or its end."""
            test.engine.execute(OpenSession(name, endpoint))
            test.engine.execute(Send(name, f"run of {name}", "hi"))
            events = await test.listener.until(
                lambda event: event.session_id == name and isinstance(event.body, Chunk | RunFailed)
            )
            return [event for event in events if event.session_id == name]

        count = 0
        while isinstance((await ask(f"s{count}"))[-1].body, Chunk):
            count += 1
        refused = [Outcome(await ask(f"more {number}")) for number in range(MORE)]
        failed = len(test.listener.bodies(RunFailed))
        print(json.dumps({"running": count, "told": [one.toast for one in refused]}), flush=True)

        events = await test.listener.run_ends(count + failed)
        kept = [
            Outcome([event for event in events if event.session_id == f"s{number}"]).turn.text
            for number in range(count)
        ]
        completed = len(test.listener.bodies(RunCompleted))
        await ask("afterwards")
        await test.listener.run_ends(count + failed + 1)
        again = isinstance(test.listener.events[-1].body, RunCompleted)
        print(json.dumps({"completed": completed, "texts": kept, "again": again}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
