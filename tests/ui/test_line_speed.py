"""How much is written to a line, by what is known of its speed."""

import math

from streamtui.ui.line_speed import (
    FAST,
    FIRST_PATIENCE,
    MOST_DELAY,
    MOST_PATIENCE,
    MOST_STUCK,
    LineSpeed,
)

SPEED = 32_768
FULL = 12_288


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


def fill(line: LineSpeed, time: Time, speed: float = SPEED) -> None:
    """The line is full for half a second, as a watcher tells it."""
    for _ in range(10):
        time.pass_by(0.05)
        line.was_full(int(speed * 0.05), 0.05, FULL)


def test_a_line_that_takes_all_gets_all() -> None:
    time = Time()
    line = LineSpeed(time)
    for _ in range(100):
        line.wrote(1_000_000)
        time.pass_by(0.001)
        assert line.room() == math.inf


def test_a_full_line_has_the_speed_at_which_it_empties() -> None:
    time = Time()
    line = LineSpeed(time)
    fill(line, time)
    assert 0.99 * SPEED < line.speed < 1.01 * SPEED
    assert line.room() < 0


def test_what_is_ahead_of_a_key_is_never_more_than_a_moment() -> None:
    time = Time()
    line = LineSpeed(time)
    fill(line, time)
    time.pass_by(FULL / SPEED)
    for _ in range(50):
        while (room := line.room()) > 0:
            assert room <= SPEED * MOST_DELAY
            line.wrote(200)
        time.pass_by(0.05)


def test_room_comes_back_as_the_line_empties() -> None:
    time = Time()
    line = LineSpeed(time)
    fill(line, time)
    rooms = []
    for _ in range(8):
        rooms.append(line.room())
        time.pass_by(0.05)
    assert rooms == sorted(rooms)
    assert rooms[0] < 0 < rooms[-1]


def test_a_terminal_that_was_busy_for_a_moment_is_not_slow() -> None:
    time = Time()
    line = LineSpeed(time)
    for _ in range(100):
        line.was_full(0, 0.0, FULL)
        line.was_full(300, 0.005, FULL)
        time.pass_by(3.0)
        assert line.room() == math.inf


def test_a_line_that_is_full_and_fast_stays_one_that_takes_all() -> None:
    time = Time()
    line = LineSpeed(time)
    fill(line, time, speed=FAST * 2)
    assert line.room() == math.inf


def test_a_line_that_takes_nothing_gets_nothing_before_anybody_knows_its_speed() -> None:
    time = Time()
    line = LineSpeed(time)
    line.stuck_since = time()
    assert line.room() == math.inf
    time.pass_by(MOST_STUCK * 2)
    assert line.room() < 0
    line.stuck_since = None
    assert line.room() == math.inf


def test_more_is_tried_after_a_while_until_the_line_counts_as_fast_again() -> None:
    time = Time()
    line = LineSpeed(time)
    fill(line, time)
    waited = 0.0
    while line.room() < math.inf:
        time.pass_by(0.05)
        waited += 0.05
    assert waited < 2 * FIRST_PATIENCE * math.log2(FAST / SPEED)


def test_what_the_line_did_not_take_is_tried_less_and_less_often() -> None:
    time = Time()
    line = LineSpeed(time)
    fill(line, time)
    pauses = []
    for _ in range(4):
        began, speed = time(), line.speed
        while line.speed == speed:
            time.pass_by(0.05)
            line.room()
        assert line.speed == 2 * speed
        pauses.append(time() - began)
        line.was_full(0, 0.0, FULL)
        assert line.speed == speed
    assert pauses == sorted(pauses)
    assert pauses[0] < pauses[-1] <= MOST_PATIENCE + 0.1


def test_what_was_written_of_late_is_counted() -> None:
    time = Time()
    line = LineSpeed(time)
    for _ in range(100):
        line.wrote(500)
        time.pass_by(0.05)
    assert 9_000 <= line.bytes_per_second() <= 11_000
    assert line.written == 50_000
    time.pass_by(10)
    assert line.bytes_per_second() == 0
