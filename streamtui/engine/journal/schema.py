"""The tables of the journal, and how an older file becomes a newer one. Knows no events.

A file says in `user_version` which of the migrations it has had.
"""

import sqlite3

from streamtui.errors import JournalError

APPLICATION_ID = 0x73747569
"""`stui` in ASCII: another program's database is not taken for a journal."""

# What all runs received between two commits is one row of `log`: rows that are kept sorted by run
# cost many times as much. A moment later it is shared out to the runs as `recording`s, and once a
# run has ended, it has one of these, or some if it is long. See `codec` for what the bytes say.
#
# Trigrams are the only tokenizer of FTS5 that finds words in Chinese.
# https://www.sqlite.org/fts5.html#the_trigram_tokenizer
_FIRST = """
CREATE TABLE session (
    id TEXT PRIMARY KEY,
    opened REAL NOT NULL,
    closed REAL,
    endpoint TEXT NOT NULL,
    model TEXT NOT NULL,
    dialect TEXT NOT NULL,
    preface BLOB
) WITHOUT ROWID;
CREATE TABLE run (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    session_id TEXT NOT NULL,
    started REAL NOT NULL,
    ended REAL,
    endpoint TEXT NOT NULL,
    model TEXT NOT NULL,
    dialect TEXT NOT NULL,
    replaces TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL,
    packed INTEGER NOT NULL DEFAULT 0,
    prompt TEXT NOT NULL,
    answer TEXT NOT NULL DEFAULT ''
);
CREATE INDEX run_of_session ON run (session_id);
CREATE INDEX run_to_pack ON run (key) WHERE NOT packed;
CREATE TABLE log (
    key INTEGER PRIMARY KEY,
    base INTEGER NOT NULL,
    start REAL NOT NULL,
    wall REAL NOT NULL,
    seq INTEGER NOT NULL,
    events BLOB NOT NULL
);
CREATE TABLE recording (
    key INTEGER PRIMARY KEY,
    run_key INTEGER NOT NULL,
    start REAL NOT NULL,
    wall REAL NOT NULL,
    seq INTEGER NOT NULL,
    events BLOB NOT NULL
);
CREATE INDEX recording_of_run ON recording (run_key);
CREATE TABLE workspace (
    name TEXT PRIMARY KEY,
    saved REAL NOT NULL,
    desk BLOB NOT NULL
) WITHOUT ROWID;
CREATE VIRTUAL TABLE search USING fts5 (
    prompt, answer, content = 'run', content_rowid = 'key', tokenize = 'trigram'
);
CREATE VIRTUAL TABLE search_term USING fts5vocab (search, row);
"""

_MIGRATIONS = (_FIRST,)
VERSION = len(_MIGRATIONS)


def refuse_strange(connection: sqlite3.Connection) -> None:
    """Raise JournalError for a file of a newer program or of another one; changes nothing."""
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    (program,) = connection.execute("PRAGMA application_id").fetchone()
    if tables and program != APPLICATION_ID:
        raise JournalError("the file is another program's database")
    version = _version(connection)
    if version > VERSION:
        raise JournalError(
            f"written by a newer streamtui (its version {version}, known here: {VERSION})"
        )


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a file to the newest version, each step all or nothing. Raises sqlite3.Error."""
    for number in range(_version(connection), VERSION):
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE;{_MIGRATIONS[number]}"
                f"PRAGMA application_id = {APPLICATION_ID};"
                f"PRAGMA user_version = {number + 1};COMMIT;"
            )
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)
