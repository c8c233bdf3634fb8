"""Ends an attempt when nothing comes for too long. Time that the process itself stood still, behind
a stopped terminal or a suspended machine, counts for nothing; data that waits is read first.

HTTP client timers are not enough: a comment line keeps them quiet, and after broken chunk framing
aiohttp never wakes its reader at all.
"""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

from streamtui.config import Timeouts
from streamtui.errors import DeadlineError, ProtocolError, RunError

CHECK_SECONDS = 1.0
"""The longest time between two looks at the connection."""
STOPPED_SECONDS = 0.5
"""A look that comes this much too late means that the loop did not run meanwhile."""
STALL_SECONDS = 5.0
"""Silence inside an answer after which it is called stalled, if the idle limit is not nearer."""
WIND_DOWN_SECONDS = 5.0
"""How long a finished answer may keep its connection open, for usage that may still come."""


class Watch:
    """An async context around one exchange; cancels the task inside and raises what it found.

    Raises DeadlineError when a limit passed and ProtocolError when the connection is gone without
    the reader having been told. With `patient` a sign of life is as good as an answer, and silence
    is no stall for a long time. `since` is when the attempt began, for its total limit, on the
    loop's clock; None for now. `through` is the proxy on the way that could keep an answer back.
    """

    def __init__(
        self,
        timeouts: Timeouts,
        *,
        on_stall: Callable[[float], None],
        is_lost: Callable[[], bool],
        patient: bool = False,
        since: float | None = None,
        through: str = "",
    ) -> None:
        self._timeouts = timeouts
        self._through = through
        self._patient = patient
        self._since = since
        self._on_stall = on_stall
        self._is_lost = is_lost
        self._error: RunError | None = None
        self._stall_reported = False
        self._answering = False
        self._wound_down: float | None = None
        self._bytes_came = False

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        if task is None:
            message = "a Watch needs a task to cancel"
            raise RuntimeError(message)
        self._task = task
        self._started = self._last_byte = self._last_model = self._loop.time()
        self._attempted = self._started if self._since is None else self._since
        self._schedule()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        # uncancel() > 0: somebody else wants this task to end too, and that wins.
        if self._error is None or self._task.uncancel() > 0:
            return
        if exc_type is not None and issubclass(exc_type, asyncio.CancelledError):
            raise self._error

    def saw_bytes(self) -> None:
        """Something came, if only a sign of life."""
        self._last_byte = self._loop.time()
        self._bytes_came = True
        self._stall_reported = False
        if self._patient:
            self.saw_model()

    def saw_model(self) -> None:
        """The model itself said something."""
        self._last_model = self._last_byte
        self._answering = True

    def wind_down(self) -> None:
        """The answer is complete; from the first call on, wait only a little for what follows."""
        if self._wound_down is None:
            self._wound_down = self._loop.time()

    def _schedule(self) -> None:
        now = self._loop.time()
        wait = min([CHECK_SECONDS, *(at - now for at in self._moments())])
        self._due = now + max(wait, 0.001)
        self._timer = self._loop.call_at(self._due, self._check)

    def _moments(self) -> list[float]:
        """When something is to be done if nothing comes before: warn, or end the attempt."""
        limits = self._timeouts
        moments = [] if limits.total is None else [self._attempted + limits.total]
        if self._wound_down is not None:
            return [*moments, self._wound_down + WIND_DOWN_SECONDS]
        if not self._answering:
            return [*moments, self._started + limits.first_token]
        if not self._stall_reported:
            moments.append(self._last_byte + self._stall_after)
        return [*moments, self._last_byte + limits.idle, self._last_model + self._model_limit]

    @property
    def _stall_after(self) -> float:
        half = self._timeouts.idle / 2
        return half if self._patient else min(STALL_SECONDS, half)

    @property
    def _model_limit(self) -> float:
        """Comments alone may not keep an answer open for ever."""
        return max(self._timeouts.idle, self._timeouts.first_token)

    def _check(self) -> None:
        late = self._loop.time() - self._due
        if late > STOPPED_SECONDS:
            self._discount(late)
        self._report_stall()
        if self._verdict() is None:
            self._schedule()
        else:
            # What the kernel holds is read before anything is judged to be silent.
            self._timer = self._loop.call_later(0, self._recheck)

    def _recheck(self) -> None:
        self._timer = self._loop.call_later(0, self._judge)

    def _judge(self) -> None:
        self._error = self._verdict()
        if self._error is None:
            self._schedule()
        else:
            self._task.cancel()

    def _discount(self, seconds: float) -> None:
        now = self._loop.time()
        self._started = min(now, self._started + seconds)
        self._attempted = min(now, self._attempted + seconds)
        self._last_byte = min(now, self._last_byte + seconds)
        self._last_model = min(now, self._last_model + seconds)

    def _report_stall(self) -> None:
        silent = self._loop.time() - self._last_byte
        if not self._answering or self._wound_down is not None or self._stall_reported:
            return
        if silent >= self._stall_after:
            self._stall_reported = True
            self._on_stall(silent)

    def _verdict(self) -> RunError | None:
        now, limits = self._loop.time(), self._timeouts
        if limits.total is not None and now - self._attempted >= limits.total:
            return total_passed(limits.total)
        if self._wound_down is not None:
            return _closing_late() if now - self._wound_down >= WIND_DOWN_SECONDS else None
        if lost := self._lost_verdict():
            return lost
        if not self._answering:
            return self._first_token_verdict(now)
        if now - self._last_byte >= limits.idle:
            return _idle_passed(limits.idle)
        if now - self._last_model >= self._model_limit:
            return _idle_passed(self._model_limit)
        return None

    def _first_token_verdict(self, now: float) -> RunError | None:
        limit = self._timeouts.first_token
        if now - self._started < limit:
            return None
        words = "the endpoint keeps the line open but" if self._bytes_came else "no answer:"
        via = f" (via {self._through})" if self._through else ""
        first = "The proxy may keep answers back; try again" if via else "Try again"
        return DeadlineError(
            f"{words} nothing came from the model for {limit:g} s{via}",
            kind="timeout-first-token",
            phase="first token",
            hint=f"{first}, or raise timeouts.first_token",
            retryable=True,
        )

    def _lost_verdict(self) -> RunError | None:
        """A connection that ends in the usual way wakes its reader; one with broken framing not."""
        if not self._is_lost():
            return None
        return ProtocolError("the endpoint sent broken HTTP", hint="Ask again")


def _idle_passed(limit: float) -> DeadlineError:
    return DeadlineError(
        f"stalled: no data for {limit:g} s",
        kind="timeout-idle",
        phase="idle",
        hint="Ask again, or raise timeouts.idle",
    )


def _closing_late() -> DeadlineError:
    return DeadlineError(
        "the endpoint did not close a finished answer", kind="timeout-idle", phase="idle"
    )


def total_passed(limit: float) -> RunError:
    """The end of an attempt that took longer than it may in all."""
    return RunError(
        f"stopped at the limit of {limit:g} s",
        kind="stopped-by-limit",
        hint="Raise timeouts.total",
    )
