"""The panes side by side, one of them zoomed, or named on tiles or tabs where there is no room.

Places panes; does not know what is in them.
"""

from bisect import bisect_right
from itertools import accumulate

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.events import Click
from textual.geometry import NULL_OFFSET, Region, Size, Spacing
from textual.layout import ArrangeResult, Layout, WidgetPlacement
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Static

from streamtui.ui.border_text import phase_role, tile_lines
from streamtui.ui.clock import Clock
from streamtui.ui.desk import Desk
from streamtui.ui.paint import Painted
from streamtui.ui.pane import Pane
from streamtui.ui.state import GLYPHS
from streamtui.ui.tiling import Plan, plan
from streamtui.ui.words import Words, shorten

TAB_NAME_CELLS = 16
STARTING = "Starting …"
NOTHING_OPEN = "No pane is open.\n\nctrl+n opens one · alt+u brings back the one closed last"


class Tabs(Painted):
    """One row that names all panes, drawn where only one of them can be seen."""

    DEFAULT_CSS = """
    Tabs {
        height: 1;
        width: 1fr;
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._labels: list[tuple[str, str]] = []
        self._current = 0

    def show(self, labels: list[tuple[str, str]], current: int) -> None:
        """Draw these tabs, each a text with its role; does nothing when they are the same."""
        if (labels, current) != (self._labels, self._current):
            self._labels, self._current = labels, current
            self.refresh()

    def render_line(self, y: int) -> Strip:  # noqa: ARG002
        """All tabs, scrolled so far that the current one is in view."""
        words: Words = []
        for place, (text, role) in enumerate(self._labels):
            here = place == self._current
            words += [(f" {text} ", f"{role} reverse" if here else role), ("│", "pane-border")]
        start, width = self._start, self.size.width
        return self.paint(words, start + width).crop(start, start + width)

    def place_at(self, x: int) -> int | None:
        """Whose tab is in a column; None where there is none."""
        place = bisect_right(self._ends, x + self._start)
        return place if place < len(self._labels) else None

    @property
    def _ends(self) -> list[int]:
        """The column after each tab, had they all the room that they want."""
        return list(accumulate(cell_len(text) + 3 for text, _role in self._labels))

    @property
    def _start(self) -> int:
        """How many columns lie to the left of what is seen."""
        ends = self._ends
        return max(0, ends[self._current] - self.size.width) if ends else 0


class Tiles(Painted):
    """All panes in as few rows and columns as they can be named in."""

    DEFAULT_CSS = """
    Tiles {
        width: 1fr;
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[Words] = []

    def show(self, rows: list[Words]) -> None:
        """Draw these rows; those that are the same are left alone."""
        before, self._rows = self._rows, rows
        width = self.size.width
        if len(before) != len(rows):
            self.refresh()
        elif changed := [y for y, row in enumerate(rows) if row != before[y]]:
            self.refresh(*(Region(0, y, width, 1) for y in changed))

    def render_line(self, y: int) -> Strip:
        """A row of tiles."""
        return self.paint(self._rows[y] if y < len(self._rows) else [], self.size.width)


class _Places(Layout):
    """Textual's view of the plan: tabs or tiles, and each pane in its region."""

    name = "places"

    def __init__(self, grid: "Grid") -> None:
        self._grid = grid

    def arrange(
        self,
        parent: Widget,  # noqa: ARG002
        children: list[Widget],
        size: Size,
        greedy: bool = True,  # noqa: ARG002, FBT001, FBT002
    ) -> ArrangeResult:
        regions = self._grid.regions_for(size)
        return [
            WidgetPlacement(regions[child], NULL_OFFSET, Spacing(), child)
            for child in children
            if child in regions
        ]


class Grid(Container):
    """All open panes, in the desk's order and layout."""

    DEFAULT_CSS = """
    Grid {
        height: 1fr;
        width: 1fr;
    }
    """

    class Named(Message):
        """A pane was clicked where it is only named."""

        def __init__(self, session_id: str) -> None:
            super().__init__()
            self.session_id = session_id

    def __init__(self, desk: Desk, clock: Clock) -> None:
        super().__init__(id="grid")
        self._desk = desk
        self._clock = clock
        self._places = _Places(self)
        self._plan = Plan([])
        """Where everything stands at present."""
        self.panes: dict[str, Pane] = {}
        self.tabs = Tabs()
        self.tiles = Tiles()
        self.nothing = Static(Content(STARTING), id="nothing-open")
        self.has_begun = False
        """The panes of the beginning are there."""

    def compose(self) -> ComposeResult:
        """What names panes; they themselves are mounted when sessions open."""
        yield self.tabs
        yield self.tiles
        yield self.nothing

    def begin(self) -> None:
        """What was to be opened first is open: if that is nothing, the user may open something."""
        self.nothing.update(Content(NOTHING_OPEN))
        self.has_begun = True

    @property
    def layout(self) -> Layout:
        """Always the plan's, whatever the style sheet says."""
        return self._places

    @property
    def current(self) -> Pane | None:
        """The pane that `this` means."""
        return self.panes.get(self._desk.current)

    @property
    def in_order(self) -> list[Pane]:
        """The open panes by their numbers."""
        return [self.panes[session_id] for session_id in self._desk.order]

    @property
    def tabbed(self) -> bool:
        """Whether the panes are named in a row of tabs, and only the current one can be seen."""
        return self._plan_for(self.size).tabbed

    @property
    def as_asked(self) -> bool:
        """Whether there is room for the layout that was chosen."""
        return self._plan_for(self.size).as_asked

    async def add(self, *panes: Pane) -> None:
        """Show more panes."""
        self.panes.update({pane.state.session_id: pane for pane in panes})
        await self.mount_all(panes)
        for pane in panes:
            self.call_after_refresh(pane.fit)

    async def discard(self, session_id: str) -> Pane:
        """Take a pane away; its state lives on."""
        pane = self.panes.pop(session_id)
        await pane.remove()
        return pane

    def arrange_again(self) -> None:
        """The desk has changed: numbers, current pane, layout or zoom."""
        numbers = self._desk.numbers()
        for session_id, pane in self.panes.items():
            pane.number = numbers[session_id]
            pane.marked = session_id in self._desk.marked
            pane.set_current(current=session_id == self._desk.current)
        self._follow_plan()
        self.refresh(layout=True)

    def on_resize(self) -> None:
        """Panes may have become tiles, or tiles panes."""
        self._follow_plan()

    def on_click(self, event: Click) -> None:
        """A tab or a tile stands for its pane."""
        wall, (x, y) = self._plan.wall, event.screen_offset - self.region.offset
        if wall is None or not wall.region.contains(x, y):
            return
        place: int | None
        if self._plan.tabbed:
            place = self.tabs.place_at(x)
        else:
            tiles = wall.tiles(len(self._desk.order))
            place = next((n for n, tile in enumerate(tiles) if tile.contains(x, y)), None)
        if place is not None:
            self.post_message(self.Named(self._desk.order[place]))

    def _follow_plan(self) -> None:
        """Show what the plan places, in the way it says. The places themselves are the layout's."""
        found = self._plan = self._plan_for(self.size)
        for pane, spot in zip(self.in_order, found.spots, strict=True):
            pane.display = spot is not None
            if spot is not None:
                pane.set_framed(framed=spot.framed)
        self.tabs.display = found.tabbed
        self.tiles.display = found.wall is not None and not found.tabbed
        self.nothing.display = not self._desk.order
        self.update_tabs()

    def update_tabs(self) -> None:
        """Bring the tab row or the tiles up to date, where there are any."""
        if self.tabs.display:
            labels = [_label(pane) for pane in self.in_order]
            self.tabs.show(labels, self._desk.number(self._desk.current) - 1)
        if self.tiles.display:
            self.tiles.show(self._tile_rows())

    def _tile_rows(self) -> list[Words]:
        """All tiles, row by row of the screen."""
        panes, wall = self.in_order, self._plan.wall
        if wall is None or len(panes) != len(self._plan.spots):
            return []
        now = self._clock.mono()
        endpoints = {pane.state.endpoint for pane in panes}
        rows: list[Words] = [[] for _ in range(wall.region.height)]
        for pane, tile in zip(panes, wall.tiles(len(panes)), strict=True):
            for y, words in enumerate(
                _tile(pane, now, tile.width, wall.lines, only_models=len(endpoints) == 1)
            ):
                rows[tile.y - wall.region.y + y] += words
        return rows

    def neighbour_of_current(self, dx: int, dy: int) -> str:
        """The session beside the current one in a direction; as tabs, the next or previous one."""
        place = self._desk.number(self._desk.current) - 1
        return self._desk.order[self._plan_for(self.size).neighbour(place, dx, dy)]

    def regions_for(self, size: Size) -> dict[Widget, Region]:
        """Where panes go, and what names them."""
        if not self._desk.order:
            return {self.nothing: Region(0, 0, size.width, size.height)}
        found = self._plan_for(size)
        placed: dict[Widget, Region] = {
            pane: spot.region
            for pane, spot in zip(self.in_order, found.spots, strict=True)
            if spot is not None
        }
        if found.wall is not None:
            placed[self.tabs if found.tabbed else self.tiles] = found.wall.region
        return placed

    def _plan_for(self, size: Size) -> Plan:
        desk = self._desk
        place = desk.number(desk.current) - 1
        return plan(desk.layout, len(desk.order), place, size, zoomed=desk.zoomed)


def _label(pane: Pane) -> tuple[str, str]:
    name = shorten(pane.name_on_tab, TAB_NAME_CELLS)
    mark = "◆" if pane.marked else ""
    glyph = GLYPHS[pane.state.phase]
    return f"{mark}{pane.number} {glyph} {name}", phase_role(pane.state.phase)


def _tile(pane: Pane, now: float, width: int, lines: int, *, only_models: bool) -> list[Words]:
    """A pane in so many cells, with a mark or a blank before."""
    number = f"{pane.number:>2}"
    found = tile_lines(pane.state, number, now, width - 1, lines, with_endpoint=not only_models)
    mark = "◆" if pane.marked else " "
    if pane.has_class("-current"):
        return [[(f"{mark}{_text(words)}", "pane-border-focus reverse")] for words in found]
    return [[(mark, "target-marked"), *words] for words in found]


def _text(words: Words) -> str:
    return "".join(text for text, _role in words)
