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

from streamtui.safe_text import safe_line
from streamtui.ui.arriving import GrowingText
from streamtui.ui.rows import BLANK, Row, Span, drawable, wrap_spans
from streamtui.ui.stretches import Stretch, stretches

Kind = Literal["prompt", "reasoning", "answer", "refusal", "tool", "status"]

PROMPT_MARK = "› "

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]|[^\W\u3040-\u30ff\u3400-\u9fff]+")
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
    return guess_rows_of(len(text), text.count("\n") + 1, width)


def guess_rows_of(chars: int, lines: int, width: int) -> int:
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
