"""A Markdown table: columns as wide as they need and as narrow as they must; wide cells wrap.

Pure: no Textual, no parsing. All text is drawable.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from rich.cells import cell_len

from streamtui.ui.markdown_parts import Prefix
from streamtui.ui.rows import Row, Span, wrap_spans

Align = Literal["left", "center", "right"]
Cell = tuple[Span, ...]

_SEPARATOR = Span(" │ ", "muted")
_NARROWEST_COLUMN = 4


class TableLine(NamedTuple):
    line: int
    cells: list[Cell]


class Table(NamedTuple):
    header: TableLine
    body: list[TableLine]
    aligns: list[Align]
    goes_on: bool = False
    """The header was shown before: these are more lines of the same table."""

    @property
    def line(self) -> int:
        return self.header.line

    def rows(self, width: int, prefix: Prefix) -> list[Row]:
        indent = sum(cell_len(span.text) for span in prefix.rest)
        columns = len(self.aligns)
        room = width - indent - len(_SEPARATOR.text) * (columns - 1)
        if room < columns * _NARROWEST_COLUMN:
            return self._as_records(width, prefix)
        widths = fit_columns([self._natural_width(column) for column in range(columns)], room)
        rows: list[Row] = []
        if not self.goes_on:
            rows = self._line_rows(self.header, widths, prefix.rest)
            rows[0] = rows[0]._replace(spans=(*prefix.first, *rows[0].spans[len(prefix.rest) :]))
            rule = "─┼─".join("─" * cells for cells in widths)
            rows.append(Row((*prefix.rest, Span(rule, "muted")), self.header.line + 1))
        for line in self.body:
            rows += self._line_rows(line, widths, prefix.rest)
        return rows

    def _natural_width(self, column: int) -> int:
        cells = [line.cells[column] for line in (self.header, *self.body)]
        return max((cell_len(_text(cell)) for cell in cells), default=0)

    def _line_rows(self, line: TableLine, widths: list[int], indent: Sequence[Span]) -> list[Row]:
        """One line of the table: as many rows as its highest cell has."""
        columns = [wrap_spans(cell, cells) for cell, cells in zip(line.cells, widths, strict=True)]
        rows: list[Row] = []
        for number in range(max(len(column) for column in columns)):
            spans: list[Span] = list(indent)
            for index, column in enumerate(columns):
                cell = column[number].spans if number < len(column) else ()
                if index:
                    spans.append(_SEPARATOR)
                spans += _aligned(cell, widths[index], self.aligns[index])
            rows.append(Row(tuple(spans), line.line, number))
        return rows

    def _as_records(self, width: int, prefix: Prefix) -> list[Row]:
        """Each line as `column: value` rows, for where there is no room for columns."""
        rows: list[Row] = []
        for line in self.body or [self.header]:
            for name, cell in zip(self.header.cells, line.cells, strict=True):
                first = prefix.rest if rows else prefix.first
                spans = [*name, Span(": ", "muted"), *cell]
                rows += wrap_spans(spans, width, line=line.line, first=first, rest=prefix.rest)
            rows.append(Row(prefix.rest))
        return rows[:-1]

    def between(self, first: int, end: int) -> "Table | None":
        # All of its lines have a say in how wide its columns are.
        return self if first <= self.line < end else None


def fit_columns(natural: list[int], room: int) -> list[int]:
    """Widths that fit: the widest columns give way first, none below the narrowest."""
    widths = [max(cells, 1) for cells in natural]
    excess = sum(widths) - room
    while excess > 0:
        widest = max(widths)
        second = max((cells for cells in widths if cells < widest), default=_NARROWEST_COLUMN)
        floor = max(second, _NARROWEST_COLUMN)
        wide = [index for index, cells in enumerate(widths) if cells == widest]
        if widest <= _NARROWEST_COLUMN:
            break
        give = min(excess, (widest - floor) * len(wide)) or 1
        for number, index in enumerate(wide):
            widths[index] -= give // len(wide) + (number < give % len(wide))
        excess = sum(widths) - room
    return widths


def _aligned(cell: Sequence[Span], cells: int, align: Align) -> list[Span]:
    blanks = max(cells - cell_len(_text(cell)), 0)
    before = {"left": 0, "center": blanks // 2, "right": blanks}[align]
    padded = [Span(" " * before), *cell, Span(" " * (blanks - before))]
    return [span for span in padded if span.text]


def _text(spans: Sequence[Span]) -> str:
    return "".join(span.text for span in spans)
