"""All attempts of one run: the endpoint and its fallbacks, places and gates, until the answer is
whole.

Raises the error of the last attempt and leaves it to the session to end the run.
"""

import errno
from collections.abc import Callable

import msgspec

from streamtui.config import Endpoint
from streamtui.engine.attempt import Attempt, Tools
from streamtui.engine.confidential import Confidential
from streamtui.engine.dialects import DIALECTS
from streamtui.engine.dialects.base import Dialect, Request
from streamtui.engine.gate import Admission, Gatekeeper, Wait
from streamtui.engine.resume import Lifeline
from streamtui.engine.retry import MAX_RETRY_AFTER_SECONDS, retry_delay
from streamtui.engine.routes import route_words
from streamtui.engine.run import Run
from streamtui.engine.status import hint_for
from streamtui.engine.traffic import open_files_limit
from streamtui.errors import RunError
from streamtui.events import (
    AttemptFailed,
    AttemptStarted,
    Body,
    ErrorKind,
    Message,
    ResponseStarted,
    RetryScheduled,
    RunWaiting,
)

# What an endpoint says that has too much to do: it concerns all who ask it.
_CROWDED: frozenset[ErrorKind] = frozenset({"rate-limit", "overloaded"})

# Errors that are the endpoint's own even where trying it again is of no use. A request that was
# rejected or is too large is so elsewhere; a key that is refused shall be put right.
_ELSEWHERE: frozenset[ErrorKind] = frozenset(
    {"connect", "dns", "not-found", "overloaded", "proxy", "quota", "rate-limit", "server", "tls"}
)
_NO_MORE_FILES = frozenset({errno.EMFILE, errno.ENFILE})


class Tries:
    """Used once. `publish` takes the facts of the run; `messages` are what is sent."""

    def __init__(
        self,
        run: Run,
        endpoint: Endpoint,
        messages: tuple[Message, ...],
        tools: Tools,
        publish: Callable[[Body], None],
        confidential: Confidential,
    ) -> None:
        self._run = run
        self._chain = (endpoint, *endpoint.fallbacks)
        self._messages = messages
        self._tools = tools
        self._publish = publish
        self._confidential = confidential

    async def until_answered(self) -> None:
        """Try until the answer is whole; never again once something of it was visible."""
        for endpoint, following in zip(self._chain, (*self._chain[1:], None), strict=True):
            if await self._ask(endpoint, following):
                return

    async def _ask(self, endpoint: Endpoint, following: Endpoint | None) -> bool:
        """Try at one endpoint; whether it answered, or else the following one is to be asked."""
        lane = self._tools.traffic.lane(endpoint)
        gate = lane.gate(endpoint.model)
        tell = self._queue_teller(endpoint)
        async with lane.places.place(endpoint.max_concurrent, tell):
            delay: float | None = 0.0
            tries = 0
            while delay is not None:
                tries += 1
                try:
                    async with gate.admitted(delay, self._tell_wait) as admission:
                        await self._attempt(endpoint, admission)
                except RunError as error:
                    delay = self._delay_after(error, endpoint, gate, tries)
                    self._tell_failure(error, endpoint, following, delay)
                else:
                    return True
        return False

    async def _attempt(self, endpoint: Endpoint, admission: Admission) -> None:
        self._run.begin_attempt()

        def publish(body: Body) -> None:
            if isinstance(body, ResponseStarted) and body.status < 300:
                admission.answered()
            self._publish(body)

        try:
            await self._perform(endpoint, publish)
        except RunError as error:
            _tell_gate(admission, error)
            raise

    async def _perform(self, endpoint: Endpoint, publish: Callable[[Body], None]) -> None:
        located = await self._tools.locate(endpoint)
        dialect = dialect_of(located)
        publish(
            AttemptStarted(
                self._run.attempt,
                self._most_attempts,
                route_words(located),
                endpoint.name,
                endpoint.model,
                endpoint.insecure,
            )
        )
        require_key(located)
        request = dialect.build_request(located, self._messages)
        attempt = Attempt(self._run, located, dialect, self._tools, publish, self._confidential)
        lifeline = Lifeline(attempt, located, dialect, publish, self._confidential)
        await lifeline.perform(_with_idempotency_key(request, self._run.run_id))

    @property
    def _most_attempts(self) -> int:
        return sum(1 + endpoint.retries for endpoint in self._chain)

    def _delay_after(
        self, error: RunError, endpoint: Endpoint, gate: Gatekeeper, tries: int
    ) -> float | None:
        """Seconds until the next attempt at the same endpoint, or None when there is none."""
        if self._run.chunks:
            error.retryable = False
            if error.kind == "server":
                error.kind = "error-midstream"
            return None
        delay = retry_delay(tries, error, endpoint.retries, self._tools.rng)
        if delay is None:
            return None
        # What is told must be true: others may have closed the gate for longer.
        closed = gate.closed_for()
        return closed if closed > delay + 0.001 else delay

    def _tell_failure(
        self, error: RunError, endpoint: Endpoint, following: Endpoint | None, delay: float | None
    ) -> None:
        """Tell of a failed attempt and of the next one; raises the error when it was the last."""
        self._complete(error, endpoint)
        info = self._confidential.error_info(error)
        self._publish(AttemptFailed(self._run.attempt, info))
        number, of = self._run.attempt + 1, self._most_attempts
        if delay is not None:
            self._publish(RetryScheduled(number, of, delay, info))
        elif following is not None and not self._run.chunks and _helps_elsewhere(error):
            self._publish(RetryScheduled(number, of, 0.0, info, following.name))
        else:
            raise error

    def _complete(self, error: RunError, endpoint: Endpoint) -> None:
        """Say in the error what only this place knows."""
        error.endpoint, error.attempt = endpoint.name, self._run.attempt
        error.hint = error.hint or hint_for(error.kind, endpoint, error.retry_after)
        if _is_file_limit(error):
            streams = self._tools.traffic.streams
            error.message = (
                f"too many open files: {streams} streams running, limit {open_files_limit()}"
            )
        if endpoint is not self._chain[0]:
            # Everywhere else the session's own endpoint is taken for the one that failed.
            error.message = f"{endpoint.name}: {error.message}"

    def _queue_teller(self, endpoint: Endpoint) -> Callable[[int], None]:
        def tell(ahead: int) -> None:
            limit = endpoint.max_concurrent
            place = f"{ahead} wait before this one" if ahead else "this one is next"
            reason = f"{endpoint.name} takes {limit} at a time, {place}"
            self._publish(RunWaiting(reason))

        return tell

    def _tell_wait(self, wait: Wait) -> None:
        now = self._tools.mono_clock()
        delay = None if wait.until is None else max(0.0, wait.until - now)
        self._publish(RunWaiting(wait.reason, delay))


def _tell_gate(admission: Admission, error: RunError) -> None:
    """Other sessions wait with an endpoint that is crowded, unless it asks for hours: then each is
    told so by itself."""
    asked = error.retry_after
    if error.kind in _CROWDED and (asked is None or asked <= MAX_RETRY_AFTER_SECONDS):
        admission.refused(asked)
    else:
        admission.answered()


def _helps_elsewhere(error: RunError) -> bool:
    """Whether another endpoint may do what this one did not."""
    return (error.retryable or error.kind in _ELSEWHERE) and not _is_file_limit(error)


def _is_file_limit(error: RunError) -> bool:
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in _NO_MORE_FILES


def dialect_of(endpoint: Endpoint) -> Dialect:
    """The protocol that an endpoint speaks. Raises RunError for one that is not known."""
    dialect = DIALECTS.get(endpoint.dialect)
    if dialect is None:
        raise RunError(
            f"the dialect “{endpoint.dialect}” is not spoken",
            kind="bad-request",
            hint=f"Use one of: {', '.join(DIALECTS)}",
        )
    return dialect


def require_key(endpoint: Endpoint) -> None:
    """Raises RunError when the endpoint's key was not found where it should be."""
    if endpoint.key_source and endpoint.api_key is None:
        raise RunError(
            f"no key: {endpoint.key_source} is not set",
            kind="no-key",
            hint="Set it and start again",
        )


def _with_idempotency_key(request: Request, run_id: str) -> Request:
    """All attempts of a run carry the same key, so that a server can tell that they are one."""
    if request.method == "GET":
        return request
    return msgspec.structs.replace(request, headers=request.headers | {"Idempotency-Key": run_id})
