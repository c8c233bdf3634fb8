"""Events into what is to be written about them. Pure: no database, no clock."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from streamtui.engine.journal.codec import (
    NO_CLOCK,
    UNITS_PER_SECOND,
    Clock,
    Value,
    encode_messages,
    encode_tick,
    without_history,
)
from streamtui.engine.journal.intake import Arrivals
from streamtui.events import (
    RUN_ENDS,
    Body,
    Event,
    RunCancelled,
    RunCompleted,
    RunCutOff,
    RunEnd,
    RunFailed,
    RunQueued,
    RunStarted,
    SessionClosed,
    SessionOpened,
)
from streamtui.safe_text import join_surrogates

_FACT_BYTES = 500
"""About what a fact takes in memory besides its texts."""


class Fact(NamedTuple):
    """A statement of SQL with its values."""

    sql: str
    values: tuple[Any, ...]
    run: int = 0
    """The number of the run whose key is the first value, before these; 0 for none."""

    @property
    def weight(self) -> int:
        """About how many bytes it takes in memory."""
        texts = (value for value in self.values if isinstance(value, str | bytes))
        return _FACT_BYTES + sum(map(len, texts))


class Recorded(NamedTuple):
    """What another file has of a run that goes on."""

    run: int
    clock: Clock
    recording: bytes


class Tick(NamedTuple):
    """What is written about some events, all of it or nothing; facts first, as they came."""

    facts: Sequence[Fact] = ()
    clock: Clock = NO_CLOCK
    events: bytes = b""
    """What `encode_tick` makes; empty for nothing."""
    ended: Sequence[int] = ()
    """The numbers of the runs that end with it."""
    promised: bool = False
    """Whether it has to survive a power failure as soon as it is written."""
    recorded: Sequence[Recorded] = ()


_ENDS: dict[type[RunEnd], str] = {
    RunCompleted: "done",
    RunCutOff: "cut off",
    RunFailed: "failed",
    RunCancelled: "cancelled",
}

_OPEN_SESSION = (
    "INSERT INTO session (id, opened, endpoint, model, dialect) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (id) DO UPDATE SET closed = NULL"
)
_CLOSE_SESSION = "UPDATE session SET closed = ? WHERE id = ?"
_KEEP_PREFACE = "UPDATE session SET preface = ? WHERE id = ? AND preface IS NULL"
# A file that is put in the place of another one may hold the run under another key: it moves.
_QUEUE_RUN = (
    "INSERT INTO run (key, id, session_id, started, endpoint, model, dialect, prompt, state)"
    " VALUES (?, ?, ?, ?, '', '', '', ?, 'queued') ON CONFLICT (key) DO NOTHING"
    " ON CONFLICT (id) DO UPDATE SET key = excluded.key, state = 'queued', packed = 0"
)
_STARTED = (
    "started = excluded.started, endpoint = excluded.endpoint, model = excluded.model,"
    " dialect = excluded.dialect, replaces = excluded.replaces, state = 'streaming'"
)
_START_RUN = (
    "INSERT INTO run"  # noqa: S608
    " (key, id, session_id, started, endpoint, model, dialect, prompt, replaces, state)"
    f" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'streaming') ON CONFLICT (key) DO UPDATE SET {_STARTED}"
    f" ON CONFLICT (id) DO UPDATE SET key = excluded.key, packed = 0, {_STARTED}"
)
_END_RUN = "UPDATE run SET state = ?2, ended = ?3 WHERE key = ?1"

_PROMISES = (RunQueued, RunStarted, *RUN_ENDS)


class _Draft:
    """A tick while its events are gone through."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.ended: list[int] = []
        self.promised = False


class Ledger:
    """Knows which sessions and runs are open; used by one thread.

    Runs have numbers of its own, from 1 on: their keys are known only once there is a file.
    """

    def __init__(self) -> None:
        self._facts_of: dict[str, list[Fact]] = {}
        self._over: list[str] = []
        self._private: set[str] = set()
        self._numbers: dict[str, int] = {}
        self._last_number = 0

    def tick(self, arrivals: Arrivals) -> Tick:
        """What to write of events, of which there is at least one."""
        clock, draft, values = arrivals.clock, _Draft(), arrivals.values
        for place in arrivals.whole:
            values[place] = self._note(values[place], draft)
        pieces: defaultdict[str, list[Value]] = defaultdict(list)
        # Tens of thousands a second: each call here counts.
        for run_id, seq, mono, content in arrivals.rows():
            moment = int((mono - clock.start) * UNITS_PER_SECOND)
            pieces[run_id].extend((seq - clock.seq, moment, content))
        # What is private has no number.
        numbered = {self._numbers[name]: of for name, of in pieces.items() if name in self._numbers}
        encoded = encode_tick(numbered) if numbered else b""
        return Tick(draft.facts, clock, encoded, draft.ended, draft.promised)

    def unsettled(self) -> Tick:
        """What a new file has to know so that all that is not settled can be written to it."""
        facts = [fact for facts in self._facts_of.values() for fact in facts]
        ended = [self._numbers[name] for name in self._over if name in self._numbers]
        return Tick(facts, ended=ended, promised=True)

    def numbers(self) -> list[int]:
        """The numbers of the runs that are not settled."""
        return list(self._numbers.values())

    def settle(self) -> None:
        """All that was given out is written: forget what is over."""
        for name in self._over:
            self._facts_of.pop(name, None)
            self._numbers.pop(name, None)
        self._over.clear()

    def _note(self, event: Event, draft: _Draft) -> Body:
        """Keep what an event says of its session or run; returns its body as it is stored."""
        body = event.body
        if isinstance(body, SessionOpened) and body.private:
            self._private.add(event.session_id)
        if event.session_id in self._private:
            return body
        match body:
            case SessionOpened():
                draft.facts += self._open_session(event, body)
            case SessionClosed():
                draft.facts += self._close_session(event)
            case RunQueued():
                draft.facts += self._queue_run(event, body)
            case RunStarted():
                draft.facts += self._start_run(event, body)
                body = without_history(body)
            case RunCompleted() | RunCutOff() | RunFailed() | RunCancelled():
                draft.facts += self._end_run(event, draft, _ENDS[type(body)])
        draft.promised |= isinstance(body, _PROMISES)
        return body

    def _open_session(self, event: Event, body: SessionOpened | RunStarted) -> list[Fact]:
        names = body.endpoint, body.model, body.dialect
        return self._keep(event.session_id, _OPEN_SESSION, (event.session_id, event.time, *names))

    def _close_session(self, event: Event) -> list[Fact]:
        self._over.append(event.session_id)
        return self._keep(event.session_id, _CLOSE_SESSION, (event.time, event.session_id))

    def _queue_run(self, event: Event, body: RunQueued) -> list[Fact]:
        values = (event.run_id, event.session_id, event.time, body.prompt)
        return self._keep(event.run_id, _QUEUE_RUN, values, self._number(event.run_id))

    def _start_run(self, event: Event, body: RunStarted) -> list[Fact]:
        whom = body.endpoint, body.model, body.dialect
        values = (event.run_id, event.session_id, event.time, *whom, body.prompt, body.replaces)
        facts = self._keep(event.run_id, _START_RUN, values, self._number(event.run_id))
        return facts + self._preface(event, body)

    def _end_run(self, event: Event, draft: _Draft, state: str) -> list[Fact]:
        number = self._numbers.get(event.run_id)
        if number is None:
            # A prompt that was refused before it became a run.
            return []
        draft.ended.append(number)
        self._over.append(event.run_id)
        return self._keep(event.run_id, _END_RUN, (state, event.time), number)

    def _preface(self, event: Event, body: RunStarted) -> list[Fact]:
        """What precedes the first run of a session; its later runs are preceded by its earlier
        ones, which have rows of their own."""
        session_id = event.session_id
        # Nobody need have heard of its opening.
        opening = [] if session_id in self._facts_of else self._open_session(event, body)
        if any(fact.sql == _KEEP_PREFACE for fact in self._facts_of[session_id]):
            return opening
        preface = encode_messages(body.messages[:-1])
        return opening + self._keep(session_id, _KEEP_PREFACE, (preface, session_id))

    def _keep(self, name: str, sql: str, values: tuple[Any, ...], run: int = 0) -> list[Fact]:
        # SQLite takes no half of a character.
        clean = (join_surrogates(value) if isinstance(value, str) else value for value in values)
        fact = Fact(sql, tuple(clean), run)
        self._facts_of.setdefault(name, []).append(fact)
        return [fact]

    def _number(self, run_id: str) -> int:
        if run_id not in self._numbers:
            self._last_number += 1
            self._numbers[run_id] = self._last_number
        return self._numbers[run_id]
