"""Markdown into blocks of rows. HTML is shown as the text that it is; no link can be followed.

A long text is cut into sections at blank lines, and a section is parsed when it is first seen.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from streamtui.safe_text import join_surrogates, safe_line, safe_text
from streamtui.ui.blocks import Block, ToolHeadBlock, readable_json, source_lines
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
from streamtui.ui.markdown_table import Align, Cell, Table, TableLine
from streamtui.ui.pane_state import ToolCall
from streamtui.ui.rows import Row, Span, drawable

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

SECTION_CHARS = 8_192
INLINE_CHARS = 8_192
"""Longer paragraphs are shown as they are: emphasis costs more than its length."""

_FENCE = re.compile(r"\s*(?:[-*+>]\s+|\d+[.)]\s+)*(`{3,}|~{3,})")
_AFTER_BLANK = re.compile(r"(?!\d+[.)])[^\s>\-*+|]|\*\*")
_HEADING = re.compile(r"#{1,6} ")
_TASK = re.compile(r"\[([ xX])\] ")
_BULLETS = "•◦▪"
_TASK_BOXES = {" ": "☐ ", "x": "☑ ", "X": "☑ "}
_HEADINGS = {"h1": "primary bold underline", "h2": "primary bold", "h3": "foreground bold"}
_SMALL_HEADING = "foreground bold italic"
_LABEL_LIMIT = 40
_ADDRESS_LIMIT = 500


def markdown_blocks(text: str, *, gap: int) -> list[Block]:
    """The blocks of a finished answer; `gap` blank rows stand before the first of them."""
    source = safe_text(join_surrogates(text)).rstrip()
    sections = split_sections(source) if source else []
    return [
        MarkdownBlock(section, gap=gap if number == 0 else 0 if section.goes_on else 1)
        for number, section in enumerate(sections)
    ]


def closed_tool_blocks(call: ToolCall, first_line: int) -> list[Block]:
    """A finished tool call: its name, and its arguments as indented JSON where they are JSON."""
    readable = readable_json(call.arguments)
    lines = [drawable(line) for line in source_lines(readable)]
    code = Code(lines, "json", first_line + 1, goes_on=True)
    return [ToolHeadBlock(call.name, first_line), CodeBlock(code, "tool")]


class Section(NamedTuple):
    """A piece of Markdown that can be read by itself."""

    text: str
    first_line: int
    """The number of its first line in the whole."""
    goes_on: bool = False
    """It begins in the middle of a block of code."""


def split_sections(text: str) -> Iterator[Section]:
    """Cut a long text where a new block must begin, and long code anywhere between two lines."""
    lines = text.split("\n")
    start = size = 0
    opening = fence = ""
    """The line that opened the code in which we are, and its fence."""
    head: list[str] = []
    for number, line in enumerate(lines):
        if size > SECTION_CHARS and _may_cut(lines, number, opening, fence):
            yield _section(head, lines[start:number], start, [fence] if fence else [])
            start, size, head = number, 0, [opening] if fence else []
        was_open, fence = fence, _fence_after(line, fence)
        if fence and not was_open:
            opening = line
        size += len(line) + 1
    yield _section(head, lines[start:], start, [])


def _section(head: list[str], lines: list[str], start: int, foot: list[str]) -> Section:
    return Section("\n".join([*head, *lines, *foot]), start - len(head), goes_on=bool(head))


def _may_cut(lines: list[str], number: int, opening: str, fence: str) -> bool:
    """Whether what starts at a line can be read without what came before it."""
    line = lines[number]
    if fence:
        # Code inside a list or a quote has marks before its lines: that stays whole.
        return opening.startswith(fence) and _FENCE.match(line) is None
    if _HEADING.match(line):
        return True
    return not lines[number - 1].strip() and _AFTER_BLANK.match(line) is not None


def _fence_after(line: str, fence: str) -> str:
    """The fence that is open after a line, given the one that was open before it."""
    found = _FENCE.match(line)
    if found is None:
        return fence
    mark = found.group(1)
    if not fence:
        return mark
    closes = mark.startswith(fence) and not line[found.end() :].strip()
    return "" if closes else fence


class MarkdownBlock(Block):
    """A section of Markdown, read when it is first seen."""

    def __init__(self, section: Section, *, gap: int) -> None:
        super().__init__()
        self.gap = gap
        self.first_line = section.first_line
        self._section = section
        self._parts: list[_Placed] | None = None

    def layout(self, width: int) -> list[Row]:
        if self._parts is None:
            self._parts = _Reader(self._section).read()
        rows: list[Row] = []
        for placed in self._parts:
            if placed.gap is not None and rows:
                rows.append(blank_row(Prefix(placed.gap, placed.gap).fitted(width).rest))
            rows += placed.part.rows(width, placed.prefix.fitted(width))
        return rows


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

    def __init__(self, section: Section) -> None:
        self._section = section
        self._parts: list[_Placed] = []
        self._containers: list[_Container] = []
        self._lists: list[_List] = []
        self._before: list[_Container] = []
        """The containers of the part before."""

    def read(self) -> list[_Placed]:
        tokens = _parser().parse(self._section.text)
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
                self._add(Prose(styled_lines(tokens[index + 1], self._line(token), role)))
                return index + 3
            case "fence" | "code_block":
                self._code(token)
            case "hr":
                self._add(Rule(self._line(token)))
            case "table_open":
                return self._table(tokens, index)
            case "blockquote_open":
                bar = (Span("▎ ", "muted"),)
                self._containers.append(_Container(bar, bar))
            case "bullet_list_open" | "ordered_list_open":
                self._open_list(tokens, index)
            case "list_item_open":
                self._open_item()
            case "bullet_list_close" | "ordered_list_close":
                self._lists.pop()
            case "blockquote_close" | "list_item_close":
                self._close_container()
        return index + 1

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
        self._add(Prose(styled_lines(inline, self._line(inline), "")))

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

    def _open_item(self) -> None:
        current = self._lists[-1]
        if current.ordered:
            marker = f"{current.number:>{current.digits}}. "
            current.number += 1
        else:
            depth = sum(not each.ordered for each in self._lists) - 1
            marker = _BULLETS[depth % len(_BULLETS)] + " "
        rest = (Span(" " * len(marker)),)
        self._containers.append(_Container((Span(marker, "secondary"),), rest))

    def _close_container(self) -> None:
        container = self._containers[-1]
        if not container.begun:
            self._add(Prose([StyledLine(-1, ())]))
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
                styled = styled_lines(tokens[index + 1], self._line(token), role)
                cell: Cell = styled[0].spans if styled else ()
                lines[-1].cells.append(cell)
            index += 1
        self._add(Table(lines[0], lines[1:], aligns))
        return index + 1


def _align(token: "Token") -> Align:
    style = str(token.attrs.get("style", ""))
    if "right" in style:
        return "right"
    return "center" if "center" in style else "left"


@lru_cache(1)
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 30})
    parser.enable(["table", "strikethrough"])
    # Inline markup is read part by part, where its length can be looked at first.
    return parser.disable(["inline", "text_join"])


def styled_lines(inline: "Token", line: int, role: str) -> list[StyledLine]:
    """The content of a paragraph as lines of roles; `line` is the source line of the first."""
    if len(inline.content) > INLINE_CHARS:
        return [
            StyledLine(line + number, (Span(drawable(text), role),))
            for number, text in enumerate(inline.content.split("\n"))
        ]
    children: list[Token] = []
    parser = _parser()
    parser.inline.parse(inline.content, parser, {}, children)
    return _InlineReader(line, role).read(children)


class _InlineReader:
    """Inline tokens into lines of spans."""

    _ATTRIBUTES: ClassVar[dict[str, str]] = {"strong": "bold", "em": "italic", "s": "strike"}

    def __init__(self, line: int, role: str) -> None:
        self._line = line
        self._roles = [role] if role else []
        self._lines: list[StyledLine] = []
        self._spans: list[Span] = []
        self._links: list[tuple[str, int]] = []
        """Addresses of open links, and how many spans came before them."""

    def read(self, children: "list[Token]") -> list[StyledLine]:
        for token in children:
            self._take(token)
        self._break()
        return self._lines

    def _take(self, token: "Token") -> None:
        kind, _, edge = token.type.rpartition("_")
        match token.type:
            case "softbreak" | "hardbreak":
                self._break()
            case "code_inline":
                self._write(token.content, "secondary on-code-background")
            case "link_open":
                self._links.append((str(token.attrs.get("href", "")), len(self._spans)))
                self._roles.append("primary underline")
            case "link_close":
                self._roles.pop()
                self._close_link()
            case "image":
                alt = f"[image: {token.content}]" if token.content else "[image]"
                self._write(alt, "primary")
                self._write_address(str(token.attrs.get("src", "")))
            case _ if edge == "open" and kind in self._ATTRIBUTES:
                self._roles.append(self._ATTRIBUTES[kind])
            case _ if edge == "close" and kind in self._ATTRIBUTES:
                self._roles.pop()
            case _:
                self._write(token.content)

    def _write(self, text: str, role: str = "") -> None:
        if text:
            roles = " ".join([*self._roles, role] if role else self._roles)
            self._spans.append(Span(drawable(safe_line(text)), roles))

    def _close_link(self) -> None:
        address, start = self._links.pop()
        shown = "".join(span.text for span in self._spans[start:])
        if address not in {shown, f"mailto:{shown}"}:
            self._write_address(address)

    def _write_address(self, address: str) -> None:
        if address:
            self._write(f" ({safe_line(address, limit=_ADDRESS_LIMIT)})", "muted")

    def _break(self) -> None:
        self._lines.append(StyledLine(self._line, tuple(self._spans)))
        self._spans = []
        self._line += 1
