"""One try of a run on the wire: sends the request, reads the answer, tells what happens.

Never decides whether to try again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import suppress
from typing import Any

import msgspec

from streamtui.config import Endpoint
from streamtui.engine.confidential import Confidential
from streamtui.engine.dialects.base import Dialect, Request
from streamtui.engine.reader import AnswerReader, Read
from streamtui.engine.run import Run
from streamtui.engine.status import kept_headers, request_id, status_error
from streamtui.engine.traffic import Traffic
from streamtui.engine.transport import Response, Transport
from streamtui.engine.watchdog import Watch
from streamtui.errors import RunError
from streamtui.events import (
    Body,
    KeepAliveReceived,
    RequestSent,
    ResponseStarted,
    StreamStalled,
)

KEEP_ALIVE_EVENT_SECONDS = 1.0
"""Keep-alives are told at most this often; some servers send hundreds a second."""

logger = logging.getLogger(__name__)


class Tools(msgspec.Struct, frozen=True):
    """What runs need of the engine around them."""

    transport: Transport
    publish: Callable[[str, str, Body], object]
    """session id, run id, fact."""
    spawn: Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]]
    """A task of the engine, with a name."""
    locate: Callable[[Endpoint], Awaitable[Endpoint]]
    """The endpoint with a base URL that can be reached."""
    wall_clock: Callable[[], float]
    mono_clock: Callable[[], float]
    rng: Callable[[], float]
    traffic: Traffic


class Attempt:
    """Performed once. `publish` takes the facts of this run."""

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
        self._received = 0

    async def perform(self, request: Request) -> None:
        """Send, read, and return when the answer is whole; raises RunError when it is not.

        What was received is taken in, also when the connection breaks or the run is cancelled.
        Once the end marker has come, neither makes the answer a failure.
        """
        watch = Watch(
            self._endpoint.timeouts,
            on_stall=self._tell_stall,
            is_lost=lambda: self._response is not None and self._response.is_lost(),
        )
        try:
            async with watch:
                await self._exchange(request, watch)
        except RunError as error:
            self._take_the_rest(watch)
            if not self._reader.complete:
                raise
            logger.debug("after a complete answer: %s", error.kind)
        except asyncio.CancelledError:
            self._take_the_rest(watch)
            task = asyncio.current_task()
            if not self._reader.complete or task is None or task.uncancel() > 0:
                raise

    async def _exchange(self, request: Request, watch: Watch) -> None:
        sending = self._tools.transport.open(self._endpoint, request, self._tell_sent)
        async with sending as response:
            with self._tools.traffic.streaming():
                await self._receive(response, watch)

    async def _receive(self, response: Response, watch: Watch) -> None:
        self._response = response
        watch.saw_bytes()
        self._tell_response(response)
        if response.status >= 300:
            raise await self._refusal(response)
        await self._read(response, watch)

    async def _refusal(self, response: Response) -> RunError:
        body = await response.read_error_body()
        return status_error(
            response.status,
            response.headers,
            self._dialect.read_error(body),
            self._endpoint,
            through_proxy=response.in_clear_to_proxy,
            now=self._tools.wall_clock(),
        )

    async def _read(self, response: Response, watch: Watch) -> None:
        async for data in response.chunks():
            watch.saw_bytes()
            self._take(self._reader.feed(data), watch)
            self._count(data)
            if self._reader.complete:
                watch.wind_down()
            if self._reader.ended:
                await response.drain()
                break
        self._take(self._reader.close(), watch)
        verdict = self._reader.verdict()
        if verdict is not None:
            raise verdict

    def _count(self, data: bytes) -> None:
        """An answer without an end fills any memory."""
        self._received += len(data)
        limit = self._endpoint.max_response_bytes
        if self._received > limit:
            raise RunError(
                f"stopped at the limit of {limit:,} bytes",
                kind="stopped-by-limit",
                hint="Raise max_response_bytes",
            )

    def _take_the_rest(self, watch: Watch) -> None:
        """What waited for more bytes that will not come; it cannot explain the end any better."""
        with suppress(RunError):
            self._take(self._reader.close(), watch)

    def _take(self, read: Iterator[Read], watch: Watch) -> None:
        for body in map(self._confidential.conceal, read):
            if isinstance(body, KeepAliveReceived):
                self._tell_keep_alive(body)
                continue
            if self._run.take(body, self._tools.mono_clock()):
                watch.saw_model()
            self._publish(body)

    def _tell_sent(self) -> None:
        self._publish(RequestSent())

    def _tell_response(self, response: Response) -> None:
        headers = response.headers
        self._publish(ResponseStarted(response.status, request_id(headers), kept_headers(headers)))

    def _tell_stall(self, silent_for: float) -> None:
        self._publish(StreamStalled(silent_for, self._endpoint.timeouts.idle))

    def _tell_keep_alive(self, body: KeepAliveReceived) -> None:
        now = self._tools.mono_clock()
        if now - self._keep_alive_told >= KEEP_ALIVE_EVENT_SECONDS:
            self._keep_alive_told = now
            self._publish(body)
