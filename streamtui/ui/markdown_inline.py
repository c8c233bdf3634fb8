"""What stands within a line of Markdown: emphasis, code, links and their addresses. Pure.

markdown-it reads it, for blocks too; it is imported when the first text is read, which takes 30 ms.
"""

import re
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from streamtui.safe_text import safe_line
from streamtui.ui.markdown_parts import StyledLine
from streamtui.ui.rows import Span, drawable

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.token import Token
    from markdown_it.utils import EnvType

    Addresses = EnvType
    """What markdown-it remembers of a text: among it, the addresses that have names."""

INLINE_CHARS = 8_192
"""Longer paragraphs are shown as they are: emphasis costs more than its length."""

_ADDRESS = re.compile(r"^ {0,3}\[[^\]\n]{1,200}\]:[ \t]*(?:\n[ \t]*)?\S.*$", re.MULTILINE)
_ADDRESS_LIMIT = 500


def addresses_in(text: str) -> "Addresses":
    """The addresses that links anywhere in a text may mean by a name: `[name]: address`."""
    known: Addresses = {}
    if lines := [found.group() for found in _ADDRESS.finditer(text)]:
        _parser().parse("\n\n".join(lines), known)
    return known


def _reference(state: "StateBlock", line: int, end: int, silent: bool) -> bool:  # noqa: FBT001
    """`[name]: address`, but not `[^1]: note`: notes are shown where they stand."""
    from markdown_it.rules_block import reference

    begin = state.bMarks[line] + state.tShift[line]
    return not state.src.startswith("[^", begin) and reference(state, line, end, silent)


@lru_cache(1)
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 30})
    parser.enable(["table", "strikethrough"])
    parser.block.ruler.at("reference", _reference)
    # Inline markup is read part by part, where its length can be looked at first.
    return parser.disable(["inline", "text_join"])


def block_tokens(text: str, addresses: "Addresses | None" = None) -> "list[Token]":
    """The blocks of a Markdown text, as markdown-it calls them; what is inline stays unread."""
    return _parser().parse(text, addresses)


def styled_lines(inline: "Token", line: int, role: str, addresses: "Addresses") -> list[StyledLine]:
    """The content of a paragraph as lines of roles; `line` is the source line of the first."""
    if len(inline.content) > INLINE_CHARS:
        return [
            StyledLine(line + number, (Span(drawable(text), role),))
            for number, text in enumerate(inline.content.split("\n"))
        ]
    children: list[Token] = []
    parser = _parser()
    parser.inline.parse(inline.content, parser, addresses, children)
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
