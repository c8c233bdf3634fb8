"""Looking for words in a session: where they are, and rows with them set off. Pure: no Textual.

What is drawn is looked through, not its Markdown; words at a row's end are found with those that
go on in the next. Only blocks whose text may hold the words are laid out for it, a few at a time.
"""

import re
import time
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from streamtui.ui.blocks import Block
from streamtui.ui.document import Bookmark, Document, Place
from streamtui.ui.rows import BLANK, Row, Span

HIT_ROLE = "reverse"
CURRENT_ROLE = "reverse bold warning"
SCAN_SECONDS = 0.01
"""A frame's share of a search that takes longer."""

_ANY_WIDTH = -1
_WORD = re.compile(r"[^\W_]+")


class Mark(NamedTuple):
    """A part of a row, from one character of its text to another."""

    row: int
    start: int
    end: int
    begins: bool
    """Whether the words begin here; else they began in a row before."""


class Standing(NamedTuple):
    """How a search stands: hit `current` of `total`, the first being 1; 0 while there is none."""

    current: int
    total: int
    complete: bool
    """Everything was looked through."""


class Search:
    """One search in one document. `scan` looks through what is new; hits keep up with the text."""

    def __init__(self, document: Document, term: str) -> None:
        self.term = term
        self._document = document
        words = term.split()
        # As in other programs: capitals mean what they say, small letters mean both.
        flags = re.NOFLAG if term != term.lower() else re.IGNORECASE
        self._pattern = re.compile(r"\s+".join(map(re.escape, words)) or r"(?!)", flags)
        self._parts = _WORD.findall(term.casefold())
        self._hits: dict[Block, tuple[int, list[Mark]]] = {}
        """By block: the width at which it was looked through, and where words begin in it."""
        self._current: Bookmark | None = None
        self._complete = False

    def may_be_in(self, text: str) -> bool:
        """Whether a text, its markup included, may hold the words."""
        folded = text.casefold()
        return all(part in folded for part in self._parts)

    def is_in(self, text: str) -> bool:
        return self._pattern.search(text) is not None

    def scan(self, seconds: float = SCAN_SECONDS) -> bool:
        """Look through what was not looked through; returns whether all of it was."""
        until = time.perf_counter() + seconds
        self._complete = False
        blocks = self._document.blocks
        self._hits = {block: self._hits[block] for block in blocks if block in self._hits}
        for index in range(len(blocks)):
            if time.perf_counter() > until:
                return False
            self._hits_in(index)
        self._complete = True
        return True

    def _hits_in(self, index: int) -> list[Mark]:
        block, width = self._document.blocks[index], self._document.width
        known = self._hits.get(block)
        if known is not None and known[0] in {width, _ANY_WIDTH} and not block.grows:
            return known[1]
        found: list[Mark] = []
        if may_be_in := self.may_be_in(block.source):
            rows = self._document.look_at(index)
            found = [mark for mark in marks_in(rows, self._pattern) if mark.begins]
        self._hits[block] = (width if may_be_in else _ANY_WIDTH, found)
        return found

    def first(self, origin: Place) -> Place | None:
        """The first hit from a place on, or else from the start."""
        self._current = None
        return self._go(self._find_from(origin.block, (origin.row, 0), 1))

    def step(self, by: int) -> Place | None:
        """The next hit, or the one before; round the ends."""
        place, start = self._where()
        after = (place.row, start + 1) if by > 0 else (place.row, start)
        return self._go(self._find_from(place.block, after, by))

    def _go(self, found: tuple[Place, int] | None) -> Place | None:
        if found is None:
            return None
        place, start = found
        bookmark = self._document.bookmark(place)
        row = self._document.rows_from(place, 1)[0]
        if bookmark is not None:
            self._current = bookmark.further(start - row.lead)
        return place

    def _where(self) -> tuple[Place, int]:
        """Where the current hit stands now."""
        if self._current is None:
            return Place(0, 0), -1
        place = self._document.place(self._current)
        row = next(iter(self._document.rows_from(place, 1)), BLANK)
        start = self._current.spot.offset - row.offset + row.lead
        # Markup that is not drawn any more moves it within its row.
        near = [mark.start for mark in self._hits_in(place.block) if mark.row == place.row]
        return place, min(near, key=lambda each: abs(each - start), default=start)

    def _find_from(
        self, block: int, position: tuple[int, int], by: int
    ) -> tuple[Place, int] | None:
        """The nearest hit from a position in a block, in that direction and round the end."""
        count = len(self._document.blocks)
        for distance in range(count + 1 if count else 0):
            index = (block + by * distance) % count
            marks = self._hits_in(index)
            keys = [(mark.row, mark.start) for mark in marks]
            cut = bisect_left(keys, position)
            if distance == 0:
                marks = marks[cut:] if by > 0 else marks[:cut]
            elif distance == count:
                marks = marks[:cut] if by > 0 else marks[cut:]
            if marks:
                mark = marks[0 if by > 0 else -1]
                return Place(index, mark.row), mark.start
        return None

    @property
    def standing(self) -> Standing:
        total = current = 0
        place, start = self._where()
        for index, block in enumerate(self._document.blocks):
            _width, marks = self._hits.get(block, (0, []))
            if index == place.block:
                current = total + bisect_left(
                    [(mark.row, mark.start) for mark in marks], (place.row, start)
                )
            total += len(marks)
        return Standing(current + 1 if self._current and total else 0, total, self._complete)

    def paint(self, rows: Sequence[Row], top: Place) -> list[Row]:
        """Rows as they are drawn, from a place on, with all hits set off."""
        painted = list(rows)
        place, start = self._where()
        seen = place >= top and not self._document.are_apart(top, place, len(rows))
        current = self._document.count(top, place) if seen else -1
        is_current = False
        for mark in marks_in(rows, self._pattern):
            if mark.begins:
                is_current = (mark.row, mark.start) == (current, start)
            role = CURRENT_ROLE if is_current else HIT_ROLE
            painted[mark.row] = with_mark(painted[mark.row], mark.start, mark.end, role)
        return painted


def marks_in(rows: Sequence[Row], pattern: re.Pattern[str]) -> list[Mark]:
    """All places in rows where a pattern is found, one for each row that it reaches over."""
    found: list[Mark] = []
    for first, last in _lines(rows):
        pieces: list[str] = []
        position = rows[first].offset
        for row in rows[first:last]:
            pieces += [" " * (row.offset - position), row.content]
            position = row.offset + len(row.content)
        for match in pattern.finditer("".join(pieces)):
            if match.end() > match.start():
                start = match.start() + rows[first].offset
                found += _marks_of(rows, (first, last), start, start + len(match.group()))
    return found


def _lines(rows: Sequence[Row]) -> list[tuple[int, int]]:
    """Rows that are one line of text, from the first to the one after the last."""
    lines: list[tuple[int, int]] = []
    end = 0
    for number, row in enumerate(rows):
        goes_on = lines and row.line == rows[number - 1].line and 0 < end <= row.offset
        if goes_on and row.offset <= end + _MOST_BLANKS:
            lines[-1] = (lines[-1][0], number + 1)
        elif row.line >= 0:
            lines.append((number, number + 1))
        end = row.offset + len(row.content) if row.line >= 0 else 0
    return lines


_MOST_BLANKS = 1_000
"""Blanks at a break belong to no row; never so many."""


def _marks_of(rows: Sequence[Row], line: tuple[int, int], start: int, end: int) -> list[Mark]:
    marks: list[Mark] = []
    for number in range(*line):
        row = rows[number]
        if row.offset >= end:
            break
        begin, stop = max(start - row.offset, 0), min(end - row.offset, len(row.content))
        if begin < stop:
            marks.append(Mark(number, begin + row.lead, stop + row.lead, not marks))
    return marks


def with_mark(row: Row, start: int, end: int, role: str) -> Row:
    """A row with some characters of it in another role; a background stays."""
    spans: list[Span] = []
    position = 0
    for text, before in row.spans:
        cut, stop = max(start - position, 0), max(end - position, 0)
        pieces = ((text[:cut], before), (text[cut:stop], f"{before} {role}"), (text[stop:], before))
        spans += [Span(piece, style) for piece, style in pieces if piece]
        position += len(text)
    return row._replace(spans=tuple(spans))
