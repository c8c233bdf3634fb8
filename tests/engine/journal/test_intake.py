import tracemalloc

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
