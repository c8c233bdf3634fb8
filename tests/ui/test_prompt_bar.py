"""The prompt: lines, history, pastes, and what it never does."""

import pytest
from textual.events import Key, Paste

from streamtui.ui.prompt_bar import PASTE_GAP, PromptHistory
from tests.ui.harness import Console, console

CHARACTER_NAMES = {"\r": "enter", " ": "space"}


def typed(c: Console, text: str, *, gap: float, start: float = 1_000.0) -> float:
    """Let keys arrive with so many seconds between them; returns the time after the last."""
    for character in text:
        key = Key(CHARACTER_NAMES.get(character, character), character)
        key.time = start
        c.app.post_message(key)
        start += gap
    return start


async def test_enter_after_a_pause_sends() -> None:
    async with console(1) as c:
        after = typed(c, "hello", gap=0.001)
        typed(c, "\r", gap=0, start=after + PASTE_GAP)
        await c.until(lambda: list(c.doors.sent()), "sent")
        assert [prompt for _session, prompt in c.doors.sent()] == ["hello"]


async def test_lines_pasted_without_brackets_are_one_prompt() -> None:
    async with console(1) as c:
        typed(c, "one\rtwo\r\rthree\r", gap=0.0005)
        await c.until(lambda: c.prompt_text.count("\n") == 4, "five lines")
        assert c.prompt_text == "one\ntwo\n\nthree\n"
        assert list(c.doors.sent()) == []


async def test_lines_pasted_with_brackets_are_one_prompt() -> None:
    async with console(1) as c:
        c.app.post_message(Paste("one\r\ntwo\rthree\n"))
        await c.until(lambda: "three" in c.prompt_text, "the paste")
        assert c.prompt_text == "one\ntwo\nthree\n"
        assert list(c.doors.sent()) == []


async def test_escape_sequences_in_a_paste_are_shown_not_obeyed() -> None:
    async with console(1) as c:
        c.app.post_message(Paste("a\x1b]0;PWN\x07b"))
        await c.until(lambda: c.prompt_text, "the paste")
        assert c.prompt_text == "a␛]0;PWN␇b"


async def test_ctrl_j_breaks_the_line_and_the_bar_grows_up_to_eight_rows() -> None:
    async with console(1) as c:
        bar = c.app.main.prompt_bar
        assert bar.outer_size.height == 3
        c.type("first")
        await c.press("ctrl+j")
        c.type("second")
        await c.until(lambda: bar.outer_size.height == 4, "two rows")
        assert c.prompt_text == "first\nsecond"
        await c.until_shown("2 lines")
        c.type("\n" * 20)
        await c.until(lambda: bar.outer_size.height == 10, "eight rows")


async def test_an_empty_prompt_is_not_sent() -> None:
    async with console(1) as c:
        await c.press("enter")
        c.type("  \n ")
        await c.press("enter")
        await c.settle()
        assert list(c.doors.sent()) == []


async def test_up_and_down_walk_through_the_history_and_back_to_the_text_in_hand() -> None:
    async with console(1) as c:
        await c.ask("first")
        await c.ask("second")
        c.type("in hand")
        await c.press("up")
        assert c.prompt_text == "second"
        await c.press("up")
        assert c.prompt_text == "first"
        await c.press("up")
        assert c.prompt_text == "first"
        await c.press("down", "down")
        assert c.prompt_text == "in hand"


async def test_up_moves_within_a_text_of_several_lines_first() -> None:
    async with console(1) as c:
        await c.ask("before")
        c.type("one\ntwo")
        await c.press("up")
        assert c.prompt_text == "one\ntwo"
        await c.press("up")
        assert c.prompt_text == "before"
        await c.press("down")
        assert c.prompt_text == "one\ntwo"


async def test_typing_is_possible_while_everything_streams() -> None:
    async with console(2, prompt="go") as c:
        for number in range(30):
            for session in c.sessions:
                c.doors.answer(session, f"token {number} ")
            await c.press("x")
        assert c.prompt_text == "x" * 30


async def test_a_chord_never_types_its_letter() -> None:
    async with console(2) as c:
        await c.press("alt+z", "alt+z", "alt+l", "alt+f")
        assert c.prompt_text == ""


async def test_the_clipboard_of_the_program_is_made_safe_when_pasted() -> None:
    async with console(1) as c:
        c.app.copy_to_clipboard("a\x1b[2Jb")
        await c.press("ctrl+v")
        assert c.prompt_text == "a␛[2Jb"


@pytest.mark.parametrize("kept", ["", "  ", "\n"])
def test_blank_prompts_are_not_kept(kept: str) -> None:
    history = PromptHistory()
    history.add(kept)
    assert history.prompts == ()


def test_a_prompt_of_the_history_that_was_changed_is_not_lost() -> None:
    history = PromptHistory()
    history.add("first")
    history.add("second")
    assert history.older("") == "second"
    assert history.older("second, changed") == "first"
    assert history.newer("first") == "second"
    assert history.newer("second") == "second, changed"


def test_the_same_prompt_twice_is_kept_once() -> None:
    history = PromptHistory()
    history.add("same")
    history.add("same")
    assert history.prompts == ("same",)


async def test_keys_that_come_faster_than_they_are_handled_keep_their_order() -> None:
    async with console(1) as c:
        for key, character in (("a", "a"), ("backspace", "\x7f"), ("b", "b"), ("c", "c")):
            c.app.post_message(Key(key, character))
        await c.until(lambda: c.prompt_text == "bc", "the first letter alone is gone")


async def test_what_is_typed_right_after_enter_is_not_sent_with_it() -> None:
    async with console(1) as c:
        for seconds, (key, character) in enumerate((("h", "h"), ("enter", "\r"), ("x", "x"))):
            pressed = Key(key, character)
            pressed.time += seconds
            c.app.post_message(pressed)
        await c.until(lambda: c.prompt_text == "x", "what came after waits")
        assert [prompt for _, prompt in c.doors.sent()] == ["h"]
