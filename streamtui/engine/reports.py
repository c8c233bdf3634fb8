"""What the engine answers to queries, as it travels to the faces."""

from typing import Literal

from msgspec import Struct, structs

from streamtui.events import ErrorInfo, Event, Message

StageName = Literal["dns", "tcp", "proxy", "tls", "first byte", "first token"]


class Stage(Struct, frozen=True):
    """A part of the way to a first token."""

    name: StageName
    seconds: float | None
    """How long it took; None when the way has no such stage, or was not followed so far."""
    words: str = ""
    """What was found there: an address, a version of TLS, a status; or why there is no such stage.

    Neither seconds nor words has a stage that was not reached, or at which the way ended.
    """


class Transcript(Struct, frozen=True, tag=True):
    """The turns of a session that would be sent with its next prompt."""

    messages: tuple[Message, ...] = ()


class ProbeReport(Struct, frozen=True, tag=True):
    """How one short question to an endpoint went, stage by stage."""

    endpoint: str
    model: str
    dialect: str
    route: str
    """The way to the endpoint: `direct`, or `via proxy NAME (host:port)`."""
    stages: tuple[Stage, ...]
    """All stages, in the order of the way."""
    error: ErrorInfo | None = None
    """Why the way ended early."""
    reply: str = ""
    """The beginning of what the model said."""
    seconds: float = 0.0
    """The whole way, to the first token or the error; never less than all stages together."""
    failed: StageName | None = None
    """The stage at which the way ended; None for an error before the first of them."""


class ModelList(Struct, frozen=True, tag=True):
    """The models that an endpoint says it has, in its own order."""

    models: tuple[str, ...] = ()
    error: ErrorInfo | None = None
    """Why there is no list: the endpoint refused, or its protocol has none."""


class SessionSummary(Struct, frozen=True):
    """One session that is open."""

    session_id: str
    endpoint: str
    model: str
    live: bool
    """Whether an answer is under way or waits its turn."""
    runs: int
    """How many prompts it was sent."""
    prompt: str
    """The beginning of the last one; at most 200 characters."""
    private: bool = False


class SessionList(Struct, frozen=True, tag=True):
    sessions: tuple[SessionSummary, ...] = ()


class Done(Struct, frozen=True, tag=True):
    """What was asked for has been done."""


class RunSummary(Struct, frozen=True):
    """One row of the history."""

    key: int
    """Grows with each run that is accepted; for the next page."""
    run_id: str
    session_id: str
    started: float
    """Seconds since the epoch."""
    ended: float | None
    endpoint: str
    model: str
    dialect: str
    state: str
    """`queued`, `streaming`, `done`, `cut off`, `failed`, `cancelled` or `interrupted`."""
    prompt: str
    """The part that was looked for, or the beginning; at most 200 characters and two dots."""
    answer: str
    """The same of the answer; empty until it has ended."""
    answer_chars: int


class RunList(Struct, frozen=True, tag=True):
    """A page of the history, newest first."""

    runs: tuple[RunSummary, ...] = ()
    more: bool = False
    """Whether there may be older ones."""


class StoredRun(Struct, frozen=True, tag=True):
    """One run as it happened."""

    summary: RunSummary
    prompt: str
    answer: str
    """Empty until the run has ended; the events hold what came."""
    events: tuple[Event, ...]
    """With the times at which they happened; RunStarted names the last of its messages only."""


class SessionRecord(Struct, frozen=True, tag=True):
    """One conversation as it happened."""

    session_id: str
    preface: tuple[Message, ...]
    """The turns that came before its first run."""
    events: tuple[Event, ...]
    """From SessionOpened on, those of all its runs in their order."""

    def up_to(self, run_id: str) -> "SessionRecord | None":
        """The conversation up to the end of a run; None where that is no part of it."""
        places = [place for place, event in enumerate(self.events) if event.run_id == run_id]
        return structs.replace(self, events=self.events[: places[-1] + 1]) if places else None


class Workspace(Struct, frozen=True, tag=True):
    """What a console showed, in its own words."""

    name: str
    saved: float = 0.0
    """Seconds since the epoch; 0 when nothing was saved."""
    desk: bytes = b""


class NotFound(Struct, frozen=True, tag=True):
    """There is none of what was asked for; `error` says why, where there is a reason."""

    error: ErrorInfo | None = None


class Unanswered(Struct, frozen=True, tag=True):
    """The engine ended, or failed through a bug, before it could answer."""

    error: ErrorInfo


Answer = (
    Transcript
    | ProbeReport
    | ModelList
    | RunList
    | StoredRun
    | SessionRecord
    | Workspace
    | SessionList
    | Done
    | NotFound
    | Unanswered
)
