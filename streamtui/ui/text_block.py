"""Text that grows at its end, laid out in rows of which only the last is wrapped again. Pure."""

import re
from collections.abc import Sequence

from rich.cells import cell_len

from streamtui.ui.arriving import GrowingText
from streamtui.ui.blocks import Block, Kind, guess_rows_of, later_in_line
from streamtui.ui.rows import BLANK, NARROWEST, Row, Span, drawable, wrap_spans
from streamtui.ui.stretches import is_full

CURSOR = Span("▌", "state-streaming")

_LIST_MARKER = re.compile(r" *(?:[-*+•] +|\d{1,9}[.)] +)?")
_MAY_CONTINUE = re.compile("[\r\u200d\ud800-\udbff]{1,16}$")


class TextBlock(Block):
    """A stretch of plain text that may still grow at its end; only its last row is wrapped again.

    `take` hands it raw text piece by piece.
    """

    def __init__(
        self,
        kind: Kind,
        role: str,
        *,
        gap: int,
        first_line: int = 0,
        first_offset: int = 0,
        live: bool = True,
    ) -> None:
        super().__init__()
        self.kind = kind
        self.gap = gap
        self.first_line = first_line
        self.first_offset = first_offset
        self.live = live
        """More may come, and the cursor stands at the end."""
        self.line_count = 1
        self.line_chars = 0
        """Of its last line."""
        self._role = role
        self._source = GrowingText()
        self._laid_out = 0
        self._open = _OpenLine(first_line, first_offset)

    @property
    def is_full(self) -> bool:
        """Long enough: what follows the next line end belongs into another block."""
        return is_full(len(self._source), self.line_count)

    @property
    def end_offset(self) -> int:
        """How many characters of its last line stand here and in blocks before."""
        return self.line_chars + (self.first_offset if self.line_count == 1 else 0)

    def take(self, text: str) -> None:
        self._source.append(text)
        self.line_count += text.count("\n")
        before = 0 if "\n" in text else self.line_chars
        self.line_chars = before + len(text) - text.rfind("\n") - 1

    def close(self) -> None:
        """Nothing more will come: the cursor goes."""
        self.live = False
        self._source.compact()
        # With the cursor there may have been one row more.
        self._width = 0
        self.forget()

    def forget(self) -> None:
        """Let go of what can be made again; of what may still grow, nothing."""
        if not self.live:
            super().forget()
            self._laid_out = 0

    def is_measured(self, width: int) -> bool:
        return width == self._width and not self.live

    def rows(self, width: int) -> Sequence[Row]:
        if self._rows is None or width != self._width:
            self._width = width
            self._rows = [BLANK] * self.gap
            self._laid_out = 0
            self._open = _OpenLine(self.first_line, self.first_offset)
        if self._laid_out < len(self._source) or len(self._rows) == self.gap:
            self._extend(self._rows, self._source.since(self._laid_out))
            self._laid_out = len(self._source)
            self._height = len(self._rows)
        return self._rows

    @property
    def grows(self) -> bool:
        return self.live

    @property
    def source(self) -> str:
        return str(self._source)

    def _guess(self, width: int) -> int:
        return guess_rows_of(len(self._source), self.line_count, width)

    def _extend(self, rows: list[Row], text: str) -> None:
        """Drop the rows that are still open, and lay out what they held with the new text."""
        if self._open.row_count:
            del rows[-self._open.row_count :]
        *closed, last = (self._open.held + text).split("\n")
        for line in closed:
            rows += self._open.close(line.removesuffix("\r"), self._width, self._role)
            self._open = _OpenLine(self._open.line + 1)
        if not self.live:
            last = last.removesuffix("\r")
        rows += self._open.extend(last, self._width, self._role, live=self.live)


class _OpenLine:
    """The line that is being written: the text of its last row, and what is needed to go on."""

    def __init__(self, line: int, before: int = 0) -> None:
        self.line = line
        self._before = before
        """How many characters of the line stand in other blocks."""
        self.held = ""
        """Raw text at the end that cannot be drawn before what follows it is known."""
        self.row_count = 0
        self._tail = ""
        self._offset = 0
        self._column = 0
        self._hang = 0

    def close(self, text: str, width: int, role: str) -> list[Row]:
        """The last rows of the line."""
        self._tail += drawable(text, self._column_at_end() if "\t" in text else 0)
        return self._wrap(width, role)

    def extend(self, text: str, width: int, role: str, *, live: bool) -> list[Row]:
        """The rows from the open one on; the last of them stays open and bears the cursor."""
        self.held = ""
        if live and (found := _MAY_CONTINUE.search(text)):
            self.held = found.group()
            text = text[: found.start()]
        self._tail += drawable(text, self._column_at_end() if "\t" in text else 0)
        rows = self._wrap(width, role)
        # A character may still grow wider, and then break away from the word that it ends.
        still_open = 1 if self._tail[-1:].isascii() else min(len(rows), 2)
        self._advance(rows[-still_open].offset - self._offset - self._before)
        self.row_count = still_open
        if not live:
            return rows
        last = rows.pop()
        with_cursor = _with_cursor(last, width)
        self.row_count += len(with_cursor) - 1
        return rows + with_cursor

    def _column_at_end(self) -> int:
        return self._column + cell_len(self._tail)

    def _wrap(self, width: int, role: str) -> list[Row]:
        if self._offset == 0 and self._before == 0:
            self._hang = hanging_indent(self._tail, width)
        rest = (Span(" " * self._hang),) if self._hang else ()
        first = rest if self._offset else ()
        spans = [Span(self._tail, role)]
        rows = wrap_spans(spans, width, line=self.line, first=first, rest=rest)
        return later_in_line(rows, self._offset + self._before)

    def _advance(self, characters: int) -> None:
        if characters:
            self._column += cell_len(self._tail[:characters])
            self._offset += characters
            self._tail = self._tail[characters:]


def _with_cursor(row: Row, width: int) -> list[Row]:
    if cell_len(row.text) < width:
        return [row._replace(spans=(*row.spans, CURSOR))]
    return [row, Row((CURSOR,), row.line, row.offset + len(row.text))]


def hanging_indent(line: str, width: int) -> int:
    """Cells by which a line's later rows are indented: its own indent and its list marker."""
    marker = _LIST_MARKER.match(line)
    cells = len(marker.group()) if marker else 0
    return cells if cells <= min(width // 2, width - NARROWEST) else 0
