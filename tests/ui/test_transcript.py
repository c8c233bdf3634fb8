"""A transcript in a small app: events in, rows of the screen out."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual import events
from textual.app import App, ComposeResult
from textual.color import Color
from textual.geometry import Region
from textual.strip import Strip

from streamtui.events import (
    ErrorInfo,
    Message,
    Metrics,
    ReasoningDelta,
    RefusalDelta,
    RunCancelled,
    RunCutOff,
    RunFailed,
    ToolCallDelta,
)
from streamtui.ui.document import Document
from streamtui.ui.state import PaneState, Turn
from streamtui.ui.themes import load_themes
from streamtui.ui.transcript import Transcript
from tests.ui.script import LOST, Script

CASES = json.loads((Path(__file__).parents[1] / "cases" / "security_cases.json").read_text())
SAMPLE = (Path(__file__).parents[1] / "cases" / "sample.md").read_text()
VERSE = "Sparkling water, clear and bright,\nYou dance upon my tongue tonight."


class Page(App[None]):
    """One transcript, and nothing else."""

    def __init__(self, pane: PaneState) -> None:
        super().__init__()
        for theme in load_themes():
            self.register_theme(theme)
        self.theme = "night"
        self.transcript = Transcript(pane)
        self.positions: list[tuple[bool, int]] = []
        self.refreshed: list[int] = []

    def compose(self) -> ComposeResult:
        yield self.transcript

    def on_transcript_position_changed(self, message: Transcript.PositionChanged) -> None:
        assert message.control is self.transcript
        self.positions.append((self.transcript.following, self.transcript.new_lines))

    @property
    def rows(self) -> list[str]:
        """The screen's rows, trailing blanks left out."""
        height = self.transcript.size.height
        return [strip.text.rstrip() for strip in strips(self.transcript, height)]


def strips(transcript: Transcript, height: int) -> list[Strip]:
    return transcript.render_lines(Region(0, 0, transcript.size.width, height))


def numbered(count: int, first: int = 0) -> str:
    return "".join(f"line {number}\n" for number in range(first, first + count))


def rows_of(script: Script, width: int = 60) -> list[str]:
    """All rows of a session's document."""
    document = Document(script.pane)
    document.width = width
    document.sync(may_fold=True)
    return [row.text for row in document.rows_from(document.start(), 10_000)]


# What is shown


def test_a_streaming_answer_is_plain_text_with_a_cursor() -> None:
    script = Script().open().start("Sing").connect().receive("Sparkling **water**")
    assert rows_of(script) == ["› Sing", "", "Sparkling **water**▌"]


def test_blank_lines_before_an_answer_are_not_shown() -> None:
    script = Script().open().start("Sing").connect().receive("\n").receive("\r\n\n").receive("La")
    assert rows_of(script) == ["› Sing", "", "La▌"]


def test_a_finished_answer_is_markdown_without_a_cursor() -> None:
    script = Script().open().answer("Sparkling **water**\n\n- one\n- two")
    assert rows_of(script) == ["› Sing", "", "Sparkling water", "", "• one", "• two"]


def test_turns_follow_each_other_with_air_between_them() -> None:
    script = Script().open().answer("La").answer("Lo", prompt="Again\nplease", run_id="r2")
    assert rows_of(script) == ["› Sing", "", "La", "", "", "› Again", "  please", "", "Lo"]


def test_reasoning_is_shown_while_it_streams_and_folded_once_the_answer_starts() -> None:
    script = Script().open().start().connect().receive(ReasoningDelta("I think of water"))
    assert rows_of(script) == ["› Sing", "", "I think of water▌"]
    script.receive("La")
    assert rows_of(script) == ["› Sing", "", "▸ reasoning, 4 words", "", "La▌"]


def test_tool_calls_are_named_blocks_and_their_arguments_readable_in_the_end() -> None:
    script = Script().open().start().connect()
    script.receive(ToolCallDelta(0, '{"city":"Bonn"', id="c", name="weather"))
    assert rows_of(script)[2:] == ["▪ weather  tool call", '{"city":"Bonn"▌']
    script.receive(ToolCallDelta(0, "}")).finish()
    assert rows_of(script)[2:] == ["▪ weather  tool call", "│ {", '│   "city": "Bonn"', "│ }"]


def test_broken_tool_arguments_are_shown_as_they_are() -> None:
    script = Script().open().start().connect().receive(ToolCallDelta(0, '{"city":', name="weather"))
    script.finish()
    assert rows_of(script)[-1] == '│ {"city":'


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (RunFailed(LOST, Metrics(text_chars=2)), "✗ failed: connection lost. 2 characters kept."),
        (RunCutOff(LOST, Metrics(text_chars=2)), "↯ cut off: connection lost. 2 characters kept."),
        (RunCancelled(Metrics(text_chars=2)), "⊘ cancelled, 2 characters kept"),
    ],
)
def test_a_bad_end_is_one_line_under_what_was_kept(
    body: RunFailed | RunCutOff | RunCancelled, line: str
) -> None:
    script = Script().open().start().connect().receive("La")
    script.say(body)
    shown = rows_of(script, 100)
    assert shown[:4] == ["› Sing", "", "La", ""]
    assert shown[4].startswith(line)
    assert len(shown) == 5


def test_an_unusual_reason_to_end_is_told() -> None:
    script = Script().open().start().connect().receive("La").finish(reason="length")
    assert rows_of(script)[-1] == "▪ the endpoint ended it: length"


def test_an_answer_asked_for_again_says_so() -> None:
    script = Script().open().answer("La").start("Sing", run_id="r2", replaces="r1")
    assert "↻ asked again below; this answer is not sent back" in rows_of(script)


def test_a_refusal_is_shown() -> None:
    script = Script().open().start().connect().receive(RefusalDelta("I will not")).finish()
    assert rows_of(script)[-1] == "I will not"


def test_an_empty_pane_is_empty() -> None:
    assert rows_of(Script().open()) == []


def test_turns_that_came_before_are_shown() -> None:
    script = Script().open()
    script.start("Now", past=(Message("user", "Before"), Message("assistant", "Yes")))
    assert rows_of(script) == ["› Before", "", "Yes", "", "", "› Now"]


# Bounded work


def test_a_long_answer_is_laid_out_only_where_it_is_looked_at() -> None:
    turns = [Turn("r", "Ask", end="done") for _ in range(2)]
    turns[0].text_pieces.append("\n\n".join(["A paragraph of text. " * 20] * 2_000))
    document = Document(PaneState("s", turns=turns))
    document.width = 60
    document.sync(may_fold=True)
    document.rows_from(document.up(document.end(), 40), 40)
    blocks = document._blocks
    assert len(blocks) > 50
    assert sum(bool(block._rows) for block in blocks) < 6


def test_closed_turns_are_not_looked_at_again() -> None:
    script = Script().open()
    for number in range(50):
        script.answer("La\n" * 10, prompt=f"Sing {number}", run_id=f"r{number}")
    document = Document(script.pane)
    document.width = 60
    document.sync(may_fold=True)
    before = list(document._blocks)
    script.start("Last", run_id="r99").connect().receive("La")
    document.sync(may_fold=True)
    assert all(old is new for old, new in zip(before, document._blocks, strict=False))
    assert document._settled == 50


@given(st.integers(0, 400), st.integers(0, 400), st.integers(10, 60))
def test_going_up_and_down_is_counting(down: int, up: int, width: int) -> None:
    script = Script().open().answer(SAMPLE).answer("La " * 200, run_id="r2")
    document = Document(script.pane)
    document.width = width
    document.sync(may_fold=True)
    everything = document.rows_from(document.start(), 10_000)
    assert document.count(document.start(), document.end()) == len(everything)
    place = document.down(document.start(), down)
    index = min(down, len(everything))
    assert document.rows_from(place, 10_000) == everything[index:]
    assert document.rows_from(document.up(place, up), 10_000) == everything[max(index - up, 0) :]


# On screen


async def test_the_view_follows_the_end() -> None:
    script = Script().open().start().connect()
    app = Page(script.pane)
    async with app.run_test(size=(30, 8)):
        script.receive(numbered(20))
        app.transcript.update()
        assert app.rows == [*(f"line {number}" for number in range(13, 20)), "▌"]
        assert app.positions == []


async def test_scrolling_up_freezes_this_view_and_tells_how_many_rows_came() -> None:
    script = Script().open().start().connect().receive(numbered(20))
    app = Page(script.pane)
    async with app.run_test(size=(30, 8)) as pilot:
        app.transcript.scroll_rows(-3)
        frozen = app.rows
        assert frozen[0] == "line 10"
        script.receive(numbered(5, 20))
        app.transcript.update()
        assert app.rows == frozen
        assert (app.transcript.following, app.transcript.new_lines) == (False, 5)
        app.transcript.follow()
        assert app.rows[-2:] == ["line 24", "▌"]
        await pilot.pause()
        assert len(app.positions) == 3, "frozen, more below, following"
        assert app.positions[-1] == (True, 0)


async def test_reaching_the_bottom_follows_again() -> None:
    script = Script().open().start().connect().receive(numbered(20))
    app = Page(script.pane)
    async with app.run_test(size=(30, 8)):
        app.transcript.page_up()
        assert not app.transcript.following
        app.transcript.page_down()
        assert app.transcript.following


async def test_home_shows_the_beginning_and_pages_overlap() -> None:
    script = Script().open().start().connect().receive(numbered(30))
    app = Page(script.pane)
    async with app.run_test(size=(30, 8)):
        app.transcript.scroll_home()
        first = app.rows
        assert first[0] == "› Sing"
        app.transcript.page_down()
        assert app.rows[:2] == first[-2:]
        app.transcript.page_up()
        assert app.rows == first


async def test_what_fits_is_never_frozen() -> None:
    script = Script().open().answer("La")
    app = Page(script.pane)
    async with app.run_test(size=(30, 8)):
        app.transcript.scroll_rows(-3)
        app.transcript.scroll_home()
        assert app.transcript.following


async def test_the_wheel_scrolls() -> None:
    script = Script().open().start().connect().receive(numbered(20))
    app = Page(script.pane)
    async with app.run_test(size=(30, 8)) as pilot:
        app.transcript.post_message(
            events.MouseScrollUp(None, 1, 1, 0, -1, 0, shift=False, meta=False, ctrl=False)
        )
        await pilot.pause()
        assert not app.transcript.following


async def test_a_resize_keeps_the_text_in_the_top_row_of_a_frozen_view() -> None:
    script = Script().open().answer("\n\n".join(f"{n}: " + "word " * 30 for n in range(30)))
    app = Page(script.pane)
    async with app.run_test(size=(40, 10)) as pilot:
        app.transcript.scroll_home()
        while not app.rows[0].startswith("7:"):
            app.transcript.scroll_rows(1)
        for width in (25, 80, 33, 40):
            await pilot.resize_terminal(width, 10)
            await pilot.pause()
            assert app.rows[0].startswith("7:")
            assert not app.transcript.following


async def test_rows_that_came_are_counted_again_after_a_resize_a_little_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = Script().open().start().connect().receive("some words of a line\n" * 50)
    app = Page(script.pane)
    async with app.run_test(size=(40, 8)) as pilot:
        app.transcript.scroll_home()
        script.receive("some words of a line\n" * 2_000)
        app.transcript.update()
        while app.transcript.new_lines != 2_000:
            await pilot.pause(0.05)
        monkeypatch.setattr("streamtui.ui.transcript._MEASURE_SECONDS", 1_000)
        await pilot.resize_terminal(12, 8)
        laid_out = sum(block.is_measured(12) for block in app.transcript._document.blocks)
        assert laid_out < len(app.transcript._document.blocks) / 2
        while app.transcript.new_lines != 4_000:
            app.transcript._measure()
            assert app.transcript.row_count < 2_000


async def test_a_view_that_follows_lays_out_what_is_seen_after_a_resize() -> None:
    script = Script().open().start().connect().receive(numbered(20_000))
    app = Page(script.pane)
    async with app.run_test(size=(40, 8)) as pilot:
        for width in (30, 50):
            await pilot.resize_terminal(width, 8)
            await pilot.pause()
            assert app.rows[-2:] == ["line 19999", "▌"]
            blocks = app.transcript._document.blocks
            assert len(blocks) > 100
            assert sum(block.is_measured(width) for block in blocks) < 5


async def test_much_text_at_once_is_shown_without_laying_it_all_out() -> None:
    script = Script().open().start().connect().receive(numbered(10))
    app = Page(script.pane)
    async with app.run_test(size=(40, 8)):
        script.receive(numbered(50_000, 10))
        app.transcript.update()
        assert app.rows[-1] == "▌"
        assert app.transcript.row_count < 1_000


async def test_the_end_of_a_run_keeps_the_top_row_of_a_frozen_view() -> None:
    script = Script().open().start().connect()
    script.receive("".join(f"- item **{number}** of many\n" for number in range(40)))
    app = Page(script.pane)
    async with app.run_test(size=(30, 8)):
        app.transcript.scroll_rows(-15)
        assert app.rows[0] == "• item 18 of many"
        script.finish()
        app.transcript.update()
        assert app.rows[0] == "• item 18 of many"


@pytest.mark.parametrize("ended", [False, True])
async def test_a_frozen_view_never_moves_whatever_its_top_row_is(ended: bool) -> None:
    script = Script().open()
    script.start("Think").connect().receive(ReasoningDelta("Hm\n\nyes\n")).receive(SAMPLE)
    if ended:
        script.receive(ToolCallDelta(0, '{"a": 1}', name="call")).finish()
    script.start("Go on", run_id="r2").connect().receive(SAMPLE)
    app = Page(script.pane)
    async with app.run_test(size=(36, 6)):
        app.transcript.scroll_home()
        while not app.transcript.following:
            before = app.rows
            app.transcript.update()
            script.receive("and on ")
            app.transcript.update()
            assert app.rows == before
            app.transcript.scroll_rows(1)


async def test_reasoning_that_is_being_read_is_not_folded_away() -> None:
    script = Script().open().start().connect().receive(ReasoningDelta(numbered(20)))
    app = Page(script.pane)
    async with app.run_test(size=(30, 8)):
        app.transcript.scroll_rows(-5)
        frozen = app.rows
        script.receive("La")
        app.transcript.update()
        assert app.rows == frozen
        app.transcript.scroll_rows(100)
        assert app.rows[:5] == ["› Sing", "", "▸ reasoning, 40 words", "", "La▌"]


async def test_reasoning_unfolds_on_request() -> None:
    script = Script().open().start().connect().receive(ReasoningDelta("Hmm, well")).receive("La")
    script.finish()
    app = Page(script.pane)
    async with app.run_test(size=(30, 10)):
        app.transcript.toggle_reasoning()
        assert app.rows[:7] == ["› Sing", "", "▾ reasoning, 2 words", "", "Hmm, well", "", "La"]
        app.transcript.toggle_reasoning()
        assert app.rows[:5] == ["› Sing", "", "▸ reasoning, 2 words", "", "La"]


async def test_only_rows_that_changed_are_repainted() -> None:
    script = Script().open().start().connect().receive("one\ntwo\nthree")
    app = Page(script.pane)
    async with app.run_test(size=(30, 20)) as pilot:
        await pilot.pause()
        seen: list[tuple[Region, ...]] = []
        refresh = app.transcript.refresh

        def spy(*regions: Region, **options: bool) -> Transcript:
            seen.append(regions)
            return refresh(*regions, **options)

        app.transcript.refresh = spy  # type: ignore[method-assign]
        script.receive(" four")
        app.transcript.update()
        assert seen == [(Region(0, 4, 30, 1),)]
        app.transcript.update()
        assert len(seen) == 1


async def test_a_change_of_theme_changes_the_colours_of_the_same_rows() -> None:
    script = Script().open().start("Sing").connect().receive("La")
    app = Page(script.pane)
    async with app.run_test(size=(30, 8)) as pilot:
        await pilot.pause()
        for theme in app.available_themes.values():
            app.theme = theme.name
            await pilot.pause()
            prompt = list(app.transcript.render_line(0))[1]
            assert prompt.text == "Sing"
            wanted = app.theme_variables.get("prompt-text", app.theme_variables["primary"])
            assert prompt.style is not None
            assert prompt.style.color == Color.parse(wanted).rich_color


async def test_a_transcript_that_is_not_on_screen_yet_shows_all_once_it_is() -> None:
    script = Script().open().answer("La")
    app = Page(script.pane)
    app.transcript.display = False
    async with app.run_test(size=(30, 8)) as pilot:
        app.transcript.update()
        app.transcript.display = True
        await pilot.pause()
        assert app.rows[:3] == ["› Sing", "", "La"]


# Untrusted text


def hostile_script(text: str, *, ended: bool) -> Script:
    """A run with the same text in every place that a server or a user can fill."""
    script = Script().open(text, text).start(text).connect()
    script.receive(ReasoningDelta(text)).receive(text).receive(RefusalDelta(text))
    script.receive(ToolCallDelta(0, text, name=text))
    if ended:
        script.say(RunFailed(ErrorInfo("server", text, hint=text), Metrics()))
    return script


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("case", CASES["escape_payloads"], ids=lambda case: case["id"])
async def test_escapes_never_reach_a_strip(case: dict[str, str], ended: bool) -> None:
    app = Page(hostile_script(case["text"], ended=ended).pane)
    async with app.run_test(size=(60, 30)) as pilot:
        await pilot.pause()
        app.transcript.toggle_reasoning()
        drawn = "".join(strip.text for strip in strips(app.transcript, 30))
        assert not any(bad in drawn for bad in [*case["must_not_contain"], "\r", "\u202e"])


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("case", CASES["markup"], ids=lambda case: case["id"])
async def test_markup_is_verbatim(case: dict[str, str], ended: bool) -> None:
    script = Script().open().start(case["text"]).connect().receive(ReasoningDelta(case["text"]))
    if ended:
        script.say(RunFailed(ErrorInfo("server", case["text"]), Metrics()))
    app = Page(script.pane)
    async with app.run_test(size=(600, 40)) as pilot:
        await pilot.pause()
        app.transcript.toggle_reasoning()
        drawn = "".join(strip.text.strip() for strip in strips(app.transcript, 40))
        wanted = "".join(line.strip() for line in case["text"].split("\n"))
        assert drawn.replace(" ", "").count(wanted.replace(" ", "")) >= 2


@pytest.mark.parametrize("case", CASES["must_survive"], ids=lambda case: case["id"])
async def test_good_text_survives(case: dict[str, str]) -> None:
    script = Script().open().start().connect().receive(case["text"])
    wanted = case["shown"].expandtabs(4).split("\n")
    assert rows_of(script)[2:] == [*wanted[:-1], wanted[-1] + "▌"]


@given(st.text(), st.booleans(), st.integers(8, 60))
def test_any_text_fits_and_holds_no_control_character(text: str, ended: bool, width: int) -> None:
    for row in rows_of(hostile_script(text, ended=ended), width):
        assert cell_len(row) <= width
        assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in row)
