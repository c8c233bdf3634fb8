"""The store of the event log and its filters, without a screen."""

import tracemalloc
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtui.event_words import describe
from streamtui.events import (
    Body,
    Chunk,
    Delta,
    Event,
    Finish,
    KeepAliveReceived,
    MalformedFrame,
    Message,
    ReasoningDelta,
    RefusalDelta,
    RunQueued,
    RunStarted,
    ServerEvent,
    SessionClosed,
    SessionOpened,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from streamtui.ui import log_filter
from streamtui.ui.log_filter import Filter, parse_filter
from streamtui.ui.log_store import LogStore
from streamtui.ui.log_words import Source, event_name, payload, severity, usual_name

ONE_PANE = {"s1": 1}.get


def event(number: int, body: Body, session_id: str = "s1") -> Event:
    return Event(number, 1_760_000_000 + number, number, session_id, "r1", body)


def chunks(count: int, first: int = 0) -> list[Event]:
    return [event(n, Chunk((TextDelta(f"tok{n}"),))) for n in range(first, first + count)]


def texts(store: LogStore) -> list[str]:
    """The payloads of all that is seen."""
    return [payload(store[number].event.body) for number in store.window(0, store.end)]


# Memory


def test_large_events_are_forgotten_before_there_are_many() -> None:
    store = LogStore(1_000, most_bytes=2**20)
    for number in range(100):
        store.append([event(number, Chunk((TextDelta("x" * 100_000),)))], ONE_PANE)
    assert store.bytes <= 2**20
    assert store.first == store.end - 10


@pytest.mark.parametrize(
    "body",
    [
        Chunk((TextDelta("é" * 200_000 + "天"),)),
        Chunk((ServerEvent("message", "x" * 400_000),)),
        Chunk((ToolCallDelta(0, "x" * 400_000),)),
        Chunk((MalformedFrame("no JSON", "x" * 400_000),)),
        RunStarted("go", (Message("user", "x" * 200_000),) * 2, "a", "b", "c"),
        RunQueued("x" * 400_000, 1),
    ],
    ids=lambda body: type(body).__name__,
)
def test_an_event_larger_than_the_bound_is_alone(body: Body) -> None:
    store = LogStore(1_000, most_bytes=300_000)
    store.append([*chunks(5), event(5, body)], ONE_PANE)
    assert store.end - store.first == 1
    assert store[store.first].event.body == body
    store.append(chunks(1, 6), ONE_PANE)
    assert [store[n].event.seq for n in store.window(0, 10)] == [6]


def test_what_events_are_thought_to_take_is_about_what_they_take() -> None:
    tracemalloc.start()
    try:
        store = LogStore(20_000)
        before = tracemalloc.get_traced_memory()[0]
        for first in range(0, 10_000, 100):
            store.append(chunks(100, first), ONE_PANE)
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert taken / 2 < store.bytes < taken * 2


def test_nothing_is_remembered_of_closed_sessions() -> None:
    store = LogStore(100)
    for number in range(50):
        session_id = f"s{number}"
        opened = SessionOpened("openai", "m", "openai-chat")
        store.append([event(1, opened, session_id)], ONE_PANE)
        store.append([event(2, SessionClosed(), session_id)], ONE_PANE)
    assert not store._sources
    assert store[99].source.endpoint == "openai"


# What is seen


def test_rows_know_the_number_that_their_pane_had_then() -> None:
    store = LogStore(100)
    store.append([event(1, SessionOpened("openai", "m", "openai-chat"))], {"s1": 2}.get)
    store.append(chunks(1), {"s1": 1}.get)
    store.append(chunks(1), {"s2": 1}.get)
    assert [store[n].source.pane for n in range(3)] == [2, 1, None]
    assert {store[n].source.endpoint for n in range(3)} == {"openai"}


@given(
    capacity=st.integers(1, 60),
    steps=st.lists(
        st.tuples(st.sampled_from(["append", "filter", "scan"]), st.integers(1, 40)), max_size=20
    ),
)
def test_a_filter_finds_the_same_however_it_goes_through_the_log(
    capacity: int, steps: list[tuple[str, int]]
) -> None:
    store = LogStore(capacity)
    wanted = ""
    for step, number in steps:
        match step:
            case "append":
                store.append(chunks(number, store.end), ONE_PANE)
            case "filter":
                wanted = str(number % 10)
                store.set_filter(wanted)
            case "scan":
                store.scan(number)
    while store.scan(3):
        pass
    kept = range(max(0, store.end - capacity), store.end)
    assert store.window(0, 1_000) == [n for n in kept if wanted in f"tok{n}"]


def test_a_new_filter_shows_the_newest_first() -> None:
    store = LogStore(1_000)
    store.append(chunks(1_000), ONE_PANE)
    store.set_filter("tok")
    assert store.count == 0
    assert store.scan(10)
    assert texts(store)[0] == '"tok990"'
    store.append(chunks(1, 1_000), ONE_PANE)
    assert store.scan(985)
    assert texts(store)[0] == '"tok5"'
    assert not store.scan(100)
    assert store.count == 1_000


def test_a_snapshot_stays_when_the_ring_moves_on() -> None:
    store = LogStore(10)
    store.append(chunks(10), ONE_PANE)
    store.set_filter("tok")
    store.scan(10)
    there = store.snapshot()
    store.append(chunks(100, 10), ONE_PANE)
    assert texts(there) == [f'"tok{n}"' for n in range(10)]
    there.set_filter("tok3")
    assert not there.scan(10)
    assert texts(there) == ['"tok3"']
    assert texts(store)[0] == '"tok100"'


def test_events_of_a_server_that_were_merged_are_rows_of_their_own() -> None:
    store = LogStore(100)
    told = [ServerEvent("on_tool_start", "{}"), ServerEvent("on_tool_end", '{"output": 1}')]
    merged = Chunk((Usage(input=1), told[0], TextDelta("a"), told[1], TextDelta("b")), merged=2)
    store.append([*chunks(1), event(1, merged), *chunks(1, 2)], ONE_PANE)
    assert [store[n].name for n in range(1, 3)] == ["on_tool_start", "on_tool_end"]
    assert store[1].event == event(1, Chunk((Usage(input=1), told[0], TextDelta("a"))))
    assert store[2].event == event(1, Chunk((told[1], TextDelta("b"))))
    store.set_filter("event:on_tool_end")
    store.scan(100)
    assert store.window(0, 100) == [2]


# Names and filters


@pytest.mark.parametrize("kind", get_args(Body), ids=lambda kind: kind.__name__)
def test_every_event_has_a_name(kind: type[Body]) -> None:
    assert usual_name(kind, "openai-chat").replace("_", "").isalpha()


@pytest.mark.parametrize("delta", [TextDelta("x"), MalformedFrame("no JSON", "x")])
def test_chunks_are_as_severe_as_they_are_described(delta: Delta) -> None:
    chunk = Chunk((TextDelta("a"), delta))
    assert severity(chunk) == describe(chunk).severity


TEXTS = st.sampled_from(["spark", "WATER", "Straße 12", 'say "hi"', "reason (3", "天空", "x" * 995])
DELTAS: st.SearchStrategy[Delta] = st.one_of(
    TEXTS.map(TextDelta),
    TEXTS.map(ReasoningDelta),
    TEXTS.map(RefusalDelta),
    TEXTS.map(lambda text: ServerEvent("on_tool_start", text)),
    TEXTS.map(lambda text: ServerEvent("message", text)),
    TEXTS.map(Finish),
    TEXTS.map(lambda text: ToolCallDelta(0, text)),
)
BODIES: st.SearchStrategy[Body] = st.one_of(
    st.builds(Chunk, st.lists(DELTAS, max_size=3).map(tuple), st.integers(1, 3)),
    TEXTS.map(KeepAliveReceived),
    TEXTS.map(lambda text: RunStarted(text, (), "openai", "m", "ollama")),
)
NEEDLES = st.sampled_from(
    [
        "spark",
        "wat",
        "STRASSE",
        "straße",
        "12",
        "3",
        "(3",
        "(2",
        "chunks)",
        "chunks",
        "reason",
        "reasoning",
        "refusal",
        '"',
        '"hi"',
        "hi",
        "天",
        "on_",
        "stream",
        "tool",
        "openai",
        "open",
        "prompt=",
        "xx",
        "finish",
        "keep",
    ]
)


@given(BODIES, NEEDLES)
def test_text_is_found_where_a_row_says_it(body: Body, needle: str) -> None:
    source = Source(1, "OpenAI", "openai-chat")
    words = f"{event_name(body, source.dialect)} {source.endpoint} {payload(body)}"
    [test] = parse_filter(needle).tests
    assert test(event(1, body), source) == (needle.casefold() in words.casefold())


def test_a_filter_makes_no_words_of_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_body: Body) -> str:
        raise AssertionError

    monkeypatch.setattr(log_filter, "payload", refuse)
    store = LogStore(100)
    store.set_filter("event:on_* !session:3 tok1 !run:x name:x !tag:x")
    store.append(chunks(100), ONE_PANE)
    assert store.count == 0
    store.set_filter("event:on_* !session:3 tok1 !run:x !tag:x")
    store.scan(100)
    assert store.count == 11


def test_names_without_end_are_no_memory_without_end() -> None:
    [test] = parse_filter("name:a*").tests
    names = [f"{letter}{number}" for number in range(2_000) for letter in "ab"]
    found = [test(event(1, KeepAliveReceived("")), Source(1, name)) for name in names]
    assert found == [name.startswith("a") for name in names]


def test_a_question_mark_only_marks() -> None:
    store = LogStore(100)
    store.append(chunks(30), ONE_PANE)
    store.set_filter("?tok1 ?!tok11")
    store.scan(100)
    assert store.marks
    assert store.count == 30
    marked = [1, 10, *range(12, 20)]
    assert [n for n in range(30) if store.is_marked(n)] == marked
    assert store.marked_from(10, 1) == 12
    assert store.marked_from(10, -1) == 1
    assert store.marked_from(1, -1) is None
    assert store.marked_from(19, 1) is None
    assert parse_filter("? ?! ?session:") == Filter()


def test_only_what_is_seen_is_gone_to() -> None:
    store = LogStore(100)
    store.append(chunks(30), ONE_PANE)
    store.set_filter("?tok1 !tok10")
    store.scan(100)
    assert store.marked_from(1, 1) == 11
