"""What is written when only some cells change, as a terminal shows it in the end."""

import re
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.color import Color
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from streamtui.ui.changed_cells import GAP, Shadow, cells_of, changed_runs, is_usable
from tests.ui.terminal import Terminal

WIDTH, HEIGHT = 40, 3
STYLES = (
    Style(),
    Style(bold=True),
    Style(color=Color.from_ansi(2)),
    Style(color=Color.from_ansi(2), bgcolor=Color.from_ansi(4)),
)
CONSOLE = Console(force_terminal=True, color_system="256", width=WIDTH)
PLAIN = [*"ab -─│水气Ａ👍"]
# Without U+200D and U+FE0F: pyte drops what follows them in the same write.
JOINING = ["e\u0301", "👩🏽", "🇩🇪"]
Frames = list[tuple[int, list[tuple[str, Style]]]]


def frames_of(characters: list[str]) -> st.SearchStrategy[Frames]:
    """Changes of rows, one after the other."""
    texts = st.lists(st.sampled_from(characters), max_size=12).map("".join)
    pieces = st.lists(st.tuples(texts, st.sampled_from(STYLES)), max_size=5)
    return st.lists(st.tuples(st.integers(0, HEIGHT - 1), pieces), min_size=1, max_size=12)


def strip_of(pieces: list[tuple[str, Style]]) -> Strip:
    """A whole row."""
    return Strip([Segment(text, style) for text, style in pieces if text]).adjust_cell_length(
        WIDTH, STYLES[0]
    )


def update_of(y: int, strip: Strip) -> ChopsUpdate:
    """What Textual makes of one changed row."""
    chops: list[dict[int, Strip | None]] = [{0: None} for _ in range(HEIGHT)]
    chops[y] = {0: strip}
    return ChopsUpdate(chops, [(y, 0, WIDTH)], [[WIDTH]] * HEIGHT)


def through(shadow: Shadow, update: ChopsUpdate | LayoutUpdate) -> str:
    wrapped = shadow.through(update)
    rendered: str = wrapped.render_segments(CONSOLE)  # type: ignore[union-attr]
    return rendered


def blank() -> LayoutUpdate:
    return whole_of([strip_of([])] * HEIGHT)


def whole_of(strips: list[Strip]) -> LayoutUpdate:
    rows: list[Iterable[Strip]] = [[strip] for strip in strips]
    return LayoutUpdate(rows, Region(0, 0, WIDTH, HEIGHT))


@given(frames_of(PLAIN))
def test_the_screen_is_the_same_as_if_textual_had_written_all(frames: Frames) -> None:
    shadow, ours, textuals = Shadow(), Terminal(WIDTH, HEIGHT), Terminal(WIDTH, HEIGHT)
    ours.write(through(shadow, blank()))
    textuals.write(blank().render_segments(CONSOLE))
    for y, pieces in frames:
        ours.write(through(shadow, update_of(y, strip_of(pieces))))
        textuals.write(update_of(y, strip_of(pieces)).render_segments(CONSOLE))
        assert ours.cells() == textuals.cells()


@given(frames_of(PLAIN + JOINING))
def test_the_screen_is_the_same_as_if_all_had_been_drawn_anew(frames: Frames) -> None:
    shadow, ours = Shadow(), Terminal(WIDTH, HEIGHT)
    rows = [strip_of([])] * HEIGHT
    ours.write(through(shadow, whole_of(rows)))
    for y, pieces in frames:
        rows[y] = strip_of(pieces)
        ours.write(through(shadow, update_of(y, rows[y])))
        anew = Terminal(WIDTH, HEIGHT)
        anew.write(through(Shadow(), whole_of(rows)))
        assert ours.cells() == anew.cells()


def test_a_row_that_is_there_already_is_not_written() -> None:
    shadow = Shadow()
    through(shadow, blank())
    first = through(shadow, update_of(1, strip_of([("hello", STYLES[1])])))
    assert "hello" in first
    assert through(shadow, update_of(1, strip_of([("hello", STYLES[1])]))) == ""


def test_a_token_at_the_end_of_a_row_costs_little_more_than_itself() -> None:
    shadow = Shadow()
    through(shadow, update_of(0, strip_of([("a long line of text", STYLES[2])])))
    more = through(shadow, update_of(0, strip_of([("a long line of text goes on", STYLES[2])])))
    assert "goes on" in more
    assert "long line" not in more
    assert len(more) < 40


def test_what_was_forgotten_is_written_again() -> None:
    shadow = Shadow()
    update = update_of(0, strip_of([("hello", STYLES[0])]))
    through(shadow, update)
    shadow.forget()
    assert "hello" in through(shadow, update)


def test_of_a_full_repaint_only_what_changed_is_written() -> None:
    shadow, terminal = Shadow(), Terminal(WIDTH, HEIGHT)
    terminal.write(through(shadow, blank()))
    rows = [strip_of([]), strip_of([("hello", STYLES[1])]), strip_of([])]
    change = through(shadow, whole_of(rows))
    assert "hello" in change
    assert len(change) < 30
    terminal.write(change)
    fresh = Terminal(WIDTH, HEIGHT)
    fresh.write(whole_of(rows).render_segments(CONSOLE))
    assert terminal.cells() == fresh.cells()


def test_a_full_repaint_in_another_size_writes_everything() -> None:
    shadow = Shadow()
    through(shadow, blank())
    rows: list[Iterable[Strip]] = [[strip_of([]).crop(0, WIDTH - 1)]] * HEIGHT
    smaller = through(shadow, LayoutUpdate(rows, Region(0, 0, WIDTH - 1, HEIGHT)))
    assert smaller.count(" ") == (WIDTH - 1) * HEIGHT


def test_a_full_repaint_writes_everything_where_nothing_is_known() -> None:
    shadow, terminal = Shadow(), Terminal(WIDTH, HEIGHT)
    through(shadow, update_of(1, strip_of([("hello", STYLES[1])])))
    terminal.write("strange " * WIDTH)
    shadow.forget()
    terminal.write(through(shadow, blank()))
    fresh = Terminal(WIDTH, HEIGHT)
    fresh.write(blank().render_segments(CONSOLE))
    assert terminal.cells() == fresh.cells()


JOINED = "ab 👩\u200d💻 cd"
"""Two cells for us, four for the emulator."""


def row_with_a_border(joined: str) -> list[Strip]:
    inner = Strip([Segment(joined, STYLES[1])])
    inner = inner.adjust_cell_length(WIDTH - 1, STYLES[1])
    return [inner, Strip([Segment("│", STYLES[2])])]


def chops_of(*strips: Strip) -> ChopsUpdate:
    starts = [0, strips[0].cell_length]
    chops: list[dict[int, Strip | None]] = [dict(zip(starts, strips, strict=False))]
    return ChopsUpdate(chops, [(0, 0, WIDTH)], [[WIDTH - 1, WIDTH]])


@pytest.mark.parametrize("before", ["", " " * (WIDTH - 4)], ids=["in the middle", "at the edge"])
def test_what_stands_beside_characters_that_join_stays_in_its_column(before: str) -> None:
    shadow, terminal = Shadow(), Terminal(WIDTH, HEIGHT)
    rows: list[Iterable[Strip]] = [row_with_a_border(before), *[[strip_of([])]] * (HEIGHT - 1)]
    terminal.write(through(shadow, LayoutUpdate(rows, Region(0, 0, WIDTH, HEIGHT))))
    inner = row_with_a_border(before + JOINED)[0]
    terminal.write(through(shadow, chops_of(inner.crop(0, WIDTH - 1))))
    shown = terminal.text(0)
    assert shown[WIDTH - 1] == "│"
    if not before:
        assert shown[6:8] == ["c", "d"]


@pytest.mark.parametrize("joined", [JOINED, "🇩🇪 cd ef", "e\u0301e cd"])
def test_a_full_repaint_keeps_columns_beside_characters_that_join(joined: str) -> None:
    terminal = Terminal(WIDTH, HEIGHT)
    terminal.write("x" * WIDTH)
    rows: list[Iterable[Strip]] = [row_with_a_border(joined), *[[strip_of([])]] * (HEIGHT - 1)]
    terminal.write(through(Shadow(), LayoutUpdate(rows, Region(0, 0, WIDTH, HEIGHT))))
    shown = terminal.text(0)
    assert shown[WIDTH - 1] == "│"
    assert "x" not in shown


def test_characters_that_join_and_end_within_a_wide_one_move_nothing_beside_them() -> None:
    def row(*parts: str) -> LayoutUpdate:
        strips = [Strip([Segment(part, STYLES[0])]) for part in parts]
        return LayoutUpdate([strips], Region(0, 0, WIDTH, 1))

    shadow, terminal = Shadow(), Terminal(WIDTH, 1)
    terminal.write(through(shadow, row(" " * 18 + "水" + "xyzuvw" + " " * (WIDTH - 26))))
    terminal.write(through(shadow, row("e\u0301" + " " * 18, " xyzuvw" + " " * (WIDTH - 26))))
    assert "".join(terminal.text(0)[20:26]) == "xyzuvw"


def test_another_style_is_a_change() -> None:
    shadow = Shadow()
    through(shadow, update_of(0, strip_of([("hello", STYLES[0])])))
    assert "hello" in through(shadow, update_of(0, strip_of([("hello", STYLES[1])])))


def test_of_a_style_only_what_is_new_is_said_and_taken_back_at_the_end() -> None:
    def rendered(*rows: str) -> str:
        shadow = Shadow()
        chops = [
            {0: Strip([Segment(text, style)])} for text, style in zip(rows, later, strict=True)
        ]
        spans = [(y, 0, WIDTH) for y in range(len(rows))]
        return through(shadow, ChopsUpdate(chops, spans, [[WIDTH]] * len(rows)))

    later = (STYLES[3], STYLES[3], STYLES[2])
    assert re.findall(r"\x1b\[[0-9;]*m", rendered("a" * WIDTH, "b" * WIDTH, "c" * WIDTH)) == [
        "\x1b[32;44m",
        "\x1b[49m",
        "\x1b[m",
    ]


def test_a_link_is_not_written() -> None:
    link = Style(link="https://example.com", bold=True)
    written = through(Shadow(), update_of(0, strip_of([("here", link)])))
    assert "example.com" not in written
    assert "\x1b[1mhere" in written


def test_near_changes_are_one_run_and_far_ones_are_two() -> None:
    def row(text: str) -> Strip:
        return Strip([Segment(text, STYLES[0])])

    before = cells_of(row("." * 30))
    near = cells_of(row("x" + "." * GAP + "x" + "." * (28 - GAP)))
    far = cells_of(row("x" + "." * 28 + "x"))
    assert changed_runs(before, near) == [(0, GAP + 2)]
    assert changed_runs(before, far) == [(0, 1), (29, 30)]


def test_a_wide_character_is_never_cut() -> None:
    before = cells_of(Strip([Segment("水水", STYLES[0])]))
    after = cells_of(Strip([Segment("水气", STYLES[0])]))
    assert [len(text) for text, _ in after] == [1, 0, 1, 0]
    assert changed_runs(before, after) == [(2, 4)]


def test_a_row_with_characters_that_join_is_written_whole_or_not_at_all() -> None:
    shadow = Shadow()
    through(shadow, blank())
    first = strip_of([("ab 👩\u200d💻 cd", STYLES[0])])
    second = strip_of([("ab 👩\u200d💻 ce", STYLES[0])])
    for strip, end in ((first, " cd"), (second, " ce")):
        written = through(shadow, update_of(0, strip))
        assert "ab 👩\u200d💻" in written
        assert end in written
    assert through(shadow, update_of(0, second)) == ""


def test_the_textual_that_is_installed_is_the_one_this_is_made_for() -> None:
    assert is_usable()
