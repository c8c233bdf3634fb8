"""Events of a session, written like a script: what happened, and when."""

from streamtui.events import (
    AttemptStarted,
    Body,
    Chunk,
    Delta,
    ErrorInfo,
    Event,
    Message,
    Metrics,
    RequestSent,
    ResponseStarted,
    RunCompleted,
    RunStarted,
    SessionOpened,
    TextDelta,
    Usage,
)
from streamtui.ui.state import AppState, PaneState, apply

EPOCH = 1_760_000_000.0
OVERLOADED = ErrorInfo("overloaded", "the server is overloaded", hint="Try again later")
LOST = ErrorInfo("connection-lost", "connection lost", hint="Press r to ask again")


class Script:
    """One session; `at` moves its clock, and each call makes an event and applies it."""

    def __init__(self, state: AppState | None = None, session_id: str = "s1") -> None:
        self.state = state or AppState()
        self.session_id = session_id
        self.now = 100.0
        self.events: list[Event] = []
        self.run_id = ""

    @property
    def pane(self) -> PaneState:
        return self.state.panes[self.session_id]

    def at(self, now: float) -> "Script":
        self.now = now
        return self

    def say(self, body: Body, run_id: str | None = None) -> Event:
        run = self.run_id if run_id is None else run_id
        seq = self.state.events_seen + 1
        event = Event(seq, EPOCH + self.now, self.now, self.session_id, run, body)
        apply(self.state, event)
        self.events.append(event)
        return event

    def open(self, endpoint: str = "openai", model: str = "gpt-4o-mini") -> "Script":
        self.say(SessionOpened(endpoint, model, "openai-chat"), run_id="")
        return self

    def start(
        self,
        prompt: str = "Sing",
        *,
        run_id: str = "r1",
        past: tuple[Message, ...] = (),
        replaces: str = "",
    ) -> "Script":
        self.run_id = run_id
        messages, pane = (*past, Message("user", prompt)), self.pane
        self.say(
            RunStarted(prompt, messages, pane.endpoint, pane.model, pane.dialect, replaces=replaces)
        )
        return self

    def connect(self) -> "Script":
        self.say(AttemptStarted(1, 3, "direct"))
        self.say(RequestSent())
        self.say(ResponseStarted(200))
        return self

    def receive(self, *deltas: Delta | str, merged: int = 1) -> "Script":
        made = tuple(TextDelta(each) if isinstance(each, str) else each for each in deltas)
        self.say(Chunk(made, merged))
        return self

    def finish(self, usage: Usage | None = None, reason: str = "stop") -> "Script":
        turn = self.pane.turns[-1]
        self.say(RunCompleted(reason, Metrics(text_chars=len(turn.text), usage=usage)))
        return self

    def answer(self, text: str, *, prompt: str = "Sing", run_id: str = "r1") -> "Script":
        """A whole run."""
        return self.start(prompt, run_id=run_id).connect().receive(text).finish()
