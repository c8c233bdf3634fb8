from typing import Any

import msgspec
import pytest

from streamtui.engine.bus import Bus
from streamtui.engine.journal.codec import (
    body_of,
    decode_messages,
    decode_piece,
    encode_messages,
    encode_piece,
    pack,
    shrink,
    split_tick,
    unpack,
)
from streamtui.engine.journal.intake import Intake
from streamtui.engine.journal.ledger import Ledger, Tick
from streamtui.events import (
    Body,
    Chunk,
    Message,
    Metrics,
    RequestSent,
    ResponseStarted,
    RunCompleted,
    RunQueued,
    RunStarted,
    SessionClosed,
    SessionOpened,
    TextDelta,
    Usage,
)


class Keeper:
    """A ledger that hears a bus."""

    def __init__(self) -> None:
        self.now = 50.0
        self.bus = Bus(lambda: 1000.0 + self.now, lambda: self.now)
        self.intake = Intake(lambda: None)
        self.bus.attach(self.intake)
        self.ledger = Ledger()

    def tick(self, *events: tuple[str, str, Body]) -> Tick:
        for session_id, run_id, body in events:
            self.bus.publish(session_id, run_id, body)
            self.now += 0.25
        return self.ledger.tick(self.intake.drain())


def opened(*, private: bool = False) -> SessionOpened:
    return SessionOpened("mirror", "m", "d", private=private)


def started(prompt: str, *earlier: Message, **own: Any) -> RunStarted:
    messages = (*earlier, Message("user", prompt))
    return RunStarted(prompt, messages, "mirror", "m", "d", **own)


def text(words: str) -> Chunk:
    return Chunk((TextDelta(words),))


def bodies(tick: Tick, number: int) -> list[Body]:
    return [body_of(content) for _, _, content in decode_piece(split_tick(tick.events)[number])]


def tables(tick: Tick) -> list[str]:
    return [" ".join(fact.sql.split()[:3]) for fact in tick.facts]


def test_events_become_facts_and_one_piece_for_each_run() -> None:
    keeper = Keeper()
    tick = keeper.tick(
        ("s", "", opened()),
        ("s", "r", started("Sing")),
        ("s", "r", text("La ")),
        ("t", "", opened()),
        ("t", "q", RunQueued("Wait", 1)),
        ("s", "r", text("la")),
    )
    assert tables(tick) == [
        "INSERT INTO session",
        "INSERT INTO run",
        "UPDATE session SET",
        "INSERT INTO session",
        "INSERT INTO run",
    ]
    assert bodies(tick, 1)[1:] == [text("La "), text("la")]
    assert bodies(tick, 2) == [RunQueued("Wait", 1)]
    rows = decode_piece(split_tick(tick.events)[1])
    assert [(seq, moment) for seq, moment, _ in rows] == [(1, 2_500), (2, 5_000), (5, 12_500)]
    assert tick.clock == (50.0, 1000.0, 1)


def test_prompts_and_ends_are_promised_to_survive_a_power_failure() -> None:
    keeper = Keeper()
    assert not keeper.tick(("s", "", opened())).promised
    assert keeper.tick(("s", "r", RunQueued("a", 1))).promised
    assert keeper.tick(("s", "r", started("a"))).promised
    assert not keeper.tick(("s", "r", text("b")), ("s", "r", RequestSent())).promised
    end = keeper.tick(("s", "r", RunCompleted("stop", Metrics())))
    assert end.promised
    assert end.ended == [1]


def test_of_a_private_session_there_is_neither_fact_nor_event_even_after_its_end() -> None:
    keeper = Keeper()
    tick = keeper.tick(
        ("p", "", opened(private=True)),
        ("p", "r", RunQueued("hush", 1)),
        ("p", "r", started("hush")),
        ("p", "r", text("hush")),
        ("p", "r", RunCompleted("stop", Metrics())),
        ("p", "", SessionClosed()),
        ("p", "r2", started("hush")),
        ("p", "r2", text("hush")),
    )
    assert tick._replace(clock=Tick().clock) == Tick([], ended=[])


def test_a_run_whose_session_nobody_saw_open_is_kept_with_a_session() -> None:
    keeper = Keeper()
    preface = (Message("system", "Be brief"),)
    tick = keeper.tick(("s", "r", started("Sing", *preface)))
    assert tables(tick) == ["INSERT INTO run", "INSERT INTO session", "UPDATE session SET"]
    assert decode_messages(tick.facts[-1].values[0]) == preface


def test_what_came_before_a_conversation_is_kept_once() -> None:
    keeper = Keeper()
    keeper.tick(("s", "", opened()), ("s", "r1", started("a", Message("system", "x"))))
    tick = keeper.tick(("s", "r2", started("b", Message("system", "x"), Message("user", "a"))))
    assert tables(tick) == ["INSERT INTO run"]
    (body,) = bodies(tick, 2)
    assert isinstance(body, RunStarted)
    assert body.messages == (Message("user", "b"),)


def test_an_end_without_a_beginning_is_no_run() -> None:
    tick = Keeper().tick(("s", "r", RunCompleted("stop", Metrics())))
    assert (tick.facts, tick.events, tick.ended) == ([], b"", [])


def test_a_new_file_is_told_all_that_is_not_settled() -> None:
    keeper = Keeper()
    keeper.tick(
        ("s", "", opened()),
        ("s", "r1", started("a")),
        ("s", "r1", RunCompleted("stop", Metrics())),
        ("s", "r2", started("b")),
        ("t", "", opened()),
        ("t", "", SessionClosed()),
    )
    whole = keeper.ledger.unsettled()
    assert [fact.run for fact in whole.facts] == [0, 0, 1, 1, 2, 0, 0]
    assert whole.ended == [1]
    assert keeper.ledger.numbers() == [1, 2]
    keeper.ledger.settle()
    settled = keeper.ledger.unsettled()
    assert [fact.run for fact in settled.facts] == [0, 0, 2]
    assert settled.ended == []
    # What comes too late is of no run that is known.
    assert keeper.tick(("s", "r1", text("late"))).events == b""


class Odd:
    def __repr__(self) -> str:
        return "secret"


def endless() -> dict[str, object]:
    found: dict[str, object] = {}
    found["self"] = found
    return found


ODD_VALUES: dict[str, object] = {
    "object": Odd(),
    "huge": 10**40,
    "tiny": -(10**40),
    "half": "a\ud800b",
    "endless": endless(),
    "deep": [[[[1]]]],
    "numbers": {1: 2},
    "fine": ("x", 1.5, None, True),
}


def test_whatever_a_caller_attaches_to_a_run_can_be_kept_and_read() -> None:
    keeper = Keeper()
    tick = keeper.tick(("s", "r", started("Sing", metadata=ODD_VALUES, params=ODD_VALUES)))
    (body,) = bodies(tick, 1)
    assert isinstance(body, RunStarted)
    assert body.params == body.metadata
    assert body.metadata["object"] == "<Odd>"
    assert body.metadata["huge"] == 2**63 - 1
    assert body.metadata["half"] == "a\ufffdb"
    assert body.metadata["deep"] == [[[[1]]]]
    assert body.metadata["numbers"] == {"1": 2}
    assert body.metadata["fine"] == ["x", 1.5, None, True]


def test_one_value_that_cannot_be_written_costs_no_other() -> None:
    keeper = Keeper()
    odd = Chunk((TextDelta("a\udc00"), Usage(input=10**40)))
    tick = keeper.tick(
        ("s\ud800", "", SessionOpened("mirr\ud800r", "m", "d")),
        ("s\ud800", "r\ud800", started("half \ud800", Message("user", "\ud800"))),
        ("s\ud800", "r\ud800", odd),
        ("s\ud800", "r\ud800", text("\udc00")),
        ("s\ud800", "r\ud800", ResponseStarted(200, "\ud800", {"x": "\ud800"})),
        ("s\ud800", "r\ud800", text("fine")),
    )
    first, *others = bodies(tick, 1)
    assert isinstance(first, RunStarted)
    assert first.prompt == "half \ufffd"
    assert others == [
        Chunk((TextDelta("a\ufffd"), Usage(input=2**63 - 1))),
        text("\ufffd"),
        ResponseStarted(200, "\ufffd", {"x": "\ufffd"}),
        text("fine"),
    ]
    for fact in tick.facts:
        for value in fact.values:
            if isinstance(value, str):
                value.encode()


def test_a_recording_is_all_its_pieces_in_their_order() -> None:
    rows: list[tuple[int, int, Any]] = [(1, 0, "a"), (2, 10, RequestSent()), (9, 99_999, "b")]
    recording = pack([encode_piece(rows[:2]), encode_piece([]), encode_piece(rows[2:])])
    assert unpack(recording) == rows
    assert unpack(pack([])) == []
    assert unpack(pack([encode_piece(rows)] * 1000, 6)) == rows * 1000
    long = pack([encode_piece(rows)] * 1000)
    assert unpack(shrink(long, 1)) == rows * 1000
    assert len(shrink(long, 1)) < len(long) / 2


@pytest.mark.parametrize(
    "data",
    [b"", b"no recording", pack([b"\xc1"]), pack([msgspec.msgpack.encode([1, 2])])],
    ids=["empty", "other", "no piece", "half a row"],
)
def test_what_is_no_recording_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        unpack(data)


def test_messages_come_back_as_they_were() -> None:
    messages = (Message("system", "a"), Message("user", "b \ud800"))
    assert decode_messages(encode_messages(messages[:1])) == messages[:1]
    assert decode_messages(encode_messages(messages)) == (messages[0], Message("user", "b \ufffd"))
    assert decode_messages(None) == ()
