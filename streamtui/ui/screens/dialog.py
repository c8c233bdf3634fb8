"""What all questions and lists over the console share: a box in the middle, closed by escape."""

from typing import ClassVar, TypeVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from streamtui.ui.box import Box
from streamtui.ui.words import Words, shorten

Answer = TypeVar("Answer")


SHARE = 0.85
"""How much of the screen's height a dialog takes at the most."""
_AROUND_WORDS = 5
"""Blanks around title and note, and a stroke between them."""


class DialogBox(Box, can_focus=False):
    """The frame of a dialog; always in the colour of the focus."""

    border_role = "pane-border-focus"


class Dialog(ModalScreen[Answer]):
    """A box over the console. Subclasses say what is in it and what its border says."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,ctrl+c", "close", "Close", show=False)]
    AROUND = 2
    """Rows around what scrolls: the border's."""
    TITLE_WORDS = ""
    KEYS: tuple[tuple[str, str], ...] = (("esc", "close"),)

    def compose(self) -> ComposeResult:
        """The box around the subclass's widgets."""
        with DialogBox(classes="dialog"):
            yield from self.body()

    def on_resize(self) -> None:
        """Another size of the screen leaves another room."""
        self._give_room()

    def body(self) -> ComposeResult:
        """What is in the box."""
        yield from ()

    def on_mount(self) -> None:
        """The border's words; the size from the first frame on."""
        self._give_room()
        self.say(self.TITLE_WORDS)

    def say(self, title: str, note: str = "", *, role: str = "muted") -> None:
        """Put words into the border: a title and a note above, the keys below.

        A note that has no room there loses its end.
        """
        box = self.query_one(DialogBox)
        room = box.line_width - cell_len(title) - _AROUND_WORDS
        short = shorten(note, room) if box.line_width else note
        right: Words = [(f" {short} ", role)] if short else []
        box.set_top(([(f" {title} ", "primary bold")], right))
        box.set_bottom((_key_words(self.keys()), []))

    def keys(self) -> tuple[tuple[str, str], ...]:
        """The keys that the border names, each with a word or two."""
        return self.KEYS

    def action_close(self) -> None:
        """Leave without an answer."""
        self.dismiss(None)

    def _give_room(self) -> None:
        """What scrolls gets the room that the screen has, less what stands around it."""
        for widget in self.query(".scrolling"):
            widget.styles.max_height = max(3, int(self.app.size.height * SHARE) - self.AROUND)


class Question(Dialog[bool]):
    """Answers True for yes, None for no. Subclasses say what a yes would cost."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,enter", "agree", show=False),
        Binding("n", "close", show=False),
    ]

    def action_agree(self) -> None:
        """Yes."""
        self.dismiss(True)


def _key_words(keys: tuple[tuple[str, str], ...]) -> Words:
    words: Words = [(" ", "muted")]
    for key, label in keys:
        joint = [(" · ", "muted")] if len(words) > 1 else []
        words += [*joint, (key, "foreground"), (f" {label}" if label else "", "muted")]
    return [*words, (" ", "muted")]
