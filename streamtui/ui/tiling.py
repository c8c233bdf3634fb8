"""Where each pane goes: pure arithmetic on rectangles, without a gap and without a remainder.

A pane below the usable size is never made: the layout then becomes tabs.
"""

import itertools
from math import ceil

from textual.geometry import Region, Size

MIN_WIDTH = 24
"""Cells: a border with number, name and state still fits."""
MIN_HEIGHT = 5
"""Rows: a border and three lines of text."""
BEST_SHAPE = 2.8
"""Width to height in cells. A cell is twice as tall as wide, so that is a lying rectangle."""
READABLE_WIDTH = 40
"""Cells: narrower text is broken too often."""
MAIN_SHARE = 0.6


def tile(layout: str, count: int, current: int, size: Size) -> list[Region] | None:
    """Regions for `count` panes, in order; None where the current one is all that fits.

    `layout` is one of `desk.LAYOUTS`; `current` counts from 0.
    """
    if count == 0:
        return []
    if count == 1:
        return [Region(0, 0, size.width, size.height)]
    regions = _arrange(layout, count, current, size)
    if regions is None or any(not _usable(region) for region in regions):
        return None
    return regions


def neighbour(regions: list[Region], current: int, dx: int, dy: int) -> int:
    """The pane beside another one in a direction; the same one where there is none."""
    here = regions[current]
    found = [
        (_distance(here, region, dx, dy), place)
        for place, region in enumerate(regions)
        if place != current and _lies_beside(here, region, dx, dy)
    ]
    return min(found)[1] if found else current


def _usable(region: Region) -> bool:
    return region.width >= MIN_WIDTH and region.height >= MIN_HEIGHT


def _arrange(layout: str, count: int, current: int, size: Size) -> list[Region] | None:
    match layout:
        case "columns":
            return _rows_of([count], size)
        case "rows":
            return _rows_of([1] * count, size)
        case "main":
            return _main_and_stack(count, current, size)
        case "grid":
            return _rows_of(_grid_rows(count, size), size)
        case _:
            return None


def _grid_rows(count: int, size: Size) -> list[int]:
    """How many panes stand in each row, for panes of the best shape."""
    best = min(range(1, count + 1), key=lambda columns: _badness(columns, count, size))
    rows = ceil(count / best)
    return [len(range(row, count, rows)) for row in range(rows)]


def _badness(columns: int, count: int, size: Size) -> tuple[int, float]:
    rows = ceil(count / columns)
    width, height = size.width / columns, size.height / rows
    if width < MIN_WIDTH or height < MIN_HEIGHT:
        return 1, columns
    shape = width / height
    wrong_shape = max(shape / BEST_SHAPE, BEST_SHAPE / shape)
    too_narrow = max(0.0, READABLE_WIDTH - width) / 8
    uneven = 0.6 if rows * columns != count else 0.0
    return 0, wrong_shape + too_narrow + uneven


def _rows_of(rows: list[int], size: Size) -> list[Region]:
    regions = []
    for (y, height), columns in zip(_split(size.height, len(rows)), rows, strict=True):
        regions += [Region(x, y, width, height) for x, width in _split(size.width, columns)]
    return regions


def _main_and_stack(count: int, current: int, size: Size) -> list[Region]:
    width = round(size.width * MAIN_SHARE)
    stack = [
        Region(width, y, size.width - width, height) for y, height in _split(size.height, count - 1)
    ]
    stack.insert(current, Region(0, 0, width, size.height))
    return stack


def _split(length: int, parts: int) -> list[tuple[int, int]]:
    """Start and length of each part; the parts that get one more are spread evenly."""
    edges = [length * part // parts for part in range(parts + 1)]
    return [(start, end - start) for start, end in itertools.pairwise(edges)]


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
