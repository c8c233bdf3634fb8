"""Words with roles on one line: measured, cut, filled up, set into columns. Pure: no Textual.

All of them are safe to draw already.
"""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len, split_graphemes

Segment = tuple[str, str]
"""Text, and the role that gives it its style."""

Words = list[Segment]
"""One line, or a paragraph before it is wrapped."""

GAP = 2
"""Blanks between two columns."""


def shorten(text: str, cells: int) -> str:
    """Text that fits, its tail given up for an ellipsis; no character is cut in half."""
    if cell_len(text) <= cells:
        return text
    room = cells - 1
    kept = 0
    for _start, end, width in split_graphemes(text)[0]:
        room -= width
        if room < 0:
            break
        kept = end
    return text[:kept].rstrip() + "…" if cells > 0 else ""


def padded(text: str, cells: int) -> str:
    """Text in exactly so many cells."""
    short = shorten(text, cells)
    return short + " " * (cells - cell_len(short))


def width_of(words: Iterable[Segment]) -> int:
    """How many cells a line takes."""
    return sum(cell_len(text) for text, _role in words)


def fitted(words: Words, width: int) -> Words:
    """Words in exactly so many cells."""
    kept: Words = []
    room = width
    for text, role in words:
        short = shorten(text, room)
        if short:
            kept.append((short, role))
        room -= cell_len(short)
        if short != text:
            break
    return [*kept, (" " * room, "")] if room > 0 else kept


def row_of(cells: Sequence[Words], widths: Sequence[int]) -> Words:
    """Cells beside one another, each as wide as its column."""
    row: Words = []
    for cell, width in zip(cells, widths, strict=True):
        row += [(" " * GAP, ""), *fitted(cell, width)] if row else fitted(cell, width)
    return row


def ruled(name: str, rest: str, width: int) -> Words:
    """A line with a name and what is known of it in it."""
    head: Words = [("── ", "pane-border"), (f"{name} ", "primary bold"), (rest, "foreground")]
    stroke = "─" * max(0, width - width_of(head))
    return fitted([*head, (stroke, "pane-border")], width)
