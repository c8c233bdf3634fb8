"""The demo server: HTTP on loopback, one handler for all dialects, a record of what was asked.

Never listens beyond loopback, never answers another Host, never opens a file.
"""

import asyncio
import logging
import math
import re
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal

from aiohttp import web
from aiohttp.typedefs import Handler
from msgspec import DecodeError, json

from streamtui.demo.dialect import Dialect, Refusal, Writer
from streamtui.demo.openai_chat import OpenAIChat
from streamtui.demo.openai_common import error_body
from streamtui.demo.openai_completions import OpenAICompletions
from streamtui.demo.pacing import paced
from streamtui.demo.question import Question
from streamtui.demo.scripts import MODELS, Ending, Script, Step, write_script
from streamtui.ids import new_id

DIALECTS: tuple[Dialect, ...] = (OpenAIChat(), OpenAICompletions())

GREETING = "streamtui demo server: scripted answers over real HTTP, under /v1.\n"

Outcome = Literal["open", "complete", "refused", "dropped", "disconnected", "stopped", "crashed"]
"""How a request ended. `dropped`: we cut the connection because the script says so;
`disconnected`: the client left first; `stopped`: the server was closed; `crashed`: our bug."""

_LOOPBACK = {"localhost": "127.0.0.1", "127.0.0.1": "127.0.0.1", "::1": "::1", "[::1]": "::1"}
_OWN_HOST = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?", re.IGNORECASE | re.ASCII)
_KEPT_RECORDS = 1_000
_KEPT_REFUSALS = 10_000
_LARGEST_BODY = 32 * 1024**2  # conversations with demo/long grow by 400 KB a turn
_AT_ONCE = 0.01  # seconds; aiohttp takes 0 for "wait for ever"
_FAILURE = "The demo model failed on purpose; what it said before that is real."

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())  # Python's last resort would write across the console


@dataclass(eq=False)
class RequestRecord:
    """One request as the server saw it; tests watch clients from here."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    """Names in any case."""
    request_id: str
    body: dict[str, Any] = field(default_factory=dict, repr=False)
    """The JSON object that was sent; empty when there was none."""
    outcome: Outcome = "open"
    closed: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    """Set when nothing more will be sent."""
    disconnected_at: float | None = None
    """When the client was seen to have left (`time.monotonic`)."""

    def end(self, outcome: Outcome) -> None:
        """The first outcome stays."""
        if self.outcome == "open":
            self.outcome = outcome
            self.disconnected_at = time.monotonic() if outcome == "disconnected" else None
        self.closed.set()


_RECORD = web.RequestKey("record", RequestRecord)


class DemoServer:
    """Answers `/v1` on loopback with scripts; `start`, then `aclose` on the same loop.

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
        self._already_refused: dict[str, None] = {}
        self.requests: list[RequestRecord] = []
        """The last thousand, oldest first."""

    @property
    def base_url(self) -> str:
        """What a client of an OpenAI dialect is given; raises RuntimeError before `start`."""
        if self._address is None:
            raise RuntimeError("The demo server has no address before it is started.")
        host, port = self._address
        return f"http://[{host}]:{port}/v1" if ":" in host else f"http://{host}:{port}/v1"

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
            _abort(request)
        await runner.cleanup()

    def _application(self) -> web.Application:
        app = web.Application(middlewares=[self._watch], client_max_size=_LARGEST_BODY)
        app.on_response_prepare.append(_add_request_id)
        app.router.add_get("/", _greet)
        app.router.add_get("/v1/models", _list_models)
        for dialect in DIALECTS:
            app.router.add_post(dialect.path, self._handler(dialect))
        return app

    @web.middleware
    async def _watch(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Keeps the record of a request, from its first byte to the last one of the answer."""
        record = RequestRecord(request.method, request.path, request.headers, new_id())
        request[_RECORD] = record
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
        """The handler's answer, or a refusal in OpenAI's shape where no dialect is known yet."""
        try:
            try:
                _check_host(request)
                await _read_body(request)
            finally:
                self._remember(request[_RECORD])  # refused ones too; not before the body is known
            return await handler(request)
        except Refusal as refusal:
            return _refused(refusal, error_body(refusal))
        except web.HTTPException as error:
            return _refused_by_router(request, error)

    def _remember(self, record: RequestRecord) -> None:
        self.requests.append(record)
        del self.requests[:-_KEPT_RECORDS]

    def _handler(self, dialect: Dialect) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                question = dialect.read(await _fields(request))
                self._check_model(question, request)
                return await self._answer(request, dialect, question)
            except Refusal as refusal:
                return _refused(refusal, dialect.error_body(refusal))

        return answer

    def _check_model(self, question: Question, request: web.Request) -> None:
        """Raises `Refusal` for a model that does not exist, or that is busy on purpose."""
        model = MODELS.get(question.model)
        if model is None:
            raise Refusal(
                404,
                f"The model {question.model!r} does not exist. The demo has: {', '.join(MODELS)}.",
                param="model",
                code="model_not_found",
            )
        if model.refuses_first and not self._was_refused(_question_key(question, request)):
            raise Refusal(
                429,
                f"{question.model} turns every question away once. Please try again in 3 s.",
                code="rate_limit_exceeded",
                headers={"Retry-After": "3"},
            )

    def _was_refused(self, key: str) -> bool:
        """Whether this question was turned away before; from now on it counts as such."""
        if key in self._already_refused:
            return True
        self._already_refused[key] = None
        if len(self._already_refused) > _KEPT_REFUSALS:
            del self._already_refused[next(iter(self._already_refused))]
        return False

    async def _answer(
        self, request: web.Request, dialect: Dialect, question: Question
    ) -> web.StreamResponse:
        script = write_script(question)
        writer = dialect.writer(question, request[_RECORD].request_id)
        if not question.stream:
            return await self._whole(request, script, writer)
        headers = {"Content-Type": dialect.stream_type, "Cache-Control": "no-cache"}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        await self._stream(request, response, script, writer)
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
            await response.write(unsent + writer.failure(_FAILURE))
        else:
            await response.write(unsent + writer.closing(script.ending, script.usage))

    async def _whole(self, request: web.Request, script: Script, writer: Writer) -> web.Response:
        async with aclosing(self._play(script)) as batches:
            steps = [step async for batch in batches for step in batch]
        await _break_off(request, script.ending)
        if script.ending is Ending.ERROR:
            raise Refusal(500, _FAILURE)
        return _json_response(writer.whole(steps, script.ending, script.usage))

    def _play(self, script: Script) -> AsyncGenerator[list[Step]]:
        return paced(script, self._pace)


async def _greet(_request: web.Request) -> web.Response:
    return web.Response(text=GREETING)


async def _list_models(_request: web.Request) -> web.Response:
    models = [
        {"id": name, "object": "model", "created": 0, "owned_by": "streamtui-demo"}
        for name in MODELS
    ]
    return _json_response(json.encode({"object": "list", "data": models}))


async def _add_request_id(request: web.Request, response: web.StreamResponse) -> None:
    # aiohttp answers a strange Expect header before anything of ours has seen the request.
    if (record := request.get(_RECORD)) is not None:
        response.headers["x-request-id"] = record.request_id


def _check_host(request: web.Request) -> None:
    """A page whose name was rebound to 127.0.0.1 still sends its own name as Host."""
    hosts = request.headers.getall("Host", [])
    if len(hosts) != 1 or not _OWN_HOST.fullmatch(hosts[0]):
        raise Refusal(
            403,
            "This server answers to the hosts localhost, 127.0.0.1 and [::1] only.",
            code="host_not_allowed",
        )


async def _read_body(request: web.Request) -> None:
    """Raises `Refusal` (400) for a body that does not arrive whole; its content comes later."""
    try:
        raw = await request.read()
    except web.RequestPayloadError as error:
        raise Refusal(400, "The request body could not be unpacked.") from error
    with suppress(Refusal):
        request[_RECORD].body = _json_object(raw)


async def _fields(request: web.Request) -> dict[str, Any]:
    """What was asked: the body, and what stands in the path; raises `Refusal` (400)."""
    body = request[_RECORD].body or _json_object(await request.read())
    return body | request.match_info


def _json_object(raw: bytes) -> dict[str, Any]:
    try:
        body = json.decode(raw)
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(400, f"The request body is not JSON: {error}.") from error
    if not isinstance(body, dict):
        raise Refusal(400, "The request body is not a JSON object.")
    return body


def _question_key(question: Question, request: web.Request) -> str:
    """Panes with the same question are told apart by the key that each repeats on its retries."""
    key = request.headers.get("Idempotency-Key")
    parts = [question.model, "key", key] if key else ["", *question.identity()]
    # aiohttp keeps bytes of a header that are not UTF-8 as surrogates.
    return sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


async def _break_off(request: web.Request, ending: Ending) -> None:
    """For the two endings that are none; returns at once for all others."""
    if ending is Ending.DROP:
        request[_RECORD].end("dropped")
        _abort(request)
    if ending in {Ending.DROP, Ending.STALL}:
        await asyncio.Event().wait()  # until aiohttp cancels us, because the client is gone


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _refused(refusal: Refusal, body: bytes) -> web.Response:
    return _json_response(body, refusal.status, refusal.headers)


def _refused_by_router(request: web.Request, error: web.HTTPException) -> web.Response:
    """Unknown paths, wrong methods and oversized bodies, which aiohttp answers in plain text."""
    kept = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
    message = f"{error.reason}: {request.method} {request.path}"
    refusal = Refusal(error.status, message, headers=kept)
    return _refused(refusal, error_body(refusal))


def _json_response(
    body: bytes, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")
