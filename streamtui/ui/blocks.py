"""The parts of a turn, each able to lay itself out in rows of a width. Pure: no Textual.

A block lays itself out when its rows are first asked for, and again only for another width, when
its source has grown, or when its rows were forgotten. No block is large: long text is cut into
several, even where it has no line end. Raw text comes in; rows hold drawable text only.
"""

import json
import re
from collections.abc import Sequence
from math import ceil
from typing import Literal

from rich.cells import cell_len

from streamtui.safe_text import safe_line
from streamtui.ui.arriving import GrowingText
from streamtui.ui.rows import BLANK, NARROWEST, Row, Span, drawable, wrap_spans
from streamtui.ui.stretches import Stretch, is_full, stretches

Kind = Literal["prompt", "reasoning", "answer", "refusal", "tool", "status"]

CURSOR = Span("▌", "state-streaming")
PROMPT_MARK = "› "

_LIST_MARKER = re.compile(r" *(?:[-*+•] +|\d{1,9}[.)] +)?")
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]|[^\W\u3040-\u30ff\u3400-\u9fff]+")
_MAY_CONTINUE = re.compile("[\r\u200d\ud800-\udbff]{1,16}$")
_WORD_BEGUN = re.compile(r"[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]*\Z")
_LONGEST_WORD = 200
_ANY_WIDTH = 80
_NAME_LIMIT = 120
_JSON_LIMIT = 100_000


class Block:
    """Something with rows; `gap` blank rows stand before it."""

    kind: Kind = "answer"
    gap = 0
    first_line = 0
    """The source line where it begins, within all blocks of its kind and turn."""
    first_offset = 0
    """How many characters of that line stand in blocks before it."""

    def __init__(self) -> None:
        self._width = 0
        self._height = 0
        """How many rows there were at that width, the gap included."""
        self._rows: list[Row] | None = None

    def rows(self, width: int) -> Sequence[Row]:
        if self._rows is None or width != self._width:
            self._width = width
            self._rows = [BLANK] * self.gap + self.layout(width)
            self._height = len(self._rows)
        return self._rows

    def layout(self, width: int) -> list[Row]:
        raise NotImplementedError

    def is_measured(self, width: int) -> bool:
        """Whether it is known how many rows there are, also where they were forgotten."""
        return width == self._width

    def height(self, width: int) -> int:
        """How many rows there are."""
        return self._height if self.is_measured(width) else len(self.rows(width))

    def rough_height(self, width: int) -> int:
        """The same, guessed where it is not known."""
        if self.is_measured(width):
            return self._height
        if self._width:
            return max(round(self._height * self._width / width), 1)
        return self.gap + self._guess(width)

    def _guess(self, width: int) -> int:
        """How many rows, of what was never laid out."""
        return len(self.layout(width))

    @property
    def row_count(self) -> int:
        """How many rows are kept in memory."""
        return len(self._rows) if self._rows is not None else 0

    @property
    def grows(self) -> bool:
        """Whether more of it may come."""
        return False

    @property
    def source(self) -> str:
        """Where its words come from, perhaps with marks among them."""
        return "".join(row.content for row in self.rows(self._width or _ANY_WIDTH))

    def forget(self) -> None:
        """Let go of what can be made again from the source."""
        self._rows = None


class PromptBlock(Block):
    """What the user asked, or a stretch of it."""

    kind: Kind = "prompt"

    def __init__(self, stretch: Stretch, *, gap: int) -> None:
        super().__init__()
        self.gap = gap
        self._text, self.first_line, self.first_offset = stretch

    def layout(self, width: int) -> list[Row]:
        rows: list[Row] = []
        offset = self.first_offset
        for number, line in enumerate(self._text.split("\n"), self.first_line):
            first = (Span("  " if number or offset else PROMPT_MARK, "prompt-text bold"),)
            text = [Span(drawable(line), "prompt-text")]
            wrapped = wrap_spans(text, width, line=number, first=first, rest=(Span("  "),))
            rows += later_in_line(wrapped, offset)
            offset = 0
        return rows

    @property
    def source(self) -> str:
        return self._text

    def _guess(self, width: int) -> int:
        return guess_rows(self._text, width)


def prompt_blocks(prompt: str, *, gap: int) -> list[Block]:
    """The blocks of a prompt; `gap` blank rows stand before the first of them."""
    return [
        PromptBlock(stretch, gap=0 if place else gap)
        for place, stretch in enumerate(stretches(prompt.replace("\r\n", "\n")))
    ]


def later_in_line(rows: list[Row], offset: int) -> list[Row]:
    """Rows of one line, before which `offset` characters of it stand elsewhere."""
    if not offset:
        return rows
    return [row._replace(offset=row.offset + offset) for row in rows]


def guess_rows(text: str, width: int) -> int:
    """About how many rows a text takes."""
    return _guess_rows(len(text), text.count("\n") + 1, width)


def _guess_rows(chars: int, lines: int, width: int) -> int:
    """About how many rows so many lines of equal length take."""
    return lines * max(ceil(chars / lines / max(width, 1)), 1)


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
        return _guess_rows(len(self._source), self.line_count, width)

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


def source_lines(text: str) -> list[str]:
    r"""Raw text at its line ends, `\n` and `\r\n`; a `\r` alone is shown, it ends no line."""
    return text.replace("\r\n", "\n").split("\n")


def count_words(text: str) -> int:
    """Words; where a script writes none apart, characters."""
    return sum(1 for _ in _WORD.finditer(text))


class WordCount:
    """The words of a text that grows, each counted once."""

    def __init__(self, source: GrowingText) -> None:
        self._source = source
        self._counted = 0
        self._words = 0

    def count(self) -> int:
        """How many words there are now."""
        text = self._source.since(self._counted)
        begun = _WORD_BEGUN.search(text, max(len(text) - _LONGEST_WORD, 0))
        whole = begun.start() if begun else len(text)
        self._words += count_words(text[:whole])
        self._counted += whole
        return self._words + count_words(text[whole:])


def readable_json(text: str) -> str:
    """JSON indented; anything else, such as half of a JSON text, as it is."""
    if len(text) > _JSON_LIMIT:
        return text
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
