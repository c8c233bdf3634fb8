"""A long Markdown text in sections, each of which can be read by itself. Pure: no Textual.

A cut is made where a new block begins, and in long code between any two lines. Where a text has no
such place for long, it is cut all the same: nothing may be so large that it is slow to show.
"""

import re
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from streamtui.ui.stretches import is_long, seam

SECTION_CHARS = 8_192
SLICE_CHARS = 1_024
MOST_CHARS = 3 * SECTION_CHARS
"""Longer paragraphs and lists are cut between two lines."""
VERY_MOST_CHARS = 4 * SECTION_CHARS
"""Anything else is, be it a quote, a table, or code in a list."""

_LONGEST_INFO = 200
"""Of the opening line, which is repeated in each section of long code."""

_MARKS = re.compile("`{3,}|~{3,}")
_BEFORE_FENCE = re.compile(r"\s*(?:[-*+>]\s+|\d+[.)]\s+)*")
_HEADING = re.compile(r"#{1,6} ")
_NEW_BLOCK = re.compile(r"^(?:#{1,6} |(?<=\n\n)(?:(?!\d+[.)])[^\s>\-*+|]|\*\*))", re.MULTILINE)
_NEW_LINE = re.compile(r"^(?:[-*+] |\d{1,9}[.)] |[^\s>|~`=\-])", re.MULTILINE)
_ANY_LINE = re.compile(r"^(?=.)", re.MULTILINE)
_UNDER_HEADER = re.compile(
    r"^.*\n[ ]{0,3}\|?(?:[ ]*:?-+:?[ ]*\|)+(?:[ ]*:?-+:?[ ]*)?$", re.MULTILINE
)
"""The header of a table, and the line under it."""


class Section(NamedTuple):
    """A piece of Markdown that can be read by itself."""

    text: str
    first_line: int
    """The number of its first line in the whole."""
    goes_on: bool = False
    """It begins in the middle of code or of a table; the beginning of that is its head."""
    head_lines: int = 0
    gap: int = 1
    """Blank rows between it and the section before."""
    first_offset: int = 0
    """How many characters of its first line the section before has."""
    is_plain: bool = False
    """A part of a line that is too long to look for markup in it."""


class Slice(NamedTuple):
    """Some lines of a section, laid out together."""

    first: int
    """Their numbers in the whole text: from `first` to before `end`."""
    end: int
    chars: int
    is_later: bool
    """Another slice of the section comes before."""

    @property
    def line_count(self) -> int:
        """How many lines."""
        return self.end - self.first


def slices(section: Section) -> Iterator[Slice]:
    """A section in pieces that take no long to lay out, though it can only be read as a whole."""
    size = len(section.text)
    wanted = size // max(size // SLICE_CHARS, 1)
    first = last = section.first_line
    chars = 0
    in_table = False
    for last, line in enumerate(section.text.split("\n"), first):
        # It stays whole: its columns are as wide as all of its lines want.
        in_table = bool(line.strip()) and (in_table or "|" in line)
        if chars >= wanted and not in_table:
            yield Slice(first, last, chars, is_later=first > section.first_line)
            first, chars = last, 0
        chars += len(line) + 1
    yield Slice(first, last + 1, chars, is_later=first > section.first_line)


class Fence(NamedTuple):
    """Code between two fences: `text[start:end]`, its fences included."""

    start: int
    body: int
    """Where its first line of code begins."""
    close: int
    """Where the line of the closing fence begins, or the end of the text."""
    end: int
    mark: str
    opening: str
    at_margin: bool
    """It stands in no list and no quote: its lines have nothing before them."""


def fences(text: str) -> Iterator[Fence]:
    """All blocks of fenced code; the last one may have no end."""
    opened: tuple[int, int, re.Match[str]] | None = None
    for found in _MARKS.finditer(text):
        start = text.rfind("\n", 0, found.start()) + 1
        if not _BEFORE_FENCE.fullmatch(text, start, found.start()):
            continue
        end = _line_end(text, found.end())
        rest = text[found.end() : end]
        if opened is None:
            # With a backtick after it, it is code within a line.
            if not (found.group().startswith("`") and "`" in rest):
                opened = (start, end + 1, found)
        elif found.group().startswith(opened[2].group()) and not rest.strip():
            yield _fence(text, opened, start, end + 1)
            opened = None
    if opened is not None:
        yield _fence(text, opened, len(text), len(text))


def opens_fence(line: str) -> str:
    """The mark of a line that begins or ends code between fences; empty for any other."""
    mark = _MARKS.search(line)
    if mark is None or not _BEFORE_FENCE.fullmatch(line, 0, mark.start()):
        return ""
    within_line = mark.group().startswith("`") and "`" in line[mark.end() :]
    return "" if within_line else mark.group()


def _fence(text: str, opened: tuple[int, int, re.Match[str]], close: int, end: int) -> Fence:
    start, body, mark = opened
    opening = text[mark.start() : min(body, mark.end() + _LONGEST_INFO)].rstrip("\n")
    size = len(text)
    return Fence(
        start, min(body, size), close, min(end, size), mark.group(), opening, mark.start() == start
    )


def _line_end(text: str, position: int) -> int:
    found = text.find("\n", position)
    return found if found >= 0 else len(text)


def split_sections(text: str) -> Iterator[Section]:
    """Cut a long text; without their heads and feet the sections are the text."""
    cutter = _Cutter(text)
    start = line = 0
    while True:
        cut = cutter.cut(start)
        yield cutter.section(start, cut, line)
        if cut >= len(text):
            return
        line += text.count("\n", start, cut)
        start = cut


class _Cutter:
    def __init__(self, text: str) -> None:
        self._text = text
        self._fences = list(fences(text)) if len(text) > SECTION_CHARS else []
        self._starts = [fence.start for fence in self._fences]
        self._long_lines = list(_long_lines(text))
        self._table: list[str] = []
        """The header of the table in whose middle the next section begins."""

    def section(self, start: int, cut: int, line: int) -> Section:
        text = self._text
        inside, after = self._fence_around(start), self._fence_around(cut)
        offset = start - (text.rfind("\n", 0, start) + 1)
        is_whole = cut < len(text) and text[cut - 1] == "\n"
        body = text[start : cut - 1] if is_whole else text[start:cut]
        head = [inside.opening] if inside else self._table
        foot = [after.mark] if after else []
        self._table = self._table_head(body) if is_whole and text.startswith("|", cut) else []
        return Section(
            "\n".join([*head, body, *foot]),
            line - len(head),
            goes_on=bool(head),
            head_lines=len(head),
            gap=0 if head or offset else self._gap(start),
            first_offset=offset,
            is_plain=inside is None and self._is_long(start),
        )

    def _table_head(self, body: str) -> list[str]:
        """The header of a table that goes on after a section."""
        found = deque(_UNDER_HEADER.finditer(body), maxlen=1)
        if "\n\n" in (body[found[0].end() :] if found else body):
            return []
        return found[0].group().split("\n") if found else self._table

    def _gap(self, start: int) -> int:
        text = self._text
        after_blank = text.startswith("\n\n", start - 2) or text.startswith("\n", start)
        return 1 if after_blank or _HEADING.match(text, start) else 0

    def cut(self, start: int) -> int:
        """Where the section ends that begins at `start`."""
        size = len(self._text)
        long_line = next((each for each in self._long_lines if each[1] > start), (size, size))
        first, end = long_line
        if start < first:
            wanted = self._next_cut(start, first)
            if wanted < first or first == size or self._fence_around(first) is None:
                return wanted
        found = seam(self._text[max(start, first) : end], 0)
        if found is not None:
            return max(start, first) + found
        if end + 1 >= size:
            return size
        return self.cut(end + 1) if self._fence_around(end + 1) else end + 1

    def _next_cut(self, start: int, end: int) -> int:
        """The first good place that is far enough, or the first possible one that is too far."""
        at = start + SECTION_CHARS + 1
        while at < end:
            fence = self._fence_around(at)
            if fence is None:
                stop = min(self._next_fence(at), end)
                found = self._cut_between(at, stop, start)
                at = max(stop, at) + 1
            elif fence.at_margin:
                found = self._cut_in_code(fence, at)
                at = fence.end
            else:
                most = max(at, start + VERY_MOST_CHARS)
                line = _ANY_LINE.search(self._text, most, fence.close) if most < end else None
                found = line.start() if line else None
                at = fence.end
            if found is not None:
                return min(found, end)
        return end

    def _cut_between(self, at: int, stop: int, start: int) -> int | None:
        """A cut outside of code: the best that is not too far."""
        cuts = []
        for pattern, least in (
            (_NEW_BLOCK, at),
            (_NEW_LINE, start + MOST_CHARS),
            (_ANY_LINE, start + VERY_MOST_CHARS),
        ):
            # What follows a place is looked at too.
            found = pattern.search(self._text, max(at, least), stop + 3)
            if found and found.start() <= stop:
                cuts.append(found.start())
        return min(cuts, default=None)

    def _cut_in_code(self, fence: Fence, at: int) -> int | None:
        """Between two lines of code, the second of which is no fence itself."""
        if not fence.at_margin:
            return None
        at = max(at, fence.body + 1)
        while (line := self._text.find("\n", at - 1) + 1) and line < fence.close:
            mark = _MARKS.search(self._text, line, _line_end(self._text, line))
            if mark is None or not _BEFORE_FENCE.fullmatch(self._text, line, mark.start()):
                return line
            at = line + 1
        return None

    def _fence_around(self, position: int) -> Fence | None:
        """The code in which a position is; neither of its edges is."""
        index = bisect_right(self._starts, position) - 1
        if index < 0:
            return None
        fence = self._fences[index]
        return fence if fence.start < position < fence.end else None

    def _next_fence(self, position: int) -> int:
        index = bisect_right(self._starts, position - 1)
        return self._starts[index] if index < len(self._starts) else len(self._text)

    def _is_long(self, position: int) -> bool:
        return any(first <= position < end for first, end in self._long_lines)


def _long_lines(text: str) -> Iterator[tuple[int, int]]:
    """Where lines begin and end that are too long for one section."""
    if not is_long(len(text)):
        return
    position = 0
    for line in text.split("\n"):
        if is_long(len(line)):
            yield position, position + len(line)
        position += len(line) + 1
