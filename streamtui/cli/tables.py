"""Text in columns for a terminal. Pure; counts cells, for Chinese takes two of them."""

from collections.abc import Iterator, Sequence
from itertools import pairwise, takewhile

from streamtui.safe_text import ELLIPSIS, safe_line

GAP = "  "
ID_CHARS = 13
"""A UUID of version 7 begins with its time: so much of it is one's own within a millisecond."""
_ROOM = 40
"""Cells that a text needs beside its row; with fewer it stands below."""
_WHOM_CELLS = 32
_BEFORE_A_HIT = 3
"""One part in so many of a line stands before what was looked for."""

Row = tuple[Sequence[str], Sequence[str]]
"""The cells of a row, and the texts that follow them."""


def table(
    heading: Sequence[str], rows: Sequence[Row], width: int | None, words: Sequence[str] = ()
) -> list[str]:
    """Rows with their texts beside them, or below where they have no room; any text becomes safe.

    `width` is that of the terminal in cells; with None each row is one line of any length. Of a
    text that is too long the part is shown in which one of `words` is.
    """
    from rich.cells import cell_len

    *columns, title = heading
    lines = aligned([columns, *(cells for cells, _ in rows)])
    begin = max(map(cell_len, lines)) + len(GAP)
    beside = width is None or width - begin >= _ROOM
    found = [_padded(lines[0], begin) + title if beside else lines[0]]
    for line, (_, texts) in zip(lines[1:], rows, strict=True):
        if width is None:
            found.append(_padded(line, begin) + GAP.join(map(safe_line, texts)))
        elif beside:
            found += _beside(line, begin, [shortened(t, width - begin, words) for t in texts])
        else:
            found += [line, *(GAP + shortened(t, width - len(GAP), words) for t in texts)]
    return [line.rstrip() for line in found]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines, their columns one below the other; any text becomes safe."""
    from rich.cells import cell_len

    safe = [[safe_line(cell) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*safe, strict=True)]
    return [
        GAP.join(map(_padded, row, widths)).rstrip()  # all rows have as many cells
        for row in safe
    ]


def shortened(text: str, cells: int | None, words: Sequence[str] = ()) -> str:
    """Any text on one line of so many cells, of which the first of the words is a part."""
    from rich.cells import cell_len, set_cell_size

    line = safe_line(text)
    if cells is None or cell_len(line) <= cells:
        return line
    start = _start(line, cells, words)
    if start:
        line = ELLIPSIS + line[start:]
    if cell_len(line) <= cells:
        return line
    return set_cell_size(line, max(cells - 1, 0)).rstrip() + ELLIPSIS


def label_of(endpoint: str, model: str) -> str:
    """An endpoint and its model in the form that `-e` accepts."""
    if not model or model.startswith(f"{endpoint}/"):
        return model or endpoint
    return f"{endpoint}/{model}" if endpoint else model


def whom(endpoint: str, model: str) -> str:
    """The same as a cell of a row."""
    return shortened(label_of(endpoint, model), _WHOM_CELLS)


def short_ids(ids: Sequence[str]) -> dict[str, str]:
    """The beginning of each id, long enough to tell it from all the others."""
    ordered = sorted(set(ids))
    shared = [_shared(*pair) for pair in pairwise(ordered)]
    lengths = zip([0, *shared], [*shared, 0], strict=True)
    return {
        name: name[: max(ID_CHARS, 1 + before, 1 + after)]
        for name, (before, after) in zip(ordered, lengths, strict=False)
    }


def _shared(one: str, other: str) -> int:
    """How many characters both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _beside(line: str, begin: int, texts: Sequence[str]) -> Iterator[str]:
    """The first text beside the line, the others below the first."""
    starts = [_padded(line, begin), *[" " * begin] * (len(texts) - 1)]
    yield from (start + text for start, text in zip(starts, texts, strict=True))


def _padded(text: str, cells: int) -> str:
    from rich.cells import cell_len

    return text + " " * (cells - cell_len(text))


def _start(line: str, cells: int, words: Sequence[str]) -> int:
    """Where to begin so that the first word that is in the line is seen, and what is before it."""
    from rich.cells import cell_len

    lower = line.lower()
    places = [place for word in words if (place := lower.find(word.lower())) >= 0]
    hit = min(places, default=0)
    if cell_len(line[:hit]) < cells // 2:
        return 0
    start = hit
    while start and cell_len(line[start - 1 : hit]) <= cells // _BEFORE_A_HIT:
        start -= 1
    return start
