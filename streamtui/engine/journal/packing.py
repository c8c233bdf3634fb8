"""The log shared out to the runs that it tells of, and what has ended made findable.

Works in slices on the writer's own thread, so that what comes meanwhile waits for little of it.
"""

import logging
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from typing import NamedTuple

import msgspec

from streamtui.engine.journal.codec import (
    UNITS_PER_SECOND,
    Clock,
    Row,
    answer_of,
    encode_piece,
    pack,
    shrink,
    split_tick,
    unpack,
)
from streamtui.events import ErrorInfo, Metrics, RunCutOff

FOLD_BYTES = 4 * 1024 * 1024
"""How long the log grows before it is shared out though no run has ended: so much a process that
was killed leaves to the next one, and so much is read through for a run that still streams."""
FOLD_ROWS = 2_000
"""The same for what streams slowly."""
FOLD_SECONDS = 2.0
"""How long what has ended waits to be findable while much streams beside it."""
SLICE_SECONDS = 0.02
_SMALL_BYTES = 64 * 1024
"""A log so short is shared out as soon as a run ends."""
LONG_BYTES = 256 * 1024
"""A run that has more stays in the recordings that it has: to make one of them would take so long
that what others receive meanwhile waits for the disk longer than it may."""
_FAST, _SMALL = 1, 6
"""Levels of zlib. What streams is not compressed: most of it is written anew when it ends."""
_RECORDINGS_AT_ONCE = 50

INTERRUPTED = ErrorInfo(
    kind="interrupted",
    message="interrupted: streamtui ended while this answer came",
    hint="Ask again for the rest",
)
PAIR_END = "\n\n"
"""After an indexed text, so that its last two characters begin trigrams too; see `history`."""

_ADD = (
    "INSERT INTO recording (run_key, start, wall, seq, events) SELECT ?1, ?2, ?3, ?4, ?5"
    # A run that was deleted while it streamed stays deleted.
    " WHERE EXISTS (SELECT 1 FROM run WHERE key = ?1)"
)
RECORDINGS_OF = "SELECT start, wall, seq, events FROM recording WHERE run_key = ? ORDER BY key"
_FIND = "INSERT INTO search (rowid, prompt, answer) VALUES (?, ?, ?)"

_UNPACKABLE = (
    ValueError,
    OverflowError,
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)
"""What is wrong with one row rather than with the database."""

logger = logging.getLogger(__name__)

Transaction = Callable[[], AbstractContextManager[None]]


class Packing:
    """The packing of one open database."""

    def __init__(self, connection: sqlite3.Connection, transaction: Transaction) -> None:
        self._connection = connection
        self._transaction = transaction
        self._slices: Iterator[None] = iter(())
        self._shared_out = 0.0
        self._unreadable: set[int] = set()
        self.last_row, self._log_rows, self._log_bytes = connection.execute(
            "SELECT coalesce(max(key), 0), count(*), coalesce(sum(length(events)), 0) FROM log"
        ).fetchone()
        """The key of the last row of the log. Keys are never used again while the file is open,
        though none may be left."""
        # Each with the last row that may tell of it.
        self._ended = {
            run_key: self.last_row
            for (run_key,) in connection.execute(
                "SELECT key FROM run WHERE NOT packed AND state NOT IN ('queued', 'streaming')"
            )
        }
        self._long: list[int] = []
        """The recordings of long runs that have ended. A process that ends before they are in less
        room leaves them as they are."""

    def wrote(self, size: int, ended: Sequence[int]) -> None:
        """What came was written, as a row of the log if it has a size; these runs ended with it."""
        rows = 1 if size else 0
        self.last_row += rows
        self._log_rows += rows
        self._log_bytes += size
        self._ended |= dict.fromkeys(ended, self.last_row)

    def due_in(self) -> float | None:
        """Seconds until there is something to do; None for nothing."""
        if self._log_bytes >= FOLD_BYTES or self._log_rows >= FOLD_ROWS or self._long:
            return 0.0
        if not self._ended:
            return None
        if self._log_bytes <= _SMALL_BYTES:
            return 0.0
        return max(0.0, self._shared_out + FOLD_SECONDS - time.monotonic())

    def work(self) -> None:
        """Go on for a slice of time. Raises sqlite3.Error; all is then begun again."""
        end = time.monotonic() + SLICE_SECONDS
        while time.monotonic() < end:
            if not self._go_on():
                if self.due_in() != 0.0:
                    return
                self._slices = self._share_out()

    def finish(self) -> None:
        """Do all that there is. Raises sqlite3.Error."""
        for _ in self._slices:
            pass
        while self._log_rows or self._ended or self._long:
            for _ in self._share_out():
                pass

    def _go_on(self) -> bool:
        return next(self._slices, self) is None

    def _share_out(self) -> Iterator[None]:
        log_keys, upto = self._oldest()
        shares: dict[int, _Share] = {}
        for log_key in log_keys:
            self._split(log_key, shares)
            yield
        recordings = []
        for base, share in shares.items():
            for number, pieces in share.pieces.items():
                recordings.append((base + number, *share.clock, pack(pieces)))
                if len(recordings) % _RECORDINGS_AT_ONCE == 0:
                    yield
        self._replace(log_keys, recordings)
        yield
        while ended := [run_key for run_key, log_key in self._ended.items() if log_key <= upto]:
            self._pack_some(ended)
            yield
        while self._long:
            self._shrink(self._long[-1])
            self._long.pop()
            yield

    def _oldest(self) -> tuple[list[int], int]:
        """The rows of the log that are shared out next, and the last key of which none is left."""
        log_keys: list[int] = []
        size = 0
        for log_key, length in self._connection.execute(
            "SELECT key, length(events) FROM log ORDER BY key"
        ):
            if size >= FOLD_BYTES or len(log_keys) >= FOLD_ROWS:
                return log_keys, log_keys[-1]
            if log_key not in self._unreadable:
                log_keys.append(log_key)
                size += length
        self._log_rows, self._log_bytes = len(log_keys), size
        return log_keys, self.last_row

    def _split(self, log_key: int, shares: dict[int, "_Share"]) -> None:
        """Share out one row."""
        base, *clock, events = self._connection.execute(
            "SELECT base, start, wall, seq, events FROM log WHERE key = ?", (log_key,)
        ).fetchone()
        try:
            of_runs = split_tick(events)
        except ValueError:
            logger.exception("row %d of the journal's log cannot be read; it stays", log_key)
            self._unreadable.add(log_key)
            return
        pieces = shares.setdefault(base, _Share(Clock(*clock), defaultdict(list))).pieces
        for number, piece in of_runs.items():
            pieces[number].append(piece)

    def _replace(self, log_keys: list[int], recordings: Sequence[tuple[object, ...]]) -> None:
        """The shares in the place of the rows of the log that they come from."""
        shared_out = [(log_key,) for log_key in log_keys if log_key not in self._unreadable]
        with self._transaction():
            self._connection.executemany(_ADD, recordings)
            self._connection.executemany("DELETE FROM log WHERE key = ?", shared_out)
        self._log_rows, self._log_bytes = self._connection.execute(
            "SELECT count(*), coalesce(sum(length(events)), 0) FROM log WHERE key > ?",
            (log_keys[-1] if log_keys else self.last_row,),
        ).fetchone()
        self._shared_out = time.monotonic()

    def _pack_some(self, ended: Sequence[int]) -> None:
        """As many of the runs as a slice has time for, but at least one."""
        try:
            packed = self._pack(ended)
        except _UNPACKABLE:
            self._pack_alone(ended[0])
            packed = [ended[0]]
        for run_key in packed:
            del self._ended[run_key]

    def _pack(self, ended: Sequence[int]) -> list[int]:
        # The index is written anew with each transaction: several runs in one cost half as much.
        end = time.monotonic() + SLICE_SECONDS
        packed: list[int] = []
        with self._transaction():
            for run_key in ended:
                self._pack_run(run_key)
                packed.append(run_key)
                if time.monotonic() > end:
                    break
        return packed

    def _pack_alone(self, run_key: int) -> None:
        try:
            self._pack([run_key])
        except _UNPACKABLE:
            logger.exception("run %d could not be packed; what there is of it stays", run_key)

    def _pack_run(self, run_key: int) -> None:
        """One recording of all that came unless it is long; the answer where it is looked for."""
        execute = self._connection.execute
        found = execute(
            "SELECT prompt, state, started FROM run WHERE key = ? AND NOT packed", (run_key,)
        ).fetchone()
        if found is None:
            return
        prompt, state, started = found
        clock, rows, size = self._recorded(run_key, started)
        answer = answer_of(rows)
        added = [_interruption(rows, answer)] if state == "interrupted" else []
        rows += added
        ended = rows[-1][1] / UNITS_PER_SECOND + clock.start + clock.wall if rows else started
        if size <= LONG_BYTES:
            execute("DELETE FROM recording WHERE run_key = ?", (run_key,))
            added = rows
        else:
            self._long += self._recordings_of(run_key)
        if added:
            execute(_ADD, (run_key, *clock, pack([encode_piece(added)], _SMALL)))
        execute(
            "UPDATE run SET answer = ?, ended = coalesce(ended, ?), packed = 1 WHERE key = ?",
            (answer, ended, run_key),
        )
        execute(_FIND, (run_key, prompt + PAIR_END, answer + PAIR_END))

    def _recordings_of(self, run_key: int) -> list[int]:
        found = self._connection.execute("SELECT key FROM recording WHERE run_key = ?", (run_key,))
        return [recording_key for (recording_key,) in found]

    def _shrink(self, recording_key: int) -> None:
        """One recording of a long run."""
        execute = self._connection.execute
        found = execute("SELECT events FROM recording WHERE key = ?", (recording_key,)).fetchone()
        if found is not None:
            with self._transaction(), suppress(ValueError):
                values = shrink(found[0], _FAST), recording_key
                execute("UPDATE recording SET events = ? WHERE key = ?", values)

    def _recorded(self, run_key: int, started: float) -> tuple[Clock, list[Row], int]:
        """All that came of a run, and how many bytes its recordings have."""
        clock, size = Clock(0.0, started, 0), 0
        rows: list[Row] = []
        for *found, recording in self._connection.execute(RECORDINGS_OF, (run_key,)):
            clock = clock if rows else Clock(*found)
            rows += unpack(recording)
            size += len(recording)
        return clock, rows, size


class _Share(NamedTuple):
    """What some rows of the log hold of the runs of one process."""

    clock: Clock
    pieces: defaultdict[int, list[msgspec.Raw]]


def _interruption(rows: Sequence[Row], answer: str) -> Row:
    """How a run ends whose process is gone."""
    seq, moment = (rows[-1][0] + 1, rows[-1][1]) if rows else (0, 0)
    return seq, moment, RunCutOff(INTERRUPTED, Metrics(text_chars=len(answer)))
