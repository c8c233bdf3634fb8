"""Recordings served in the place of models: to our own engine, to official clients, by hand."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest
from openai import AsyncOpenAI

from streamtui.cli.recordings import Recorded
from streamtui.cli.serve_words import offers_of
from streamtui.config import Endpoint
from streamtui.demo.dialect import Refusal
from streamtui.demo.question import Question, Turn
from streamtui.demo.replay_script import RecordedRun, recorded_run
from streamtui.demo.replay_server import ReplayServer, Served, names_for
from streamtui.demo.scripts import CallArguments, CallStarted, Ending, Said, Thought
from streamtui.engine.host import EngineThread
from streamtui.events import (
    RUN_ENDS,
    AttemptStarted,
    Body,
    Chunk,
    ErrorInfo,
    Event,
    Metrics,
    ReasoningDelta,
    RefusalDelta,
    RunCompleted,
    RunFailed,
    ToolCallDelta,
    Usage,
)
from streamtui.recording import FRAMES_PER_SECOND, Recording, frames, read_recording
from tests.engine.test_reader import EXPECTED, FIXTURES, fixtures
from tests.scripted import no_demo
from tests.stored_runs import COMPLETED, cancelled, cut_off, failed, run, text
from tests.test_recording import expected_of, meant

from .asking import events_in, pieces, request_body, until_the_cut
from .ways import IN_EVERY_WAY, Way

QUESTION = Question(model="any", turns=(Turn("user", "?"),))
HELLO = FIXTURES / "openai-chat" / "aimock-chat-hello.http"
REFUSED = FIXTURES / "openai-chat" / "aimock-chat-err429.http"


def read(path: Path) -> Recording:
    return read_recording(path.read_bytes())


@asynccontextmanager
async def serving(*, pace: float = 0.0, **recordings: Served) -> AsyncIterator[ReplayServer]:
    server = ReplayServer(recordings, pace=pace)
    await server.start()
    try:
        yield server
    finally:
        await server.aclose()


@pytest.fixture(scope="module")
def doors() -> Iterator[EngineThread]:
    doors = EngineThread(no_demo)
    yield doors
    doors.close()


async def asked(doors: EngineThread, endpoint: Endpoint) -> list[Event]:
    """All events of one run."""
    loop, woken = asyncio.get_running_loop(), asyncio.Event()
    subscription = doors.subscribe(lambda: loop.call_soon_threadsafe(woken.set))
    run_id = doors.send(doors.open_session(endpoint), "hi")
    events: list[Event] = []
    while not (events and isinstance(events[-1].body, RUN_ENDS)):
        await woken.wait()
        woken.clear()
        events += [event for event in subscription.drain() if event.run_id == run_id]
    subscription.close()
    return events


def where(server: ReplayServer, dialect: str, served: Recording) -> Endpoint:
    """The endpoint that `streamtui serve` would tell of."""
    (offer,) = offers_of([Recorded("x", dialect, (), served)])
    base_url = server.root_url + offer.place.base_url
    return Endpoint("replay", dialect, base_url, offer.model, retries=0)


# --- recorded responses ----------------------------------------------------------------------

ASKED_ONCE = [param for param in fixtures() if param.values[0].parent.name != "sse"]
"""A stream of plain events that ends is gone on with, for ever."""


@pytest.mark.parametrize("path", ASKED_ONCE)
async def test_our_own_run_makes_of_a_recording_what_it_is(doors: EngineThread, path: Path) -> None:
    dialect, recording = path.parent.name, read(path)
    async with serving(x=recording) as server:
        events = await asked(doors, where(server, dialect, recording))
    assert meant(events) == expected_of(path, events)


@pytest.mark.parametrize("path", [HELLO, REFUSED, FIXTURES / "openai-chat" / "own-bom-crlf.http"])
async def test_status_headers_and_body_are_those_that_were_recorded(
    http: aiohttp.ClientSession, path: Path
) -> None:
    recording = read(path)
    async with serving(x=recording) as server, post(http, server, "/any/path", "x") as response:
        assert (response.status, response.reason) == (recording.status, recording.reason)
        assert await response.read() == recording.body
        kept = {
            name: value
            for name, value in recording.headers
            if name.lower() not in {"connection", "keep-alive", "transfer-encoding"}
            and not name.lower().startswith("access-control-")
        }
        assert {name: response.headers[name] for name in kept} == kept


async def test_a_response_without_a_body_stays_one(http: aiohttp.ClientSession) -> None:
    recording = Recording(204, "No Content", (), b"")
    async with serving(x=recording) as server, post(http, server, "/v1/x", "x") as response:
        assert (response.status, await response.read()) == (204, b"")


async def test_who_may_read_it_there_is_not_who_may_read_it_here(
    http: aiohttp.ClientSession,
) -> None:
    async with serving(x=read(HELLO)) as server, post(http, server, "/v1/x", "x") as response:
        assert not [name for name in response.headers if name.startswith("Access-Control")]
        assert response.headers["X-Request-Id"] == read(HELLO).header("x-request-id")


@pytest.mark.parametrize(("body", "kept"), [(b"data: plain\n\n", False), (b"\x1f\x8b\x00", True)])
async def test_a_body_that_was_unpacked_is_not_said_to_be_packed(
    body: bytes, *, kept: bool
) -> None:
    recording = Recording(200, "OK", (("Content-Encoding", "gzip"),), body)
    async with (
        aiohttp.ClientSession(auto_decompress=False) as http,
        serving(x=recording) as replay,
        post(http, replay, "/v1/x", "x") as response,
    ):
        assert ("Content-Encoding" in response.headers) == kept
        assert await response.read() == body


async def test_lines_come_in_their_time(http: aiohttp.ClientSession) -> None:
    recording = read(HELLO)
    lines = len(list(frames(recording)))
    async with serving(pace=1.0, x=recording) as server:
        clock = asyncio.get_running_loop().time
        async with post(http, server, "/v1/x", "x") as response:
            began = clock()
            arrivals = [clock() - began async for _ in response.content.iter_any()]
    assert arrivals[-1] >= 0.9 * (lines - 1) / FRAMES_PER_SECOND
    assert len(arrivals) > 3


async def test_a_stream_of_plain_events_can_be_listened_to_with_get(
    http: aiohttp.ClientSession,
) -> None:
    recording = read(FIXTURES / "sse" / "own-named-events.http")
    async with serving(x=recording) as server:
        async with http.get(f"{server.root_url}/replay/x") as response:
            assert await response.read() == recording.body
        async with http.get(f"{server.root_url}/replay/y") as response:
            assert response.status == 404


async def test_the_official_client_reads_a_recording() -> None:
    async with serving(hello=read(HELLO)) as server, client(server) as sdk:
        stream = await sdk.chat.completions.create(
            model="replay/hello", messages=[{"role": "user", "content": "hi"}], stream=True
        )
        chunks = [chunk async for chunk in stream]
    answer = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert answer == EXPECTED["openai-chat/aimock-chat-hello"]["text"]
    assert (chunks[-1].usage and chunks[-1].usage.completion_tokens) == 8


async def test_the_official_client_sees_a_recorded_refusal_and_then_an_answer() -> None:
    """What it does by itself after a 429 is seen with two recordings in turn."""
    async with serving(no=read(REFUSED), yes=read(HELLO)) as server, client(server) as sdk:
        with pytest.raises(openai.RateLimitError, match="Rate limit exceeded"):
            await ask_sdk(sdk, "whatever")
        assert (await ask_sdk(sdk, "whatever")).startswith("Hello!")


# --- which of them ---------------------------------------------------------------------------


async def test_they_are_answered_in_turn(http: aiohttp.ClientSession) -> None:
    async with serving(a=said("1"), b=said("2"), c=said("3")) as server:
        assert [await answer(http, server, "gpt-4o-mini") for _ in range(4)] == ["1", "2", "3", "1"]


async def test_one_that_is_named_is_answered_whosever_turn_it_is(
    http: aiohttp.ClientSession,
) -> None:
    async with serving(a=said("1"), b=said("2")) as server:
        assert await answer(http, server, "replay/b") == "2"
        assert await answer(http, server, "any") == "1"
        assert await answer(http, server, "replay/b") == "2"
        assert await answer(http, server, "any") == "2"


async def test_one_that_is_not_there_is_refused_with_those_that_are(
    http: aiohttp.ClientSession,
) -> None:
    async with (
        serving(a=said("1"), b=said("2")) as server,
        post(http, server, "/v1/chat/completions", "replay/c") as response,
    ):
        error = (await response.json())["error"]
    assert (response.status, error["code"]) == (404, "model_not_found")
    assert error["message"] == "There is no recording replay/c. There are: replay/a, replay/b."


@pytest.mark.parametrize(
    ("path", "headers", "rows", "name"),
    [
        ("/v1/models", {}, "data", "id"),
        ("/v1/models", {"anthropic-version": "1"}, "data", "id"),
        ("/v1beta/models", {}, "models", "displayName"),
        ("/api/tags", {}, "models", "name"),
    ],
)
async def test_lists_of_models_show_them(
    http: aiohttp.ClientSession, path: str, headers: dict[str, str], rows: str, name: str
) -> None:
    async with serving(a=said("1"), b=read(HELLO)) as server:
        async with http.get(server.root_url + path, headers=headers) as response:
            listed: Any = await response.json()
        async with http.get(server.root_url) as response:
            assert "replay/a\nreplay/b" in await response.text()
    assert [row[name] for row in listed[rows]] == ["replay/a", "replay/b"]


async def test_a_thread_is_no_question(http: aiohttp.ClientSession) -> None:
    async with serving(a=said("1"), b=said("2")) as server:
        async with http.post(f"{server.root_url}/threads", json={}) as response:
            assert (await response.json())["status"] == "idle"
        async with http.post(f"{server.root_url}/assistants/search", json={}) as response:
            assert response.status == 200
        assert await answer(http, server, "any") == "1"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a", "a", "a"], ["a", "a-2", "a-3"]),
        (["Ein Lauf.http", "../x", "水", ""], ["Ein-Lauf.http", "x", "recording", "recording-2"]),
        (["a-2", "a", "a"], ["a-2", "a", "a-3"]),
    ],
)
def test_names_are_parts_of_urls_and_each_its_own(names: list[str], expected: list[str]) -> None:
    assert names_for(names) == expected


# --- stored runs -----------------------------------------------------------------------------


@IN_EVERY_WAY
async def test_a_stored_run_is_told_in_every_dialect(http: aiohttp.ClientSession, way: Way) -> None:
    async with serving(a=said("Hel", "lo ", "水")) as server:
        path, body = way.request("replay/a")
        async with http.post(server.root_url + path, json=body) as response:
            assert response.status == 200, await response.text()
            told = way.frames(await response.read())
        path, body = way.request("replay/a", stream=False)
        async with http.post(server.root_url + path, json=body) as response:
            whole = await response.json()
    assert [piece for piece in map(way.piece, told) if piece] == ["Hel", "lo ", "水"]
    assert len([reason for reason in map(way.finish, told) if reason]) == 1
    assert way.whole_text(whole) == "Hello 水"


@IN_EVERY_WAY
@pytest.mark.parametrize("end", [failed("too much", "overloaded", None), cut_off()])
async def test_an_end_in_mid_answer_is_told_in_every_dialect(
    http: aiohttp.ClientSession, way: Way, end: Body
) -> None:
    async with serving(a=recorded_run(run(*text("half"), end))) as server:
        path, body = way.request("replay/a")
        async with http.post(server.root_url + path, json=body) as response:
            if isinstance(end, RunFailed) and not way.hangs_up:
                told = way.frames(await response.read())
                assert [error for error in map(way.error, told) if error] == ["too much"]
            else:
                told = way.frames(await until_the_cut(response))
    assert [piece for piece in map(way.piece, told) if piece] == ["half"]


@IN_EVERY_WAY
async def test_a_response_that_just_ended_just_ends_in_every_dialect(
    http: aiohttp.ClientSession, way: Way
) -> None:
    truncated = cut_off("the answer ended without its end marker", "truncated")
    async with serving(a=recorded_run(run(*text("half"), truncated))) as server:
        path, body = way.request("replay/a")
        async with http.post(server.root_url + path, json=body) as response:
            told = way.frames(await response.read())
    assert [piece for piece in map(way.piece, told) if piece] == ["half"]
    assert not any(map(way.finish, told))


@IN_EVERY_WAY
async def test_a_refusal_is_repeated_in_every_dialect(
    http: aiohttp.ClientSession, way: Way
) -> None:
    error = ErrorInfo("rate-limit", "HTTP 429", status=429, retry_after=7.0, excerpt="too often")
    refused = recorded_run(run(RunFailed(error, Metrics())))
    async with serving(a=refused) as server:
        path, body = way.request("replay/a")
        async with http.post(server.root_url + path, json=body) as response:
            assert (response.status, response.headers["Retry-After"]) == (429, "7")
            assert way.error(await response.json()) == "too often"


async def test_pauses_are_those_that_were(http: aiohttp.ClientSession) -> None:
    stored = recorded_run(run(*text("a", "b", "c"), COMPLETED, at=(0.2, 0.2, 1.2, 1.4)))
    async with serving(pace=0.5, a=stored) as server:
        clock = asyncio.get_running_loop().time
        began = clock()
        async with post(http, server, "/v1/chat/completions", "x") as response:
            parts = [(clock() - began, part) async for part in response.content.iter_any()]
    come = {letter: next(at for at, part in parts if letter in pieces_of(part)) for letter in "abc"}
    assert come["a"] >= 0.09
    assert come["a"] == come["b"]
    assert come["c"] - come["a"] >= 0.45
    assert parts[-1][0] - come["c"] >= 0.09


async def test_an_official_client_reads_a_stored_run() -> None:
    async with serving(a=said("Hello ", "there")) as server, client(server) as sdk:
        assert await ask_sdk(sdk, "replay/a") == "Hello there"


async def test_our_own_run_of_a_stored_run_is_that_run(doors: EngineThread) -> None:
    thought = Chunk((ReasoningDelta("hm"),))
    call = Chunk((ToolCallDelta(0, '{"a": ', "c1", "f"), ToolCallDelta(0, "1}")))
    done = RunCompleted("tool_calls", Metrics(usage=Usage(3, 5)))
    events = run(thought, *text("Hel", "lo"), call, done)
    async with serving(a=recorded_run(events)) as server:
        endpoint = Endpoint("e", "openai-chat", server.base_url, "replay/a", retries=0)
        again = await asked(doors, endpoint)
    assert {**meant(again), "usage": None} == {
        **meant(events),
        "usage": None,
        "finish": "tool_calls",
    }


@pytest.mark.parametrize(
    ("end", "ending"),
    [
        (COMPLETED, Ending.STOP),
        (RunCompleted("max_tokens", Metrics()), Ending.LENGTH),
        (RunCompleted("tool_use", Metrics()), Ending.TOOL_CALLS),
        (RunCompleted(None, Metrics()), Ending.STOP),
        (cut_off(), Ending.DROP),
        (cut_off("silence", "timeout-idle"), Ending.STALL),
        (cut_off("no end marker", "truncated"), Ending.CUT),
        (cut_off("interrupted: streamtui ended", "interrupted"), Ending.CUT),
        (cancelled(), Ending.CUT),
        (failed("overloaded", "overloaded", None), Ending.ERROR),
    ],
)
def test_a_run_ends_as_it_did(end: Body, ending: Ending) -> None:
    script = recorded_run(run(*text("a"), end)).script(QUESTION)
    assert (script.ending, list(script.steps())) == (ending, [Said("a")])


@pytest.mark.parametrize(
    ("kind", "ending"), [("empty-body", Ending.CUT), ("timeout-first-token", Ending.STALL)]
)
def test_a_run_without_an_answer_has_none(kind: Any, ending: Ending) -> None:
    script = recorded_run(run(failed("nothing", kind, None))).script(QUESTION)
    assert (script.ending, list(script.steps())) == (ending, [])


@pytest.mark.parametrize("kind", ["dns", "connect", "tls", "proxy", "no-key"])
def test_a_run_that_reached_nobody_cannot_be_served(kind: Any) -> None:
    with pytest.raises(ValueError, match=r"it got no answer \(nobody there\)"):
        recorded_run(run(failed("nobody there", kind, None)))


def test_a_refusal_is_one_for_every_question() -> None:
    with pytest.raises(Refusal, match="no"):
        recorded_run(run(failed())).script(QUESTION)


def test_times_begin_with_the_last_attempt() -> None:
    attempts: list[Body] = [AttemptStarted(n, 2, "direct") for n in (1, 2)]
    events = run(*attempts, *text("a"), COMPLETED, at=(0.0, 10.0, 10.5, 11.0))
    script = recorded_run(events).script(QUESTION)
    assert script.offsets == pytest.approx((0.5, 1.0))


def test_no_step_comes_before_the_one_before_it() -> None:
    events = run(*text("a", "b"), COMPLETED, at=(2.0, 1.0, 1.5))
    assert [timed.at for timed in recorded_run(events).steps] == pytest.approx([2.0, 2.0])


def test_steps_are_what_was_received() -> None:
    mixed = Chunk((ReasoningDelta("a"), RefusalDelta("b"), ToolCallDelta(0, "{", "c1", "f")))
    more = Chunk((ToolCallDelta(1, "[]", "c2", "g"), ToolCallDelta(0, "}"), ReasoningDelta("")))
    stored = recorded_run(run(mixed, more, COMPLETED))
    steps = [timed.step for timed in stored.steps]
    called = [CallStarted("c1", "f"), CallArguments("{"), CallArguments("}")]
    assert steps == [Thought("a"), Said("b"), *called]
    bare = Question(model="m", turns=(), can_think=False, can_call_tools=False)
    assert list(stored.script(bare).steps()) == [Said("b")]


# --- helpers ---------------------------------------------------------------------------------


def said(*words: str) -> RecordedRun:
    return recorded_run(run(*text(*words), COMPLETED))


def post(
    http: aiohttp.ClientSession, server: ReplayServer, path: str, model: str
) -> "aiohttp.client._RequestContextManager":
    return http.post(server.root_url + path, json=request_body("chat", model))


async def answer(http: aiohttp.ClientSession, server: ReplayServer, model: str) -> str:
    async with post(http, server, "/v1/chat/completions", model) as response:
        *events, done = events_in(await response.read())
    assert done == "[DONE]"
    return "".join(pieces(events))


def pieces_of(part: bytes) -> str:
    """The text in the whole events of a part."""
    return "".join(pieces([event for event in events_in(part) if event != "[DONE]"]))


def client(server: ReplayServer) -> AsyncOpenAI:
    return AsyncOpenAI(api_key="none", base_url=server.base_url, max_retries=0)


async def ask_sdk(sdk: AsyncOpenAI, model: str) -> str:
    stream = await sdk.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "hi"}], stream=True
    )
    chunks = [chunk async for chunk in stream]
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
