"""An answer while it streams: Markdown as far as its blocks have ended."""

from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from streamtui.ui.arriving import GrowingText
from streamtui.ui.block_ends import BlockEnds, End
from streamtui.ui.growing import GrowingMarkdown
from streamtui.ui.markdown import markdown_blocks
from streamtui.ui.rows import Row

LINES = st.lists(
    st.sampled_from(
        [
            "",
            "words",
            "two *words*",
            "# head",
            "#",
            "===",
            "---",
            "- item",
            "* item",
            "-",
            "  - inner",
            "1. first",
            "2. second",
            "7) seventh",
            "   goes on",
            "    code",
            "```",
            "```python",
            "  ```",
            "~~~",
            "- ```",
            "> quote",
            ">",
            "| a | b |",
            "|---|---|",
            "[a]: http://x",
            "\r",
        ]
    ),
    max_size=24,
)


def ends_of(text: str, *cuts: int) -> list[End]:
    """The ends in a text that comes in pieces, cut at some places."""
    ends, found, before = BlockEnds(), [], 0
    for cut in (*sorted(cuts), len(text)):
        found += ends.take(text[before:cut])
        before = cut
    return found


def pieces_of(text: str) -> list[str]:
    """The blocks of a text that have ended."""
    places = [0, *(end.at for end in ends_of(text))]
    return [text[start:end].strip() for start, end in pairwise(places)]


@pytest.mark.parametrize(
    ("text", "ended"),
    [
        ("One.\n", []),
        ("One.\n\n", ["One."]),
        ("One.\n\n\n\nTwo", ["One."]),
        ("One.\n\nTwo\n", ["One."]),
        ("One.\nStill one.\n\nTwo.\n\nThree\n", ["One.\nStill one.", "Two."]),
        ("# Head\nText\n", ["# Head"]),
        ("Text\n## Head\n", ["Text", "## Head"]),
        ("Head\n===\n\nText\n", ["Head\n==="]),
        ("Look:\n```sh\nls\n\n# no head\n", ["Look:"]),
        ("```sh\nls\n\n# no head\n```\n", ["```sh\nls\n\n# no head\n```"]),
        ("````\n```\n\nx\n````\n", ["````\n```\n\nx\n````"]),
        ("- a\n- b\n- c\n", ["- a", "- b"]),
        ("- a\n-", []),
        ("- a\n- -", []),
        ("- a\n- b", ["- a"]),
        ("- a\n\nT", ["- a"]),
        ("- a\n\n**", []),
        ("- a\n\n**T", ["- a"]),
        ("- a\n#", []),
        ("- a\nT", []),
        ("1. a\n2", []),
        ("1. a\n2. b", ["1. a"]),
        ("- a\n  - inner\n\n  more\n- b\n", ["- a\n  - inner\n\n  more"]),
        ("- a\n\n      code\n\nText\n", ["- a\n\n      code"]),
        ("- a\n* b\n", ["- a"]),
        ("1. a\n2. b\n", ["1. a"]),
        ("Text\n- a\n", ["Text"]),
        ("Text\n1. a\n", ["Text"]),
        ("in the year\n1986. A good one\n", []),
        ("Text\n-\n", []),
        ("> a\n> b\n\n> c\n", ["> a\n> b"]),
        ("| a |\n|---|\n| b |\n\nText\n", ["| a |\n|---|\n| b |"]),
        ("Text\n\n---\n\nText\n", ["Text", "---"]),
        ("- a\n\n  ```\n  x\n\n- y\n", []),
        ("Text\n\n    code\n\n    code\n\nText\n", ["Text", "code\n\n    code"]),
        ("One.\r\n\r\nTwo\r\n", ["One."]),
    ],
)
def test_a_block_ends_where_whatever_follows_cannot_change_it(text: str, ended: list[str]) -> None:
    assert pieces_of(text) == ended


def test_items_of_a_tight_list_stand_close() -> None:
    assert [end.gap for end in ends_of("Look:\n- a\n- b\n\n- c\n\nText\n")] == [1, 0, 1, 1]


@given(LINES, st.lists(st.integers(0, 200), max_size=6))
def test_blocks_end_at_the_same_places_however_a_text_came(
    lines: list[str], cuts: list[int]
) -> None:
    text = "\n".join(lines)
    assert ends_of(text, *(min(cut, len(text)) for cut in cuts)) == ends_of(text)


BLOCKS = st.lists(
    st.sampled_from(
        [
            "Some **bold** words,\nand `code`.",
            "## A *head*",
            "Head\n----",
            "```python\nx = 1\n\n# no head\n```",
            "```\n- no item\n```",
            "- a\n- **b**\n  - inner\n- c",
            "* one\n\n* two",
            "3. three\n4. four",
            "- [x] done\n- [ ] open",
            "> a quote\n> - with a list",
            "| a | b |\n|---|--:|\n| 1 | 中文 |",
            "Text:\n\n    indented code",
            "***",
            "<b>no HTML</b>",
        ]
    ),
    min_size=1,
    max_size=8,
)


def rows_of_closed(text: str, width: int) -> list[Row]:
    growing = GrowingMarkdown(GrowingText(text))
    growing.sync(live=True)
    return [row for block in growing.closed for row in block.rows(width)]


@given(BLOCKS, st.integers(8, 60), st.data())
def test_what_has_ended_stays_as_it_is_whatever_follows(
    blocks: list[str], width: int, data: st.DataObject
) -> None:
    # Two in a row are one list, of which only the second half says that it is a loose one.
    assume(not any(one[:2] == two[:2] and one[:2] in {"- ", "3."} for one, two in pairwise(blocks)))
    text = "\n\n".join(blocks)
    shown = text[: data.draw(st.integers(0, len(text)))]
    whole = [row for block in markdown_blocks(text, gap=1) for row in block.rows(width)]
    closed = rows_of_closed(shown, width)
    assert closed == whole[: len(closed)]


def test_blank_lines_after_a_block_are_counted_and_not_shown() -> None:
    source = GrowingText()
    growing = GrowingMarkdown(source)
    for piece in ("One.\n\n", "\n", "\n\n", "Two"):
        source.append(piece)
        growing.sync(live=True)
        rows = growing.blocks[-1].rows(40)
        assert len(rows) == 2
    assert (rows[-1].text, rows[-1].line) == ("Two▌", 5)


def test_long_pieces_are_looked_through_once() -> None:
    source = GrowingText()
    growing = GrowingMarkdown(source)
    for number in range(2_000):
        source.append(f"Paragraph {number}.\n\n")
        growing.sync(live=True)
    assert len(growing.closed) == 2_000
    assert [row.text for row in growing.closed[-1].rows(40)] == ["", "Paragraph 1999."]
    assert [row.text for row in growing.blocks[-1].rows(40)] == ["", "▌"]
    growing.sync(live=False)
    assert growing.blocks == growing.closed
