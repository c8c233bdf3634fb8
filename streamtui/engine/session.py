"""One conversation: its transcript, its queue of prompts, and its runs with their attempts.

The one place where a RunError becomes an event. Never draws, never stores, never opens a socket.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

import msgspec

from streamtui.config import Endpoint
from streamtui.engine.dialects import DIALECTS
from streamtui.engine.dialects.base import Dialect, Request
from streamtui.engine.doors import RunContext
from streamtui.engine.reader import AnswerReader, Read, is_visible, malformed_count
from streamtui.engine.retry import retry_delay
from streamtui.engine.status import kept_headers, request_id, status_error
from streamtui.engine.transport import Response, Transport, route_words
from streamtui.engine.watchdog import Watch
from streamtui.errors import RunError
from streamtui.events import (
    AttemptFailed,
    AttemptStarted,
    Body,
    Chunk,
    ErrorInfo,
    ErrorKind,
    Finish,
    KeepAliveReceived,
    Message,
    Metrics,
    RequestSent,
    ResponseStarted,
    RetryScheduled,
    RunCancelled,
    RunCompleted,
    RunCutOff,
    RunFailed,
    RunQueued,
    RunStarted,
    SessionClosed,
    SessionOpened,
    StreamStalled,
    TextDelta,
    Usage,
)
from streamtui.redact import Redactor
from streamtui.safe_text import join_surrogates

KEEP_ALIVE_EVENT_SECONDS = 1.0
"""Keep-alives are told at most this often; some servers send hundreds a second."""

logger = logging.getLogger(__name__)

# Ends that leave a stream unfinished, as against those that say that the request failed.
_CUTS: frozenset[ErrorKind] = frozenset(
    {
        "connection-lost",
        "frame-too-large",
        "protocol-error",
        "stopped-by-limit",
        "timeout-first-token",
        "timeout-idle",
        "truncated",
    }
)


class Tools(msgspec.Struct, frozen=True):
    """What a session needs of the engine around it."""

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
    sleep: Callable[[float], Awaitable[None]]


class Turn(msgspec.Struct):
    """A prompt and as much of its answer as came."""

    prompt: str
    answer: str = ""


class Run:
    """One question and its answer: what was asked, and the measures taken while it runs."""

    def __init__(self, run_id: str, prompt: str, context: RunContext) -> None:
        self.run_id = run_id
        self.prompt = prompt
        self.context = context
        self.attempt = 0
        self.started = 0.0
        self.first_visible: float | None = None
        self.chunks = 0
        self.malformed = 0
        self.text: list[str] = []
        self.usage: Usage | None = None
        self.finish_reason: str | None = None
        self.began = False
        self.cancelled_early = False

    def metrics(self, now: float) -> Metrics:
        """The measures so far; `now` on the monotonic clock."""
        began = self.first_visible
        return Metrics(
            ttft=None if began is None else began - self.started,
            duration=now - self.started if self.started else 0.0,
            chunks=self.chunks,
            attempts=max(self.attempt, 1),
            text_chars=sum(map(len, self.text)),
            malformed=self.malformed,
            usage=self.usage,
        )

    def take(self, chunk: Chunk, now: float) -> None:
        """Count a chunk and keep its text."""
        if any(map(is_visible, chunk.deltas)):
            self.chunks += 1
            if self.first_visible is None:
                self.first_visible = now
        self.malformed += malformed_count(chunk)
        for delta in chunk.deltas:
            match delta:
                case TextDelta():
                    self.text.append(delta.text)
                case Usage():
                    self.usage = delta
                case Finish():
                    self.finish_reason = delta.reason


class Session:
    """Runs its prompts one after the other and keeps what was said."""

    def __init__(
        self, session_id: str, endpoint: Endpoint, messages: tuple[Message, ...], tools: Tools
    ) -> None:
        self.session_id = session_id
        self._endpoint = endpoint
        self._redactor = _redactor_for(endpoint)
        self._earlier = messages
        self._tools = tools
        self._turns: list[Turn] = []
        self._queue: deque[Run] = deque()
        self._current: Run | None = None
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Say that the session is there."""
        endpoint = self._endpoint
        self._publish("", SessionOpened(endpoint.name, endpoint.model, endpoint.dialect))

    def send(self, run_id: str, prompt: str, context: RunContext) -> None:
        """Ask now, or after the runs that came before."""
        run = Run(run_id, join_surrogates(prompt), context)
        ahead = len(self._queue) + (self._current is not None)
        self._queue.append(run)
        if ahead:
            self._publish(run_id, RunQueued(run.prompt, ahead))
        else:
            self._start_next()

    def retry(self, run_id: str) -> None:
        """Ask the last prompt again; its former answer leaves the context."""
        if self._turns:
            turn = self._turns.pop()
            self.send(run_id, turn.prompt, RunContext())

    def cancel(self) -> None:
        """End the run in progress."""
        if self._task is None or self._current is None:
            return
        # A task that is cancelled before its first step never runs, not even to say so.
        if self._current.began:
            self._task.cancel()
        else:
            self._current.cancelled_early = True

    def cancel_all(self) -> None:
        """End the run in progress and those that wait."""
        waiting, self._queue = self._queue, deque()
        for run in waiting:
            self._turns.append(Turn(run.prompt))
            self._publish(run.run_id, RunCancelled(run.metrics(0.0)))
        self.cancel()

    async def aclose(self) -> None:
        """End all runs, wait until their connections are closed, and say so."""
        self.cancel_all()
        if self._task is not None:
            await asyncio.wait([self._task])
        self._publish("", SessionClosed())

    def messages(self) -> tuple[Message, ...]:
        """The turns that the next prompt is sent with: those that got an answer."""
        answered = (turn for turn in self._turns if turn.answer)
        return self._earlier + tuple(
            message
            for turn in answered
            for message in (Message("user", turn.prompt), Message("assistant", turn.answer))
        )

    def _publish(self, run_id: str, body: Body) -> None:
        self._tools.publish(self.session_id, run_id, body)

    def _start_next(self) -> None:
        self._task = None
        self._current = self._queue.popleft() if self._queue else None
        if self._current is not None:
            name = f"run {self._current.run_id}"
            self._task = self._tools.spawn(self._run_and_go_on(self._current), name)

    async def _run_and_go_on(self, run: Run) -> None:
        try:
            await self._run(run)
        finally:
            self._turns.append(Turn(run.prompt, "".join(run.text)))
            self._start_next()

    async def _run(self, run: Run) -> None:
        run.began = True
        run.started = self._tools.mono_clock()
        try:
            self._announce(run)
            if run.cancelled_early:
                raise asyncio.CancelledError
            await self._attempts(run)
        except asyncio.CancelledError:
            self._publish(run.run_id, RunCancelled(self._metrics(run)))
        except RunError as error:
            self._publish(run.run_id, self._bad_end(run, error))
        except Exception:
            logger.exception("a run ended through a bug")
            bug = RunError("a bug in streamtui", kind="bug", hint="Please report it")
            self._publish(run.run_id, self._bad_end(run, bug))
        else:
            self._publish(run.run_id, RunCompleted(run.finish_reason, self._metrics(run)))

    def _announce(self, run: Run) -> None:
        endpoint = self._endpoint
        started = RunStarted(
            prompt=run.prompt,
            messages=self._context(run),
            endpoint=endpoint.name,
            model=endpoint.model,
            dialect=endpoint.dialect,
            params=endpoint.params,
            name=run.context.name,
            tags=run.context.tags,
            metadata=run.context.metadata,
            parent_ids=run.context.parent_ids,
        )
        self._publish(run.run_id, started)

    def _context(self, run: Run) -> tuple[Message, ...]:
        return (*self.messages(), Message("user", run.prompt))

    def _metrics(self, run: Run) -> Metrics:
        return run.metrics(self._tools.mono_clock())

    def _bad_end(self, run: Run, error: RunError) -> RunCutOff | RunFailed:
        metrics = self._metrics(run)
        if error.kind in _CUTS and (run.chunks or error.kind == "truncated"):
            return RunCutOff(self._info(error), metrics)
        return RunFailed(self._info(error), metrics)

    def _info(self, error: RunError) -> ErrorInfo:
        """An error fit to be told: servers quote keys in their messages."""
        info = error.info()
        return msgspec.structs.replace(
            info,
            message=self._redactor.redact(info.message),
            excerpt=self._redactor.redact(info.excerpt),
        )

    async def _attempts(self, run: Run) -> None:
        """Try until the answer is whole; never again once something of it was visible."""
        attempts = 1 + self._endpoint.retries
        while True:
            run.attempt += 1
            try:
                await self._attempt(run, attempts)
                return
            except RunError as error:
                error.endpoint, error.attempt = self._endpoint.name, run.attempt
                delay = self._delay_after(run, error)
                info = self._info(error)
                self._publish(run.run_id, AttemptFailed(run.attempt, info))
                if delay is None:
                    raise
                retry = RetryScheduled(run.attempt + 1, attempts, delay, info)
                self._publish(run.run_id, retry)
            await self._tools.sleep(delay)

    def _delay_after(self, run: Run, error: RunError) -> float | None:
        if run.chunks:
            error.retryable = False
            if error.kind == "server":
                error.kind = "error-midstream"
            return None
        return retry_delay(run.attempt, error, self._endpoint.retries, self._tools.rng)

    async def _attempt(self, run: Run, attempts: int) -> None:
        endpoint = await self._tools.locate(self._endpoint)
        dialect = _dialect_of(endpoint)
        started = AttemptStarted(run.attempt, attempts, route_words(endpoint))
        self._publish(run.run_id, started)
        _require_key(endpoint)
        request = _with_idempotency_key(
            dialect.build_request(endpoint, self._context(run)), run.run_id
        )
        await _Attempt(self, run, endpoint, dialect, self._tools).perform(request)


class _Attempt:
    """One try of a run on the wire."""

    def __init__(
        self, session: Session, run: Run, endpoint: Endpoint, dialect: Dialect, tools: Tools
    ) -> None:
        self._session = session
        self._run = run
        self._endpoint = endpoint
        self._dialect = dialect
        self._tools = tools
        self._response: Response | None = None
        self._reader = AnswerReader(dialect)
        self._keep_alive_told = 0.0

    async def perform(self, request: Request) -> None:
        """Send, read, and return when the answer is whole; raises RunError when it is not."""
        watch = Watch(
            self._endpoint.timeouts,
            on_stall=self._tell_stall,
            is_lost=lambda: self._response is not None and self._response.is_lost(),
        )
        try:
            async with watch:
                await self._exchange(request, watch)
        except RunError as error:
            # What went wrong after the end marker does not make a whole answer a failure.
            if not self._reader.complete:
                raise
            logger.debug("after a complete answer: %s", error)

    async def _exchange(self, request: Request, watch: Watch) -> None:
        sending = self._tools.transport.open(self._endpoint, request, self._tell_sent)
        async with sending as response:
            self._response = response
            watch.saw_bytes()
            self._publish(
                ResponseStarted(
                    response.status, request_id(response.headers), kept_headers(response.headers)
                )
            )
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
            if self._reader.ended:
                return
            if self._reader.complete:
                watch.wind_down()
        self._take(self._reader.close(), watch)
        verdict = self._reader.verdict()
        if verdict is not None:
            raise verdict

    def _take(self, read: Iterator[Read], watch: Watch) -> None:
        for body in read:
            if isinstance(body, KeepAliveReceived):
                self._tell_keep_alive(body)
                continue
            watch.saw_model()
            self._run.take(body, self._tools.mono_clock())
            self._publish(body)

    def _publish(self, body: Body) -> None:
        self._tools.publish(self._session.session_id, self._run.run_id, body)

    def _tell_sent(self) -> None:
        self._publish(RequestSent())

    def _tell_stall(self, silent_for: float) -> None:
        self._publish(StreamStalled(silent_for, self._endpoint.timeouts.idle))

    def _tell_keep_alive(self, body: KeepAliveReceived) -> None:
        now = self._tools.mono_clock()
        if now - self._keep_alive_told >= KEEP_ALIVE_EVENT_SECONDS:
            self._keep_alive_told = now
            self._publish(body)


def _redactor_for(endpoint: Endpoint) -> Redactor:
    redactor = Redactor()
    if endpoint.api_key is not None:
        redactor.add(endpoint.api_key)
    if endpoint.proxy is not None and endpoint.proxy.password is not None:
        redactor.add(endpoint.proxy.password, username=endpoint.proxy.username)
    return redactor


def _dialect_of(endpoint: Endpoint) -> Dialect:
    dialect = DIALECTS.get(endpoint.dialect)
    if dialect is None:
        raise RunError(
            f"the dialect “{endpoint.dialect}” is not spoken",
            kind="bad-request",
            hint=f"Use one of: {', '.join(DIALECTS)}",
        )
    return dialect


def _require_key(endpoint: Endpoint) -> None:
    if endpoint.key_source and endpoint.api_key is None:
        raise RunError(
            f"no key: {endpoint.key_source} is not set",
            kind="no-key",
            hint="Set it and start again",
        )


def _with_idempotency_key(request: Request, run_id: str) -> Request:
    """All attempts of a run carry the same key, so that a server can tell that they are one."""
    return msgspec.structs.replace(request, headers=request.headers | {"Idempotency-Key": run_id})
