from streamtui.demo.pacing import MAX_BATCH, Schedule, paced
from streamtui.demo.question import Question, Turn
from streamtui.demo.scripts import write_script

INTERVAL = 0.5
TIMES = Schedule(7.0, INTERVAL)


def test_a_punctual_reader_gets_one_step_at_a_time() -> None:
    assert [TIMES.steps_due(TIMES.due_at(played), played) for played in range(9)] == [1] * 9


def test_waking_a_little_early_does_not_lose_a_turn() -> None:
    assert TIMES.steps_due(TIMES.due_at(3) - 0.001, 3) == 1


def test_a_late_reader_gets_what_is_overdue() -> None:
    assert TIMES.steps_due(7.0 + 3.2, 2) == 5


def test_even_a_very_late_reader_lets_others_have_a_turn() -> None:
    assert TIMES.steps_due(1e6, 0) == MAX_BATCH


async def test_all_steps_come_in_order_at_any_pace() -> None:
    script = write_script(Question(model="demo/markdown", turns=(Turn("user", "?"),)))
    for pace in (0, 0.001):
        played = [step async for batch in paced(script, pace) for step in batch]
        assert played == list(script.steps())
