"""Where panes, tiles and tabs go."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.geometry import Region, Size

from streamtui.ui.desk import LAYOUTS
from streamtui.ui.tiling import (
    FRAMED_HEIGHT,
    FRAMED_WIDTH,
    MIN_HEIGHT,
    MIN_WIDTH,
    READING_ROWS,
    Plan,
    Spot,
    plan,
)

COUNTS = (1, 2, 3, 4, 5, 6, 9, 12, 16, 25, 36, 49, 64)
SIZES = (Size(80, 19), Size(80, 14), Size(120, 35), Size(200, 45), Size(200, 33), Size(97, 31))


def regions(found: Plan) -> list[Region]:
    return [spot.region for spot in found.spots if spot is not None]


def rows(found: Plan) -> list[int]:
    """How many panes begin in each row."""
    tops = sorted({region.y for region in regions(found)})
    return [sum(region.y == top for region in regions(found)) for top in tops]


@given(
    st.sampled_from(LAYOUTS),
    st.integers(1, 64),
    st.integers(0, 63),
    st.builds(Size, st.integers(1, 300), st.integers(1, 100)),
    st.booleans(),
)
def test_panes_and_what_names_them_cover_the_whole_without_overlap(
    layout: str, count: int, current: int, size: Size, zoomed: bool
) -> None:
    found = plan(layout, count, current % count, size, zoomed=zoomed)
    assert len(found.spots) == count
    assert found.spots[current % count] is not None
    placed = regions(found) + ([found.wall.region] if found.wall else [])
    placed = [region for region in placed if region.area]
    whole = Region(0, 0, *size)
    assert all(whole.contains_region(region) for region in placed)
    for place, region in enumerate(placed):
        assert not any(region.overlaps(other) for other in placed[place + 1 :])
    blank = size.area - sum(region.area for region in placed)
    beside = found.wall is not None and found.wall.region.x > 0
    # Beside the main pane a wall need not reach down to the last row.
    assert blank == 0 or beside
    if len(regions(found)) > 1:
        assert all(r.width >= MIN_WIDTH and r.height >= MIN_HEIGHT for r in regions(found))


@given(st.integers(1, 64), st.builds(Size, st.integers(1, 300), st.integers(1, 100)))
def test_every_tile_is_on_the_wall_and_none_on_another(count: int, size: Size) -> None:
    wall = plan("grid", count, 0, size).wall
    if wall is None or not wall.columns:
        return
    tiles = wall.tiles(count)
    assert len(tiles) == count
    assert all(wall.region.contains_region(tile) for tile in tiles)
    assert len({(tile.x, tile.y) for tile in tiles}) == count
    assert all(tile.width >= 10 for tile in tiles)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("count", COUNTS)
def test_panes_of_a_grid_have_one_width_and_edges_that_go_through(count: int, size: Size) -> None:
    found = regions(plan("grid", count, 0, size))
    widths = {region.width for region in found}
    assert max(widths) - min(widths) <= 1
    lefts = sorted({region.x for region in found})
    bottoms = sorted({region.y for region in found})
    heights = [below - above for above, below in pairwise([*bottoms, size.height])]
    assert len(lefts) * len(bottoms) >= len(found)
    if len(found) > 1:
        assert max(heights) - min(heights) <= 1


@pytest.mark.parametrize(
    ("size", "count", "expected"),
    [
        (Size(80, 14), 4, [2, 2]),
        (Size(80, 19), 3, [2, 1]),
        (Size(120, 35), 2, [2]),
        (Size(200, 33), 4, [2, 2]),
        (Size(200, 44), 3, [3]),
        (Size(200, 44), 5, [3, 2]),
        (Size(200, 33), 9, [3, 3, 3]),
        (Size(200, 44), 9, [3, 3, 3]),
        (Size(200, 44), 16, [4, 4, 4, 4]),
        (Size(200, 45), 64, [8] * 8),
    ],
)
def test_the_grid_has_panes_of_a_readable_shape(
    size: Size, count: int, expected: list[int]
) -> None:
    assert rows(plan("grid", count, 0, size)) == expected


def test_what_the_last_row_lacks_the_panes_above_it_take() -> None:
    first, second, third, fourth, fifth = regions(plan("grid", 5, 0, Size(180, 40)))
    assert (first.width, second.width, third.width) == (60, 60, 60)
    assert (fourth.y, fifth.y) == (20, 20)
    assert third == Region(120, 0, 60, 40)


def test_a_pane_more_leaves_the_others_where_they_are() -> None:
    before, after = (regions(plan("grid", count, 0, Size(180, 40))) for count in (5, 6))
    assert before[0:2] == after[0:2]
    assert before[3:5] == after[3:5]


def test_small_panes_have_no_frame_and_none_of_a_grid_has_another_look() -> None:
    for count in COUNTS:
        spots = [spot for spot in plan("grid", count, 0, Size(200, 45)).spots if spot is not None]
        assert len({spot.framed for spot in spots}) == 1
        small = any(
            spot.region.width < FRAMED_WIDTH or spot.region.height < FRAMED_HEIGHT for spot in spots
        )
        assert spots[0].framed is (count == 1 or not small)
    assert [plan("grid", 64, 0, Size(200, 45)).spots[0]] == [Spot(Region(0, 0, 25, 6), False)]


def test_where_panes_are_too_small_all_are_named_and_the_current_one_is_read() -> None:
    found = plan("grid", 64, 5, Size(80, 19))
    assert found.wall is not None
    assert (found.wall.columns, found.as_asked) == (5, True)
    [seen] = regions(found)
    assert found.spots[5] == Spot(seen, True)
    assert (seen.width, seen.bottom) == (80, 19)
    assert seen.height >= READING_ROWS


def test_too_many_panes_for_tiles_become_tabs() -> None:
    for found in (
        plan("grid", 64, 0, Size(30, 8)),
        plan("tabs", 2, 0, Size(200, 50)),
        plan("grid", 4, 0, Size(200, 50), zoomed=True),
    ):
        assert found.tabbed
        assert found.wall is not None
        assert found.wall.region.height == 1
        assert len(regions(found)) == 1


def test_a_layout_without_room_is_not_the_one_that_was_asked_for() -> None:
    small, large = Size(80, 14), Size(200, 50)
    assert not plan("columns", 5, 0, small).as_asked
    assert not plan("rows", 5, 0, small).as_asked
    assert not plan("main", 4, 0, Size(30, 14)).as_asked
    for layout in LAYOUTS:
        assert plan(layout, 5, 0, large).as_asked


def test_neighbours_in_a_grid_of_six() -> None:
    found = plan("grid", 6, 0, Size(180, 40))
    assert found.neighbour(0, 1, 0) == 1
    assert found.neighbour(1, 0, 1) == 4
    assert found.neighbour(5, -1, 0) == 4
    assert found.neighbour(4, 0, -1) == 1
    assert found.neighbour(0, -1, 0) == 0
    assert found.neighbour(2, 1, 0) == 2


def test_neighbours_on_a_wall_are_tiles_and_in_tabs_the_next_ones() -> None:
    wall = plan("grid", 64, 0, Size(80, 19))
    assert wall.neighbour(0, 1, 0) == 1
    assert wall.neighbour(0, 0, 1) == 5
    assert wall.neighbour(62, 0, -1) == 57
    tabs = plan("tabs", 4, 0, Size(80, 19))
    assert tabs.neighbour(0, -1, 0) == 3
    assert tabs.neighbour(3, 0, 1) == 0


def test_the_current_pane_is_the_main_one_and_the_others_are_stacked() -> None:
    found = regions(plan("main", 4, 2, Size(160, 40)))
    assert found[2] == Region(0, 0, 96, 40)
    stack = [found[place] for place in (0, 1, 3)]
    assert all(above.bottom == below.y for above, below in pairwise(stack))


def test_a_stack_too_high_for_one_column_has_several_and_then_tiles() -> None:
    several = regions(plan("main", 16, 0, Size(200, 45)))
    assert len(several) == 16
    assert len({region.x for region in several[1:]}) > 1
    tiles = plan("main", 64, 0, Size(200, 45))
    assert tiles.wall is not None
    assert (tiles.wall.region.x, tiles.wall.lines, tiles.as_asked) == (120, 2, True)
    assert regions(tiles) == [Region(0, 0, 120, 45)]
