"""One try of a run on the wire: sends the request, reads the answer, tells what happens.

Never decides whether to try again, nor whether to go on with what broke off.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import aclosing, suppress
from typing import Any

import msgspec

from streamtui.config import Endpoint
from streamtui.engine.confidential import Confidential
from streamtui.engine.dialects.base import Dialect, Request
from streamtui.engine.framing import Position
from streamtui.engine.reader import AnswerReader, Read
from streamtui.engine.routes import buffering_proxy
from streamtui.engine.run import Run
from streamtui.engine.status import (
    is_event_stream,
    kept_headers,
    no_event_stream,
    request_id,
    status_error,
)
from streamtui.engine.traffic import Traffic
from streamtui.engine.transport import Response, Transport
from streamtui.engine.watchdog import Watch
from streamtui.errors import EXCERPT_CHARS, RunError, StatusError
from streamtui.events import (
    Body,
    KeepAliveReceived,
    RequestSent,
    ResponseStarted,
    StreamStalled,
)

KEEP_ALIVE_EVENT_SECONDS = 1.0
"""Keep-alives are told at most this often; some servers send hundreds a second."""

_NO_CONTENT = 204
"""With it a server asks those who listen not to come back."""

logger = logging.getLogger(__name__)


class Tools(msgspec.Struct, frozen=True):
    """What runs need of the engine around them."""

    transport: Transport
    publish: Callable[[str, str, Body], object]
    """session id, run id, fact."""
    spawn: Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]]
    """A task of the engine, with a name."""
    make_safe: Callable[[], Awaitable[None]]
    """Returns once everything published before is on disk, or cannot be kept there."""
    locate: Callable[[Endpoint], Awaitable[Endpoint]]
    """The endpoint with a base URL that can be reached."""
    wall_clock: Callable[[], float]
    mono_clock: Callable[[], float]
    rng: Callable[[], float]
    traffic: Traffic


class Attempt:
    """One exchange, or several that go on with one stream; then it is concluded.

    `publish` takes the facts of this run.
    """

    def __init__(
        self,
        run: Run,
        endpoint: Endpoint,
        dialect: Dialect,
        tools: Tools,
        publish: Callable[[Body], None],
        confidential: Confidential,
    ) -> None:
        self._run = run
        self._endpoint = endpoint
        self._dialect = dialect
        self._tools = tools
        self._publish = publish
        self._confidential = confidential
        self._response: Response | None = None
        self._reader = AnswerReader(dialect)
        self._keep_alive_told = float("-inf")
        self._began = asyncio.get_running_loop().time()
        self.received = 0
        """Bytes of all bodies so far."""
        self.headers: Mapping[str, str] | None = None
        """Those of the stream that the last exchange got; None when it got none."""

    @property
    def complete(self) -> bool:
        """A mark of success was seen: nothing can make the answer a failure any more."""
        return self._reader.complete

    @property
    def frames(self) -> int:
        """How many came so far."""
        return self._reader.frames

    @property
    def position(self) -> Position:
        """Where the stream would go on."""
        return self._reader.position

    @property
    def time_left(self) -> float:
        """Seconds that it may take in all, from now on."""
        total = self._endpoint.timeouts.total
        spent = asyncio.get_running_loop().time() - self._began
        return math.inf if total is None else max(0.0, total - spent)

    async def exchange(self, request: Request) -> None:
        """Send, and read until the body has ended; raises RunError when it does not end well.

        Whatever becomes of it, the attempt has then to go on or to be concluded.
        """
        self.headers = None
        watch = Watch(
            self._endpoint.timeouts,
            on_stall=self._tell_stall,
            is_lost=lambda: self._response is not None and self._response.is_lost(),
            patient=request.subscribes,
            since=self._began,
            through=buffering_proxy(self._endpoint),
        )
        async with watch:
            await self._send(request, watch)

    def go_on(self) -> None:
        """Expect the rest of the stream from the next exchange."""
        self._reader.go_on()

    def conclude(self, error: RunError | None) -> None:
        """Take in what waited for more bytes, and return if the answer is whole.

        `error` is what the last exchange raised, if it did. Raises it, or the error that the end of
        the body turns out to be; neither once the end marker has come.
        """
        if error is not None:
            self.salvage()
        else:
            error = self._read_the_end()
        if error is not None and not self.complete:
            raise error
        if error is not None:
            logger.debug("after a complete answer: %s", error.kind)

    def _read_the_end(self) -> RunError | None:
        try:
            self._take(self._reader.close())
        except RunError as error:
            return error
        return self._reader.verdict()

    def salvage(self) -> None:
        """Take in what waited for more bytes; it cannot explain the end any better."""
        with suppress(RunError):
            self._take(self._reader.close())

    async def _send(self, request: Request, watch: Watch) -> None:
        sending = self._tools.transport.open(self._endpoint, request, self._tell_sent)
        try:
            async with sending as response:
                with self._tools.traffic.streaming():
                    await self._receive(request, response, watch)
        finally:
            # It knows us too: neither would go before somebody looks for such pairs.
            self._response = None

    async def _receive(self, request: Request, response: Response, watch: Watch) -> None:
        self._response = response
        watch.saw_bytes()
        self._tell_response(response)
        if response.status >= 300:
            now = self._tools.wall_clock()
            sent = len(request.body)
            raise await refusal_in(response, self._dialect, self._endpoint, now, sent)
        if request.subscribes and response.status == _NO_CONTENT:
            self._reader.finish()
            return
        status, headers = response.status, response.headers
        if request.method == "GET" and not is_event_stream(status, headers):
            said = self._dialect.read_error(await response.read_error_body()).message
            raise no_event_stream(status, headers, said[:EXCERPT_CHARS])
        self.headers = response.headers
        await self._read(response, watch)

    async def _read(self, response: Response, watch: Watch) -> None:
        async with aclosing(response.chunks()) as chunks:
            async for data in chunks:
                watch.saw_bytes()
                if self._take(self._reader.feed(data)):
                    watch.saw_model()
                self._count(data)
                if self._reader.complete:
                    watch.wind_down()
                if self._reader.ended:
                    await response.drain()
                    break

    def _count(self, data: bytes) -> None:
        """An answer without an end fills any memory."""
        self.received += len(data)
        limit = self._endpoint.max_response_bytes
        if self.received > limit:
            raise RunError(
                f"stopped at the limit of {limit:,} bytes",
                kind="stopped-by-limit",
                hint="Raise max_response_bytes",
            )

    def _take(self, read: Iterator[Read]) -> bool:
        """Tell what came; whether a user sees anything of it."""
        seen = False
        for body in map(self._confidential.conceal, read):
            if isinstance(body, KeepAliveReceived):
                self._tell_keep_alive(body)
                continue
            seen |= self._run.take(body, self._tools.mono_clock())
            self._publish(body)
        return seen

    def _tell_sent(self) -> None:
        self._publish(RequestSent())

    def _tell_response(self, response: Response) -> None:
        headers = response.headers
        head = ResponseStarted(response.status, request_id(headers), kept_headers(headers))
        self._publish(self._confidential.head(head))

    def _tell_stall(self, silent_for: float) -> None:
        self._publish(StreamStalled(silent_for, self._endpoint.timeouts.idle))

    def _tell_keep_alive(self, body: KeepAliveReceived) -> None:
        now = self._tools.mono_clock()
        if now - self._keep_alive_told >= KEEP_ALIVE_EVENT_SECONDS:
            self._keep_alive_told = now
            self._publish(body)


async def refusal_in(
    response: Response, dialect: Dialect, endpoint: Endpoint, now: float, sent: int = 0
) -> StatusError:
    """The error that an answer with a status other than success is; reads its body.

    `sent` are the bytes of the request's body.
    """
    body = await response.read_error_body()
    return status_error(
        response.status,
        response.headers,
        dialect.read_error(body),
        endpoint,
        through_proxy=response.in_clear_to_proxy,
        now=now,
        sent=sent,
    )
