"""Pane order, marks, targets, and where panes go."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.geometry import Region, Size

from streamtui.ui.desk import LAYOUTS, Desk, Target
from streamtui.ui.tiling import MIN_HEIGHT, MIN_WIDTH, neighbour, tile


def desk_of(count: int) -> Desk:
    desk = Desk()
    for number in range(1, count + 1):
        desk.add(f"s{number}")
    desk.current = "s1"
    return desk


def test_the_right_neighbour_follows_a_closed_pane() -> None:
    desk = desk_of(3)
    assert desk.remove("s1") == 0
    assert desk.current == "s2"
    desk.current = "s3"
    desk.remove("s3")
    assert desk.current == "s2"
    desk.remove("s2")
    assert desk.current == ""
    assert desk.targets() == []
    assert desk.target_words() == "nobody"


def test_numbers_have_no_gaps() -> None:
    desk = desk_of(4)
    desk.remove("s2")
    assert desk.numbers() == {"s1": 1, "s3": 2, "s4": 3}
    assert desk.number("s2") == 0


def test_who_takes_the_last_mark_away_speaks_to_this_pane_not_to_all() -> None:
    desk = desk_of(2)
    desk.toggle_mark()
    assert (desk.target, desk.targets()) == (Target.MARKED, ["s1"])
    desk.toggle_mark()
    assert (desk.target, desk.targets()) == (Target.THIS, ["s1"])


def test_closing_the_last_marked_pane_goes_back_to_this() -> None:
    desk = desk_of(2)
    desk.toggle_mark()
    desk.remove("s1")
    assert desk.targets() == ["s2"]


def test_marking_leaves_all_alone() -> None:
    desk = desk_of(3)
    desk.cycle_target()
    desk.toggle_mark()
    assert desk.target is Target.ALL
    assert desk.target_words() == "all (3)"


def test_the_target_goes_from_this_to_marked_to_all() -> None:
    desk = desk_of(3)
    desk.mark_all()
    desk.target = Target.THIS
    seen = []
    for _ in range(3):
        desk.cycle_target()
        seen.append(desk.target)
    assert seen == [Target.MARKED, Target.ALL, Target.THIS]


def test_layouts_go_round_and_end_a_zoom() -> None:
    desk = desk_of(2)
    desk.zoomed = True
    assert [desk.cycle_layout() for _ in LAYOUTS] == [*LAYOUTS[1:], LAYOUTS[0]]
    assert not desk.zoomed


@given(
    st.sampled_from(LAYOUTS),
    st.integers(1, 64),
    st.integers(0, 63),
    st.builds(Size, st.integers(1, 300), st.integers(1, 100)),
)
def test_tiles_cover_the_whole_without_overlap(
    layout: str, count: int, current: int, size: Size
) -> None:
    regions = tile(layout, count, current % count, size)
    if regions is None:
        assert count > 1
        return
    assert len(regions) == count
    assert sum(region.area for region in regions) == size.area
    for place, region in enumerate(regions):
        assert Region(0, 0, *size).contains_region(region)
        assert not any(region.overlaps(other) for other in regions[place + 1 :])
        assert count == 1 or (region.width >= MIN_WIDTH and region.height >= MIN_HEIGHT)


@pytest.mark.parametrize(
    ("size", "count", "rows"),
    [
        (Size(80, 14), 4, [2, 2]),
        (Size(80, 19), 3, [2, 1]),
        (Size(120, 35), 2, [2]),
        (Size(200, 44), 3, [3]),
        (Size(200, 44), 9, [3, 3, 3]),
    ],
)
def test_the_grid_has_panes_of_a_readable_shape(size: Size, count: int, rows: list[int]) -> None:
    regions = tile("grid", count, 0, size)
    assert regions is not None
    tops = sorted({region.y for region in regions})
    assert [sum(region.y == top for region in regions) for top in tops] == rows


def test_too_many_panes_become_tabs() -> None:
    assert tile("grid", 16, 0, Size(80, 14)) is None
    assert tile("columns", 4, 0, Size(80, 14)) is None
    assert tile("tabs", 2, 0, Size(200, 50)) is None


def test_neighbours_in_a_grid_of_six() -> None:
    regions = tile("grid", 6, 0, Size(180, 40))
    assert regions is not None
    assert neighbour(regions, 0, 1, 0) == 1
    assert neighbour(regions, 1, 0, 1) == 4
    assert neighbour(regions, 5, -1, 0) == 4
    assert neighbour(regions, 4, 0, -1) == 1
    assert neighbour(regions, 0, -1, 0) == 0
    assert neighbour(regions, 2, 1, 0) == 2


def test_the_current_pane_is_the_main_one() -> None:
    regions = tile("main", 4, 2, Size(160, 40))
    assert regions is not None
    assert regions[2] == Region(0, 0, 96, 40)
    stack = [regions[place] for place in (0, 1, 3)]
    assert all(above.bottom == below.y for above, below in pairwise(stack))
