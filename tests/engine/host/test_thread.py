"""The engine in its thread, behind its doors, with the embedded demo server."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator

import pytest
from msgspec import structs

from streamtui import LLM
from streamtui.config import Config, load_config
from streamtui.demo import start_demo
from streamtui.engine.doors import ListModels, Probe, Subscription
from streamtui.engine.host import EngineThread
from streamtui.errors import RunError
from streamtui.events import RUN_ENDS, Chunk, Event, RunCancelled, RunCompleted
from tests.eventsource import event_source

DEMO = load_config(environ={}).endpoint("demo/fast")


@pytest.fixture
async def doors() -> AsyncIterator[EngineThread]:
    doors = EngineThread(start_demo)
    yield doors
    await asyncio.to_thread(doors.close)


class Heard:
    """Events of a subscription, awaited from the test's loop."""

    def __init__(self, doors: EngineThread) -> None:
        loop, self._woken = asyncio.get_running_loop(), asyncio.Event()
        self._subscription: Subscription = doors.subscribe(
            lambda: loop.call_soon_threadsafe(self._woken.set)
        )
        self.events: list[Event] = []

    async def until(self, *kinds: type) -> Event:
        while not any(isinstance(event.body, kinds) for event in self.events):
            await self._woken.wait()
            self._woken.clear()
            self.events += self._subscription.drain()
        return next(event for event in self.events if isinstance(event.body, kinds))


async def test_commands_given_before_the_engine_runs_are_carried_out(
    doors: EngineThread,
) -> None:
    heard = Heard(doors)
    session_id = doors.open_session(DEMO)
    run_id = doors.send(session_id, "hi")
    end = await heard.until(*RUN_ENDS)
    assert isinstance(end.body, RunCompleted)
    assert (end.session_id, end.run_id) == (session_id, run_id)
    question, _answer = await doors.transcript(session_id)
    assert question.content == "hi"


async def test_the_engine_works_on_while_a_face_stands_still(doors: EngineThread) -> None:
    heard = Heard(doors)
    ended = threading.Event()
    watching = doors.subscribe(lambda: None)
    doors.send(doors.open_session(DEMO), "hi")

    def wait_blocking() -> None:
        while not ended.is_set():
            if any(isinstance(event.body, RUN_ENDS) for event in watching.drain()):
                ended.set()

    # The loop of this test is blocked for as long as the whole answer takes.
    thread = threading.Thread(target=wait_blocking)
    thread.start()
    thread.join(20)
    assert ended.is_set()
    await heard.until(*RUN_ENDS)


async def test_a_closed_engine_still_answers_queries(doors: EngineThread) -> None:
    await asyncio.to_thread(doors.close)
    assert await asyncio.wait_for(doors.transcript("s"), 5) == ()


@pytest.mark.parametrize("query", [Probe, ListModels])
async def test_an_endpoint_is_asked_no_further_when_nobody_waits_for_the_answer(
    doors: EngineThread, query: type[Probe | ListModels]
) -> None:
    async with event_source([asyncio.Event()]) as silent, asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(doors.ask(query(structs.replace(DEMO, base_url=silent.url))))
        await silent.reached(1)
        asking.cancel()
        await silent.left.wait()


async def test_whoever_waits_hears_of_an_engine_that_cannot_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streamtui.engine.engine.Engine", broken)
    doors = EngineThread(start_demo)
    llm = LLM(config=Config({"demo": DEMO}), doors=doors)
    words = "the engine has ended: ZeroDivisionError"
    for _ in range(2):
        with pytest.raises(RunError, match=words):
            await asyncio.to_thread(list, llm.stream("hi"))
        with pytest.raises(RunError, match=words):
            await anext(llm.astream("hi"))
        with pytest.raises(RunError, match=words):
            await doors.probe(DEMO)
    await asyncio.to_thread(doors.close)


def broken(*_: object) -> None:
    raise ZeroDivisionError


async def test_a_slow_name_lookup_does_not_hold_up_the_end(
    doors: EngineThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answered = threading.Event(), threading.Event()

    def look_up(*_: object, **__: object) -> list[object]:
        asked.set()
        answered.wait(20)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    slow = structs.replace(DEMO, base_url="http://slow.invalid/v1")
    doors.send(doors.open_session(slow), "hi")
    assert await asyncio.to_thread(asked.wait, 10)
    await asyncio.wait_for(asyncio.to_thread(doors.close), 1)
    assert not doors.is_alive
    answered.set()


async def test_close_ends_what_runs(doors: EngineThread) -> None:
    heard = Heard(doors)
    doors.send(doors.open_session(load_config(environ={}).endpoint("demo/stall")), "hi")
    await heard.until(Chunk)
    await asyncio.to_thread(doors.close)
    await heard.until(RunCancelled)
    doors.send("nobody", "after the end")
