"""The console by its keys: panes, prompt, runs, toasts."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from streamtui.engine.doors import Cancel, CancelAll, CloseSession, OpenSession, Retry
from streamtui.events import (
    ErrorInfo,
    Metrics,
    RetryScheduled,
    RunCutOff,
    RunFailed,
    StreamStalled,
)
from streamtui.ui.screens.console import Console as ConsoleScreen
from streamtui.ui.screens.errors import Errors
from streamtui.ui.screens.event_detail import EventDetail
from streamtui.ui.screens.help import Help
from streamtui.ui.screens.new_pane import NewPane
from streamtui.ui.screens.palette import Palette
from streamtui.ui.screens.quit import QuitQuestion
from tests.ui.harness import configuration, console, endpoint


def failure(message: str = "HTTP 500, a fault of the server") -> RunFailed:
    error = ErrorInfo(kind="server", message=message, hint="Ask again")
    return RunFailed(error, Metrics())


async def test_one_prompt_goes_to_all_panes_and_each_streams() -> None:
    async with console(4) as c:
        await c.press("ctrl+t")
        await c.until_shown("to: all (4) ›")
        await c.ask("a song")
        assert list(c.doors.sent()) == [(session, "a song") for session in c.sessions]
        for number, session in enumerate(c.sessions, 1):
            c.doors.answer(session, f"answer {number}")
        for number in range(1, 5):
            await c.until_shown(f"answer {number}")
        assert "4 panes · 4 live" in c.screen_text()


async def test_the_first_prompt_is_sent_to_all_at_once() -> None:
    async with console(3, prompt="hello") as c:
        assert [prompt for _session, prompt in c.doors.sent()] == ["hello"] * 3


async def test_escape_cancels_the_current_run_only() -> None:
    async with console(2, prompt="hello") as c:
        c.doors.answer(c.sessions[0], "half an")
        c.doors.answer(c.sessions[1], "whole")
        await c.until_shown("half an")
        await c.press("escape")
        await c.until_shown("cancelled")
        assert [command for command in c.doors.commands if isinstance(command, Cancel)] == [
            Cancel(c.sessions[0])
        ]
        assert "half an" in c.screen_text()
        assert c.panes[1].state.phase == "streaming"


async def test_x_cancels_one_and_shift_x_all() -> None:
    async with console(3, prompt="hello") as c:
        await c.press("tab", "x")
        await c.settle()
        assert [pane.state.phase for pane in c.panes] == ["cancelled", "waiting", "waiting"]
        await c.press("X")
        await c.settle()
        assert CancelAll() in c.doors.commands
        assert [pane.state.phase for pane in c.panes] == ["cancelled"] * 3


async def test_retry_asks_the_last_prompt_again() -> None:
    async with console(1, prompt="hello") as c:
        c.doors.end(c.sessions[0], failure())
        await c.until_shown("failed")
        await c.press("tab", "r")
        await c.settle()
        assert isinstance(c.doors.commands[-1], Retry)
        assert c.panes[0].state.phase == "waiting"


async def test_retry_of_a_run_that_goes_on_is_refused_with_a_word() -> None:
    async with console(1, prompt="hello") as c:
        await c.press("tab", "r")
        await c.until(lambda: "still going on" in str(c.toasts()), "a toast")
        assert not any(isinstance(command, Retry) for command in c.doors.commands)


async def test_zoom_shows_one_pane_and_tabs_for_the_others() -> None:
    async with console(4) as c:
        await c.press("alt+right", "alt+z")
        await c.until_shown("streamtui · zoom")
        second_row = c.screen_text().split("\n")[1]
        assert "1 ○ demo verse" in second_row
        assert "4 ○ demo tools" in second_row
        visible = [pane for pane in c.panes if pane.display]
        assert [pane.number for pane in visible] == [2]
        await c.press("alt+z")
        await c.until(lambda: all(pane.display for pane in c.panes), "all panes are back")


async def test_arrows_and_numbers_choose_the_current_pane() -> None:
    async with console(4) as c:
        order = c.sessions
        await c.press("alt+right")
        assert c.app.desk.current == order[1]
        await c.press("alt+down")
        assert c.app.desk.current == order[3]
        await c.press("alt+left")
        assert c.app.desk.current == order[2]
        await c.press("tab", "1")
        assert c.app.desk.current == order[0]
        await c.press("l", "j", "h", "k")
        assert c.app.desk.current == order[0]
        await c.press("ctrl+backslash")
        assert c.app.desk.current == order[3]
        await c.press("ctrl+right_square_bracket")
        assert c.app.desk.current == order[0]


async def test_tab_goes_through_panes_and_log_and_i_back_to_the_prompt() -> None:
    async with console(2, show_events=True) as c:
        main = c.app.main
        await c.press("tab")
        assert c.panes[0].has_focus
        await c.press("tab")
        assert c.panes[1].has_focus
        await c.press("tab")
        assert main.log_box.has_focus_within
        await c.press("tab")
        assert c.panes[0].has_focus
        await c.press("i")
        assert main.prompt.has_focus


async def test_every_layout_shows_all_panes_and_says_its_name() -> None:
    async with console(3, size=(160, 50)) as c:
        for name in ("columns", "rows", "main", "tabs", "grid"):
            await c.press("alt+l")
            await c.until_shown(f"streamtui · {name}")
            shown = sum(pane.display for pane in c.panes)
            assert shown == (1 if name == "tabs" else 3)


async def test_panes_become_tabs_where_they_would_be_too_small() -> None:
    async with console(6, size=(50, 16)) as c:
        assert sum(pane.display for pane in c.panes) == 1
        await c.pilot.resize_terminal(160, 40)
        await c.until(lambda: all(pane.display for pane in c.panes), "room for all")


async def test_closing_a_streaming_pane_cancels_its_run_and_reopening_brings_its_text_back() -> (
    None
):
    async with console(2, prompt="hello") as c:
        first = c.sessions[0]
        c.doors.answer(first, "what came before")
        await c.until_shown("what came before")
        await c.press("alt+w")
        await c.until(lambda: len(c.panes) == 1, "the pane is gone")
        assert CloseSession(first) in c.doors.commands
        assert "what came before" not in c.screen_text()
        await c.press("alt+u")
        await c.until_shown("what came before")
        reopened = c.doors.commands[-1]
        assert isinstance(reopened, OpenSession)
        assert [(m.role, m.content) for m in reopened.messages] == [
            ("user", "hello"),
            ("assistant", "what came before"),
        ]
        assert c.sessions[0] == reopened.session_id
        assert c.panes[0].number == 1
        assert c.panes[0].state.phase == "cancelled"
        await c.ask("and then?")
        await c.settle()
        assert list(c.doors.sent())[-1] == (reopened.session_id, "and then?")
        assert "what came before" in c.screen_text()


async def test_a_reopened_pane_can_ask_its_last_prompt_again() -> None:
    async with console(1, prompt="hello") as c:
        c.doors.complete(c.sessions[0], "hi")
        await c.until_shown("hi")
        await c.press("alt+w", "alt+u", "tab", "r")
        await c.settle()
        opened = [command for command in c.doors.commands if isinstance(command, OpenSession)][-1]
        assert opened.messages == ()
        assert list(c.doors.sent())[-1] == (opened.session_id, "hello")


async def test_closing_the_last_pane_leaves_words_and_a_way_back() -> None:
    async with console(1) as c:
        await c.press("alt+w")
        await c.until_shown("No pane is open.")
        c.type("lost?")
        await c.press("enter")
        await c.until(lambda: "was not sent" in str(c.toasts()), "a toast")
        assert c.prompt_text == "lost?"
        await c.press("alt+u")
        await c.until(lambda: len(c.panes) == 1, "the pane is back")


async def test_edit_forks_before_the_last_prompt() -> None:
    async with console(1, prompt="first") as c:
        session = c.sessions[0]
        c.doors.complete(session, "one")
        await c.settle()
        await c.ask("second")
        c.doors.complete(session, "two")
        await c.until_shown("two")
        await c.press("tab", "e")
        await c.until(lambda: len(c.panes) == 2, "a fork")
        opened = c.doors.commands[-1]
        assert isinstance(opened, OpenSession)
        assert [message.content for message in opened.messages] == ["first", "one"]
        await c.until(lambda: c.prompt_text == "second", "the prompt to change")
        await c.until(lambda: c.app.main.prompt.has_focus, "typing")


async def test_marked_panes_are_spoken_to_together() -> None:
    async with console(4) as c:
        await c.press("tab", "space", "3", "space")
        await c.until_shown("to: marked (2) ›")
        await c.press("i")
        await c.ask("only you two")
        assert [session for session, _prompt in c.doors.sent()] == [c.sessions[0], c.sessions[2]]
        assert "◆" in c.screen_text()


async def test_a_marks_all_and_shift_a_none() -> None:
    async with console(3) as c:
        await c.press("tab", "a")
        await c.until_shown("to: marked (3) ›")
        await c.press("A")
        await c.until_shown("to: this (1) ›")


async def test_the_target_goes_round() -> None:
    async with console(3) as c:
        assert c.app.desk.target == "this"
        await c.press("ctrl+t")
        assert c.app.desk.target == "all"
        await c.press("ctrl+t")
        assert c.app.desk.target == "this"


async def test_a_prompt_for_a_streaming_session_is_queued_visibly() -> None:
    async with console(1, prompt="first") as c:
        c.doors.answer(c.sessions[0], "answering")
        c.type("second")
        await c.until_shown("will be queued")
        await c.press("enter")
        await c.until_shown("queued 1: second")
        assert c.prompt_text == ""
        c.doors.complete(c.sessions[0])
        await c.until(lambda: "queued 1" not in c.screen_text(), "its turn")
        assert c.panes[0].state.turns[-1].prompt == "second"


async def test_queued_prompts_of_a_closed_pane_are_in_the_history() -> None:
    async with console(2, prompt="first") as c:
        await c.ask("second")
        await c.until_shown("queued 1: second")
        await c.press("alt+w")
        await c.until(lambda: len(c.panes) == 1, "the pane is gone")
        await c.press("up")
        assert c.prompt_text == "second"


async def test_drafts_wait_in_their_panes() -> None:
    async with console(2) as c:
        c.type("for the first")
        await c.press("alt+right")
        assert c.prompt_text == ""
        await c.until_shown("✎ draft")
        c.type("for the second")
        await c.press("alt+left")
        assert c.prompt_text == "for the first"
        await c.press("alt+right")
        assert c.prompt_text == "for the second"


async def test_a_draft_comes_back_when_the_prompt_speaks_to_its_pane_again() -> None:
    async with console(2) as c:
        c.type("for the first")
        await c.press("alt+right", "ctrl+t", "alt+left")
        assert c.prompt_text == ""
        await c.press("ctrl+t")
        assert c.prompt_text == "for the first"
        await c.until(lambda: "✎ draft" not in c.screen_text(), "no draft waits")


async def test_a_draft_in_the_way_goes_into_the_history() -> None:
    async with console(2) as c:
        c.type("for the first")
        await c.press("alt+right", "ctrl+t", "alt+left")
        c.type("for all")
        await c.press("ctrl+t", "alt+right", "alt+left")
        assert c.prompt_text == "for all"
        await c.press("up")
        assert c.prompt_text == "for the first"


async def test_what_is_typed_stays_when_its_pane_is_closed() -> None:
    async with console(3) as c:
        c.type("for the first")
        await c.press("alt+right")
        c.type("for the second")
        await c.press("alt+w")
        await c.until(lambda: len(c.panes) == 2, "one is gone")
        assert c.prompt_text == "for the second"


async def test_what_is_typed_goes_along_when_the_target_changes() -> None:
    async with console(2) as c:
        c.type("for whom?")
        await c.press("ctrl+t")
        assert c.prompt_text == "for whom?"
        await c.press("alt+right")
        assert c.prompt_text == "for whom?"


async def test_ctrl_c_twice_asks_to_quit() -> None:
    async with console(1, prompt="hello") as c:
        await c.press("ctrl+c")
        await c.settle()
        assert c.panes[0].state.phase == "cancelled"
        await c.press("ctrl+c")
        await c.until(lambda: isinstance(c.app.screen, QuitQuestion), "the question")
        await c.press("n")
        await c.until(lambda: isinstance(c.app.screen, ConsoleScreen), "back")


async def test_a_second_ctrl_c_after_a_while_does_not_ask() -> None:
    async with console(1, prompt="hello") as c:
        await c.press("ctrl+c")
        c.doors.now += 1.6
        await c.press("ctrl+c")
        await c.settle()
        assert isinstance(c.app.screen, ConsoleScreen)


async def test_ctrl_c_puts_an_unsent_prompt_into_the_history() -> None:
    async with console(1) as c:
        c.type("not now")
        await c.press("ctrl+c")
        assert c.prompt_text == ""
        await c.press("up")
        assert c.prompt_text == "not now"


async def test_quit_asks_only_while_something_streams() -> None:
    async with console(2, prompt="hello") as c:
        await c.press("ctrl+q")
        await c.until_shown("2 runs are still going on")
        await c.press("escape")
        for session in c.sessions:
            c.doors.complete(session, "done")
        await c.settle()
        await c.press("tab", "q")
        await c.until(lambda: c.app._exit, "the app ends")
    assert c.doors.closed


async def test_quit_with_yes_ends_the_engine() -> None:
    async with console(1, prompt="hello") as c:
        await c.press("ctrl+q")
        await c.until_shown("1 run is still going on")
        await c.press("y")
        await c.until(lambda: c.app._exit, "the app ends")
    assert c.doors.closed


async def test_equal_toasts_are_one_with_a_count() -> None:
    async with console(3, prompt="hello") as c:
        for session in c.sessions:
            c.doors.end(session, failure())
        await c.until(lambda: "Run failed ×3" in str(c.toasts()), "one toast")
        assert len(c.toasts()) == 1
        await c.until(lambda: c.toasts_on_screen() == 1, "one on screen")
        await c.until_shown("Run failed ×3")


async def test_there_are_never_more_than_five_toasts() -> None:
    async with console(1, prompt="hello") as c:
        for number in range(9):
            c.doors.emit(
                c.sessions[0],
                RetryScheduled(2, 3, 1.0, ErrorInfo("server", f"reason {number}")),
            )
        await c.settle()
        assert len(c.toasts()) == 5
        await c.until(lambda: c.toasts_on_screen() == 5, "five on screen")
        assert "reason 8" in str(c.toasts())
        assert "reason 3" not in str(c.toasts())


async def test_a_toast_says_what_was_kept_and_what_to_do() -> None:
    async with console(1, prompt="hello") as c:
        c.doors.answer(c.sessions[0], "12345")
        error = ErrorInfo("connection-lost", "the connection was lost", "Ask again for the rest")
        c.doors.end(c.sessions[0], RunCutOff(error, Metrics(text_chars=5)))
        await c.until(c.toasts, "a toast")
        assert c.toasts() == [
            (
                "Answer cut off: demo: the connection was lost. 5 characters kept. "
                "Ask again for the rest."
            )
        ]
        assert "12345" in c.screen_text()


async def test_f5_lists_errors_and_opens_one_as_json() -> None:
    async with console(1, prompt="hello") as c:
        c.doors.emit(c.sessions[0], StreamStalled(5.0, 120.0))
        c.doors.end(c.sessions[0], failure("HTTP 503, overloaded"))
        await c.settle()
        await c.press("f5")
        await c.until(lambda: isinstance(c.app.screen, Errors), "the list")
        assert "HTTP 503, overloaded" in c.screen_text()
        assert "no data for 5 s" in c.screen_text()
        await c.press("enter")
        await c.until(lambda: isinstance(c.app.screen, EventDetail), "the event")
        assert '"type": "RunFailed"' in c.screen_text()
        await c.press("escape")
        await c.until(lambda: isinstance(c.app.screen, ConsoleScreen), "back")


async def test_the_event_log_is_toggled_filtered_and_opened() -> None:
    async with console(2, prompt="hello") as c:
        await c.press("f3")
        await c.until_shown("events")
        c.doors.answer(c.sessions[1], "needle")
        await c.settle()
        assert "needle" in c.screen_text()
        await c.press("tab", "tab", "tab", "slash")
        await c.press(*"session:1", "enter")
        log = c.app.main.log_box.log_view
        await c.until(lambda: log.has_focus, "back in the log")
        await c.until_shown("filter: session:1")
        await c.press("enter")
        await c.until(lambda: isinstance(c.app.screen, EventDetail), "the event")
        await c.press("escape", "f3")
        await c.until(lambda: not c.app.main.log_box.display, "hidden")


async def test_a_new_pane_is_chosen_from_a_list() -> None:
    given = configuration(endpoint(), endpoint("mirror", "gpt-4o-mini"))
    async with console(1, config=given) as c:
        await c.press("ctrl+n")
        await c.until(lambda: isinstance(c.app.screen, NewPane), "the list")
        assert "as this pane" in c.screen_text()
        await c.press(*"mirror", "enter")
        await c.until(lambda: len(c.panes) == 2, "a second pane")
        assert c.panes[1].state.endpoint == "mirror"
        assert c.app.desk.current == c.sessions[1]
        await c.press("ctrl+n", "enter")
        await c.until(lambda: len(c.panes) == 3, "one like the current one")
        assert c.panes[2].state.endpoint == "mirror"


async def test_all_models_of_the_demo_are_in_the_list() -> None:
    async with console(1) as c:
        await c.press("ctrl+n")
        await c.until(lambda: isinstance(c.app.screen, NewPane), "the list")
        await c.press(*"thinker", "enter")
        await c.until(lambda: len(c.panes) == 2, "a second pane")
        assert c.panes[1].state.model == "demo/thinker"


async def test_a_model_that_no_row_has_can_be_typed() -> None:
    given = configuration(endpoint("mirror", "gpt-4o-mini"))
    async with console(1, config=given) as c:
        await c.press("ctrl+n")
        await c.until(lambda: isinstance(c.app.screen, NewPane), "the list")
        await c.press(*"mirror/new-model", "enter")
        await c.until(lambda: len(c.panes) == 2, "a second pane")
        assert c.panes[1].state.model == "new-model"


async def test_the_palette_finds_commands_panes_and_themes() -> None:
    async with console(2) as c:
        await c.press("ctrl+p")
        await c.until(lambda: isinstance(c.app.screen, Palette), "the palette")
        await c.press(*"zoom", "enter")
        await c.until(lambda: c.app.desk.zoomed, "zoomed")
        await c.press("f2", *"pane 2", "enter")
        await c.until(lambda: c.app.desk.current == c.sessions[1], "the second pane")
        await c.press("tab", "colon", *"theme: paper", "enter")
        await c.until(lambda: c.app.theme == "paper", "another theme")


async def test_help_lists_every_group() -> None:
    async with console(1) as c:
        await c.press("f1")
        await c.until(lambda: isinstance(c.app.screen, Help), "help")
        assert "Send the prompt" in c.screen_text()
        await c.press("end")
        await c.until_shown("asks only while something streams")
        await c.press("escape")
        await c.until(lambda: isinstance(c.app.screen, ConsoleScreen), "back")


async def test_scrolling_up_freezes_a_pane_and_end_follows_again() -> None:
    async with console(1, size=(80, 24), prompt="hello") as c:
        c.doors.answer(c.sessions[0], *(f"line {number}\n\n" for number in range(40)))
        await c.until_shown("line 39")
        await c.press("pageup")
        await c.until(lambda: "line 39" not in c.screen_text(), "another part")
        c.doors.answer(c.sessions[0], "news\n\n")
        await c.until_shown("new")
        assert "↓" in c.screen_text()
        await c.press("alt+f")
        await c.until_shown("news")


async def test_text_pasted_over_a_pane_goes_to_the_prompt() -> None:
    async with console(1) as c:
        await c.press("tab")
        from textual.events import Paste

        c.app.post_message(Paste("quit\nx"))
        await c.until(lambda: c.prompt_text == "quit\nx", "the text is in the prompt")
        assert c.app.main.prompt.has_focus


async def test_nothing_is_drawn_while_nothing_happens() -> None:
    async with console(2, prompt="hello") as c:
        for session in c.sessions:
            c.doors.complete(session, "done")
        await c.settle()
        beat = c.app._beat
        assert beat is not None
        await c.until(lambda: beat._due is None, "no frame is due")


@pytest.mark.parametrize("size", [(1, 1), (10, 3), (24, 8), (40, 12), (300, 100)], ids=str)
async def test_no_size_of_the_terminal_is_too_odd(size: tuple[int, int]) -> None:
    async with console(4, prompt="hello", show_events=True) as c:
        for session in c.sessions:
            c.doors.answer(session, "some text\n\n" * 5)
        await c.pilot.resize_terminal(*size)
        await c.ask("and more")
        await c.press("alt+z", "alt+l", "f1", "escape", "ctrl+p", "escape")
        await c.pilot.resize_terminal(80, 24)
        await c.until_shown("queued 1: and m")


async def test_sixty_four_panes_open_at_once() -> None:
    async with console(64, size=(250, 80), prompt="hello") as c:
        for session in c.sessions:
            c.doors.answer(session, "token")
        await c.until(lambda: c.screen_text().count("token") >= 64, "all of them")
        await c.pilot.resize_terminal(80, 24)
        await c.until_shown(" 1 ● verse")


async def test_warnings_of_the_configuration_are_toasts() -> None:
    warned = replace(configuration(), warnings=["the file can be read by others [/]"])
    async with console(1, config=warned) as c:
        await c.until(c.toasts, "a toast")
        assert c.toasts() == ["Configuration: the file can be read by others [/]."]


async def test_the_chosen_theme_is_kept_in_the_managed_file(tmp_path: Path) -> None:
    managed = tmp_path / "managed.toml"
    async with console(1, config=replace(configuration(), managed_path=str(managed))) as c:
        names = c.app.theme_names
        await c.press("f9")
        chosen = names[(names.index("night") + 1) % len(names)]
        assert c.app.theme == chosen
        await c.until(managed.exists, "the file")
        assert f'theme = "{chosen}"' in managed.read_text()


async def test_a_theme_that_cannot_be_kept_is_used_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    nowhere = str(tmp_path / "file" / "managed.toml")
    async with console(1, config=replace(configuration(), managed_path=nowhere)) as c:
        await c.press("f9")
        await c.until(lambda: "Theme not kept" in str(c.toasts()), "a toast")
        assert c.app.theme != "night"


async def test_a_theme_that_is_gone_is_replaced_by_another() -> None:
    async with console(1, config=replace(configuration(), theme="gone")) as c:
        assert c.app.theme in c.app.theme_names


async def test_escape_takes_toasts_away_when_nothing_runs() -> None:
    async with console(1, prompt="hello") as c:
        c.doors.end(c.sessions[0], failure())
        await c.until(lambda: c.toasts_on_screen() == 1, "a toast")
        await c.press("escape")
        await c.until(lambda: c.toasts_on_screen() == 0, "no toast")
        for _ in range(2):
            await c.press("tab", "r", "i")
            c.doors.end(c.sessions[0], failure())
        await c.until(lambda: "×2" in str(c.toasts()), "counted anew")
