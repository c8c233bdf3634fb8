"""Which panes are drawn in a frame."""

import math
from itertools import pairwise

import pytest

from streamtui.ui.turns import Turns, turns_for

NAMES = [f"s{number}" for number in range(9)]


def frames(turns: Turns, count: int, room: float, cost: int = 100) -> list[list[str]]:
    """What is drawn while all have news all the time and each costs so many bytes."""
    drawn: list[list[str]] = []
    written = 0
    for _ in range(count):
        chosen = turns.choose(NAMES, NAMES, current="s4", room=room, written=written)
        drawn.append(chosen)
        written += cost * len(chosen)
    return drawn


@pytest.mark.parametrize(("panes", "turns"), [(1, 1), (4, 1), (5, 2), (16, 2), (17, 3), (64, 3)])
def test_many_panes_take_turns(panes: int, turns: int) -> None:
    assert turns_for(panes) == turns


def test_on_a_line_that_takes_all_the_current_pane_is_in_every_frame_and_all_in_two() -> None:
    drawn = frames(Turns(), 10, math.inf)
    assert all("s4" in frame for frame in drawn)
    for one, other in pairwise(drawn):
        assert {*one, *other} == set(NAMES)


def test_those_that_wait_for_no_turn_are_drawn_at_once() -> None:
    turns = Turns()
    for _ in range(2):
        assert "s1" in turns.choose(NAMES, ["s1", "s2"], current="", at_once=["s1"])


def test_only_those_with_news_are_drawn() -> None:
    turns = Turns()
    drawn = {name for _ in range(4) for name in turns.choose(NAMES, ["s1"], current="s4")}
    assert drawn == {"s1"}
    assert turns.choose(NAMES, ["s2"], current="s4", room=10_000) == ["s2"]


def test_a_slow_line_gets_no_more_than_it_has_room_for() -> None:
    drawn = frames(Turns(), 40, room=300)
    assert all(len(frame) <= 3 for frame in drawn[1:])


def test_on_a_slow_line_the_current_pane_comes_first_and_none_waits_for_ever() -> None:
    drawn = frames(Turns(), 40, room=300)
    assert all(frame[0] == "s4" for frame in drawn)
    for start in range(1, 36):
        window = drawn[start : start + 4]
        assert {name for frame in window for name in frame} == set(NAMES)


def test_where_there_is_room_for_one_the_others_have_their_turns_too() -> None:
    drawn = frames(Turns(), 60, room=1)
    assert all(len(frame) == 1 for frame in drawn)
    assert {name for frame in drawn for name in frame} == set(NAMES)


def test_a_line_without_room_gets_nothing() -> None:
    assert not any(frames(Turns(), 10, room=-5))
    assert not any(frames(Turns(), 10, room=-math.inf))
