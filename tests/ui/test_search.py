"""Words in a session: where they are found, whatever stands between and around them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtui.events import ReasoningDelta
from streamtui.ui.document import Document, Place
from streamtui.ui.pane_state import PaneState, Turn
from streamtui.ui.rows import Row, Span, wrap_spans
from streamtui.ui.search import CURRENT_ROLE, HIT_ROLE, Search, with_mark
from tests.ui.script import Script

WATER = "Sparkling water, clear and bright.\n\nYou dance upon my tongue tonight."


def document_of(script: Script, width: int = 40) -> Document:
    document = Document(script.pane)
    document.width = width
    document.sync(may_fold=True)
    return document


def set_off(document: Document, search: Search) -> list[str]:
    """The pieces of text that are set off, row by row."""
    rows = search.paint(document.rows_from(document.start(), 10_000), document.start())
    return [span.text for row in rows for span in row.spans if "reverse" in span.role]


def found_in(answer: str, term: str, width: int = 40, *, ended: bool = True) -> list[str]:
    script = Script().open().start("?").connect().receive(answer)
    if ended:
        script.finish()
    document = document_of(script, width)
    return set_off(document, Search(document, term))


# What is found


@pytest.mark.parametrize("ended", [False, True])
def test_words_are_found_in_an_answer(ended: bool) -> None:
    assert found_in(WATER, "clear", ended=ended) == ["clear"]
    assert found_in(WATER, "nowhere", ended=ended) == []


def test_small_letters_find_capitals_and_capitals_only_themselves() -> None:
    assert found_in("Water and water", "water") == ["Water", "water"]
    assert found_in("Water and water", "Water") == ["Water"]


@pytest.mark.parametrize("ended", [False, True])
def test_words_are_found_where_a_row_ends_between_them(ended: bool) -> None:
    assert found_in("clear and bright", "and bright", 12, ended=ended) == ["and", "bright"]
    assert found_in("abcdefghij", "cdefgh", 4, ended=ended) == ["cd", "efgh"]


def test_markup_between_words_hides_nothing() -> None:
    assert found_in("Sparkling **water**, `clear`", "sparkling water") == ["Sparkling ", "water"]
    assert found_in("snake\\_case", "snake_case") == ["snake", "_", "case"]


def test_what_stands_before_the_rows_is_not_looked_through() -> None:
    answer = "- one two three four\n> quoted\n\n```python\nx = 1\n```\n1. first"
    assert found_in(answer, "•") == []
    assert found_in(answer, "│") == []
    assert found_in(answer, "two three", 12) == ["two", "three"]
    assert found_in(answer, "x = 1") == ["x", " ", "=", " ", "1"]


def test_cells_of_a_table_are_found() -> None:
    assert found_in("| a | b |\n|---|---|\n| wa | ter |", "ter") == ["ter"]


def test_prompts_tools_and_reasoning_are_looked_through() -> None:
    script = Script().open().start("Sing of water").connect()
    script.receive(ReasoningDelta("I like water")).receive("water").finish()
    document = document_of(script)
    document.unfold(shown=True)
    document.sync(may_fold=True)
    assert set_off(document, Search(document, "water")) == ["water"] * 3


def test_signs_of_patterns_mean_themselves() -> None:
    assert found_in("a.b a+b (a|b) [x]", "a+b") == ["a+b"]
    assert found_in("a.b a+b (a|b) [x]", "(a|b)") == ["(a|b)"]


def test_wide_and_joined_characters_are_found_whole() -> None:
    assert found_in("天地玄黄 👩\u200d💻!", "地玄", 10) == ["地玄"]
    assert found_in("天地玄黄 👩\u200d💻!", "👩\u200d💻", 10) == ["👩\u200d💻"]


@given(st.integers(6, 60), st.sampled_from(["a", "water", "e c", "zz", "to my", "  "]))
def test_as_much_is_found_at_any_width(width: int, term: str) -> None:
    text = " ".join([WATER.replace("\n", " ")] * 5)
    wanted = text.lower().count(" ".join(term.split())) if term.strip() else 0
    script = Script().open().answer(text, prompt="?")
    document = document_of(script, width)
    search = Search(document, term)
    assert search.scan(60.0)
    assert search.standing.total == wanted


# Going from one to the next


def places(document: Document, search: Search, by: int, count: int) -> list[Place | None]:
    return [search.step(by) for _ in range(count)]


def test_the_next_place_is_further_down_and_after_the_last_comes_the_first() -> None:
    script = Script().open()
    for number in range(3):
        script.answer(f"water {number}\n\nand water", prompt="?", run_id=f"r{number}")
    document = document_of(script)
    search = Search(document, "water")
    first = search.first(document.start())
    others = places(document, search, 1, 5)
    assert None not in others
    assert all(one < two for one, two in pairwise([first, *others]))  # type: ignore[operator]
    assert search.step(1) == first
    assert search.step(-1) == others[-1]
    assert places(document, search, -1, 5) == [*others[-2::-1], first]


def test_places_in_one_row_are_gone_through_one_by_one() -> None:
    document = document_of(Script().open().answer("water water water", prompt="?"))
    search = Search(document, "water")
    search.first(document.start())
    search.scan(60.0)
    seen = []
    for _ in range(4):
        seen.append(search.standing.current)
        search.step(1)
    assert seen == [1, 2, 3, 1]
    rows = search.paint(document.rows_from(document.start(), 10), document.start())
    roles = [span.role.strip() for span in rows[2].spans if span.text == "water"]
    assert roles == [HIT_ROLE, CURRENT_ROLE, HIT_ROLE]


def test_the_search_begins_where_the_view_stands() -> None:
    script = Script().open().answer("\n\n".join(f"water {n}" for n in range(50)), prompt="?")
    document = document_of(script)
    origin = document.down(document.start(), 41)
    search = Search(document, "water")
    place = search.first(origin)
    assert place is not None
    assert document.rows_from(place, 1)[0].text == "water 20"
    search.scan(60.0)
    assert search.standing[:2] == (21, 50)


def test_nothing_is_found_in_an_empty_session() -> None:
    document = Document(PaneState("s"))
    document.width = 40
    document.sync(may_fold=True)
    search = Search(document, "water")
    assert search.first(document.start()) is None
    assert search.step(1) is None
    assert search.scan()
    assert search.standing == (0, 0, True)


# Text that grows, and long text


def test_what_comes_later_is_found_too_and_the_current_place_stays() -> None:
    script = Script().open().start("?").connect().receive("water one\n\n")
    document = document_of(script)
    search = Search(document, "water")
    search.first(document.start())
    script.receive("and **water** two\n\nwater three")
    document.sync(may_fold=True)
    assert search.scan(60.0)
    assert search.standing == (1, 3, True)
    search.step(1)
    script.finish()
    document.sync(may_fold=True)
    assert search.scan(60.0)
    assert search.standing == (2, 3, True)


def test_another_width_keeps_the_current_place() -> None:
    answer = "\n\n".join(f"some words and water {n} and more" for n in range(30))
    document = document_of(Script().open().answer(answer, prompt="?"), 80)
    search = Search(document, "water")
    search.first(document.start())
    places(document, search, 1, 10)
    document.width = 12
    search.scan(60.0)
    assert search.standing[:2] == (11, 30)
    place = search.step(1)
    assert place is not None
    assert "water 11" in " ".join(row.text for row in document.rows_from(place, 2))


def test_only_blocks_that_may_hold_the_words_are_laid_out() -> None:
    turn = Turn("r", "?", end="done")
    words = ["A paragraph of words. " * 20] * 2_000
    words[1_000] += "water"
    turn.text_pieces.append("\n\n".join(words))
    document = Document(PaneState("s", turns=[turn]))
    document.width = 60
    document.sync(may_fold=True)
    search = Search(document, "water")
    assert search.scan(60.0)
    assert search.standing.total == 1
    looked_at = {block.source for block in document.blocks if block.is_measured(60)}
    assert len(looked_at) == 1
    assert document.row_count == 0


def test_a_long_text_is_looked_through_a_little_at_a_time() -> None:
    turn = Turn("r", "?", end="done")
    turn.text_pieces.append("\n\n".join(["A paragraph of water. " * 20] * 2_000))
    document = Document(PaneState("s", turns=[turn]))
    document.width = 60
    document.sync(may_fold=True)
    search = Search(document, "water")
    assert not search.scan(0.0)
    seen = []
    while not search.scan(0.005):
        assert not search.standing.complete
        seen.append(search.standing.total)
    assert seen == sorted(seen)
    assert search.standing.total == 40_000
    assert document.row_count == 0, "nothing is kept of what nobody looks at"


# Setting off


def test_a_mark_may_begin_and_end_within_spans() -> None:
    row = Row((Span("ab", "bold"), Span("cd")))
    assert with_mark(row, 1, 3, "reverse").spans == (
        Span("a", "bold"),
        Span("b", "bold reverse"),
        Span("c", " reverse"),
        Span("d"),
    )


def test_rows_know_what_stands_before_their_text() -> None:
    rows = wrap_spans([Span("one two")], 6, first=(Span("- "),), rest=(Span("   "),))
    assert [(row.lead, row.content) for row in rows] == [(2, "one"), (3, "two")]
