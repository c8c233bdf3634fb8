"""The journal from a process that does not stream into it: a command that lists, shows or deletes.

Where an engine runs, it alone writes; a visitor then only reads beside it.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from streamtui.engine.journal.files import WriterLock
from streamtui.engine.journal.history import History
from streamtui.engine.journal.reader import Reader
from streamtui.engine.journal.store import Damage, Store, open_store
from streamtui.errors import JournalError


@contextmanager
def reading(path: Path) -> Iterator[History]:
    """Queries on a journal. Raises JournalError where it is not there or cannot be read."""
    if not path.exists():
        raise JournalError(f"nothing is kept yet: {path} is not there")
    lock = WriterLock(path)
    try:
        # Without a writer the log's companions may be missing, and a reader cannot make them.
        if lock.take():
            with closing(_opened(path, lock)) as store:
                yield History(store.connection)
        else:
            with closing(Reader(path)) as reader, reader.history() as history:
                yield history
    except (sqlite3.Error, OSError) as error:
        raise JournalError(f"{path} cannot be read: {error}") from error
    finally:
        lock.free()


@contextmanager
def changing(path: Path) -> Iterator[Store | None]:
    """The journal itself; None where an engine runs, which then has to be asked.

    Raises JournalError where it cannot be changed.
    """
    lock = WriterLock(path)
    try:
        if not lock.take():
            yield None
            return
        with closing(_opened(path, lock)) as store:
            yield store
    except (sqlite3.Error, OSError) as error:
        raise JournalError(f"{path} cannot be changed: {error}") from error
    finally:
        lock.free()


def _opened(path: Path, lock: WriterLock) -> Store:
    found: list[Damage] = []
    store = open_store(path, on_damage=found.append, same_boot=lock.same_boot)
    for reason, kept_as in found:
        store.close()
        raise JournalError(
            f"{path} could not be read ({reason}); it is kept as {kept_as}, and a new one begins"
        )
    # What an engine left that was killed gets its end now.
    store.packing.finish()
    return store
