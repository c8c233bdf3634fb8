"""Where each pane goes: pure arithmetic on rectangles, without a gap and without a remainder.

A pane too small to be read is never made: all are then named on a wall of tiles, or in a row of
tabs, and the current one is read beside it.
"""

from math import ceil
from typing import NamedTuple

from textual.geometry import Region, Size

MIN_WIDTH = 20
"""Cells: a title with number, name and age, and words that are not broken too often."""
MIN_HEIGHT = 4
"""Rows: a title and three lines of text."""
FRAMED_WIDTH = 28
FRAMED_HEIGHT = 6
"""From this size on a pane may have a frame; below, its text needs the room more."""
LEAST_FRAME = Size(12, 4)
"""A pane that is alone has a frame from this size on."""
BEST_SHAPE = 3.0
"""Width to height in cells. A cell is twice as tall as wide, so that is a lying rectangle."""
PLEASANT_WIDTH = 60
READABLE_WIDTH = 40
"""Cells: narrower text is less pleasant to read; from the second one on it is tiring."""
MAIN_SHARE = 0.6
TILE_WIDTHS = (24, 16, 10)
"""Cells of a tile: with everything it can say; with its age; with number, state and name."""
READING_ROWS = 6
"""Rows of the current pane beside a wall, at the least."""


class Spot(NamedTuple):
    """A pane's place."""

    region: Region
    framed: bool
    """Whether there is room for a frame."""


class Wall(NamedTuple):
    """Where all panes are named, in rows of tiles."""

    region: Region
    columns: int
    """0: a single row of tabs, as wide as they come."""
    lines: int = 1
    """Rows of each tile."""

    def tiles(self, count: int) -> list[Region]:
        """Where each tile is, the first at the upper left. Tabs have no places of their own."""
        across = _split(self.region.width, self.columns)
        tiles = []
        for place in range(count):
            row, column = divmod(place, self.columns)
            x, width = across[column]
            y = row * self.lines
            tiles.append(Region(self.region.x + x, self.region.y + y, width, self.lines))
        return tiles


class Plan(NamedTuple):
    """Where everything goes."""

    spots: list[Spot | None]
    """By number; None for a pane that is only named."""
    wall: Wall | None = None
    as_asked: bool = True
    """Whether that is the layout that was asked for; else there was no room for it."""

    @property
    def tabbed(self) -> bool:
        """Whether the panes are named in a row of tabs."""
        return self.wall is not None and not self.wall.columns

    def neighbour(self, current: int, dx: int, dy: int) -> int:
        """The pane beside another one in a direction; the same one where there is none."""
        count = len(self.spots)
        if self.tabbed:
            return (current + dx + dy) % count
        seen = [spot.region for spot in self.spots if spot is not None]
        places = self.wall.tiles(count) if self.wall is not None else seen
        return neighbour(places, current, dx, dy)


def plan(layout: str, count: int, current: int, size: Size, *, zoomed: bool = False) -> Plan:
    """Places for `count` panes, by number.

    `layout` is one of `desk.LAYOUTS`; `current` counts from 0.
    """
    whole = Region(0, 0, size.width, size.height)
    if count == 0:
        return Plan([])
    if count == 1:
        return Plan(_only(0, 1, whole))
    if zoomed or layout == "tabs":
        return _tabs(count, current, whole)
    if layout == "main":
        return _main_and_stack(count, current, whole)
    regions = _arrange(layout, count, whole)
    if all(map(_readable, regions)):
        return Plan(_spots(regions))
    found = _overview(count, current, whole)
    return found._replace(as_asked=layout == "grid" and not found.tabbed)


def neighbour(regions: list[Region], current: int, dx: int, dy: int) -> int:
    """The region beside another one in a direction; the same one where there is none."""
    here = regions[current]
    found = [
        (_distance(here, region, dx, dy), place)
        for place, region in enumerate(regions)
        if place != current and _lies_beside(here, region, dx, dy)
    ]
    return min(found)[1] if found else current


def _readable(region: Region) -> bool:
    return region.width >= MIN_WIDTH and region.height >= MIN_HEIGHT


def _spots(regions: list[Region]) -> list[Spot | None]:
    """Frames for all or for none: panes side by side look alike."""
    framed = all(r.width >= FRAMED_WIDTH and r.height >= FRAMED_HEIGHT for r in regions)
    return [Spot(region, framed) for region in regions]


def _arrange(layout: str, count: int, area: Region) -> list[Region]:
    match layout:
        case "columns":
            return _lattice(count, count, area)
        case "rows":
            return _lattice(count, 1, area)
        case _:
            return _lattice(count, _best_columns(count, area), area)


def _best_columns(count: int, area: Region) -> int:
    """How many panes stand side by side, for panes of the best shape."""
    return min(range(1, count + 1), key=lambda columns: _badness(columns, count, area))


def _badness(columns: int, count: int, area: Region) -> tuple[bool, float]:
    rows = ceil(count / columns)
    width, height = area.width / columns, area.height / rows
    if width < MIN_WIDTH or height < MIN_HEIGHT:
        return True, columns
    shape = width / height
    wrong_shape = max(shape / BEST_SHAPE, BEST_SHAPE / shape)
    too_narrow = max(0.0, PLEASANT_WIDTH - width) / 20 + max(0.0, READABLE_WIDTH - width) / 8
    missing = rows * columns - count
    uneven = 0.5 + missing / columns if missing else 0.0
    return False, wrong_shape + too_narrow + uneven


def _lattice(count: int, columns: int, area: Region) -> list[Region]:
    """Rows and columns that go through; what is missing in the last row, the panes above take."""
    rows = ceil(count / columns)
    across, down = _split(area.width, columns), _split(area.height, rows)
    regions = []
    for place in range(count):
        x, width = across[place % columns]
        y, height = down[place // columns]
        if place // columns == rows - 2 and place + columns >= count:
            height += down[-1][1]
        regions.append(Region(area.x + x, area.y + y, width, height))
    return regions


def _main_and_stack(count: int, current: int, whole: Region) -> Plan:
    """The current pane, and the others beside it: in a column, in several, or on a wall."""
    main, side = whole.split_vertical(round(whole.width * MAIN_SHARE))
    if not _readable(main):
        return _overview(count, current, whole)._replace(as_asked=False)
    others = count - 1
    column = _lattice(others, 1, side)
    stack = column if all(map(_readable, column)) else _arrange("grid", others, side)
    if all(map(_readable, stack)):
        spots = _spots(stack)
        spots.insert(current, Spot(main, framed=True))
        return Plan(spots)
    wall = _wall(count, side, side.height, TILE_WIDTHS[1])
    if wall is None:
        return _overview(count, current, whole)._replace(as_asked=False)
    return Plan(_only(current, count, main), wall._replace(region=side))


def _overview(count: int, current: int, whole: Region) -> Plan:
    """A wall that names all, and under it the current pane."""
    most = whole.height - READING_ROWS
    wall = _wall(count, whole, min(whole.height // 2, most), TILE_WIDTHS[1])
    wall = wall or _wall(count, whole, most, TILE_WIDTHS[2])
    if wall is None:
        return _tabs(count, current, whole)
    _above, below = whole.split_horizontal(wall.region.height)
    return Plan(_only(current, count, below), wall)


def _wall(count: int, area: Region, rows: int, least: int) -> Wall | None:
    """Tiles as wide as may be, and of two rows where there are enough; None without room."""
    for columns in range(max(1, area.width // TILE_WIDTHS[0]), area.width // least + 1):
        needed = ceil(count / columns)
        if needed <= rows:
            lines = 2 if 2 * needed <= rows else 1
            return Wall(Region(area.x, area.y, area.width, needed * lines), columns, lines)
    return None


def _tabs(count: int, current: int, whole: Region) -> Plan:
    row, below = whole.split_horizontal(1 if whole.height >= LEAST_FRAME.height else 0)
    return Plan(_only(current, count, below), Wall(row, 0))


def _only(current: int, count: int, region: Region) -> list[Spot | None]:
    spots: list[Spot | None] = [None] * count
    framed = region.width >= LEAST_FRAME.width and region.height >= LEAST_FRAME.height
    spots[current] = Spot(region, framed)
    return spots


def _split(length: int, parts: int) -> list[tuple[int, int]]:
    """Start and length of each part; the first ones get one more where they cannot be equal."""
    least, longer = divmod(length, parts)
    return [
        (place * least + min(place, longer), least + (place < longer)) for place in range(parts)
    ]


def _lies_beside(here: Region, there: Region, dx: int, dy: int) -> bool:
    if dx:
        return (there.x - here.x) * dx > 0 and (there.right - here.right) * dx > 0
    return (there.y - here.y) * dy > 0 and (there.bottom - here.bottom) * dy > 0


def _distance(here: Region, there: Region, dx: int, dy: int) -> tuple[float, float]:
    """First how far away along the direction, then how far aside."""
    if dx:
        along = there.x - here.right if dx > 0 else here.x - there.right
        return max(along, 0), abs(there.center[1] - here.center[1]) // 1
    along = there.y - here.bottom if dy > 0 else here.y - there.bottom
    return max(along, 0), abs(there.center[0] - here.center[0]) // 1
