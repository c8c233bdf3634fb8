import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from streamtui.engine.journal import schema
from streamtui.errors import JournalError
from streamtui.events import JournalStopped
from tests.engine.journal.keeping import keeping

SECOND = "ALTER TABLE run ADD COLUMN stars INTEGER NOT NULL DEFAULT 0;"


def tables(database: sqlite3.Connection) -> set[str]:
    return {name for (name,) in database.execute("SELECT name FROM sqlite_schema")}


def version(database: sqlite3.Connection) -> tuple[int, int]:
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (number,) = database.execute("PRAGMA user_version").fetchone()
    return application, number


def add_migration(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    monkeypatch.setattr(schema, "_MIGRATIONS", (*schema._MIGRATIONS, script))
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    monkeypatch.setattr("streamtui.engine.journal.store.VERSION", schema.VERSION)


def test_an_empty_file_becomes_a_journal() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        schema.refuse_strange(database)
        schema.migrate(database)
        assert version(database) == (schema.APPLICATION_ID, schema.VERSION)
        assert {"session", "run", "log", "recording", "workspace", "search"} <= tables(database)
        schema.migrate(database)
        schema.refuse_strange(database)


def test_a_migration_that_is_interrupted_leaves_the_older_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        schema.migrate(database)
        before = database.execute("SELECT * FROM sqlite_schema").fetchall()
        add_migration(monkeypatch, SECOND + "INSERT INTO nowhere VALUES (1);")
        with pytest.raises(sqlite3.OperationalError):
            schema.migrate(database)
        assert not database.in_transaction
        assert version(database) == (schema.APPLICATION_ID, schema.VERSION - 1)
        assert database.execute("SELECT * FROM sqlite_schema").fetchall() == before


async def test_an_older_journal_is_brought_to_the_newest_version_with_all_that_is_in_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with keeping(path) as kept:
        kept.open_session()
        kept.keep_run("old", "from before")
    add_migration(monkeypatch, SECOND)
    async with keeping(path) as again:
        again.open_session()
        again.keep_run("new", "from now")
        await again.until_packed()
        assert await again.ids("from") == ["new", "old"]
    assert again.told == []
    with closing(sqlite3.connect(path)) as database:
        assert version(database) == (schema.APPLICATION_ID, schema.VERSION)
        assert database.execute("SELECT stars FROM run").fetchall() == [(0,), (0,)]


async def test_a_journal_that_cannot_be_migrated_is_told_and_left_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with keeping(path) as kept:
        kept.open_session()
        kept.keep_run("old", "from before")
        await kept.until_packed()
    with monkeypatch.context() as broken:
        add_migration(broken, SECOND + "INSERT INTO nowhere VALUES (1);")
        async with keeping(path) as refused:
            stopped = await refused.until_told(JournalStopped)
            assert isinstance(stopped, JournalStopped)
            assert "nowhere" in stopped.reason
    async with keeping(path) as again:
        assert await again.ids("before") == ["old"]
    assert again.told == []


def test_a_database_with_a_version_of_another_program_is_not_taken_for_a_journal() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        database.executescript("CREATE TABLE run (x); PRAGMA user_version = 1;")
        with pytest.raises(JournalError, match="another program"):
            schema.refuse_strange(database)
