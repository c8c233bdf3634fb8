"""`streamtui history`: what the program says of a journal that engines filled."""

import asyncio
import fcntl
import json
import os
import re
import signal
import sqlite3
import stat
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len

from streamtui.cli import journal
from streamtui.cli.output import Trouble
from streamtui.demo.server import DemoServer
from streamtui.engine.doors import FindRuns, PurgeHistory
from streamtui.engine.host.client import AttachedEngine
from streamtui.engine.host.process import attach
from streamtui.engine.reports import RunList
from streamtui.events import Chunk
from streamtui.export import read_jsonl
from streamtui.safe_text import safe_text
from tests.cli.conftest import finish
from tests.cli.past import Past, Terminal, ask, engine, on, past
from tests.cli.test_endings import PAYLOADS, on_a_terminal
from tests.cli.test_run import PROMPT, answer
from tests.engine.host.consoles import SLOW, ConsoleUnderTest
from tests.scripted import text_of

__all__ = ["past"]

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="engines are found through /proc"
)

SECRET = "xyzzy-plugh-0451"


def rows(out: str) -> list[list[str]]:
    """The columns of a list, without its heading."""
    return [re.split(" {2,}", line) for line in out.splitlines()[1:]]


# --- lists -----------------------------------------------------------------------------------


async def test_the_list_says_what_engines_kept(past: Past, server: DemoServer) -> None:
    async with engine() as attached:
        verse = await ask(attached, on(server, "demo/verse"), PROMPT)
        await ask(attached, on(server, "demo/drop"), "Zwei\nZeilen")
        await ask(attached, on(server, "demo/absent"), "to nobody")
    ended = await past.program.run("history")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[0].split() == ["RUN", "WHEN", "STATE", "ENDPOINT", "PROMPT"]
    assert [row[2:] for row in rows(ended.out)] == [
        ["✗ failed", "far/demo/absent", "to nobody"],
        ["↯ cut off", "far/demo/drop", "Zwei⏎Zeilen"],
        ["✓ done", "far/demo/verse", PROMPT],
    ]
    assert verse.startswith(rows(ended.out)[2][0])


async def test_objects_have_the_words_of_run(past: Past, server: DemoServer) -> None:
    async with engine() as attached:
        run_id = await ask(attached, on(server, "demo/drop"), PROMPT)
    ended = await past.program.run("history", "list", "--json")
    (line,) = ended.out.splitlines()
    found = json.loads(line)
    assert (found["run_id"], found["state"], found["prompt"]) == (run_id, "cut_off", PROMPT)
    assert found["answer_chars"] == len(answer("demo/drop"))


async def test_what_streams_is_in_the_list(past: Past) -> None:
    async with engine() as attached:
        attached.ask("slowly", SLOW)
        await attached.until(Chunk)
        listed = await past.program.run("history")
        shown = await past.program.run("history", "show", listed.out.splitlines()[1].split()[0])
    assert listed.out.splitlines()[1].endswith("● streaming  demo/slow  slowly")
    assert "**Still streaming.** What is above is all that came." in shown.out


@pytest.mark.parametrize("command", [["history"], ["history", "list"], ["history", "search", "a"]])
async def test_where_nothing_was_ever_kept_there_is_nothing(past: Past, command: list[str]) -> None:
    ended = await past.program.run(*command)
    words = "Nothing is found.\n" if "search" in command else "Nothing is kept yet.\n"
    assert ended == (0, "", words)
    assert not past.journal.exists()


async def test_objects_of_nothing_are_nothing(past: Past) -> None:
    assert await past.program.run("history", "list", "--json") == (0, "", "")


async def test_so_many_are_listed_and_it_is_said_that_there_are_more(past: Past) -> None:
    await past.keep(*((f"run-{number}", f"prompt {number}", "a") for number in range(5)))
    two = await past.program.run("history", "list", "-n", "2")
    assert [row[-1] for row in rows(two.out)] == ["prompt 4", "prompt 3"]
    assert two.err == "There are older ones: -n 4 shows more.\n"
    all_five = await past.program.run("history", "list", "-n", "500")
    assert (len(rows(all_five.out)), all_five.err) == (5, "")


@pytest.mark.parametrize("columns", [80, 100, 160])
async def test_the_list_fits_its_terminal(past: Past, columns: int) -> None:
    past.program.environ["COLUMNS"] = str(columns)
    await past.keep(*((f"01934f2a-7b1c-{n}", "水 and more " * 30, "a") for n in range(3)))
    code, seen = await on_a_terminal(past.program, "history")
    lines = seen.splitlines()
    assert code == 0
    assert len(lines) == (7 if columns == 80 else 4)
    assert max(map(cell_len, lines)) <= columns
    assert lines[1].split()[0] == "01934f2a-7b1c-2"


# --- search ----------------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["水", "液体", "一种液", "是 液体", "LIQUID", "liq uid"])
async def test_words_of_any_script_and_length_are_found(past: Past, words: str) -> None:
    await past.keep(
        ("run-1", "第二个问题：水是什么？", "水是一种液体, a liquid."),
        ("run-2", "another one", "without it"),
    )
    ended = await past.program.run("history", "search", *words.split(" "))
    assert [row[0] for row in rows(ended.out)] == ["run-1"]


async def test_the_hit_is_shown_in_its_text(past: Past) -> None:
    long = "before " * 200 + "a needle in it" + " after" * 200
    await past.keep(("run-1", "about " + "hay " * 100, long), ("run-2", "no", "no"))
    in_a_pipe = await past.program.run("history", "search", "needle")
    assert "a needle in it" in in_a_pipe.out
    _, seen = await on_a_terminal(past.program, "history", "search", "Needle")
    hit = seen.splitlines()[-1]
    assert "a needle in it" in hit
    assert cell_len(hit) <= 80


async def test_a_search_without_a_hit_says_so(past: Past) -> None:
    await past.keep(("run-1", "a", "b"))
    assert await past.program.run("history", "search", "水") == (0, "", "Nothing is found.\n")


@pytest.mark.parametrize("words", ['"', "*", "a OR b", "NEAR(", "'", "(", "%", "a\udcffb"])
async def test_what_means_something_to_the_database_means_nothing_here(
    past: Past, words: str
) -> None:
    await past.keep(("run-1", "a", "b"))
    assert await past.program.run("history", "search", words) == (0, "", "Nothing is found.\n")


# --- one run ---------------------------------------------------------------------------------


async def test_a_conversation_is_shown_up_to_its_run(past: Past) -> None:
    await past.keep(("run-1", "one?", "One."), ("run-2", "two?", "Two."), ("run-3", "three?", "3"))
    ended = await past.program.run("history", "show", "run-2")
    lines = [line for line in ended.out.splitlines() if line and not line.startswith("*")]
    assert lines == [
        *("# one?", "## User", "> one?", "## mirror m", "One."),
        *("## User", "> two?", "## mirror m", "Two."),
    ]


async def test_hostile_text_is_harmless_on_a_terminal_and_itself_in_a_pipe(past: Past) -> None:
    hostile = "\n".join(payload for payload in PAYLOADS if payload.isascii())
    await past.keep(("run-1", hostile, hostile))
    for command in (["history"], ["history", "show", "run-1"], ["history", "search", "31m"]):
        _, seen = await on_a_terminal(past.program, *command)
        assert not [c for c in seen if ord(c) < 32 and c not in "\n\t"]
    shown = await past.program.run("history", "show", "run-1")
    assert hostile in shown.out.replace("\n> ", "\n")
    assert safe_text(hostile) not in shown.out
    (line,) = (await past.program.run("history", "list", "--json")).out.splitlines()
    assert json.loads(line)["prompt"].startswith(hostile[:200])


@pytest.mark.parametrize("command", ["show", "export", "replay", "delete"])
async def test_a_beginning_that_several_have_is_refused(past: Past, command: str) -> None:
    await past.keep(*((f"0193-{letter}", "a", "b") for letter in "abcdefg"))
    ended = await past.program.run("history", command, "0193-")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "streamtui: several runs begin with “0193-”: "
        "0193-g, 0193-f, 0193-e, 0193-d, 0193-c, …. Give more of the id.\n"
    )


@pytest.mark.parametrize("command", ["show", "export", "replay", "delete"])
@pytest.mark.parametrize("nothing", [False, True])
async def test_a_run_that_is_not_there_is_told(past: Past, command: str, *, nothing: bool) -> None:
    if not nothing:
        await past.keep(("run-1", "a", "b"))
    ended = await past.program.run("history", command, "0193\x1b[31m")
    words = "streamtui: no run begins with “0193␛[31m”. `streamtui history` lists them.\n"
    assert ended == (2, "", words)


async def test_a_whole_id_is_meant_although_another_begins_with_it(past: Past) -> None:
    await past.keep(("run-1", "short", "a"), ("run-12", "long", "b"))
    ended = await past.program.run("history", "export", "run-1", "--run-only", "-o", "-")
    assert ended.out.startswith("# short\n")


# --- removing --------------------------------------------------------------------------------


async def test_runs_are_removed_that_were_named(past: Past) -> None:
    await past.keep(*((f"run-{letter}", f"prompt {letter}", "x") for letter in "abc"))
    ended = await past.program.run("history", "delete", "run-a", "run-c", "run-a", "--yes")
    assert (ended.code, ended.out) == (0, "")
    *listed, last = ended.err.splitlines()
    assert [line.strip() for line in listed if "prompt" in line] == ["prompt a", "prompt c"]
    assert last == "2 runs removed."
    left = await past.program.run("history")
    assert [row[-1] for row in rows(left.out)] == ["prompt b"]


async def test_nothing_is_removed_if_one_is_not_there(past: Past) -> None:
    await past.keep(("run-a", "a", "b"))
    ended = await past.program.run("history", "delete", "run-a", "run-b", "--yes")
    assert ended.code == 2
    assert len(rows((await past.program.run("history")).out)) == 1


@pytest.mark.parametrize("command", [["delete", "run-a"], ["purge"]])
async def test_nobody_is_asked_where_nobody_sits(past: Past, command: list[str]) -> None:
    await past.keep(("run-a", "a", "b"))
    ended = await past.program.run("history", *command, stdin=b"y\n")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.endswith("streamtui: nothing was removed: --yes removes unasked.\n")
    assert len(rows((await past.program.run("history")).out)) == 1


@pytest.mark.parametrize(
    ("keys", "code", "left"),
    [("y\n", 0, 0), ("yes\n", 0, 0), ("n\n", 130, 1), ("\n", 130, 1), ("\x04", 130, 1)],
)
@pytest.mark.parametrize("command", [["delete", "run-a"], ["purge"]])
async def test_who_sits_there_is_asked(
    past: Past, command: list[str], keys: str, code: int, left: int
) -> None:
    await past.keep(("run-a", "the prompt", "b"))
    terminal = Terminal()
    process = await terminal.start(past.program, "history", *command)
    asked = await terminal.until("for good? [y/N] ")
    assert ("the prompt" in asked) == (command[0] == "delete")
    terminal.press(keys)
    said = await terminal.rest()
    assert await process.wait() == code
    assert ("Nothing was removed." in said) == bool(left)
    assert len(rows((await past.program.run("history")).out)) == left


async def test_ctrl_c_answers_no(past: Past) -> None:
    await past.keep(("run-a", "a", "b"))
    terminal = Terminal()
    process = await terminal.start(past.program, "history", "purge")
    await terminal.until("[y/N] ")
    process.send_signal(signal.SIGINT)
    assert "Traceback" not in await terminal.rest()
    assert await process.wait() == 130
    assert len(rows((await past.program.run("history")).out)) == 1


async def test_purging_leaves_nothing_in_the_file(past: Past) -> None:
    await past.keep(*((f"run-{n}", f"prompt {SECRET}", f"answer {SECRET}" * 20) for n in range(9)))
    assert SECRET.encode() in past.bytes()
    ended = await past.program.run("history", "purge", "--yes")
    assert ended == (0, "", "The history is empty, but for what still streams.\n")
    assert SECRET.encode() not in past.bytes()
    assert await past.program.run("history") == (0, "", "Nothing is kept yet.\n")


async def test_an_engine_that_runs_removes_what_is_to_be_removed(
    past: Past, server: DemoServer
) -> None:
    async with engine() as attached:
        first = await ask(attached, on(server, "demo/verse"), f"about {SECRET}")
        await ask(attached, on(server, "demo/verse"), f"more about {SECRET}")
        attached.ask("still under way", SLOW)
        await attached.until(Chunk, also=lambda event: event.run_id != first)
        ended = await past.program.run("history", "delete", first, "--yes")
        assert ended.err.endswith("1 run removed.\n")
        left = await past.program.run("history")
        assert [row[-1] for row in rows(left.out)] == [
            "still under way",
            f"more about {SECRET}",
        ]
        assert SECRET.encode() in past.bytes()
        assert (await past.program.run("history", "purge", "--yes")).code == 0
        assert SECRET.encode() not in past.bytes()
        left = await past.program.run("history")
        assert [row[-1] for row in rows(left.out)] == ["still under way"]


async def test_what_an_engine_keeps_in_its_memory_is_removed_too(
    past: Past, server: DemoServer
) -> None:
    doors = AttachedEngine(await asyncio.to_thread(attach, "memory"))
    attached = ConsoleUnderTest(doors, from_start=True, lost=asyncio.Event())
    await ask(attached, on(server, "demo/verse"), PROMPT)
    assert (await past.program.run("history", "purge", "--yes")).code == 0
    runs = await doors.find(FindRuns(), RunList)
    await asyncio.to_thread(doors.leave, keep_runs=True)
    assert runs == RunList()


async def test_where_nothing_was_kept_nothing_is_made(past: Past) -> None:
    assert (await past.program.run("history", "purge", "--yes")).code == 0
    assert not past.journal.exists()


def test_a_journal_that_somebody_holds_is_waited_for_and_then_told(
    past: Past, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(past.keep(("run-a", "a", "b")))
    monkeypatch.setattr(journal, "BUSY_SECONDS", 0.2)
    with (past.journal.parent / "journal.db.lock").open("r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Trouble, match="another process writes to the history"):
            journal.change(PurgeHistory())
    journal.change(PurgeHistory())
    assert journal.find_runs("", 5).runs == ()


# --- a journal that cannot be read -----------------------------------------------------------


async def test_a_journal_of_a_newer_program_is_left_alone(past: Past) -> None:
    await past.keep(("run-a", "a", "b"))
    with sqlite3.connect(past.journal) as connection:
        connection.execute("PRAGMA user_version = 1000")
    connection.close()
    before = past.journal.read_bytes()
    for command in (["list"], ["show", "run-a"], ["delete", "run-a", "--yes"], ["purge", "--yes"]):
        ended = await past.program.run("history", *command)
        assert (ended.code, ended.out) == (2, "")
        assert ended.err.startswith(
            f"streamtui: the history cannot be used: {past.journal}: written by a newer streamtui"
        )
    assert past.journal.read_bytes() == before


async def test_a_file_that_is_no_journal_is_told_and_kept(past: Past) -> None:
    past.journal.parent.mkdir(parents=True)
    past.journal.write_bytes(b"not a database at all " * 100)
    ended = await past.program.run("history")
    assert (ended.code, ended.out) == (2, "")
    assert "could not be read" in ended.err
    assert [path.read_bytes() for path in past.journal.parent.glob("journal.db.corrupt-*")] == [
        b"not a database at all " * 100
    ]
    assert (await past.program.run("history")).code == 0


@pytest.mark.parametrize("what", ["folder", "link"])
async def test_what_stands_in_the_place_of_the_journal_is_left_alone(
    past: Past, what: str, tmp_path: Path
) -> None:
    past.journal.parent.mkdir(parents=True)
    if what == "folder":
        past.journal.mkdir()
    else:
        (tmp_path / "target").write_bytes(b"mine")
        past.journal.symlink_to(tmp_path / "target")
    for command in (["list"], ["purge", "--yes"]):
        ended = await past.program.run("history", *command)
        assert (ended.code, ended.out) == (2, "")
        assert ended.err.startswith(f"streamtui: the history cannot be used: {past.journal}: ")
    assert what == "folder" or (tmp_path / "target").read_bytes() == b"mine"


# --- readers ---------------------------------------------------------------------------------


async def test_a_reader_who_left_is_no_failure(past: Past) -> None:
    await past.keep(("run-a", "a", "b" * 1_000_000))
    reading, writing = os.pipe()
    os.close(reading)
    process = await past.program.start("history", "show", "run-a", stdout=writing)
    os.close(writing)
    ended = await finish(process)
    assert (ended.code, ended.err) == (0, "")


async def test_a_slow_reader_keeps_nobody_from_the_journal(past: Past) -> None:
    await past.keep(("run-a", "a", "b" * 1_000_000))
    reading, writing = os.pipe()
    process = await past.program.start("history", "show", "run-a", stdout=writing)
    os.close(writing)
    assert await asyncio.to_thread(os.read, reading, 1) == b"#"
    # It holds a megabyte that nobody takes.
    ended = await past.program.run("history", "purge", "--yes")
    assert ended.code == 0
    process.send_signal(signal.SIGINT)
    assert await process.wait() == 130
    os.close(reading)


# --- export ----------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "exports"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("form", ["md", "json", "jsonl"])
async def test_a_conversation_goes_into_a_file_whose_name_is_printed(
    past: Past, folder: Path, form: str
) -> None:
    await past.keep(("run-1", "../What is 水?", "Wet."), ("run-2", "And ice?", "Cold."))
    ended = await past.program.run("history", "export", "run-2", "-f", form, cwd=folder)
    (path,) = folder.iterdir()
    assert ended == (0, f"{path.name}\n", "")
    assert path.name[15:] == f"-what-is-水.{form}"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text("utf-8")
    if form == "md":
        assert "Wet." in text
        assert "Cold." in text
    elif form == "json":
        assert [turn["text"] for turn in json.loads(text)["turns"]] == ["Wet.", "Cold."]
    else:
        assert text_of(read_jsonl(text.encode())) == "Wet.Cold."


async def test_a_run_can_go_alone(past: Past) -> None:
    await past.keep(("run-1", "one", "1"), ("run-2", "two", "2"))
    ended = await past.program.run("history", "export", "run-2", "--run-only", "-f", "json", "-o-")
    assert [turn["prompt"] for turn in json.loads(ended.out)["turns"]] == ["two"]


@pytest.mark.parametrize(
    ("output", "name"),
    [("a.json", "a.json"), ("a.JSONL", "a.JSONL"), ("a.txt", "a.txt"), ("sub", "sub/…")],
)
async def test_the_form_follows_the_name_and_a_folder_is_filled(
    past: Past, folder: Path, output: str, name: str
) -> None:
    (folder / "sub").mkdir()
    await past.keep(("run-1", "one", "1"))
    ended = await past.program.run("history", "export", "run-1", "-o", output, cwd=folder)
    written = (folder / ended.out.rstrip("\n")).read_text()
    assert ended.out.startswith(name.rstrip("…"))
    assert written.startswith({"a.json": "{\n", "a.JSONL": '{"seq"'}.get(output, "# one"))


async def test_a_file_that_is_there_is_not_replaced_unasked(past: Past, folder: Path) -> None:
    await past.keep(("run-1", "one", "1"))
    (folder / "a.md").write_text("before")
    command = ("history", "export", "run-1", "-o", "a.md")
    ended = await past.program.run(*command, cwd=folder, stdin=b"y\n")
    assert ended == (
        2,
        "",
        "streamtui: a.md is there already. --force replaces it, -o names another.\n",
    )
    assert (folder / "a.md").read_text() == "before"
    assert await past.program.run(*command, "--force", cwd=folder) == (0, "a.md\n", "")
    assert (folder / "a.md").read_text().startswith("# one")


@pytest.mark.parametrize(("keys", "code", "written"), [("y\n", 0, "# one"), ("n\n", 130, "before")])
async def test_who_sits_there_is_asked_whether_to_replace_a_file(
    past: Past, folder: Path, keys: str, code: int, written: str
) -> None:
    await past.keep(("run-1", "one", "1"))
    (folder / "a.md").write_text("before")
    terminal = Terminal()
    command = ("history", "export", "run-1", "-o", "a.md")
    process = await terminal.start(past.program, *command, cwd=folder)
    await terminal.until("a.md is there already. Replace it? [y/N] ")
    terminal.press(keys)
    await terminal.rest()
    assert await process.wait() == code
    assert (folder / "a.md").read_text().startswith(written)


@pytest.mark.parametrize("force", [[], ["--force"]])
async def test_nothing_is_exported_through_a_link(
    past: Past, folder: Path, force: list[str]
) -> None:
    await past.keep(("run-1", "one", "1"))
    (folder / "target").write_text("before")
    (folder / "a.md").symlink_to("target")
    command = ("history", "export", "run-1", "-o", "a.md", *force)
    ended = await past.program.run(*command, cwd=folder)
    words = "streamtui: a.md is a symbolic link; nothing is written through it.\n"
    assert ended == (2, "", words)
    assert (folder / "target").read_text() == "before"


@pytest.mark.parametrize("output", ["no/a.md", "no/", "x" * 300])
async def test_what_cannot_be_written_to_is_told(past: Past, folder: Path, output: str) -> None:
    await past.keep(("run-1", "one", "1"))
    ended = await past.program.run("history", "export", "run-1", "-o", output, cwd=folder)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"streamtui: {output} ")


async def test_an_answer_that_was_cut_off_is_marked_in_every_form(
    past: Past, server: DemoServer
) -> None:
    async with engine() as attached:
        run_id = await ask(attached, on(server, "demo/drop"), PROMPT)
    marks = {"md": "**Cut off: ", "json": '"state": "cut_off"', "jsonl": '"type":"RunCutOff"'}
    for form, mark in marks.items():
        ended = await past.program.run("history", "export", run_id, "-f", form, "-o", "-")
        assert mark in ended.out
