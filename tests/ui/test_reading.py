"""Keys in a pane that one reads: finding words, and copying what is there."""

import pytest

from streamtui.engine.doors import Cancel
from streamtui.events import Chunk, ReasoningDelta
from streamtui.ui.line_input import LineInput
from streamtui.ui.search_field import SearchField
from streamtui.ui.transcript import Transcript
from tests.ui.harness import Console, console

CODE = (
    "First:\n\n```python\ndef f():\n    return 1\n```\n\nThen:\n\n- in a list\n\n"
    "  ```sh\n  make\n    deep\n  ```\n\n" + "More words.\n\n" * 60 + "```\nlast\n```"
)


def transcript(c: Console) -> Transcript:
    return c.panes[0].transcript


async def answered(c: Console, *answers: str) -> None:
    for number, answer in enumerate(answers):
        if number:
            await c.ask("and again")
        c.doors.complete(c.sessions[0], answer)
    await c.settle()


async def find(c: Console, words: str) -> None:
    """Type words into the field of a search, from the prompt."""
    await c.press("tab", "slash", *words)


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What was copied, and what it was called; no clipboard is touched."""
    found: list[tuple[str, str]] = []
    monkeypatch.setattr(
        "streamtui.ui.app.StreamTUIApp.copy_everywhere",
        lambda _app, text, what: found.append((text, what)),
    )
    return found


# Finding


async def test_words_are_set_off_while_they_are_typed_and_counted_in_the_border() -> None:
    async with console(1, prompt="hello") as c:
        await answered(c, "water, and water\n\nand wine")
        await find(c, "wa")
        await c.until_shown("/wa 1 of 2")
        await c.press("backspace", "backspace", *"wine")
        await c.until_shown("/wine 1 of 1")
        await c.press("x")
        await c.until_shown("/winex is not there")


async def test_after_enter_n_goes_on_and_round_and_capital_n_back() -> None:
    async with console(1, prompt="hello") as c:
        await answered(c, "\n\n".join(f"water {n}" for n in range(3)))
        await find(c, "water")
        await c.press("enter")
        assert c.app.screen.focused is c.panes[0]
        for key, words in (("n", "2 of 3"), ("n", "3 of 3"), ("n", "1 of 3"), ("N", "3 of 3")):
            await c.press(key)
            await c.until_shown(f"/water {words}")
        assert not c.app.screen.query(SearchField)


async def test_a_place_out_of_view_comes_into_view_and_stays_while_text_comes() -> None:
    async with console(1, prompt="hello") as c:
        c.doors.answer(c.sessions[0], "needle\n" + "hay\n" * 200)
        await c.settle()
        assert "needle" not in c.screen_text()
        await find(c, "needle")
        await c.until_shown("needle")
        assert not transcript(c).following
        c.doors.answer(c.sessions[0], "hay\n" * 200 + "needle again")
        await c.until_shown("/needle 1 of 2")
        await c.press("enter", "n")
        await c.until_shown("needle again")


async def test_escape_ends_the_search_and_cancels_nothing() -> None:
    async with console(1, prompt="hello") as c:
        c.doors.answer(c.sessions[0], "water\n" + "hay\n" * 200)
        await c.settle()
        await find(c, "water")
        await c.press("enter", "escape")
        await c.until(lambda: not transcript(c).searched, "the search ended")
        assert "/water" not in c.screen_text()
        cancel = Cancel(c.sessions[0])
        assert cancel not in c.doors.commands
        await c.press("escape")
        assert cancel in c.doors.commands


async def test_escape_in_the_field_gives_up() -> None:
    async with console(1, prompt="hello") as c:
        await answered(c, "water")
        await find(c, "water")
        await c.press("escape")
        await c.until(lambda: not transcript(c).searched, "the search ended")
        assert transcript(c).following
        assert c.app.screen.focused is c.panes[0]


async def test_without_a_search_n_opens_a_pane() -> None:
    async with console(1, prompt="hello") as c:
        await answered(c, "water")
        await c.press("tab", "n")
        await c.until_shown("new pane")


async def test_the_hints_say_how_to_go_on() -> None:
    async with console(1, prompt="hello") as c:
        await answered(c, "water")
        await find(c, "water")
        await c.press("enter")
        await c.until_shown("n next")
        await c.press("escape")
        await c.until(lambda: "n next" not in c.screen_text(), "other hints")


async def test_folded_reasoning_opens_where_words_are_found_in_it_and_folds_again() -> None:
    async with console(1, prompt="hello") as c:
        c.doors.emit(c.sessions[0], Chunk((ReasoningDelta("I think of a needle"),)))
        c.doors.complete(c.sessions[0], "hay")
        await c.until_shown("▸ reasoning")
        await find(c, "needle")
        await c.until_shown("I think of a needle")
        await c.until_shown("/needle 1 of 1")
        await c.press("enter", "escape")
        await c.until_shown("▸ reasoning")


async def test_in_the_log_a_slash_filters_the_log() -> None:
    async with console(1, prompt="hello", show_events=True) as c:
        await answered(c, "water")
        await c.press("tab", "tab", "slash")
        assert c.app.main.log_box.field.has_focus
        assert not c.app.screen.query(SearchField)


async def test_there_is_nothing_to_find_where_nothing_was_asked() -> None:
    async with console(1) as c:
        await c.press("tab", "slash")
        assert not c.app.screen.query(SearchField)
        assert "nothing to look through" in str(c.toasts())


async def test_the_field_goes_when_something_else_gets_the_focus() -> None:
    async with console(2, prompt="hello") as c:
        await answered(c, "water")
        await find(c, "water")
        await c.press("alt+right")
        c.app.main.focus_prompt()
        await c.until(lambda: not c.app.screen.query(SearchField), "it is gone")
        assert transcript(c).searched == "water"


# Copying


async def test_y_copies_the_last_answer_or_the_one_that_is_read(
    copied: list[tuple[str, str]],
) -> None:
    async with console(1, prompt="hello") as c:
        await answered(c, "first\n\n" + "hay\n\n" * 60, "second")
        await c.press("tab", "y")
        assert copied.pop() == ("second", "answer")
        await c.press("g", "y")
        text, what = copied.pop()
        assert (text[:5], what) == ("first", "answer")


async def test_c_copies_the_code_in_view_without_its_indent(copied: list[tuple[str, str]]) -> None:
    async with console(1, prompt="hello") as c:
        await answered(c, CODE)
        await c.press("tab", "c")
        assert copied.pop() == ("last", "code block")


async def test_c_asks_which_code_where_several_are_in_view(copied: list[tuple[str, str]]) -> None:
    async with console(1, prompt="hello") as c:
        await answered(c, CODE)
        await c.press("tab", "g", "c")
        await c.until_shown("copy which code block?")
        await c.press("2", "enter")
        assert copied.pop() == ("make\n  deep", "code block")
        await c.press("c")
        await c.until_shown("copy which code block?")
        await c.press(*"def f", "enter")
        assert copied.pop() == ("def f():\n    return 1", "code block")
        await c.press("c", "escape")
        assert copied == []


async def test_no_code_has_a_number_of_any_length(copied: list[tuple[str, str]]) -> None:
    async with console(1, prompt="hello") as c:
        await answered(c, CODE)
        await c.press("tab", "g", "c")
        await c.until_shown("copy which code block?")
        c.app.screen.query_one(LineInput).value = "2" * 5_000
        await c.settle()
        await c.press("enter")
        assert copied == []
        await c.until_shown("copy which code block?")


async def test_code_that_still_comes_can_be_copied(copied: list[tuple[str, str]]) -> None:
    async with console(1, prompt="hello") as c:
        c.doors.answer(c.sessions[0], "Look:\n\n```sh\nmake")
        await c.settle()
        await c.press("tab", "c")
        assert copied == [("make", "code block")]


async def test_capital_y_copies_everything(copied: list[tuple[str, str]]) -> None:
    async with console(1, prompt="hello") as c:
        await answered(c, "first", "second")
        await c.press("tab", "Y")
        assert copied == [("> hello\n\nfirst\n\n> and again\n\nsecond", "conversation")]


async def test_what_is_not_there_cannot_be_copied(copied: list[tuple[str, str]]) -> None:
    async with console(1, prompt="hello") as c:
        await c.press("tab", "y", "c")
        assert copied == []
        assert "There is no answer to copy here." in str(c.toasts())
        assert "There is no code block to copy here." in str(c.toasts())
