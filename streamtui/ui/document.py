"""A session's turns as one long column of rows, of which only those asked for are laid out.

Pure: no Textual. Rows are found by place; a place is kept over a new layout as a bookmark.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from streamtui.ui.blocks import Block
from streamtui.ui.pane_state import PaneState
from streamtui.ui.rows import Row
from streamtui.ui.turn_view import Spot, TurnView

TURN_GAP = 2
"""Blank rows between turns."""


class Place(NamedTuple):
    """A row of the document; comparable."""

    block: int
    row: int


class Bookmark(NamedTuple):
    """A place by what stands there."""

    turn: int
    spot: Spot
    lead: int
    """So many rows stand between the place and the row that the spot names."""


class Document:
    """All turns of a pane."""

    def __init__(self, pane: PaneState) -> None:
        self.width = 0
        self.show_reasoning = False
        self._pane = pane
        self._views: list[TurnView] = []
        self._starts: list[int] = []
        """Where the blocks of each turn begin."""
        self._blocks: list[Block] = []
        self._settled = 0
        """So many turns, from the first, need no further look."""

    def sync(self, *, may_fold: bool) -> None:
        """Take what the pane's state has gained; only turns still open are looked at."""
        for turn in self._pane.turns[len(self._views) :]:
            self._views.append(TurnView(turn, gap=TURN_GAP if self._views else 0))
        del self._starts[self._settled :]
        del self._blocks[self._first_open_block() :]
        for view in self._views[self._settled :]:
            view.sync(may_fold=may_fold, show_reasoning=self.show_reasoning)
            self._starts.append(len(self._blocks))
            self._blocks += view.blocks
        # The last turn is never settled: it may be asked again.
        while self._settled < len(self._views) - 1 and self._views[self._settled].is_closed:
            self._settled += 1

    def _first_open_block(self) -> int:
        if not self._settled:
            return 0
        last = self._settled - 1
        return self._starts[last] + len(self._views[last].blocks)

    def unfold(self, *, shown: bool) -> None:
        """Show the reasoning of all turns, or fold it; takes effect with the next `sync`."""
        self.show_reasoning = shown
        self._settled = 0

    def start(self) -> Place:
        return Place(0, 0)

    def end(self) -> Place:
        """The place after the last row."""
        if not self._blocks:
            return Place(0, 0)
        return Place(len(self._blocks) - 1, len(self._rows(len(self._blocks) - 1)))

    def rows_from(self, place: Place, count: int) -> list[Row]:
        found: list[Row] = []
        index, row = place
        while index < len(self._blocks) and len(found) < count:
            found += self._rows(index)[row : row + count - len(found)]
            index, row = index + 1, 0
        return found

    def up(self, place: Place, count: int) -> Place:
        """The place `count` rows before, or the start."""
        index, row = place
        while count > row and index > 0:
            count -= row
            index -= 1
            row = len(self._rows(index))
        return Place(index, max(row - count, 0))

    def down(self, place: Place, count: int) -> Place:
        """The place `count` rows after, or the end."""
        index, row = place
        while index < len(self._blocks):
            size = len(self._rows(index))
            if row + count < size:
                return Place(index, row + count)
            count -= size - row
            index, row = index + 1, 0
        return self.end()

    def count(self, first: Place, last: Place) -> int:
        """How many rows lie between two places."""
        if last <= first:
            return 0
        between = sum(len(self._rows(index)) for index in range(first.block, last.block))
        return between - first.row + last.row

    def bookmark(self, place: Place) -> Bookmark | None:
        """What stands at a place; None when there is nothing."""
        if not self._blocks:
            return None
        turn = bisect_right(self._starts, place.block) - 1
        spot = self._views[turn].spot(place.block - self._starts[turn], place.row, self.width)
        named = self._find(turn, spot)
        return Bookmark(turn, spot, self.count(place, named) - self.count(named, place))

    def place(self, bookmark: Bookmark | None) -> Place:
        """Where what was bookmarked stands now."""
        if bookmark is None or bookmark.turn >= len(self._views):
            return self.start()
        named = self._find(bookmark.turn, bookmark.spot)
        if bookmark.lead < 0:
            return self.down(named, -bookmark.lead)
        return self.up(named, bookmark.lead)

    def _find(self, turn: int, spot: Spot) -> Place:
        block, row = self._views[turn].locate(spot, self.width)
        return Place(self._starts[turn] + block, row)

    def _rows(self, index: int) -> Sequence[Row]:
        return self._blocks[index].rows(self.width)
