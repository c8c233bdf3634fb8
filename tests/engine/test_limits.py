"""Limits of runs, bytes and files, and many streams at once."""

import asyncio
import errno
import os
import resource
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import pairwise
from typing import NamedTuple

import msgspec
import pytest

from streamtui.config import Endpoint
from streamtui.demo.question import Overrides, Question, Turn
from streamtui.demo.scripts import Said, write_script
from streamtui.engine.doors import Cancel, CloseSession, OpenSession, Send
from streamtui.engine.transport import AiohttpTransport
from streamtui.errors import TransportError
from streamtui.event_words import describe
from streamtui.events import (
    AttemptStarted,
    Body,
    Event,
    Message,
    Metrics,
    ResponseStarted,
    RunCancelled,
    RunCompleted,
    RunCutOff,
    RunFailed,
    RunQueued,
    RunStarted,
    RunWaiting,
    SessionOpened,
)
from streamtui.ui.state import AppState, apply, border_subtitle, state_words
from tests.crowding import Crowding
from tests.engine.test_session import answer
from tests.faultserver import SCENARIOS, fault_server
from tests.scripted import EngineUnderTest, ScriptedResponse, ScriptedTransport, text_of

ONE_AT_A_TIME = Endpoint(
    "mock", "openai-chat", "http://mock.invalid/v1", "m", retries=0, max_concurrent=1
)


def ask_each(test: EngineUnderTest, endpoint: Endpoint, count: int) -> None:
    for number in range(count):
        test.engine.execute(OpenSession(f"s{number}", endpoint))
        test.engine.execute(Send(f"s{number}", f"r{number}", f"question {number}"))


def is_head(event: Event) -> bool:
    return isinstance(event.body, ResponseStarted)


def is_wait(event: Event) -> bool:
    return isinstance(event.body, RunWaiting)


# Places


async def test_runs_beyond_the_limit_wait_in_their_order_and_say_so() -> None:
    gates = [asyncio.Event() for _ in range(4)]
    transport = ScriptedTransport(*(ScriptedResponse(gate, *answer("x")._body) for gate in gates))
    async with EngineUnderTest(transport) as test:
        ask_each(test, ONE_AT_A_TIME, 4)
        await test.listener.until(is_wait, 3)
        places = ["this one is next", "1 wait before this one", "2 wait before this one"]
        assert [(e.session_id, e.body.reason) for e in filter(is_wait, test.listener.events)] == [  # type: ignore[union-attr]
            (f"s{n}", f"mock takes 1 at a time, {place}") for n, place in enumerate(places, 1)
        ]
        for number, gate in enumerate(gates, 1):
            await test.listener.until(is_head, number)
            assert transport.open_now == 1
            gate.set()
            await test.listener.run_ends(number)
        started = [e for e in test.listener.events if isinstance(e.body, AttemptStarted)]
        assert [event.session_id for event in started] == ["s0", "s1", "s2", "s3"]


async def test_a_waiting_run_is_shown_as_queued_with_its_reason() -> None:
    async with EngineUnderTest(ScriptedTransport(ScriptedResponse(asyncio.Event()))) as test:
        ask_each(test, ONE_AT_A_TIME, 2)
        await test.listener.until(is_wait)
        state = AppState()
        for event in test.listener.events:
            apply(state, event)
        pane = state.panes["s1"]
        assert pane.phase == "queued"
        words = "".join(text for text, _ in border_subtitle(pane, 0.0, 80).left)
        assert "mock takes 1 at a time" in words


def test_a_prompt_taken_back_behind_a_waiting_run_leaves_it_queued() -> None:
    state = AppState()
    bodies: list[tuple[str, Body]] = [
        ("", SessionOpened("mock", "m", "openai-chat")),
        ("r1", RunStarted("one", (Message("user", "one"),), "mock", "m", "openai-chat")),
        ("r1", RunWaiting("others come first", 5.0)),
        ("r2", RunQueued("two", 1)),
        ("r2", RunCancelled(Metrics())),
    ]
    for seq, (run_id, body) in enumerate(bodies):
        apply(state, Event(seq, 0.0, 100.0, "s", run_id, body))
    pane = state.panes["s"]
    assert (pane.phase, state_words(pane, 101.0)) == ("queued", ("queued", "in 4s"))
    apply(state, Event(9, 0.0, 102.0, "s", "r1", RunCancelled(Metrics())))
    assert (pane.phase, pane.queue_reason) == ("cancelled", "")


@pytest.mark.parametrize("way", [Cancel, CloseSession])
async def test_a_run_that_waits_for_its_place_can_be_cancelled(
    way: type[Cancel] | type[CloseSession],
) -> None:
    gate = asyncio.Event()
    transport = ScriptedTransport(ScriptedResponse(gate, *answer("x")._body), answer("y"))
    async with EngineUnderTest(transport) as test:
        ask_each(test, ONE_AT_A_TIME, 3)
        await test.listener.until(is_wait, 2)
        test.engine.execute(way("s1"))
        await test.listener.run_ends()
        assert test.listener.bodies(RunCancelled)
        gate.set()
        await test.listener.run_ends(3)
        assert len(test.listener.bodies(RunCompleted)) == 2


async def test_a_place_is_free_again_after_every_end() -> None:
    lost = TransportError("lost", kind="connect")
    transport = ScriptedTransport(
        ScriptedResponse(asyncio.Event()),  # cancelled
        lost,
        ScriptedResponse(b"", status=400),
        ScriptedResponse(*answer("half")._body[:1]),
        answer("done"),
    )
    async with EngineUnderTest(transport) as test:
        ask_each(test, ONE_AT_A_TIME, 5)
        await test.listener.until(is_head)
        test.engine.execute(Cancel("s0"))
        await test.listener.run_ends(5)
        kinds = [RunCancelled, RunFailed, RunFailed, RunCutOff, RunCompleted]
        ends = test.listener.bodies(*set(kinds))
        assert [type(end) for end in ends] == kinds


async def test_a_cancel_just_as_the_place_is_handed_over_loses_no_place() -> None:
    gate = asyncio.Event()
    transport = ScriptedTransport(ScriptedResponse(gate, *answer("x")._body), answer("y"))
    async with EngineUnderTest(transport) as test:
        ask_each(test, ONE_AT_A_TIME, 3)
        await test.listener.until(is_wait, 2)
        # The end of the first hands its place to the second, which is cancelled before it runs.
        test.engine.execute(Cancel("s0"))
        test.engine.execute(Cancel("s1"))
        await test.listener.run_ends(3)
        assert len(test.listener.bodies(RunCompleted)) == 1


# Bytes


async def test_an_answer_without_an_end_is_cut_off_at_its_limit() -> None:
    steps = SCENARIOS["endless-tokens"]["steps"]
    async with fault_server(steps) as server, EngineUnderTest(AiohttpTransport()) as test:
        endpoint = Endpoint("mirror", "openai-chat", server.base_url, "m", retries=0)
        ask_each(test, msgspec.structs.replace(endpoint, max_response_bytes=50_000), 1)
        await test.listener.run_ends()
    [end] = test.listener.bodies(RunCutOff)
    assert end.error.kind == "stopped-by-limit"
    assert "50,000 bytes" in end.error.message
    assert "kept" in describe(end).words
    assert end.metrics.text_chars > 1000


# Files


async def test_no_more_files_is_told_with_how_many_streams_run() -> None:
    full = TransportError("too many open files", kind="connect")
    full.__cause__ = OSError(errno.EMFILE, "Too many open files")
    transport = ScriptedTransport(ScriptedResponse(asyncio.Event()), full, answer("ok"))
    endpoint = msgspec.structs.replace(ONE_AT_A_TIME, max_concurrent=None)
    async with EngineUnderTest(transport) as test:
        ask_each(test, endpoint, 1)
        await test.listener.until(is_head)
        test.engine.execute(OpenSession("other", endpoint))
        test.engine.execute(Send("other", "r", "hi"))
        await test.listener.run_ends()
        [end] = test.listener.bodies(RunFailed)
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        assert end.error.message == f"too many open files: 1 streams running, limit {limit}"


# Many streams


SERVE = """
import asyncio
from streamtui.demo.server import DemoServer

async def serve():
    server = DemoServer()
    await server.start()
    print(server.base_url, flush=True)
    await asyncio.Event().wait()

asyncio.run(serve())
"""


class Served(NamedTuple):
    base_url: str
    pid: int


@asynccontextmanager
async def demo_server() -> AsyncIterator[Served]:
    """A server in a process of its own: what is measured is our side alone."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    try:
        yield Served((await process.stdout.readline()).decode().strip(), process.pid)
    finally:
        process.kill()
        await process.communicate()


@contextmanager
def many_files(count: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        pytest.skip(f"this machine allows {hard} files only")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def expected_text(number: int, overrides: Overrides) -> str:
    turns = (Turn("user", f"question {number}"),)
    question = Question(model="demo/verse", turns=turns, overrides=overrides)
    return "".join(step.text for step in write_script(question).steps() if isinstance(step, Said))


MOST_SILENT = 2.0


@pytest.mark.parametrize("count", [150, 1000])
async def test_many_streams_all_get_their_text_and_none_is_silent(count: int) -> None:
    overrides = Overrides(rate=4, tokens=8, delay=0.5)
    params: dict[str, object] = {"demo": msgspec.to_builtins(overrides)}
    with many_files(count * 2 + 200):
        async with demo_server() as served, EngineUnderTest(AiohttpTransport()) as test:
            url, crowding = served.base_url, Crowding(os.getpid(), served.pid)
            endpoint = Endpoint("demo", "openai-chat", url, "demo/verse", params=params)
            async with asyncio.TaskGroup() as tasks:
                watching = tasks.create_task(crowding.watch())
                ask_each(test, endpoint, count)
                events = await test.listener.run_ends(count)
                watching.cancel()
    assert len(test.listener.bodies(RunCompleted)) == count
    by_session: dict[str, list[Event]] = {}
    for event in events:
        by_session.setdefault(event.session_id, []).append(event)
    for number in range(count):
        told = by_session[f"s{number}"]
        assert text_of(told) == expected_text(number, overrides)
    gaps = [
        (before.mono, after.mono)
        for told in by_session.values()
        for before, after in pairwise(told)
        if not is_wait(before) and after.mono - before.mono >= MOST_SILENT
    ]
    # What the machine gave to others in that time is not silence of ours.
    silent = [end - start - crowding.between(start, end) for start, end in gaps]
    assert max(silent, default=0.0) < MOST_SILENT


async def test_a_thousand_streams_of_an_endpoint_that_takes_fifty_are_queued_visibly() -> None:
    overrides = Overrides(rate=1000, tokens=4, delay=0.01)
    params: dict[str, object] = {"demo": msgspec.to_builtins(overrides)}
    async with demo_server() as served, EngineUnderTest(AiohttpTransport()) as test:
        url = served.base_url
        endpoint = Endpoint(
            "demo", "openai-chat", url, "demo/verse", params=params, max_concurrent=50
        )
        ask_each(test, endpoint, 1000)
        await test.listener.run_ends(1000)
    assert len(test.listener.bodies(RunCompleted)) == 1000
    assert len(test.listener.bodies(RunWaiting)) == 950
