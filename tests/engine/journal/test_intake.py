import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import count
from types import FrameType
from typing import Any

import pytest

from streamtui.engine.bus import Bus
from streamtui.engine.journal import intake
from streamtui.engine.journal.intake import Arrivals, Intake
from streamtui.events import (
    Chunk,
    Delta,
    Event,
    ReasoningDelta,
    RequestSent,
    ServerEvent,
    TextDelta,
    ToolCallDelta,
)


def listening(wake: "list[int] | None" = None) -> tuple[Bus, Intake]:
    bus = Bus(lambda: 1000.0, lambda: 1.0)
    taken = Intake(lambda: wake.append(1) if wake is not None else None)
    bus.attach(taken)
    return bus, taken


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def chunk(text: str) -> Chunk:
    return Chunk((TextDelta(text),))


def contents(arrivals: Arrivals) -> list[tuple[str, object]]:
    return [
        (run_id, content.body if isinstance(content, Event) else content)
        for run_id, _, _, content in arrivals.rows()
    ]


def test_what_comes_is_taken_in_its_order() -> None:
    bus, taken = listening()
    thought = Chunk((ReasoningDelta("hm"),))
    for body in (RequestSent(), chunk("a"), thought):
        bus.publish("s", "r", body)
    arrivals = taken.drain()
    assert contents(arrivals) == [("r", RequestSent()), ("r", "a"), ("r", thought)]
    assert [seq for _, seq, _, _ in arrivals.rows()] == [1, 2, 3]
    assert [type(arrivals.values[place]) for place in arrivals.whole] == [Event]
    assert taken.drain().values == []


def test_the_writer_is_woken_once_until_it_looks() -> None:
    woken: list[int] = []
    bus, taken = listening(woken)
    bus.publish("s", "r", RequestSent())
    bus.publish("s", "r", RequestSent())
    assert len(woken) == 1
    taken.drain()
    bus.publish("s", "r", RequestSent())
    assert len(woken) == 2


def test_a_writer_that_cannot_be_woken_costs_nobody_an_event() -> None:
    def fail() -> None:
        raise RuntimeError

    bus = Bus(lambda: 1000.0, lambda: 1.0)
    taken = Intake(fail)
    bus.attach(taken)
    bus.publish("s", "r", chunk("a"))
    assert contents(taken.drain()) == [("r", "a")]


@pytest.mark.usefixtures("restless")
def test_another_thread_that_looks_only_when_it_is_woken_misses_nothing() -> None:
    awake = threading.Event()
    bus = Bus(lambda: 1000.0, lambda: 1.0)
    taken = Intake(awake.set)
    bus.attach(taken)
    seen: list[tuple[str, int]] = []
    whole = 0

    def look() -> None:
        nonlocal whole
        while len(seen) < 6_000 and awake.wait(10):
            awake.clear()
            arrivals = taken.drain()
            seen.extend((run_id, seq) for run_id, seq, _, _ in arrivals.rows())
            whole += len(arrivals.whole)
            assert all(type(arrivals.values[place]) is Event for place in arrivals.whole)

    looker = threading.Thread(target=look)
    looker.start()
    for number in range(2_000):
        for body in (chunk("a"), RequestSent(), chunk("b")):
            bus.publish("s", str(number), body)
        while number % 10 == 0 and looker.is_alive() and len(seen) < 3 * (number + 1):
            pass
    looker.join()
    assert seen == [(str(number // 3), number + 1) for number in range(6_000)]
    assert whole == 2_000


def while_it_is_under_way(call: Callable[[], object], place: int, work: Callable[[], None]) -> bool:
    """Call, and do some work at the given one of its steps; whether it has so many."""
    left = place

    def trace(frame: FrameType, what: str, _: object) -> Any:
        nonlocal left
        frame.f_trace_opcodes = True
        if what == "opcode":
            left -= 1
            if left == 0:
                work()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return left <= 0


@pytest.mark.parametrize("has_come_before", [True, False])
def test_nothing_is_missed_that_comes_at_any_step_of_a_look(*, has_come_before: bool) -> None:
    for place in count(1):
        woken: list[int] = []
        bus, taken = listening(woken)
        seen: list[tuple[str, object]] = []

        def look(taken: Intake = taken, seen: list[tuple[str, object]] = seen) -> None:
            arrivals = taken.drain()
            seen += contents(arrivals)
            assert not arrivals.values or arrivals.clock.wall == 999.0

        def come(bus: Bus = bus, woken: list[int] = woken) -> None:
            woken.clear()
            bus.publish("s", "r", chunk("b"))

        if has_come_before:
            bus.publish("s", "r", chunk("a"))
        if not while_it_is_under_way(look, place, come):
            break
        assert woken or ("r", "b") in seen
        look()
        assert seen == [("r", "a"), ("r", "b")][not has_come_before :]
    assert place > 20


def test_for_a_writer_that_hangs_the_chunks_of_a_run_are_joined(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intake, "MERGE_AFTER", 10)
    bus, taken = listening()
    for number in range(1000):
        for run in ("a", "b"):
            bus.publish(run, run, chunk(f"{number} "))
        if number == 500:
            bus.publish("a", "a", RequestSent())
            bus.publish("b", "b", Chunk((ReasoningDelta("hm"),)))
    arrivals = taken.drain()
    assert len(arrivals.values) < 4 * 30
    of_a = [content for run, content in contents(arrivals) if run == "a"]
    middle = of_a.index(RequestSent())
    assert "".join(map(str, of_a[:middle])) == "".join(f"{number} " for number in range(501))
    assert "".join(map(str, of_a[middle + 1 :])) == "".join(f"{n} " for n in range(501, 1000))
    of_b = [content for run, content in contents(arrivals) if run == "b"]
    deltas = [d for content in of_b for d in (content.deltas if isinstance(content, Chunk) else ())]
    assert ReasoningDelta("hm") in deltas
    assert [type(arrivals.values[place]) for place in arrivals.whole] == [Event]
    assert arrivals.lost == 0


@pytest.mark.parametrize(
    "delta",
    [
        TextDelta("0123456789" * 10),
        ReasoningDelta("0123456789" * 10),
        ToolCallDelta(0, "0123456789" * 10),
        ServerEvent("", "0123456789" * 10),
    ],
)
def test_what_waits_for_a_writer_that_hangs_is_bounded_and_the_loss_is_counted(
    monkeypatch: pytest.MonkeyPatch, delta: Delta
) -> None:
    monkeypatch.setattr(intake, "MERGE_AFTER", 100)
    monkeypatch.setattr(intake, "MAX_BYTES", 100_000)
    bus, taken = listening()
    tracemalloc.start()
    for _ in range(10_000):
        bus.publish("s", "r", Chunk((delta,)))
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 500_000
    arrivals = taken.drain()
    kept = arrivals.size()
    assert 100_000 <= kept < 150_000
    assert kept + arrivals.lost == 1_000_000
