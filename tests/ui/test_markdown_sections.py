"""Long Markdown is cut where it does no harm, and is cut in any case."""

from itertools import pairwise, zip_longest
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtui.ui import markdown_sections, stretches
from streamtui.ui.markdown import markdown_blocks
from streamtui.ui.markdown_sections import (
    SECTION_CHARS,
    VERY_MOST_CHARS,
    Section,
    fences,
    split_sections,
)

LINES = st.lists(
    st.sampled_from(
        [
            "",
            "a line of prose",
            "# heading",
            "- item",
            "  - nested",
            "12. number",
            "> quote",
            "```python",
            "```",
            "  ```",
            "- ```",
            "~~~",
            "x = 1",
            "| a | b |",
            "|---|---|",
            "    code",
            "a long line " * 6,
            "天空" * 20,
        ]
    ),
    max_size=80,
)
SMALL: dict[str, Any] = {
    "SECTION_CHARS": 60,
    "MOST_CHARS": 120,
    "VERY_MOST_CHARS": 180,
}


def shown(source: str, width: int = 60) -> list[str]:
    return [row.text for block in markdown_blocks(source, gap=0) for row in block.rows(width)]


def body(section: Section, following: Section | None) -> str:
    """A section without the lines that it repeats, and without the one that only ends it."""
    lines = section.text.split("\n")[section.head_lines :]
    code_goes_on = following is not None and following.head_lines == 1
    return "\n".join(lines[:-1] if code_goes_on else lines)


@given(LINES)
def test_sections_are_the_text_in_order(lines: list[str]) -> None:
    text = "\n".join(lines)
    with (
        mock.patch.multiple(markdown_sections, **SMALL),
        mock.patch.multiple(stretches, LONG_LINE=50, _FIRST_CHOICE=6, _SECOND_CHOICE=6),
    ):
        sections = list(split_sections(text))
    position = 0
    for section, following in zip_longest(sections, sections[1:]):
        part = body(section, following)
        assert text.startswith(part, position)
        if section.head_lines:
            assert section.goes_on
        else:
            start = text.rfind("\n", 0, position) + 1
            assert section.first_line == text.count("\n", 0, position)
            assert section.first_offset == position - start
        position += len(part)
        position += text.startswith("\n", position) and position < len(text)
    assert position >= len(text) - 1


@given(LINES, st.integers(20, 60))
def test_nothing_is_lost_where_a_text_is_cut(lines: list[str], width: int) -> None:
    text = "\n".join(lines)
    with (
        mock.patch.multiple(markdown_sections, **SMALL),
        mock.patch.multiple(stretches, LONG_LINE=50, _FIRST_CHOICE=6, _SECOND_CHOICE=6),
    ):
        cut = "".join(shown(text, width))
    for word in ("prose", "heading", "item", "nested", "number", "quote"):
        assert cut.count(word) >= text.count(word)


@given(LINES, st.integers(20, 60))
def test_a_section_looks_the_same_however_it_is_sliced(lines: list[str], width: int) -> None:
    text = "\n".join(lines)
    whole = [row for block in markdown_blocks(text, gap=0) for row in block.rows(width)]
    with mock.patch.object(markdown_sections, "SLICE_CHARS", 40):
        blocks = markdown_blocks(text, gap=0)
        assert [row for block in blocks for row in block.rows(width)] == whole
        starts = [(block.first_line, block.first_offset) for block in blocks]
        assert starts == sorted(set(starts))
    for block, following in pairwise(blocks):
        named = [row.line for row in block.rows(width) if row.line >= 0]
        assert all(block.first_line <= line < following.first_line for line in named)


@pytest.mark.parametrize(
    ("line", "first"),
    [
        ("- an item of a long list", "• an item of a long list"),
        ("a line of a poem that does not end", "a line of a poem that does not end"),
        ("> a line of a long quote", "▎ a line of a long quote"),
    ],
)
def test_what_has_no_good_place_to_cut_is_cut_between_lines(line: str, first: str) -> None:
    source = "\n".join([line] * 5_000)
    sections = list(split_sections(source))
    assert max(len(section.text) for section in sections) < VERY_MOST_CHARS + 100
    assert shown(source) == [first] * 5_000


def test_a_numbered_list_goes_on_counting_where_it_is_cut() -> None:
    source = "\n".join(f"{number}. item" for number in range(1_000, 9_000))
    assert len(list(split_sections(source))) > 2
    assert shown(source) == [f"{number}. item" for number in range(1_000, 9_000)]


def test_a_long_table_is_cut_and_its_header_shown_once() -> None:
    source = "Before\n\n| name | price |\n|---|--:|\n" + "| water | 1 |\n" * 8_000 + "\nAfter"
    assert len(list(split_sections(source))) > 2
    lines = shown(source)
    assert lines[2:4] == ["name  │ price", "──────┼──────"]
    assert lines[4:-2] == ["water │     1"] * 8_000
    assert lines[-2:] == ["", "After"]


def test_code_in_a_list_that_is_too_long_is_cut_too() -> None:
    source = "- item\n\n  ```sh\n" + "  make it\n" * 20_000 + "  ```\n\nAfter"
    sections = list(split_sections(source))
    assert max(len(section.text) for section in sections) < VERY_MOST_CHARS + 100
    assert sum("make it" in line for line in shown(source)) == 20_000


@pytest.mark.parametrize("before", ["", "Some words.\n\n", "```\n", "- item\n"])
def test_a_line_of_a_megabyte_is_cut(before: str) -> None:
    source = before + "x" * 1_000_000 + "\nafter"
    sections = list(split_sections(source))
    assert max(len(section.text) for section in sections) < 2 * stretches.LONG_LINE + 4_000
    assert "".join(shown(source)).count("x") == 1_000_000
    offsets = [section.first_offset for section in sections]
    assert max(offsets) > 900_000
    assert "after" in shown(source)[-1]


def test_fences_are_found_as_markdown_has_them() -> None:
    text = "a\n```py\nx\n~~~\n````\n\n`` `` ```not``` \n```inline``` code\n- ```sh\n  y"
    found = [(text[each.body : each.close], each.mark, each.at_margin) for each in fences(text)]
    assert found == [("x\n~~~\n", "```", True), ("  y", "```", False)]


def test_short_texts_are_one_section() -> None:
    text = "# One\n\ntwo\n\n```\nthree\n```\n"
    assert list(split_sections(text)) == [Section(text, 0, gap=1)]
    assert len(list(split_sections("a" * SECTION_CHARS))) == 1
    assert [section.text for section in split_sections("")] == [""]
