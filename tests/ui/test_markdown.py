"""Markdown into rows."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from streamtui.ui.markdown import markdown_blocks
from streamtui.ui.markdown_sections import SECTION_CHARS, split_sections
from streamtui.ui.markdown_table import fit_columns
from streamtui.ui.rows import Row

CASES = json.loads((Path(__file__).parents[1] / "cases" / "security_cases.json").read_text())


def rows(source: str, width: int = 40) -> list[Row]:
    return [row for block in markdown_blocks(source, gap=0) for row in block.rows(width)]


def lines(source: str, width: int = 40) -> list[str]:
    return [row.text for row in rows(source, width)]


def roles(source: str) -> dict[str, str]:
    """The role of each piece of text."""
    return {span.text: span.role for row in rows(source) for span in row.spans}


def test_headings_lose_their_marks_and_differ_by_level() -> None:
    source = "# One\n\n## Two\n\n### Three\n\n#### Four"
    assert lines(source) == ["One", "", "Two", "", "Three", "", "Four"]
    assert len(set(roles(source).values())) == 4


def test_inline_markup_becomes_attributes() -> None:
    found = roles("a **b** *c* ***d*** ~~e~~ `f`")
    assert found["b"] == "bold"
    assert found["c"] == "italic"
    assert set(found["d"].split()) == {"bold", "italic"}
    assert found["e"] == "strike"
    assert "on-code-background" in found["f"]


def test_an_authors_line_ends_are_kept() -> None:
    assert lines("Sparkling water,\nclear and bright") == ["Sparkling water,", "clear and bright"]


def test_links_are_text_with_their_address() -> None:
    assert lines("[docs](https://a.example/x)") == ["docs (https://a.example/x)"]
    assert lines("<https://a.example/x>") == ["https://a.example/x"]
    assert lines("![a cat](https://a.example/cat.png)", 60) == [
        "[image: a cat] (https://a.example/cat.png)"
    ]
    assert lines("[x](javascript:alert)") == ["[x](javascript:alert)"]


def test_links_whose_address_stands_elsewhere_have_it_too() -> None:
    source = "See [the docs][d] and [x].\n\n[d]: https://a.example/x\n[x]:\n  https://b.example"
    assert lines(source, 80) == ["See the docs (https://a.example/x) and x (https://b.example)."]
    far = "See [the docs][d].\n\n" + "A paragraph.\n\n" * 2_000 + "[d]: https://a.example/x"
    assert lines(far, 80)[0] == "See the docs (https://a.example/x)."


def test_footnotes_are_text() -> None:
    assert lines("A claim[^1].\n\n[^1]: The *note*.") == ["A claim[^1].", "", "[^1]: The note."]
    assert lines("A claim[^1].\n\n[^1]: https://a.example")[0] == "A claim[^1]."


def test_headings_may_be_underlined() -> None:
    assert lines("One\n===\n\nTwo\n---") == ["One", "", "Two"]


def test_lists_hold_quotes_code_and_lists_of_the_other_kind() -> None:
    source = (
        "1. one\n\n   > quote\n   > - item\n\n   ```js\n   let a;\n   ```\n2. two\n   * [ ] task"
    )
    assert [line.rstrip() for line in lines(source)] == [
        "1. one",
        "",
        "   ▎ quote",
        "   ▎ • item",
        "",
        "   │ js",
        "   │ let a;",
        "",
        "2. two",
        "   ☐ task",
    ]


def test_tables_align_joined_characters_and_combining_marks() -> None:
    source = "| a | b |\n|---|---|\n| 👩\u200d💻 | e\u0301 |\n| 🇩🇪 | x |\n| ab | y |"
    table = lines(source)
    assert len({cell_len(line.partition("│")[0]) for line in table[2:]}) == 1
    assert table[2:] == ["👩\u200d💻 │ e\u0301", "🇩🇪 │ x", "ab │ y"]


def test_html_is_text() -> None:
    assert lines("<b>bold</b> <script>x()</script>") == ["<b>bold</b> <script>x()</script>"]


def test_lists_nest_and_hang() -> None:
    source = "1. First item that wraps\n2. Second\n   - nested\n     - deeper\n\nEnd"
    assert lines(source, 20) == [
        "1. First item that",
        "   wraps",
        "2. Second",
        "   • nested",
        "     ◦ deeper",
        "",
        "End",
    ]


def test_numbers_of_a_long_list_are_aligned() -> None:
    source = "\n".join(f"{number}. item" for number in range(8, 11))
    assert lines(source) == [" 8. item", " 9. item", "10. item"]


def test_loose_lists_have_air() -> None:
    assert lines("- a\n\n- b") == ["• a", "", "• b"]


def test_an_empty_item_is_still_an_item() -> None:
    assert [line.strip() for line in lines("- a\n-\n- b")] == ["• a", "•", "• b"]


def test_task_lists_have_boxes() -> None:
    assert lines("- [ ] to do\n- [x] done") == ["☐ to do", "☑ done"]


def test_quotes_have_a_bar_also_between_their_parts() -> None:
    assert lines("> one\n>\n> two\n> > three\n\nend") == [
        "▎ one",
        "▎ ",
        "▎ two",
        "▎ ",
        "▎ ▎ three",
        "",
        "end",
    ]


def test_code_shows_its_language_and_is_highlighted() -> None:
    source = "```python\ndef f():\n\treturn 1  # one\n```"
    assert lines(source) == ["│ python", "│ def f():", "│     return 1  # one"]
    found = roles(source)
    assert found["def"].startswith("accent")
    assert found["# one"].startswith("muted italic")
    assert all("on-code-background" in role for role in found.values())
    assert all(row.fill == "on-code-background" for row in rows(source))


def test_code_is_wrapped_without_losing_a_blank() -> None:
    assert lines("```\nab  cd  ef\n```", 6) == ["│ ab  ", "┆ cd  ", "┆ ef"]


def test_code_of_an_unknown_language_is_plain() -> None:
    assert lines("```nonesuch\nx = 1\n```") == ["│ nonesuch", "│ x = 1"]


def test_an_unclosed_fence_is_code_to_the_end() -> None:
    assert lines("```\na\n\nb") == ["│ a", "│ ", "│ b"]


def test_code_in_a_list_is_indented() -> None:
    assert lines("- item\n  ```\n  x\n  ```") == ["• item", "  │ x"]


def test_tables_align_wide_characters() -> None:
    source = "| a | 价格 | n |\n|:--|:--:|--:|\n| 天空 | x | 1 |\n| b | 便宜货 | 22 |"
    assert lines(source) == [
        "a    │  价格  │  n",
        "─────┼────────┼───",
        "天空 │   x    │  1",
        "b    │ 便宜货 │ 22",
    ]


def test_a_wide_table_gives_way_where_it_is_widest() -> None:
    source = "| id | text |\n|----|------|\n| 1 | " + "word " * 10 + "|"
    table = lines(source, 30)
    assert all(cell_len(line) <= 30 for line in table)
    assert [line.rstrip() for line in table[2:]] == [
        "1  │ word word word word word",
        "   │ word word word word word",
    ]


def test_a_table_without_room_becomes_records() -> None:
    source = "| name | price |\n|---|---|\n| a | 1 |\n| b | 2 |"
    assert lines(source, 9) == ["name: a", "price: 1", "", "name: b", "price: 2"]


def test_containers_too_deep_for_the_width_leave_room_for_text() -> None:
    assert lines(">" * 8 + " deep", 12) == ["▎ ▎ ▎ deep"]


def test_rules_fill_the_width() -> None:
    assert lines("a\n\n---\n\nb", 10) == ["a", "", "─" * 10, "", "b"]


@given(st.lists(st.integers(0, 60), min_size=1, max_size=8), st.integers(0, 120))
def test_columns_fit_when_they_can(natural: list[int], room: int) -> None:
    room = max(room, 4 * len(natural))
    widths = fit_columns(natural, room)
    assert sum(widths) <= room
    assert all(fitted <= max(wanted, 1) for fitted, wanted in zip(widths, natural, strict=True))


@pytest.mark.parametrize("width", [8, 10, 40, 80])
def test_no_row_is_wider_than_the_pane(width: int) -> None:
    sample = (Path(__file__).parents[1] / "cases" / "sample.md").read_text()
    for row in rows(sample, width):
        assert cell_len(row.text) <= width


MARKDOWN = st.lists(
    st.sampled_from(
        [
            "# ",
            "- ",
            "1. ",
            "> ",
            "```",
            "`",
            "**",
            "*",
            "~~",
            "[",
            "](",
            ")",
            "|",
            "---",
            "\n",
            "\n\n",
            "  ",
            "    ",
            "word",
            "天空",
            "👩\u200d💻",
            "\x1b[2J",
            "&#27;",
            "\t",
            "[x] ",
            "\\",
        ]
    ),
    max_size=60,
).map("".join)


@given(MARKDOWN, st.integers(8, 60))
def test_any_markdown_is_safe_and_fits(source: str, width: int) -> None:
    for row in rows(source, width):
        assert cell_len(row.text) <= width
        assert "\x1b" not in row.text
        assert "\n" not in row.text


@given(MARKDOWN)
def test_rows_know_their_source_lines_in_order(source: str) -> None:
    known = [row.line for row in rows(source) if row.line >= 0]
    assert known == sorted(known)
    assert all(line <= source.count("\n") + 1 for line in known)


@pytest.mark.parametrize("case", CASES["escape_payloads"], ids=lambda case: case["id"])
@pytest.mark.parametrize(
    "frame", ["{}", "# {}", "`{}`", "```{}\n{}\n```", "|{}|\n|-|\n|{}|", "[{}](<{}>)"]
)
def test_escapes_never_get_through(case: dict[str, str], frame: str) -> None:
    text = "".join(lines(frame.replace("{}", case["text"]), 60))
    assert not any(bad in text for bad in case["must_not_contain"])


@pytest.mark.parametrize(
    "entity", ["&#27;", "&#x1b;", "&#x9b;", "&#7;", "&#13;", "&#x202e;", "&#xd800;", "&#8232;"]
)
def test_entities_cannot_smuggle_what_the_text_may_not_hold(entity: str) -> None:
    for source in (f"a{entity}b", f"[a](<http://x/{entity}>)", f"```{entity}\n```"):
        text = "".join(lines(source, 80))
        assert not any(bad in text for bad in "\x1b\x9b\x07\r\u202e\ud800\u2028")


@pytest.mark.parametrize("case", CASES["markup"], ids=lambda case: case["id"])
def test_markup_of_other_kinds_is_verbatim(case: dict[str, str]) -> None:
    text = case["text"].replace("\\", "\\\\").replace("[", "\\[").replace("*", "\\*")
    assert "".join(lines(text, 500)) == case["text"].replace("\n", "")


# Long answers


def test_a_long_answer_is_cut_where_a_new_block_begins() -> None:
    paragraph = "A paragraph that goes on for a while.\n"
    source = (paragraph * 5 + "\n") * 200
    sections = list(split_sections(source))
    assert len(sections) > 2
    assert "\n".join(section.text for section in sections) == source
    assert all(len(section.text) < 2 * SECTION_CHARS for section in sections)
    all_lines = source.split("\n")
    for section in sections:
        assert section.text.split("\n")[0] == all_lines[section.first_line]


def test_long_code_is_cut_and_still_looks_whole() -> None:
    source = "Before\n\n```python\n" + "x = 1  # one\n" * 3000 + "```\n\nAfter"
    shown = lines(source)
    assert len(list(split_sections(source))) > 2
    assert shown == ["Before", "", "│ python", *["│ x = 1  # one"] * 3000, "", "After"]
    code = [row for row in rows(source) if row.text.startswith("│ x")]
    assert [row.line for row in code] == list(range(3, 3003))
    assert code[0].spans[1] == code[-1].spans[1]


def test_a_list_with_code_is_never_cut_in_two() -> None:
    source = "- item\n\n  ```\n" + "  code\n\n" * 3000 + "  ```\n"
    assert len(list(split_sections(source))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "[" * 50000,
        "*a **a " * 5000,
        "![" * 20000,
        ">" * 20000 + "a",
        "- " * 5000,
        "\\*" * 20000,
        "|a" * 3000 + "\n" + "|-" * 3000,
        "".join("`" * n + " " for n in range(300)),
    ],
    ids=lambda source: source[:8],
)
def test_texts_made_to_be_slow_are_not(source: str) -> None:
    assert rows(source, 80)
