"""What happens in the engine, as typed facts. Everything above the wire speaks in these.

Nothing here does I/O, knows a clock or knows who listens.
"""

from typing import Literal

from msgspec import Struct

Role = Literal["system", "user", "assistant"]

ErrorKind = Literal[
    "auth",
    "bad-request",
    "bug",
    "connect",
    "connection-lost",
    "dns",
    "empty-body",
    "error-midstream",
    "forbidden",
    "frame-too-large",
    "interrupted",
    "not-a-stream",
    "not-found",
    "no-key",
    "overloaded",
    "protocol-error",
    "proxy",
    "proxy-auth",
    "quota",
    "rate-limit",
    "redirect-refused",
    "server",
    "stopped-by-limit",
    "timeout-connect",
    "timeout-first-token",
    "timeout-idle",
    "tls",
    "too-large",
    "truncated",
    "usage",
]
"""What went wrong, as a program tells it apart. People read `ErrorInfo.message`."""


class Message(Struct, frozen=True):
    """One turn of a conversation, as it is sent back to the endpoint."""

    role: Role
    content: str


# Deltas: what one chunk of the wire adds to an answer.


class TextDelta(Struct, frozen=True, tag=True):
    text: str


class ReasoningDelta(Struct, frozen=True, tag=True):
    text: str


class RefusalDelta(Struct, frozen=True, tag=True):
    text: str


class ToolCallDelta(Struct, frozen=True, tag=True):
    """A piece of a tool call; pieces with the same `index` belong together."""

    index: int
    arguments: str
    """A fragment of JSON text, to be joined with those before it."""
    id: str | None = None
    name: str | None = None


class Usage(Struct, frozen=True, tag=True):
    """Tokens counted by the endpoint; None where it does not say."""

    input: int | None = None
    output: int | None = None
    cached: int | None = None
    reasoning: int | None = None


class Finish(Struct, frozen=True, tag=True):
    """The endpoint's own word for why the answer ended, such as `stop` or `length`."""

    reason: str


class ResponseInfo(Struct, frozen=True, tag=True):
    """What the endpoint calls this response; sent once, before its first text."""

    id: str = ""
    model: str = ""
    fingerprint: str = ""


class UnknownFrame(Struct, frozen=True, tag=True):
    """A frame that is well-formed and says nothing that we know."""

    event: str
    data: str


class MalformedFrame(Struct, frozen=True, tag=True):
    """A frame that could not be read and was passed over."""

    reason: str
    data: str


class ServerEvent(Struct, frozen=True, tag=True):
    """An event in the server's own words, whole; the text that it adds follows in a delta of its
    own."""

    event: str
    """Its type; for an event of LangChain's its name, such as `on_chain_start`."""
    data: str
    id: str = ""
    """The last event id of the stream when it came."""


Delta = (
    TextDelta
    | ReasoningDelta
    | RefusalDelta
    | ToolCallDelta
    | Usage
    | Finish
    | ResponseInfo
    | UnknownFrame
    | MalformedFrame
    | ServerEvent
)

VISIBLE_DELTAS = (TextDelta, ReasoningDelta, RefusalDelta, ToolCallDelta)
"""What a user sees arrive. After the first of these a run is never retried."""


class ErrorInfo(Struct, frozen=True):
    """An error as it travels: words that may be shown, without secrets, and what to do next."""

    kind: ErrorKind
    message: str
    """What happened, in plain words, without the endpoint's name and without a final full stop."""
    hint: str = ""
    """What to do next, as a sentence without a final full stop; empty when there is nothing."""
    retryable: bool = False
    status: int | None = None
    """HTTP status, when an answer came."""
    request_id: str = ""
    retry_after: float | None = None
    """Seconds that the endpoint asked to wait."""
    excerpt: str = ""
    """The beginning of what could not be read; at most 200 characters."""

    @property
    def words(self) -> str:
        """What happened and what to do next, as sentences."""
        return f"{self.message}. {self.hint}." if self.hint else f"{self.message}."


class Metrics(Struct, frozen=True):
    """The measures of one run. Times in seconds from the moment the run started."""

    ttft: float | None = None
    """Until the first visible delta; None when there was none."""
    duration: float = 0.0
    chunks: int = 0
    """Chunks of the wire that carried something visible."""
    attempts: int = 1
    text_chars: int = 0
    malformed: int = 0
    usage: Usage | None = None


# Bodies: what an event says.


class SessionOpened(Struct, frozen=True, tag=True):
    endpoint: str
    model: str
    dialect: str
    insecure: bool = False
    """Whether anybody who answers there is believed: its certificate is not checked."""
    private: bool = False
    """Whether nothing of it is kept on disk."""


class SessionClosed(Struct, frozen=True, tag=True):
    pass


class RunQueued(Struct, frozen=True, tag=True):
    """A prompt was accepted and waits its turn."""

    prompt: str
    ahead: int
    """How many runs of the session come before it."""


class RunWaiting(Struct, frozen=True, tag=True):
    """A run that began waits for others before its next attempt."""

    reason: str
    delay: float | None = None
    """Seconds from this event's time; None when it depends on others."""


class RunStarted(Struct, frozen=True, tag=True):
    prompt: str
    messages: tuple[Message, ...]
    """All turns that are sent, the prompt last."""
    endpoint: str
    model: str
    dialect: str
    params: dict[str, object] = {}
    name: str = ""
    tags: tuple[str, ...] = ()
    metadata: dict[str, object] = {}
    parent_ids: tuple[str, ...] = ()
    replaces: str = ""
    """The run of the same prompt whose answer leaves the conversation for this one."""


class AttemptStarted(Struct, frozen=True, tag=True):
    attempt: int
    of: int
    """How many attempts there will be at the most."""
    route: str
    """The way to the endpoint: `direct`, or `via proxy NAME (host:port)`."""
    endpoint: str = ""
    """Who is asked: the session's endpoint, or one of its fallbacks."""
    model: str = ""
    insecure: bool = False
    """Whether anybody who answers there is believed: its certificate is not checked."""


class RequestSent(Struct, frozen=True, tag=True):
    """The connection stands and the request has left; nothing has come back yet."""


class ResponseStarted(Struct, frozen=True, tag=True):
    status: int
    request_id: str = ""
    headers: dict[str, str] = {}
    """Rate-limit and request-id headers only, names in lower case."""


class Chunk(Struct, frozen=True, tag=True, gc=False):
    """What one chunk of the wire added, or several merged for a subscriber that lags."""

    deltas: tuple[Delta, ...]
    merged: int = 1
    """How many chunks of the wire this one stands for."""


class KeepAliveReceived(Struct, frozen=True, tag=True):
    """The line lives but the model says nothing; `comment` is the endpoint's own text."""

    comment: str


class StreamStalled(Struct, frozen=True, tag=True):
    """An answer that had begun went silent. The next chunk ends the stall."""

    silent_for: float
    """Seconds since the last byte."""
    limit: float
    """Seconds of silence after which the run is ended."""


class AttemptFailed(Struct, frozen=True, tag=True):
    attempt: int
    error: ErrorInfo


class RetryScheduled(Struct, frozen=True, tag=True):
    attempt: int
    """The number of the attempt that will be made."""
    of: int
    delay: float
    """Seconds from this event's time."""
    error: ErrorInfo
    endpoint: str = ""
    """The fallback that is asked from now on; empty for the same endpoint again."""


class ReconnectScheduled(Struct, frozen=True, tag=True):
    """A stream broke off and goes on where it was, on another connection. Nothing is asked anew."""

    number: int
    """Which connection in a row this is since the last event, from 1."""
    of: int | None
    """How many of them there will be at the most; None for no limit."""
    delay: float
    """Seconds from this event's time."""
    last_event_id: str
    """Where it goes on, in the server's words; empty when the server never said."""
    error: ErrorInfo
    """How the last connection ended."""


class RunCompleted(Struct, frozen=True, tag=True):
    finish_reason: str | None
    metrics: Metrics


class RunCutOff(Struct, frozen=True, tag=True):
    """The stream ended without its end marker; what came is kept."""

    error: ErrorInfo
    metrics: Metrics


class RunFailed(Struct, frozen=True, tag=True):
    error: ErrorInfo
    metrics: Metrics


class RunCancelled(Struct, frozen=True, tag=True):
    metrics: Metrics


class JournalStopped(Struct, frozen=True, tag=True):
    """What happens from now on is not saved; it waits in memory. Streaming goes on."""

    reason: str
    hint: str = ""
    lost: int = 0
    """Bytes that memory had no room for either, so far."""


class JournalResumed(Struct, frozen=True, tag=True):
    """Everything that waited is saved, but for what was lost."""

    lost: int = 0
    """Bytes that memory had no room for."""


class JournalReplaced(Struct, frozen=True, tag=True):
    """The journal could not be read; it was put aside whole, and a new one begun."""

    reason: str
    kept_as: str
    """The path under which the old file is kept."""


Body = (
    SessionOpened
    | SessionClosed
    | RunQueued
    | RunWaiting
    | RunStarted
    | AttemptStarted
    | RequestSent
    | ResponseStarted
    | Chunk
    | KeepAliveReceived
    | StreamStalled
    | AttemptFailed
    | RetryScheduled
    | ReconnectScheduled
    | RunCompleted
    | RunCutOff
    | RunFailed
    | RunCancelled
    | JournalStopped
    | JournalResumed
    | JournalReplaced
)

RunEnd = RunCompleted | RunCutOff | RunFailed | RunCancelled
RUN_ENDS = (RunCompleted, RunCutOff, RunFailed, RunCancelled)
"""Exactly one of these ends every run that was accepted."""


class Event(Struct, frozen=True, gc=False):
    """A stamped fact on the bus."""

    # Thousands are kept, and are in no cycle: without `gc=False` each collection goes through them.

    seq: int
    """Grows by one with each event of the engine; the order of events, whatever clocks do."""
    time: float
    """Seconds since the epoch, for people."""
    mono: float
    """Monotonic seconds, for differences; the same clock for all processes of a machine."""
    session_id: str
    run_id: str
    """Empty for the events of a session."""
    body: Body
