"""What must not stop the journal, lose what it has, or leave anybody waiting."""

import asyncio
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from streamtui.engine.bus import Bus
from streamtui.engine.journal import Journal
from streamtui.engine.journal.history import History
from streamtui.engine.journal.ledger import Ledger
from streamtui.engine.journal.store import Store
from streamtui.errors import JournalError
from streamtui.events import JournalResumed, JournalStopped, RunStarted, SessionClosed
from tests.engine.journal.keeping import Keeping, keeping


async def still_works(kept: Keeping) -> bool:
    kept.open_session("last")
    kept.keep_run("last", "at last", "fine", session_id="last")
    assert await kept.journal.made_safe()
    await kept.until_packed()
    return (await kept.one("last")).answer == "fine"


async def test_a_question_that_nobody_waits_for_any_more_does_no_harm(path: Path) -> None:
    async with keeping(path) as kept:
        began, go_on = threading.Event(), threading.Event()

        def find(_: object) -> None:
            began.set()
            go_on.wait()

        async with asyncio.TaskGroup() as tasks:
            working = tasks.create_task(kept.journal._change(find))
            await asyncio.to_thread(began.wait)
            waiting = tasks.create_task(kept.journal.delete(["r"]))
            safe = tasks.create_task(kept.journal.made_safe())
            await asyncio.sleep(0)
            for task in (working, waiting, safe):
                task.cancel()
            go_on.set()
        assert await still_works(kept)
    assert kept.told == []


async def test_a_question_that_fails_is_answered_with_its_error(path: Path) -> None:
    def fail(_: object) -> None:
        raise KeyError("a bug")

    async with keeping(path) as kept:
        kept.open_session()
        with pytest.raises(KeyError):
            await kept.journal.read(fail)
        with pytest.raises(KeyError):
            await kept.journal._change(fail)
        with pytest.raises(JournalError, match="no such table"):
            await kept.journal._change(lambda store: _execute(store, "DELETE FROM nowhere"))
        assert await still_works(kept)
    assert kept.told == []


def _execute(store: Store, sql: str) -> None:
    store.connection.execute(sql)


async def test_whoever_is_told_may_fail(path: Path) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("the loop is closed")

    path.parent.mkdir()
    path.write_bytes(b"no database" * 1000)
    bus = Bus(time.time, time.monotonic)
    journal = Journal(path, bus, fail)
    assert await journal.made_safe()
    assert await asyncio.to_thread(journal.close)


@pytest.mark.usefixtures("quick_retries")
async def test_a_bug_is_told_and_costs_only_what_it_met(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tick = Ledger.tick

    def fail_on_bait(self: Ledger, arrivals: Any) -> Any:
        found = tick(self, arrivals)
        if any(content == "bait" for *_, content in arrivals.rows()):
            raise ZeroDivisionError
        return found

    monkeypatch.setattr(Ledger, "tick", fail_on_bait)
    async with keeping(path) as kept:
        kept.open_session()
        kept.start()
        assert await kept.journal.made_safe()
        kept.stream("bait")
        stopped = await kept.until_told(JournalStopped)
        assert isinstance(stopped, JournalStopped)
        assert "bug" in stopped.reason
        resumed = await kept.until_told(JournalResumed)
        assert isinstance(resumed, JournalResumed)
        assert resumed.lost == len("bait")
        assert await still_works(kept)


@pytest.mark.usefixtures("quick_retries")
async def test_a_bug_while_it_is_asked_leaves_nobody_waiting(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with keeping(path) as kept:
        assert await kept.journal.made_safe()
        with monkeypatch.context() as broken:
            broken.setattr("streamtui.engine.journal.writer.Writer._do", _fail)
            with pytest.raises(JournalError, match="bug"):
                await kept.journal.delete(["r"])
        await kept.until_told(JournalResumed)
        assert await still_works(kept)


def _fail(*_: object) -> None:
    raise ZeroDivisionError


async def test_all_who_wait_when_it_is_closed_are_answered(path: Path) -> None:
    kept = Keeping(path)
    began, go_on = threading.Event(), threading.Event()

    def hold(_: Store) -> None:
        began.set()
        go_on.wait()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(kept.journal._change(hold))
        await asyncio.to_thread(began.wait)
        questions = [tasks.create_task(_is_refused(kept.journal)) for _ in range(20)]
        safe = [tasks.create_task(kept.journal.made_safe()) for _ in range(20)]
        await asyncio.sleep(0)
        closing = tasks.create_task(asyncio.to_thread(kept.journal.close))
        go_on.set()
    assert closing.result()
    assert {task.result() for task in questions} <= {True, False}
    assert {task.result() for task in safe} <= {True, False}
    assert await _is_refused(kept.journal)
    assert not await kept.journal.made_safe()
    with pytest.raises(JournalError):
        await kept.ids()


async def _is_refused(journal: Journal) -> bool:
    try:
        await journal.save_workspace("w", b"")
    except JournalError:
        return True
    return False


async def test_what_was_said_to_be_safe_was_published_before(path: Path) -> None:
    """However a promise falls between the turns of the writer."""
    async with keeping(path) as kept:
        kept.open_session()
        assert await kept.journal.made_safe()
        with sqlite3.connect(path) as other:
            for number in range(60):
                kept.start(f"r{number}")
                assert await kept.journal.made_safe()
                found = other.execute("SELECT count(*) FROM run").fetchone()
                assert found == (number + 1,)
                await asyncio.sleep(number % 7 / 1000)
        other.close()


async def test_what_was_published_is_found_by_a_question_that_follows(path: Path) -> None:
    async with keeping(path) as kept:
        kept.open_session()
        for number in range(60):
            kept.start(f"r{number}")
            assert (await kept.ids())[0] == f"r{number}"
            await asyncio.sleep(number % 7 / 1000)


async def test_what_is_over_and_written_is_forgotten(path: Path) -> None:
    async with keeping(path) as kept:
        for number in range(20):
            kept.open_session(f"s{number}")
            kept.keep_run(f"r{number}", "Sing", "La", session_id=f"s{number}")
            kept.bus.publish(f"s{number}", "", SessionClosed())
        assert await kept.journal.made_safe()
        ledger = kept.journal._writer._ledger
        assert (ledger.numbers(), ledger.unsettled().facts) == ([], [])


async def test_many_questions_at_once_are_all_answered(path: Path) -> None:
    async with keeping(path) as kept:
        kept.open_session()
        kept.keep_run("r", "Sing", "La")
        await kept.until_packed()
        async with asyncio.TaskGroup() as tasks:
            found = [tasks.create_task(kept.ids("Sing")) for _ in range(50)]
    assert [task.result() for task in found] == [["r"]] * 50


async def test_prompts_and_names_in_half_characters_are_kept(path: Path) -> None:
    async with keeping(path) as kept:
        kept.open_session("s\ud800")
        kept.start("r\ud800", "half \ud800 character", "s\ud800")
        kept.stream("fine", run_id="r\ud800", session_id="s\ud800")
        kept.end("r\ud800", session_id="s\ud800")
        await kept.until_packed()
        assert await kept.ids("half \ud800") == ["r\ufffd"]
        found = await kept.journal.read(lambda history: history.run("r\ud800"))
        assert found is not None
        assert found.answer == "fine"
        await kept.journal.save_workspace("w", b"desk")
        with pytest.raises(JournalError):
            await kept.journal.save_workspace("\ud800", b"desk")
    assert kept.told == []


async def test_a_run_of_a_session_that_was_opened_before_there_was_a_journal_is_kept(
    path: Path,
) -> None:
    async with keeping(path) as kept:
        kept.start("r", "Sing", "early")
        kept.stream("La", session_id="early")
        kept.end(session_id="early")
        await kept.until_packed()
        session = await kept.journal.read(lambda history: history.session("early"))
    assert session is not None
    assert any(isinstance(event.body, RunStarted) for event in session.events)


async def test_purging_takes_what_was_said_before_a_conversation_that_was_never_closed(
    path: Path,
) -> None:
    died = Keeping(path)
    died.open_session()
    died.start("r", "Sing")
    assert await died.journal.made_safe()
    await asyncio.to_thread(died.journal.close)
    async with keeping(path) as kept:
        await kept.until_packed()
        await kept.journal.purge()
        sessions = await kept.journal.read(_sessions)
    assert sessions == []


def _sessions(history: History) -> list[tuple[str]]:
    return history._connection.execute("SELECT id FROM session").fetchall()


@pytest.mark.parametrize(
    "text",
    [
        "a\0b",
        "\ud800",
        "x " * 300,
        '"' * 400,
        "AND OR NOT",
        "^a",
        "-b",
        "(",
        "a*",
        "{",
        "🫧" * 1000,
    ],
)
async def test_whatever_is_looked_for_there_is_an_answer(path: Path, text: str) -> None:
    async with keeping(path) as kept:
        kept.open_session()
        kept.keep_run("r", "nothing of the kind", "here")
        await kept.until_packed()
        assert await kept.ids(text) == []


@pytest.mark.parametrize("text", ["*", "[a-z]", "?", "", "0199zz", "\ud800", "r"])
async def test_the_beginning_of_an_id_is_no_pattern(path: Path, text: str) -> None:
    async with keeping(path) as kept:
        kept.open_session()
        for run_id in ("r1", "r12", "r2"):
            kept.start(run_id)
        found = await kept.journal.read(lambda history: history.run(text))
        assert (found is not None) == (text in {"", "r"})
        # The whole id of one may be the beginning of another's.
        exact = await kept.journal.read(lambda history: history.run("r1"))
        assert exact is not None
        assert exact.summary.run_id == "r1"
