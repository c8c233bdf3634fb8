"""Streams that break off and go on, over real connections."""

import asyncio
import json
import socket
from collections.abc import Sequence
from typing import Any

import pytest

from streamtui.config import Endpoint, Timeouts
from streamtui.engine import resume, run, watchdog
from streamtui.engine.dialects import sse
from streamtui.engine.doors import Cancel, OpenSession, Send
from streamtui.event_words import describe
from streamtui.events import (
    AttemptFailed,
    AttemptStarted,
    Chunk,
    Event,
    ReconnectScheduled,
    RequestSent,
    RetryScheduled,
    RunCancelled,
    RunCompleted,
    RunCutOff,
    RunFailed,
    ServerEvent,
    StreamStalled,
)
from tests.eventsource import GONE, HEAD, RESET, EventSource, Step, event_source
from tests.raw_http import LAST_CHUNK, STREAM_HEAD, chunk
from tests.scripted import EngineUnderTest

SOON = b"retry: 20\n\n"


def listening_to(server: EventSource, **settings: Any) -> Endpoint:
    params = {"http_method": "GET", **settings.pop("params", {})}
    return Endpoint("feed", "sse", server.url, params=params, **settings)


def begin(test: EngineUnderTest, endpoint: Endpoint) -> None:
    test.engine.execute(OpenSession("s", endpoint))
    test.engine.execute(Send("s", "r", "hi"))


async def listen(*answers: Sequence[Step], **settings: Any) -> tuple[EngineUnderTest, EventSource]:
    """A stream from its beginning to its end."""
    async with event_source(*answers) as server, EngineUnderTest() as test:
        begin(test, listening_to(server, **settings))
        await test.listener.run_ends()
    return test, server


def heard(test: EngineUnderTest) -> list[str]:
    deltas = (delta for body in test.listener.bodies(Chunk) for delta in body.deltas)
    return [delta.data for delta in deltas if isinstance(delta, ServerEvent)]


def is_reconnect(event: Event) -> bool:
    return isinstance(event.body, ReconnectScheduled)


# Going on


@pytest.mark.parametrize(
    "break_off",
    [
        pytest.param([HEAD, b"id: 1\ndata: a\n\n"], id="body ends"),
        pytest.param([STREAM_HEAD, chunk(b"id: 1\ndata: a\n\n")], id="chunks break off"),
        pytest.param([STREAM_HEAD, chunk(b"id: 1\ndata: a\n\n"), LAST_CHUNK], id="chunks end"),
        pytest.param(
            [STREAM_HEAD, chunk(b"id: 1\ndata: a\n\n"), 0.05, b"no\r\n"], id="broken chunk"
        ),
        pytest.param([HEAD, b"id: 1\ndata: a\n\n", 0.05, RESET], id="reset"),
    ],
)
async def test_a_stream_goes_on_after_its_last_event_until_it_is_gone(
    break_off: Sequence[Step],
) -> None:
    head, *rest = break_off
    soon = chunk(SOON) if head == STREAM_HEAD else SOON
    test, server = await listen(
        [head, soon, *rest], [HEAD, b"id: 2\ndata: b\n\n"], [HEAD, b"data: c\n\n"], [GONE]
    )
    assert heard(test) == ["a", "b", "c"]
    assert server.places == [None, "1", "2", "2"]
    [end] = test.listener.bodies(RunCompleted)
    assert end.metrics.text_chars == 6
    assert end.metrics.attempts == len(test.listener.bodies(AttemptStarted)) == 1


async def test_all_that_was_heard_is_one_answer_of_the_conversation() -> None:
    answers: list[Sequence[Step]] = [[HEAD, SOON, b"data: a\n\n"], [HEAD, b"data: b\n\n"], [GONE]]
    async with event_source(*answers) as server, EngineUnderTest() as test:
        begin(test, listening_to(server))
        await test.listener.run_ends()
        assert (await test.transcript("s"))[-1].content == "a\nb\n"


async def test_half_an_event_is_forgotten_when_the_stream_goes_on() -> None:
    test, server = await listen(
        [HEAD, SOON, b"id: 1\ndata: a\n\nid: 2\ndata: hal"],
        [HEAD, b"id: 2\ndata: half\n\n"],
        [GONE],
    )
    assert heard(test) == ["a", "half"]
    assert server.places == [None, "1", "2"]


async def test_last_half_of_an_event_is_no_beginning_of_the_next_one() -> None:
    test, _ = await listen(
        [HEAD, SOON, b"event: tick\ndata: 1\n\nevent: tock\ndata: lost"],
        [HEAD, b": hello\n\ndata: 2\n\n"],
        [GONE],
    )
    assert heard(test) == ["1", "2"]
    [chunk] = [body for body in test.listener.bodies(Chunk) if body.deltas[0].data == "2"]
    assert chunk.deltas[0].event == "message"


async def test_what_goes_on_is_read_as_events_whatever_it_begins_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sse, "DEFAULT_RETRY_SECONDS", 0.02)
    test, _ = await listen(
        [HEAD, b"\n"],
        [HEAD, b"<!-- hello -->\n\ndata: b\n\n"],
        [HEAD, b"{}\n\ndata: c\n\n"],
        [GONE],
    )
    assert heard(test) == ["b", "c"]


@pytest.mark.parametrize(
    ("line", "place"),
    [
        (b"id: 2\x003", "1"),
        (b"id:", None),
        (b"id: \xc3\xa9\xe6\xb0\xb4", "é水"),
    ],
    ids=["null", "empty", "not ascii"],
)
async def test_where_it_goes_on_is_what_the_server_said_last(line: bytes, place: str) -> None:
    test, server = await listen([HEAD, SOON, b"id: 1\n\n", line + b"\ndata: a\n\n"], [GONE])
    assert server.places == [None, place]
    [reconnect] = test.listener.bodies(ReconnectScheduled)
    assert reconnect.last_event_id == (place or "")


async def test_where_it_goes_on_is_not_said_when_no_header_can_say_it() -> None:
    test, server = await listen([HEAD, SOON, b"id: a\x1b[2Jb\ndata: a\n\n"], [GONE])
    assert test.listener.bodies(RunCompleted)
    assert server.places == [None, None]


async def test_gone_from_the_beginning_is_a_stream_without_events() -> None:
    test, server = await listen([GONE])
    assert test.listener.bodies(RunCompleted)
    assert len(server.heads) == 1


async def test_what_is_asked_again_is_the_same() -> None:
    params = {"topic": "cats", "prompt_param": "q"}
    _, server = await listen([HEAD, SOON, b"data: a\n\n"], [GONE], params=params)
    assert server.heads[0].startswith(b"GET /?q=hi&topic=cats HTTP/1.1\r\n")
    assert server.heads[0] == server.heads[1]


# Waiting


async def test_the_server_says_how_long_to_wait() -> None:
    test, server = await listen(
        [HEAD, b"retry: 150\n\ndata: a\n\n"], [HEAD, b"retry: 60\ndata: b\n\n"], [GONE]
    )
    waits = [body.delay for body in test.listener.bodies(ReconnectScheduled)]
    assert waits == [0.15, 0.06]
    assert server.times[1] - server.times[0] >= 0.15
    assert server.times[2] - server.times[1] >= 0.06


async def test_without_a_word_from_the_server_it_waits_three_seconds() -> None:
    async with event_source([HEAD, b"data: a\n\n"]) as server, EngineUnderTest() as test:
        begin(test, listening_to(server))
        await test.listener.until(is_reconnect)
        [reconnect] = test.listener.bodies(ReconnectScheduled)
        assert reconnect.delay == 3.0


async def test_a_server_that_wants_nobody_for_years_is_asked_earlier() -> None:
    body = b"retry: 99999999999999999999\ndata: a\n\n"
    async with event_source([HEAD, body]) as server, EngineUnderTest() as test:
        begin(test, listening_to(server))
        await test.listener.until(is_reconnect)
        [reconnect] = test.listener.bodies(ReconnectScheduled)
        assert reconnect.delay == resume.MAX_ASKED_SECONDS


async def test_waits_grow_while_the_server_cannot_be_reached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resume, "FIRST_GROWN_SECONDS", 0.04)
    monkeypatch.setattr(resume, "MAX_GROWN_SECONDS", 0.1)
    test, server = await listen(
        [HEAD, SOON, b"id: 1\ndata: a\n\n"],
        *[[RESET]] * 4,
        [HEAD, b"data: b\n\n"],
        [GONE],
    )
    waits = [body.delay for body in test.listener.bodies(ReconnectScheduled)]
    assert waits == [0.02, 0.04, 0.08, 0.1, 0.1, 0.02]
    assert heard(test) == ["a", "b"]
    assert set(server.places[1:]) == {"1"}


async def test_waits_never_shrink_below_what_the_server_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resume, "FIRST_GROWN_SECONDS", 0.01)
    monkeypatch.setattr(resume, "MAX_GROWN_SECONDS", 0.02)
    test, _ = await listen([HEAD, b"retry: 50\ndata: a\n\n"], [RESET], [RESET], [GONE])
    assert [body.delay for body in test.listener.bodies(ReconnectScheduled)] == [0.05] * 3


async def test_a_server_that_ends_without_a_byte_is_not_stormed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resume, "FIRST_GROWN_SECONDS", 0.05)
    test, _ = await listen([HEAD, b"retry: 0\ndata: a\n\n"], [HEAD], [HEAD], [GONE])
    assert [body.delay for body in test.listener.bodies(ReconnectScheduled)] == [0, 0.05, 0.05]


async def test_cancel_ends_a_wait_at_once_and_keeps_the_text() -> None:
    async with event_source([HEAD, b"data: a\n\ndata: half"]) as server, EngineUnderTest() as test:
        begin(test, listening_to(server))
        await test.listener.until(is_reconnect)
        async with asyncio.timeout(1):
            test.engine.execute(Cancel("s"))
            await test.listener.run_ends()
        [end] = test.listener.bodies(RunCancelled)
        assert end.metrics.text_chars == 2
        assert len(server.heads) == 1


async def test_cancel_keeps_half_an_answer_that_will_not_go_on() -> None:
    half: list[Step] = [HEAD, b"data: a\n\ndata: half", asyncio.Event()]
    async with event_source(half) as server, EngineUnderTest() as test:
        begin(test, Endpoint("e", "sse", server.url))
        await test.listener.until(lambda event: isinstance(event.body, Chunk))
        test.engine.execute(Cancel("s"))
        await test.listener.run_ends()
        assert heard(test) == ["a", "half"]


async def test_cancel_leaves_a_stream_that_goes_on() -> None:
    forever = asyncio.Event()
    answers: list[Sequence[Step]] = [[HEAD, SOON, b"data: a\n\n"], [HEAD, b"data: b\n\n", forever]]
    async with event_source(*answers) as server, EngineUnderTest() as test:
        begin(test, listening_to(server))
        await test.listener.until(lambda event: isinstance(event.body, Chunk), 2)
        test.engine.execute(Cancel("s"))
        await test.listener.run_ends()
        await server.left.wait()
        assert test.listener.bodies(RunCancelled)


async def test_the_limit_in_all_counts_the_waits_too() -> None:
    timeouts = Timeouts(20, 300, 120, 0.2)
    test, server = await listen([HEAD, b"data: a\n\n"], timeouts=timeouts)
    [end] = test.listener.bodies(RunCutOff)
    assert end.error.message == "stopped at the limit of 0.2 s"
    assert end.metrics.duration < 2  # of the three seconds that it would have waited
    assert len(server.heads) == 1


async def test_the_limit_in_all_holds_for_all_connections_together() -> None:
    timeouts = Timeouts(20, 300, 120, 1.0)
    test, server = await listen(
        [HEAD, SOON, b"data: a\n\n", 0.7],
        [HEAD, b"data: b\n\n", asyncio.Event()],
        timeouts=timeouts,
    )
    [end] = test.listener.bodies(RunCutOff)
    assert end.metrics.duration < 1.6
    assert heard(test) == ["a", "b"]
    assert len(server.heads) == 2


# Silence


async def test_a_stream_that_stays_silent_for_too_long_is_asked_for_again() -> None:
    forever = asyncio.Event()
    timeouts = Timeouts(20, 300, 0.2)
    test, server = await listen(
        [HEAD, SOON, b"id: 1\ndata: a\n\n", forever], [GONE], timeouts=timeouts
    )
    [reconnect] = test.listener.bodies(ReconnectScheduled)
    assert reconnect.error.message == "stalled: no data for 0.2 s"
    assert server.places == [None, "1"]
    assert len(test.listener.bodies(StreamStalled)) == 1


async def test_waiting_is_no_silence() -> None:
    timeouts = Timeouts(20, 300, 0.1)
    test, _ = await listen([HEAD, b"retry: 250\ndata: a\n\n"], [GONE], timeouts=timeouts)
    assert test.listener.bodies(RunCompleted)
    assert len(test.listener.bodies(ReconnectScheduled)) == 1


async def test_silence_between_events_is_no_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "STALL_SECONDS", 0.02)
    monkeypatch.setattr(watchdog, "CHECK_SECONDS", 0.02)
    test, _ = await listen([HEAD, SOON, b"data: a\n\n", 0.2, b"data: b\n\n"], [GONE])
    assert heard(test) == ["a", "b"]
    assert not test.listener.bodies(StreamStalled)


async def test_comments_keep_a_stream_without_events_alive() -> None:
    timeouts = Timeouts(20, 0.2, 0.2)
    comments: list[Step] = [step for _ in range(8) for step in (b": ping\n\n", 0.05)]
    test, server = await listen([HEAD, SOON, *comments, b"data: a\n\n"], [GONE], timeouts=timeouts)
    assert heard(test) == ["a"]
    assert len(server.heads) == 2


# Endings


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "HTTP 404, model or path"),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "HTTP 503"),
        (b"HTTP/1.1 206 Part\r\nContent-Length: 0\r\n\r\n", "got HTTP 206 instead of a stream"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html>",
            "got text/html instead of a stream",
        ),
        (b"HTTP/1.1 200 OK\r\n\r\ndata: x\n\n", "got no content type instead of a stream"),
        (
            b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
            "HTTP 301, the endpoint redirects",
        ),
    ],
)
async def test_whatever_is_no_stream_ends_it_with_its_text_kept(answer: bytes, words: str) -> None:
    test, server = await listen([HEAD, SOON, b"data: a\n\n"], [answer])
    [end] = test.listener.bodies(RunFailed)
    assert end.error.message.startswith(words)
    assert end.metrics.text_chars == 2
    assert len(server.heads) == 2
    assert not test.listener.bodies(RetryScheduled)


async def test_a_stream_without_events_that_is_refused_is_not_tried_again() -> None:
    busy = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
    test, server = await listen([HEAD, SOON], [busy])
    assert test.listener.bodies(RunFailed)
    assert len(server.heads) == 2


async def test_a_stream_that_cannot_be_reached_to_begin_with_fails_as_others_do() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        async with EngineUnderTest() as test:
            begin(test, Endpoint("e", "sse", url, params={"http_method": "GET"}, retries=1))
            await test.listener.run_ends()
    [end] = test.listener.bodies(RunFailed)
    assert end.error.kind == "connect"
    assert len(test.listener.bodies(AttemptFailed)) == 2
    assert not test.listener.bodies(ReconnectScheduled)


async def test_the_limit_of_bytes_holds_for_all_connections_together() -> None:
    event = b"data: " + b"x" * 600 + b"\n\n"
    test, server = await listen([HEAD, SOON, event], [HEAD, event], max_response_bytes=1000)
    [end] = test.listener.bodies(RunCutOff)
    assert end.error.message == "stopped at the limit of 1,000 bytes"
    assert heard(test) == ["x" * 600] * 2
    assert len(server.heads) == 2


async def test_of_a_stream_without_end_only_so_much_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run, "MAX_KEPT_CHARS", 3)
    answers: list[Sequence[Step]] = [[HEAD, SOON, b"data: a\n\ndata: b\n\n" * 9], [GONE]]
    async with event_source(*answers) as server, EngineUnderTest() as test:
        begin(test, listening_to(server))
        await test.listener.run_ends()
        [end] = test.listener.bodies(RunCompleted)
        assert end.metrics.text_chars == 36
        assert (await test.transcript("s"))[-1].content == "a\nb\n"


async def test_an_answer_to_a_post_is_not_asked_for_again() -> None:
    cut = [STREAM_HEAD, chunk(SOON + b"id: 1\ndata: a\n\ndata: half")]
    async with event_source(cut) as server, EngineUnderTest() as test:
        begin(test, Endpoint("e", "sse", server.url))
        await test.listener.run_ends()
    [end] = test.listener.bodies(RunCutOff)
    assert end.error.kind == "connection-lost"
    assert heard(test) == ["a", "half"]
    assert len(server.heads) == 1


async def test_what_happens_is_told_in_words() -> None:
    test, _ = await listen(
        [STREAM_HEAD, chunk(SOON + b"id: 1\ndata: a\n\n")], [HEAD, b"data: b\n\n"], [GONE]
    )
    told = [describe(body).words for body in test.listener.bodies(ReconnectScheduled)]
    assert told == [
        "the connection was lost. Reconnecting in 0.0 s",
        "the server ended the connection. Reconnecting in 0.0 s",
    ]
    assert len(test.listener.bodies(RequestSent)) == 3


# LangGraph

LOCATION = "/threads/t/runs/r/stream"
THREAD = {"thread_id": "t", "stream_resumable": True}


def frame(number: int, event: str, data: object) -> bytes:
    text = f"event: {event}\r\ndata: {json.dumps(data)}\r\nid: {number}-0\r\n\r\n"
    return text.encode()


def said(number: int, text: str) -> bytes:
    return frame(number, "messages", [{"type": "AIMessageChunk", "content": text, "id": "m"}, {}])


METADATA = frame(0, "metadata", {"run_id": "r", "attempt": 1})


def run_stream(*frames: bytes, whole: bool = False, location: str = LOCATION) -> list[Step]:
    head = STREAM_HEAD.replace(b"\r\n\r\n", f"\r\nLocation: {location}\r\n\r\n".encode())
    return [head, *map(chunk, frames), *([LAST_CHUNK] if whole else [])]


async def graph(
    *answers: Sequence[Step], **params: object
) -> tuple[EngineUnderTest, EventSource, str]:
    """A run of a graph from its beginning to its end, and its text."""
    async with event_source(*answers) as server, EngineUnderTest() as test:
        begin(test, Endpoint("g", "langgraph", server.url, params=THREAD | params))
        await test.listener.run_ends()
        transcript = await test.transcript("s")
    return test, server, transcript[-1].content if transcript else ""


async def test_a_run_of_a_graph_is_joined_again_and_says_nothing_twice() -> None:
    test, server, text = await graph(
        run_stream(METADATA, said(1, "Hel"), said(2, "lo")[:-9]),
        run_stream(said(2, "lo"), said(3, ", ")),
        run_stream(said(4, "you"), whole=True),
    )
    assert text == "Hello, you"
    assert test.listener.bodies(RunCompleted)
    assert server.places == [None, "1-0", "3-0"]
    assert server.heads[0].startswith(b"POST /threads/t/runs/stream ")
    assert all(head.startswith(f"GET {LOCATION} ".encode()) for head in server.heads[1:])


async def test_a_run_that_brings_nothing_new_is_joined_again_five_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resume, "FIRST_GROWN_SECONDS", 0.001)
    test, server, text = await graph(
        run_stream(METADATA, said(1, "Hel")),
        run_stream(b": heartbeat\r\n\r\n"),
        run_stream(said(2, "lo")),
        *[run_stream(b": heartbeat\r\n\r\n")] * 4,
        [RESET],
    )
    [end] = test.listener.bodies(RunCutOff)
    assert end.error.kind == "connection-lost"
    assert "could not be joined again" in end.error.message
    assert text == "Hello"
    assert len(server.heads) == 3 + 5
    counts = [body.number for body in test.listener.bodies(ReconnectScheduled)]
    assert counts == [1, 2, 1, 2, 3, 4, 5]
    assert {body.of for body in test.listener.bodies(ReconnectScheduled)} == {5}


async def test_a_run_that_cannot_be_joined_again_is_cut_off() -> None:
    lost = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    test, server, text = await graph(run_stream(METADATA, said(1, "Hel")), [lost])
    [end] = test.listener.bodies(RunCutOff)
    assert end.error.kind == "connection-lost"
    assert "HTTP 404" in end.error.message
    assert (text, len(server.heads)) == ("Hel", 2)


async def test_a_run_that_was_joined_in_vain_is_not_started_again() -> None:
    lost = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    test, server, _ = await graph(run_stream(METADATA), [lost])
    assert not test.listener.bodies(RetryScheduled)
    assert len(server.heads) == 2


async def test_the_error_of_a_node_is_told_as_it_is_after_joining_again() -> None:
    error = frame(2, "error", {"error": "ValueError", "message": "boom"})
    test, _, text = await graph(run_stream(METADATA, said(1, "Hel")), run_stream(error, whole=True))
    [end] = test.listener.bodies(RunFailed)
    assert (end.error.message, text) == ("ValueError: boom", "Hel")


@pytest.mark.parametrize(
    ("location", "params"),
    [
        (LOCATION, {"stream_resumable": False}),
        ("http://127.0.0.1:1/threads/t/runs/r/stream", {}),
        ("//127.0.0.1:1/threads/t/runs/r/stream", {}),
    ],
    ids=["not resumable", "another host", "another host without scheme"],
)
async def test_a_run_is_joined_again_only_on_its_own_server(
    location: str, params: dict[str, object]
) -> None:
    answer = run_stream(METADATA, said(1, "Hel"), location=location)
    test, server, text = await graph(answer, **params)
    [end] = test.listener.bodies(RunCutOff)
    assert end.error.message == "the connection was lost"
    assert (text, len(server.heads)) == ("Hel", 1)
    assert not test.listener.bodies(ReconnectScheduled)
