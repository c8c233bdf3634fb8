"""A session as one column of rows: however its text came, and however little of it is kept."""

from typing import Any
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from streamtui.events import ReasoningDelta, TextDelta, ToolCallDelta
from streamtui.ui import stretches as stretches_module
from streamtui.ui.blocks import WordCount, count_words, prompt_blocks
from streamtui.ui.document import MOST_LAID_OUT, Document, Place
from streamtui.ui.pane_state import PaneState, Turn
from streamtui.ui.rows import Row
from streamtui.ui.state import GrowingText
from streamtui.ui.stretches import LONG_LINE, seam, stretches
from tests.ui.script import Script

PIECES = st.lists(
    st.sampled_from(
        [
            *"ab ",
            "word ",
            "天空",
            "，",
            "e\u0301",
            "\u0301",
            "👩\u200d💻",
            "\u200d",
            "👍🏽",
            "🇩🇪",
            "🇩",
            "❤\ufe0f",
            "❤",
            "\ufe0f",
            "\t",
            "\n",
            "\n\n",
            "\r\n",
            "\r",
            "\ud83d",
            "\udc69",
            "```\n",
            "- ",
            "# ",
            "> ",
            "|",
            "**",
            "    ",
            "\x1b[2J",
            "abcdefghijklmnopqrstuvwxyz",
        ]
    ),
    max_size=60,
)
SMALL: dict[str, Any] = {"LONG_LINE": 24, "_FIRST_CHOICE": 6, "_SECOND_CHOICE": 6, "FULL_LINES": 3}


def document_of(*turns: Turn, width: int = 40) -> Document:
    document = Document(PaneState("s", turns=list(turns)))
    document.width = width
    document.sync(may_fold=True)
    return document


def all_rows(document: Document) -> list[Row]:
    return document.rows_from(document.start(), 1_000_000)


def look_at_the_end(document: Document, height: int = 5) -> None:
    """What a view that follows asks for."""
    top = document.up(document.end(), height)
    document.rows_from(top, height)
    document.forget_far(top, document.end())


def long_document(width: int = 40) -> Document:
    turn = Turn("r", "Ask")
    turn.text_pieces.append("".join(f"line {number}\n" for number in range(5_000)))
    return document_of(turn, width=width)


# However it came


@given(
    PIECES,
    st.integers(2, 40),
    st.integers(2, 40),
    st.booleans(),
    st.sampled_from(["text_pieces", "reasoning_pieces", "refusal_pieces"]),
)
def test_rows_do_not_depend_on_the_pieces_in_which_a_text_came(
    pieces: list[str], width: int, first_width: int, ended: bool, where: str
) -> None:
    with mock.patch.multiple(stretches_module, **SMALL):
        turn, whole = Turn("r", "Ask"), Turn("r", "Ask")
        document = document_of(turn, width=first_width)
        for number, piece in enumerate(pieces):
            getattr(turn, where).append(piece)
            document.width = first_width if number < len(pieces) // 2 else width
            document.sync(may_fold=True)
            look_at_the_end(document)
        getattr(whole, where).append("".join(pieces))
        turn.end = whole.end = "done" if ended else None
        document.width = width
        document.sync(may_fold=True)
        assert all_rows(document) == all_rows(document_of(whole, width=width))


@given(PIECES, st.integers(2, 40))
def test_a_line_that_is_cut_into_blocks_loses_nothing(pieces: list[str], width: int) -> None:
    line = "".join(pieces).replace("\n", "").replace("\r", "")
    turn = Turn("r", "Ask", end="cancelled")
    turn.refusal_pieces.append(line)
    whole = "".join(row.text for row in all_rows(document_of(turn, width=width)))
    with mock.patch.multiple(stretches_module, **SMALL):
        cut = "".join(row.text for row in all_rows(document_of(turn, width=width)))
    # A tab's columns are counted anew in each block, and nothing is joined over its edge.
    cut, whole = cut.replace("\u200d", ""), whole.replace("\u200d", "")
    assert cut.split() == whole.split() or "".join(cut.split()) == "".join(whole.split())


@given(PIECES)
def test_stretches_are_the_text(pieces: list[str]) -> None:
    text = "".join(pieces)
    with mock.patch.multiple(stretches_module, **SMALL):
        parts = list(stretches(text))
    joined = "".join(
        part.text if part.first_offset or not number else f"\n{part.text}"
        for number, part in enumerate(parts)
    )
    assert joined == text
    lines = text.split("\n")
    for part in parts:
        assert lines[part.first_line][part.first_offset :].startswith(part.text.split("\n")[0])


@given(PIECES, PIECES)
def test_the_seam_of_a_long_line_is_the_same_however_it_came(
    first: list[str], second: list[str]
) -> None:
    with mock.patch.multiple(stretches_module, **SMALL):
        before, after = "".join(first), "".join(second)
        at_once = seam(before + after, 0)
        early = seam(before, 0)
        late = seam(after, len(before)) if early is None else None
        assert at_once == (early if late is None else late + len(before))


def test_a_long_line_goes_on_after_a_blank_where_there_is_one_near() -> None:
    line = "a" * LONG_LINE + "bcd ef" + "g" * 1_000
    assert seam(line, 0) == LONG_LINE + 4
    assert seam("x" * LONG_LINE, 0) is None
    assert seam("x" * 2 * LONG_LINE, 0) is not None
    assert seam("天" * 2 * LONG_LINE, 0) is not None
    assert seam("\u0301" * 2 * LONG_LINE, 0) is None, "there is no place that is not in a character"


@given(st.lists(st.sampled_from(["one ", "tw", "o", "天空", " ", "\n", "doesn't"]), max_size=40))
def test_words_are_counted_once_however_they_came(pieces: list[str]) -> None:
    source = GrowingText()
    words = WordCount(source)
    for piece in pieces:
        source.append(piece)
        words.count()
    assert words.count() == count_words("".join(pieces))


# However little is kept


@given(st.integers(0, 5_100), st.integers(10, 60))
def test_rows_that_were_let_go_come_back_the_same(down: int, width: int) -> None:
    kept, forgetful = long_document(width), long_document(width)
    kept.count(kept.start(), kept.end())
    look_at_the_end(forgetful)
    place = forgetful.down(forgetful.start(), down)
    assert forgetful.rows_from(place, 50) == kept.rows_from(kept.down(kept.start(), down), 50)
    forgetful.forget_far(place, place)
    assert forgetful.rows_from(place, 50) == kept.rows_from(place, 50)


def test_only_rows_near_the_view_are_kept_however_long_an_answer_gets() -> None:
    turn = Turn("r", "Ask")
    document = document_of(turn)
    most = 0
    for number in range(4_000):
        turn.text_pieces.append(f"line {number}\n")
        if number % 20 == 0:
            document.sync(may_fold=True)
            look_at_the_end(document)
            most = max(most, document.row_count)
    assert most <= (MOST_LAID_OUT + 1) * (stretches_module.FULL_LINES + 2)
    assert document.row_count < 4_000


def test_scrolling_through_everything_keeps_no_more_rows() -> None:
    document = long_document()
    place = document.start()
    while place < document.end():
        document.rows_from(place, 20)
        document.forget_far(place, document.down(place, 20))
        place = document.down(place, 20)
        assert document.row_count <= (MOST_LAID_OUT + 1) * (stretches_module.FULL_LINES + 2)


def test_another_width_lays_out_no_more_than_what_is_seen() -> None:
    document = long_document()
    look_at_the_end(document)
    document.width = 30
    look_at_the_end(document)
    assert sum(block.is_measured(30) for block in document.blocks) <= 3


def test_rows_are_counted_roughly_where_counting_would_take_long() -> None:
    document = long_document(30)
    exact = document.count(document.start(), document.end())
    document.width = 31
    count, certain = document.roughly(document.start(), document.end(), 2)
    assert not certain
    assert abs(count - exact) < exact / 10
    for _ in document.blocks:
        count, certain = document.roughly(document.start(), document.end(), 2)
    assert (count, certain) == (document.count(document.start(), document.end()), True)


def test_places_far_apart_are_known_to_be_without_counting() -> None:
    document = long_document()
    assert document.are_apart(document.start(), document.end(), 10)
    assert sum(block.is_measured(40) for block in document.blocks) < 5
    place = document.down(document.start(), 7)
    assert not document.are_apart(document.start(), place, 7)
    assert document.are_apart(document.start(), place, 6)
    assert not document.are_apart(place, document.start(), 0)


def test_a_line_of_a_megabyte_is_laid_out_where_it_is_seen_only() -> None:
    for ended in (False, True):
        turn = Turn("r", "Ask", end="done" if ended else None)
        turn.text_pieces.append("x" * 1_000_000)
        document = document_of(turn, width=80)
        look_at_the_end(document, 40)
        assert document.row_count < 1_000
        assert len(document.blocks) > 30
        text = "".join(row.text.rstrip("▌") for row in all_rows(document)[2:])
        assert text == "x" * 1_000_000


def test_a_prompt_of_a_megabyte_is_laid_out_where_it_is_seen_only() -> None:
    for prompt in ("x" * 1_000_000, "a line of it\n" * 80_000):
        made = prompt_blocks(prompt, gap=0)
        assert len(made) > 30
        assert made[0].rows(80)[0].text.startswith("› ")
        assert made[1].rows(80)[0].text.startswith("  ")


def test_arguments_of_a_tool_are_cut_into_blocks_too() -> None:
    script = Script().open().start().connect()
    script.receive(ToolCallDelta(0, '{"data": "' + "x" * 300_000 + '"}', id="c", name="store"))
    script.finish()
    document = Document(script.pane)
    document.width = 80
    document.sync(may_fold=True)
    look_at_the_end(document, 40)
    assert document.row_count < 1_000
    assert all_rows(document)[-1].text.endswith('"}')


# Where things are


def test_a_place_in_a_long_line_is_found_again_at_another_width() -> None:
    turn = Turn("r", "Ask")
    turn.text_pieces.append("".join(f"{number:05} " for number in range(20_000)))
    document = document_of(turn, width=60)
    place = document.down(document.start(), 900)
    words = document.rows_from(place, 1)[0].text.split()[0]
    bookmark = document.bookmark(place)
    for width in (47, 120, 20):
        document.width = width
        assert words in document.rows_from(document.place(bookmark), 1)[0].text


def test_the_turn_and_the_lines_of_its_answer_that_are_seen_are_known() -> None:
    script = Script().open().answer("one\n\ntwo\n\nthree").answer("four", run_id="r2")
    document = Document(script.pane)
    document.width = 40
    document.sync(may_fold=True)
    place = document.down(document.start(), 4)
    assert document.rows_from(place, 1)[0].text == "two"
    assert document.turn_at(place) == 0
    assert document.answer_lines(place, 3) == {0: {2, 4}}
    assert document.answer_lines(document.start(), 100) == {0: {0, 2, 4}, 1: {0}}


def test_folded_reasoning_is_known_to_be_hidden() -> None:
    script = Script().open().start().connect().receive(ReasoningDelta("Hm, water"))
    document = Document(script.pane)
    document.width = 40
    document.sync(may_fold=True)
    assert list(document.hidden) == []
    script.receive(TextDelta("La"))
    document.sync(may_fold=True)
    assert list(document.hidden) == ["Hm, water"]
    document.unfold(shown=True)
    document.sync(may_fold=True)
    assert list(document.hidden) == []


def test_an_empty_document_has_one_place() -> None:
    document = document_of()
    assert document.start() == document.end() == Place(0, 0)
    assert document.roughly(document.start(), document.end(), 1) == (0, True)
