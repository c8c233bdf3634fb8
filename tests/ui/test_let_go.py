"""The text of old answers goes where there is much of it, and comes back when it is looked at."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from msgspec import structs

from streamtui.engine.doors import GetRun, OpenSession, Query
from streamtui.engine.reports import Answer
from streamtui.events import Message
from streamtui.ui.asking import LATE, READ
from streamtui.ui.let_go import too_much
from streamtui.ui.pane_state import AppState, PaneState, Turn, messages, text_chars
from tests.ui.harness import Console, configuration, console, endpoint
from tests.ui.past_runs import past_run, remember
from tests.ui.scripted_doors import ScriptedDoors, stand_still

ANSWERS = [f"begin {name}\n\n" + f"{name} words\n\n" * 200 + f"end {name}" for name in "abcd"]


def turn(run_id: str, chars: int, more: dict[str, object] | None = None) -> Turn:
    made = Turn(run_id, "?", end="done")
    for name, value in (more or {}).items():
        setattr(made, name, value)
    made.text_pieces.append("x" * chars)
    return made


def state_of(**panes: Sequence[Turn]) -> AppState:
    return AppState({name: PaneState(name, turns=list(turns)) for name, turns in panes.items()})


def chosen(state: AppState, in_pane: int, in_all: int) -> list[str]:
    return [each.run_id for _pane, each in too_much(state, in_pane, in_all)]


@asynccontextmanager
async def long_session(
    answers: Sequence[str] = ANSWERS, *, history: str = "disk", keeps: bool = True
) -> AsyncIterator[Console]:
    """A pane with answers, of which each is also in the journal if it `keeps` them."""
    doors = ScriptedDoors()
    config = structs.replace(configuration(), history=history)
    async with console(1, doors=doors, config=config, reattach=lambda: doors) as c:
        for number, answer in enumerate(answers):
            await c.ask(f"question {number}")
            c.doors.complete(c.sessions[0], answer)
            await c.settle()
        if keeps:
            state = c.panes[0].state
            for each in state.turns:
                run = past_run(each.run_id, each.text, prompt=each.prompt)
                remember(doors, run)
        c.app.texts.most_in_pane = 1_000
        yield c


async def let_go(c: Console) -> PaneState:
    """Have the console look whether there is too much; returns the pane's state."""
    c.app.texts.tidy()
    await c.app.workers.wait_for_complete()
    await c.pilot.pause()
    return c.panes[0].state


# What is chosen


def test_the_oldest_go_until_a_pane_has_no_more_than_it_may() -> None:
    state = state_of(one=[turn(f"r{number}", 100) for number in range(5)])
    assert chosen(state, 500, 10_000) == []
    assert chosen(state, 250, 10_000) == ["r0", "r1", "r2"]


def test_the_last_answer_never_goes() -> None:
    state = state_of(one=[turn("r0", 100), turn("r1", 100)])
    assert chosen(state, 0, 0) == ["r0"]


def test_panes_that_have_most_go_first_where_all_have_too_much() -> None:
    state = state_of(
        one=[turn("a0", 100), turn("a1", 100)],
        two=[turn("b0", 300), turn("b1", 300), turn("b2", 300)],
    )
    assert chosen(state, 10_000, 1_000) == ["b0"]
    assert chosen(state, 10_000, 400) == ["b0", "b1", "a0"]


@pytest.mark.parametrize(
    "kept", [{"end": None}, {"is_needed": True}, {"run_id": ""}], ids=lambda kept: next(iter(kept))
)
def test_what_runs_or_is_known_nowhere_else_stays(kept: dict[str, object]) -> None:
    state = state_of(one=[turn("r0", 100, kept), turn("r1", 1)])
    assert chosen(state, 0, 0) == []


def test_private_panes_and_replays_keep_all_text() -> None:
    state = state_of(one=[turn("r0", 100), turn("r1", 1)], two=[turn("r2", 100), turn("r3", 1)])
    state.panes["one"].private = True
    state.panes["two"].silent = "This is a replay."
    assert chosen(state, 0, 0) == []


def test_a_conversation_without_all_of_its_text_is_never_sent() -> None:
    pane = PaneState("s", turns=[turn("r0", 100), turn("r1", 1)])
    pane.turns[0].let_go_of_text()
    with pytest.raises(RuntimeError):
        messages(pane)


# Going and coming back


async def test_old_answers_go_and_the_figures_know_how_much() -> None:
    async with long_session() as c:
        before = text_chars(c.panes[0].state)
        state = await let_go(c)
        assert [bool(each.let_go) for each in state.turns] == [True, True, True, False]
        assert text_chars(state) == len(ANSWERS[3])
        assert before - text_chars(state) == sum(each.let_go for each in state.turns)
        assert "end d" in c.screen_text()


async def test_what_is_scrolled_to_comes_back_above_what_was_read() -> None:
    async with long_session() as c:
        await let_go(c)
        await c.press("tab", "g")
        await c.until_shown("begin a")
        transcript = c.panes[0].transcript
        transcript.follow()
        rows = 0
        while "end c" not in c.screen_text():
            transcript.scroll_rows(-5)
            await c.pilot.pause()
            rows += 5
            assert rows < 2_000
        assert "question 3" in c.screen_text(), "it grew upwards, out of the way of what is read"


async def test_a_dim_line_says_what_is_missing_until_it_is_there() -> None:
    async with long_session() as c:
        state = await let_go(c)
        c.doors.stored.clear()
        await c.press("tab", "g")
        await c.until_shown("characters that could not be brought back from the history")
        remember(c.doors, past_run(state.turns[0].run_id, ANSWERS[0]))
        await c.press("G", "g")
        await c.until_shown("begin a")


async def test_what_the_journal_does_not_have_word_for_word_stays() -> None:
    async with long_session() as c:
        first, second, third, _last = c.panes[0].state.turns
        del c.doors.stored[first.run_id]
        remember(c.doors, past_run(second.run_id, ANSWERS[1][:-1]))
        state = await let_go(c)
        assert [bool(each.let_go) for each in state.turns] == [False, False, True, False]
        asked = len(c.doors.queries)
        await let_go(c)
        assert GetRun(first.run_id) not in c.doors.queries[asked:]
        assert third.let_go == len(ANSWERS[2])


@pytest.mark.parametrize("history", ["memory", "off"])
async def test_where_nothing_is_kept_on_disk_all_text_stays(history: str) -> None:
    async with long_session(history=history) as c:
        state = await let_go(c)
        assert not any(each.let_go for each in state.turns)


async def test_what_is_needed_meanwhile_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, told = asyncio.Event(), asyncio.Event()
    ask = ScriptedDoors.ask

    async def ask_slowly(doors: ScriptedDoors, query: Query) -> Answer:
        if isinstance(query, GetRun):
            asked.set()
            await told.wait()
        return await ask(doors, query)

    async with long_session() as c:
        state = c.panes[0].state
        monkeypatch.setattr(ScriptedDoors, "ask", ask_slowly)
        c.app.texts.tidy()
        await asked.wait()
        assert await c.app.texts.have(state)
        told.set()
        await c.app.workers.wait_for_complete()
        assert not any(each.let_go for each in state.turns)


async def test_what_is_in_view_stays() -> None:
    async with long_session() as c:
        await c.press("tab", "g")
        state = await let_go(c)
        assert [bool(each.let_go) for each in state.turns] == [False, True, True, False]


async def test_the_details_say_what_is_in_memory() -> None:
    async with long_session() as c:
        await let_go(c)
        await c.press("f7")
        kept = c.app.texts.kept()[c.sessions[0]]
        assert kept.rows == c.panes[0].transcript.row_count > 0
        words = f"{kept.rows:,} rows, {kept.chars:,} characters; {kept.let_go:,} in the history"
        for label in ("in memory", "of all panes"):
            await c.press("end")
            await c.until_shown(label)
        assert c.screen_text().count(words) == 2


async def test_a_search_looks_through_what_was_let_go() -> None:
    async with long_session() as c:
        await let_go(c)
        await c.press("tab", "slash", *"begin b")
        await c.until_shown("/begin b 1 of 1")


async def test_copying_all_copies_what_was_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []
    monkeypatch.setattr(
        "streamtui.ui.app.StreamTUIApp.copy_everywhere",
        lambda _app, text, _what: copied.append(text),
    )
    async with long_session() as c:
        await let_go(c)
        await c.press("tab", "Y")
        await c.until(lambda: copied, "it was copied")
        assert all(answer in copied[0] for answer in ANSWERS)


async def test_keys_do_not_wait_for_text_from_an_engine_that_stands_still(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copied: list[str] = []
    monkeypatch.setattr(
        "streamtui.ui.app.StreamTUIApp.copy_everywhere",
        lambda _app, text, _what: copied.append(text),
    )
    async with long_session() as c:
        await let_go(c)
        goes_on = stand_still(monkeypatch)
        await c.press("tab", "Y")
        await c.until(lambda: LATE in c.toasts()[-1], "a toast")
        await c.press("i", *"hello")
        await c.until_shown("hello")
        assert not copied
        goes_on.set()
        await c.until(lambda: copied, "it was copied")
        assert all(answer in copied[0] for answer in ANSWERS)


async def test_a_fork_comes_once_its_text_is_there_however_often_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with long_session() as c:
        await let_go(c)
        goes_on = stand_still(monkeypatch)
        await c.press("tab", "e", "e")
        await c.until(lambda: LATE in c.toasts()[-1], "a toast")
        await c.press("e")
        assert len(c.sessions) == 1
        goes_on.set()
        await c.until(lambda: len(c.sessions) == 2, "the fork")
        await c.settle()
        assert len(c.sessions) == 2
        assert c.prompt_text == "question 3"


async def test_a_fork_does_not_come_over_somebody_who_types_by_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with long_session() as c:
        await let_go(c)
        goes_on = stand_still(monkeypatch)
        await c.press("tab", "e", "i", *"hello")
        await c.until_shown("hello")
        goes_on.set()
        await c.until(lambda: READ in c.toasts()[-1], "a toast")
        assert (len(c.sessions), c.prompt_text) == (1, "hello")
        await c.press("tab", "e")
        await c.until(lambda: len(c.sessions) == 2, "the fork")


async def test_the_last_of_two_commands_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    async with long_session() as c:
        await let_go(c)
        goes_on = stand_still(monkeypatch)
        await c.press("tab", "e", "D", "alt+u")
        assert c.sessions == []
        goes_on.set()
        await c.until(lambda: len(c.sessions) == 1, "it is back")
        await c.settle()
        assert (len(c.sessions), c.prompt_text) == (1, "")


async def test_of_two_panes_that_were_closed_the_one_that_was_asked_for_comes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with long_session() as c:
        await let_go(c)
        await c.app.panes.open(endpoint("demo", "demo/verse"))
        [long, short] = c.sessions
        c.app.main.go_to(long)
        goes_on = stand_still(monkeypatch)
        await c.press("tab", "D", "alt+u")
        assert c.sessions == [short]
        await c.press("D")
        goes_on.set()
        await c.until(lambda: READ in c.toasts()[-1], "a toast")
        assert c.sessions == []
        await c.press("alt+u", "alt+u")
        await c.until(lambda: len(c.sessions) == 2, "both are back")
        assert sorted(len(pane.state.turns) for pane in c.panes) == [0, 4]


async def test_a_fork_has_the_whole_conversation() -> None:
    async with long_session() as c:
        await let_go(c)
        await c.press("tab", "e")
        await c.until(lambda: len(c.sessions) == 2, "the fork")
        opening = [each for each in c.doors.commands if isinstance(each, OpenSession)][-1]
        answers = [each.content for each in opening.messages if each.role == "assistant"]
        assert answers == ANSWERS[:3]


async def test_without_the_whole_conversation_nothing_is_forked() -> None:
    async with long_session() as c:
        await let_go(c)
        c.doors.stored.clear()
        await c.press("tab", "e")
        await c.until(lambda: "Conversation not whole" in str(c.toasts()), "a toast")
        assert len(c.sessions) == 1


async def test_a_pane_that_was_closed_comes_back_whole() -> None:
    async with long_session() as c:
        await let_go(c)
        await c.press("tab", "D", "alt+u")
        await c.until(lambda: len(c.sessions) == 1, "it is back")
        opening = [each for each in c.doors.commands if isinstance(each, OpenSession)][-1]
        assert Message("assistant", ANSWERS[0]) in opening.messages


async def test_another_engine_is_told_the_whole_conversation() -> None:
    async with long_session() as c:
        await let_go(c)
        c.doors.open_before.clear()
        c.app.engine_lost()
        await c.until(lambda: "Another engine runs" in str(c.toasts()), "another engine")
        opening = [each for each in c.doors.commands if isinstance(each, OpenSession)][-1]
        assert Message("assistant", ANSWERS[0]) in opening.messages
