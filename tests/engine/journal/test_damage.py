"""A journal that cannot be read: put aside whole, told, and a new one is begun."""

import asyncio
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from streamtui.engine.journal.files import COMPANIONS, beside
from streamtui.engine.journal.visit import reading
from streamtui.errors import JournalError
from streamtui.events import JournalReplaced, JournalResumed
from tests.engine.journal.keeping import Keeping, keeping

RNG = random.Random(34)
PAGE = 4096


def overwrite(file: Path, start: int, size: int) -> None:
    """Garbage in the place of what was there, written by another process.

    A process that closes a file frees all locks that it has on it, those of SQLite too.
    """
    script = "import os, sys; f = open(sys.argv[1], 'r+b'); f.seek(int(sys.argv[2]));"
    script += "f.write(os.urandom(int(sys.argv[3])))"
    command = [sys.executable, "-S", "-c", script, str(file), str(start), str(size)]
    subprocess.run(command, check=True)


def header_overwritten(path: Path) -> None:
    overwrite(path, 0, 100)


def page_in_the_middle_overwritten(path: Path) -> None:
    middle = path.stat().st_size // PAGE // 2
    overwrite(path, middle * PAGE, PAGE)


def truncated_to_half_a_page(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - PAGE // 2)


def truncated_within_the_first_page(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(PAGE // 2)


def random_bytes_instead(path: Path) -> None:
    path.write_bytes(RNG.randbytes(50_000))


def truncated_to_nothing(path: Path) -> None:
    path.write_bytes(b"")


def page_overwritten(path: Path) -> None:
    overwrite(path, 3 * PAGE, 5 * PAGE)


def log_overwritten(path: Path) -> None:
    log = beside(path, "-wal")
    overwrite(log, log.stat().st_size // 2, 100)


def log_header_overwritten(path: Path) -> None:
    overwrite(beside(path, "-wal"), 16, 8)


def log_cut_to_nothing(path: Path) -> None:
    beside(path, "-wal").write_bytes(b"")


def log_cut_in_the_middle(path: Path) -> None:
    log = beside(path, "-wal")
    with log.open("r+b") as file:
        file.truncate(log.stat().st_size // 2)


Harm = Callable[[Path], None]
TO_A_CLOSED_FILE = (
    header_overwritten,
    page_in_the_middle_overwritten,
    truncated_to_half_a_page,
    truncated_within_the_first_page,
    random_bytes_instead,
)
TO_WHAT_A_KILLED_PROCESS_LEFT = (
    truncated_to_nothing,
    page_overwritten,
    log_overwritten,
    log_header_overwritten,
    log_cut_to_nothing,
    log_cut_in_the_middle,
)


async def keep_some(kept: Keeping, runs: int = 30) -> None:
    """Enough that the file has pages of all kinds."""
    kept.open_session()
    for number in range(runs):
        words = " ".join(f"{RNG.randrange(10**6)}" for _ in range(150))
        kept.keep_run(f"old{number}", f"question {number}", words)
    await kept.until_packed()
    assert await kept.journal.made_safe()


@pytest.fixture
async def closed(path: Path) -> Path:
    async with keeping(path) as kept:
        await keep_some(kept)
    return path


@pytest.fixture
async def killed(path: Path, tmp_path: Path) -> Path:
    """The files as a process leaves them that is killed, with a log that is not folded."""
    async with keeping(path) as kept:
        await keep_some(kept)
        # Some of it is in the file too.
        await kept.journal.purge()
        await keep_some(kept)
        kept.start("live", "still going")
        kept.stream("half an ans", run_id="live")
        assert await kept.journal.made_safe()
        shutil.copytree(path.parent, tmp_path / "left")
    return tmp_path / "left" / path.name


@pytest.mark.parametrize("harm", TO_A_CLOSED_FILE, ids=lambda harm: harm.__name__)
async def test_a_damaged_file_is_kept_whole_and_a_new_one_begun(closed: Path, harm: Harm) -> None:
    harm(closed)
    await check_that_it_is_replaced(closed)


@pytest.mark.parametrize("harm", TO_WHAT_A_KILLED_PROCESS_LEFT, ids=lambda harm: harm.__name__)
async def test_damage_to_what_a_killed_process_left_is_seen(killed: Path, harm: Harm) -> None:
    assert beside(killed, "-wal").stat().st_size > 20 * PAGE
    harm(killed)
    await check_that_it_is_replaced(killed)


async def test_what_a_killed_process_left_is_taken_as_it_is(killed: Path) -> None:
    async with keeping(killed) as kept:
        await kept.until_packed()
        run = await kept.one("live")
        assert (run.state, run.answer) == ("interrupted", "half an ans")
        assert len((await kept.runs()).runs) == 31
    assert kept.told == []


async def test_a_log_with_gaps_is_no_damage_after_a_power_failure(killed: Path) -> None:
    # The machine runs since then anew.
    beside(killed, ".lock").write_bytes(b"another boot")
    log_overwritten(killed)
    async with keeping(killed) as kept:
        assert (await kept.runs()).runs is not None
    assert kept.told == []


async def check_that_it_is_replaced(path: Path) -> None:
    """What is live in the moment in which the damage is found is in the new file."""
    before = {end: found for end in COMPANIONS if (found := contents(beside(path, end)))}
    async with keeping(path) as kept:
        kept.open_session("s2")
        kept.start("new", "Sing", "s2")
        kept.stream("La ", run_id="new", session_id="s2")
        replaced = await kept.until_told(JournalReplaced)
        assert isinstance(replaced, JournalReplaced)
        kept.stream("la", run_id="new", session_id="s2")
        assert await kept.journal.made_safe()
        kept.end("new", session_id="s2")
        await kept.until_packed()
        assert await kept.ids("La la") == ["new"]
        assert (await kept.one("new")).answer == "La la"
        session = await kept.journal.read(lambda history: history.session("s2"))
        assert session is not None
    assert kept.told == [replaced]
    # The shared memory of the processes is nobody's any more.
    for end in before.keys() - {"-shm"}:
        assert contents(beside(Path(replaced.kept_as), end)) == before[end], end
    assert ".corrupt-" in replaced.kept_as
    async with keeping(path) as again:
        assert await again.ids() == ["new"]
    assert again.told == []


def contents(file: Path) -> bytes | None:
    return file.read_bytes() if file.exists() else None


@pytest.fixture
async def streaming(closed: Path) -> "Keeping":
    kept = Keeping(closed)
    kept.open_session("s2")
    kept.start("live", "Sing", "s2")
    kept.stream("before ", run_id="live", session_id="s2")
    assert await kept.journal.made_safe()
    return kept


async def test_damage_that_a_reader_meets_costs_nothing_of_what_streams(
    streaming: Keeping,
) -> None:
    assert streaming.path is not None
    overwrite(streaming.path, PAGE, streaming.path.stat().st_size - PAGE)
    with pytest.raises(JournalError):
        await streaming.journal.read(lambda history: history.session("s"))
    await check_that_streaming_went_on(streaming)


async def test_damage_that_the_writer_meets_costs_nothing_of_what_streams(
    streaming: Keeping,
) -> None:
    assert streaming.path is not None
    overwrite(streaming.path, 0, streaming.path.stat().st_size)
    # What it has in memory is forgotten.
    await asyncio.wrap_future(
        streaming.journal._writer.submit(
            lambda store: store.connection.execute("PRAGMA shrink_memory").fetchall()
        )
    )
    number = 0
    while not streaming.told:
        number += 1
        streaming.keep_run(f"short{number}", "Anything", "goes")
        await asyncio.sleep(0.01)
    await check_that_streaming_went_on(streaming)


async def check_that_streaming_went_on(kept: Keeping) -> None:
    kept.stream("after ", run_id="live", session_id="s2")
    replaced = await kept.until_told(JournalReplaced)
    assert isinstance(replaced, JournalReplaced)
    kept.stream("damage", run_id="live", session_id="s2")
    kept.end("live", session_id="s2")
    kept.keep_run("next", "Sing again", "La", session_id="s2")
    await kept.until_packed()
    live, following = await kept.one("live"), await kept.one("next")
    assert (live.state, live.prompt) == ("done", "Sing")
    assert live.answer in {"after damage", "before after damage"}
    assert following.answer == "La"
    await asyncio.to_thread(kept.journal.close)
    assert Path(replaced.kept_as).exists()
    assert not [body for body in kept.told if not isinstance(body, JournalReplaced)]


async def test_a_command_that_meets_damage_says_where_the_file_is_now(closed: Path) -> None:
    header_overwritten(closed)
    with pytest.raises(JournalError, match=r"kept as .*\.corrupt-"), reading(closed):
        pass
    with reading(closed) as history:
        assert history.runs("", 10, None).runs == ()


async def test_a_file_that_is_taken_away_while_it_is_written_is_begun_anew(
    streaming: Keeping, tmp_path: Path
) -> None:
    assert streaming.path is not None
    streaming.path.parent.rename(tmp_path / "elsewhere")
    streaming.stream("after", run_id="live", session_id="s2")
    await streaming.until_told(JournalResumed)
    streaming.end("live", session_id="s2")
    await streaming.until_packed()
    assert (await streaming.one("live")).answer == "before after"
    await asyncio.to_thread(streaming.journal.close)
    with reading(tmp_path / "elsewhere" / streaming.path.name) as history:
        assert len(history.runs("question", 50, None).runs) == 30


async def test_a_copy_in_the_place_of_the_file_gets_what_goes_on(streaming: Keeping) -> None:
    assert streaming.path is not None
    folder = streaming.path.parent
    shutil.copytree(folder, folder.with_name("copy"))
    shutil.rmtree(folder)
    folder.with_name("copy").rename(folder)
    streaming.stream("after", run_id="live", session_id="s2")
    await streaming.until_told(JournalResumed)
    streaming.end("live", session_id="s2")
    await streaming.until_packed()
    live = await streaming.one("live")
    assert (live.state, live.answer) == ("done", "before after")
    assert len(await streaming.ids("question")) == 30
    await asyncio.to_thread(streaming.journal.close)


DAMAGES = int(os.environ.get("STREAMTUI_DAMAGES", "25"))


@pytest.mark.timeout(60 + DAMAGES)
async def test_whatever_is_overwritten_the_journal_goes_on(killed: Path, tmp_path: Path) -> None:
    """Some bytes somewhere; what was kept may be gone, but nothing of what is asked from now on."""
    rng = random.Random()
    seed = rng.randrange(10**9)
    rng.seed(seed)
    for number in range(DAMAGES):
        folder = tmp_path / f"damage{number}"
        shutil.copytree(killed.parent, folder)
        for _ in range(rng.randint(1, 3)):
            file = folder / rng.choice(["journal.db", "journal.db-wal", "journal.db-shm"])
            scribble(file, rng)
        await check_that_it_goes_on(folder / killed.name, seed)
        shutil.rmtree(folder)


def scribble(file: Path, rng: random.Random) -> None:
    content = bytearray(file.read_bytes())
    start = rng.randrange(len(content))
    size = min(rng.choice([1, 4, 100, PAGE]), len(content) - start)
    content[start : start + size] = rng.randbytes(size)
    file.write_bytes(content)


async def check_that_it_goes_on(path: Path, seed: int) -> None:
    async with keeping(path) as kept:
        kept.open_session("s2")
        kept.keep_run("new", "Sing", "La la", session_id="s2")
        for question in ("", "question", "8", "Sing"):
            with suppress(JournalError):
                for run in (await kept.runs(question)).runs:
                    with suppress(JournalError):
                        await kept.stored(run.run_id)
        with suppress(JournalError):
            await kept.journal.delete([f"old{number}" for number in range(10)])
        kept.keep_run("newest", "Sing again", "La", session_id="s2")
        await kept.journal.made_safe()
        await kept.until_packed()
        answers = {run_id: (await kept.stored(run_id)).answer for run_id in ("new", "newest")}
    assert answers == {"new": "La la", "newest": "La"}, seed
    assert {type(body) for body in kept.told} <= {JournalReplaced}, seed
