"""A session's turns as one long column of rows, of which only those asked for are laid out.

Pure: no Textual. Rows are found by place; a place is kept over a new layout as a bookmark.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from streamtui.ui.blocks import Block
from streamtui.ui.pane_state import PaneState, Turn
from streamtui.ui.rows import Row
from streamtui.ui.turn_view import AbsentBlock, Spot, TurnView

TURN_GAP = 2
"""Blank rows between turns."""
MOST_LAID_OUT = 12
"""So many blocks keep their rows; then those are let go that are far from what is seen."""
NEAR = 2
"""Blocks before and after what is seen that keep theirs."""


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

    def further(self, characters: int) -> "Bookmark":
        """The same for a place within the row."""
        return self._replace(spot=self.spot._replace(offset=self.spot.offset + characters))


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
        self._laid_out: dict[Block, None] = {}
        """The blocks that keep rows."""

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

    def renew(self, turn: Turn) -> None:
        """The text of a turn went or came back; takes effect with the next `sync`."""
        for number, view in enumerate(self._views):
            if view.turn is turn:
                gap = TURN_GAP if number else 0
                self._views[number] = TurnView(turn, gap=gap, folded=True)
                self._settled = 0

    def absent(self, first: Place, last: Place) -> list[int]:
        """The blocks between two places that stand for text which is not in memory."""
        blocks = range(first.block, min(last.block + 1, len(self._blocks)))
        return [index for index in blocks if isinstance(self._blocks[index], AbsentBlock)]

    def turn(self, index: int) -> Turn:
        """The turn that a block is a part of."""
        return self._views[self.turn_at(Place(index, 0))].turn

    def _first_open_block(self) -> int:
        if not self._settled:
            return 0
        last = self._settled - 1
        return self._starts[last] + len(self._views[last].blocks)

    def unfold(self, *, shown: bool) -> None:
        """Show the reasoning of all turns, or fold it; takes effect with the next `sync`."""
        self.show_reasoning = shown
        self._settled = 0

    @property
    def hidden(self) -> Iterator[str]:
        """The reasoning that is folded."""
        return (view.turn.reasoning for view in self._views if view.is_folded)

    def start(self) -> Place:
        return Place(0, 0)

    def end(self) -> Place:
        """The place after the last row."""
        if not self._blocks:
            return Place(0, 0)
        last = len(self._blocks) - 1
        return Place(last, self._height(last))

    def rows_from(self, place: Place, count: int) -> list[Row]:
        found: list[Row] = []
        index, row = place
        while index < len(self._blocks) and len(found) < count:
            found += self._rows(index)[row : row + count - len(found)]
            index, row = index + 1, 0
        return found

    def turn_at(self, place: Place) -> int:
        return bisect_right(self._starts, place.block) - 1

    def answer_lines(self, place: Place, count: int) -> dict[int, set[int]]:
        """By turn, the lines of its answer that `count` rows from a place on show."""
        found: dict[int, set[int]] = {}
        index, row = place
        while index < len(self._blocks) and count > 0:
            rows = self._rows(index)[row : row + count]
            if self._blocks[index].kind == "answer":
                lines = {each.line for each in rows if each.line >= 0}
                found.setdefault(self.turn_at(Place(index, 0)), set()).update(lines)
            count -= len(rows)
            index, row = index + 1, 0
        return found

    def up(self, place: Place, count: int) -> Place:
        """The place `count` rows before, or the start."""
        index, row = place
        while count > row and index > 0:
            count -= row
            index -= 1
            row = self._height(index)
        return Place(index, max(row - count, 0))

    def down(self, place: Place, count: int) -> Place:
        """The place `count` rows after, or the end."""
        index, row = place
        while index < len(self._blocks):
            size = self._height(index)
            if row + count < size:
                return Place(index, row + count)
            count -= size - row
            index, row = index + 1, 0
        return self.end()

    def count(self, first: Place, last: Place) -> int:
        """How many rows lie between two places."""
        if last <= first:
            return 0
        between = sum(self._height(index) for index in range(first.block, last.block))
        return between - first.row + last.row

    def are_apart(self, first: Place, last: Place, rows: int) -> bool:
        """Whether more than so many rows lie between two places; looks no further than needed."""
        found = -first.row
        for index in range(first.block, last.block):
            found += self._height(index)
            if found > rows:
                return True
        return first < last and found + last.row > rows

    def roughly(self, first: Place, last: Place, exact: int) -> tuple[int, bool]:
        """How many rows lie between two places, and whether that is certain: only so many blocks
        are laid out for it, the others guessed."""
        if last <= first:
            return 0, True
        found = last.row - first.row
        certain = True
        for index in reversed(range(first.block, last.block)):
            block = self._blocks[index]
            if block.is_measured(self.width) or exact > 0:
                exact -= not block.is_measured(self.width)
                found += self._height(index)
            else:
                found += block.rough_height(self.width)
                certain = False
        return found, certain

    def bookmark(self, place: Place) -> Bookmark | None:
        """What stands at a place; None when there is nothing."""
        if not self._blocks:
            return None
        turn = self.turn_at(place)
        spot = self._views[turn].spot(place.block - self._starts[turn], place.row, self.width)
        named = self._find(turn, spot)
        return Bookmark(turn, spot, self.count(place, named) - self.count(named, place))

    def may_be_replaced(self, place: Place) -> bool:
        """Whether the block at a place, or one before it, is not closed."""
        return bool(self._views) and place.block - self._starts[-1] >= self._views[-1].first_open

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
        place = Place(self._starts[turn] + block, row)
        self._laid_out[self._blocks[place.block]] = None
        return place

    def _rows(self, index: int) -> Sequence[Row]:
        block = self._blocks[index]
        self._laid_out[block] = None
        return block.rows(self.width)

    def _height(self, index: int) -> int:
        block = self._blocks[index]
        if not block.is_measured(self.width):
            self._laid_out[block] = None
        return block.height(self.width)

    @property
    def blocks(self) -> Sequence[Block]:
        """What all turns are made of, from top to bottom."""
        return self._blocks

    def look_at(self, index: int) -> Sequence[Row]:
        """The rows of a block, for somebody who does not show them."""
        block = self._blocks[index]
        if block in self._laid_out:
            return block.rows(self.width)
        rows = block.rows(self.width)
        block.forget()
        return rows

    def forget_far(self, first: Place, last: Place) -> None:
        """Let go of rows that are far from what is seen, and not at the end."""
        if len(self._laid_out) <= MOST_LAID_OUT:
            return
        near = self._blocks[max(first.block - NEAR, 0) : last.block + NEAR + 1]
        kept = dict.fromkeys([*near, *self._blocks[-NEAR:]])
        for block in self._laid_out:
            if block not in kept:
                block.forget()
        self._laid_out = {block: None for block in self._laid_out if block in kept}

    @property
    def row_count(self) -> int:
        """How many rows are kept in memory."""
        return sum(block.row_count for block in self._laid_out)
