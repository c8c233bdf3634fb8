"""A long text in a dialog: wrapped to its width, scrolled by keys, without a scrollbar."""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from textual import events, on
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message

from streamtui.ui.lines import LineView
from streamtui.ui.rows import Row, Span, wrap_spans
from streamtui.ui.screens.dialog import Dialog


class Paragraph(NamedTuple):
    """One line before it is wrapped. The text must be drawable (see `rows.drawable`)."""

    spans: Sequence[Span]
    first: Sequence[Span] = ()
    rest: Sequence[Span] = ()
    """What stands before the first row, and before those that follow it."""


def labelled(label: str, words: Sequence[tuple[str, str]], cells: int) -> Paragraph:
    """Words behind a label; their further rows stand under the first."""
    spans = [Span(*word) for word in words]
    return Paragraph(spans, (Span(f"{label:<{cells}}", "muted"),), (Span(" " * cells),))


class Paper(LineView):
    """Paragraphs, from the top."""

    DEFAULT_CSS = """
    Paper {
        width: 1fr;
        height: auto;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll(-1)", show=False),
        Binding("down,j", "scroll(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown,space", "page(1)", show=False),
        Binding("home,g", "scroll(-1000000)", show=False),
        Binding("end,G", "scroll(1000000)", show=False),
    ]

    class Moved(Message):
        """Other rows are seen."""

    def __init__(self, paragraphs: Sequence[Paragraph]) -> None:
        super().__init__(classes="scrolling")
        self._paragraphs = paragraphs
        self._rows: list[Row] = []
        self._wrapped_at = 0
        self._top = 0

    @property
    def position(self) -> str:
        """Which rows are seen; empty when all are."""
        height = self.size.height
        if len(self._rows) <= height:
            return ""
        return f"{self._top + 1}–{min(self._top + height, len(self._rows))} of {len(self._rows)}"

    @property
    def row_count(self) -> int:
        """How many rows the text takes at its width."""
        return len(self._rows)

    def put(self, paragraphs: Sequence[Paragraph]) -> None:
        """Show another text; the place in it stays, as far as it goes."""
        self._paragraphs = paragraphs
        self._wrapped_at = 0
        if self.size.width:
            self._wrap(self.size.width)
            self.refresh(layout=True)
            self.scroll_rows(0)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        """All rows; the style sheet says where it ends."""
        self._wrap(width)
        return len(self._rows)

    def on_resize(self, event: events.Resize) -> None:
        """Wrap for another width."""
        self._wrap(event.size.width)
        self.scroll_rows(0)

    def scroll_rows(self, delta: int) -> None:
        """Move the view; down is positive."""
        last = max(0, len(self._rows) - self.size.height)
        self._top = min(max(self._top + delta, 0), last)
        self.show_rows(self._rows[self._top : self._top + self.size.height])
        self.post_message(self.Moved())

    def action_scroll(self, rows: int) -> None:
        """Move by rows."""
        self.scroll_rows(rows)

    def action_page(self, pages: int) -> None:
        """Move by what is seen, less a little."""
        self.scroll_rows(pages * self._page_rows)

    def _wrap(self, width: int) -> None:
        if width != self._wrapped_at:
            self._wrapped_at = width
            self._rows = [
                row
                for spans, first, rest in self._paragraphs
                for row in wrap_spans(spans, width, first=first, rest=rest)
            ]


class PaperDialog(Dialog[None]):
    """One long text, to be read."""

    @on(Paper.Moved)
    def show_position(self) -> None:
        """Which part of it is seen."""
        self.say(self.TITLE_WORDS, self.query_one(Paper).position)
