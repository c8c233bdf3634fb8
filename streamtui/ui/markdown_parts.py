"""The parts that Markdown is made of, each able to lay itself out: prose, code, rules.

Pure: no Textual, no parsing. All text in them is drawable.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

from rich.cells import cell_len

from streamtui.ui.blocks import Block, Kind, guess_rows, later_in_line
from streamtui.ui.rows import BLANK, Row, Span, wrap_spans

HIGHLIGHT_CHARS = 40_000
HIGHLIGHT_LINE_CHARS = 2_000
"""Longer code is shown plain: a lexer's time has no bound that one could rely on."""

_TOKEN_ROLES = {
    "Comment": "muted italic",
    "Keyword": "accent",
    "Operator.Word": "accent",
    "Name.Function": "primary",
    "Name.Class": "primary",
    "Name.Builtin": "secondary",
    "Name.Decorator": "warning",
    "Name.Attribute": "secondary",
    "Name.Tag": "accent",
    "Literal.String": "success",
    "Literal.Number": "warning",
    "Generic.Heading": "primary bold",
    "Generic.Subheading": "primary",
    "Generic.Deleted": "error",
    "Generic.Inserted": "success",
}


class Prefix(NamedTuple):
    """What containers, such as a list or a quote, put before the rows of a part."""

    first: tuple[Span, ...] = ()
    rest: tuple[Span, ...] = ()

    def fitted(self, width: int) -> "Prefix":
        """Half of the width at the most: of containers in containers the inner ones are kept."""
        first, rest = self
        while first and sum(cell_len(span.text) for span in first) > width // 2:
            first, rest = first[1:], rest[1:]
        return Prefix(first, rest)


class Part(Protocol):
    """A paragraph, a block of code, a table, a rule."""

    @property
    def line(self) -> int:
        """The source line of its first row."""

    def rows(self, width: int, prefix: Prefix) -> list[Row]:
        """Rows no wider than `width`, prefix included."""

    def between(self, first: int, end: int) -> "Part | None":
        """What comes from the source lines from `first` to before `end`; what cannot be cut is
        where it begins."""


class StyledLine(NamedTuple):
    line: int
    """The source line that it comes from."""
    spans: tuple[Span, ...]


class Prose(NamedTuple):
    """A paragraph or heading; the author's line ends are kept, as in a poem."""

    lines: list[StyledLine]
    """At least one."""

    @property
    def line(self) -> int:
        return self.lines[0].line

    def rows(self, width: int, prefix: Prefix) -> list[Row]:
        rows: list[Row] = []
        for line, spans in self.lines:
            first = prefix.rest if rows else prefix.first
            rows += wrap_spans(spans, width, line=line, first=first, rest=prefix.rest)
        return rows

    def between(self, first: int, end: int) -> "Prose | None":
        lines = [each for each in self.lines if first <= each.line < end]
        return Prose(lines) if lines else None


class Rule(NamedTuple):
    line: int

    def rows(self, width: int, prefix: Prefix) -> list[Row]:
        room = width - sum(len(span.text) for span in prefix.first)
        return [Row((*prefix.first, Span("─" * max(room, 1), "muted")), self.line)]

    def between(self, first: int, end: int) -> "Rule | None":
        return self if first <= self.line < end else None


@dataclass
class Code:
    """Code on its own background, its language above it."""

    lines: list[str]
    language: str
    line: int
    """The source line of the first line of code."""
    goes_on: bool = False
    """The language was said before: this is more of the same code."""

    @cached_property
    def _styled(self) -> list[list[Span]]:
        # A lexer takes longer than all else; another width needs the same.
        return highlight(self.lines, self.language)

    def between(self, first: int, end: int) -> "Code | None":
        start, stop = max(first - self.line, 0), max(end - self.line, 0)
        lines = self.lines[start:stop]
        if not lines or len(lines) == len(self.lines):
            return self if lines else None
        part = Code(lines, self.language, self.line + start, self.goes_on or start > 0)
        # What a line of code is depends on the lines before it.
        part._styled = self._styled[start:stop]
        return part

    def rows(self, width: int, prefix: Prefix) -> list[Row]:
        fill = "on-code-background"
        edge = Span("│ ", f"muted {fill}")
        later = Span("┆ ", f"muted {fill}")
        rows: list[Row] = []
        if self.language and not self.goes_on:
            label = Span(self.language, f"muted italic {fill}")
            first = (*prefix.first, edge)
            rows += wrap_spans([label], width, line=self.line, first=first, fill=fill)[:1]
        for number, spans in enumerate(self._styled):
            first = (*(prefix.rest if rows else prefix.first), edge)
            rows += wrap_spans(
                [Span(text, f"{role} {fill}") for text, role in spans],
                width,
                line=self.line + number,
                first=first,
                rest=(*prefix.rest, later),
                words=False,
                fill=fill,
            )
        return rows


class CodeBlock(Block):
    """Code that stands by itself, such as the arguments of a tool call."""

    def __init__(self, code: Code, kind: Kind, first_offset: int = 0) -> None:
        super().__init__()
        self.kind = kind
        self.first_line = code.line
        self.first_offset = first_offset
        self._code = code

    def layout(self, width: int) -> list[Row]:
        rows = self._code.rows(width, Prefix())
        if self.first_offset:
            # Then it is a part of one line.
            return later_in_line(rows, self.first_offset)
        return rows

    @property
    def source(self) -> str:
        return "\n".join(self._code.lines)

    def _guess(self, width: int) -> int:
        return guess_rows(self.source, width)


def highlight(lines: list[str], language: str) -> list[list[Span]]:
    """Each line of code in roles; plain where the language is unknown or the code too long."""
    plain = [[Span(line, "foreground")] for line in lines]
    size = sum(map(len, lines))
    if not language or size > HIGHLIGHT_CHARS or max(map(len, lines)) > HIGHLIGHT_LINE_CHARS:
        return plain
    # 15 ms and more, not wanted before the first code is seen.
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return plain
    styled: list[list[Span]] = [[]]
    for kind, value in lexer.get_tokens("\n".join(lines)):
        role = _token_role(tuple(kind))
        first, *others = value.split("\n")
        styled[-1].append(Span(first, role))
        styled.extend([Span(text, role)] for text in others)
    return styled if len(styled) == len(lines) else plain


def _token_role(kind: tuple[str, ...]) -> str:
    """The role of a Pygments token, by the longest name that has one."""
    for length in range(len(kind), 0, -1):
        if (role := _TOKEN_ROLES.get(".".join(kind[:length]))) is not None:
            return role
    return "foreground"


def blank_row(prefix: tuple[Span, ...]) -> Row:
    """A row between two parts of the same container."""
    return Row(prefix) if prefix else BLANK
