"""Runnables behind the doors of an engine."""

import asyncio
import json
import sys
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
import pytest

from streamtui.config import Endpoint
from streamtui.engine.doors import GetTranscript
from streamtui.engine.reports import Unanswered
from streamtui.events import (
    RUN_ENDS,
    Body,
    Chunk,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunStarted,
    ServerEvent,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from streamtui.runnables import RunnableDoors, Version, event_json

Events = Callable[[], AsyncGenerator[Any, None]]


def event(name: str, **data: Any) -> dict[str, Any]:
    return {"event": name, "run_id": "root", "parent_ids": [], "name": "n", "data": data}


def said(text: str) -> dict[str, Any]:
    return event("on_chat_model_stream", chunk={"type": "AIMessageChunk", "content": text})


class Scripted:
    """Plays events; what it was asked is noted."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self.asked: list[object] = []

    def astream_events(self, value: Any, /, *, version: Version) -> AsyncGenerator[Any, None]:
        self.asked += [value, version]
        return self._events()


async def play(*events: Any) -> AsyncGenerator[Any, None]:
    for item in events:
        if isinstance(item, BaseException):
            raise item
        yield item


def listen(events: Events, *, cancel_at: type[Body] | None = None) -> list[Body]:
    """The facts of a run from its beginning to its end."""
    return hear(RunnableDoors(Scripted(events), "x"), cancel_at)


def hear(doors: RunnableDoors, cancel_at: type[Body] | None = None) -> list[Body]:
    news = threading.Event()
    bodies: list[Body] = []
    with closing(doors):
        subscription = doors.subscribe(news.set)
        session_id = doors.open_session(Endpoint("app:chain", "runnable", ""))
        doors.send(session_id, "hi")
        while not (bodies and isinstance(bodies[-1], RUN_ENDS)):
            assert news.wait(10)
            news.clear()
            bodies += [event.body for event in subscription.drain() if event.run_id]
            if cancel_at and any(isinstance(body, cancel_at) for body in bodies):
                doors.cancel(session_id)
    assert not doors.is_alive
    return bodies


def deltas(bodies: list[Body]) -> list[Any]:
    found = [delta for body in bodies if isinstance(body, Chunk) for delta in body.deltas]
    return [delta for delta in found if not isinstance(delta, ServerEvent)]


def test_what_a_runnable_says_is_told_as_an_engine_would() -> None:
    usage = {"type": "AIMessageChunk", "content": "", "usage_metadata": {"output_tokens": 2}}
    call = {"index": 0, "id": "c", "name": "f", "args": "{}"}
    tool = {"type": "AIMessageChunk", "content": "", "tool_call_chunks": [call]}
    bodies = listen(
        lambda: play(
            said("Hel"),
            said("lo"),
            *(event("on_chat_model_stream", chunk=c) for c in (tool, usage)),
        )
    )
    assert isinstance(bodies[0], RunStarted)
    assert (bodies[0].endpoint, bodies[0].prompt) == ("app:chain", "hi")
    assert deltas(bodies) == [
        TextDelta("Hel"),
        TextDelta("lo"),
        ToolCallDelta(0, "{}", "c", "f"),
        Usage(output=2),
    ]
    end = bodies[-1]
    assert isinstance(end, RunCompleted)
    assert (end.metrics.text_chars, end.metrics.chunks) == (5, 3)
    assert end.metrics.usage == Usage(output=2)


def test_events_are_told_whole() -> None:
    start = event("on_chain_start", input={"topic": "cats"})
    [told] = [body for body in listen(lambda: play(start)) if isinstance(body, Chunk)]
    [delta] = told.deltas
    assert isinstance(delta, ServerEvent)
    assert (delta.event, json.loads(delta.data)) == ("on_chain_start", start)


def test_input_and_version_reach_the_runnable() -> None:
    scripted = Scripted(play)
    hear(RunnableDoors(scripted, {"a": 1}, "v1"))
    assert scripted.asked == [{"a": 1}, "v1"]


def test_halves_of_a_character_in_two_pieces_are_joined() -> None:
    bodies = listen(lambda: play(said("a\ud83d"), said("\ude00b\ud83d")))
    assert deltas(bodies) == [
        TextDelta("a"),
        TextDelta("\N{GRINNING FACE}b"),
        TextDelta("\N{REPLACEMENT CHARACTER}"),
    ]
    msgspec.msgpack.encode(
        [delta for body in bodies if isinstance(body, Chunk) for delta in body.deltas]
    )


def test_an_error_keeps_what_came_and_hides_keys() -> None:
    key = "sk-Secret0123456789abcdefghij"
    bodies = listen(lambda: play(said("Hi"), ValueError(f"boom {key}")))
    end = bodies[-1]
    assert isinstance(end, RunFailed)
    assert end.error.kind == "error-midstream"
    assert end.error.message.startswith("ValueError: boom ")
    assert key not in end.error.message
    assert end.metrics.text_chars == 2


@pytest.mark.parametrize(
    "error", [KeyError(), asyncio.CancelledError(), SystemExit(), KeyboardInterrupt()]
)
def test_an_error_without_words_has_its_name(error: BaseException) -> None:
    end = listen(lambda: play(error))[-1]
    assert isinstance(end, RunFailed)
    assert end.error.message == type(error).__name__


def test_an_exit_elsewhere_on_the_loop_of_the_runnable_ends_the_run_too() -> None:
    async def events() -> AsyncGenerator[Any, None]:
        yield said("Hi")
        asyncio.get_running_loop().call_soon(sys.exit, 3)
        await asyncio.sleep(60)

    bodies = listen(events)
    assert isinstance(bodies[-1], RunFailed)
    assert deltas(bodies) == [TextDelta("Hi")]


def test_cancel_ends_all_that_was_started_and_closes_the_stream() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("work")

    async def events() -> AsyncGenerator[Any, None]:
        """As v1 does it: whoever listens waits for whoever produces, to its end."""
        async with asyncio.TaskGroup() as tasks:
            producer = tasks.create_task(work())
            try:
                yield said("Hi")
                await asyncio.sleep(60)
            finally:
                try:
                    await producer
                finally:
                    ended.append("events")

    bodies = listen(events, cancel_at=Chunk)
    assert isinstance(bodies[-1], RunCancelled)
    assert deltas(bodies) == [TextDelta("Hi")]
    assert ended == ["work", "events"]


def test_cancel_before_it_began_asks_nothing() -> None:
    scripted = Scripted(play)
    doors = RunnableDoors(scripted, "x")
    doors.cancel_all()
    assert isinstance(hear(doors)[-1], RunCancelled)
    assert not scripted.asked


async def test_a_runnable_answers_no_questions() -> None:
    with closing(RunnableDoors(Scripted(play), "x")) as doors:
        assert isinstance(await doors.ask(GetTranscript("s")), Unanswered)


# Events as JSON


class Message:
    def model_dump(self) -> dict[str, Any]:
        return {"content": "Hi", "type": "ai"}


class Word(str):
    __slots__ = ()


@dataclass
class Point:
    x: int


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Message(), {"content": "Hi", "type": "ai"}),
        ([Message()], [{"content": "Hi", "type": "ai"}]),
        (Point(1), {"x": 1}),
        (Word("w"), "w"),
        ({1: {2}}, {"1": [2]}),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (ValueError("no"), "ValueError('no')"),
        (Message, repr(Message)),
        ("a\ud83d", "a\ud83d"),
    ],
)
def test_objects_are_written_as_langserve_writes_them(value: object, plain: object) -> None:
    assert json.loads(event_json(event("on_chain_end", output=value)))["data"]["output"] == plain


def test_what_has_no_json_costs_its_data_and_not_the_event() -> None:
    endless: list[object] = []
    endless.append(endless)
    told = json.loads(event_json(event("on_chain_end", output=endless)))
    assert told["event"] == "on_chain_end"
    assert told["data"] == {"unreadable": "RecursionError"}
