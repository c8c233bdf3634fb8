"""Why the journal cannot be written, in words, and what to do about it. Pure."""

import errno
import sqlite3

from streamtui.errors import JournalError

_MAKE_ROOM = "Make room; all that waits is then saved"
_AGAIN = "It is tried again"

_WORDS = {
    sqlite3.SQLITE_FULL: ("the disk is full", _MAKE_ROOM),
    sqlite3.SQLITE_BUSY: ("another program holds the file", _AGAIN),
    sqlite3.SQLITE_READONLY: ("the file cannot be written", "Check its permissions"),
    sqlite3.SQLITE_CANTOPEN: ("the file cannot be opened", "Check its folder"),
    sqlite3.SQLITE_IOERR: ("the disk reports an error", "Check the disk"),
}


def words_for(error: Exception) -> tuple[str, str]:
    """A reason, and a hint; both without a final full stop."""
    match error:
        case JournalError():
            return str(error), "Move the file away"
        case MemoryError():
            return "memory is full", _AGAIN
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            return "the disk is full", _MAKE_ROOM
        case OSError():
            reason = error.strerror or "no reason is given"
            return f"the file cannot be made: {reason}", "Check its folder and permissions"
        case _:
            # Its lowest byte is the kind, the others say more of it.
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            return _WORDS.get(code, (f"the database says: {error}", _AGAIN))
