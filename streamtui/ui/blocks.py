"""The parts of a turn, each able to lay itself out in rows of a width. Pure: no Textual.

A block lays itself out when its rows are first asked for, and again only for another width or when
its source has grown. Raw text comes in; rows hold drawable text only.
"""

import json
import re
from collections.abc import Sequence
from typing import Literal

from rich.cells import cell_len

from streamtui.safe_text import safe_line
from streamtui.ui.arriving import GrowingText
from streamtui.ui.rows import BLANK, NARROWEST, Row, Span, drawable, wrap_spans

Kind = Literal["prompt", "reasoning", "answer", "refusal", "tool", "status"]

CURSOR = Span("▌", "state-streaming")
PROMPT_MARK = "› "

_LIST_MARKER = re.compile(r" *(?:[-*+•] +|\d{1,9}[.)] +)?")
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]|[^\W\u3040-\u30ff\u3400-\u9fff]+")
_MAY_CONTINUE = re.compile("[\r\u200d\ud800-\udbff]$")
FULL_LINES = 100
FULL_CHARS = 16_384

_NAME_LIMIT = 120
_JSON_LIMIT = 100_000


class Block:
    """Something with rows; `gap` blank rows stand before it."""

    kind: Kind = "answer"
    gap = 0
    first_line = 0
    """The source line where it begins, within all blocks of its kind and turn."""

    def __init__(self) -> None:
        self._width = 0
        self._rows: list[Row] = []

    def rows(self, width: int) -> Sequence[Row]:
        if width != self._width:
            self._width = width
            self._rows = [BLANK] * self.gap + self.layout(width)
        return self._rows

    def layout(self, width: int) -> list[Row]:
        raise NotImplementedError


class PromptBlock(Block):
    """What the user asked."""

    kind: Kind = "prompt"

    def __init__(self, prompt: str, *, gap: int) -> None:
        super().__init__()
        self.gap = gap
        self._prompt = prompt

    def layout(self, width: int) -> list[Row]:
        rows: list[Row] = []
        for number, line in enumerate(source_lines(self._prompt)):
            first = (Span(PROMPT_MARK if number == 0 else "  ", "prompt-text bold"),)
            text = [Span(drawable(line), "prompt-text")]
            rows += wrap_spans(text, width, line=number, first=first, rest=(Span("  "),))
        return rows


class NoteBlock(Block):
    """One line about the turn, such as how it ended."""

    kind: Kind = "status"
    gap = 1

    def __init__(self, glyph: str, words: str, role: str) -> None:
        super().__init__()
        self._glyph, self._words, self._role = glyph, words, role

    def layout(self, width: int) -> list[Row]:
        words = [Span(drawable(safe_line(self._words)), self._role)]
        mark = (Span(f"{self._glyph} ", self._role),)
        return wrap_spans(words, width, line=0, first=mark, rest=(Span("  "),))


class FoldBlock(Block):
    """The one line that stands for reasoning, or above it when it is unfolded."""

    kind: Kind = "reasoning"
    gap = 1
    first_line = -1

    def __init__(self, words: int, *, folded: bool) -> None:
        super().__init__()
        self._words, self._folded = words, folded

    def layout(self, width: int) -> list[Row]:
        mark = "▸" if self._folded else "▾"
        plural = "" if self._words == 1 else "s"
        text = f"{mark} reasoning, {self._words:,} word{plural}"
        return wrap_spans([Span(text, "reasoning")], width, line=0)


class ToolHeadBlock(Block):
    """The name of a tool call; its arguments follow."""

    kind: Kind = "tool"
    gap = 1

    def __init__(self, name: str, number: int) -> None:
        super().__init__()
        self.name = name
        self.first_line = number

    def layout(self, width: int) -> list[Row]:
        name = drawable(safe_line(self.name or "tool", limit=_NAME_LIMIT))
        head = [Span("▪ ", "secondary"), Span(name, "secondary bold"), Span("  tool call", "muted")]
        return wrap_spans(head, width, line=self.first_line)


class TextBlock(Block):
    """A stretch of plain text that may still grow at its end; only its last row is wrapped again.

    `take` hands it raw text piece by piece.
    """

    def __init__(
        self, kind: Kind, role: str, *, gap: int, first_line: int = 0, live: bool = True
    ) -> None:
        super().__init__()
        self.kind = kind
        self.gap = gap
        self.first_line = first_line
        self.live = live
        """More may come, and the cursor stands at the end."""
        self.line_count = 1
        self._role = role
        self._source = GrowingText()
        self._laid_out = 0
        self._open = _OpenLine(first_line)

    @property
    def is_full(self) -> bool:
        """Long enough: what follows the next line end belongs into another block."""
        return len(self._source) > FULL_CHARS or self.line_count > FULL_LINES

    def take(self, text: str) -> None:
        self._source.append(text)
        self.line_count += text.count("\n")

    def close(self) -> None:
        """Nothing more will come: the cursor goes."""
        self.live = False
        self._width = 0

    def rows(self, width: int) -> Sequence[Row]:
        if width != self._width:
            self._width = width
            self._rows = [BLANK] * self.gap
            self._laid_out = 0
            self._open = _OpenLine(self.first_line)
        if self._laid_out < len(self._source) or not self._rows[self.gap :]:
            self._extend(self._source.since(self._laid_out))
            self._laid_out = len(self._source)
        return self._rows

    def _extend(self, text: str) -> None:
        """Drop the rows that are still open, and lay out what they held with the new text."""
        if self._open.row_count:
            del self._rows[-self._open.row_count :]
        *closed, last = (self._open.held + text).split("\n")
        for line in closed:
            self._rows += self._open.close(line.removesuffix("\r"), self._width, self._role)
            self._open = _OpenLine(self._open.line + 1)
        if not self.live:
            last = last.removesuffix("\r")
        self._rows += self._open.extend(last, self._width, self._role, live=self.live)


class _OpenLine:
    """The line that is being written: the text of its last row, and what is needed to go on."""

    def __init__(self, line: int) -> None:
        self.line = line
        self.held = ""
        """Raw text at the end that cannot be drawn before what follows it is known."""
        self.row_count = 0
        self._tail = ""
        self._offset = 0
        self._column = 0
        self._hang = 0

    def close(self, text: str, width: int, role: str) -> list[Row]:
        """The last rows of the line."""
        self._tail += drawable(text, self._column_at_end())
        return self._wrap(width, role)

    def extend(self, text: str, width: int, role: str, *, live: bool) -> list[Row]:
        """The rows from the open one on; the last of them stays open and bears the cursor."""
        self.held = ""
        if live and (found := _MAY_CONTINUE.search(text)):
            self.held = found.group()
            text = text[: found.start()]
        self._tail += drawable(text, self._column_at_end())
        rows = self._wrap(width, role)
        self._advance(rows[-1].offset - self._offset)
        self.row_count = 1
        if not live:
            return rows
        last = rows.pop()
        with_cursor = _with_cursor(last, width)
        self.row_count = len(with_cursor)
        return rows + with_cursor

    def _column_at_end(self) -> int:
        return self._column + cell_len(self._tail)

    def _wrap(self, width: int, role: str) -> list[Row]:
        if self._offset == 0:
            self._hang = hanging_indent(self._tail, width)
        rest = (Span(" " * self._hang),) if self._hang else ()
        first = rest if self._offset else ()
        spans = [Span(self._tail, role)]
        rows = wrap_spans(spans, width, line=self.line, first=first, rest=rest)
        if self._offset:
            return [row._replace(offset=row.offset + self._offset) for row in rows]
        return rows

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


def source_lines(text: str) -> list[str]:
    r"""Raw text at its line ends, `\n` and `\r\n`; a `\r` alone is shown, it ends no line."""
    return text.replace("\r\n", "\n").split("\n")


def count_words(text: str) -> int:
    """Words; where a script writes none apart, characters."""
    return sum(1 for _ in _WORD.finditer(text))


def readable_json(text: str) -> str:
    """JSON indented; anything else, such as half of a JSON text, as it is."""
    if len(text) > _JSON_LIMIT:
        return text
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
