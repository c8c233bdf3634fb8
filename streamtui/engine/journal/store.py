"""The journal's database as its one writer uses it: transactions, durability, repair.

Used by one thread, and blocks as long as the disk does.
"""

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from streamtui.engine.journal import files, wal
from streamtui.engine.journal.codec import Clock, pack, split_tick
from streamtui.engine.journal.ledger import Fact, Recorded, Tick
from streamtui.engine.journal.packing import PAIR_END, RECORDINGS_OF, Packing
from streamtui.engine.journal.reader import Reader
from streamtui.engine.journal.schema import VERSION, migrate, refuse_strange

BUSY_SECONDS = 5.0
"""How long another process that writes is waited for."""
CHECK_SECONDS = 0.1
"""How long the file is looked through when it is opened; a large one is not looked through to its
end, and damage beyond is found when it is read."""
AUTOCHECKPOINT_PAGES = 1_000
"""How long SQLite's own log grows before it is folded into the file."""
_LOG_BYTES = 16 * 1024 * 1024
"""How much of SQLite's own log stays on disk after a burst."""
_MOST_RUNS = 1_000_000
"""More than one engine ever begins."""

_UNWRITABLE = (
    OverflowError,
    UnicodeError,
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)
"""What is wrong with one statement's values rather than with the database."""

logger = logging.getLogger(__name__)


class Damage(NamedTuple):
    """A file that could not be read, and where it was put."""

    reason: str
    kept_as: str


def open_store(
    path: Path, *, on_damage: Callable[[Damage], None], same_boot: bool, damaged: str = ""
) -> "Store":
    """The journal in `path`, which need not be there. One that cannot be read is put aside.

    `damaged` says that and why it could not be read before. Raises JournalError, OSError or
    sqlite3.Error where none can be had.
    """
    files.prepare(path)
    reason = damaged or _visible_damage(path, same_boot=same_boot)
    if not reason:
        try:
            return Store(path)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            reason = str(error)
    on_damage(Damage(reason, str(files.set_aside(path))))
    files.prepare(path)
    return Store(path)


def is_damage(error: BaseException) -> bool:
    """Whether an error says that the file itself is broken, not that it is busy or has no room."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def _visible_damage(path: Path, *, same_boot: bool) -> str:
    """What SQLite would take for something else."""
    if files.lost_its_content(path):
        return "its content is gone"
    if same_boot and wal.is_damaged(path):
        return "its log is damaged"
    return ""


class Store:
    """An open database. `path` None keeps everything in memory, as long as the process lives."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._level = ""
        self.reader: Reader | None = None
        """For other threads; closed with the store."""
        self._connection = sqlite3.connect(
            path or ":memory:", timeout=BUSY_SECONDS, isolation_level=None
        )
        try:
            if path is not None:
                self._identity = files.identity(path)
                self.reader = Reader(path)
            self._prepare()
        except BaseException:
            self.abandon()
            raise

    def close(self) -> None:
        """Write everything into the file itself and leave it."""
        if not self.is_in_place():
            self.abandon()
            return
        # SQLite folds its log when the last connection leaves, which has to be one that can.
        if self.reader is not None:
            self.reader.close()
        with suppress(sqlite3.Error):
            # Another process that reads need not be waited for: what is in the log is safe there.
            self._connection.execute("PRAGMA busy_timeout = 200")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()

    def abandon(self) -> None:
        """Leave the file and its companions as they are."""
        # A connection folds the log into the file when it is the last to leave, even into a file
        # that is damaged, and deletes what has the log's name. The reader keeps it from being the
        # last, and cannot do it itself.
        self._connection.close()
        if self.reader is not None:
            self.reader.close()

    def is_in_place(self) -> bool:
        """Whether what is written can still be found under the name of the file."""
        if self._path is None:
            return True
        try:
            return files.identity(self._path) == self._identity
        except FileNotFoundError:
            return False
        except OSError:
            # What cannot be seen for now may well be there.
            return True

    @property
    def connection(self) -> sqlite3.Connection:
        """For reading on the writer's own thread."""
        return self._connection

    def write(self, ticks: Sequence[Tick], *, durably: bool) -> int:
        """All of it or nothing; with `durably` it survives a power failure once this returns.

        Returns how many bytes were left out since nothing can store them. Raises sqlite3.Error;
        the database is then as it was.
        """
        lost, log_key = 0, self.packing.last_row
        with self.transaction(durably=durably):
            for tick in ticks:
                lost += sum(self._write_fact(fact) for fact in tick.facts)
                for recorded in tick.recorded:
                    self._write_recorded(recorded)
                if tick.events:
                    log_key += 1
                    values = (log_key, self._base, *tick.clock, tick.events)
                    self._connection.execute(_ADD_TO_LOG, values)
        for tick in ticks:
            self.packing.wrote(len(tick.events), [self._base + number for number in tick.ended])
        return lost

    def make_durable(self) -> None:
        """What was written so far survives a power failure. Raises sqlite3.Error."""
        with self.transaction(durably=True):
            pass

    def rescue(self, runs: Sequence[int]) -> list[Recorded]:
        """What can still be read of some runs, given by their numbers."""
        numbers = {self._base + number: number for number in runs}
        found: list[Recorded] = []
        for run_key, number in numbers.items():
            for *clock, events in self._readable(RECORDINGS_OF, run_key):
                found.append(Recorded(number, Clock(*clock), events))
        return found + self._rescue_log(numbers)

    def save_workspace(self, name: str, desk: bytes, now: float) -> None:
        """Keep a workspace in the place of what was kept under its name."""
        with self.transaction():
            self._connection.execute(
                "INSERT OR REPLACE INTO workspace VALUES (?, ?, ?)", (name, now, desk)
            )

    def delete_runs(self, run_ids: Sequence[str]) -> None:
        """Remove runs, and sessions that have no others.

        Pieces of their words stay in free space of the file until that is used again, or purged.
        """
        self.packing.finish()
        with self.transaction(durably=True):
            for run_id in run_ids:
                self._delete_run(run_id)
            self._connection.execute(_DELETE_EMPTY_SESSIONS)

    def purge(self) -> None:
        """Remove everything but what still streams, from the file's free space and log too."""
        self.packing.finish()
        with self.transaction(durably=True):
            for statement in _PURGE:
                self._connection.execute(statement)
        self._connection.execute("VACUUM")
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def transaction(self, *, durably: bool = False) -> Iterator[None]:
        """All that is done within or nothing. Raises sqlite3.Error."""
        # In WAL mode NORMAL syncs only when the log is folded back into the file.
        level = "FULL" if durably or not self._has_wal else "NORMAL"
        if level != self._level:
            self._connection.execute(f"PRAGMA synchronous = {level}")
            self._level = level
        # A deferred transaction that turns to writing fails at once where another one writes.
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            if durably:
                # What changes nothing is not synced either, nor then what was written before it.
                self._connection.execute(f"PRAGMA user_version = {VERSION}")
            self._connection.execute("COMMIT")
        except BaseException:
            # A full disk has rolled it back already.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def _prepare(self) -> None:
        execute = self._connection.execute
        on_network = self._path is not None and files.is_on_network(self._path)
        if not on_network:
            self._hold()
        refuse_strange(self._connection)
        self._has_wal = self._path is not None and not on_network and self._set_wal()
        if self._path is not None and not self._has_wal:
            logger.warning("the filesystem of the journal has no shared memory; it is slower there")
            execute("PRAGMA journal_mode = TRUNCATE")
        execute("PRAGMA cell_size_check = ON")
        # On macOS only this makes a disk write what it was told to.
        execute("PRAGMA fullfsync = ON")
        # What is deleted all the time is only what has been written elsewhere.
        execute("PRAGMA secure_delete = FAST")
        execute(f"PRAGMA wal_autocheckpoint = {AUTOCHECKPOINT_PAGES}")
        execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
        self._check()
        migrate(self._connection)
        self._hold()
        self._end_what_was_left()
        (self._base,) = execute(_LAST_KEY, (_MOST_RUNS,)).fetchone()
        self.packing = Packing(self._connection, self.transaction)

    def _set_wal(self) -> bool:
        (mode,) = self._connection.execute("PRAGMA journal_mode = WAL").fetchone()
        return bool(mode == "wal")

    def _hold(self) -> None:
        """Let the reader hold the file open, which it does from its first look on."""
        # What only a writer can mend is for the writer to find.
        if self.reader is not None:
            with suppress(sqlite3.OperationalError):
                self.reader.look()

    def _check(self) -> None:
        """Look for damage, but not for long."""
        # It asks nobody whether to go on while it is within a table: somebody else has to end it.
        end = threading.Timer(CHECK_SECONDS, self._connection.interrupt)
        end.start()
        try:
            (found,) = self._connection.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_INTERRUPT:
                raise
            return
        finally:
            end.cancel()
            end.join()
        if found != "ok":
            damage = sqlite3.DatabaseError(found)
            damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise damage

    def _end_what_was_left(self) -> None:
        """Nobody writes any more to what is open in the file."""
        if any(self._connection.execute(left).fetchone() for left in _LEFT):
            with self.transaction(durably=True):
                for statement in _END_WHAT_WAS_LEFT:
                    self._connection.execute(statement)

    def _write_fact(self, fact: Fact) -> int:
        """How many bytes nothing can store."""
        values = (self._base + fact.run, *fact.values) if fact.run else fact.values
        try:
            self._connection.execute(fact.sql, values)
        except _UNWRITABLE:
            logger.exception("something could not be written to the journal, and is left out")
            return fact.weight
        return 0

    def _write_recorded(self, recorded: Recorded) -> None:
        values = (self._base + recorded.run, *recorded.clock, recorded.recording)
        self._connection.execute(_ADD_RECORDING, values)

    def _rescue_log(self, numbers: Mapping[int, int]) -> list[Recorded]:
        shares: dict[int, tuple[Clock, list[msgspec.Raw]]] = {}
        for (log_key,) in self._readable("SELECT key FROM log ORDER BY key"):
            for base, *clock, events in self._readable(_LOG_ROW, log_key):
                with suppress(ValueError):
                    for number, piece in split_tick(events).items():
                        _, pieces = shares.setdefault(base + number, (Clock(*clock), []))
                        pieces.append(piece)
        return [
            Recorded(numbers[run_key], clock, pack(pieces))
            for run_key, (clock, pieces) in shares.items()
            if run_key in numbers
        ]

    def _readable(self, sql: str, *values: int) -> list[tuple[Any, ...]]:
        """The rows up to the first that cannot be read."""
        found: list[tuple[Any, ...]] = []
        with suppress(sqlite3.Error):
            found.extend(self._connection.execute(sql, values))
        return found

    def _delete_run(self, run_id: str) -> None:
        execute = self._connection.execute
        found = execute(
            "SELECT key, packed, prompt, answer FROM run WHERE id = ?", (run_id,)
        ).fetchone()
        if found is None:
            return
        key, packed, prompt, answer = found
        if packed:
            execute(_FORGET, (key, prompt + PAIR_END, answer + PAIR_END))
        execute("DELETE FROM recording WHERE run_key = ?", (key,))
        execute("DELETE FROM run WHERE key = ?", (key,))


# Without a write-ahead log, what was said to have failed may have been written all the same; it is
# then written again, under the same key.
_ADD_TO_LOG = "INSERT OR IGNORE INTO log VALUES (?, ?, ?, ?, ?, ?)"
_LOG_ROW = "SELECT base, start, wall, seq, events FROM log WHERE key = ?"
_ADD_RECORDING = "INSERT INTO recording (run_key, start, wall, seq, events) VALUES (?, ?, ?, ?, ?)"
_FORGET = "INSERT INTO search (search, rowid, prompt, answer) VALUES ('delete', ?, ?, ?)"
# What is left of the log may tell of runs that were deleted while they streamed: no other run gets
# the key of one of those.
_LAST_KEY = (
    "SELECT max((SELECT coalesce(max(key), 0) FROM run),"
    " (SELECT coalesce(max(base) + ?, 0) FROM log))"
)
_DELETE_EMPTY_SESSIONS = (
    "DELETE FROM session WHERE closed IS NOT NULL AND id NOT IN (SELECT session_id FROM run)"
)
_PURGE = (
    "DELETE FROM run WHERE state NOT IN ('queued', 'streaming')",
    "DELETE FROM recording WHERE run_key NOT IN (SELECT key FROM run)",
    "DELETE FROM log",
    _DELETE_EMPTY_SESSIONS,
    # What still streams is not in the index yet.
    "INSERT INTO search (search) VALUES ('delete-all')",
)
_LEFT = (
    "SELECT 1 FROM run WHERE NOT packed AND state IN ('queued', 'streaming') LIMIT 1",
    "SELECT 1 FROM session WHERE closed IS NULL LIMIT 1",
)
_CLOSED = "(SELECT max(started) FROM run WHERE session_id = session.id)"
_END_WHAT_WAS_LEFT = (
    "UPDATE run SET state = 'interrupted' WHERE NOT packed AND state IN ('queued', 'streaming')",
    f"UPDATE session SET closed = coalesce({_CLOSED}, opened) WHERE closed IS NULL",  # noqa: S608
)
