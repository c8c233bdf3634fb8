"""Panes of all sizes on the screen: frames, bars, tiles, tabs."""

import pytest
from rich.cells import cell_len

from streamtui.events import Metrics, RunCutOff
from tests.ui.harness import Console, console, endpoint
from tests.ui.script import LOST


def rows_of(c: Console) -> list[str]:
    return c.screen_text().split("\n")


def answer_all(c: Console, text: str) -> None:
    c.doors.now += 3.0
    for session in c.sessions:
        c.doors.answer(session, text)


async def test_a_small_pane_has_its_title_its_state_and_the_end_of_its_text() -> None:
    async with console(16, size=(80, 24), prompt="hello") as c:
        answer_all(c, "one\n\ntwo\n\nthree")
        await c.until(lambda: c.screen_text().count("three") == 16, "the end of each")
        for theme, title in (
            ("night", " 1 ● demo     3.0s   2 ● demo     3.0s "),
            ("terminal", "─1 ● demo ─── 3.0s  ─2 ● demo ─── 3.0s "),
        ):
            c.app.theme = theme
            await c.until_shown(title)
            assert rows_of(c)[1].startswith(title)
        text = c.screen_text()
        assert "╭─1" not in text
        assert all(not pane.framed for pane in c.panes)


async def test_a_roomy_pane_has_a_frame_again() -> None:
    async with console(16, size=(80, 24)) as c:
        await c.pilot.resize_terminal(200, 50)
        await c.until(lambda: all(pane.framed for pane in c.panes), "frames")
        await c.until_shown("╭─16 ○")
        assert c.screen_text().count("╰") == 17


async def test_panes_too_small_to_read_are_tiles_and_the_current_one_is_read() -> None:
    async with console(64, size=(80, 24), prompt="hello") as c:
        answer_all(c, "some words")
        await c.until_shown("some words")
        assert c.screen_text().count("some words") == 1
        assert sum(pane.display for pane in c.panes) == 1
        assert rows_of(c)[1].startswith("  1 ● verse   3s  2 ● markd…  3s  3 ● think…  3s")
        await c.press("alt+right")
        await c.until_shown("╭─2 ●")
        await c.press("alt+down")
        await c.until_shown("╭─7 ●")
        assert c.app.desk.number(c.app.desk.current) == 7
        assert "streamtui · grid" in rows_of(c)[0]


async def test_tiles_say_what_becomes_of_panes_that_cannot_be_seen() -> None:
    async with console(64, size=(80, 24), prompt="hello") as c:
        c.doors.end(c.sessions[8], RunCutOff(LOST, Metrics()))
        await c.until_shown(" 9 ↯ ")


async def test_a_pane_that_was_not_seen_has_everything_when_it_is() -> None:
    async with console(64, size=(80, 24), prompt="hello") as c:
        c.doors.answer(c.sessions[1], "what came meanwhile")
        await c.settle()
        assert "what came" not in c.screen_text()
        await c.press("alt+right")
        await c.until_shown("what came meanwhile")


async def test_a_marked_tile_shows_its_mark() -> None:
    async with console(64, size=(80, 24)) as c:
        await c.press("tab", "space", "l")
        await c.until_shown("◆ 1 ○")


async def test_main_and_stack_of_many_names_them_beside_the_main_pane() -> None:
    async with console(64, size=(200, 50), opening=[endpoint("lab", "m")] * 64) as c:
        await c.press("alt+l")
        await c.until_shown("streamtui · main")
        assert c.panes[0].size.width > 100
        assert " 64 ○ m" in c.screen_text()


async def test_layouts_without_room_are_passed_over() -> None:
    async with console(9, size=(100, 30)) as c:
        seen = []
        for _ in range(4):
            await c.press("alt+l")
            seen.append(c.app.desk.layout)
        assert seen == ["main", "tabs", "grid", "main"]


async def test_a_frozen_view_and_a_draft_are_told_in_the_bar_of_a_small_pane() -> None:
    async with console(16, size=(80, 24), prompt="hello") as c:
        answer_all(c, "line\n\n" * 20)
        await c.settle()
        await c.press("pageup")
        await c.until_shown("↓")
        c.doors.answer(c.sessions[0], "more\n\n" * 3)
        await c.until(lambda: " ↓6 " in rows_of(c)[1], "how many lines are new")
        c.type("a draft")
        await c.press("alt+right")
        await c.until_shown("✎")


async def click_at(c: Console, words: str) -> None:
    """Where some words begin on the screen."""
    rows = rows_of(c)
    y = next(y for y, row in enumerate(rows) if words in row)
    await c.pilot.click(offset=(cell_len(rows[y][: rows[y].index(words)]), y))


async def test_a_tile_that_is_clicked_stands_for_its_pane() -> None:
    async with console(64, size=(80, 24), prompt="hello") as c:
        await c.until_shown("9 ")
        for number in (9, 64, 1):
            await click_at(c, f"{number:>2} ◌")
            await c.until_shown(f"╭─{number} ◌")
        assert c.app.main.typing


async def test_a_tab_that_is_clicked_stands_for_its_pane() -> None:
    async with console(20, size=(80, 24), prompt="hello") as c:
        await c.press("alt+z")
        for number in (3, 4, 5, 4, 3):
            await c.until_shown(f" {number} ◌ ")
            await click_at(c, f"{number} ◌ ")
            await c.until_shown(f"╭─{number} ◌")


@pytest.mark.parametrize("asked", [False, True])
async def test_a_pane_has_its_room_also_where_sizes_were_asked_for_before_it_was_laid_out(
    asked: bool,
) -> None:
    async with console(1) as c:
        if asked:
            c.doors.send(c.sessions[0], "Sing")
            c.app.take_events()
        else:
            await c.app.panes.open(endpoint("lab", "m"))
        compositor = c.app.main._compositor
        # As after any widget was drawn that is not in view.
        compositor._full_map_invalidated = True
        assert c.panes[-1].transcript in compositor.full_map or not asked
        assert c.panes[-1] in compositor.full_map
        await c.settle()
        assert ("› Sing" if asked else "2 ○ lab m") in c.screen_text()
