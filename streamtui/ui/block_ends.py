"""Where blocks of Markdown end, in a text that comes piece by piece. Pure: no Textual.

What stands before such a place is read the same whatever follows it. An item of a list is a block
of its own here, so that a long list need not end first.
"""

import re
from typing import NamedTuple

from streamtui.ui.markdown_sections import opens_fence

_HEADING = re.compile(r"#{1,6}(?:[ \t]|$)")
_ITEM = re.compile(r"([ \t]*)(?:([-*+])|(\d{1,9})([.)]))(?:[ \t]+(\S)|[ \t]*$)")
_MAY_BE_ITEM = re.compile(r"(?:[-*+]|\d{1,9}[.)]?)[-*_ \t]*")
"""The beginning of a line of which only what follows says whether it is an item."""
_RULE = re.compile(r"[ ]{0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})$")

_MOST_OF_LINE = 1_000
"""Characters of a line that are looked at."""


class End(NamedTuple):
    """A place between two blocks."""

    at: int
    """So many characters of the text stand before it."""
    gap: int
    """Blank rows between the two."""


class BlockEnds:
    """Finds them line by line, each as soon as nothing that may still come can change it."""

    def __init__(self) -> None:
        self._line = ""
        """How the last line begins, as far as it has come."""
        self._at = 0
        """Where that line begins."""
        self._length = 0
        """How many characters of it have come."""
        self._fence = ""
        """The mark of the code that is open."""
        self._code_at_margin = False
        self._begin()

    def _begin(self) -> None:
        self._begun = False
        """Whether the open block has anything but blank lines."""
        self._indented = False
        self._after_blank = False
        self._item = ""
        """The marker that the open block begins with, where it is an item at the margin."""
        self._in_list = False

    def take(self, text: str) -> list[End]:
        """The ends that are known now, of which nothing was known before."""
        found: list[End] = []
        *lines, rest = text.split("\n")
        for piece in lines:
            self._add(piece)
            after = self._at + self._length + 1
            found += self._take_line(self._line.rstrip("\r"), self._at, after)
            self._at, self._length, self._line = after, 0, ""
        self._add(rest)
        return found + self._look_at_beginning()

    def _add(self, piece: str) -> None:
        self._length += len(piece)
        if len(self._line) < _MOST_OF_LINE:
            self._line += piece[: _MOST_OF_LINE - len(self._line)]

    def _take_line(self, line: str, start: int, after: int) -> list[End]:
        if self._fence:
            return self._in_code(line, after)
        if not line.strip():
            return self._blank(after)
        item = None if _RULE.match(line) else _ITEM.match(line)
        mark = opens_fence(line)
        found: list[End] = []
        if self._begun and (gap := self._gap_before(line, item, mark)) is not None:
            found.append(End(start, gap))
            self._begin()
        self._note(line, item, mark)
        if _HEADING.match(line):
            found.append(End(after, 1))
            self._begin()
        return found

    def _look_at_beginning(self) -> list[End]:
        """Whether a line ends the open block that has not come to its own end."""
        line = self._line
        is_sure = self._after_blank or line[:1] not in {"#", "`", "~"}
        if not (line and self._begun and is_sure) or self._fence or _MAY_BE_ITEM.fullmatch(line):
            return []
        gap = self._gap_before(line, _ITEM.match(line), "")
        if gap is None:
            return []
        self._begin()
        return [End(self._at, gap)]

    def _blank(self, after: int) -> list[End]:
        """A list, or code that is only indented, may go on after a blank line; nothing else."""
        if self._begun and not self._in_list and not self._indented:
            self._begin()
            return [End(after, 1)]
        self._after_blank = True
        return []

    def _in_code(self, line: str, after: int) -> list[End]:
        mark = opens_fence(line)
        if not mark.startswith(self._fence) or line.strip() != mark:
            return []
        self._fence = ""
        if not self._code_at_margin:
            return []
        self._begin()
        return [End(after, 1)]

    def _note(self, line: str, item: re.Match[str] | None, mark: str) -> None:
        """Remember what a line says of the block that it begins or goes on with."""
        if not self._begun:
            self._indented = line[0].isspace()
            self._item = _marker(item) if item is not None and not self._indented else ""
        self._in_list = self._in_list or item is not None
        self._begun, self._after_blank = True, False
        self._fence, self._code_at_margin = mark, line.startswith(mark)

    def _gap_before(self, line: str, item: re.Match[str] | None, mark: str) -> int | None:
        """Blank rows between the open block and a line that ends it; None where it goes on."""
        if line[0].isspace():
            return None
        if item is None:
            ends = self._after_blank or _HEADING.match(line) or (mark and line.startswith(mark))
            return 1 if ends else None
        if self._item:
            same = self._item == _marker(item)
            return 0 if same and not self._after_blank else 1
        if self._in_list:
            return None
        # Others are no items right after a paragraph.
        may_follow = item[5] and item[3] in {None, "1"}
        return 1 if self._after_blank or may_follow else None


def _marker(item: re.Match[str]) -> str:
    return str(item[2] or item[4])
