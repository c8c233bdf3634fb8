"""One session on screen: a window on its document, which follows the end or stands still."""

from textual.geometry import Size
from textual.message import Message

from streamtui.ui.document import Bookmark, Document, Place
from streamtui.ui.lines import LineView
from streamtui.ui.pane_state import PaneState, Turn, is_live
from streamtui.ui.search import Search, Standing

_WORTH_JUMPING = 4
"""Rows from which on a view jumps; a smaller one costs little and needs all its room."""
_MEASURED_AT_ONCE = 8
"""Blocks that are laid out in one go only to count their rows."""
_MEASURE_SECONDS = 0.1
SCAN_PAUSE = 0.04
"""Left to keys while words are looked for in a long text."""


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

    class TextWanted(Message):
        """A turn is looked at whose text is not in memory."""

        def __init__(self, pane: PaneState, turn: Turn) -> None:
            super().__init__()
            self.pane = pane
            self.turn = turn

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
        self._room = Size(0, 0)
        """What it was laid out for."""
        self._top = self._document.start()
        self._seen: Bookmark | None = None
        """The last row there was when the view was frozen."""
        self._wanted: Bookmark | None = None
        """Where the view is to stand once there is room to lay anything out."""
        self._reported: tuple[bool, int, str, Standing | None] = (True, 0, "", None)
        self._settle = True
        """The next look at the end fills the view."""
        self._measuring = False
        """A timer runs that counts on."""
        self._came_up = False
        """The view was moved upwards last."""
        self._asked_for: list[Turn] = []
        """The turns in view whose text is not in memory."""
        self._search: Search | None = None
        self._origin: Bookmark | None = None
        """What stood in the first row before words were looked for."""
        self._unfolded = False
        """Reasoning is shown only because words were found in it."""
        self._scanning = False
        """A timer runs that looks on for words."""

    def update(self) -> None:
        """Show what the pane's state has gained since the last call."""
        self.fit()
        if self._document.width:
            self._lay_out(self._document.width)

    def fit(self) -> None:
        """Wrap again if there is other room, of which Textual may not have told us; a frozen view
        keeps the text in its top row."""
        if self.outer_size != self._room:
            self._room = self.outer_size
            self._settle = True
            self._lay_out(self._room.width)

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

    @property
    def row_count(self) -> int:
        """How many rows are in memory."""
        return self._document.row_count

    @property
    def turn_in_view(self) -> int | None:
        """The turn that stands in the first row; None while the end is followed."""
        return None if self.following else self._document.turn_at(self._top)

    def answer_lines_in_view(self) -> dict[int, set[int]]:
        """By turn, the lines of its answer of which some row is seen."""
        return self._document.answer_lines(self._top, self.size.height)

    def toggle_reasoning(self) -> None:
        """Unfold the reasoning of all turns, or fold it again."""
        self._unfolded = False
        self._document.unfold(shown=not self._document.show_reasoning)
        self.update()

    def on_resize(self) -> None:
        """There may be other room."""
        self.fit()

    def _lay_out(self, width: int, renewed: Turn | None = None) -> None:
        document = self._document
        top, below = self._anchor()
        if renewed is not None:
            document.renew(renewed)
        document.width = width
        document.sync(may_fold=self.following)
        if top is not None:
            self._top = document.up(document.place(top), below)
        self._scan()
        wanted, self._wanted = self._wanted, None
        if wanted is None:
            self._paint()
        else:
            self._go_to(document.place(wanted))

    def _anchor(self) -> tuple[Bookmark | None, int]:
        """What stays where it is, and how many rows below the top: where text comes back upon
        which one came from below, it is what follows that. Nothing where the top stays anyway."""
        document = self._document
        if self.following:
            may_move = document.may_be_replaced(self._top)
            return (document.bookmark(self._top) if may_move else None), 0
        absent = document.absent(self._top, self._last_seen)
        below = Place(absent[-1] + 1, 0) if absent and self._came_up else self._top
        if below.block >= len(document.blocks):
            below = self._top
        return document.bookmark(below), document.count(self._top, below)

    @property
    def _last_seen(self) -> Place:
        return self._document.down(self._top, max(self.size.height - 1, 0))

    def _ask_for_absent(self, last: Place) -> None:
        absent = self._document.absent(self._top, last)
        wanted = [self._document.turn(index) for index in absent]
        for turn in wanted:
            # Where it could not be had, it is asked for again when it comes into view again.
            if not any(turn is before for before in self._asked_for):
                self.post_message(self.TextWanted(self.pane, turn))
        self._asked_for = wanted

    def is_seen(self, turn: Turn) -> bool:
        """Whether something of a turn is in view."""
        first, last = self._top.block, self._last_seen.block
        seen = range(first, min(last + 1, len(self._document.blocks)))
        return any(self._document.turn(index) is turn for index in seen)

    def renew(self, turn: Turn) -> None:
        """Show that the text of a turn went, or came back."""
        if self._document.width:
            self._lay_out(self._document.width, turn)

    def scroll_rows(self, delta: int) -> None:
        """Move the view; upwards freezes it, reaching the end follows again."""
        self._came_up = delta < 0
        if delta < 0:
            self._go_to(self._document.up(self._top, -delta))
        elif not self.following:
            self._go_to(self._document.down(self._top, delta))

    def scroll_home(self, *_args: object, **_options: object) -> None:
        """Show the beginning."""
        self._came_up = False
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
        self._freeze()
        self._top = place
        self._paint()

    def _freeze(self) -> None:
        """Follow no more, and count what comes from now on."""
        if self.following:
            self._seen = self._document.bookmark(self._document.up(self._document.end(), 1))
            self.following = False

    def _bottom(self) -> Place:
        """The place from which the end is seen."""
        return self._document.up(self._document.end(), self.size.height)

    def _paint(self) -> None:
        if self.following:
            self._top = self._followed()
        rows = self._document.rows_from(self._top, self.size.height)
        self.show_rows(self._search.paint(rows, self._top) if self._search else rows)
        last = self._last_seen
        self._document.forget_far(self._top, last)
        self._report_position(0 if self.following else self._count_new())
        self._ask_for_absent(last)

    def _followed(self) -> Place:
        """Where the view stands while it follows. Once it is full it jumps on by half a page: with
        every single line that moves up, the whole pane would be written again."""
        bottom, half = self._bottom(), max(self.size.height // 2, 1)
        settle, self._settle = self._settle or not is_live(self.pane), False
        small = self.size.height < _WORTH_JUMPING
        if settle or small or self._document.are_apart(self._top, bottom, half):
            return bottom
        if bottom > self._top:
            return self._document.up(self._document.end(), half)
        # What was folded or replaced leaves more than half of the view empty.
        enough = self._document.are_apart(self._top, self._document.end(), half - 1)
        return self._top if enough else bottom

    def _count_new(self) -> int:
        document = self._document
        count, certain = document.roughly(
            document.place(self._seen), document.end(), _MEASURED_AT_ONCE
        )
        if not certain and not self._measuring:
            self._measuring = True
            self.set_timer(_MEASURE_SECONDS, self._measure)
        return max(count - 1, 0)

    def _measure(self) -> None:
        """Count on, a little at a time, after a resize."""
        self._measuring = False
        if not self.following:
            self._report_position(self._count_new())
            self._document.forget_far(self._top, self._last_seen)

    def _report_position(self, new_lines: int) -> None:
        position = (self.following, new_lines, self.searched, self.found)
        if position != self._reported:
            self._reported = position
            self.new_lines = new_lines
            self.post_message(self.PositionChanged(self))

    # Words that are looked for

    @property
    def searched(self) -> str:
        """The words that are looked for; empty when none are."""
        return self._search.term if self._search else ""

    @property
    def found(self) -> Standing | None:
        """How the search stands; None without one."""
        return self._search.standing if self._search else None

    def find(self, term: str) -> None:
        """Set words off and go to the first of them, from where the view stood before the search.

        The view then stands still. Folded reasoning is unfolded where they are in it.
        """
        if not self._document.width:
            return
        if self._search is None:
            self._origin = self._document.bookmark(self._top)
        self._search = Search(self._document, term)
        self._unfold_where_found(self._search)
        self._go_to_hit(self._search.first(self._document.place(self._origin)))

    def find_next(self, by: int = 1) -> None:
        """Go to the next place where the words are, or with -1 to the one before."""
        if self._search is not None:
            self._go_to_hit(self._search.step(by))

    def end_search(self) -> None:
        """Nothing is set off any more; the view stays where it is."""
        if self._search is None:
            return
        self._search = None
        if self._unfolded:
            self._unfolded = False
            self._document.unfold(shown=False)
        self.update()
        if self._top >= self._bottom():
            self.follow()

    def _unfold_where_found(self, search: Search) -> None:
        if any(search.may_be_in(text) and search.is_in(text) for text in self._document.hidden):
            self._unfolded = True
            self._document.unfold(shown=True)
            self.update()

    def _go_to_hit(self, place: Place | None) -> None:
        if place is not None:
            document, height = self._document, self.size.height
            self._freeze()
            if not self._top <= place < document.down(self._top, height):
                self._top = document.up(place, height // 3)
            self._top = min(self._top, self._bottom())
        self._scan()
        self._paint()

    def _scan(self) -> None:
        """Look for words in what is new, a little at a time."""
        if self._search and not self._search.scan() and not self._scanning:
            self._scanning = True
            self.set_timer(SCAN_PAUSE, self._scan_on)

    def _scan_on(self) -> None:
        self._scanning = False
        self._scan()
        self._report_position(self.new_lines)
