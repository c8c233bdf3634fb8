"""All connections of one attempt: goes on with a stream that broke off, where its dialect can.

Nothing is asked anew here: what another connection brings follows what came before.
"""

import asyncio
from collections.abc import Callable, Mapping

from streamtui.config import Endpoint
from streamtui.engine.attempt import Attempt
from streamtui.engine.confidential import Confidential
from streamtui.engine.dialects.base import Dialect, Request, Resumption
from streamtui.engine.watchdog import total_passed
from streamtui.errors import EXCERPT_CHARS, RunError, StatusError, TransportError
from streamtui.events import Body, ErrorKind, ReconnectScheduled

FIRST_GROWN_SECONDS = 0.5
"""The least that is waited for after a connection that brought nothing at all."""
MAX_GROWN_SECONDS = 30.0
"""Where the waits for a server that cannot be reached stop to grow."""
MAX_ASKED_SECONDS = 300.0
"""A server that asks for more is asked again after this."""

# Ends of a connection, as against those that say something of the stream.
_LOSSES: frozenset[ErrorKind] = frozenset(
    {
        "connect",
        "connection-lost",
        "dns",
        "protocol-error",
        "proxy",
        "timeout-connect",
        "timeout-first-token",
        "timeout-idle",
    }
)


class Lifeline:
    """Performs one attempt. `publish` takes the facts of its run."""

    def __init__(
        self,
        attempt: Attempt,
        endpoint: Endpoint,
        dialect: Dialect,
        publish: Callable[[Body], None],
        confidential: Confidential,
    ) -> None:
        self._attempt = attempt
        self._endpoint = endpoint
        self._dialect = dialect
        self._publish = publish
        self._confidential = confidential
        self._headers: Mapping[str, str] | None = None
        """Those of the stream that came last."""
        self._broken: RunError | None = None
        """Why the stream had to be gone on with, if it had."""
        self._progress = _Progress()

    async def perform(self, request: Request) -> None:
        """Send, read, and return when the answer is whole; raises RunError when it is not.

        What was received is taken in, also when the run is cancelled. Once the end marker has come,
        neither a broken connection nor that makes the answer a failure.
        """
        try:
            error = await self._until_over(request)
        except asyncio.CancelledError:
            self._attempt.salvage()
            task = asyncio.current_task()
            if not self._attempt.complete or task is None or task.uncancel() > 0:
                raise
        else:
            self._attempt.conclude(error)

    async def _until_over(self, request: Request) -> RunError | None:
        """Exchange until nothing follows; what the last connection failed of, if it did."""
        first = request
        while True:
            error = await self._exchange(request)
            following = self._following(request, error)
            if following is None:
                return self._reason(first, error)
            error = error or _ended()
            self._broken = self._broken or error
            self._attempt.go_on()
            if not await self._wait(following, error):
                return total_passed(self._endpoint.timeouts.total or 0.0)
            request = following.request

    async def _exchange(self, request: Request) -> RunError | None:
        try:
            await self._attempt.exchange(request)
        except RunError as error:
            return error
        finally:
            self._headers = self._attempt.headers or self._headers
            self._progress.note(self._attempt)
        return None

    def _following(self, request: Request, error: RunError | None) -> Resumption | None:
        ended_well = error is None and not request.subscribes
        if self._attempt.complete or ended_well or not (error is None or _is_loss(error)):
            return None
        if self._headers is None:
            return None
        position = self._attempt.position
        following = self._dialect.resumption(self._endpoint, request, self._headers, position)
        if following is None or following.most_tries is None:
            return following
        return following if self._progress.without_frames < following.most_tries else None

    def _reason(self, first: Request, error: RunError | None) -> RunError | None:
        """The end as it is told. A run that cannot be joined again was cut off before."""
        if error is None or self._broken is None:
            return error
        if not first.subscribes and (self._attempt.headers is None or _is_loss(error)):
            words = f"{self._broken.message}, and the run could not be joined again"
            self._broken.message = f"{words}: {error.message}"
            error = self._broken
        # Another attempt would ask for all of it again.
        error.retryable = False
        return error

    async def _wait(self, following: Resumption, error: RunError) -> bool:
        """Wait before the next connection; whether there is any time left for it."""
        delay = self._progress.delay(min(following.delay, MAX_ASKED_SECONDS))
        self._publish(
            ReconnectScheduled(
                number=self._progress.without_frames + 1,
                of=following.most_tries,
                delay=delay,
                last_event_id=self._attempt.position.last_event_id[:EXCERPT_CHARS],
                error=self._confidential.error_info(error),
            )
        )
        await asyncio.sleep(min(delay, self._attempt.time_left))
        return self._attempt.time_left > 0


class _Progress:
    """What the last connections brought."""

    def __init__(self) -> None:
        self.without_frames = -1
        """How many in a row brought no frame; the first does not go on with another."""
        self._unreached = 0
        """How many in a row did not get as far as a stream."""
        self._frames = 0
        self._received = 0
        self._was_empty = False

    def note(self, attempt: Attempt) -> None:
        """After each connection."""
        self.without_frames = 0 if attempt.frames > self._frames else self.without_frames + 1
        self._unreached = 0 if attempt.headers is not None else self._unreached + 1
        self._was_empty = attempt.received == self._received
        self._frames, self._received = attempt.frames, attempt.received

    def delay(self, asked: float) -> float:
        """Seconds to wait: what was asked for, and more when the server cannot be reached."""
        if not self._was_empty:
            return asked
        # The exponent has a limit because a stream may be waited for as long as a machine runs.
        doublings = min(max(0, self._unreached - 1), 10)
        grown = max(asked, FIRST_GROWN_SECONDS) * 2.0**doublings
        return max(asked, min(MAX_GROWN_SECONDS, grown))


def _is_loss(error: RunError) -> bool:
    if isinstance(error, StatusError):
        # A proxy that did not reach the server.
        return error.kind == "proxy" and error.retryable
    return error.kind in _LOSSES


def _ended() -> RunError:
    return TransportError("the server ended the connection", kind="connection-lost")
