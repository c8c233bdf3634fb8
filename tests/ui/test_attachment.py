"""How a console joins an engine: the panes of before, other consoles, engines that end."""

import asyncio
import gc
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from streamtui.config import Config, Endpoint
from streamtui.engine.doors import (
    Doors,
    GetTranscript,
    GetWorkspace,
    ListSessions,
    OpenSession,
    Query,
    Retry,
    SaveWorkspace,
)
from streamtui.engine.host.client import AttachedEngine
from streamtui.engine.host.process import attach
from streamtui.engine.reports import (
    Answer,
    NotFound,
    SessionList,
    SessionSummary,
    Transcript,
    Workspace,
)
from streamtui.errors import RunError
from streamtui.events import (
    Chunk,
    ErrorInfo,
    Message,
    Metrics,
    RunCancelled,
    RunStarted,
    SessionClosed,
    SessionOpened,
    TextDelta,
)
from streamtui.ui import keeper
from streamtui.ui.app import StreamTUIApp
from streamtui.ui.asked import Asked
from streamtui.ui.attachment import MOST_PANES
from streamtui.ui.clock import Clock
from streamtui.ui.document import Bookmark
from streamtui.ui.turn_view import Spot
from streamtui.ui.workspace import KeptPane, from_bytes, to_bytes
from streamtui.ui.workspace import Workspace as Desk
from tests.engine.host.consoles import SLOW, console, folders_of_its_own
from tests.processes import engine_pids
from tests.ui.harness import Console, configuration, endpoint
from tests.ui.past_runs import past_run, remember
from tests.ui.scripted_doors import MONO, WALL, ScriptedDoors

OPENAI = endpoint("openai", "gpt-4o-mini")
BOTH = configuration(endpoint(), OPENAI)
FROM_JOURNAL = Message("user", "Sing"), Message("assistant", "la la")


@asynccontextmanager
async def attached(
    doors: ScriptedDoors,
    *,
    config: Config = BOTH,
    opening: Sequence[Endpoint] = (),
    asked: Asked | None = None,
    prompt: str = "",
    restore: bool = True,
    reattach: Callable[[], Doors] | None = None,
    load: Callable[[], Config] | None = None,
    size: tuple[int, int] = (120, 40),
) -> AsyncIterator[Console]:
    """A console that has brought back what there was."""
    app = StreamTUIApp(
        doors,
        config,
        opening=opening,
        asked=asked,
        prompt=prompt,
        restore=restore,
        fallback=endpoint(),
        reattach=reattach,
        load_config=load,
        clock=Clock(lambda: doors.now, lambda: WALL + doors.now - MONO),
        host="build-07",
    )
    async with app.run_test(size=size, notifications=True) as pilot:
        c = Console(app, doors, pilot)
        await c.until(lambda: app.attachment.keeper.may_save or c.toasts(), "all brought back")
        await c.settle()
        yield c


def kept(*panes: KeptPane, **more: object) -> ScriptedDoors:
    """An engine that has kept a workspace."""
    doors = ScriptedDoors()
    doors.workspace = Workspace("default", WALL, to_bytes(Desk(panes, **more)))  # type: ignore[arg-type]
    return doors


def pane(session_id: str, **more: object) -> KeptPane:
    return KeptPane(session_id, "demo", "demo/verse", **more)  # type: ignore[arg-type]


async def saved(c: Console) -> Desk:
    """What is kept of the desk as it is now."""
    await c.app.attachment.keeper.save()
    found = from_bytes(c.doors.workspace.desk)
    assert found is not None
    return found


def openings(doors: ScriptedDoors) -> list[OpenSession]:
    return [command for command in doors.commands if isinstance(command, OpenSession)]


class Engines:
    """One engine after the other; each is had once it may be."""

    def __init__(self, *engines: ScriptedDoors | RunError) -> None:
        self._engines = iter(engines)
        self.asked = 0
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self) -> Doors:
        self.asked += 1
        self.gate.wait(10)
        found = next(self._engines)
        if isinstance(found, RunError):
            raise found
        return found


# The panes of before


async def test_a_workspace_comes_back_as_it_was() -> None:
    doors = kept(
        pane("s1", marked=True, draft="for the first"),
        KeptPane("s2", "openai", "gpt-4o-mini"),
        pane("s3", marked=True),
        current="s2",
        layout="rows",
        zoomed=True,
        target="marked",
        draft="half a thought",
        prompts=("first", "second"),
        show_events=True,
    )
    async with attached(doors) as c:
        assert c.sessions == ["s1", "s2", "s3"]
        desk = c.app.desk
        assert (desk.current, desk.layout, desk.zoomed) == ("s2", "rows", True)
        assert (desk.marked, desk.target) == ({"s1", "s3"}, "marked")
        assert c.prompt_text == "half a thought"
        assert c.panes[0].has_draft
        assert c.app.main.log_box.display
        assert [(o.session_id, o.endpoint) for o in openings(doors)] == [
            ("s1", endpoint()),
            ("s2", OPENAI),
            ("s3", endpoint()),
        ]
        await c.press("up", "up")
        assert c.prompt_text == "first"
        if doors.saves:
            await saved(c)


async def test_a_workspace_that_is_brought_back_is_the_one_that_is_kept() -> None:
    doors = kept(
        pane("s1", draft="for the first"),
        pane("s2"),
        current="s2",
        layout="columns",
        draft="typed",
        prompts=("one", "two"),
    )
    before = from_bytes(doors.workspace.desk)
    async with attached(doors) as c:
        assert await saved(c) == before


async def test_a_conversation_comes_back_from_the_journal_and_goes_on() -> None:
    doors = kept(pane("past", last_run="r1"))
    remember(doors, past_run("r1", "la ", "la"))
    async with attached(doors) as c:
        await c.until_shown("la la")
        assert "done 4.0s" in c.screen_text()
        [opening] = openings(doors)
        assert opening == OpenSession("past", endpoint(), FROM_JOURNAL)
        await c.press("tab", "r")
        await c.settle()
        # The engine has the turn as messages only: the pane starts over without it.
        assert openings(doors)[-1].messages == ()
        assert [prompt for _session, prompt in doors.sent()] == ["Sing"]


async def test_what_was_under_way_when_its_engine_died_is_shown_as_interrupted() -> None:
    doors = kept(pane("past"))
    lost = past_run("r1", "half an", end=None, state="interrupted")
    remember(doors, lost, past_run("r2", "la la", prompt="Again", key=2))
    async with attached(doors) as c:
        await c.until_shown("la la")
        [first, second] = c.panes[0].state.turns
        assert (first.end, second.end) == ("cut off", "done")
        assert "interrupted" in c.screen_text()
        assert "live" not in c.screen_text().split("\n")[0]


async def test_a_pane_that_only_shows_another_conversation_comes_back_with_it() -> None:
    """Forked or reopened, and nothing asked since: the journal has no run of its own."""
    doors = kept(pane("fork", last_run="r1"))
    remember(doors, past_run("r1", "la la"), past_run("r2", "lo", prompt="Once more", key=2))
    async with attached(doors) as c:
        await c.until_shown("la la")
        assert "Once more" not in c.screen_text()
        assert openings(doors) == [OpenSession("fork", endpoint(), FROM_JOURNAL)]
        assert (await saved(c)).panes[0].last_run == "r1"


async def test_a_view_that_stood_still_stands_where_it_stood() -> None:
    lines = "\n\n".join(f"line {number}" for number in range(200))
    doors = kept(pane("past", scroll=Bookmark(0, Spot("answer", 80, 0), 0)))
    remember(doors, past_run("r1", lines))
    async with attached(doors) as c:
        await c.until_shown("line 40")
        assert "line 199" not in c.screen_text()
        assert (await saved(c)).panes[0].scroll == Bookmark(0, Spot("answer", 80, 0), 0)
        await c.press("alt+f")
        await c.until_shown("line 199")
        assert (await saved(c)).panes[0].scroll is None


@pytest.mark.parametrize("scroll", [(-1, 0), (7, 0), (0, 10_000), (0, -5)])
async def test_a_place_that_is_not_there_is_no_obstacle(scroll: tuple[int, int]) -> None:
    turn, lead = scroll
    doors = kept(pane("past", scroll=Bookmark(turn, Spot("tool", -3, 9), lead)), pane("none"))
    remember(doors, past_run("r1", "la la"))
    async with attached(doors) as c:
        await c.until_shown("la la")


@pytest.mark.parametrize("desk", [b"garbage", b"\xff", b"[1, 2]", b'{"panes": 3}'])
async def test_a_workspace_that_cannot_be_understood_is_passed_over(desk: bytes) -> None:
    doors = ScriptedDoors()
    doors.workspace = Workspace("default", WALL, desk)
    async with attached(doors) as c:
        assert len(c.sessions) == 1
        assert (await saved(c)).panes[0].session_id == c.sessions[0]


async def test_a_workspace_with_nonsense_in_it_does_no_harm() -> None:
    doors = kept(
        pane("s1"),
        pane("s1"),
        pane(""),
        current="nobody",
        layout="spiral",
        target="everyone",
        zoomed=True,
    )
    async with attached(doors) as c:
        assert c.sessions == ["s1"]
        assert (c.app.desk.layout, c.app.desk.target) == ("grid", "this")


async def test_what_is_typed_while_the_engine_starts_is_left_alone() -> None:
    class Late(ScriptedDoors):
        async def ask(self, query: Query) -> Answer:
            if isinstance(query, GetWorkspace):
                await there.wait()
            return await super().ask(query)

    there, doors = asyncio.Event(), Late()
    doors.workspace = kept(pane("s1"), pane("s2"), current="s2", draft="of before").workspace
    app = StreamTUIApp(doors, BOTH, opening=[], restore=True, fallback=endpoint(), host="")
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        c = Console(app, doors, pilot)
        await c.press(*"hello")
        await c.until_shown("hello")
        there.set()
        await c.until(lambda: c.sessions == ["s1", "s2"], "the panes")
        await c.until(lambda: app.attachment.keeper.may_save, "everything")
        assert c.prompt_text == "hello"
        await c.press("up")
        assert c.prompt_text == "of before"


async def test_a_console_that_ends_before_it_has_begun_changes_nothing() -> None:
    class Never(ScriptedDoors):
        async def ask(self, query: Query) -> Answer:
            if isinstance(query, GetWorkspace):
                asked.set()
                await asyncio.Event().wait()
            return await super().ask(query)

    asked, doors = asyncio.Event(), Never()
    app = StreamTUIApp(doors, BOTH, opening=[], restore=True, fallback=endpoint(), host="")
    async with app.run_test():
        await asked.wait()
    assert doors.closed
    assert doors.saves == 0


async def test_a_workspace_that_cannot_be_read_is_named_and_not_overwritten() -> None:
    doors = ScriptedDoors()
    error = ErrorInfo("usage", "the history cannot be read: disk I/O error")
    doors.answers[GetWorkspace] = NotFound(error)
    async with attached(doors, reattach=Engines()) as c:
        await c.until(lambda: len(c.sessions) == 1, "a pane all the same")
        [toast] = c.toasts()
        assert "disk I/O error. It stays as it is." in toast
        await c.app.attachment.keeper.save()
        assert doors.saves == 0


async def test_the_first_prompt_goes_to_the_panes_that_were_asked_for() -> None:
    doors = kept(pane("s1"))
    async with attached(doors, opening=[OPENAI], prompt="hello") as c:
        await c.until(lambda: list(doors.sent()), "sent")
        assert [session for session, _prompt in doors.sent()] == [c.sessions[1]]


# What was asked before there was a screen


class AskedEarly(ScriptedDoors):
    """Tells who asks later what was opened since."""

    async def ask(self, query: Query) -> Answer:
        if isinstance(query, ListSessions):
            opened = [
                SessionSummary(each, self.endpoints[each].name, "", False, 0, "")
                for each in self.sessions
            ]
            return SessionList((*self.open_before, *opened))
        return await super().ask(query)


async def test_what_was_asked_early_is_shown_from_its_first_event_on_and_asked_once() -> None:
    doors = AskedEarly()
    doors.was_open("older", endpoint())
    asked = Asked(doors, [OPENAI, endpoint()], "hello")
    [first, second] = asked.sessions
    doors.answer(first, "la ", "la")
    async with attached(doors, asked=asked, prompt="hello", restore=False) as c:
        assert c.sessions == ["older", first, second]
        await c.until_shown("la la")
        assert list(doors.sent()) == [(first, "hello"), (second, "hello")]
        # One from the start on would be told the same with its pieces in one.
        assert len(doors.subscriptions) == 1
        doors.answer(second, "lo lo")
        await c.until_shown("lo lo")
        # An answer that has ended is the last of its conversation: it can be asked again.
        doors.complete(second)
        c.app.main.go_to(second)
        await c.press("tab", "r")
        await c.until(lambda: isinstance(doors.commands[-1], Retry), "asked again")


async def test_what_was_asked_early_comes_after_the_panes_of_before() -> None:
    doors = AskedEarly()
    doors.workspace = kept(pane("s1"), pane("s2")).workspace
    asked = Asked(doors, [OPENAI], "hello")
    async with attached(doors, asked=asked, prompt="hello") as c:
        assert c.sessions == ["s1", "s2", *asked.sessions]
        assert [prompt for _session, prompt in doors.sent()] == ["hello"]


async def test_what_was_asked_early_is_not_asked_again_where_the_engine_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streamtui.ui.asking.ANSWER_SECONDS", 0.1)

    class Still(ScriptedDoors):
        async def ask(self, query: Query) -> Answer:
            await asyncio.Event().wait()
            return NotFound()

    doors = Still()
    asked = Asked(doors, [OPENAI, endpoint()], "hello")
    doors.subscriptions[0].waiting.clear()
    async with attached(doors, asked=asked, prompt="hello", restore=False) as c:
        assert c.sessions == list(asked.sessions)
        assert len(list(doors.sent())) == 2
        assert "The engine does not answer yet." in c.toasts()[0]
        doors.answer(c.sessions[0], "la la")
        await c.until_shown("openai gpt-4o-mini")


async def test_what_was_asked_early_and_closed_elsewhere_is_not_asked_again() -> None:
    class Closing(AskedEarly):
        def close_session(self, session_id: str) -> None:
            super().close_session(session_id)
            self.sessions.remove(session_id)

    doors = Closing()
    asked = Asked(doors, [OPENAI, endpoint()], "hello")
    [first, second] = asked.sessions
    doors.close_session(first)
    async with attached(doors, asked=asked, prompt="hello", restore=False) as c:
        assert c.sessions == [second]
        assert len(list(doors.sent())) == 2


async def test_the_event_log_names_the_panes_of_what_was_asked_early() -> None:
    doors = AskedEarly()
    asked = Asked(doors, [OPENAI], "hello")
    async with attached(doors, asked=asked, prompt="hello", restore=False) as c:
        await c.press("f3", "f3")
        store = c.app.main.log_box.log_view._store
        assert {store[number].source.pane for number in range(store.first, store.end)} == {1}


@pytest.mark.parametrize("restore", [True, False])
async def test_an_engine_that_ends_when_it_was_asked_early_has_another_one_asked(
    restore: bool,
) -> None:
    class Ending(ScriptedDoors):
        async def ask(self, query: Query) -> Answer:
            app.engine_lost()
            return NotFound(ErrorInfo("bug", "the engine has ended"))

    ending, other = Ending(), AskedEarly()
    asked = Asked(ending, [OPENAI, endpoint()], "hello")
    app = StreamTUIApp(
        ending,
        BOTH,
        opening=[],
        asked=asked,
        prompt="hello",
        restore=restore,
        fallback=endpoint(),
        reattach=Engines(other),
        host="",
    )
    async with app.run_test(notifications=True) as pilot:
        c = Console(app, other, pilot)
        await c.until(lambda: len(list(other.sent())) == 2, "asked")
        assert [session for session, _prompt in other.sent()] == c.sessions
        assert [o.endpoint for o in openings(other)] == [OPENAI, endpoint()]


# Endpoints that are gone


async def test_a_pane_whose_endpoint_is_gone_is_named_shown_and_kept() -> None:
    doors = kept(pane("s1"), KeptPane("past", "lab", "m"), pane("s3"))
    remember(doors, past_run("r1", "la la", endpoint="lab", model="m"))
    async with attached(doors) as c:
        assert c.sessions == ["s1", "past", "s3"]
        await c.until_shown("la la")
        assert "2 not configured ✓ lab m" in c.screen_text()
        assert [toast for toast in c.toasts() if "lab: not configured any more" in toast]
        assert [o.session_id for o in openings(doors)] == ["s1", "s3"]
        assert [p.session_id for p in (await saved(c)).panes] == ["s1", "past", "s3"]
        assert (await saved(c)).panes[1].endpoint == "lab"


async def test_nobody_can_be_asked_in_a_pane_without_an_endpoint() -> None:
    doors = kept(KeptPane("past", "lab", "m"))
    remember(doors, past_run("r1", "la la", endpoint="lab", model="m"))
    async with attached(doors) as c:
        await c.until_shown("to: nobody")
        c.type("hello")
        await c.press("enter")
        await c.until(lambda: "F6 adds it. The prompt was not sent." in c.toasts()[-1], "why")
        assert c.prompt_text == "hello"
        for key in ("r", "e", "d", "space", "x"):
            await c.press("tab", key)
        assert list(doors.sent()) == []
        assert openings(doors) == []
        assert c.sessions == ["past"]


async def test_a_pane_without_an_endpoint_is_given_up_by_closing_it() -> None:
    doors = kept(KeptPane("past", "lab", "m"), pane("s2"), current="past")
    async with attached(doors) as c:
        await c.press("alt+w")
        await c.until(lambda: c.sessions == ["s2"], "closed")
        assert [p.session_id for p in (await saved(c)).panes] == ["s2"]
        assert [command for command in doors.commands if "past" in str(command)] == []


async def test_a_pane_goes_on_when_its_endpoint_is_configured_again() -> None:
    lab = endpoint("lab", "m")
    doors = kept(KeptPane("past", "lab", "m"))
    remember(doors, past_run("r1", "la la", endpoint="lab", model="m"))
    load = lambda: configuration(endpoint(), lab)  # noqa: E731
    async with attached(doors, load=load) as c:
        await c.app.configuration.read_again()
        await c.until_shown("to: this (1)")
        assert openings(doors) == [OpenSession("past", lab, FROM_JOURNAL)]
        await c.ask("hello")
        assert list(doors.sent()) == [("past", "hello")]


# Sessions that are open


def open_session(doors: ScriptedDoors, session_id: str, text: str) -> None:
    started = RunStarted("Sing", (Message("user", "Sing"),), "demo", "demo/verse", "openai-chat")
    chunk = Chunk((TextDelta(text),))
    doors.was_open(session_id, endpoint(), started, chunk, run_id=f"run-{session_id}")


async def test_sessions_that_are_open_are_shown_with_their_text() -> None:
    doors = kept(pane("s1"), pane("s2"), pane("gone"), current="s2")
    for name in ("new", "s2", "s1"):
        open_session(doors, name, f"text of {name}")
    async with attached(doors) as c:
        assert c.sessions == ["s1", "s2", "gone", "new"]
        for name in ("s1", "s2", "new"):
            await c.until_shown(f"text of {name}")
        assert c.app.desk.current == "s2"
        assert [o.session_id for o in openings(doors)] == ["gone"]
        assert "3 live" in c.screen_text()


async def test_a_session_that_goes_on_from_a_conversation_shows_it() -> None:
    doors = kept(pane("past"))
    doors.was_open("past", endpoint())
    doors.answers[GetTranscript] = Transcript(FROM_JOURNAL)
    remember(doors, past_run("r1", "la la"))
    async with attached(doors) as c:
        await c.until_shown("la la")
        assert openings(doors) == []
        # As the journal has it, with its figures.
        assert "done 3.0s" in c.screen_text()


async def test_turns_of_before_are_shown_as_the_journal_has_them() -> None:
    doors = kept(pane("past"))
    said = (*FROM_JOURNAL, Message("user", "More"))
    started = RunStarted("More", said, "demo", "demo/verse", "openai-chat")
    doors.was_open("past", endpoint(), started, run_id="r2")
    remember(doors, past_run("r1", "la la"))
    async with attached(doors) as c:
        await c.until_shown("More")
        assert [turn.run_id for turn in c.panes[0].state.turns] == ["r1", "r2"]


async def test_a_session_whose_history_was_deleted_shows_what_the_engine_knows() -> None:
    doors = kept(pane("past"))
    doors.was_open("past", endpoint())
    doors.answers[GetTranscript] = Transcript(FROM_JOURNAL)
    async with attached(doors) as c:
        await c.until_shown("la la")


async def test_a_session_of_another_console_appears_and_takes_no_focus() -> None:
    async with attached(kept(pane("s1"), pane("s2"), current="s2")) as c:
        await c.press(*"typ")
        c.doors.emit("theirs", SessionOpened("openai", "gpt-4o-mini", "openai-chat"), run_id="")
        await c.until(lambda: c.sessions == ["s1", "s2", "theirs"], "their pane")
        await c.press(*"ing")
        assert (c.app.desk.current, c.prompt_text) == ("s2", "typing")
        assert c.app.panes.endpoints["theirs"] == OPENAI


async def test_sessions_beyond_those_that_can_be_shown_come_up_when_a_pane_is_closed() -> None:
    others = [f"t{number}" for number in range(MOST_PANES + 2)]
    async with attached(kept(pane("s1")), size=(200, 60)) as c:
        for session_id in others:
            c.doors.was_open(session_id, OPENAI)
            c.doors.emit(session_id, SessionOpened("openai", "gpt-4o-mini", "openai-chat"))
        await c.until(c.toasts, "said")
        assert c.toasts() == [": More than 64 are open. The others come up when panes are closed."]
        assert c.sessions == ["s1", *others[: MOST_PANES - 1]]
        c.doors.emit("t0", SessionClosed())
        await c.until(lambda: c.sessions == ["s1", *others[1:MOST_PANES]], "the next one")
        c.doors.emit(others[-2], SessionClosed())
        c.doors.emit("t1", SessionClosed())
        shown = ["s1", *others[2:MOST_PANES], others[-1]]
        await c.until(lambda: c.sessions == shown, "not the one that was closed meanwhile")


async def test_a_session_closed_in_another_console_goes_with_a_notice() -> None:
    async with attached(kept(pane("s1"), pane("s2", draft="for two"), current="s1")) as c:
        c.doors.emit("s2", SessionClosed(), run_id="")
        await c.until(lambda: c.sessions == ["s1"], "gone")
        assert c.toasts() == [": demo verse was closed elsewhere. alt+u brings it back."]
        await c.press("up")
        assert c.prompt_text == "for two"
        await c.press("alt+u")
        await c.until(lambda: len(c.sessions) == 2, "back")


async def test_a_session_of_an_endpoint_that_is_not_ours_can_be_read_only_from_here() -> None:
    async with attached(kept(pane("s1"))) as c:
        c.doors.was_open("theirs", endpoint("lab", "m"))
        c.doors.emit("theirs", SessionOpened("lab", "m", "openai-chat"), run_id="")
        await c.until(lambda: c.sessions == ["s1", "theirs"], "their pane")
        c.app.main.go_to("theirs")
        await c.ask("hello")
        assert list(c.doors.sent()) == [("theirs", "hello")]
        await c.press("tab", "e", "d")
        await c.until(lambda: c.toasts() == [" ×2: lab is not configured here: F6 adds it."], "why")
        await c.press("D")
        await c.until(lambda: c.sessions == ["s1"], "closed")


# Saving


async def test_nothing_is_saved_unless_something_changed() -> None:
    async with attached(kept(pane("s1"))) as c:
        for _again in range(3):
            await c.app.attachment.keeper.save()
        before = c.doors.saves
        assert before <= 1
        c.type("x")
        await saved(c)
        await saved(c)
        assert c.doors.saves == before + 1


async def test_drafts_and_prompts_are_saved_every_second_without_being_asked() -> None:
    async with attached(kept(pane("s1"))) as c:
        await c.ask("a prompt")
        c.type("half a thought")
        await c.until(lambda: b"half a thought" in c.doors.workspace.desk, "saved")
        assert b"a prompt" in c.doors.workspace.desk


async def test_a_save_that_fails_is_tried_again() -> None:
    async with attached(kept(pane("s1"))) as c:
        full = NotFound(ErrorInfo("usage", "the disk is full"))
        c.doors.answers[SaveWorkspace] = full
        c.type("x")
        await c.app.attachment.keeper.save()
        del c.doors.answers[SaveWorkspace]
        assert (await saved(c)).draft == "x"
        assert c.toasts() == []


async def test_a_save_that_ends_before_it_has_begun_leaves_nothing_behind() -> None:
    async with attached(kept(pane("s1"))) as c:
        c.app._save()
        c.app.workers.cancel_group(c.app, "save")
        await c.settle()
        # Else Python complains of a coroutine that nobody awaited.
        gc.collect()


async def test_nothing_is_saved_where_no_history_is_kept() -> None:
    async with attached(ScriptedDoors(), config=replace(BOTH, history="off")) as c:
        c.type("x")
        await c.app.attachment.keeper.save()
    assert c.doors.saves == 0


async def test_an_engine_that_stands_still_keeps_no_console_from_ending(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Still(ScriptedDoors):
        async def ask(self, query: Query) -> Answer:
            if isinstance(query, SaveWorkspace):
                await asyncio.Event().wait()
            return await super().ask(query)

    monkeypatch.setattr(keeper, "LAST_SAVE_SECONDS", 0.01)
    doors = Still()
    async with attached(doors) as c:
        c.type("x")
        await c.until(c.app.attachment.keeper._saving.locked, "a save under way")
        await c.app.attachment.keeper.save()
    assert doors.closed


async def test_private_panes_leave_nothing_behind() -> None:
    async with attached(kept(pane("s1"))) as c:
        await c.press("tab", "P")
        await c.until_shown("new private pane")
        await c.press("enter")
        await c.until_shown("private ○ demo")
        [opening] = openings(c.doors)[1:]
        assert opening.private
        await c.press("i")
        await c.ask("a secret prompt")
        c.type("a secret draft")
        found = await saved(c)
        assert [p.session_id for p in found.panes] == ["s1"]
        assert (found.current, found.draft, found.prompts) == ("", "", ())
        await c.press("alt+left")
        await c.until(lambda: c.app.desk.current == "s1", "the other pane")
        assert b"secret" not in to_bytes(await saved(c))
        await c.press("alt+right", "alt+w")
        await c.until(lambda: c.sessions == ["s1"], "closed")
        assert b"secret" not in to_bytes(await saved(c))
        # They are not lost to who typed them, and may still be used.
        await c.press("up")
        assert c.prompt_text == "a secret draft"
        assert b"secret" not in to_bytes(await saved(c))


async def test_a_prompt_that_others_were_asked_too_is_no_secret() -> None:
    async with attached(kept(pane("s1"))) as c:
        await c.app.panes.open(endpoint(), private=True)
        await c.press("ctrl+t")
        await c.until_shown("to: all (2)")
        await c.ask("hello")
        assert (await saved(c)).prompts == ("hello",)


async def test_forks_and_reopened_panes_of_private_ones_are_private() -> None:
    async with attached(kept(pane("s1"))) as c:
        session_id = await c.app.panes.open(endpoint(), private=True)
        await c.ask("hello")
        c.doors.complete(session_id, "la")
        await c.settle()
        await c.press("tab", "e")
        await c.until(lambda: len(c.sessions) == 3, "the fork")
        await c.press("alt+w", "alt+u")
        await c.until(lambda: len(openings(c.doors)) == 4, "reopened")
        assert [o.private for o in openings(c.doors)] == [False, True, True, True]


# Engines that end


async def test_when_the_engine_ends_conversations_go_on_with_another_one() -> None:
    other = ScriptedDoors()
    async with attached(kept(pane("s1"), pane("s2")), reattach=Engines(other)) as c:
        c.app.main.go_to("s1")
        await c.ask("Sing")
        c.doors.complete("s1", "la la")
        for prompt in ("Again", "waits one", "waits two"):
            await c.ask(prompt)
        c.doors.answer("s1", "half an")
        await c.settle()
        c.app.engine_lost()
        await c.until(lambda: c.app.doors is other, "another engine")
        await c.until(lambda: len(openings(other)) == 2, "all sessions")
        half = (Message("user", "Again"), Message("assistant", "half an"))
        assert openings(other)[0] == OpenSession("s1", endpoint(), (*FROM_JOURNAL, *half))
        assert c.panes[0].state.phase == "cut off"
        await c.until_shown("interrupted: the engine ended")
        assert [toast.partition(":")[0] for toast in c.toasts()] == [
            "The engine ended",
            "Another engine runs",
        ]
        await c.press("up", "up")
        assert c.prompt_text == "waits one"
        await c.press("enter")
        await c.until(lambda: list(other.sent()), "sent")
        other.complete("s1", "heard from the other one")
        await c.until_shown("heard from the other one")


async def test_what_the_engine_said_last_is_still_heard() -> None:
    other = ScriptedDoors()
    async with attached(kept(pane("s1")), reattach=Engines(other)) as c:
        await c.ask("Sing")
        await c.settle()
        # It waits to be drained when the engine is already gone.
        c.doors.subscriptions[0].closed = True
        c.doors.emit("s1", RunCancelled(Metrics()))
        c.app.engine_lost()
        await c.until(lambda: c.app.doors is other, "another engine")
        assert c.panes[0].state.phase == "cancelled"


async def test_a_private_session_stays_private_with_another_engine() -> None:
    other = ScriptedDoors()
    async with attached(kept(pane("s1")), reattach=Engines(other)) as c:
        await c.app.panes.open(endpoint(), private=True)
        await c.settle()
        c.app.engine_lost()
        await c.until(lambda: len(openings(other)) == 2, "all sessions")
        assert [o.private for o in openings(other)] == [False, True]


async def test_sessions_that_another_console_brought_back_first_are_left_alone() -> None:
    other = ScriptedDoors()
    other.was_open("s1", endpoint())
    async with attached(kept(pane("s1"), pane("s2")), reattach=Engines(other)) as c:
        c.app.engine_lost()
        await c.until(lambda: openings(other), "the rest")
        assert [o.session_id for o in openings(other)] == ["s2"]
        assert c.sessions == ["s1", "s2"]


async def test_an_engine_that_turns_out_to_be_the_same_tells_nothing_twice() -> None:
    same = ScriptedDoors()
    open_session(same, "s1", "half an answer")
    doors = kept(pane("s1"))
    open_session(doors, "s1", "half an")
    async with attached(doors, reattach=Engines(same)) as c:
        await c.until_shown("half an")
        c.app.engine_lost()
        await c.until(lambda: c.app.doors is same, "attached again")
        await c.until(lambda: not same.subscriptions[0].waiting, "told from the start")
        [turn] = c.panes[0].state.turns
        assert (turn.text, turn.end) == ("half an", "cut off")


async def test_two_engines_that_end_one_after_the_other() -> None:
    second, third = ScriptedDoors(), ScriptedDoors()
    engines = Engines(second, third)
    engines.gate.clear()
    async with attached(kept(pane("s1")), reattach=engines) as c:
        c.app.engine_lost()
        await c.until(lambda: engines.asked == 1, "asked for another one")
        # It ends before the console has even heard that it is there.
        c.app.engine_lost()
        await c.settle()
        for _turn in range(3):
            await asyncio.to_thread(lambda: None)
        assert engines.asked == 1
        engines.gate.set()
        await c.until(lambda: c.app.doors is third, "the third engine")
        await c.until(lambda: openings(third), "its session")
        await c.ask("hello")
        assert list(third.sent()) == [("s1", "hello")]


async def test_engines_that_end_again_and_again_are_given_up() -> None:
    engines = Engines(*(ScriptedDoors() for _engine in range(9)))
    async with attached(kept(pane("s1")), reattach=engines) as c:
        for number in range(1, 4):
            c.app.engine_lost()
            await c.until(lambda: c.app.state.engine_gone or engines.asked == number, "noticed")  # noqa: B023
        await c.until_shown("NO ENGINE")
        assert engines.asked == 2
        assert "3 of them ended within a minute" in c.toasts()[-1]
        await c.press("tab", "r")
        await c.until(lambda: engines.asked == 3, "tried again")
        await c.until(lambda: "NO ENGINE" not in c.screen_text(), "there again")
        # Long after that, one that ends is nothing unusual.
        c.doors.now += 3600
        c.app.engine_lost()
        await c.until(lambda: engines.asked == 4, "another one")


async def test_without_an_engine_the_screen_stays_and_nothing_typed_is_lost() -> None:
    other = ScriptedDoors()
    engines = Engines(RunError("no engine of its own: no room", kind="usage"), other)
    async with attached(kept(pane("s1")), reattach=engines) as c:
        await c.ask("Sing")
        c.doors.complete("s1", "la la")
        await c.settle()
        c.app.engine_lost()
        await c.until_shown("NO ENGINE")
        assert "no engine of its own: no room. What is on screen stays." in c.toasts()[-1]
        assert "la la" in c.screen_text()
        c.type("hello")
        await c.press("enter")
        await c.until(lambda: "The prompt was not sent." in c.toasts()[-1], "refused")
        assert c.prompt_text == "hello"
        await c.press("ctrl+p", *"attach to")
        await c.until_shown("Attach to the engine again")
        await c.press("enter")
        await c.until(lambda: c.app.doors is other, "attached")
        await c.until(lambda: "NO ENGINE" not in c.screen_text(), "no complaint")
        assert [o.messages for o in openings(other)] == [FROM_JOURNAL]
        await c.press("enter")
        await c.until(lambda: list(other.sent()) == [("s1", "hello")], "sent")


async def test_one_types_on_while_another_engine_is_looked_for() -> None:
    other = ScriptedDoors()
    engines = Engines(RunError("no room", kind="usage"), other)
    async with attached(kept(pane("s1")), reattach=engines) as c:
        c.app.engine_lost()
        await c.until_shown("NO ENGINE")
        engines.gate.clear()
        await c.press("tab", "r", "r", "i", *"hello")
        await c.until_shown("hello")
        engines.gate.set()
        await c.until(lambda: c.app.doors is other, "attached")
        assert engines.asked == 2


async def test_an_engine_of_ones_own_cannot_be_had_again() -> None:
    async with attached(kept(pane("s1"))) as c:
        c.app.engine_lost()
        await c.until_shown("NO ENGINE")
        assert "Start streamtui again." in c.toasts()[-1]
        await c.press("tab", "r")
        assert "start streamtui again" in c.toasts()[-1]


async def test_an_engine_that_ends_just_when_it_is_found_is_no_obstacle() -> None:
    """It had nothing to do, and ended while the console attached."""

    class Ending(ScriptedDoors):
        async def ask(self, query: Query) -> Answer:
            if isinstance(query, GetWorkspace):
                app.engine_lost()
                return NotFound(ErrorInfo("bug", "the engine has ended"))
            return await super().ask(query)

    other = kept(pane("s1"), pane("s2"))
    app = StreamTUIApp(
        Ending(),
        BOTH,
        opening=[],
        restore=True,
        fallback=endpoint(),
        reattach=Engines(other),
        host="",
    )
    async with app.run_test(notifications=True) as pilot:
        c = Console(app, other, pilot)
        await c.until(lambda: c.sessions == ["s1", "s2"], "what the other one kept")


# With real engines


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    if not sys.platform.startswith("linux"):
        pytest.skip("engines are found through /proc")
    with folders_of_its_own(tmp_path, monkeypatch) as folder:
        yield folder


class Real:
    """A console with an engine in a process of its own."""

    def __init__(self) -> None:
        self.app = StreamTUIApp(
            self.engine(),
            configuration(endpoint(model="demo/slow")),
            opening=[],
            restore=True,
            fallback=endpoint(model="demo/slow"),
            reattach=self.engine,
            host="",
        )

    def engine(self) -> Doors:
        return AttachedEngine(attach("disk"), on_lost=self._lost)

    def _lost(self) -> None:
        self.app.engine_lost()


@asynccontextmanager
async def real_console() -> AsyncIterator[Console]:
    app = (await asyncio.to_thread(Real)).app
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        c = Console(app, ScriptedDoors(), pilot)
        await c.until(lambda: app.attachment.keeper.may_save, "all brought back")
        yield c
        app.keep_runs = True


def first_answer(c: Console) -> str:
    turns = c.panes[0].state.turns
    return turns[0].text if turns else ""


async def test_a_console_that_comes_back_shows_what_goes_on(folder: Path) -> None:
    async with real_console() as c:
        await c.ask("Count slowly")
        await c.until(lambda: len(first_answer(c)) > 20, "some text")
        c.type("half a thought")
        [session_id], text = c.sessions, first_answer(c)
    async with real_console() as c:
        assert c.sessions == [session_id]
        before = first_answer(c)
        assert before.startswith(text)
        await c.until(lambda: len(first_answer(c)) > len(before), "more text")
        assert c.prompt_text == "half a thought"
        await c.press("escape")
        await c.until_shown("cancelled")


async def test_a_session_that_two_consoles_bring_back_is_one(folder: Path) -> None:
    async with console() as first, console() as second:
        first.doors.execute(OpenSession("s1", SLOW))
        run_id = first.doors.send("s1", "Count slowly")
        await first.until(Chunk)
        second.doors.execute(OpenSession("s1", SLOW))
        second.doors.cancel("s1")
        [end] = await second.until(RunCancelled)
        assert end.run_id == run_id
        assert len(await first.until(SessionOpened)) == 1


async def test_a_console_goes_on_when_its_engine_is_killed(folder: Path) -> None:
    async with real_console() as c:
        await c.ask("Count slowly")
        await c.until(lambda: len(first_answer(c)) > 20, "some text")
        text = first_answer(c)
        [pid] = engine_pids(folder)
        os.kill(pid, signal.SIGKILL)
        await c.until(lambda: c.panes[0].state.phase == "cut off", "interrupted")
        assert first_answer(c).startswith(text)
        await c.until(lambda: any("Another engine" in toast for toast in c.toasts()), "another")
        await c.ask("And on")
        turns = c.panes[0].state.turns
        await c.until(lambda: len(turns) == 2 and len(turns[1].text_pieces), "an answer")
        assert engine_pids(folder) != [pid]
