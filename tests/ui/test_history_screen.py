"""The history by its keys: found, gone on from, forked, played, exported, deleted."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace
from rich.cells import cell_len
from textual.binding import BindingsMap
from textual.widgets import OptionList

from streamtui.config import Config
from streamtui.engine.doors import (
    Cancel,
    DeleteRuns,
    FindRuns,
    GetSession,
    OpenSession,
    Query,
)
from streamtui.engine.reports import Answer, NotFound, Unanswered
from streamtui.events import ErrorInfo, Message, Metrics, RunFailed
from streamtui.ui import asking
from streamtui.ui.asking import READ
from streamtui.ui.commands import NEVER_BOUND
from streamtui.ui.history_words import highlighted, rows_of, rule_of, texts_of, when
from streamtui.ui.line_input import LineInput
from streamtui.ui.replay_pane import ReplayPane
from streamtui.ui.screens.history import DeleteQuestion, ExportForm, HistoryList
from streamtui.ui.state import border_title
from tests.ui.harness import Console, configuration, console, endpoint
from tests.ui.past_runs import conversation, past_run, remember
from tests.ui.scripted_doors import WALL, ScriptedDoors, stand_still

DAY = 86_400.0
OPENAI = endpoint("openai", "gpt-4o-mini")
BOTH = configuration(endpoint(), OPENAI)
FAILED = RunFailed(ErrorInfo("server", "HTTP 500, a fault of the server"), Metrics())
FIRST = past_run("r1", "la ", "la", prompt="Sing", key=1, ago=600)
SECOND = past_run("r2", "lo lo", prompt="And on", key=2, ago=500)
OTHER = past_run(
    "r3",
    "Bubbles rise because they are light.",
    prompt="为什么气泡会上升？",
    session_id="other",
    endpoint="openai",
    model="gpt-4o-mini",
    key=3,
    ago=60,
)
SUNG = Message("user", "Sing"), Message("assistant", "la la")


@asynccontextmanager
async def history(
    *runs: object,
    doors: ScriptedDoors | None = None,
    config: Config = BOTH,
    size: tuple[int, int] = (120, 40),
) -> AsyncIterator[Console]:
    """A console whose history is open, with the runs of three prompts unless others are given."""
    doors = doors or ScriptedDoors()
    remember(doors, *(runs or (FIRST, SECOND, OTHER)))  # type: ignore[arg-type]
    # With another way to an engine: one that is a part of the console keeps no history.
    async with console(1, doors=doors, config=config, size=size, reattach=ScriptedDoors) as c:
        await show(c)
        yield c


async def show(c: Console) -> HistoryList:
    await c.press("ctrl+r")
    await c.until(lambda: isinstance(c.app.screen, HistoryList), "the history")
    screen = c.app.screen
    assert isinstance(screen, HistoryList)
    await c.until(lambda: screen._found_for is not None, "an answer")
    return screen


def prompts(c: Console) -> list[str]:
    """The prompts of the list, as far as they are rows of it."""
    screen = c.app.screen
    assert isinstance(screen, HistoryList)
    assert screen.query_one(OptionList).option_count == len(screen._runs)
    return [run.prompt for run in screen._runs]


def marked(c: Console) -> str:
    screen = c.app.screen
    assert isinstance(screen, HistoryList)
    return screen._marked.prompt if screen._marked else ""


async def closed(c: Console) -> None:
    await c.until(lambda: c.app.screen is c.app.main, "the history closed")


def last_opened(c: Console) -> OpenSession:
    return [command for command in c.doors.commands if isinstance(command, OpenSession)][-1]


# Finding


async def test_the_newest_runs_come_first_and_the_marked_one_is_shown() -> None:
    async with history() as c:
        assert prompts(c) == ["为什么气泡会上升？", "And on", "Sing"]
        assert "3 runs" in c.screen_text()
        await c.until_shown("Bubbles rise because they are light.")
        await c.until_shown("36 characters")
        await c.press("down", "down")
        await c.until_shown("la la")
        assert "5 characters" in c.screen_text()


async def test_the_list_has_an_end_and_is_no_ring() -> None:
    async with history() as c:
        await c.press("up")
        assert marked(c) == "为什么气泡会上升？"
        await c.press("pagedown", "down")
        assert marked(c) == "Sing"
        await c.press("pageup")
        assert marked(c) == "为什么气泡会上升？"


@pytest.mark.parametrize(("words", "found"), [("rise LIGHT", "为"), ("气泡", "为"), ("lo", "And")])
async def test_what_is_typed_is_looked_for_in_prompts_and_answers(words: str, found: str) -> None:
    async with history() as c:
        await c.press(*words)
        await c.until(lambda: len(prompts(c)) == 1, "one is left")
        assert prompts(c)[0].startswith(found)
        await c.press("ctrl+u")
        await c.until(lambda: len(prompts(c)) == 3, "all again")


async def test_one_search_is_made_for_all_letters_of_a_word() -> None:
    async with history() as c:
        await c.press(*"bubbles")
        await c.until(lambda: len(prompts(c)) == 1, "one is left")
        texts = [query.text for query in c.doors.queries if isinstance(query, FindRuns)]
        assert texts == ["", "bubbles"]


async def test_words_that_are_nowhere_are_said_to_be_nowhere() -> None:
    async with history() as c:
        await c.press(*"unicorn")
        await c.until_shown("No run holds all of these words.")
        assert "none" in c.screen_text()
        await c.press("enter", "ctrl+f", "ctrl+x", "ctrl+o", "ctrl+y")
        assert isinstance(c.app.screen, HistoryList)


async def test_enter_takes_what_is_found_for_the_words_typed_right_before() -> None:
    async with history() as c:
        await c.press(*"lo lo", "enter")
        await closed(c)
        assert [turn.prompt for turn in c.panes[1].state.turns] == ["Sing", "And on"]


async def test_pages_are_loaded_while_the_mark_moves_on() -> None:
    runs = [
        past_run(f"r{n}", prompt=f"prompt {n}", key=n, session_id=f"s{n}") for n in range(1, 121)
    ]
    async with history(*runs) as c:
        assert len(prompts(c)) == 50
        assert "50, and more" in c.screen_text()
        for _page in range(13):
            await c.press("pagedown")
        await c.until(lambda: len(prompts(c)) == 120, "all pages")
        assert prompts(c) == [f"prompt {n}" for n in range(120, 0, -1)]
        assert "120 runs" in c.screen_text()
        befores = [query.before for query in c.doors.queries if isinstance(query, FindRuns)]
        assert befores == [None, 71, 21]


async def test_a_page_that_comes_too_late_is_no_part_of_another_search() -> None:
    class Slow(ScriptedDoors):
        async def ask(self, query: Query) -> Answer:
            if isinstance(query, FindRuns) and query.before:
                waiting.set()
                await may_come.wait()
            return await super().ask(query)

    waiting, may_come = asyncio.Event(), asyncio.Event()
    runs = [past_run(f"r{n}", prompt=f"prompt {n}", key=n) for n in range(1, 121)]
    async with history(*runs, doors=Slow()) as c:
        for _page in range(5):
            await c.press("pagedown")
        await waiting.wait()
        await c.press(*"prompt 7")
        await c.until(lambda: len(prompts(c)) == 21, "those with a seven")
        may_come.set()
        await c.settle()
        assert len(prompts(c)) == 21


async def test_a_list_that_is_empty_before_its_next_page_is_asked_for_is_no_obstacle() -> None:
    runs = [past_run(f"r{n}", prompt=f"prompt {n}", key=n) for n in range(1, 121)]
    async with history(*runs) as c:
        screen = c.app.screen
        assert isinstance(screen, HistoryList)
        screen._options.highlighted = 49
        screen._look_for_end()
        screen._found_for, screen._runs = "unicorn", []
        await c.until(lambda: not screen._loading, "the page")
        assert screen._runs == []


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (200, 50)])
async def test_everything_has_room(size: tuple[int, int]) -> None:
    async with history(size=size) as c:
        for words in ("3 runs", "Bubbles rise because", "36 characters", "esc", "asked", "answer"):
            assert words in c.screen_text()
        assert all(cell_len(line) <= size[0] for line in c.screen_text().split("\n"))


async def test_a_history_that_cannot_be_read_is_words_in_the_border() -> None:
    doors = ScriptedDoors()
    error = ErrorInfo("usage", "the history cannot be read: disk I/O error", "Look at the disk")
    doors.answers[FindRuns] = NotFound(error)
    async with history(doors=doors) as c:
        [border, *_] = c.screen_text().split("\n")[3:4]
        assert "disk I/O error" in border
        await c.until_shown("Look at the disk.")
        del doors.answers[FindRuns]
        await c.press("x", "backspace")
        await c.until_shown("3 runs")


async def test_a_history_that_is_off_says_so_once() -> None:
    doors = ScriptedDoors()
    doors.answers[FindRuns] = NotFound(
        ErrorInfo("usage", 'no history is kept: history.keep = "off"')
    )
    async with history(doors=doors, config=replace(BOTH, history="off")) as c:
        assert c.screen_text().count('history.keep = "off"') == 1
        assert "Nothing was asked yet" not in c.screen_text()


async def test_an_engine_that_ended_is_words_in_the_border() -> None:
    doors = ScriptedDoors()
    async with history(doors=doors) as c:
        doors.answers[GetSession] = Unanswered(ErrorInfo("bug", "the engine has ended"))
        await c.press("enter")
        await c.until_shown("the engine has ended")
        assert "3 runs" not in c.screen_text()
        assert isinstance(c.app.screen, HistoryList)


async def test_an_engine_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    class Still(ScriptedDoors):
        async def ask(self, query: Query) -> Answer:
            if isinstance(query, FindRuns):
                await asyncio.Event().wait()
            return await super().ask(query)

    monkeypatch.setattr(asking, "ANSWER_SECONDS", 0.01)
    async with history(doors=Still()) as c:
        await c.until_shown("did not answer")


async def test_text_of_others_is_drawn_and_not_obeyed() -> None:
    evil = "\x1b]0;PWN\x07[bold red]x[/] \x9b2J\u202e"
    run = past_run("r1", evil, prompt=evil, endpoint=evil, model=evil, state=evil)
    async with history(run) as c:
        await c.until_shown("␛]0;PWN␇[bold red]x[/]")
        text = c.screen_text()
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(text)
        await c.press("ctrl+x")
        await c.until_shown("for good?")
        assert "\x1b" not in c.screen_text()


# Going on


async def test_a_run_opens_its_conversation_as_it_was_up_to_there() -> None:
    async with history() as c:
        await c.press("down", "down", "enter")
        await closed(c)
        assert last_opened(c) == OpenSession(c.sessions[1], endpoint(), SUNG)
        assert c.app.desk.current == c.sessions[1]
        await c.until_shown("la la")
        assert "lo lo" not in c.screen_text()
        await c.ask("More")
        assert list(c.doors.sent()) == [(c.sessions[1], "More")]


async def test_a_run_asked_again_is_gone_on_from_without_the_answer_it_replaced() -> None:
    again = past_run("r2", "lo lo", prompt="Sing", key=2, replaces="r1")
    async with history(FIRST, again) as c:
        await c.press("enter")
        await closed(c)
        sung = Message("user", "Sing"), Message("assistant", "lo lo")
        assert last_opened(c).messages == sung
        assert [turn.superseded for turn in c.panes[1].state.turns] == [True, False]


async def test_a_conversation_that_came_from_another_begins_with_it() -> None:
    doors = ScriptedDoors()
    async with history(FIRST, doors=doors) as c:
        before = Message("user", "Hi"), Message("assistant", "Hello")
        doors.records["past"] = conversation(FIRST, preface=before)
        await c.press("enter")
        await closed(c)
        assert last_opened(c).messages == (*before, *SUNG)


async def test_a_run_whose_conversation_is_gone_is_gone_on_from_alone() -> None:
    doors = ScriptedDoors()
    async with history(doors=doors) as c:
        doors.records.clear()
        await c.press("down", "enter")
        await closed(c)
        assert last_opened(c).messages == (Message("user", "And on"), Message("assistant", "lo lo"))


async def test_a_run_that_is_gone_altogether_is_words_in_the_border() -> None:
    doors = ScriptedDoors()
    async with history(doors=doors) as c:
        doors.records.clear()
        doors.stored.clear()
        for key in ("enter", "ctrl+f", "ctrl+r", "ctrl+y"):
            await c.press(key)
            await c.until_shown("this run is not in the history any more")


async def test_a_failed_run_can_be_asked_again() -> None:
    failed = past_run("r1", prompt="Sing", end=FAILED, state="failed")
    async with history(failed) as c:
        await c.press("enter")
        await closed(c)
        await c.press("tab", "r")
        await c.until(lambda: list(c.doors.sent()), "asked")
        assert [prompt for _session, prompt in c.doors.sent()] == ["Sing"]


async def test_an_endpoint_that_is_gone_is_named() -> None:
    lab = past_run("r1", "la", endpoint="lab", model="m")
    async with history(lab) as c:
        for key in ("enter", "ctrl+f"):
            await c.press(key)
            await c.until_shown("lab is not configured any more")
        await c.press("ctrl+r")
        await closed(c)
        await c.until_shown("replay 1×")


async def test_a_run_that_still_streams_is_gone_to_or_left_alone() -> None:
    live = past_run("r1", "la", end=None, state="streaming", session_id="elsewhere")
    async with history(live) as c:
        for key in ("enter", "ctrl+f", "ctrl+r"):
            await c.press(key)
            await c.until_shown("this run has not ended yet")
        await c.press("ctrl+x", "y")
        await c.until(lambda: isinstance(c.app.screen, HistoryList), "the question answered")
        assert DeleteRuns(("r1",)) not in c.doors.queries
        await c.press("escape")
        await c.app.panes.open(endpoint())
        session_id = c.sessions[1]
        c.app.main.go_to(c.sessions[0])
        here = past_run("r9", "la", end=None, state="streaming", session_id=session_id, key=9)
        remember(c.doors, here)
        await show(c)
        await c.press("enter")
        await closed(c)
        assert c.app.desk.current == session_id
        assert len(c.sessions) == 2


async def test_a_fork_has_the_conversation_before_and_the_prompt_to_be_changed() -> None:
    async with history() as c:
        await c.press("down", "ctrl+f")
        await closed(c)
        assert last_opened(c).messages == SUNG
        await c.until(lambda: c.prompt_text == "And on", "the prompt")
        assert c.app.main.typing
        assert list(c.doors.sent()) == []
        await c.until_shown("la la")
        assert "lo lo" not in c.screen_text()


async def test_what_was_typed_is_not_lost_to_a_fork() -> None:
    async with history() as c:
        await c.press("escape")
        c.type("half a thought")
        await show(c)
        await c.press("ctrl+f")
        await closed(c)
        await c.until(lambda: c.prompt_text == "为什么气泡会上升？", "the prompt")
        assert c.app.main.drafts[c.sessions[0]] == "half a thought"


# Copying, exporting, deleting


async def test_the_whole_answer_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("TMUX", raising=False)
    long = past_run("r1", "water " * 100)
    async with history(long) as c:
        assert "water " * 100 not in c.screen_text()
        await c.press("ctrl+y")
        await c.until(c.toasts, "copied")
        assert "Copied this answer: 600 characters" in c.toasts()[0]
        assert (tmp_path / "streamtui" / "clipboard.txt").read_text() == "water " * 100


async def test_a_run_without_an_answer_says_that_there_is_nothing_to_copy() -> None:
    async with history(past_run("r1", end=FAILED, state="failed")) as c:
        await c.press("ctrl+y")
        await c.until_shown("this run has no answer")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def export(c: Console, form: str) -> None:
    await c.press("ctrl+o")
    await c.until(lambda: isinstance(c.app.screen, ExportForm), "which form")
    await c.press(*form, "enter")
    await c.until(lambda: isinstance(c.app.screen, HistoryList), "the history again")


@pytest.mark.parametrize("form", ["markdown", "one object", "jsonl"])
async def test_a_conversation_is_written_into_the_current_folder(folder: Path, form: str) -> None:
    async with history() as c:
        await c.press("down")
        await export(c, form)
        await c.until(c.toasts, "written")
        [file] = folder.iterdir()
        assert file.name in c.toasts()[0]
        assert str(folder) in c.toasts()[0]
        assert file.stat().st_mode & 0o777 == 0o600
        text = file.read_text()
        assert "la la" in text if form != "jsonl" else "la " in text
        if form == "one object":
            assert [turn["prompt"] for turn in json.loads(text)["turns"]] == ["Sing", "And on"]


async def test_what_came_after_the_run_is_not_exported(folder: Path) -> None:
    async with history() as c:
        await c.press("down", "down")
        await export(c, "markdown")
        await c.until(c.toasts, "written")
        [file] = folder.iterdir()
        assert "And on" not in file.read_text()


async def test_a_file_that_is_there_is_never_written_over(folder: Path) -> None:
    async with history() as c:
        for count in range(1, 4):
            await export(c, "markdown")
            await c.until(lambda: len(list(folder.iterdir())) == count, "one more")  # noqa: B023
        names = sorted(file.stem[-4:] for file in folder.iterdir())
        assert [name[-2:] for name in names if name[-2] == "-"] == ["-2", "-3"]
        assert len({file.read_text() for file in folder.iterdir()}) == 1


async def test_a_folder_that_cannot_be_written_to_is_words_in_the_border(folder: Path) -> None:
    gone = folder / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    async with history() as c:
        await export(c, "markdown")
        await c.until_shown("there is no current folder")
        assert c.toasts() == []


async def test_deleting_asks_and_names_the_run() -> None:
    async with history() as c:
        await c.press("down", "ctrl+x")
        await c.until(lambda: isinstance(c.app.screen, DeleteQuestion), "the question")
        for words in ("for good?", "And on", "demo verse"):
            assert words in c.screen_text()
        await c.press("n")
        await c.until(lambda: isinstance(c.app.screen, HistoryList), "kept")
        assert len(prompts(c)) == 3
        await c.press("ctrl+x", "y")
        await c.until(lambda: len(prompts(c)) == 2, "deleted")
        assert DeleteRuns(("r2",)) in c.doors.queries
        assert marked(c) == "Sing"
        await c.press("ctrl+x", "y")
        await c.until(lambda: len(prompts(c)) == 1, "the last one deleted")
        assert marked(c) == "为什么气泡会上升？"


async def test_what_cannot_be_deleted_stays_and_says_why() -> None:
    async with history() as c:
        error = ErrorInfo("usage", "the history cannot be changed: database is locked")
        c.doors.answers[DeleteRuns] = NotFound(error)
        await c.press("ctrl+x", "y")
        await c.until_shown("database is locked")
        assert len(prompts(c)) == 3


# Playing


async def play(c: Console) -> ReplayPane:
    await c.press("ctrl+r")
    await closed(c)
    await c.until(lambda: len(c.panes) == 2, "the replay")
    pane = c.panes[1]
    assert isinstance(pane, ReplayPane)
    return pane


async def test_a_replay_shows_the_run_as_it_came() -> None:
    async with history(FIRST) as c:
        pane = await play(c)
        await c.until_shown("2 replay 1× ◔ demo")
        c.doors.now += 2.1
        await c.until(lambda: pane.state.turns[0].text == "la ", "the first piece")
        await c.until_shown("streaming 2.1s")
        c.doors.now += 0.5
        await c.until_shown("streaming 2.6s")
        c.doors.now += 9
        await c.until_shown("done 4.0s")
        assert pane.state.turns[0].text == "la la"
        assert "replay ✓" in c.screen_text()


async def test_a_replay_is_no_run_of_this_console() -> None:
    async with history(FIRST, past_run("r9", end=FAILED, state="failed", key=9)) as c:
        commands = len(c.doors.commands)
        pane = await play(c)
        c.doors.now += 2.5
        await c.until(lambda: pane.state.phase == "failed", "it failed")
        await c.settle()
        assert c.toasts() == []
        assert list(c.app.errors) == []
        status = c.screen_text().split("\n")[0]
        assert "live" not in status
        assert "failed" not in status
        await c.press("D")
        await c.until(lambda: len(c.panes) == 1, "closed")
        assert c.doors.commands[commands:] == []
        await c.press("u")
        assert "No pane was closed." in c.toasts()[-1]


async def test_a_replay_is_paused_stepped_and_made_faster_and_slower() -> None:
    async with history(FIRST) as c:
        pane = await play(c)
        await c.press("space")
        await c.until_shown("replay 1× paused")
        c.doors.now += 60
        await c.press(".", ".")
        await c.until(lambda: pane.state.turns[0].text == "la ", "two steps on")
        await c.press(".")
        await c.until(lambda: pane.state.turns[0].text == "la la", "another step")
        assert pane.state.phase == "streaming"
        await c.press(">", ">")
        await c.until_shown("replay 4× paused")
        await c.press("<")
        await c.until_shown("replay 2× paused")
        await c.press("space")
        await c.until_shown("replay 2× ●")
        c.doors.now += 0.5
        await c.until_shown("done 4.0s")


async def test_a_replay_can_be_brought_to_its_end() -> None:
    async with history(FIRST) as c:
        await play(c)
        await c.press("end")
        await c.until_shown("done 4.0s")
        assert "la la" in c.screen_text()
        await c.press("space", ".", ">", "<", "end")
        assert "la la" in c.screen_text()


async def test_what_was_interrupted_ends_so_in_its_replay() -> None:
    async with history(past_run("r1", "half", end=None, state="interrupted")) as c:
        pane = await play(c)
        await c.press("end")
        await c.until_shown("interrupted")
        assert pane.state.phase == "cut off"


async def test_nothing_can_be_asked_of_a_replay() -> None:
    async with history(FIRST) as c:
        await play(c)
        await c.until_shown("to: nobody")
        await c.press("i")
        c.type("hello")
        await c.press("enter")
        await c.until(c.toasts, "refused")
        assert "This is a replay: tab, e forks it. The prompt was not sent." in c.toasts()[0]
        assert c.prompt_text == "hello"
        await c.press("tab", "r", "x", "d", "a")
        assert list(c.doors.sent()) == []
        assert c.app.desk.marked == {c.sessions[0]}
        await c.press("ctrl+t")
        await c.until_shown("to: all (1)")
        await c.press("i", "enter")
        await c.until(lambda: list(c.doors.sent()) == [(c.sessions[0], "hello")], "sent")


async def test_a_replay_is_forked_into_a_conversation() -> None:
    async with history() as c:
        await c.press("down")
        await play(c)
        await c.press("e")
        await c.until(lambda: c.prompt_text == "And on", "the prompt")
        assert last_opened(c).messages == SUNG
        assert len(c.panes) == 3


@pytest.mark.parametrize("keys", [["i", *"hello"], ["f1"], ["D"]], ids=["typing", "help", "closed"])
async def test_a_fork_of_a_replay_does_not_come_over_somebody_who_has_gone_on(
    keys: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with history() as c:
        await c.press("down")
        await play(c)
        goes_on = stand_still(monkeypatch)
        await c.press("e", *keys)
        panes = len(c.panes)
        goes_on.set()
        await c.until(lambda: READ in c.toasts()[-1], "a toast")
        assert len(c.panes) == panes
        assert c.app.main.prompt.text == ("hello" if "i" in keys else "")


async def test_the_keys_of_a_replay_are_named_while_it_has_the_focus() -> None:
    async with history(FIRST) as c:
        await play(c)
        await c.until_shown("space pause · < slower · > faster · . step · end finish")
        await c.press("alt+left")
        await c.until_shown("space mark")


async def test_a_replay_waits_without_working() -> None:
    """Paused or over, nothing wakes it."""
    async with history(FIRST) as c:
        pane = await play(c)
        timers = []
        for key in ("space", "space", "end"):
            await c.press(key)
            timers.append(pane._timer is not None)
        assert timers == [False, True, False]


# Words


def test_moments_are_told_as_people_tell_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert when(WALL, WALL)[2] == ":"
    assert when(WALL - 3 * DAY, WALL)[-3:].isalpha()
    assert when(WALL - 500 * DAY, WALL).count("-") == 2


@pytest.mark.parametrize("width", [20, 40, 75, 135])
def test_rows_and_rule_fill_their_width(width: int) -> None:
    runs = [FIRST.summary, OTHER.summary, past_run("r9", "x" * 999, prompt="气泡" * 200).summary]
    for row in rows_of(runs, ["la"], WALL, width):
        assert sum(cell_len(text) for text, _role in row) == width
    rule = rule_of(runs[2], WALL, width)
    assert sum(cell_len(text) for text, _role in rule) == width


def test_words_are_found_whatever_their_case_and_signs() -> None:
    pieces = highlighted("Why [a.b] rises: RISE", ["rise", "[A.B]"], "foreground")
    found = [text for text, role in pieces if role != "foreground"]
    assert found == ["[a.b]", "rise", "RISE"]
    assert "".join(text for text, _role in pieces) == "Why [a.b] rises: RISE"


def test_a_long_prompt_does_not_hide_what_was_found_in_the_answer() -> None:
    run = past_run("r1", "first\n\n\nsecond", prompt="long " * 40).summary
    asked, *answer = texts_of(run, [], 30)
    assert cell_len("".join(text for text, _role in asked[1])) <= 30
    assert [label for label, _words in answer] == ["answer", ""]


def test_borders_say_private_and_how_a_replay_goes() -> None:
    from streamtui.ui.pane_state import PaneState, Tag

    pane = PaneState("s1", "demo", "verse", private=True)
    assert border_title(pane, 1, 0, 60).left[1][0] == "private "
    pane = PaneState("s1", "demo", "verse", tag=Tag("replay 2×", "▶ 2×"))
    assert border_title(pane, 1, 0, 60).left[1][0] == "replay 2× "
    for width in range(24, 60):
        line = border_title(pane, 64, 0, width)
        assert sum(cell_len(text) for text, _role in (*line.left, *line.right)) <= width


def test_keys_of_tmux_and_the_terminal_are_left_alone() -> None:
    for bound in (HistoryList, DeleteQuestion, ExportForm, ReplayPane):
        merged = bound._merge_bindings()
        assert isinstance(merged, BindingsMap)
        assert not set(merged.key_to_bindings) & NEVER_BOUND


def test_chords_of_the_history_do_not_edit_its_field() -> None:
    merged = LineInput._merge_bindings()
    mine = HistoryList._merge_bindings()
    assert isinstance(merged, BindingsMap)
    assert isinstance(mine, BindingsMap)
    assert not set(merged.key_to_bindings) & set(mine.key_to_bindings)


async def test_the_history_has_a_key_in_both_states_and_is_in_the_palette() -> None:
    async with history() as c:
        await c.press("escape", "tab")
        await show(c)
        await c.press("escape", "ctrl+p", *"history")
        await c.until_shown("History…")
        await c.press("enter")
        await c.until(lambda: isinstance(c.app.screen, HistoryList), "the history")


async def test_a_run_of_the_console_is_ended_by_its_own_keys_beside_a_replay() -> None:
    async with history(FIRST) as c:
        pane = await play(c)
        await c.press("alt+left", "i")
        await c.ask("Sing")
        await c.press("escape")
        await c.until(lambda: c.panes[0].state.phase == "cancelled", "cancelled")
        assert pane.state.phase != "cancelled"
        assert Cancel(pane.state.session_id) not in c.doors.commands
