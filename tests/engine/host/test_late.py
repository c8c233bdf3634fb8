"""Doors that are asked before the engine behind them is there."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from streamtui.engine.doors import Cancel, Doors, GetTranscript, ListSessions
from streamtui.engine.host import late
from streamtui.engine.host.late import LateDoors
from streamtui.engine.reports import Unanswered
from streamtui.errors import RunError
from streamtui.events import RunStarted
from tests.lifetimes.home import until
from tests.ui.scripted_doors import ScriptedDoors

STARTED = RunStarted("hi", (), "demo", "m", "openai-chat")


class Search:
    """Finds doors when it is told to, or fails."""

    def __init__(self) -> None:
        self.real = ScriptedDoors()
        self.error: Exception | None = None
        self._over = threading.Event()
        self.doors = LateDoors(self._find)

    def end(self, error: Exception | None = None) -> None:
        self.error = error
        self._over.set()

    def _find(self) -> Doors:
        self._over.wait(10)
        if self.error is not None:
            raise self.error
        return self.real


async def holds(condition: Callable[[], object]) -> None:
    await asyncio.to_thread(until, condition, "what was asked early is handed over")


async def test_commands_wait_and_keep_their_order() -> None:
    search = Search()
    for number in range(3):
        search.doors.execute(Cancel(f"s{number}"))
    assert not search.real.commands
    search.end()
    await holds(lambda: len(search.real.commands) == 3)
    search.doors.execute(Cancel("s3"))
    assert search.real.commands == [Cancel(f"s{number}") for number in range(4)]


async def test_a_question_waits_for_its_answer_and_one_that_is_given_up_harms_no_other() -> None:
    search = Search()
    async with asyncio.TaskGroup() as tasks:
        given_up = tasks.create_task(search.doors.ask(GetTranscript("s")))
        waiting = tasks.create_task(search.doors.ask(ListSessions()))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.sleep(0)
        search.end()
        assert not isinstance(await waiting, Unanswered)


async def test_a_subscription_begins_with_the_engine() -> None:
    search = Search()
    woken = asyncio.Event()
    loop = asyncio.get_running_loop()
    heard = search.doors.subscribe(lambda: loop.call_soon_threadsafe(woken.set))
    assert heard.drain() == []
    search.end()
    await holds(lambda: search.real.subscriptions)
    search.real.emit("s", STARTED, run_id="r")
    await asyncio.wait_for(woken.wait(), 10)
    assert [event.body for event in heard.drain()] == [STARTED]
    heard.close()
    assert search.real.subscriptions[0].closed


async def test_a_subscription_that_was_closed_early_ends_as_it_begins() -> None:
    search = Search()
    search.doors.subscribe(lambda: None).close()
    search.end()
    await holds(lambda: search.real.subscriptions and search.real.subscriptions[0].closed)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RunError("no engine", kind="usage"), "no engine"),
        (ZeroDivisionError(), "a bug in streamtui"),
    ],
)
async def test_where_no_engine_is_found_every_question_is_told_why(
    error: Exception, words: str
) -> None:
    search = Search()
    search.doors.execute(Cancel("s"))
    search.end(error)
    for _ in range(2):
        answer = await search.doors.ask(ListSessions())
        assert isinstance(answer, Unanswered)
        assert answer.error.message == words
    search.doors.execute(Cancel("s"))
    search.doors.leave(keep_runs=True)
    assert not search.real.commands


async def test_leaving_hands_over_what_was_asked_before() -> None:
    search = Search()
    search.doors.execute(Cancel("s"))
    leaving = threading.Thread(target=search.doors.leave, kwargs={"keep_runs": False})
    leaving.start()
    search.end()
    leaving.join(10)
    assert search.real.commands == [Cancel("s")]


async def test_leaving_does_not_wait_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late, "LEAVE_SECONDS", 0.05)
    search = Search()
    async with asyncio.timeout(5):
        await asyncio.to_thread(search.doors.leave, keep_runs=True)
        await asyncio.to_thread(search.doors.leave, keep_runs=True)
    search.end()
