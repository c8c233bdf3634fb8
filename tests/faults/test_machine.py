"""A machine that runs out of something, or whose clock jumps."""

import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import cycle, pairwise

import msgspec
import pytest

from streamtui.engine.doors import Cancel, OpenSession, Send
from streamtui.engine.retry import MAX_DELAY_SECONDS, MAX_RETRY_AFTER_SECONDS
from streamtui.engine.transport import AiohttpTransport
from streamtui.events import AttemptStarted, Event, RetryScheduled, RunCompleted, RunFailed
from streamtui.ui.log_store import LogStore
from tests.faults.children import start_child
from tests.faults.outcome import ANSWER, END, LAST_CHUNK, TOKEN, Outcome, endpoint_at
from tests.faultserver import FaultServer, fault_server
from tests.loopback import listening
from tests.raw_http import chunk, whole_answer
from tests.scripted import EngineUnderTest

FILES = 64


class HaltingServer(FaultServer):
    """Stops in mid-answer until it may go on."""

    def __init__(self) -> None:
        super().__init__([["head"], TOKEN])
        self.may_go_on = asyncio.Event()

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await super().converse(reader, writer)
        await self.may_go_on.wait()
        for _, text in (TOKEN, END, LAST_CHUNK):
            writer.write(chunk(text.encode()))
        await writer.drain()


async def test_when_no_more_files_can_be_opened_running_answers_go_on_and_it_is_told() -> None:
    async with listening(HaltingServer()) as server:
        process = await start_child("few_files", server.base_url, str(FILES))
        assert process.stdout is not None
        full = json.loads(await process.stdout.readline() or "null")
        server.may_go_on.set()
        output, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()
    ended = json.loads(output)
    running = full["running"]
    assert FILES / 2 < running < FILES
    words = f"too many open files: {running} streams running, limit {FILES}. Nothing received."
    assert [told.partition(": ")[2].startswith(words) for told in full["told"]] == [True] * 3
    assert ended["texts"] == ["tok1 tok1 "] * running
    assert ended["completed"] == running
    assert ended["again"]
    assert complaints == b""


HOUR = 3600.0
SLOW_ANSWER = [["head"], *[TOKEN, ["sleep", 0.02]] * 5, END, LAST_CHUNK]


def too_many(retry_after: str) -> list[list[str]]:
    return [["send", whole_answer("429 T", f"Retry-After: {retry_after}")]]


def jumping() -> Callable[[], float]:
    """A clock of the wall that is set an hour back or forth whenever somebody looks at it."""
    jumps = cycle([0.0, HOUR, -HOUR])
    return lambda: time.time() + next(jumps)


def engine_with(wall_clock: Callable[[], float]) -> EngineUnderTest:
    test = EngineUnderTest(AiohttpTransport())
    test.bus._wall_clock = wall_clock
    test.engine._tools = msgspec.structs.replace(test.engine._tools, wall_clock=wall_clock)
    return test


async def test_a_clock_that_jumps_by_hours_changes_no_order_and_ends_no_answer() -> None:
    async with fault_server(SLOW_ANSWER) as server, engine_with(jumping()) as test:
        test.engine.execute(OpenSession("s", endpoint_at(server.base_url)))
        for number in range(3):
            test.engine.execute(Send("s", f"r{number}", f"question {number}"))
        events = list(await test.listener.run_ends(3))
    times = [event.time for event in events]
    assert max(times) - min(times) >= 2 * HOUR, "it did jump"
    assert all(before.seq + 1 == after.seq for before, after in pairwise(events))
    assert all(before.mono <= after.mono for before, after in pairwise(events))
    outcome = Outcome(events)
    assert len(outcome.bodies(RunCompleted)) == 3
    assert not outcome.toasts
    assert [turn.prompt for turn in outcome.pane.turns] == [f"question {n}" for n in range(3)]
    sent = json.loads(server.requests[-1].partition(b"\r\n\r\n")[2])["messages"]
    assert [message["content"] for message in sent[::2]] == [f"question {n}" for n in range(3)]
    assert all(turn.metrics and 0 < turn.metrics.duration < 60 for turn in outcome.pane.turns)
    log = LogStore(1000)
    log.append(events, {"s": 1}.get)
    assert [log[number].event for number in range(log.end)] == events


async def test_a_wait_for_the_next_attempt_is_as_long_although_the_clock_jumps() -> None:
    steps = {"1": too_many("0.3"), "*": ANSWER}
    async with fault_server(steps) as server, engine_with(jumping()) as test:
        test.engine.execute(OpenSession("s", endpoint_at(server.base_url)))
        test.engine.execute(Send("s", "r", "hi"))
        events = await test.listener.run_ends()
    [scheduled] = moments(events, RetryScheduled)
    [_, started] = moments(events, AttemptStarted)
    assert 0.3 <= started - scheduled < 5


def moments(events: list[Event], kind: type) -> list[float]:
    return [event.mono for event in events if isinstance(event.body, kind)]


@pytest.mark.parametrize("wrong_by", [-HOUR, HOUR], ids=["slow", "fast"])
async def test_a_date_to_come_back_at_is_never_waited_for_by_hours(wrong_by: float) -> None:
    """By a clock that is wrong the date is an hour away, or has passed."""
    due = datetime.now(UTC) + timedelta(seconds=2)
    steps = too_many(format_datetime(due, usegmt=True))
    async with (
        fault_server(steps) as server,
        engine_with(lambda: time.time() + wrong_by) as test,
    ):
        test.engine.execute(OpenSession("s", endpoint_at(server.base_url)))
        test.engine.execute(Send("s", "r", "hi"))
        await test.listener.until(lambda event: isinstance(event.body, RetryScheduled | RunFailed))
        test.engine.execute(Cancel("s"))
        outcome = Outcome(await test.listener.run_ends())
    waits = [retry.delay for retry in outcome.bodies(RetryScheduled)]
    if wrong_by < 0:
        assert waits == []
        assert "The endpoint asks to wait 60 min." in outcome.toast
    else:
        assert len(waits) == 1
        assert 0 < waits[0] <= MAX_DELAY_SECONDS < MAX_RETRY_AFTER_SECONDS
