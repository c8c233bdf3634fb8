"""Markdown into blocks of rows. HTML is shown as the text that it is; no link can be followed.

A long text is cut into sections at blank lines, and a section is parsed when it is first seen.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from streamtui.safe_text import join_surrogates, safe_line, safe_text
from streamtui.ui.blocks import Block, ToolHeadBlock, guess_rows_of, readable_json
from streamtui.ui.markdown_inline import addresses_in, block_tokens, styled_lines
from streamtui.ui.markdown_parts import (
    Code,
    CodeBlock,
    Part,
    Prefix,
    Prose,
    Rule,
    StyledLine,
    blank_row,
)
from streamtui.ui.markdown_sections import Section, Slice, slices, split_sections
from streamtui.ui.markdown_table import Align, Cell, Table, TableLine
from streamtui.ui.pane_state import ToolCall
from streamtui.ui.rows import Row, Span, drawable
from streamtui.ui.stretches import stretches

if TYPE_CHECKING:
    from markdown_it.token import Token

    from streamtui.ui.markdown_inline import Addresses

_TASK = re.compile(r"\[([ xX])\] ")
_BULLETS = "•◦▪"
_TASK_BOXES = {" ": "☐ ", "x": "☑ ", "X": "☑ "}
_HEADINGS = {"h1": "primary bold underline", "h2": "primary bold", "h3": "foreground bold"}
_SMALL_HEADING = "foreground bold italic"
_LABEL_LIMIT = 40


def markdown_blocks(text: str, *, gap: int, first_line: int = 0) -> list[Block]:
    """The blocks of an answer, or of what it has from a line on.

    `gap` blank rows stand before the first of them.
    """
    source = safe_text(join_surrogates(text)).rstrip()
    addresses = addresses_in(source)
    blocks: list[Block] = []
    for cut in split_sections(source) if source else ():
        section = cut._replace(first_line=cut.first_line + first_line)
        read = _Text(section, addresses)
        before = section.gap if blocks else gap
        for place, each in enumerate(slices(section)):
            blocks.append(MarkdownBlock(read, each, gap=0 if place else before))
    return blocks


def closed_tool_blocks(call: ToolCall, first_line: int) -> list[Block]:
    """A finished tool call: its name, and its arguments as indented JSON where they are JSON."""
    readable = readable_json(call.arguments).replace("\r\n", "\n")
    blocks: list[Block] = [ToolHeadBlock(call.name, first_line)]
    for text, line, offset in stretches(readable):
        lines = [drawable(each) for each in text.split("\n")]
        code = Code(lines, "json", first_line + 1 + line, goes_on=True)
        blocks.append(CodeBlock(code, "tool", offset))
    return blocks


class _Text:
    """A section, and the addresses of the text that it is a part of; compared as an object."""

    def __init__(self, section: Section, addresses: "Addresses") -> None:
        self.section = section
        self.addresses = addresses


class MarkdownBlock(Block):
    """A slice of a section of Markdown, read when it is first seen."""

    def __init__(self, text: _Text, lines: Slice, *, gap: int) -> None:
        super().__init__()
        self.gap = gap
        self.first_line = lines.first
        self._text, self._lines = text, lines
        if not lines.is_later:
            self.first_offset = text.section.first_offset
        self._parts: list[_Placed] | None = None

    def layout(self, width: int) -> list[Row]:
        if self._parts is None:
            self._parts = list(_between(_read(self._text), self._lines))
        rows: list[Row] = []
        for placed in self._parts:
            if placed.gap is not None and (rows or self._lines.is_later):
                rows.append(blank_row(Prefix(placed.gap, placed.gap).fitted(width).rest))
            rows += placed.part.rows(width, placed.prefix.fitted(width))
        return rows_from(rows, self._text.section)

    def forget(self) -> None:
        """What the section says can be read again."""
        super().forget()
        self._parts = None

    @property
    def source(self) -> str:
        # Words may stand a little before or after the lines that they are said to come from.
        return self._text.section.text

    def _guess(self, width: int) -> int:
        return guess_rows_of(self._lines.chars, self._lines.line_count, width)


def rows_from(rows: list[Row], section: Section) -> list[Row]:
    """Rows that know where in the whole text they are; the first line may begin before."""
    first, offset = section.first_line + section.head_lines, section.first_offset
    if not offset:
        return rows
    return [row._replace(offset=row.offset + offset) if row.line == first else row for row in rows]


# What is next to a slice just read is soon read too, mostly.
@lru_cache(maxsize=4)
def _read(text: _Text) -> "list[_Placed]":
    section = text.section
    if section.is_plain:
        line = StyledLine(section.first_line, (Span(drawable(section.text)),))
        return [_Placed(Prose([line]), Prefix(), None)]
    return _Reader(section, text.addresses).read()


def _between(parts: "Iterable[_Placed]", lines: Slice) -> "Iterator[_Placed]":
    """What a slice has of the parts of its section."""
    for placed in parts:
        part = placed.part.between(lines.first, lines.end)
        if part is None:
            continue
        if part.line == placed.part.line:
            yield placed._replace(part=part)
        else:
            rest = placed.prefix.rest
            yield _Placed(part, Prefix(rest, rest), None)


class _Placed(NamedTuple):
    """A part, where it stands in lists and quotes."""

    part: Part
    prefix: Prefix
    gap: tuple[Span, ...] | None
    """What stands in the blank row before it; None when there is none."""


@dataclass
class _Container:
    """A quote or a list item that is open."""

    first: tuple[Span, ...]
    rest: tuple[Span, ...]
    line: int
    """The source line where it begins."""
    begun: bool = False


@dataclass
class _List:
    """A list that is open."""

    ordered: bool
    number: int
    digits: int
    begun: bool = False
    tight: bool = False


class _Reader:
    """Tokens of markdown-it into parts. One reader reads one section."""

    def __init__(self, section: Section, addresses: "Addresses") -> None:
        self._section = section
        self._addresses = addresses
        self._parts: list[_Placed] = []
        self._containers: list[_Container] = []
        self._lists: list[_List] = []
        self._before: list[_Container] = []
        """The containers of the part before."""

    def read(self) -> list[_Placed]:
        tokens = block_tokens(self._section.text, self._addresses)
        index = 0
        while index < len(tokens):
            index = self._take(tokens, index)
        return self._parts

    def _take(self, tokens: "list[Token]", index: int) -> int:
        """Read the token at `index`, and those that belong to it; returns what comes next."""
        token = tokens[index]
        match token.type:
            case "paragraph_open":
                self._paragraph(tokens[index + 1], hidden=token.hidden)
                return index + 3
            case "heading_open":
                role = _HEADINGS.get(token.tag, _SMALL_HEADING)
                self._add(Prose(self._styled(tokens[index + 1], self._line(token), role)))
                return index + 3
            case "fence" | "code_block":
                self._code(token)
            case "hr":
                self._add(Rule(self._line(token)))
            case "table_open":
                return self._table(tokens, index)
            case "blockquote_open":
                bar = (Span("▎ ", "muted"),)
                self._containers.append(_Container(bar, bar, self._line(token)))
            case "bullet_list_open" | "ordered_list_open":
                self._open_list(tokens, index)
            case "list_item_open":
                self._open_item(self._line(token))
            case "bullet_list_close" | "ordered_list_close":
                self._lists.pop()
            case "blockquote_close" | "list_item_close":
                self._close_container()
        return index + 1

    def _styled(self, inline: "Token", line: int, role: str) -> list[StyledLine]:
        return styled_lines(inline, line, role, self._addresses)

    def _line(self, token: "Token") -> int:
        return self._section.first_line + (token.map[0] if token.map else 0)

    def _paragraph(self, inline: "Token", *, hidden: bool) -> None:
        if self._lists:
            self._lists[-1].tight = hidden
        item = self._containers[-1] if self._containers else None
        content = inline.content
        if self._lists and item and not item.begun and (task := _TASK.match(content)):
            item.first = (*item.first[:-1], Span(_TASK_BOXES[task.group(1)], "secondary"))
            item.rest = (Span("  "),)
            inline.content = content[task.end() :]
        self._add(Prose(self._styled(inline, self._line(inline), "")))

    def _code(self, token: "Token") -> None:
        source = token.content.removesuffix("\n")
        lines = [drawable(line) for line in source.split("\n")]
        words = token.info.split(maxsplit=1)
        language = safe_line(words[0], limit=_LABEL_LIMIT) if words else ""
        offset = 1 if token.type == "fence" else 0
        goes_on = self._section.goes_on and not self._parts
        self._add(Code(lines, language, self._line(token) + offset, goes_on))

    def _open_list(self, tokens: "list[Token]", index: int) -> None:
        opening = tokens[index]
        ordered = opening.type == "ordered_list_open"
        start = int(opening.attrs.get("start", 1)) if ordered else 0
        items = 0
        for token in tokens[index + 1 :]:
            if token.level == opening.level:
                break
            items += token.type == "list_item_open" and token.level == opening.level + 1
        # Whatever comes first belongs to a list that has items only.
        self._lists.append(_List(ordered, start, len(str(start + items - 1))))

    def _open_item(self, line: int) -> None:
        current = self._lists[-1]
        if current.ordered:
            marker = f"{current.number:>{current.digits}}. "
            current.number += 1
        else:
            depth = sum(not each.ordered for each in self._lists) - 1
            marker = _BULLETS[depth % len(_BULLETS)] + " "
        rest = (Span(" " * len(marker)),)
        self._containers.append(_Container((Span(marker, "secondary"),), rest, line))

    def _close_container(self) -> None:
        container = self._containers[-1]
        if not container.begun:
            self._add(Prose([StyledLine(container.line, ())]))
        self._containers.pop()

    def _add(self, part: Part) -> None:
        self._parts.append(_Placed(part, self._prefix(), self._gap()))
        self._before = list(self._containers)
        for container in self._containers:
            container.begun = True
        for each in self._lists:
            each.begun = True

    def _prefix(self) -> Prefix:
        first = [
            span
            for container in self._containers
            for span in (container.rest if container.begun else container.first)
        ]
        rest = [span for container in self._containers for span in container.rest]
        return Prefix(tuple(first), tuple(rest))

    def _gap(self) -> tuple[Span, ...] | None:
        """No blank row inside a tight list; else one, with the marks of what both parts share."""
        if self._lists and self._lists[-1].tight and any(each.begun for each in self._lists):
            return None
        shared: list[Span] = []
        for container, before in zip(self._containers, self._before, strict=False):
            if container is not before:
                break
            shared += container.rest
        return tuple(shared)

    def _table(self, tokens: "list[Token]", index: int) -> int:
        """Read a table whole; returns the index after it."""
        lines: list[TableLine] = []
        aligns: list[Align] = []
        while tokens[index].type != "table_close":
            token = tokens[index]
            if token.type == "tr_open":
                lines.append(TableLine(self._line(token), []))
            elif token.type in {"th_open", "td_open"}:
                heading = token.type == "th_open"
                if heading:
                    aligns.append(_align(token))
                role = "foreground bold" if heading else ""
                styled = self._styled(tokens[index + 1], self._line(token), role)
                cell: Cell = styled[0].spans if styled else ()
                lines[-1].cells.append(cell)
            index += 1
        goes_on = self._section.goes_on and not self._parts
        self._add(Table(lines[0], lines[1:], aligns, goes_on))
        return index + 1


def _align(token: "Token") -> Align:
    style = str(token.attrs.get("style", ""))
    if "right" in style:
        return "right"
    return "center" if "center" in style else "left"
