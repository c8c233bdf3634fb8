"""Lines of text into rows of a width, measured in terminal cells. Pure: no Textual, no colours.

No character is cut in half, work per row is bounded, and rows before the last never change when
text is added at the end: a stream wraps only its last row again. A row names roles, not colours,
so a change of theme repaints without wrapping anything again.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich.cells import cell_len, split_graphemes

from streamtui.safe_text import join_surrogates, safe_text

TAB_COLUMNS = 4
NARROWEST = 2
"""A wide character needs as much; narrower rows are cut off by the screen, not by us."""

# Characters that are one cell wide, for certain and alone: most text never gets past this test.
_NARROW = re.compile("[ -~\u00a0-\u00ac\u00ae-\u02ff\u0370-\u0482\u2500-\u25fc\u2800-\u28ff]*")
# A joiner in front of a letter makes it invisible to whoever measures, but not to the terminal.
_STRAY_JOINER = re.compile("\u200d(?![\u2190-\u23ff\u2440-\u2bff\U0001f000-\U0001faff])")
_REGIONAL_INDICATOR = re.compile("[\U0001f1e6-\U0001f1ff]")
_NEVER_FIRST = frozenset("，。、！？；：」』）】》〉”’…·ーっッゃゅょャュョ々％")
_NEVER_LAST = frozenset("「『（【《〈“‘")


class RowRange(NamedTuple):
    """A row of a text: `text[start:end]`; blanks at the break belong to no row."""

    start: int
    end: int


class _Cluster(NamedTuple):
    """A character as a reader sees it: `text[start:end]`."""

    start: int
    end: int
    cells: int


def drawable(text: str, column: int = 0) -> str:
    """Untrusted text as it may be wrapped and drawn: safe, tabs set to columns of four.

    `column` is where on its line the text begins.
    """
    text = safe_text(join_surrogates(text))
    if "\u200d" in text:
        text = _STRAY_JOINER.sub("", text)
    return _set_tabs(text, column) if "\t" in text else text


def _set_tabs(text: str, column: int) -> str:
    pieces: list[str] = []
    *before, last = text.split("\t")
    for piece in before:
        column += cell_len(piece)
        blanks = TAB_COLUMNS - column % TAB_COLUMNS
        pieces.append(piece + " " * blanks)
        column += blanks
    return "".join([*pieces, last])


def wrap(text: str, width: int, *, hang: int = 0, words: bool = True) -> list[RowRange]:
    """The rows of one line of drawable text without newlines.

    Rows after the first are narrower by `hang` cells. With `words` false, rows are filled to the
    edge and nothing is left out, as code wants it.
    """
    room = max(width, NARROWEST)
    later_room = max(room - hang, NARROWEST)
    rows: list[RowRange] = []
    start = 0
    while True:
        row, start = _next_row(text, start, room, words=words)
        rows.append(row)
        if start >= len(text):
            return rows
        room = later_room


def _next_row(text: str, start: int, room: int, *, words: bool) -> tuple[RowRange, int]:
    """A row, and where the next one starts."""
    window = text[start : start + room + 1]
    if not window.isascii() and not _NARROW.fullmatch(window):
        return _next_wide_row(text, start, room, words=words)
    if len(window) <= room:
        return RowRange(start, len(text)), len(text)
    cut = start + room
    if not words:
        return RowRange(start, cut), cut
    blank = cut if text[cut] == " " else text.rfind(" ", start, cut)
    if blank <= start or text[start:blank].isspace():
        return RowRange(start, cut), cut
    return _break_at(text, start, blank, room)


def _next_wide_row(text: str, start: int, room: int, *, words: bool) -> tuple[RowRange, int]:
    # As many code points as cells are enough, unless many of them have no width.
    for limit in (room + 2, 2 * room + 32):
        clusters = _clusters(text, start, limit)
        overflow = _overflow(clusters, room)
        end = clusters[-1].end
        if overflow or end == len(text):
            break
    if not overflow:
        return RowRange(start, end), end
    if not words:
        return RowRange(start, clusters[overflow].start), clusters[overflow].start
    best = _best_break(text, clusters, overflow)
    return _break_at(text, start, clusters[best].start, room)


def _overflow(clusters: list[_Cluster], room: int) -> int:
    """The index of the first character that does not fit; 0 when all do."""
    used = 0
    for index, cluster in enumerate(clusters):
        used += cluster.cells
        if used > room and index:
            return index
    return 0


def _break_at(text: str, start: int, place: int, room: int) -> tuple[RowRange, int]:
    """Break before `place`; blanks around it vanish, but no more of them than a row can hold."""
    following = place
    while following < min(len(text), place + room) and text[following] == " ":
        following += 1
    return RowRange(start, start + len(text[start:place].rstrip(" "))), following


def _clusters(text: str, start: int, limit: int) -> list[_Cluster]:
    """The visible characters from `start` on, looked for in `limit` code points."""
    window = text[start : start + limit]
    found: list[_Cluster] = []
    for first, end, cells in split_graphemes(window)[0]:
        if found and _continues_flag(window, found[-1], start, first):
            found[-1] = _Cluster(found[-1].start, start + end, found[-1].cells + cells)
        else:
            found.append(_Cluster(start + first, start + end, cells))
    if start + limit < len(text) and len(found) > 1:
        found.pop()  # The window may have cut it.
    return found


def _continues_flag(window: str, last: _Cluster, start: int, first: int) -> bool:
    """Two regional indicators are one flag."""
    return (
        last.end - last.start == 1
        and _REGIONAL_INDICATOR.match(window, last.start - start) is not None
        and _REGIONAL_INDICATOR.match(window, first) is not None
    )


def _best_break(text: str, clusters: list[_Cluster], overflow: int) -> int:
    """The last cluster, up to the one that does not fit, before which a row may end."""
    for index in range(overflow, 0, -1):
        if _may_break(text, clusters[index - 1], clusters[index]):
            # An indent alone makes no row.
            blank = text[clusters[0].start : clusters[index].start].isspace()
            return overflow if blank else index
    return overflow


def _may_break(text: str, before: _Cluster, after: _Cluster) -> bool:
    if text[after.start] == " ":
        return not text[before.start].isspace()
    if text[before.start] == " ":
        return True
    if before.cells < 2 and after.cells < 2:
        return False
    return text[after.start] not in _NEVER_FIRST and text[before.start] not in _NEVER_LAST


class Span(NamedTuple):
    text: str
    role: str = ""
    """Space-separated: a colour of the theme, an `on-` colour for the background, attributes."""


class Row(NamedTuple):
    """One row of the screen, and where in its source it comes from."""

    spans: tuple[Span, ...] = ()
    line: int = -1
    """The source line; -1 for what stands in no source, such as a rule or a blank."""
    offset: int = 0
    """How many characters of that line come before this row."""
    fill: str = ""
    """The role of the cells after the text."""
    lead: int = 0
    """How many characters stand before those of the source, such as a list's marker."""

    @property
    def text(self) -> str:
        return "".join(span.text for span in self.spans)

    @property
    def content(self) -> str:
        """The text without what stands before it."""
        return self.text[self.lead :]


BLANK = Row()


def wrap_spans(
    spans: Sequence[Span],
    width: int,
    *,
    line: int = -1,
    first: Sequence[Span] = (),
    rest: Sequence[Span] = (),
    words: bool = True,
    fill: str = "",
) -> list[Row]:
    """One styled line as rows; `first` stands before the first of them, `rest` before the others.

    What stands before counts towards the width. The text must be drawable and without newlines.
    """
    text = spans[0].text if len(spans) == 1 else "".join(span.text for span in spans)
    first_cells, rest_cells = _cells(first), _cells(rest)
    if len(text) <= width - first_cells and text.isascii():
        shown = (*first, *(span for span in spans if span.text))
        return [Row(shown, line, 0, fill, _length(first))]
    rows: list[Row] = []
    for start, end in wrap(text, width - first_cells, hang=rest_cells - first_cells, words=words):
        before = rest if rows else first
        shown = (*before, *cut_spans(spans, start, end))
        rows.append(Row(shown, line, start, fill, _length(before)))
    return rows


def _length(spans: Sequence[Span]) -> int:
    return sum(len(span.text) for span in spans)


def _cells(spans: Sequence[Span]) -> int:
    return sum(cell_len(span.text) for span in spans)


def cut_spans(spans: Sequence[Span], start: int, end: int) -> Iterator[Span]:
    """The spans of `text[start:end]`."""
    position = 0
    for span in spans:
        first, last = max(start - position, 0), end - position
        position += len(span.text)
        if last <= 0:
            return
        if piece := span.text[first:last]:
            yield Span(piece, span.role)
