"""Where blocks of Markdown end, in a text that comes piece by piece. Pure: no Textual.

What stands before such a place is read the same whatever follows it. An item of a list is a block
of its own here, so that a long list need not end first.
"""

import re
from typing import NamedTuple

from streamtui.ui.markdown_sections import opens_fence

_HEADING = re.compile(r"#{1,6}(?:[ \t]|$)")
_ITEM = re.compile(r"([ \t]*)(?:([-*+])|(\d{1,9})([.)]))(?:[ \t]+(\S)|[ \t]*$)")
_RULE = re.compile(r"[ ]{0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})$")


class End(NamedTuple):
    """A place between two blocks."""

    at: int
    """So many characters of the text stand before it."""
    gap: int
    """Blank rows between the two."""


class BlockEnds:
    """Finds them line by line; a line counts once its end has come."""

    def __init__(self) -> None:
        self._line = ""
        """What has come of the last line."""
        self._at = 0
        """Where that line begins."""
        self._fence = ""
        """The mark of the code that is open."""
        self._code_at_margin = False
        self._begin()

    def _begin(self) -> None:
        self._begun = False
        """Whether the open block has anything but blank lines."""
        self._after_blank = False
        self._item = ""
        """The marker that the open block begins with, where it is an item at the margin."""
        self._in_list = False

    def take(self, text: str) -> list[End]:
        """The ends that are known now, of which nothing was known before."""
        found: list[End] = []
        *lines, rest = text.split("\n")
        for piece in lines:
            line, self._line = self._line + piece, ""
            after = self._at + len(line) + 1
            found += self._take_line(line.rstrip("\r"), self._at, after)
            self._at = after
        self._line += rest
        return found

    def _take_line(self, line: str, start: int, after: int) -> list[End]:
        if self._fence:
            return self._in_code(line, after)
        if not line.strip():
            self._after_blank = True
            return []
        item = None if _RULE.match(line) else _ITEM.match(line)
        mark = opens_fence(line)
        found: list[End] = []
        if self._begun and (gap := self._gap_before(line, item, mark)) is not None:
            found.append(End(start, gap))
            self._begin()
        self._note(item, mark, at_margin=line.startswith(mark))
        if _HEADING.match(line):
            found.append(End(after, 1))
            self._begin()
        return found

    def _in_code(self, line: str, after: int) -> list[End]:
        mark = opens_fence(line)
        if not mark.startswith(self._fence) or line.strip() != mark:
            return []
        self._fence = ""
        if not self._code_at_margin:
            return []
        self._begin()
        return [End(after, 1)]

    def _note(self, item: re.Match[str] | None, mark: str, *, at_margin: bool) -> None:
        """Remember what a line says of the block that it begins or goes on with."""
        if item is not None:
            if not self._begun and not item[1]:
                self._item = _marker(item)
            self._in_list = True
        self._begun, self._after_blank = True, False
        self._fence, self._code_at_margin = mark, at_margin

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
