"""One gate for all attempts at an endpoint, so that many sessions do not storm one that said “too
many requests” or “overloaded”.

Closed, then ajar for a single probe, then open for those who wait, one after the other. `Gate` is
pure: clock and random source are arguments. `Gatekeeper` makes tasks wait for it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from msgspec import Struct

from streamtui.engine.retry import FIRST_DELAY_SECONDS, MAX_DELAY_SECONDS

SPREAD_SECONDS = 1.25
"""Those who waited for a probe follow within this time, if they are few."""
SPREAD_SECONDS_EACH = 0.025
"""What each of many adds to that time: never more than 40 a second."""


CLOSED = "the endpoint asked to come back later"
PROBED = "one attempt tries the endpoint for all"
IN_TURN = "those who waited go one after the other"
_WORTH_TELLING = 0.25
"""Seconds by which a wait must change for anybody to hear of it again."""


class Ticket:
    """One attempt at the gate; equal to itself alone."""

    def __init__(self, not_before: float = float("-inf")) -> None:
        self.not_before = not_before
        """When it may pass at the earliest: first for its own sake, later for the others'."""


class Wait(Struct, frozen=True):
    """Why an attempt may not pass yet."""

    reason: str
    until: float | None = None
    """On the monotonic clock; None when it depends on others."""


class Gate:
    """Who may pass, and when. `now` is monotonic seconds, `rng` gives numbers in [0, 1)."""

    def __init__(self, rng: Callable[[], float]) -> None:
        self._rng = rng
        self._is_open = True
        self._closed_until = float("-inf")
        self._refusals = 0
        """How many in a row found the endpoint unwell; those of one moment count as one."""
        self._probe: Ticket | None = None
        # A dictionary for its order: whoever gives up leaves from the middle.
        self._waiting: dict[Ticket, None] = {}
        self._last_slot = float("-inf")

    def closed_for(self, now: float) -> float:
        """Seconds for which nobody passes; 0 when somebody may."""
        return max(0.0, self._closed_until - now)

    def arrive(self, ticket: Ticket, now: float) -> None:
        """Stand at the end of the queue."""
        if self._is_open and now < self._last_slot:
            self._last_slot += SPREAD_SECONDS_EACH
            ticket.not_before = max(ticket.not_before, self._last_slot)
        self._waiting[ticket] = None

    def wait(self, ticket: Ticket, now: float) -> Wait | None:
        """What a ticket still waits for; None lets it pass, once."""
        if now < self._closed_until and ticket.not_before < self._closed_until:
            return Wait(CLOSED, self._closed_until)
        if now < ticket.not_before:
            return Wait(IN_TURN, ticket.not_before)
        if not self._is_open:
            if self._probe is not None or self._first_due(now) is not ticket:
                return Wait(PROBED)
            self._probe = ticket
        del self._waiting[ticket]
        return None

    def _first_due(self, now: float) -> Ticket:
        return next(ticket for ticket in self._waiting if ticket.not_before <= now)

    def leave(self, ticket: Ticket) -> bool:
        """Gone without a word, from the queue or as the probe; whether others may pass now."""
        concerns_others = ticket in self._waiting
        self._waiting.pop(ticket, None)
        if self._probe is ticket:
            self._probe = None
            concerns_others = True
        return concerns_others and not self._is_open

    def answered(self, ticket: Ticket, now: float) -> bool:
        """The endpoint took an attempt on; whether that opens the gate for the others."""
        if self._probe is not ticket:
            return False
        self._probe = None
        # Others that were on their way may have been refused while the probe was.
        self._is_open = now >= self._closed_until
        if self._is_open:
            self._refusals = 0
            self._spread(now)
        return True

    def refused(self, ticket: Ticket, now: float, asked: float | None) -> bool:
        """The endpoint wants nobody for `asked` seconds, or does not say for how long; whether
        that closes the gate, or keeps it closed for longer."""
        if self._is_open or self._probe is ticket:
            self._refusals += 1
        if self._probe is ticket:
            self._probe = None
        self._is_open = False
        pause = self._backoff() if asked is None else asked
        before, self._closed_until = self._closed_until, max(self._closed_until, now + pause)
        return self._closed_until > before

    def _backoff(self) -> float:
        doubled: float = FIRST_DELAY_SECONDS * 2.0 ** min(self._refusals - 1, 10)
        return min(MAX_DELAY_SECONDS, doubled)

    def _spread(self, now: float) -> None:
        """Give those who wait their moments: in their order, the random part as wide as a gap."""
        count = len(self._waiting)
        width = max(SPREAD_SECONDS, SPREAD_SECONDS_EACH * count)
        for place, ticket in enumerate(self._waiting):
            slot = now + width * (place + self._rng()) / count
            ticket.not_before = max(ticket.not_before, slot)
            self._last_slot = slot


class Admission:
    """An attempt that was let in; tells the gate how it was received."""

    def __init__(self, keeper: "Gatekeeper", ticket: Ticket) -> None:
        self._keeper = keeper
        self._ticket = ticket

    def answered(self) -> None:
        """The endpoint began to answer, or failed in a way that has nothing to do with load."""
        self._keeper.note_answer(self._ticket)

    def refused(self, asked: float | None) -> None:
        """Too many requests, or overloaded; `asked` is how many seconds to stay away."""
        self._keeper.note_refusal(self._ticket, asked)


class Gatekeeper:
    """A gate that tasks can wait at."""

    def __init__(self, clock: Callable[[], float], rng: Callable[[], float]) -> None:
        self._clock = clock
        self._gate = Gate(rng)
        self._changed = asyncio.Event()

    def closed_for(self) -> float:
        """Seconds for which nobody passes."""
        return self._gate.closed_for(self._clock())

    @asynccontextmanager
    async def admitted(
        self, delay: float, tell: Callable[[Wait], None]
    ) -> AsyncIterator[Admission]:
        """Entered when the gate lets this task pass, after `delay` seconds at the earliest.

        The caller has told of the delay; `tell` hears what else is waited for.
        """
        now = self._clock()
        ticket = Ticket(now + delay)
        self._gate.arrive(ticket, now)
        try:
            await self._pass(ticket, Wait(IN_TURN, now + delay), tell)
            yield Admission(self, ticket)
        finally:
            if self._gate.leave(ticket):
                self._wake_all()

    def note_answer(self, ticket: Ticket) -> None:
        if self._gate.answered(ticket, self._clock()):
            self._wake_all()

    def note_refusal(self, ticket: Ticket, asked: float | None) -> None:
        if self._gate.refused(ticket, self._clock(), asked):
            self._wake_all()

    async def _pass(self, ticket: Ticket, told: Wait, tell: Callable[[Wait], None]) -> None:
        while (wait := self._gate.wait(ticket, self._clock())) is not None:
            if _is_news(wait, told):
                told = wait
                tell(wait)
            await self._until(wait.until)

    async def _until(self, moment: float | None) -> None:
        """Sleep till then, or till something changes."""
        seconds = None if moment is None else max(0.0, moment - self._clock())
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            pass

    def _wake_all(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _is_news(wait: Wait, told: Wait) -> bool:
    if wait.until is None or told.until is None:
        return wait != told
    return abs(wait.until - told.until) > _WORTH_TELLING
