"""Writes to the terminal only the cells that changed: over SSH bytes are what costs.

Textual writes whole rows of a widget. A shadow of what was last written is compared with what would
be written now. It stands on private parts of Textual, which are looked at before it is used; where
they are not as expected, Textual writes as it always does.
"""

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby, repeat, takewhile
from typing import TYPE_CHECKING, NamedTuple, cast

from rich.cells import get_character_cell_size, split_graphemes
from rich.color import ColorSystem
from rich.control import Control
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.geometry import Size
from textual.strip import Strip

from streamtui.ui.shortcut import Rows

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from textual.app import App

GAP = 6
"""Unchanged cells between changed ones that are cheaper to write again than to pass over."""

_MOST_ASTRAY = 8
"""Cells by which a terminal may think that what joins is wider than it is."""

Cell = tuple[str, object]
"""What stands in a column, and its style; the second column of a wide character holds no text."""

Row = list[Cell]

_UNKNOWN: Cell = ("\0", None)
# Characters that join with their neighbours: terminals do not agree on how wide the result is, so
# a row with one of them is written whole or not at all.
_JOINING = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0900-\u0dff"
    "\u0e31-\u0e4e\u200b-\u200f\u20d0-\u20ff\ufe00-\ufe0f\U0001f1e6-\U0001f1ff"
    "\U0001f3fb-\U0001f3ff\U000e0000-\U000e01ef]"
)


class _Ink(NamedTuple):
    """A style as the numbers of ECMA-48's SGR: attributes, foreground, background."""

    attributes: str = ""
    foreground: str = ""
    background: str = ""


_PLAIN = _Ink()


@lru_cache(4096)
def _ink(style: Style, colors: ColorSystem) -> _Ink:
    # Addresses are shown as text: a link of a terminal can say one thing and lead to another.
    colorless = style.without_color.update_link(None)
    return _Ink(
        _numbers(colorless, colors),
        _numbers(Style(color=style.color), colors),
        _numbers(Style(bgcolor=style.bgcolor), colors),
    )


def _numbers(style: Style, colors: ColorSystem) -> str:
    rendered = style.render("x", color_system=colors)
    return rendered[2 : rendered.index("m")] if rendered.startswith("\x1b[") else ""


@lru_cache(4096)
def _change(now: _Ink, wanted: _Ink) -> str:
    """The shortest way from one to the other."""
    if wanted == _PLAIN:
        return "\x1b[m"
    numbers = ["" if now == _PLAIN else "0", *wanted]
    if now.attributes == wanted.attributes:
        numbers = [
            "" if now.foreground == wanted.foreground else wanted.foreground or "39",
            "" if now.background == wanted.background else wanted.background or "49",
        ]
    return f"\x1b[{';'.join(filter(None, numbers))}m"


def is_usable() -> bool:
    """Whether Textual's updates are made as this module expects them to be."""
    chops = list(inspect.signature(ChopsUpdate.__init__).parameters)
    layout = list(inspect.signature(LayoutUpdate.__init__).parameters)
    return chops == ["self", "chops", "spans", "chop_ends"] and layout == [
        "self",
        "strips",
        "region",
    ]


class Shadow:
    """What the terminal shows, as far as it was written through here."""

    def __init__(self) -> None:
        self._rows: dict[int, Row] = {}
        self.size: Size | None = None
        """Of the terminal when all of it was last drawn."""

    def forget(self) -> None:
        """Somebody else has written to the terminal."""
        self._rows.clear()

    def through(self, update: "RenderableType") -> "RenderableType":
        """The same update, which remembers what it writes and leaves out what is there."""
        if isinstance(update, ChopsUpdate):
            return cast("RenderableType", _Changed(_strips(update), self))
        if isinstance(update, Rows):
            return cast("RenderableType", _Changed(update.rows, self))
        if isinstance(update, LayoutUpdate):
            return cast("RenderableType", self._through_whole(update))
        self.forget()
        return update

    def _through_whole(self, update: LayoutUpdate) -> CompositorUpdate:
        if update.region.size != self.size:
            self.size = update.region.size
            self.forget()
        # Textual draws everything again for each dialog that comes or goes.
        return _Changed(_all_strips(update), self) if self._rows else _Whole(update, self)

    def put(self, y: int, x: int, cells: Row) -> Row:
        """Remember cells from a column on; returns what was there before."""
        row = self._rows.setdefault(y, [])
        end = x + len(cells)
        if len(row) < end:
            row += repeat(_UNKNOWN, end - len(row))
        before = row[x:end]
        row[x:end] = cells
        return before

    def after(self, y: int, x: int) -> Row:
        """The cells from a column on that something too wide may have covered."""
        row = self._rows.get(y, [])[x : x + _MOST_ASTRAY]
        cells = list(takewhile(_is_known, row))
        if cells and not cells[0][0]:
            cells[0] = (" ", cells[0][1])
        if cells and get_character_cell_size(cells[-1][0] or " ") > 1:
            cells.pop()
        return cells


class _Whole(CompositorUpdate):
    """Everything is written, and everything remembered: of a terminal nothing is known."""

    def __init__(self, update: LayoutUpdate, shadow: Shadow) -> None:
        self._update = update
        self._shadow = shadow

    def render_segments(self, console: "Console") -> str:
        """All cells of the region."""
        pen = _Pen(console)
        for y, x, strip in _all_strips(self._update):
            if x == self._update.region.x:
                pen.move(x, y)
            cells = cells_of(strip)
            self._shadow.put(y, x, cells or _whole(strip))
            if cells:
                pen.write((segment.text, segment.style) for segment in strip)
            else:
                pen.write_joined(x, y, strip)
                pen.move(x + strip.cell_length, y)
        return pen.lift()


class _Changed(CompositorUpdate):
    """Of what is to be written, only cells that differ from what is there."""

    def __init__(self, strips: Iterable[tuple[int, int, Strip]], shadow: Shadow) -> None:
        self._strips = strips
        self._shadow = shadow

    def render_segments(self, console: "Console") -> str:
        """Moves of the cursor, and runs of cells."""
        pen = _Pen(console)
        for y, x, strip in self._strips:
            cells = cells_of(strip)
            after = cells or _whole(strip)
            before = self._shadow.put(y, x, after)
            if before == after:
                continue
            if not cells:
                pen.write_joined(x, y, strip)
                end = x + strip.cell_length
                pen.move(end, y)
                pen.write(_runs(self._shadow.after(y, end)))
                continue
            for start, end in changed_runs(before, cells):
                pen.move(x + start, y)
                pen.write(_runs(cells[start:end]))
        return pen.lift()


class _Pen:
    """Puts text where it belongs, and says of its style only what is not in force already.

    Rich says all of it for every piece, and takes it back: half of all bytes.
    """

    def __init__(self, console: "Console") -> None:
        self._colors = console._color_system or ColorSystem.TRUECOLOR
        self._now = _PLAIN
        self._written: list[str] = []

    def move(self, x: int, y: int) -> None:
        self._written.append(Control.move_to(x, y).segment.text)

    def write(self, pieces: Iterable[tuple[str, Style | None]]) -> None:
        for text, style in pieces:
            self._take_ink(style)
            self._written.append(text)

    def write_joined(self, x: int, y: int, strip: Strip) -> None:
        """A strip of whose characters a terminal may think that they are wider, or narrower: the
        ground is cleared, and what comes after them is put where it belongs."""
        self.move(x, y)
        self._take_ink(next((segment.style for segment in strip), None))
        self._written.append(f"\x1b[{strip.cell_length}X")
        is_astray = False
        for text, style, _control in strip:
            self._take_ink(style)
            for start, end, cells in split_graphemes(text)[0]:
                joins = end - start > 1 or _JOINING.search(text[start:end]) is not None
                if is_astray and not joins:
                    self.move(x, y)
                is_astray = joins
                self._written.append(text[start:end])
                x += cells

    def _take_ink(self, style: Style | None) -> None:
        """What is written next has this style."""
        wanted = _ink(style, self._colors) if style else _PLAIN
        if wanted != self._now:
            self._written.append(_change(self._now, wanted))
            self._now = wanted

    def lift(self) -> str:
        """All that was written; what comes after it starts from plain."""
        if self._now != _PLAIN:
            self._written.append(_change(self._now, _PLAIN))
        return "".join(self._written)


def _strips(update: ChopsUpdate) -> Iterator[tuple[int, int, Strip]]:
    """What Textual would write: row, column, cells."""
    chops: Sequence[Mapping[int, Strip | None]] = update.chops
    for y, x1, x2 in update.spans:
        for end, (x, strip) in zip(update.chop_ends[y], chops[y].items(), strict=False):
            if strip is None or x > x2 or end <= x1:
                continue
            whole = x1 <= x < x2 and end <= x2
            yield y, x, strip if whole else strip.crop(0, min(end, x2) - x)


def _all_strips(update: LayoutUpdate) -> Iterator[tuple[int, int, Strip]]:
    for y, line in enumerate(update.strips, update.region.y):
        x = update.region.x
        for strip in line:
            yield y, x, strip
            x += strip.cell_length


def cells_of(strip: Strip) -> Row:
    """A strip column by column; nothing of one that cannot be taken apart."""
    cells: Row = []
    for text, style, _control in strip:
        if text.isascii():
            cells += zip(text, repeat(style))
        elif _JOINING.search(text):
            return []
        else:
            _add_wide(cells, text, style)
    return cells if len(cells) == strip.cell_length else []


def _add_wide(cells: Row, text: str, style: Style | None) -> None:
    for character in text:
        cells.append((character, style))
        cells += repeat(("", style), get_character_cell_size(character) - 1)


def _whole(strip: Strip) -> Row:
    """What stands for a strip that cannot be taken apart."""
    text = "".join(segment.text for segment in strip)
    return [(text, tuple(segment.style for segment in strip))] * strip.cell_length


def changed_runs(before: Row, after: Row) -> list[tuple[int, int]]:
    """The parts of a row to write, from and to; near ones are one."""
    runs: list[tuple[int, int]] = []
    for place, (old, new) in enumerate(zip(before, after, strict=True)):
        if old == new:
            continue
        if runs and place - runs[-1][1] <= GAP:
            runs[-1] = (runs[-1][0], place + 1)
        else:
            runs.append((place, place + 1))
    return [(_start_of(start, after), _end_of(end, after)) for start, end in runs]


def _start_of(place: int, cells: Row) -> int:
    while place and not cells[place][0]:
        place -= 1
    return place


def _end_of(place: int, cells: Row) -> int:
    while place < len(cells) and not cells[place][0]:
        place += 1
    return place


def _runs(cells: Row) -> Iterator[tuple[str, Style | None]]:
    """Neighbours of one style together."""
    for style, run in groupby(cells, _style_of):
        yield "".join([text for text, _ in run]), style


def _is_known(cell: Cell) -> bool:
    return cell != _UNKNOWN and len(cell[0]) <= 1 and not isinstance(cell[1], tuple)


def _style_of(cell: Cell) -> Style | None:
    return cell[1] if isinstance(cell[1], Style) else None


def shadow_for(app: "App[None]") -> Shadow | None:
    """A shadow for an app that draws on a terminal as usual; None where it must not be used."""
    return None if app.is_inline or not is_usable() else Shadow()
