"""One session on screen: a window on its document, which follows the end or stands still."""

from textual.message import Message

from streamtui.ui.document import Bookmark, Document, Place
from streamtui.ui.lines import LineView
from streamtui.ui.pane_state import PaneState, is_live

_WORTH_JUMPING = 8
"""Rows from which on a view jumps; a smaller one costs little and needs all its room."""
_PAGE_OVERLAP = 2
"""Rows of one page that are still seen on the next."""


class Transcript(LineView):
    """A pane's turns. `update` brings it up to date; scrolling up freezes it, the end follows."""

    DEFAULT_CSS = """
    Transcript {
        width: 1fr;
        height: 1fr;
    }
    """

    class PositionChanged(Message):
        """`following` or `new_lines` of a transcript changed."""

        def __init__(self, transcript: "Transcript") -> None:
            super().__init__()
            self.transcript = transcript

        @property
        def control(self) -> "Transcript":
            return self.transcript

    def __init__(
        self,
        pane: PaneState,
        *,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.pane = pane
        self.following = True
        """The view stays at the end."""
        self.new_lines = 0
        """Rows that came below since the view was frozen."""
        self._document = Document(pane)
        self._top = self._document.start()
        self._seen: Bookmark | None = None
        """The last row there was when the view was frozen."""
        self._wanted: Bookmark | None = None
        """Where the view is to stand once there is room to lay anything out."""
        self._reported = (True, 0)
        self._settle = True
        """The next look at the end fills the view."""

    def update(self) -> None:
        """Show what the pane's state has gained since the last call."""
        if self._document.width:
            self._lay_out(self._document.width)

    @property
    def bookmark(self) -> Bookmark | None:
        """What stands in the first row; None while the end is followed."""
        if self._wanted is not None or self.following:
            return self._wanted
        return self._document.bookmark(self._top)

    def return_to(self, bookmark: Bookmark) -> None:
        """Stand still where a bookmark says, which may be one of another time."""
        if bookmark.turn >= 0:
            self._wanted = bookmark
            self.update()

    def toggle_reasoning(self) -> None:
        """Unfold the reasoning of all turns, or fold it again."""
        self._document.unfold(shown=not self._document.show_reasoning)
        self.update()

    def on_resize(self) -> None:
        """Wrap again; a frozen view keeps the text in its top row."""
        self._settle = True
        self._lay_out(self.size.width)

    def _lay_out(self, width: int) -> None:
        document = self._document
        top = None if self.following else document.bookmark(self._top)
        document.width = width
        document.sync(may_fold=self.following)
        if top is not None:
            self._top = document.place(top)
        wanted, self._wanted = self._wanted, None
        if wanted is None:
            self._paint()
        else:
            self._go_to(document.place(wanted))

    def scroll_rows(self, delta: int) -> None:
        """Move the view; upwards freezes it, reaching the end follows again."""
        if delta < 0:
            self._go_to(self._document.up(self._top, -delta))
        elif not self.following:
            self._go_to(self._document.down(self._top, delta))

    def page_up(self) -> None:
        """Move up by a page, less a little."""
        self.scroll_rows(min(_PAGE_OVERLAP - self.size.height, -1))

    def page_down(self) -> None:
        """Move down by a page, less a little."""
        self.scroll_rows(max(self.size.height - _PAGE_OVERLAP, 1))

    def scroll_home(self, *_args: object, **_options: object) -> None:
        """Show the beginning."""
        self._go_to(self._document.start())

    def follow(self) -> None:
        """Show the end, and stay there."""
        self.following = self._settle = True
        self.update()

    def _go_to(self, place: Place) -> None:
        """Stand still at a place, unless the end is seen from there."""
        if place >= self._bottom():
            self.follow()
            return
        if self.following:
            self._seen = self._document.bookmark(self._document.up(self._document.end(), 1))
        self.following = False
        self._top = place
        self._paint()

    def _bottom(self) -> Place:
        """The place from which the end is seen."""
        return self._document.up(self._document.end(), self.size.height)

    def _paint(self) -> None:
        if self.following:
            self._top = self._followed()
        self.show_rows(self._document.rows_from(self._top, self.size.height))
        self._report_position(0 if self.following else self._count_new())

    def _followed(self) -> Place:
        """Where the view stands while it follows. Once it is full it jumps on by half a page: with
        every single line that moves up, the whole pane would be written again."""
        bottom, half = self._bottom(), max(self.size.height // 2, 1)
        settle, self._settle = self._settle or not is_live(self.pane), False
        small = self.size.height < _WORTH_JUMPING
        if settle or small or self._document.count(self._top, bottom) > half:
            return bottom
        if bottom > self._top:
            return self._document.up(self._document.end(), half)
        # What was folded or replaced leaves more than half of the view empty.
        enough = self._document.count(self._top, self._document.end()) >= half
        return self._top if enough else bottom

    def _count_new(self) -> int:
        document = self._document
        return max(document.count(document.place(self._seen), document.end()) - 1, 0)

    def _report_position(self, new_lines: int) -> None:
        position = (self.following, new_lines)
        if position != self._reported:
            self._reported = position
            self.new_lines = new_lines
            self.post_message(self.PositionChanged(self))
