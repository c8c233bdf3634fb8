"""Doors without an engine: commands are noted, events are emitted by the test."""

import asyncio
import itertools
from collections.abc import Callable, Iterator

import pytest

from streamtui.config import Endpoint
from streamtui.engine.doors import (
    Cancel,
    CancelAll,
    CloseSession,
    Command,
    DeleteRuns,
    Doors,
    FindRuns,
    GetRun,
    GetSession,
    GetWorkspace,
    ListSessions,
    OpenSession,
    Query,
    Retry,
    SaveWorkspace,
    Send,
    Subscription,
)
from streamtui.engine.reports import (
    Answer,
    Done,
    NotFound,
    RunList,
    RunSummary,
    SessionList,
    SessionRecord,
    SessionSummary,
    StoredRun,
    Transcript,
    Workspace,
)
from streamtui.events import (
    AttemptStarted,
    Body,
    Chunk,
    Event,
    Message,
    Metrics,
    RequestSent,
    RunCancelled,
    RunCompleted,
    RunQueued,
    RunStarted,
    SessionClosed,
    SessionOpened,
    TextDelta,
)

WALL = 1_753_000_000.0
MONO = 1_000.0


class ScriptedSubscription:
    """A list of events that waits to be drained."""

    merged = 0

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self.waiting: list[Event] = []
        self.closed = False

    def push(self, event: Event) -> None:
        self.waiting.append(event)
        if len(self.waiting) == 1 and not self.closed:
            self._wake()

    def drain(self) -> list[Event]:
        waiting, self.waiting = self.waiting, []
        return waiting

    def close(self) -> None:
        self.closed = True


class ScriptedDoors(Doors):
    """Opens sessions, starts runs and queues prompts like the engine; answers only what it is told.

    `now` is the monotonic time of the events to come.
    """

    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.sessions: list[str] = []
        self.endpoints: dict[str, Endpoint] = {}
        self.runs: dict[str, str] = {}
        """The run in progress of each session."""
        self.last_runs: dict[str, str] = {}
        self.queues: dict[str, list[Send]] = {}
        self.now = MONO
        self.closed = False
        self.queries: list[Query] = []
        self.answers: dict[type, Answer] = {}
        """What is said to queries of a kind; an empty transcript where nothing is set."""
        self.workspace = Workspace("default")
        self.saves = 0
        self.open_before: list[SessionSummary] = []
        """Sessions that were open before the console came."""
        self.told_before: list[Event] = []
        """What is told of them from the start."""
        self.history: list[RunSummary] = []
        """Newest first."""
        self.stored: dict[str, StoredRun] = {}
        self.records: dict[str, SessionRecord] = {}
        self._seq = itertools.count(1)
        self.subscriptions: list[ScriptedSubscription] = []

    def execute(self, command: Command) -> None:
        self.commands.append(command)
        match command:
            case OpenSession(session_id, endpoint, private=private):
                self.sessions.append(session_id)
                self.endpoints[session_id] = endpoint
                self.queues[session_id] = []
                opened = SessionOpened(endpoint.name, endpoint.model, "scripted", private=private)
                self.emit(session_id, opened)
            case Send():
                self._take(command)
            case Retry(session_id, run_id):
                last = self.last_runs.get(session_id, "")
                self._start(session_id, run_id, self._last_prompt(session_id), replaces=last)
            case Cancel(session_id):
                self.end(session_id, RunCancelled(Metrics()))
            case CancelAll():
                for session_id in list(self.runs):
                    self.queues[session_id].clear()
                    self.end(session_id, RunCancelled(Metrics()))
            case CloseSession(session_id):
                self.queues[session_id].clear()
                self.end(session_id, RunCancelled(Metrics()))
                self.emit(session_id, SessionClosed())

    def subscribe(
        self, wake: Callable[[], object], *, from_start: bool = False, **_: object
    ) -> Subscription:
        subscription = ScriptedSubscription(wake)
        if from_start:
            subscription.waiting += self.told_before
        self.subscriptions.append(subscription)
        return subscription

    async def ask(self, query: Query) -> Answer:
        if not isinstance(query, SaveWorkspace | GetWorkspace | ListSessions):
            self.queries.append(query)
        if type(query) in self.answers:
            return self.answers[type(query)]
        match query:
            case SaveWorkspace(name=name, desk=desk):
                self.saves += 1
                self.workspace = Workspace(name, WALL, desk)
                return Done()
            case GetWorkspace():
                return self.workspace
            case ListSessions():
                return SessionList(tuple(self.open_before))
            case FindRuns():
                return self._found(query)
            case GetRun(run_id=run_id):
                return self.stored.get(run_id, NotFound())
            case GetSession(session_id=session_id):
                return self.records.get(session_id, NotFound())
            case DeleteRuns(run_ids=run_ids):
                self.history = [run for run in self.history if run.run_id not in run_ids]
                return Done()
        return Transcript()

    def was_open(
        self, session_id: str, endpoint: Endpoint, *bodies: Body, run_id: str = ""
    ) -> None:
        """Let a session be there before the console comes, with what has happened in it."""
        self.endpoints[session_id] = endpoint
        self.queues[session_id] = []
        summary = SessionSummary(session_id, endpoint.name, endpoint.model, False, 0, "")
        self.open_before.append(summary)
        opened = SessionOpened(endpoint.name, endpoint.model, "scripted")
        for body in (opened, *bodies):
            run = "" if body is opened else run_id
            event = Event(next(self._seq), WALL, MONO, session_id, run, body)
            self.told_before.append(event)

    def _found(self, query: FindRuns) -> RunList:
        words = query.text.lower().split()
        found = [
            run
            for run in self.history
            if all(word in f"{run.prompt} {run.answer}".lower() for word in words)
            and (query.before is None or run.key < query.before)
        ]
        return RunList(tuple(found[: query.limit]), more=len(found) > query.limit)

    def close(self) -> None:
        self.closed = True

    def emit(self, session_id: str, body: Body, *, run_id: str | None = None) -> Event:
        """Let an event happen."""
        run_id = self.runs.get(session_id, "") if run_id is None else run_id
        seconds = self.now - MONO
        event = Event(next(self._seq), WALL + seconds, self.now, session_id, run_id, body)
        for subscription in self.subscriptions:
            subscription.push(event)
        return event

    def answer(self, session_id: str, *pieces: str) -> None:
        """Let text arrive in the run in progress."""
        for piece in pieces:
            self.emit(session_id, Chunk((TextDelta(piece),)))

    def complete(self, session_id: str, *pieces: str) -> None:
        """Let text arrive and the run end well."""
        self.answer(session_id, *pieces)
        chars = sum(map(len, pieces))
        self.end(session_id, RunCompleted("stop", Metrics(ttft=0.31, text_chars=chars)))

    def end(self, session_id: str, body: Body) -> None:
        """Let the run in progress end; the next queued one starts."""
        run_id = self.runs.pop(session_id, None)
        if run_id is None:
            return
        self.emit(session_id, body, run_id=run_id)
        if self.queues[session_id]:
            following = self.queues[session_id].pop(0)
            self._start(session_id, following.run_id, following.prompt)

    def sent(self) -> Iterator[tuple[str, str]]:
        """Session and prompt of everything that was sent."""
        for command in self.commands:
            if isinstance(command, Send):
                yield command.session_id, command.prompt

    def _take(self, send: Send) -> None:
        if send.session_id not in self.runs:
            self._start(send.session_id, send.run_id, send.prompt)
            return
        queue = self.queues[send.session_id]
        queue.append(send)
        self.emit(send.session_id, RunQueued(send.prompt, len(queue)), run_id=send.run_id)

    def _start(self, session_id: str, run_id: str, prompt: str, *, replaces: str = "") -> None:
        self.runs[session_id] = run_id
        endpoint = self.endpoints[session_id]
        messages = (Message("user", prompt),)
        started = RunStarted(
            prompt, messages, endpoint.name, endpoint.model, "scripted", replaces=replaces
        )
        self.last_runs[session_id] = run_id
        self.emit(session_id, started)
        self.emit(session_id, AttemptStarted(1, 3, "direct"))
        self.emit(session_id, RequestSent())

    def _last_prompt(self, session_id: str) -> str:
        return [prompt for session, prompt in self.sent() if session == session_id][-1]


def stand_still(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """From now on an engine answers no question until this is set."""
    monkeypatch.setattr("streamtui.ui.asking.PATIENCE_SECONDS", 0.01)
    goes_on = asyncio.Event()
    ask = ScriptedDoors.ask

    async def ask_once_it_goes_on(doors: ScriptedDoors, query: Query) -> Answer:
        await goes_on.wait()
        return await ask(doors, query)

    monkeypatch.setattr(ScriptedDoors, "ask", ask_once_it_goes_on)
    return goes_on
