"""Where LangGraph's API is asked: runs with and without a thread, those to come back to, threads.

Unlike the other dialects it has a memory, so its answers take a way of their own.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, Literal

from aiohttp import web
from aiohttp.typedefs import Handler
from msgspec import Struct, json

from streamtui.demo.admission import json_response
from streamtui.demo.dialect import EVENT_STREAM, Refusal, checked
from streamtui.demo.exchange import RECORD, drop, request_fields
from streamtui.demo.langgraph import ASSISTANTS, LangGraph, assistant_id, name_of_assistant
from streamtui.demo.langgraph_runs import Run, Thread, Threads
from streamtui.demo.model_lists import NO_DATE
from streamtui.demo.question import Question
from streamtui.demo.scripts import Script
from streamtui.ids import new_id

_HEARTBEAT = b": heartbeat\r\n\r\n"
_HEARTBEAT_SECONDS = 5.0
_LONGEST_NAP = 1.0
_LAST_SEEN = "Last-Event-ID"

Route = tuple[str, str, Handler]
"""Method, path and who answers."""
Compose = Callable[[web.Request, Question], Script]
"""What is answered to a question; raises `Refusal`."""


class _NewThread(Struct):
    thread_id: str | None = None
    metadata: dict[str, Any] | None = None
    if_exists: Literal["raise", "do_nothing"] | None = None


class _Search(Struct):
    limit: int = 10
    offset: int = 0
    graph_id: str | None = None


class GraphRoutes:
    """The API of one server. A `pace` of 0 is one for models; hearts beat as always."""

    def __init__(self, dialect: LangGraph, compose: Compose, pace: float) -> None:
        self._dialect = dialect
        self._compose = compose
        self._pace = pace
        self._heartbeat = _HEARTBEAT_SECONDS * (pace or 1)
        self._threads = Threads()

    def routes(self) -> Iterator[Route]:
        """All that the API answers."""
        yield "GET", "/ok", _ok
        yield "GET", "/info", _info
        yield "POST", "/assistants/search", _search_assistants
        yield "GET", "/assistants/{assistant_id:.+}", _get_assistant
        yield "POST", "/threads", self._create_thread
        for runs in ("/runs", "/threads/{thread_id}/runs"):
            yield "POST", f"{runs}/stream", self._stream
            yield "POST", f"{runs}/wait", self._wait
        yield "POST", "/threads/{thread_id}/runs", self._start
        yield "POST", "/threads/{thread_id}/runs/{run_id}/cancel", self._cancel
        for path, handler in self._views():
            yield "GET", f"/threads/{{thread_id}}{path}", handler

    def _views(self) -> Iterator[tuple[str, Handler]]:
        yield "", self._get_thread
        yield "/state", self._get_state
        yield "/runs", self._list_runs
        yield "/runs/{run_id}", self._get_run
        yield "/runs/{run_id}/stream", self._join_stream
        yield "/runs/{run_id}/join", self._join

    # Runs

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        run = await self._new_run(request)
        try:
            return await self._follow(request, run, 0)
        except asyncio.CancelledError:
            if run.ends_with_client:
                run.cancel()
            raise

    async def _join_stream(self, request: web.Request) -> web.StreamResponse:
        run = await self._known_run(request)
        return await self._follow(request, run, run.place_after(request.headers.get(_LAST_SEEN)))

    async def _wait(self, request: web.Request) -> web.StreamResponse:
        return await _outcome(request, await self._new_run(request))

    async def _join(self, request: web.Request) -> web.StreamResponse:
        return await _outcome(request, await self._known_run(request))

    async def _start(self, request: web.Request) -> web.StreamResponse:
        return _json((await self._new_run(request)).as_object())

    async def _cancel(self, request: web.Request) -> web.StreamResponse:
        (await self._known_run(request)).cancel()
        return web.Response(status=202)

    async def _get_run(self, request: web.Request) -> web.StreamResponse:
        return _json((await self._known_run(request)).as_object())

    async def _list_runs(self, request: web.Request) -> web.StreamResponse:
        runs = (await self._known_thread(request)).runs.values()
        return _json([run.as_object() for run in reversed(runs)])

    async def _new_run(self, request: web.Request) -> Run:
        """In the thread that is named, or in one that nobody else knows."""
        thread_id = request.match_info.get("thread_id")
        fields = await request_fields(request) | {"thread_id": thread_id}
        if thread_id and fields.get("if_not_exists") == "create":
            self._threads.create(thread_id, None)
        thread = await self._known_thread(request) if thread_id else Thread(new_id())
        question = self._dialect.read(fields | {"remembered": thread.messages})
        script = self._compose(request, question)
        run = Run(request[RECORD].request_id, thread, question, script, _clock(), self._pace)
        thread.add(question.form.messages[len(thread.messages) :])
        thread.add_run(run)
        return run

    async def _known_run(self, request: web.Request) -> Run:
        return (await self._known_thread(request)).run(request.match_info["run_id"])

    async def _follow(self, request: web.Request, run: Run, position: int) -> web.StreamResponse:
        """The frames of a run from a place on, those that are still to come included."""
        headers = {"Content-Type": EVENT_STREAM, "Cache-Control": "no-store"}
        response = web.StreamResponse(headers=headers | _places(request, run, "stream"))
        await response.prepare(request)
        beat_at = _clock() + self._heartbeat
        while True:
            run.advance(_clock())
            position = await _send(request, response, run, position)
            if run.is_over:
                break
            if _clock() >= beat_at:
                await response.write(_HEARTBEAT)
                beat_at = _clock() + self._heartbeat
            await asyncio.sleep(min(run.due_at, beat_at) - _clock())
        if run.is_lost:
            await drop(request)
        return response

    # Threads

    async def _create_thread(self, request: web.Request) -> web.StreamResponse:
        asked = checked(await request_fields(request), _NewThread)
        if asked.thread_id in self._threads and asked.if_exists != "do_nothing":
            raise Refusal(409, f"Thread with ID {asked.thread_id} already exists")
        return _json(self._threads.create(asked.thread_id, asked.metadata).as_object())

    async def _get_thread(self, request: web.Request) -> web.StreamResponse:
        return _json((await self._known_thread(request)).as_object())

    async def _get_state(self, request: web.Request) -> web.StreamResponse:
        return _json((await self._known_thread(request)).state())

    async def _known_thread(self, request: web.Request) -> Thread:
        """With all that its runs have said by now, even if nobody watched."""
        thread = self._threads.get(request.match_info["thread_id"])
        for run in list(thread.runs.values()):
            await _catch_up(run)
        return thread


async def _send(request: web.Request, response: web.StreamResponse, run: Run, position: int) -> int:
    """The frames from a place on; the place after them. Cuts the connection where that is due."""
    cut_at = run.cut_at
    if cut_at is None or position > cut_at:
        cut_at = None
    end = run.log.end if cut_at is None else min(cut_at, run.log.end)
    if end > position:
        await response.write(run.log.between(position, end))
    if end == cut_at:
        run.cut_at = None
        await drop(request)
    return end


async def _catch_up(run: Run) -> None:
    """Plays all that is due, batch by batch: others have a turn in between."""
    is_behind = run.advance(_clock())
    while is_behind:
        await asyncio.sleep(0)
        is_behind = run.advance(_clock())


async def _outcome(request: web.Request, run: Run) -> web.StreamResponse:
    """What comes of a run, once it is over."""
    while not run.is_over:
        if not run.advance(_clock()):
            await asyncio.sleep(min(run.due_at - _clock(), _LONGEST_NAP))
    if run.is_lost:
        await drop(request)
    return json_response(json.encode(run.outcome()), headers=_places(request, run, "join"))


def _places(request: web.Request, run: Run, way: str) -> dict[str, str]:
    """Where to come back to; nobody is there for a run without a thread."""
    thread_id = request.match_info.get("thread_id")
    place = f"/threads/{thread_id}/runs/{run.run_id}" if thread_id else f"/runs/{run.run_id}"
    return {"Location": f"{place}/{way}", "Content-Location": place}


async def _ok(_request: web.Request) -> web.StreamResponse:
    return _json({"ok": True})


async def _info(_request: web.Request) -> web.StreamResponse:
    return _json({"version": "streamtui-demo", "flags": {"assistants": True, "crons": False}})


async def _search_assistants(request: web.Request) -> web.StreamResponse:
    asked = checked(await request_fields(request), _Search)
    found = [name for name in ASSISTANTS if asked.graph_id in {None, name}]
    page = found[asked.offset : asked.offset + asked.limit]
    headers = {"x-pagination-total": str(len(found))}
    return json_response(json.encode([_assistant(name) for name in page]), headers=headers)


async def _get_assistant(request: web.Request) -> web.StreamResponse:
    name = name_of_assistant(request.match_info["assistant_id"])
    if name not in ASSISTANTS:
        raise Refusal(404, f"Assistant with ID {name} not found")
    return _json(_assistant(name))


def _assistant(name: str) -> dict[str, Any]:
    return {
        "assistant_id": assistant_id(name),
        "graph_id": name,
        "name": name,
        "description": f"One node, which is {ASSISTANTS[name]}.",
        "config": {},
        "context": {},
        "metadata": {"created_by": "system"},
        "created_at": NO_DATE,
        "updated_at": NO_DATE,
        "version": 1,
    }


def _json(value: Any) -> web.Response:
    return json_response(json.encode(value))


def _clock() -> float:
    return asyncio.get_running_loop().time()
