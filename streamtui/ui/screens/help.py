"""All keys, from the table of commands."""

from collections.abc import Iterator
from itertools import groupby
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from streamtui.ui.commands import COMMANDS, Command, shown_keys
from streamtui.ui.rows import Span
from streamtui.ui.screens.paper import Paper, PaperDialog, Paragraph

TYPING_CELLS = 14
COMMAND_CELLS = 11


class Help(PaperDialog):
    """Every command with its keys in both states."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1,question_mark,q", "close", "Close", show=False)
    ]
    TITLE_WORDS = "keys"
    KEYS = (("↑↓ pgup pgdn", "scroll"), ("esc", "close"))

    def body(self) -> ComposeResult:
        """One long text."""
        yield Paper(list(help_paragraphs()))


def help_paragraphs() -> Iterator[Paragraph]:
    """The table of commands, group by group."""
    head = f"{'anywhere':<{TYPING_CELLS}}{'in a pane':<{COMMAND_CELLS}}"
    yield Paragraph([Span("letters are commands while a pane has the focus", "muted")])
    yield Paragraph([])
    yield Paragraph([Span(head, "muted")])
    for place, (group, rows) in enumerate(groupby(COMMANDS.values(), lambda row: row.group)):
        if place:
            yield Paragraph([])
        yield Paragraph([Span(group, "primary bold")])
        yield from map(_paragraph, rows)


def _paragraph(row: Command) -> Paragraph:
    typing, command = shown_keys(row.typing), shown_keys(row.command)
    keys = Span(f"{typing:<{TYPING_CELLS}}{command:<{COMMAND_CELLS}}", "foreground bold")
    words = [Span(row.title, "foreground")]
    if row.help:
        words.append(Span(f": {row.help}", "muted"))
    blank = Span(" " * (TYPING_CELLS + COMMAND_CELLS))
    return Paragraph(words, (keys,), (blank,))
