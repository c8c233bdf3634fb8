"""Text in columns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from streamtui.cli.tables import Row, aligned, short_ids, shortened, table, whom

ROWS: list[Row] = [(("a", "水水"), ("first text",)), (("bbb", "c"), ("second", "its hit"))]
HEADING = ("ID", "WHO", "TEXT")


def test_columns_stand_one_below_the_other_whatever_their_script() -> None:
    assert aligned([("a", "水水", "x"), ("bbb", "c", "y")]) == ["a    水水  x", "bbb  c     y"]


def test_a_text_stands_beside_its_row_where_there_is_room() -> None:
    assert table(HEADING, ROWS, 80) == [
        "ID   WHO   TEXT",
        "a    水水  first text",
        "bbb  c     second",
        "           its hit",
    ]


def test_a_text_stands_below_its_row_where_there_is_none() -> None:
    assert table(HEADING, ROWS, 40) == [
        "ID   WHO",
        "a    水水",
        "  first text",
        "bbb  c",
        "  second",
        "  its hit",
    ]


def test_in_a_pipe_each_row_is_one_line() -> None:
    rows: list[Row] = [(("a",), ("x" * 300, "y\nz")), (("b",), ("c",))]
    assert table(("ID", "TEXT"), rows, None) == ["ID  TEXT", f"a   {'x' * 300}  y⏎z", "b   c"]


@given(
    st.lists(st.tuples(st.text(max_size=9), st.text(max_size=200)), min_size=1, max_size=4),
    st.integers(60, 200),
)
def test_no_line_is_wider_than_the_terminal(rows: list[tuple[str, str]], width: int) -> None:
    lines = table(("A", "B"), [((cell,), (text,)) for cell, text in rows], width)
    assert max(map(cell_len, lines)) <= width
    assert not any(char in line for line in lines for char in "\n\r\x1b\t")


@pytest.mark.parametrize(
    ("text", "cells", "words", "expected"),
    [
        ("short", 10, (), "short"),
        ("a longer text", 10, (), "a longer…"),
        ("水水水水水水", 7, (), "水水水…"),
        ("0123456789 the hit is here and more", 20, ("hit",), "…9 the hit is here…"),
        ("0123456789 the hit", 14, ("HIT",), "…the hit"),
        ("hit at once and then very much more", 12, ("hit",), "hit at once…"),
        ("many words without it, as it seems", 12, ("hit",), "many words…"),
        ("a\nb\x1b[31m", None, (), "a⏎b␛[31m"),
    ],
)
def test_of_a_text_that_is_too_long_the_hit_is_shown(
    text: str, cells: int | None, words: tuple[str, ...], expected: str
) -> None:
    assert shortened(text, cells, words) == expected


@given(st.text("ab水\n\t é", max_size=120), st.integers(12, 60), st.text("ab水", max_size=3))
def test_a_text_is_never_too_wide_and_its_hit_is_always_seen(
    text: str, cells: int, word: str
) -> None:
    line = shortened(text, cells, (word,))
    assert cell_len(line) <= cells
    assert (word in line) == (word in text)


@pytest.mark.parametrize(
    ("endpoint", "model", "words"),
    [
        ("far", "m", "far/m"),
        ("demo", "demo/verse", "demo/verse"),
        ("far", "", "far"),
        ("", "m", "m"),
        ("far", "m" * 50, f"far/{'m' * 27}…"),
    ],
)
def test_who_was_asked_is_named_as_dash_e_takes_it(endpoint: str, model: str, words: str) -> None:
    assert whom(endpoint, model) == words


def test_ids_are_shown_as_far_as_they_differ() -> None:
    first, second = "01934f2a-7b1c-7abc-0000", "01934f2a-7b1c-7abd-0000"
    third = "01934f2a-7b1d-7abc-0000"
    assert short_ids([first, third, second, first]) == {
        first: "01934f2a-7b1c-7abc",
        second: "01934f2a-7b1c-7abd",
        third: "01934f2a-7b1d",
    }


@given(st.lists(st.text("ab", min_size=1, max_size=20), unique=True))
def test_no_short_id_is_the_beginning_of_another_one(ids: list[str]) -> None:
    short = short_ids(ids)
    for name, beginning in short.items():
        assert [other for other in ids if other.startswith(beginning) and other != name] == [
            other for other in ids if other.startswith(name) and other != name
        ]
