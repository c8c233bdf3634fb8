import tracemalloc

from streamtui.engine.bus import Bus
from streamtui.engine.merge import join_deltas
from streamtui.events import (
    Chunk,
    Delta,
    Finish,
    Metrics,
    ReasoningDelta,
    RequestSent,
    RunCancelled,
    TextDelta,
    ToolCallDelta,
)
from tests.scripted import text_of


def new_bus() -> Bus:
    return Bus(lambda: 1000.0, lambda: 1.0)


def chunk(text: str) -> Chunk:
    return Chunk((TextDelta(text),))


def test_events_are_stamped_in_order() -> None:
    bus = new_bus()
    subscriber = bus.subscribe(lambda: None)
    for _ in range(3):
        bus.publish("s", "r", RequestSent())
    assert [(event.seq, event.time, event.mono) for event in subscriber.drain()] == [
        (1, 1000.0, 1.0),
        (2, 1000.0, 1.0),
        (3, 1000.0, 1.0),
    ]


def test_a_listener_is_woken_once_until_it_reads() -> None:
    bus, woken = new_bus(), []
    subscriber = bus.subscribe(lambda: woken.append(1))
    bus.publish("s", "r", RequestSent())
    bus.publish("s", "r", RequestSent())
    assert len(woken) == 1
    subscriber.drain()
    bus.publish("s", "r", RequestSent())
    assert len(woken) == 2


def test_a_listener_may_ask_for_some_sessions_only() -> None:
    bus = new_bus()
    subscriber = bus.subscribe(lambda: None, ["mine"])
    bus.publish("other", "r", RequestSent())
    bus.publish("mine", "r", RequestSent())
    assert [event.session_id for event in subscriber.drain()] == ["mine"]


def test_a_closed_subscription_hears_nothing() -> None:
    bus = new_bus()
    subscriber = bus.subscribe(lambda: None)
    subscriber.close()
    bus.publish("s", "r", RequestSent())
    assert subscriber.drain() == []


def test_a_slow_listener_gets_chunks_merged_and_loses_nothing() -> None:
    bus = new_bus()
    slow = bus.subscribe(lambda: None, merge_after=10)
    for number in range(1000):
        for run in ("a", "b"):
            bus.publish(run, run, chunk(f"{number} "))
    bus.publish("a", "a", RunCancelled(Metrics()))
    events = slow.drain()
    assert len(events) <= 13
    for run in ("a", "b"):
        of_run = [event for event in events if event.run_id == run]
        assert text_of(of_run) == "".join(f"{number} " for number in range(1000))
        assert sum(e.body.merged for e in of_run if isinstance(e.body, Chunk)) == 1000
    assert isinstance([e for e in events if e.run_id == "a"][-1].body, RunCancelled)
    assert slow.merged == 2000 - 10


def test_a_listener_that_cannot_be_woken_costs_the_others_nothing() -> None:
    bus = new_bus()

    def raise_closed() -> None:
        raise RuntimeError("Event loop is closed")

    bus.subscribe(raise_closed)
    other = bus.subscribe(lambda: None)
    bus.publish("s", "r", RequestSent())
    assert len(other.drain()) == 1


def test_a_listener_that_never_reads_costs_the_text_and_little_more() -> None:
    bus = new_bus()
    stalled = bus.subscribe(lambda: None, merge_after=1)
    tracemalloc.start()
    for _ in range(50_000):
        bus.publish("s", "r", chunk("0123456789"))
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 3_000_000
    [event] = stalled.drain()
    assert text_of([event]) == "0123456789" * 50_000


def test_chunks_are_not_merged_over_another_event_of_their_run() -> None:
    bus = new_bus()
    slow = bus.subscribe(lambda: None, merge_after=1)
    for body in (chunk("a"), RequestSent(), chunk("b"), chunk("c")):
        bus.publish("s", "r", body)
    bodies = [event.body for event in slow.drain()]
    assert bodies == [chunk("a"), RequestSent(), Chunk((TextDelta("bc"),), 2)]


def test_neighbours_of_one_kind_are_joined_and_others_keep_their_place() -> None:
    deltas: list[Delta] = [
        ReasoningDelta("h"),
        ReasoningDelta("m"),
        TextDelta("a"),
        ToolCallDelta(0, "", "id", "name"),
        ToolCallDelta(0, "{}"),
        ToolCallDelta(1, "[]", "id2", "other"),
        ToolCallDelta(1, "[1]", "id3", "another"),
        TextDelta("b"),
        Finish("stop"),
    ]
    assert join_deltas(deltas) == (
        ReasoningDelta("hm"),
        TextDelta("a"),
        ToolCallDelta(0, "{}", "id", "name"),
        ToolCallDelta(1, "[]", "id2", "other"),
        ToolCallDelta(1, "[1]", "id3", "another"),
        TextDelta("b"),
        Finish("stop"),
    )
