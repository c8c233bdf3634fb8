"""Who leaves an answer, or the program, leaves nothing behind and waits for nobody."""

import asyncio
import json
from collections.abc import Callable
from statistics import median

from streamtui.engine.doors import Cancel, OpenSession, Send
from streamtui.engine.transport import AiohttpTransport
from streamtui.events import Chunk, Event, RunCancelled
from tests.faults.children import start_child
from tests.faults.live import live_console
from tests.faults.outcome import TOKEN, Outcome, endpoint_at
from tests.faultserver import FaultServer, fault_server
from tests.loopback import listening
from tests.scripted import EngineUnderTest

TALKS_FOR_EVER = [["head"], ["repeat", -1, [TOKEN, ["sleep", 0.005]]]]
CANCELS = 5
SECONDS_TO_STOP = 0.1
SECONDS_TO_QUIT = 1.0


class TalkingServer(FaultServer):
    """Notes when each conversation ended."""

    def __init__(self) -> None:
        super().__init__(TALKS_FOR_EVER)
        self.ended_at: asyncio.Queue[float] = asyncio.Queue()

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await super().converse(reader, writer)
        finally:
            self.ended_at.put_nowait(asyncio.get_running_loop().time())


def is_chunk_of(run_id: str) -> Callable[[Event], bool]:
    return lambda event: isinstance(event.body, Chunk) and event.run_id == run_id


async def test_after_a_cancel_bytes_stop_and_the_server_sees_it_and_the_text_is_kept() -> None:
    """The time is the middle one of several, so that a busy machine fails no test."""
    clock = asyncio.get_running_loop().time
    transport = AiohttpTransport()
    stopped, seen = [], []
    async with listening(TalkingServer()) as server, EngineUnderTest(transport) as test:
        test.engine.execute(OpenSession("s", endpoint_at(server.base_url)))
        for number in range(1, CANCELS + 1):
            test.engine.execute(Send("s", f"r{number}", "hi"))
            await test.listener.until(is_chunk_of(f"r{number}"), 3)
            cancelled_at = clock()
            test.engine.execute(Cancel("s"))
            events = await test.listener.run_ends(number)
            last_chunk = [event for event in events if isinstance(event.body, Chunk)][-1]
            stopped.append(last_chunk.mono - cancelled_at)
            seen.append(await server.ended_at.get() - cancelled_at)
            assert _acquired(transport) == 0
        outcome = Outcome(events)
        assert server.connections == CANCELS, "no connection is used again"
    assert median(stopped) <= SECONDS_TO_STOP
    assert median(seen) <= SECONDS_TO_STOP
    assert len(outcome.bodies(RunCancelled)) == CANCELS
    assert outcome.pane.phase == "cancelled"
    for turn, end in zip(outcome.pane.turns, outcome.bodies(RunCancelled), strict=True):
        assert turn.text == "tok1 " * (end.metrics.text_chars // 5)
        assert len(turn.text) >= 15
    assert not outcome.toasts


def _acquired(transport: AiohttpTransport) -> int:
    """How many connections are in use."""
    connectors = [session.connector for session in transport._sessions.values()]
    assert connectors
    return sum(len(connector._acquired) for connector in connectors if connector)


async def test_the_cancel_key_ends_the_answer_at_its_server_and_keeps_it_on_screen() -> None:
    async with (
        listening(TalkingServer()) as server,
        live_console(endpoint_at(server.base_url)) as c,
    ):
        await c.until_shown("tok1 tok1")
        await c.press("escape")
        await asyncio.wait_for(server.ended_at.get(), 5)
        await c.until_shown("cancelled")
        kept = c.panes[0].state.turns[-1].text
        assert kept == "tok1 " * (len(kept) // 5)
        await c.until_shown(f"cancelled, {len(kept):,} characters kept")
        assert "tok1 tok1" in c.screen_text()


async def test_quitting_with_a_hundred_live_answers_is_quick_and_closes_all() -> None:
    """In a program of its own, where whatever was not closed would be told."""
    async with fault_server([["head"], TOKEN, ["stall"]]) as server:
        process = await start_child(
            *("quitting", server.base_url, "100"),
            python=("-X", "dev", "-W", "error::ResourceWarning"),
        )
        output, complaints = await process.communicate()
        assert process.returncode == 0, complaints.decode()
        told = json.loads(output.splitlines()[-1])
        assert told["live"] == server.connections == 100
        async with asyncio.timeout(5):
            await server.left.wait()
    for word in (b"Unclosed", b"ResourceWarning", b"Traceback", b"never awaited"):
        assert word not in complaints + output, complaints.decode()
    assert not told["alive"]
    assert told["seconds"] <= SECONDS_TO_QUIT
