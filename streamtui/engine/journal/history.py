"""What the journal knows, read from a connection that need not be able to change anything.

Texts come as they were received: whoever draws them makes them safe.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice
from typing import Any

from streamtui.engine.journal.codec import (
    UNITS_PER_SECOND,
    Clock,
    Row,
    body_of,
    decode_messages,
    decode_piece,
    split_tick,
    unpack,
)
from streamtui.engine.journal.packing import RECORDINGS_OF
from streamtui.engine.reports import RunList, RunSummary, SessionRecord, StoredRun, Workspace
from streamtui.errors import JournalError
from streamtui.events import Event, SessionOpened
from streamtui.safe_text import join_surrogates

EXCERPT_CHARS = 200
RECENT_RUNS = 1_000
"""Looked through one by one for words too short for the index, before the index is asked."""
MOST_TERMS = 500
"""Trigrams that may stand for one such word; more are too common to help."""
MOST_WORDS = 20
"""Words for which the index is asked; those that follow are compared with what it finds."""

_COLUMNS = (
    "run.key, run.id, run.session_id, run.started, run.ended, run.endpoint, run.model,"
    " run.dialect, run.state, run.prompt, run.answer"
)
_NEWEST = f"SELECT {_COLUMNS} FROM run WHERE key < ? ORDER BY key DESC"  # noqa: S608
_NOT_INDEXED = f"SELECT {_COLUMNS} FROM run WHERE NOT packed AND key < ? ORDER BY key DESC"  # noqa: S608
_INDEXED = (
    f"SELECT {_COLUMNS} FROM search CROSS JOIN run ON run.key = search.rowid"  # noqa: S608
    " WHERE search MATCH ? AND search.rowid < ? ORDER BY search.rowid DESC"
)
_LAST_KEY = 2**63 - 1

_Found = tuple[Any, ...]


class History:
    """Queries on one connection; used by one thread at a time.

    All raise sqlite3.Error, and JournalError where what is there cannot be understood.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def runs(self, text: str, limit: int, before: int | None) -> RunList:
        """Runs that hold all words of `text`, newest first; `before` is the key of the last one
        of the page before."""
        # Neither half a character nor a NUL can be asked for.
        words = join_surrogates(text).replace("\0", " ").split()
        hits = (row for row in self._candidates(words, before or _LAST_KEY) if _holds(row, words))
        found = [_summary(row, words) for row in islice(hits, max(limit, 0) + 1)]
        return RunList(tuple(found[:limit]), more=len(found) > limit)

    def run(self, run_id: str) -> StoredRun | None:
        """One run with everything that happened in it; `run_id` may be its beginning."""
        for row in self._beginning_with(run_id, 1):
            summary = _summary(row, ())
            return StoredRun(summary, row[9], row[10], tuple(self._events([summary])))
        return None

    def beginning_with(self, run_id: str, limit: int) -> tuple[RunSummary, ...]:
        """Runs whose ids begin so, newest first; before them the one whose id that is."""
        return tuple(_summary(row, ()) for row in self._beginning_with(run_id, limit))

    def session(self, session_id: str) -> SessionRecord | None:
        """All runs of a session in their order, with what preceded the first."""
        opened = self._connection.execute(
            "SELECT opened, endpoint, model, dialect, preface FROM session WHERE id = ?",
            (join_surrogates(session_id),),
        ).fetchone()
        if opened is None:
            return None
        moment, endpoint, model, dialect, preface = opened
        first = Event(0, moment, 0.0, session_id, "", SessionOpened(endpoint, model, dialect))
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM run WHERE session_id = ? ORDER BY key",  # noqa: S608
            (join_surrogates(session_id),),
        )
        events = self._events([_summary(row, ()) for row in rows])
        return SessionRecord(session_id, decode_messages(preface), (first, *events))

    def workspace(self, name: str) -> Workspace:
        """What was saved under a name; empty when nothing was."""
        row = self._connection.execute(
            "SELECT saved, desk FROM workspace WHERE name = ?", (join_surrogates(name),)
        ).fetchone()
        return Workspace(name, *row) if row else Workspace(name)

    def _beginning_with(self, run_id: str, limit: int) -> list[_Found]:
        wanted = join_surrogates(run_id)
        return self._connection.execute(
            f"SELECT {_COLUMNS} FROM run WHERE id >= ? AND id < ?"  # noqa: S608
            " ORDER BY id = ? DESC, key DESC LIMIT ?",
            (wanted, wanted + "\U0010ffff", wanted, limit),
        ).fetchall()

    def _events(self, runs: Sequence[RunSummary]) -> Iterator[Event]:
        in_log = self._in_log({run.key for run in runs})
        for run in runs:
            for clock, rows in chain(self._recordings(run.key), in_log.get(run.key, ())):
                yield from _events(run, clock, rows)

    def _recordings(self, key: int) -> Iterator[tuple[Clock, list[Row]]]:
        for *clock, recording in self._connection.execute(RECORDINGS_OF, (key,)):
            try:
                yield Clock(*clock), unpack(recording)
            except ValueError as error:
                raise JournalError("its events cannot be read") from error

    def _in_log(self, keys: set[int]) -> dict[int, list[tuple[Clock, list[Row]]]]:
        """What has come of some runs and is not shared out to them yet."""
        found: dict[int, list[tuple[Clock, list[Row]]]] = {}
        for base, *clock, events in self._connection.execute(
            "SELECT base, start, wall, seq, events FROM log ORDER BY key"
        ):
            # What cannot be read here is of many runs; each still has its other rows.
            with suppress(ValueError):
                for number, piece in split_tick(events).items():
                    if base + number in keys:
                        part = Clock(*clock), decode_piece(piece)
                        found.setdefault(base + number, []).append(part)
        return found

    def _candidates(self, words: Sequence[str], before: int) -> Iterator[_Found]:
        """Rows that may hold the words, newest first, those that do among them."""
        if not words:
            yield from self._connection.execute(_NEWEST, (before,))
            return
        if all(len(word) < 3 for word in words):
            key = before
            for row in self._connection.execute(f"{_NEWEST} LIMIT {RECENT_RUNS}", (before,)):
                key = row[0]
                yield row
            before = key
        expression = self._expression(words)
        if expression is None:
            yield from self._connection.execute(_NEWEST, (before,))
            return
        yield from self._merged(expression, before)

    def _merged(self, expression: str, before: int) -> Iterator[_Found]:
        """What the index finds, and between it what is not in the index yet."""
        waiting = self._connection.execute(_NOT_INDEXED, (before,)).fetchall()
        indexed = self._connection.execute(_INDEXED, (expression, before)) if expression else ()
        for row in indexed:
            while waiting and waiting[0][0] > row[0]:
                yield waiting.pop(0)
            yield row
        yield from waiting

    def _expression(self, words: Sequence[str]) -> str | None:
        """What the words have to match in the index: "" when no row does, None when any may."""
        found = [self._term(word) for word in words[:MOST_WORDS]]
        if "" in found:
            return ""
        return " AND ".join(term for term in found if term) or None

    def _term(self, word: str) -> str | None:
        if len(word) >= 3:
            return _quoted(word)
        # Too short for a trigram: all trigrams that begin with it.
        lower = word.lower()
        terms = self._connection.execute(
            "SELECT term FROM search_term WHERE term >= ? AND term < ? LIMIT ?",
            (lower, lower + "\U0010ffff", MOST_TERMS + 1),
        ).fetchall()
        if len(terms) > MOST_TERMS:
            return None
        return f"({' OR '.join(_quoted(term) for (term,) in terms)})" if terms else ""


def _events(run: RunSummary, clock: Clock, rows: Sequence[Row]) -> Iterator[Event]:
    for seq, moment, content in rows:
        mono = clock.start + moment / UNITS_PER_SECOND
        time, body = mono + clock.wall, body_of(content)
        yield Event(clock.seq + seq, time, mono, run.session_id, run.run_id, body)


def _quoted(word: str) -> str:
    doubled = word.replace('"', '""')
    return f'"{doubled}"'


def _holds(row: _Found, words: Sequence[str]) -> bool:
    if not words:
        return True
    texts = f"{row[9]}\0{row[10]}".lower()
    return all(word.lower() in texts for word in words)


def _summary(row: _Found, words: Sequence[str]) -> RunSummary:
    key, run_id, session_id, started, ended, endpoint, model, dialect, state, prompt, answer = row
    return RunSummary(
        key=key,
        run_id=run_id,
        session_id=session_id,
        started=started,
        ended=ended,
        endpoint=endpoint,
        model=model,
        dialect=dialect,
        state=state,
        prompt=_excerpt(prompt, words),
        answer=_excerpt(answer, words),
        answer_chars=len(answer),
    )


def _excerpt(text: str, words: Sequence[str]) -> str:
    """The part of a text around the first word found in it, else its beginning."""
    lower = text.lower() if words else text
    # Lower case can be longer than what it comes from; the place is then only near.
    places = [place for word in words if (place := lower.find(word.lower())) >= 0]
    start = max(0, min(places, default=0) - EXCERPT_CHARS // 4)
    before, after = "…" if start else "", "…" if len(text) > start + EXCERPT_CHARS else ""
    return f"{before}{text[start : start + EXCERPT_CHARS]}{after}"
