"""Everything about one pane, kept up to date while it is looked at."""

from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from streamtui.safe_text import safe_line
from streamtui.ui.pane_details import Section
from streamtui.ui.rows import Span
from streamtui.ui.screens.paper import Paper, PaperDialog, Paragraph, labelled

LABEL_CELLS = 13
LOOK_SECONDS = 0.5


class PaneDetails(PaperDialog):
    """Facts under headings."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,f7,d,enter", "close", "Close", show=False),
        Binding("y", "copy", "Copy", show=False),
    ]
    KEYS = (("↑↓ pgup pgdn", "scroll"), ("y", "copy"), ("esc", "close"))

    def __init__(
        self, title: str, look: Callable[[], list[Section]], copy: Callable[[str], None]
    ) -> None:
        super().__init__()
        self.TITLE_WORDS = safe_line(title, 60)
        self._look = look
        self._copy = copy
        self._shown = look()

    def body(self) -> ComposeResult:
        """One text."""
        yield Paper(list(paragraphs_of(self._shown)))

    def on_mount(self) -> None:
        """Look again every now and then: a run may be going on."""
        super().on_mount()
        self.set_interval(LOOK_SECONDS, self.show_again)

    def show_again(self) -> None:
        """Draw what changed, if anything did."""
        found = self._look()
        if found != self._shown:
            self._shown = found
            self.query_one(Paper).put(list(paragraphs_of(found)))

    def action_copy(self) -> None:
        """All of it as text."""
        self._copy(text_of(self._shown))


def paragraphs_of(sections: Sequence[Section]) -> Iterator[Paragraph]:
    """Facts with their labels, a blank line before each further heading."""
    for place, section in enumerate(sections):
        if place:
            yield Paragraph([])
        yield Paragraph([Span(section.title, "primary bold")])
        for fact in section.facts:
            yield labelled(fact.label, fact.words, LABEL_CELLS)


def text_of(sections: Sequence[Section]) -> str:
    """The same as plain text."""
    lines: list[str] = []
    for section in sections:
        lines += ["", section.title] if lines else [section.title]
        for fact in section.facts:
            words = "".join(text for text, _role in fact.words)
            lines.append(f"{fact.label:<{LABEL_CELLS}}{words}".rstrip())
    return "\n".join(lines) + "\n"
