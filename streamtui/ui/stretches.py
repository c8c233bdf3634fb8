"""Long text in pieces that are small enough to be laid out at once. Pure: no Textual.

A text is cut between two lines, and a line that is too long where it does least harm.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

FULL_LINES = 100
FULL_CHARS = 16_384
LONG_LINE = 16_384
"""Characters of a line after which it goes on in another block."""

_FIRST_CHOICE, _SECOND_CHOICE = 256, 4_096
"""So many characters of a long line are looked through for a blank, and for a plain letter."""
_PLAIN = re.compile("[!-~\u0410-\u044f\u3400-\u9fff\uac00-\ud7a3]")
"""What certainly begins a character of its own, whatever stands before it."""
_NO_BEGINNING = (
    "\r\u0300-\u036f\u200d\ufe00-\ufe0f\ud800-\udfff\U0001f1e6-\U0001f1ff\U0001f3fb-\U0001f3ff"
)
_ANY_BEGINNING = re.compile(f"[^{_NO_BEGINNING}]")


def is_long(chars: int) -> bool:
    """Whether a line of so many characters may go on in another piece."""
    return chars > LONG_LINE


def is_full(chars: int, lines: int) -> bool:
    """Whether what follows the next line end belongs into another piece."""
    return chars > FULL_CHARS or lines > FULL_LINES


class Stretch(NamedTuple):
    """A piece of a text, small enough to be a block."""

    text: str
    first_line: int
    first_offset: int


def stretches(text: str) -> Iterator[Stretch]:
    """A whole text in pieces, cut between lines, and long lines where it does least harm.

    Their texts, with a line end between those that begin lines of their own, are the text.
    """
    lines: list[str] = []
    first_line = size = 0
    for number, line in enumerate(text.split("\n")):
        if is_long(len(line)):
            if lines:
                yield Stretch("\n".join(lines), first_line, 0)
            yield from _long_line(line, number)
            lines, size, first_line = [], 0, number + 1
            continue
        lines.append(line)
        size += len(line)
        if is_full(size, len(lines)):
            yield Stretch("\n".join(lines), first_line, 0)
            lines, size, first_line = [], 0, number + 1
    if lines:
        yield Stretch("\n".join(lines), first_line, 0)


def _long_line(line: str, number: int) -> Iterator[Stretch]:
    offset = 0
    while (cut := seam(line, 0)) is not None:
        yield Stretch(line[:cut], number, offset)
        offset, line = offset + cut, line[cut:]
    if line:
        yield Stretch(line, number, offset)


def seam(text: str, before: int) -> int | None:
    """Where a line that is too long goes on in another block; None where it is not, or not yet.

    `text` is the end of the line, `before` how many characters stand before that. Says the same
    however the line came in pieces.
    """
    first = LONG_LINE - before
    if len(text) <= first:
        return None
    blank = text.find(" ", max(first, 0), max(first + _FIRST_CHOICE, 0))
    if blank >= 0:
        return blank + 1
    first += _FIRST_CHOICE
    if found := _PLAIN.search(text, max(first, 0), max(first + _SECOND_CHOICE, 0)):
        return found.start()
    if found := _ANY_BEGINNING.search(text, max(first + _SECOND_CHOICE, 0)):
        return found.start()
    return None
