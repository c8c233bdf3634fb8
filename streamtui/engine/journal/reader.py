"""A connection that can change nothing, for whoever asks; one question at a time."""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from streamtui.engine.journal.history import History

Found = TypeVar("Found")


class Reader:
    """Used from any thread. Raises sqlite3.Error, also for a file that is not there."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(
            f"file:{quote(os.fsencode(path))}?mode=ro",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
        )

    def look(self) -> None:
        """Read something, after which a file that has a write-ahead log is held open."""
        with self._lock:
            self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()

    def find(self, find: Callable[[History], Found]) -> Found:
        """Find something out."""
        with self.history() as history:
            return find(history)

    @contextmanager
    def history(self) -> Iterator[History]:
        """Queries on the file as it is at one moment."""
        with self._lock:
            self._connection.execute("BEGIN")
            try:
                yield History(self._connection)
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Leave the file; what is being asked ends with an error."""
        with suppress(sqlite3.ProgrammingError):
            self._connection.interrupt()
        with self._lock:
            self._connection.close()
