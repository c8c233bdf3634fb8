"""The main loop of `run`: one prompt out to all endpoints, their events back to a printer.

Waits for events, for the reader of standard output and for signals at once, so that none of them
holds up another: a reader who left is noticed while the model is silent.
"""

import select
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from streamtui.cli.interrupts import Interrupts
from streamtui.cli.outcome import Answer
from streamtui.cli.output import Output
from streamtui.cli.printers import Printer
from streamtui.engine.doors import Doors
from streamtui.event_words import describe
from streamtui.events import (
    Body,
    Event,
    ReconnectScheduled,
    RetryScheduled,
    RunCancelled,
    RunCompleted,
    RunCutOff,
    RunFailed,
    RunWaiting,
    StreamStalled,
)

LAST_WRITE_SECONDS = 2.0
"""How long a cancelled command goes on offering its text to a reader that does not read."""

MOST_WAITING_BYTES = 64 * 1024**2
"""What a reader may leave unread; a stream that never ends would fill any memory behind it."""

ROUND_SECONDS = 0.01
"""What comes within this leaves together: over SSH the packet costs more than the text in it."""

_GONE = select.POLLERR | select.POLLHUP | select.POLLNVAL


class Relay:
    """Sends a prompt and carries what comes back, until all answers have ended."""

    def __init__(self, doors: Doors, output: Output, interrupts: Interrupts) -> None:
        self._doors = doors
        self._output = output
        self._interrupts = interrupts
        self._cancelled = False
        self._last_round = 0.0

    def run(
        self, prompt: str, answers: Sequence[Answer], printer: Printer, *, by_chunk: bool = False
    ) -> None:
        """Ask, and print until the end; `answers` then know how they ended.

        `by_chunk`: chunks matter, not only their text; none may be merged on the way.
        """
        inbox = (ChunkInbox if by_chunk else Inbox)(self._doors, self._interrupts.wake)
        asked = {self._ask(answer, prompt): answer for answer in answers}
        while not all(answer.end for answer in answers):
            self._heed_the_outside(answers)
            self._wait()
            self._rest()
            for event in inbox.take():
                if answer := asked.get(event.run_id):
                    self._carry(answer, event, printer)
            self._output.write()
        inbox.close()
        self._write_the_rest()

    def _ask(self, answer: Answer, prompt: str) -> str:
        answer.session_id = self._doors.open_session(answer.endpoint)
        answer.run_id = self._doors.send(answer.session_id, prompt)
        return answer.run_id

    def _carry(self, answer: Answer, event: Event, printer: Printer) -> None:
        wanted_more = not answer.enough
        text = answer.apply(event.body)
        printer.feed(answer, event, text)
        if not wanted_more:
            return
        if words := notice(event.body):
            self._output.say(f"{answer.label}: {words}")
        if answer.enough:
            self._doors.cancel(answer.session_id)

    def _heed_the_outside(self, answers: Sequence[Answer]) -> None:
        """Cancel when we are told to end, or when nobody reads any more, or far too slowly."""
        if self._output.reader_gone:
            for answer in answers:
                answer.enough |= answer.end is None
        elif self._output.waiting > MOST_WAITING_BYTES:
            self._give_up(answers)
        elif not self._interrupts.asked:
            return
        if not self._cancelled:
            self._cancelled = True
            self._doors.cancel_all()

    def _give_up(self, answers: Sequence[Answer]) -> None:
        if not self._cancelled:
            waiting = f"{MOST_WAITING_BYTES // 1024**2:,} MiB wait for whoever reads the output"
            self._output.say(f"streamtui: stopped: {waiting}. Have it read faster, or --limit it.")
        for answer in answers:
            answer.unread |= answer.end is None

    def _write_the_rest(self) -> None:
        deadline: float | None = None
        while self._output.pending:
            if self._interrupts.asked and deadline is None:
                deadline = time.monotonic() + LAST_WRITE_SECONDS
            if deadline is not None and time.monotonic() >= deadline:
                return
            self._wait(None if deadline is None else deadline - time.monotonic())
            self._output.write()

    def _rest(self) -> None:
        """Let a little gather if the last round was only just: fewer and fuller writes."""
        time.sleep(max(0.0, self._last_round + ROUND_SECONDS - time.monotonic()))
        self._last_round = time.monotonic()

    def _wait(self, seconds: float | None = None) -> None:
        """Until something came, the reader takes or leaves, a signal came, or time is up."""
        poll = select.poll()
        poll.register(self._interrupts.descriptor, select.POLLIN)
        if not self._output.reader_gone:
            poll.register(self._output.descriptor, select.POLLOUT if self._output.pending else 0)
        for descriptor, what in poll.poll(None if seconds is None else max(seconds, 0) * 1000):
            if descriptor == self._interrupts.descriptor:
                self._interrupts.clear()
            elif what & _GONE:
                self._output.reader_gone = True


class Inbox:
    """Events on their way to the main loop; chunks are merged when it lags."""

    def __init__(self, doors: Doors, wake: Callable[[], None]) -> None:
        self._subscription = doors.subscribe(wake)

    def take(self) -> Iterable[Event]:
        """All that came since the last call."""
        return self._subscription.drain()

    def close(self) -> None:
        self._subscription.close()


class ChunkInbox(Inbox):
    """Takes events over in the engine's thread, at once: none waits so long that it is merged."""

    def __init__(self, doors: Doors, wake: Callable[[], None]) -> None:
        self._events: deque[Event] = deque()
        self._wake = wake
        self._awake = False
        # Nothing comes before the first command, so `_receive` finds the subscription in place.
        super().__init__(doors, self._receive)

    def _receive(self) -> None:
        self._events.extend(self._subscription.drain())
        if not self._awake:
            self._awake = True
            self._wake()

    def take(self) -> Iterable[Event]:
        # Before the first look: what comes after the last one wakes us again.
        self._awake = False
        while self._events:
            yield self._events.popleft()


def notice(body: Body) -> str:
    """What standard error says of an event, in the words of the console; mostly nothing."""
    match body:
        case (
            RetryScheduled()
            | ReconnectScheduled()
            | RunWaiting()
            | StreamStalled()
            | RunCutOff()
            | RunFailed()
            | RunCancelled()
        ):
            return describe(body).words.removesuffix(".") + "."
        case RunCompleted() if body.metrics.malformed:
            frames = "part" if body.metrics.malformed == 1 else "parts"
            return (
                f"{body.metrics.malformed} {frames} of the stream could not be read, "
                "passed over. The rest is kept."
            )
        case _:
            return ""
