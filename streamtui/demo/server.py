"""The demo server: HTTP on loopback, one handler for all dialects, a record of what was asked.

Never listens beyond loopback, never answers another Host, never opens a file.
"""

import asyncio
import logging
import math
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing, suppress
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler
from msgspec import json

from streamtui.demo.admission import (
    check_host,
    json_object,
    json_response,
    read_body,
    refusal_of_router,
)
from streamtui.demo.anthropic import Anthropic
from streamtui.demo.azure import AzureOpenAI
from streamtui.demo.dialect import Dialect, Refusal, Writer
from streamtui.demo.exchange import RECORD, abort, drop, hang_up, request_fields, stall
from streamtui.demo.gemini import Gemini
from streamtui.demo.langgraph import LangGraph
from streamtui.demo.langgraph_routes import GraphRoutes
from streamtui.demo.langserve import (
    SCHEMAS,
    LangServe,
    LangServeChat,
    LangServeText,
    batch_document,
)
from streamtui.demo.model_lists import MODEL_LISTS, ModelList
from streamtui.demo.ollama import OllamaChat, OllamaGenerate
from streamtui.demo.openai_chat import OpenAIChat
from streamtui.demo.openai_common import error_body
from streamtui.demo.openai_completions import OpenAICompletions
from streamtui.demo.openai_responses import OpenAIResponses
from streamtui.demo.pacing import paced
from streamtui.demo.question import Question
from streamtui.demo.records import RequestRecord
from streamtui.demo.scripts import MODELS, Ending, Script, Step, write_script
from streamtui.demo.turnstile import Turnstile
from streamtui.ids import new_id

# The first that fits a path answers: Azure's chat also ends with the path of its completions.
DIALECTS: tuple[Dialect, ...] = (
    OpenAIChat(),
    OpenAICompletions(),
    OpenAIResponses(),
    AzureOpenAI(OpenAIChat(), "chat/completions"),
    AzureOpenAI(OpenAICompletions(), "completions"),
    Anthropic(),
    Gemini(),
    OllamaChat(),
    OllamaGenerate(),
    LangServeText(),
    LangServeChat(),
)
GRAPH = LangGraph()
"""The one dialect with a memory, and ways of its own."""

GREETING = f"""\
streamtui demo server: scripted answers over real HTTP, to any key.

OpenAI     POST /v1/chat/completions, /v1/completions, /v1/responses; GET /v1/models
Azure      POST /openai/deployments/MODEL/chat/completions, …/completions, /openai/responses;
           GET /openai/models
Anthropic  POST /v1/messages; GET /v1/models with the header anthropic-version
Gemini     POST /v1beta/models/MODEL:streamGenerateContent, :generateContent; GET /v1beta/models
Ollama     POST /api/chat, /api/generate; GET /api/tags
LangServe  POST /langserve/MODEL/stream, …/stream_events, …/stream_log, …/invoke; messages
           /langserve/text/MODEL/stream, …; bare texts
LangGraph  POST /runs/stream, /runs/wait, /threads, /threads/THREAD/runs/stream, …/wait;
           GET /threads/THREAD/runs/RUN/stream; assistants have the names of models

Models: {", ".join(MODELS)}
"""

_LOOPBACK = {"localhost": "127.0.0.1", "127.0.0.1": "127.0.0.1", "::1": "::1", "[::1]": "::1"}
_KEPT_RECORDS = 1_000
_LARGEST_BODY = 32 * 1024**2  # conversations with demo/long grow by 400 KB a turn
_AT_ONCE = 0.01  # seconds; aiohttp takes 0 for "wait for ever"

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())  # Python's last resort would write across the console


class DemoServer:
    """Answers on loopback with scripts, in all dialects; `start`, then `aclose` on the same loop.

    `port` 0 takes a free one. `pace` multiplies all delays. Raises ValueError for a host
    that is not loopback.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0, *, pace: float = 1.0) -> None:
        if host not in _LOOPBACK:
            choices = "127.0.0.1, ::1 or localhost"
            raise ValueError(f"The demo server listens on loopback only: {choices}, not {host!r}.")
        if not (math.isfinite(pace) and pace >= 0):
            raise ValueError(f"The pace is a finite number, 0 or more, not {pace!r}.")
        self._host = _LOOPBACK[host]
        self._port = port
        self._pace = pace
        self._runner: web.AppRunner | None = None
        self._address: tuple[str, int] | None = None
        self._closing = False
        self._open: dict[RequestRecord, web.Request] = {}
        self._turnstile = Turnstile()
        self._dialects: dict[Handler, Dialect] = {}
        self.requests: list[RequestRecord] = []
        """The last thousand, oldest first."""

    @property
    def base_url(self) -> str:
        """What a client of an OpenAI dialect is given; raises RuntimeError before `start`."""
        return f"{self.root_url}/v1"

    @property
    def root_url(self) -> str:
        """What clients of the other dialects are given; raises RuntimeError before `start`."""
        if self._address is None:
            raise RuntimeError("The demo server has no address before it is started.")
        host, port = self._address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def models(self) -> Collection[str]:
        """Those that it lists."""
        return MODELS

    @property
    def greeting(self) -> str:
        """What somebody reads who looks at it with a browser."""
        return GREETING

    async def start(self) -> None:
        """Binds and listens; raises OSError, such as for a port that is taken."""
        if self._runner is not None:
            raise RuntimeError("The demo server is running already.")
        runner = web.AppRunner(
            self._application(),
            access_log=None,
            logger=_log,
            handler_cancellation=True,
            shutdown_timeout=_AT_ONCE,
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except BaseException:
            await runner.cleanup()
            raise
        host, port, *_ = runner.addresses[0]  # IPv6 has two more
        self._address = (host, port)
        self._runner = runner
        self._closing = False

    async def aclose(self) -> None:
        """Cuts what is still open and frees the port; closing twice is harmless."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        self._closing = True
        for request in self._open.values():
            abort(request)
        await runner.cleanup()

    def _application(self) -> web.Application:
        app = web.Application(middlewares=[self._watch], client_max_size=_LARGEST_BODY)
        app.on_response_prepare.append(_add_request_id)
        app.router.add_get("/", self._greet)
        for path, document in MODEL_LISTS.items():
            app.router.add_get(path, self._lister(document))
        for dialect in DIALECTS:
            handler = self._handler(dialect)
            self._dialects[handler] = dialect
            app.router.add_post(dialect.path, handler)
            if isinstance(dialect, LangServe):
                self._add_runnable(app, dialect)
        for method, path, handler in GraphRoutes(GRAPH, self._compose, self._pace).routes():
            app.router.add_route(method, path, handler)
            self._dialects[handler] = GRAPH
        return app

    def _add_runnable(self, app: web.Application, dialect: LangServe) -> None:
        """What is asked of a runnable besides its answer to one input."""
        batch = self._batcher(dialect)
        self._dialects[batch] = dialect
        app.router.add_post(f"{dialect.root}/batch", batch)
        for name, document in SCHEMAS.items():
            app.router.add_get(f"{dialect.root}/{name}", _teller(document))

    @web.middleware
    async def _watch(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Keeps the record of a request, from its first byte to the last one of the answer."""
        record = RequestRecord(request.method, request.path, request.headers, new_id())
        request[RECORD] = record
        self._open[record] = request
        try:
            response = await self._admit(request, handler)
            await response.prepare(request)
            await response.write_eof()
            record.end("refused" if response.status >= 400 else "complete")
        except asyncio.CancelledError:
            record.end("stopped" if self._closing else "disconnected")
            raise
        except ConnectionError:
            # Told by a write, a moment before aiohttp cancels us; it copes with any response.
            record.end("stopped" if self._closing else "disconnected")
            return web.Response()
        else:
            return response
        finally:
            record.end("crashed")
            del self._open[record]

    async def _admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The handler's answer, or a refusal in the shape of the dialect that was spoken."""
        try:
            try:
                check_host(request)
                raw = await read_body(request)
                with suppress(Refusal):  # which it is once it turns out to be needed
                    request[RECORD].body = json_object(raw)
            finally:
                self._remember(request[RECORD])  # refused ones too; not before the body is known
            return await self._respond(request, handler)
        except Refusal as refusal:
            return self._refused(request, refusal)
        except web.HTTPException as error:
            return self._refused(request, refusal_of_router(request, error))

    async def _respond(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The answer to a request that was read, and that is remembered."""
        return await handler(request)

    def _compose(self, request: web.Request, question: Question) -> Script:
        """What is answered to a question; raises `Refusal`."""
        self._turnstile.check(question, request.headers.get("Idempotency-Key"))
        return write_script(question)

    async def _greet(self, _request: web.Request) -> web.Response:
        return web.Response(text=self.greeting)

    def _lister(self, document: ModelList) -> Handler:
        async def answer(request: web.Request) -> web.Response:
            return json_response(document(request.headers, self.models))

        return answer

    def _refused(self, request: web.Request, refusal: Refusal) -> web.Response:
        """In OpenAI's shape where no dialect is known."""
        dialect = self._dialects.get(request.match_info.handler)
        shape = dialect.error_body if dialect else error_body
        body = shape(refusal, request[RECORD].request_id)
        return json_response(body, refusal.status, refusal.headers)

    def _remember(self, record: RequestRecord) -> None:
        self.requests.append(record)
        del self.requests[:-_KEPT_RECORDS]

    def _handler(self, dialect: Dialect) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            question = dialect.read(await request_fields(request))
            script = self._compose(request, question)
            return await self._answer(request, dialect, question, script)

        return answer

    def _batcher(self, dialect: LangServe) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            questions = dialect.read_batch(await request_fields(request))
            scripts = [self._compose(request, question) for question in questions]
            writers = [dialect.writer(question, new_id()) for question in questions]
            answers = [
                await self._whole(request, script, writer)
                for script, writer in zip(scripts, writers, strict=True)
            ]
            return json_response(batch_document(answers))

        return answer

    async def _answer(
        self, request: web.Request, dialect: Dialect, question: Question, script: Script
    ) -> web.StreamResponse:
        writer = dialect.writer(question, request[RECORD].request_id)
        if not question.stream:
            return json_response(await self._whole(request, script, writer))
        headers = {"Content-Type": writer.stream_type, "Cache-Control": "no-cache"}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        await self._stream(request, response, script, writer)
        if question.hangs_up and script.ending is Ending.ERROR:
            await hang_up(request)
        return response

    async def _stream(
        self, request: web.Request, response: web.StreamResponse, script: Script, writer: Writer
    ) -> None:
        unsent = writer.opening()
        async with aclosing(self._play(script)) as batches:
            async for steps in batches:
                await response.write(unsent + b"".join(map(writer.frame, steps)))
                unsent = b""
        await _break_off(request, script.ending)
        if script.ending is Ending.ERROR:
            await response.write(unsent + writer.failure(script.failure))
        elif script.ending is Ending.CUT:
            await response.write(unsent)
        else:
            await response.write(unsent + writer.closing(script.ending, script.usage))

    async def _whole(self, request: web.Request, script: Script, writer: Writer) -> bytes:
        async with aclosing(self._play(script)) as batches:
            steps = [step async for batch in batches for step in batch]
        # One document that ends too early is a connection that was cut.
        await _break_off(request, Ending.DROP if script.ending is Ending.CUT else script.ending)
        if script.ending is Ending.ERROR:
            raise Refusal(500, script.failure)
        return writer.whole(steps, script.ending, script.usage)

    def _play(self, script: Script) -> AsyncGenerator[list[Step]]:
        return paced(script, self._pace)


def _teller(document: dict[str, Any]) -> Handler:
    async def answer(_request: web.Request) -> web.Response:
        return json_response(json.encode(document))

    return answer


async def _add_request_id(request: web.Request, response: web.StreamResponse) -> None:
    # aiohttp answers a strange Expect header before anything of ours has seen the request.
    if (record := request.get(RECORD)) is not None:
        # A recording has ids of its own.
        response.headers.setdefault("x-request-id", record.request_id)
        response.headers.setdefault("request-id", record.request_id)  # where Anthropic's looks


async def _break_off(request: web.Request, ending: Ending) -> None:
    """For the two endings that are none; returns at once for all others."""
    if ending is Ending.DROP:
        await drop(request)
    if ending is Ending.STALL:
        await stall()
