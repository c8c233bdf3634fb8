"""The event log in a small app, and its store without one."""

import json
import tracemalloc
from pathlib import Path

import pytest
from textual.app import App, ComposeResult
from textual.geometry import Region

from streamtui.events import (
    AttemptFailed,
    Body,
    Chunk,
    Event,
    KeepAliveReceived,
    Metrics,
    ReasoningDelta,
    ReconnectScheduled,
    RetryScheduled,
    RunCancelled,
    RunCutOff,
    RunFailed,
    RunStarted,
    ServerEvent,
    SessionOpened,
    StreamStalled,
    TextDelta,
)
from streamtui.ui import event_log
from streamtui.ui.event_log import SCANNED_AT_ONCE, EventLog, log_row
from streamtui.ui.log_store import Entry, LogStore
from streamtui.ui.log_words import event_name, payload
from streamtui.ui.rows import Row
from tests.ui.script import LOST, OVERLOADED, Script

CASES = json.loads((Path(__file__).parents[1] / "cases" / "security_cases.json").read_text())


class Page(App[None]):
    """One log, and nothing else."""

    def __init__(self, capacity: int = 1_000) -> None:
        super().__init__()
        self.log_view = EventLog(capacity=capacity)
        self.opened: list[Event] = []
        self.moves = 0
        self.others = 0

    def action_others_key(self) -> None:
        self.others += 1

    def compose(self) -> ComposeResult:
        yield self.log_view

    def on_event_log_opened(self, message: EventLog.Opened) -> None:
        self.opened.append(message.event)

    def on_event_log_position_changed(self) -> None:
        self.moves += 1

    def add(self, events: list[Event]) -> None:
        self.log_view.append(events, {"s1": 1, "s2": 2}.get)

    @property
    def rows(self) -> list[str]:
        size = self.log_view.size
        strips = self.log_view.render_lines(Region(0, 0, size.width, size.height))
        return [strip.text.rstrip() for strip in strips]

    @property
    def payloads(self) -> list[str]:
        return [row.split('"')[1] for row in self.rows if '"' in row]

    @property
    def border(self) -> tuple[str, str]:
        left, right = self.log_view.border_text()
        return "".join(text for text, _ in left), "".join(text for text, _ in right)


def story() -> list[Event]:
    script = Script().open("openai").start("Write me a song").connect()
    return script.receive("Spark").receive("ling").finish().events


def chunks(count: int, first: int = 0, session_id: str = "s1") -> list[Event]:
    return [
        Event(n, 1_760_000_000 + n, n, session_id, "r1", Chunk((TextDelta(f"tok{n}"),)))
        for n in range(first, first + count)
    ]


async def test_rows_say_time_pane_event_endpoint_and_payload() -> None:
    app = Page()
    async with app.run_test(size=(100, 12)):
        app.add(story())
        rows = app.rows
    assert rows[1][13:] == ('   1  · on_chat_model_start   openai      prompt="Write me a song"')
    assert rows[5][13:] == '   1    on_chat_model_stream  openai      "Spark"'
    assert rows[7][13:] == (
        "   1  ✓ on_chat_model_end     openai      done in 0.0 s, stop, 9 characters kept"
    )
    assert rows[0][1:13].count(":") == 2
    assert rows[0][9] == "."


@pytest.mark.parametrize(
    ("dialect", "name"),
    [("openai-completions", "on_llm_stream"), ("anthropic", "on_chat_model_stream")],
)
def test_llms_and_chat_models_are_named_as_langchain_does(dialect: str, name: str) -> None:
    assert event_name(Chunk(()), dialect) == name


def test_other_facts_have_their_own_names() -> None:
    bodies: dict[str, Body] = {
        "attempt_failed": AttemptFailed(1, LOST),
        "retry_scheduled": RetryScheduled(2, 3, 1.0, OVERLOADED),
        "reconnect_scheduled": ReconnectScheduled(1, None, 3.0, "7", LOST),
        "run_cut_off": RunCutOff(LOST, Metrics()),
        "run_failed": RunFailed(LOST, Metrics()),
        "run_cancelled": RunCancelled(Metrics()),
        "keep_alive": KeepAliveReceived("x"),
        "stream_stalled": StreamStalled(1, 2),
        "session_opened": SessionOpened("a", "b", "c"),
    }
    for name, body in bodies.items():
        assert event_name(body, "openai-chat") == name


def test_events_of_a_server_are_told_once_and_under_their_name_if_langchain_has_it() -> None:
    own = Chunk((ServerEvent("on_tool_start", '{"name": "f"}'), TextDelta("f")))
    assert event_name(own, "langserve") == "on_tool_start"
    assert payload(own) == '{"name": "f"}'
    other = Chunk((ServerEvent("on_\x1b[2J", "1"), TextDelta("on_\x1b[2J: 1\n")))
    assert event_name(other, "sse") == "on_chat_model_stream"
    assert payload(other) == "on_\x1b[2J: 1"


def test_payloads_tell_reasoning_apart_and_merged_chunks() -> None:
    assert payload(Chunk((ReasoningDelta("Hm"),))) == 'reasoning "Hm"'
    assert payload(Chunk((TextDelta("a"), TextDelta("b")), merged=2)) == '"a" "b" (2 chunks)'


def test_errors_have_a_sign_and_a_colour() -> None:
    store = LogStore(10)
    for body in (RunFailed(LOST, Metrics()), RetryScheduled(2, 3, 1.0, OVERLOADED)):
        store.append([Event(1, 0, 0, "s1", "r1", body)], {"s1": 1}.get)
    failed, retry = (log_row(store[number], 100) for number in (0, 1))
    assert "✗ run_failed" in failed.text
    assert "state-failed" in [span.role for span in failed.spans]
    assert "▲ retry_scheduled" in retry.text
    assert "warning" in [span.role for span in retry.spans]


@pytest.mark.parametrize("width", [20, 40, 64, 80, 120])
def test_rows_never_wrap(width: int) -> None:
    store = LogStore(10)
    store.append([Event(1, 0, 0, "s1", "r1", Chunk((TextDelta("天空 " * 100),)))], {"s1": 1}.get)
    row = log_row(store[0], width)
    assert len(row.text) <= max(width, 44)


async def test_the_view_follows_the_newest() -> None:
    app = Page()
    async with app.run_test(size=(80, 4)):
        app.add(chunks(10))
        assert app.payloads == ["tok6", "tok7", "tok8", "tok9"]
        assert app.border == ("events ─ all sessions ", " 10 · follow ")


async def test_scrolling_holds_the_view_and_the_end_follows_again() -> None:
    app = Page()
    async with app.run_test(size=(80, 4)) as pilot:
        app.add(chunks(10))
        app.log_view.scroll_rows(-3)
        app.add(chunks(5, 10))
        assert app.payloads == ["tok3", "tok4", "tok5", "tok6"]
        assert app.border[1] == " 15 · 8 below "
        app.log_view.page_down()
        assert app.payloads[0] == "tok5"
        app.log_view.scroll_rows(100)
        assert app.log_view.following
        app.log_view.scroll_home()
        assert app.payloads[0] == "tok0"
        app.log_view.follow()
        assert app.payloads[-1] == "tok14"
        await pilot.pause()
        assert app.moves == 5


async def test_pausing_holds_the_rows_and_counts_on() -> None:
    app = Page()
    async with app.run_test(size=(80, 4)):
        app.add(chunks(10))
        app.log_view.paused = True
        app.add(chunks(2_000, 10))
        assert app.payloads == ["tok6", "tok7", "tok8", "tok9"]
        assert app.border[1] == " 2,010 · paused · 2,000 new "
        app.log_view.paused = False
        assert app.payloads[-1] == "tok2009"


async def test_the_cursor_moves_over_rows_and_enter_opens_one() -> None:
    app = Page()
    async with app.run_test(size=(80, 4)) as pilot:
        app.add(chunks(10))
        app.log_view.focus()
        await pilot.press("up", "k", "enter")
        assert app.opened[-1].seq == 7
        assert [row[0] for row in app.rows] == [" ", "▸", " ", " "]
        await pilot.press("k", "k", "k")
        assert app.payloads[0] == "tok4"
        assert app.rows[0].startswith("▸")
        await pilot.press("j", *["down"] * 4)
        assert app.log_view.following
        await pilot.press("enter")
        assert app.opened[-1].seq == 9


async def test_nothing_can_be_opened_in_an_empty_log() -> None:
    app = Page()
    async with app.run_test(size=(80, 4)) as pilot:
        app.log_view.focus()
        await pilot.press("up", "enter", "down")
        assert app.log_view.selected is None
        assert app.opened == []


async def test_the_ring_forgets_the_oldest_and_counts_all() -> None:
    app = Page(capacity=100)
    async with app.run_test(size=(80, 4)):
        app.add(chunks(250))
        app.log_view.scroll_home()
        assert app.payloads[0] == "tok150"
        assert app.border[1] == " 250 · 96 below "
        app.log_view.set_filter("tok")
        assert app.border[1] == " 100 of 100 · 96 below "


async def test_a_filter_shows_what_matches_also_of_what_comes_later() -> None:
    app = Page()
    async with app.run_test(size=(80, 6)):
        app.add(chunks(30))
        app.log_view.set_filter("tok2")
        assert app.payloads[0] == "tok24"
        app.add(chunks(5, 198))
        assert app.payloads == ["tok27", "tok28", "tok29", "tok200", "tok201", "tok202"]
        assert app.border == (
            "events ─ all sessions ─ filter: tok2 ",
            " 14 of 35 · follow ",
        )
        app.log_view.set_filter("")
        assert app.border[0] == "events ─ all sessions "


async def test_reading_is_not_disturbed_when_the_ring_moves_on() -> None:
    app = Page(capacity=100)
    async with app.run_test(size=(80, 4)):
        app.add(chunks(100))
        app.log_view.scroll_rows(-50)
        app.add(chunks(500, 100))
        assert app.payloads == ["tok46", "tok47", "tok48", "tok49"]
        assert app.border[1] == " 600 · 550 below "
        app.log_view.scroll_rows(-40)
        assert app.payloads[0] == "tok6"
        app.log_view.scroll_rows(60)
        assert app.payloads[0] == "tok66"
        app.log_view.scroll_rows(100)
        assert app.log_view.following
        assert app.payloads[-1] == "tok599"


async def test_a_paused_log_can_be_read_and_filtered_as_it_was() -> None:
    app = Page(capacity=100)
    async with app.run_test(size=(80, 4)):
        app.add(chunks(100))
        app.log_view.paused = True
        app.add(chunks(500, 100))
        assert app.border[1] == " 600 · paused · 500 new "
        app.log_view.page_up()
        assert app.payloads[0] == "tok94"
        app.log_view.set_filter("tok5")
        app.log_view.follow()
        assert app.payloads == ["tok56", "tok57", "tok58", "tok59"]
        assert app.border[1] == " 100 of 100 · paused · 100 new "
        app.log_view.paused = False
        assert app.payloads[-1] == "tok599"
        app.log_view.set_filter("")
        assert app.border[1] == " 600 · follow "


async def test_a_filter_that_leaves_only_what_is_further_up_shows_that() -> None:
    app = Page()
    async with app.run_test(size=(80, 4)):
        app.add(chunks(100))
        app.log_view.scroll_rows(-1)
        app.log_view.set_filter("tok1")
        assert app.payloads == ["tok16", "tok17", "tok18", "tok19"]


async def test_a_changed_filter_lets_keys_have_their_turn() -> None:
    app = Page(capacity=20_000)
    async with app.run_test(size=(80, 4)) as pilot:
        app.add(chunks(20_000))
        app.log_view.set_filter("tok1")
        assert app.payloads[-1] == "tok19999"
        assert app.border[1] == f" {SCANNED_AT_ONCE:,} of 20,000 · follow "
        app.log_view.set_filter("tok0")
        app.log_view.set_filter("tok12")
        app.add(chunks(1, 123_456))
        await pilot.pause()
        assert not app.log_view._scanning
        assert app.border[1] == " 1,112 of 20,000 · follow "
        assert app.payloads[-1] == "tok123456"


async def test_marked_events_are_gone_to_and_nothing_is_hidden() -> None:
    app = Page()
    async with app.run_test(size=(80, 4)) as pilot:
        app.add(chunks(100))
        app.log_view.set_filter("?tok7")
        app.log_view.focus()
        assert app.payloads[-1] == "tok99"
        await pilot.press("N")
        await pilot.pause()
        assert app.payloads[0] == "tok79"
        assert app.rows[0].startswith("▸")
        assert app.rows[1].startswith(" ")
        await pilot.press("N", "N")
        assert [row[0] for row in app.rows] == ["▸", "◆", "◆", " "]
        await pilot.press("n", "enter")
        assert app.opened[-1].seq == 78
        await pilot.press(*["N"] * 20)
        assert app.payloads[0] == "tok7"


async def test_keys_of_a_search_are_free_while_nothing_is_searched_for() -> None:
    app = Page()
    async with app.run_test(size=(80, 4)) as pilot:
        app.bind("n", "app.others_key")
        app.add(chunks(10))
        app.log_view.focus()
        await pilot.press("n")
        assert app.others == 1
        app.log_view.set_filter("?tok7")
        await pilot.press("n")
        assert app.others == 1


async def test_a_row_is_worded_when_it_is_seen_and_only_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worded: list[int] = []

    def note(entry: Entry, width: int, *, marked: bool) -> Row:
        worded.append(entry.event.seq)
        return log_row(entry, width, marked=marked)

    monkeypatch.setattr(event_log, "log_row", note)
    app = Page()
    async with app.run_test(size=(80, 4)) as pilot:
        app.add(chunks(1_000))
        app.add(chunks(1, 1_000))
        app.log_view.focus()
        await pilot.press("k")
        assert worded == [*range(996, 1_000), 1_000]
        app.log_view.display = False
        await pilot.pause()
        app.add(chunks(100, 1_001))
        await pilot.pause()
        assert worded[-1] == 1_000
        app.log_view.follow()
        app.log_view.display = True
        await pilot.pause()
        assert app.payloads[-1] == "tok1100"


def matching(text: str) -> list[str]:
    """What passes a filter, of two sessions and several events."""
    store = LogStore(100)
    first = Script().open("openai").start("Write", run_id="run-a").connect().receive("Spark")
    second = Script(session_id="s2").open("mirror").start("Sing", run_id="run-b")
    second.say(RunFailed(OVERLOADED, Metrics()))
    numbers = {"s1": 1, "s2": 2}
    for script in (first, second):
        store.append(script.events, numbers.get)
    named = RunStarted("x", (), "local", "m", "ollama", name="critic", tags=("fast", "draft"))
    store.append([Event(99, 0, 0, "s3", "run-c", named)], numbers.get)
    store.set_filter(text)
    assert not store.scan(100)
    return [f"{store[n].event.session_id} {store[n].name}" for n in store.window(0, 100)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("spark", ["s1 on_chat_model_stream"]),
        ("session:2", ["s2 session_opened", "s2 on_chat_model_start", "s2 run_failed"]),
        ("session:2 event:on_*", ["s2 on_chat_model_start"]),
        ("session:2 !event:on_* !opened", ["s2 run_failed"]),
        (
            "event:on_chat_model_start !session:1",
            ["s2 on_chat_model_start", "s3 on_chat_model_start"],
        ),
        ("event:RUN_FAILED", ["s2 run_failed"]),
        ("name:mirror event:run_*", ["s2 run_failed"]),
        ("name:crit*", ["s3 on_chat_model_start"]),
        ("tag:draft", ["s3 on_chat_model_start"]),
        ("run:run-b", ["s2 on_chat_model_start", "s2 run_failed"]),
        ("session:s3", ["s3 on_chat_model_start"]),
        ("event:[", []),
        ("http://x", []),
    ],
)
def test_filters(text: str, expected: list[str]) -> None:
    assert matching(text) == expected


@pytest.mark.parametrize("text", ["", "!", "session:", "!session:", "  "])
def test_a_filter_that_is_still_being_typed_hides_nothing(text: str) -> None:
    assert len(matching(text)) == 10


@pytest.mark.parametrize(
    ("text", "count"),
    [(f"session:{'9' * 5_000}", 0), (f"{'!' * 5_000}session:2", 3)],
    ids=["number", "signs"],
)
def test_a_filter_of_any_length_is_one(text: str, count: int) -> None:
    assert len(matching(text)) == count


def test_a_filter_keeps_matching_while_the_ring_turns() -> None:
    store = LogStore(50)
    store.set_filter("tok")
    for first in range(0, 1_000, 40):
        store.append(chunks(40, first), {"s1": 1}.get)
    assert store.count == 50
    assert store.window(0, 3) == [950, 951, 952]
    assert store.shift(store.end, -1) == 999
    assert store.last_top(10) == 990


def test_memory_does_not_grow_with_what_was_forgotten() -> None:
    store = LogStore(1_000)
    store.set_filter("tok")

    def fill(first: int) -> int:
        for start in range(first, first + 5_000, 100):
            store.append(chunks(100, start), {"s1": 1}.get)
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = fill(0)
        fill(5_000)
        assert fill(10_000) < before * 1.3
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "case", CASES["escape_payloads"] + CASES["markup"], ids=lambda case: case["id"]
)
async def test_untrusted_text_is_safe_in_rows_and_border(case: dict[str, str]) -> None:
    hostile = case["text"]
    script = Script().open(hostile, hostile).start(hostile).connect().receive(hostile)
    script.say(KeepAliveReceived(hostile))
    app = Page()
    async with app.run_test(size=(600, 12)):
        app.add(script.events)
        app.log_view.set_filter(hostile)
        drawn = "".join([*app.border])
        app.log_view.set_filter("")
        drawn += "".join(app.rows)
        assert drawn.isprintable()
        if not hostile.isprintable():
            return
        assert drawn.count(hostile[:300]) >= 3
