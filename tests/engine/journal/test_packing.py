"""The log is shared out to its runs, whatever happens meanwhile and whatever is in it."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from streamtui.engine.bus import Bus
from streamtui.engine.journal import packing
from streamtui.engine.journal.history import History
from streamtui.engine.journal.intake import Intake
from streamtui.engine.journal.ledger import Ledger
from streamtui.engine.journal.packing import Packing
from streamtui.engine.journal.store import Store
from streamtui.engine.reports import StoredRun
from streamtui.events import (
    Body,
    Chunk,
    Message,
    Metrics,
    RunCompleted,
    RunCutOff,
    RunStarted,
    SessionOpened,
    TextDelta,
)


class Bench:
    """A store into which runs are written tick by tick."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._bus = Bus(lambda: 1000.0, lambda: 1.0)
        self._intake = Intake(lambda: None)
        self._bus.attach(self._intake)
        self._ledger = Ledger()
        self._publish("", SessionOpened("mirror", "m", "d"))

    def start(self, run_id: str) -> None:
        self._publish(run_id, RunStarted("Sing", (Message("user", "Sing"),), "mirror", "m", "d"))

    def stream(self, run_id: str, text: str) -> None:
        self._publish(run_id, Chunk((TextDelta(text),)))

    def end(self, run_id: str) -> None:
        self._publish(run_id, RunCompleted("stop", Metrics()))

    def run(self, run_id: str) -> StoredRun:
        found = History(self.store.connection).run(run_id)
        assert found is not None
        return found

    def count(self, table: str) -> int:
        row = self.store.connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(row[0])

    def recordings(self) -> list[bytes]:
        return [
            events
            for (events,) in self.store.connection.execute(
                "SELECT events FROM recording ORDER BY key"
            )
        ]

    def _publish(self, run_id: str, body: Body) -> None:
        self._bus.publish("s", run_id, body)
        self.store.write([self._ledger.tick(self._intake.drain())], durably=False)
        self._ledger.settle()


@pytest.fixture
def bench() -> Iterator[Bench]:
    with closing(Store(None)) as store:
        yield Bench(store)


def test_what_ends_while_the_log_is_shared_out_is_packed_whole(bench: Bench) -> None:
    for number in range(5):
        bench.start(f"first{number}")
        bench.stream(f"first{number}", "La")
        bench.end(f"first{number}")
    number = 0
    for _ in bench.store.packing._share_out():
        # What is under way meanwhile begins, goes on and ends between its slices.
        bench.start(f"r{number}")
        bench.stream(f"r{number}", "La ")
        if number:
            bench.stream(f"r{number - 1}", "la")
            bench.end(f"r{number - 1}")
        number += 1
    bench.end(f"r{number - 1}")
    bench.store.packing.finish()
    assert [bench.run(f"first{n}").answer for n in range(5)] == ["La"] * 5
    assert [bench.run(f"r{n}").answer for n in range(number)] == ["La la"] * (number - 1) + ["La "]
    assert (bench.count("log"), bench.count("recording")) == (0, number + 5)


def test_a_run_that_streams_is_read_from_what_is_shared_out_and_what_is_not(bench: Bench) -> None:
    bench.start("r")
    bench.stream("r", "a ")
    for _ in bench.store.packing._share_out():
        pass
    bench.stream("r", "b ")
    for _ in bench.store.packing._share_out():
        pass
    bench.stream("r", "c")
    assert (bench.count("log"), bench.count("recording")) == (1, 2)
    bodies = [event.body for event in bench.run("r").events[1:]]
    assert bodies == [Chunk((TextDelta(text),)) for text in ("a ", "b ", "c")]
    assert [event.seq for event in bench.run("r").events] == [2, 3, 4, 5]
    bench.end("r")
    bench.store.packing.finish()
    assert bench.run("r").answer == "a b c"
    assert [event.body for event in bench.run("r").events[1:-1]] == bodies
    assert [event.seq for event in bench.run("r").events] == [2, 3, 4, 5, 6]


def test_a_row_of_the_log_that_cannot_be_read_stays_and_costs_no_other(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    for run_id in ("a", "b"):
        bench.start(run_id)
        bench.stream(run_id, run_id)
        bench.end(run_id)
    # It held the text of the first.
    bench.store.connection.execute("UPDATE log SET events = x'c1' WHERE key = 2")
    assert [event.body for event in bench.run("b").events][1] == Chunk((TextDelta("b"),))
    bench.store.packing.finish()
    assert (bench.run("a").answer, bench.run("a").summary.state) == ("", "done")
    assert bench.run("b").answer == "b"
    assert bench.count("log") == 1
    assert "cannot be read" in caplog.text
    bench.start("c")
    bench.end("c")
    bench.store.packing.finish()
    assert bench.count("log") == 1
    bench.store.purge()
    assert bench.count("log") == 0


def test_a_run_that_cannot_be_packed_stays_as_it_is_and_holds_up_no_other(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.start("a")
    bench.stream("a", "La")
    for _ in bench.store.packing._share_out():
        pass
    bench.store.connection.execute("UPDATE recording SET events = x'00'")
    bench.end("a")
    for run_id in ("b", "c"):
        bench.start(run_id)
        bench.stream(run_id, "La")
        bench.end(run_id)
    bench.store.packing.finish()
    assert "could not be packed" in caplog.text
    assert [bench.run(run_id).answer for run_id in ("b", "c")] == ["La", "La"]
    rows = bench.store.connection.execute("SELECT id, packed FROM run ORDER BY key").fetchall()
    assert rows == [("a", 0), ("b", 1), ("c", 1)]
    assert bench.store.packing.due_in() is None


def test_a_run_that_is_deleted_while_it_streams_stays_deleted(bench: Bench) -> None:
    bench.start("r")
    bench.stream("r", "La ")
    bench.store.delete_runs(["r"])
    bench.stream("r", "la")
    bench.end("r")
    bench.store.packing.finish()
    assert [bench.count(table) for table in ("run", "recording", "log")] == [0, 0, 0]


@pytest.mark.parametrize(("limit", "value"), [("FOLD_BYTES", 2_000), ("FOLD_ROWS", 20)])
def test_a_long_log_is_shared_out_though_nothing_ends(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(packing, limit, value)
    bench.start("r")
    assert bench.store.packing.due_in() is None
    while bench.store.packing.due_in() is None:
        bench.stream("r", "0123456789")
    assert bench.store.packing.due_in() == 0
    while bench.store.packing.due_in() == 0:
        bench.store.packing.work()
    assert bench.count("recording") >= 1
    assert bench.count("log") == 0


@pytest.mark.parametrize("ended", [True, False])
def test_a_long_run_stays_in_its_recordings_and_is_whole(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, *, ended: bool
) -> None:
    monkeypatch.setattr(packing, "LONG_BYTES", 100)
    words = [f"{number} " for number in range(100)]
    bench.start("r")
    for word in words:
        bench.stream("r", word)
        for _ in bench.store.packing._share_out():
            pass
    if ended:
        bench.end("r")
    else:
        bench.store._end_what_was_left()
        bench.store.packing = Packing(bench.store.connection, bench.store.transaction)
    bench.store.packing.finish()
    found = bench.run("r")
    assert bench.count("recording") > 100
    assert found.answer == "".join(words)
    assert found.summary.ended is not None
    texts = [event.body for event in found.events if isinstance(event.body, Chunk)]
    assert texts == [Chunk((TextDelta(word),)) for word in words]
    assert isinstance(found.events[-1].body, RunCompleted if ended else RunCutOff)
    bench.store.delete_runs(["r"])
    assert [bench.count(table) for table in ("run", "recording", "log")] == [0, 0, 0]


def test_a_long_run_takes_less_room_once_it_has_ended(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "LONG_BYTES", 1_000)
    bench.start("r")
    for _ in range(3):
        for number in range(100):
            bench.stream("r", f"{number} ")
        for _ in bench.store.packing._share_out():
            pass
    before = bench.recordings()
    bench.end("r")
    bench.store.packing.finish()
    after = bench.recordings()
    assert len(before) == 3
    assert len(after) == 4
    assert all(len(new) < len(old) * 0.7 for old, new in zip(before, after, strict=False))
    assert bench.run("r").answer == "".join(f"{number} " for number in range(100)) * 3


def test_a_long_run_is_made_smaller_though_nothing_else_is_to_be_done(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "LONG_BYTES", 100)
    bench.start("r")
    for number in range(100):
        bench.stream("r", f"{number} ")
    bench.end("r")
    for _ in bench.store.packing._share_out():
        if not bench.store.packing._ended:
            break
    before = sum(map(len, bench.recordings()))
    assert bench.store.packing.due_in() == 0
    while bench.store.packing.due_in() == 0:
        bench.store.packing.work()
    assert sum(map(len, bench.recordings())) < before * 0.7


def test_what_ends_is_packed_at_once_unless_much_streams_beside_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.start("a")
    bench.end("a")
    assert bench.store.packing.due_in() == 0
    bench.store.packing.finish()
    assert bench.store.packing.due_in() is None
    monkeypatch.setattr(packing, "_SMALL_BYTES", 10)
    bench.start("b")
    bench.end("b")
    wait = bench.store.packing.due_in()
    assert wait is not None
    assert 0 < wait <= packing.FOLD_SECONDS
