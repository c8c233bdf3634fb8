"""A list with a field above it that narrows it; the first row is the likeliest answer.

Rows are Content made of safe text: no label is read as markup.
"""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from streamtui.ui.line_input import LineInput
from streamtui.ui.lines import ATTRIBUTES
from streamtui.ui.screens.dialog import Dialog
from streamtui.ui.words import Words

Answer = TypeVar("Answer")


class Choice(NamedTuple):
    """One row: what is drawn, what the field is compared with, and what it stands for."""

    label: Content
    search: str
    value: str


class Chooser(Dialog[str]):
    """Answers the chosen value."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,ctrl+p", "move(-1)", show=False),
        Binding("down,ctrl+n", "move(1)", show=False),
        Binding("pageup", "move(-10)", show=False),
        Binding("pagedown", "move(10)", show=False),
    ]
    KEYS: tuple[tuple[str, str], ...] = (("↑↓", "choose"), ("enter", "take"), ("esc", "close"))
    PLACEHOLDER = "type to narrow the list"
    AROUND = 4

    def __init__(self, choices: Sequence[Choice]) -> None:
        super().__init__()
        self._choices = list(choices)
        self._shown: list[Choice] = []

    def body(self) -> ComposeResult:
        """The field and the list; the field keeps the focus."""
        yield LineInput(self.PLACEHOLDER)
        options = OptionList(markup=False, classes="scrolling")
        options.can_focus = False
        yield options

    def on_mount(self) -> None:
        """All rows at first."""
        super().on_mount()
        self._fill("")

    @on(Input.Changed)
    def narrow(self, message: Input.Changed) -> None:
        """Only rows with all words of the field."""
        self._fill(message.value)

    @on(Input.Submitted)
    def take(self) -> None:
        """The row that is marked."""
        if self.marked is not None:
            self.dismiss(self.marked.value)

    @on(OptionList.OptionSelected)
    def take_clicked(self, message: OptionList.OptionSelected) -> None:
        """The row under the mouse."""
        self.dismiss(self._shown[message.option_index].value)

    def action_move(self, by: int) -> None:
        """Mark another row."""
        mark_another(self.query_one(OptionList), by)

    @property
    def marked(self) -> Choice | None:
        """The row that enter takes."""
        index = self.query_one(OptionList).highlighted
        return None if index is None else self._shown[index]

    def put(self, choices: Sequence[Choice]) -> None:
        """Offer other rows; what is typed stays."""
        self._choices = list(choices)
        self._fill(self.query_one(LineInput).value)

    def matching(self, text: str) -> list[Choice]:
        """The rows to show for what is typed."""
        words = text.lower().split()
        return [choice for choice in self._choices if all(word in choice.search for word in words)]

    def _fill(self, text: str) -> None:
        self._shown = self.matching(text)
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options(Option(choice.label) for choice in self._shown)
        options.highlighted = 0 if self._shown else None


def label_of(row: Words, *, plain: bool) -> Content:
    """A row of a list. Plain for the marked one where there are sixteen colours: hardly two of them
    can be read on one another."""
    if plain:
        return Content("".join(text for text, _role in row))
    return Content.assemble(*((text, _style_of(role)) for text, role in row))


def _style_of(role: str) -> str:
    """A role as Textual writes it; the common colour is left to the list, which marks a row."""
    words = (word for word in role.split() if word != "foreground")
    return " ".join(word if word in ATTRIBUTES else f"${word}" for word in words)


def mark_another(options: OptionList, by: int) -> None:
    """Move the mark of a list, round its ends."""
    if options.option_count:
        place = (options.highlighted or 0) + by
        last = options.option_count - 1
        around = last if place < 0 else 0
        options.highlighted = place if 0 <= place <= last else around
