"""What the journal keeps and how it is found again, on a real file."""

import asyncio
import os
import sqlite3
from pathlib import Path

import pytest

from streamtui.engine.journal import Journal
from streamtui.events import (
    AttemptStarted,
    Chunk,
    ErrorInfo,
    JournalStopped,
    Message,
    Metrics,
    ReasoningDelta,
    RunCancelled,
    RunCutOff,
    RunFailed,
    RunQueued,
    RunStarted,
)
from tests.engine.journal.keeping import Keeping, keeping


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.db"


async def test_a_run_is_kept_with_its_answer_and_every_event(path: Path) -> None:
    async with keeping(path) as kept:
        kept.open_session()
        kept.start(prompt="Sing")
        kept.say("r", AttemptStarted(1, 3, "direct", "mirror", "m"))
        kept.stream("La ", "la ", "la")
        kept.end()
        await kept.until_packed()
        run = await kept.journal.read(lambda history: history.run("r"))
    assert run is not None
    assert (run.prompt, run.answer, run.summary.state) == ("Sing", "La la la", "done")
    assert [type(event.body).__name__ for event in run.events] == [
        "RunStarted",
        "AttemptStarted",
        "Chunk",
        "Chunk",
        "Chunk",
        "RunCompleted",
    ]
    times = [event.mono for event in run.events]
    assert times == sorted(times)
    assert {(event.session_id, event.run_id) for event in run.events} == {("s", "r")}


async def test_everything_is_there_for_the_next_process(path: Path) -> None:
    async with keeping(path) as kept:
        kept.open_session()
        kept.keep_run("r", "Sing", "La la")
    async with keeping(path) as again:
        assert (await again.one()).state == "done"
        await again.until_packed()
        assert (await again.one()).answer == "La la"
    assert [file.name for file in sorted(path.parent.iterdir())] == [
        "journal.db",
        "journal.db.lock",
    ]


async def test_a_prompt_is_on_disk_when_it_is_said_to_be_safe(path: Path) -> None:
    async with keeping(path) as kept:
        kept.open_session()
        kept.start(prompt="Precious")
        assert await kept.journal.made_safe()
        with sqlite3.connect(path) as other:
            assert other.execute("SELECT prompt, state FROM run").fetchall() == [
                ("Precious", "streaming")
            ]
        other.close()


async def test_a_queued_prompt_is_kept_before_it_starts(path: Path) -> None:
    async with keeping(path) as kept:
        kept.open_session()
        kept.say("r", RunQueued("Wait for me", 1))
        assert (await kept.one()).state == "queued"
        kept.start(prompt="Wait for me")
        assert (await kept.one()).state == "streaming"


@pytest.mark.parametrize(
    ("body", "state"),
    [
        (RunCancelled(Metrics()), "cancelled"),
        (RunFailed(ErrorInfo("server", "no"), Metrics()), "failed"),
        (RunCutOff(ErrorInfo("truncated", "gone"), Metrics()), "cut off"),
    ],
)
async def test_a_run_is_kept_with_how_it_ended(
    path: Path, body: RunCancelled | RunFailed | RunCutOff, state: str
) -> None:
    async with keeping(path) as kept:
        kept.open_session()
        kept.start()
        kept.stream("half")
        kept.end(body=body)
        await kept.until_packed()
        run = await kept.one()
        assert (run.state, run.answer) == (state, "half")


async def test_what_streamed_when_the_process_died_is_interrupted_and_kept(path: Path) -> None:
    died = Keeping(path)
    died.open_session()
    died.start(prompt="Sing")
    died.stream("La ", "la")
    died.say("waiting", RunQueued("And then", 1))
    assert await died.journal.made_safe()
    image = _copy_of(path, path.parent.parent / "after")
    async with keeping(image) as again:
        await again.until_packed()
        runs = {run.run_id: run for run in (await again.runs()).runs}
        assert (runs["r"].state, runs["r"].answer) == ("interrupted", "La la")
        assert (runs["waiting"].state, runs["waiting"].prompt) == ("interrupted", "And then")
        stored = await again.journal.read(lambda history: history.run("r"))
        assert stored is not None
        end = stored.events[-1].body
        assert isinstance(end, RunCutOff)
        assert (end.error.kind, end.metrics.text_chars) == ("interrupted", 5)
    await asyncio.to_thread(died.journal.close)


async def test_a_conversation_comes_back_in_its_order_with_what_preceded_it(path: Path) -> None:
    earlier = (Message("system", "Be brief."), Message("user", "a"), Message("assistant", "b"))
    async with keeping(path) as kept:
        kept.open_session()
        kept.start("r1", "one", earlier=earlier)
        kept.stream("1", run_id="r1")
        kept.end("r1")
        answered = (*earlier, Message("user", "one"), Message("assistant", "1"))
        kept.start("r2", "two", earlier=answered)
        session = await kept.journal.read(lambda history: history.session("s"))
    assert session is not None
    assert session.preface == earlier
    started = [event.body for event in session.events if isinstance(event.body, RunStarted)]
    assert [body.prompt for body in started] == ["one", "two"]


async def test_a_private_session_leaves_nothing_in_the_file(path: Path) -> None:
    async with keeping(path) as kept:
        kept.open_session("hidden", private=True)
        kept.keep_run("r", "the secret plan", "hush hush", session_id="hidden")
        assert await kept.ids() == []
    everything = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"secret plan" not in everything
    assert b"hush" not in everything


async def test_in_memory_nothing_is_written_and_all_is_found() -> None:
    async with keeping(None) as kept:
        kept.open_session()
        kept.keep_run("r", "Sing", "La la")
        await kept.until_packed()
        assert await kept.ids("La la") == ["r"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("sparkling", ["en"]),
        ("SPARK", ["en"]),
        ("water bright", ["en"]),
        ("water night", []),
        ("气泡水", ["zh"]),
        ("气泡", ["zh"]),
        ("气", ["zh"]),
        ("光芒", ["zh"]),
        ("🫧", ["en"]),
        ("q", ["quotes", "zh"]),
        ('"', ["quotes"]),
        ('say "so', ["quotes"]),
        ("* OR NEAR(", []),
        ("%", []),
        ("", ["quotes", "zh", "en"]),
    ],
)
async def test_search_finds_words_of_any_length_in_any_script(
    path: Path, text: str, found: list[str]
) -> None:
    async with keeping(path) as kept:
        kept.open_session()
        kept.keep_run("en", "A song about sparkling water", "clear and bright 🫧")
        kept.keep_run("zh", "写一首关于气泡水的诗 q", "杯中有光芒")
        kept.keep_run("quotes", 'They say "so" quietly', "indeed")
        await kept.until_packed()
        assert await kept.ids(text) == found


async def test_the_hit_is_shown_in_its_text(path: Path) -> None:
    async with keeping(path) as kept:
        kept.open_session()
        kept.keep_run("r", "Long", "word " * 500 + "needle" + " word" * 500)
        await kept.until_packed()
        (run,) = (await kept.runs("needle")).runs
    assert "needle" in run.answer
    assert len(run.answer) < 250
    assert run.answer.startswith("…")
    assert run.answer_chars == 5006


async def test_pages_follow_one_another_without_gap_or_repetition(path: Path) -> None:
    async with keeping(path) as kept:
        kept.open_session()
        for number in range(25):
            kept.keep_run(f"r{number:02}", f"question {number}")
        page = await kept.runs(limit=10)
        sizes, ids = [len(page.runs)], [run.run_id for run in page.runs]
        while page.more:
            page = await kept.runs(limit=10, before=page.runs[-1].key)
            sizes.append(len(page.runs))
            ids += [run.run_id for run in page.runs]
    assert sizes == [10, 10, 5]
    assert ids == [f"r{number:02}" for number in reversed(range(25))]


async def test_a_run_is_found_by_the_beginning_of_its_id(path: Path) -> None:
    async with keeping(path) as kept:
        kept.open_session()
        kept.keep_run("0199aa-bb", "one")
        found = await kept.journal.read(lambda history: history.run("0199aa"))
        assert found is not None
        assert found.summary.run_id == "0199aa-bb"
        assert await kept.journal.read(lambda history: history.run("0199ab")) is None


async def test_what_is_deleted_is_gone_from_the_file(path: Path) -> None:
    async with keeping(path) as kept:
        kept.open_session()
        kept.keep_run("keep", "an innocent question")
        kept.keep_run("drop", "the codeword is xylophone", "xylophone it is")
        await kept.until_packed()
        await kept.journal.delete(["drop"])
        assert await kept.ids() == ["keep"]
        assert await kept.ids("xylophone") == []
        await kept.journal.purge()
        assert await kept.ids() == []
        files = [file.read_bytes() for file in path.parent.iterdir()]
    everything = b"".join(files)
    for word in (b"xylophone", b"codeword", b"innocent"):
        assert word not in everything
    # The index keeps pieces of three characters.
    assert b"xyl" not in everything


async def test_what_was_deleted_while_it_streamed_is_in_no_other_run_when_the_process_died(
    path: Path,
) -> None:
    died = Keeping(path)
    died.open_session()
    died.start("gone")
    assert await died.journal.made_safe()
    await died.journal.delete(["gone"])
    died.stream("the codeword", run_id="gone")
    assert await died.journal.made_safe()
    image = _copy_of(path, path.parent.parent / "after")
    async with keeping(image) as kept:
        kept.open_session("s2")
        kept.keep_run("r", "Sing", "La la", session_id="s2")
        await kept.until_packed()
        assert (await kept.one("r")).answer == "La la"
    await asyncio.to_thread(died.journal.close)


async def test_purging_leaves_what_still_streams(path: Path) -> None:
    async with keeping(path) as kept:
        kept.open_session()
        kept.keep_run("old", "done long ago")
        kept.start("live", "still going")
        kept.stream("a ", run_id="live")
        await kept.until_packed()
        await kept.journal.purge()
        kept.stream("b", run_id="live")
        kept.end("live")
        await kept.until_packed()
        assert (await kept.one("live")).answer == "a b"
        assert await kept.ids() == ["live"]


async def test_a_workspace_is_kept_under_its_name(path: Path) -> None:
    async with keeping(path) as kept:
        await kept.journal.save_workspace("default", b"first")
        await kept.journal.save_workspace("default", b"second")
    async with keeping(path) as again:
        found = await again.journal.read(lambda history: history.workspace("default"))
        assert (found.desk, found.saved > 0) == (b"second", True)
        none = await again.journal.read(lambda history: history.workspace("other"))
        assert (none.desk, none.saved) == (b"", 0.0)


async def test_folder_and_files_are_private_whatever_the_umask(path: Path) -> None:
    before = os.umask(0o022)
    try:
        async with keeping(path) as kept:
            kept.open_session()
            kept.start()
            assert await kept.journal.made_safe()
            modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
            assert path.parent.stat().st_mode & 0o777 == 0o700
    finally:
        os.umask(before)
    assert set(modes) == {"journal.db", "journal.db-wal", "journal.db-shm", "journal.db.lock"}
    assert set(modes.values()) == {0o600}


async def test_a_file_that_others_could_read_is_closed_to_them(path: Path) -> None:
    path.parent.mkdir(mode=0o755)
    path.touch(mode=0o644)
    async with keeping(path) as kept:
        kept.open_session()
        assert await kept.journal.made_safe()
    assert path.stat().st_mode & 0o777 == 0o600


async def test_half_a_character_costs_neither_the_journal_nor_the_next_token(path: Path) -> None:
    async with keeping(path) as kept:
        kept.open_session()
        kept.start()
        kept.stream("before ", "\ud83d", " nul\0 ", "after")
        kept.say("r", Chunk((ReasoningDelta("\udc00"),)))
        kept.end()
        await kept.until_packed()
        run = await kept.journal.read(lambda history: history.run("r"))
    assert run is not None
    assert run.answer == "before � nul\0 after"


async def test_a_second_journal_on_the_same_file_says_who_has_it_and_takes_over(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamtui.engine.journal.writer.RETRY_SECONDS", 0.05)
    async with keeping(path) as first:
        first.open_session()
        first.keep_run("a", "from the first")
        assert await first.journal.made_safe()
        second = Keeping(path)
        second.open_session("s2")
        second.keep_run("b", "from the second", session_id="s2")
        stopped = await second.until_told(JournalStopped)
        assert isinstance(stopped, JournalStopped)
        assert "another streamtui" in stopped.reason
        assert not await second.journal.made_safe()
        assert await second.ids() == ["a"]
    while not await second.journal.made_safe():
        pass
    assert await second.ids() == ["b", "a"]
    await asyncio.to_thread(second.journal.close)


async def test_a_symbolic_link_is_never_followed(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("mine")
    path.parent.mkdir()
    path.symlink_to(target)
    async with keeping(path) as kept:
        assert isinstance(await kept.until_told(JournalStopped), JournalStopped)
        assert not await kept.journal.made_safe()
    assert target.read_text() == "mine"


async def test_another_programs_database_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    before = path.read_bytes()
    async with keeping(path) as kept:
        stopped = await kept.until_told(JournalStopped)
        assert isinstance(stopped, JournalStopped)
        assert "another program" in stopped.reason
    assert path.read_bytes() == before


async def test_a_journal_of_a_newer_version_is_left_alone(path: Path) -> None:
    async with keeping(path) as kept:
        kept.open_session()
        assert await kept.journal.made_safe()
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 99")
    other.close()
    async with keeping(path) as again:
        stopped = await again.until_told(JournalStopped)
        assert isinstance(stopped, JournalStopped)
        assert "newer streamtui" in stopped.reason
    with sqlite3.connect(path) as other:
        assert other.execute("PRAGMA user_version").fetchone() == (99,)
    other.close()


def test_closing_twice_does_no_harm(path: Path) -> None:
    async def close_twice() -> None:
        kept = Keeping(path)
        journal: Journal = kept.journal
        await asyncio.to_thread(journal.close)
        await asyncio.to_thread(journal.close)
        assert not await journal.made_safe()

    asyncio.run(close_twice())


def _copy_of(path: Path, folder: Path) -> Path:
    """The files as a process that is killed at this moment leaves them."""
    folder.mkdir()
    for file in path.parent.iterdir():
        if not file.name.endswith((".lock", "-shm")):
            (folder / file.name).write_bytes(file.read_bytes())
    return folder / path.name
