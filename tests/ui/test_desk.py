"""Pane order, marks, targets."""

from streamtui.ui.desk import LAYOUTS, Desk, Target


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
