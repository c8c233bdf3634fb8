"""Wrapping: nothing lost, nothing too wide, no character cut; work bounded."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from streamtui.ui.blocks import count_words
from streamtui.ui.rows import Row, RowRange, Span, cut_spans, drawable, wrap, wrap_spans
from streamtui.ui.text_block import TextBlock, hanging_indent

CLUSTERS = [
    *"abc xyz  -.,",
    *"天地玄黄，。「」",
    "e\u0301",
    "o\u0308\u0323",
    "👩\u200d💻",
    "👨\u200d👩\u200d👧\u200d👦",
    "❤\ufe0f",
    "1\ufe0f\u20e3",
    "🇩🇪",
    "👍🏽",
    "é",
    "ש",
    "한",
    "\u200b",
]
texts = st.lists(st.sampled_from(CLUSTERS), max_size=80)
widths = st.integers(2, 30)


def shown(text: str, rows: list[RowRange]) -> list[str]:
    return [text[start:end] for start, end in rows]


@given(texts, widths, st.booleans())
def test_every_character_appears_in_order_and_no_row_is_too_wide(
    clusters: list[str], width: int, words: bool
) -> None:
    text = "".join(clusters)
    rows = wrap(text, width, words=words)
    assert "".join(shown(text, rows)).replace(" ", "") == text.replace(" ", "")
    assert all(cell_len(row) <= width for row in shown(text, rows))
    if not words:
        assert "".join(shown(text, rows)) == text


@given(texts, widths, st.booleans())
def test_no_character_is_cut_in_two(clusters: list[str], width: int, words: bool) -> None:
    edges = {0}
    for cluster in clusters:
        edges.add(max(edges) + len(cluster))
    for start, end in wrap("".join(clusters), width, words=words):
        assert start in edges
        assert end in edges


@given(st.text(max_size=200), st.integers(1, 30), st.integers(0, 20))
def test_any_text_at_any_width(text: str, width: int, hang: int) -> None:
    line = drawable(text).replace("\n", "")
    rows = wrap(line, width, hang=hang)
    assert "".join(shown(line, rows)).replace(" ", "") == line.replace(" ", "")
    assert all(cell_len(row) <= max(width, 2) for row in shown(line, rows))


def test_rows_break_between_words_and_drop_the_blanks_there() -> None:
    text = "Sparkling water,  clear and bright"
    assert shown(text, wrap(text, 16)) == ["Sparkling water,", "clear and bright"]
    assert shown(text, wrap(text, 15)) == ["Sparkling", "water,  clear", "and bright"]


def test_a_long_word_is_cut_at_the_edge_and_only_there() -> None:
    assert shown("abcdefgh", wrap("abcdefgh", 3)) == ["abc", "def", "gh"]
    text = "see https://example.com/path"
    assert shown(text, wrap(text, 12)) == ["see", "https://exam", "ple.com/path"]


def test_chinese_breaks_anywhere_but_not_before_a_comma_or_after_an_opening_quote() -> None:
    text = "天地玄黄，宇宙洪荒。"
    assert shown(text, wrap(text, 8)) == ["天地玄", "黄，宇宙", "洪荒。"]
    text = "天地玄「黄」"
    assert shown(text, wrap(text, 8)) == ["天地玄", "「黄」"]


def test_a_wide_character_never_hangs_over_the_edge() -> None:
    assert shown("a天b", wrap("a天b", 2)) == ["a", "天", "b"]


def test_an_indent_alone_makes_no_row() -> None:
    for text in ("    abcdefgh", "    天地玄黄"):
        assert shown(text, wrap(text, 8))[0].strip()


def test_an_empty_line_is_one_empty_row() -> None:
    assert wrap("", 10) == [(0, 0)]


def test_hanging_rows_are_narrower() -> None:
    rows = wrap_spans([Span("one two three")], 7, first=[Span("- ")], rest=[Span("    ")])
    assert [row.text for row in rows] == ["- one", "    two", "    thr", "    ee"]


def test_spans_keep_their_roles_over_a_break() -> None:
    spans = [Span("plain "), Span("bold words", "bold"), Span(" end")]
    rows = wrap_spans(spans, 11)
    assert [row.spans for row in rows] == [
        (Span("plain "), Span("bold", "bold")),
        (Span("words", "bold"), Span(" end")),
    ]
    assert list(cut_spans(spans, 4, 8)) == [Span("n "), Span("bo", "bold")]


def test_tabs_go_to_columns_of_four() -> None:
    assert drawable("a\tb\tc") == "a   b   c"
    assert drawable("天\tb") == "天  b"
    assert drawable("\tb", column=2) == "  b"


def test_a_joiner_before_a_letter_cannot_hide_it_from_the_measure() -> None:
    assert cell_len(drawable("a\u200db\u200dc")) == 3
    assert (
        drawable("👩\u200d💻 ❤\ufe0f\u200d🔥 👩\u200d⚕\ufe0f")
        == "👩\u200d💻 ❤\ufe0f\u200d🔥 👩\u200d⚕\ufe0f"
    )


def test_a_megabyte_without_a_space_is_wrapped_into_rows_of_bounded_length() -> None:
    for text in ("x" * 1_000_000, " " * 1_000_000, "e" + "\u0301" * 1_000_000, "天" * 100_000):
        rows = wrap(text, 80)
        assert max(end - start for start, end in rows) <= 200


# Text that grows


def grown(pieces: list[str], width: int, *, live: bool = True) -> list[Row]:
    block = TextBlock("answer", "", gap=0)
    for piece in pieces:
        block.take(piece)
        block.rows(width)
    if not live:
        block.close()
    return list(block.rows(width))


plain = st.text(st.sampled_from("ab -1.天，\n\r\té한"), max_size=120)


@given(plain, widths, st.lists(st.integers(0, 120), max_size=12))
def test_text_in_pieces_gives_the_rows_of_the_text_at_once(
    text: str, width: int, cuts: list[int]
) -> None:
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[start:end] for start, end in pairwise(edges)]
    assert grown(pieces, width) == grown([text], width)
    assert grown(pieces, width, live=False) == grown([text], width, live=False)


@given(texts, widths)
def test_any_pieces_lose_nothing_and_fit(clusters: list[str], width: int) -> None:
    rows = grown([character for cluster in clusters for character in cluster], width)
    text = drawable("".join(clusters))
    assert all(cell_len(row.text) <= width for row in rows)
    joined = "".join(row.text for row in rows)
    assert joined.replace(" ", "") == text.replace(" ", "") + "▌"


def test_only_the_last_row_of_a_stream_is_made_again() -> None:
    block = TextBlock("answer", "", gap=0)
    block.take("one two three four five six seven\neight nine ten")
    before = list(block.rows(10))
    block.take(" eleven twelve")
    after = list(block.rows(10))
    assert all(old is new for old, new in zip(before[:-1], after, strict=False))
    assert len(after) > len(before)


def test_the_cursor_stands_at_the_end_of_live_text_and_goes_when_it_is_closed() -> None:
    assert [row.text for row in grown(["La la"], 10)] == ["La la▌"]
    assert [row.text for row in grown(["La la"], 5)] == ["La la", "▌"]
    assert [row.text for row in grown(["La la"], 5, live=False)] == ["La la"]


def test_half_of_a_character_waits_for_its_other_half() -> None:
    assert [row.text for row in grown(["a\ud83d"], 10)] == ["a▌"]
    assert [row.text for row in grown(["a\ud83d", "\ude00"], 10)] == ["a😀▌"]
    assert [row.text for row in grown(["a\ud83d"], 10, live=False)] == ["a\ufffd"]


def test_line_ends_in_two_pieces_are_one() -> None:
    assert [row.text for row in grown(["a\r", "\nb"], 10)] == ["a", "b▌"]
    assert [row.text for row in grown(["a\rb"], 10)] == ["a␍b▌"]


def test_list_items_hang_under_their_text() -> None:
    assert [row.text for row in grown(["- one two three"], 9, live=False)] == [
        "- one two",
        "  three",
    ]
    assert hanging_indent("  10. ten", 40) == 6
    assert hanging_indent("-not a list", 40) == 0
    assert hanging_indent(" " * 30, 40) == 0


def test_words_are_counted_in_every_script() -> None:
    assert count_words("The user wants it, doesn't he?") == 7
    assert count_words("天空 blue") == 3
