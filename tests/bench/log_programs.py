"""A program that is given events, and measures itself; for `tests.bench.event_log`.

    python -m tests.bench.log_programs RESULT LOAD

RESULT is the file that its figures go to, LOAD a `Load` in JSON.
"""

import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

import msgspec
from rich.console import RenderableType
from rich.text import Text
from textual.app import App, ComposeResult
from textual.screen import Screen
from textual.widgets import Log, RichLog

from streamtui.cli.console_engine import ConsoleEngine
from streamtui.config import EMBEDDED_DEMO_URL, Config, Endpoint
from streamtui.engine.doors import Doors
from streamtui.events import Event
from streamtui.garbage import look_rarely
from streamtui.ui.app import StreamTUIApp
from streamtui.ui.clock import Beat
from streamtui.ui.event_log import log_row
from streamtui.ui.log_box import LogBox
from streamtui.ui.log_store import LogStore
from streamtui.ui.themes import load_themes
from tests.bench.log_feed import DIALECT, Batch, Feed, FeedDoors, Load, Taken
from tests.bench.programs import memory_mib

SETTLE = 1.5
"""Seconds until a program stands."""
WARM_UP = 3.0
"""Seconds under load before anything is measured: rings fill."""
OTHERS_MOST_LINES = 20_000
OTHERS_AT_ONCE = 1_000
"""Events in one frame of Textual's widgets: they would never come back from all that are due."""

Lags = list[tuple[float, int]]
"""Seconds, and of how many events."""


class Watch:
    """Looks at a program from inside, for as long as the load says."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.taken = Taken()
        self._from = self._until = float("inf")
        self._cpu = 0.0
        self._memory: list[float] = []
        self._in_log: list[Batch] = []
        self._lags: dict[str, Lags] = {"drawable": [], "painted": [], "worked": [], "behind": []}
        self._events = self._chunks = 0

    def begin(self, app: App[None]) -> None:
        """The load began; measure after the warm-up."""
        app.set_timer(WARM_UP, lambda: self._start(app))

    def _start(self, app: App[None]) -> None:
        self._from = time.monotonic()
        self._until = self._from + self.load.seconds
        self._cpu = self._spent()
        self.taken.garbage.longest = 0.0
        self._look()
        app.set_timer(self.load.seconds / 2, self._look)
        app.set_timer(self.load.seconds, lambda: self._end(app))

    def _look(self) -> None:
        self._memory.append(memory_mib(os.getpid()))

    def _spent(self) -> float:
        return time.process_time() - self.taken.spent

    def drawable(self) -> None:
        """The log has what was taken."""
        now = time.monotonic()
        batches, self.taken.batches = self.taken.batches, []
        self._in_log += batches
        if self._from <= now <= self._until:
            self._lags["drawable"] += [(now - batch.taken, batch.events) for batch in batches]

    def painted(self) -> None:
        """What the log has was handed to whoever writes to the terminal."""
        batches, self._in_log = self._in_log, []
        now, cpu = time.monotonic(), time.thread_time()
        if not self._from <= now <= self._until:
            return
        for batch in batches:
            self._events += batch.events
            self._chunks += batch.chunks
            self._lags["painted"].append((now - batch.taken, batch.events))
            self._lags["worked"].append((cpu - batch.cpu, batch.events))
            self._lags["behind"].append((now - batch.due, batch.events))

    def _end(self, app: App[None]) -> None:
        self._look()
        elapsed = time.monotonic() - self._from
        figures = {
            "events_per_second": self._events / elapsed,
            "chunks_per_second": self._chunks / elapsed,
            "us_per_event": (self._spent() - self._cpu) / max(self._events, 1) * 1e6,
            "memory_start_mib": self._memory[0],
            "memory_middle_mib": self._memory[1],
            "memory_end_mib": self._memory[-1],
            "longest_collection_ms": self.taken.garbage.longest * 1000,
        }
        for name, lags in self._lags.items():
            figures[f"{name}_p50_ms"], figures[f"{name}_p95_ms"] = _percentiles(lags)
        part = Path(f"{sys.argv[1]}.part")
        part.write_text(json.dumps(figures))
        part.rename(sys.argv[1])
        app.exit()


def _percentiles(lags: Lags) -> tuple[float, float]:
    """Milliseconds; a batch counts as often as it has events, by the ten."""
    found = [lag * 1000 for lag, events in lags for _ in range(max(events // 10, 1))]
    if len(found) < 2:
        return float("nan"), float("nan")
    return statistics.median(found), statistics.quantiles(found, n=20)[-1]


class Whole(StreamTUIApp):
    """The console as it is, which says when it has drawn."""

    def __init__(self, watch: Watch, doors: Doors, begin: Callable[[], object]) -> None:
        load = watch.load
        per_session = load.rate // load.sessions
        count = int(per_session * (load.seconds + WARM_UP + 60))
        endpoint = Endpoint(
            name="bench",
            dialect="openai-chat" if load.url else DIALECT,
            base_url=load.url or EMBEDDED_DEMO_URL,
            model=f"tokens/{per_session}/{count}" if load.url else "m",
        )
        super().__init__(
            doors,
            Config(endpoints={"bench": endpoint}, default_endpoint="bench"),
            opening=[endpoint] * load.sessions,
            prompt="go" if load.url else "",
            show_events=True,
            on_mounted=lambda _app: self.set_timer(SETTLE, self._begin_load),
        )
        self._watch = watch
        self._begin_with = begin

    def _begin_load(self) -> None:
        log = self.main.log_box.log_view
        log.set_filter(self._watch.load.filter)
        append = log.append

        def noted(events: Sequence[Event], numbers: Callable[[str], int | None]) -> None:
            append(events, numbers)
            self._watch.drawable()

        log.append = noted  # type: ignore[method-assign]
        self._begin_with()
        self._watch.begin(self)

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        super()._display(screen, renderable)
        # Else rows of the log wait for the next painting.
        if not self.main.log_box.log_view._stale:
            self._watch.painted()


class Alone(App[None]):
    """One widget, given events twenty times a second."""

    AT_ONCE: ClassVar[int | None] = None

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self.load = watch.load
        self._watch = watch
        theme = load_themes()[0]
        self.register_theme(theme)
        self.theme = theme.name

    def on_mount(self) -> None:
        self._beat = Beat(asyncio.get_running_loop(), self._queue_frame)
        wake, taken = self._beat.request, self._watch.taken
        self._feed = Feed(self.load, taken, wake, at_once=self.AT_ONCE)
        for number in range(self.load.sessions):
            self._feed.open(f"session-{number}")
        self.set_timer(SETTLE, self._begin_load)

    def _begin_load(self) -> None:
        self._feed.begin()
        self._watch.begin(self)

    def _queue_frame(self) -> None:
        self.call_later(self._frame)

    def _frame(self) -> None:
        started = time.monotonic()
        self.take(self._feed.drain())
        self._watch.drawable()
        self._beat.done(started)

    def take(self, events: list[Event]) -> None:
        """Show them."""
        raise NotImplementedError

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        super()._display(screen, renderable)
        self._watch.painted()


def number_of(session_id: str) -> int | None:
    """As if it had a pane."""
    return int(session_id.rpartition("-")[2])


class LogAlone(Alone):
    """The console's log without the console."""

    def compose(self) -> ComposeResult:
        self.box = LogBox()
        self.box.log_view.set_filter(self.load.filter)
        yield self.box

    def take(self, events: list[Event]) -> None:
        self.box.append(events, number_of)


class Worded(Alone):
    """One of Textual's own, given the same rows: each in words at once, it can put nothing off."""

    AT_ONCE = OTHERS_AT_ONCE

    def __init__(self, watch: Watch) -> None:
        super().__init__(watch)
        self._store = LogStore(OTHERS_AT_ONCE + 100)
        self._store.set_filter(self.load.filter)

    def words(self, events: list[Event]) -> list[Text]:
        """A row for each event that passes."""
        store, start = self._store, self._store.end
        store.append(events, number_of)
        rows = (
            log_row(store[number], self.size.width) for number in store.window(start, len(events))
        )
        return [Text.assemble(*((span.text, "") for span in row.spans)) for row in rows]


class WithRichLog(Worded):
    def compose(self) -> ComposeResult:
        self.log_widget = RichLog(max_lines=OTHERS_MOST_LINES)
        yield self.log_widget

    def take(self, events: list[Event]) -> None:
        for row in self.words(events):
            self.log_widget.write(row)


class WithLog(Worded):
    def compose(self) -> ComposeResult:
        self.log_widget = Log(max_lines=OTHERS_MOST_LINES)
        yield self.log_widget

    def take(self, events: list[Event]) -> None:
        self.log_widget.write_lines([row.plain for row in self.words(events)])


def run_fed(watch: Watch) -> None:
    """The console with an engine in its own loop."""
    doors = FeedDoors(watch.load, watch.taken)
    Whole(watch, doors, doors.begin).run()


def run_engine(watch: Watch) -> None:
    """The console with a real engine and a real endpoint."""
    with ConsoleEngine("off") as engine:

        def begin() -> None:
            assert app._subscription is not None
            watch.taken.note_all_of(app._subscription)

        app = Whole(watch, engine.doors, begin)
        app.run()


PROGRAMS: dict[str, Callable[[Watch], object]] = {
    "console": run_fed,
    "engine": run_engine,
    "log": lambda watch: LogAlone(watch).run(),
    "RichLog": lambda watch: WithRichLog(watch).run(),
    "Log": lambda watch: WithLog(watch).run(),
}


def main() -> None:
    watch = Watch(msgspec.json.decode(sys.argv[2], type=Load))
    # As the command line does it.
    look_rarely()
    PROGRAMS[watch.load.program](watch)


if __name__ == "__main__":
    main()
