"""The panes side by side, one of them zoomed, or as tabs where there is no room for all.

Places panes; does not know what is in them.
"""

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.geometry import NULL_OFFSET, Region, Size, Spacing
from textual.layout import ArrangeResult, Layout, WidgetPlacement
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Static

from streamtui.ui.border_text import shorten
from streamtui.ui.desk import Desk
from streamtui.ui.paint import Painted, Words
from streamtui.ui.pane import Pane
from streamtui.ui.state import GLYPHS
from streamtui.ui.tiling import neighbour, tile

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
        right = 0
        for place, (text, role) in enumerate(self._labels):
            here = place == self._current
            words += [(f" {text} ", f"{role} reverse" if here else role), ("│", "pane-border")]
            if place <= self._current:
                right += cell_len(text) + 3
        width = self.size.width
        start = max(0, right - width)
        return self.paint(words, start + width).crop(start, start + width)


class _Tiles(Layout):
    """Textual's view of the tiling: the tab row first, then each pane in its region."""

    name = "tiles"

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

    def __init__(self, desk: Desk) -> None:
        super().__init__(id="grid")
        self._desk = desk
        self._tiles = _Tiles(self)
        self.panes: dict[str, Pane] = {}
        self.tabs = Tabs()
        self.nothing = Static(Content(STARTING), id="nothing-open")

    def compose(self) -> ComposeResult:
        """The tab row; panes are mounted when sessions open."""
        yield self.tabs
        yield self.nothing

    def begin(self) -> None:
        """What was to be opened first is open: if that is nothing, the user may open something."""
        self.nothing.update(Content(NOTHING_OPEN))

    @property
    def layout(self) -> Layout:
        """Always the tiling, whatever the style sheet says."""
        return self._tiles

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
        """Whether only the current pane can be seen."""
        return self._all_regions(self.size) is None

    async def add(self, *panes: Pane) -> None:
        """Show more panes."""
        self.panes.update({pane.state.session_id: pane for pane in panes})
        await self.mount_all(panes)

    async def discard(self, session_id: str) -> Pane:
        """Take a pane away; its state lives on."""
        pane = self.panes.pop(session_id)
        await pane.remove()
        return pane

    def arrange_again(self) -> None:
        """The desk has changed: numbers, current pane, layout or zoom."""
        numbers = self._desk.numbers()
        tabbed = self.tabbed
        for session_id, pane in self.panes.items():
            pane.number = numbers[session_id]
            pane.marked = session_id in self._desk.marked
            pane.set_current(current=session_id == self._desk.current)
            pane.display = not tabbed or session_id == self._desk.current
        self.tabs.display = tabbed
        self.nothing.display = not self._desk.order
        self.update_tabs()
        self.refresh(layout=True)

    def on_resize(self) -> None:
        """Tiles may have become tabs, or tabs tiles."""
        self.arrange_again()

    def update_tabs(self) -> None:
        """Bring the tab row up to date, where there is one."""
        if self.tabs.display:
            labels = [_label(pane) for pane in self.in_order]
            self.tabs.show(labels, self._desk.number(self._desk.current) - 1)

    def neighbour_of_current(self, dx: int, dy: int) -> str:
        """The session beside the current one in a direction; as tabs, the next or previous one."""
        order = self._desk.order
        place = self._desk.number(self._desk.current) - 1
        regions = self._all_regions(self.size)
        if regions is None:
            return order[(place + dx + dy) % len(order)]
        return order[neighbour(regions, place, dx, dy)]

    def regions_for(self, size: Size) -> dict[Widget, Region]:
        """Where the tab row and the panes go."""
        regions = self._all_regions(size)
        if regions:
            return dict(zip(self.in_order, regions, strict=True))
        if not self._desk.order:
            return {self.nothing: Region(0, 0, size.width, size.height)}
        placed: dict[Widget, Region] = {self.tabs: Region(0, 0, size.width, 1)}
        if self.current is not None:
            placed[self.current] = Region(0, 1, size.width, max(0, size.height - 1))
        return placed

    def _all_regions(self, size: Size) -> list[Region] | None:
        """A region for each pane; None where they are tabs."""
        desk = self._desk
        if desk.zoomed and len(desk.order) > 1:
            return None
        return tile(desk.layout, len(desk.order), desk.number(desk.current) - 1, size)


def _label(pane: Pane) -> tuple[str, str]:
    state = pane.state
    name = shorten(pane.name_on_tab, TAB_NAME_CELLS)
    mark = "◆" if pane.marked else ""
    role = f"state-{state.phase.replace(' ', '-')}"
    return f"{mark}{pane.number} {GLYPHS[state.phase]} {name}", role
