"""What happens in the engine, as typed facts. Everything above the wire speaks in these.

Nothing here does I/O, knows a clock or knows who listens.
"""

from typing import Literal, assert_never

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

Severity = Literal["debug", "info", "success", "warning", "error"]


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


class Description(Struct, frozen=True):
    """An event in words. Still untrusted text: it goes through `safe_text` before it is drawn."""

    severity: Severity
    words: str


def kept_words(metrics: Metrics) -> str:
    """What of an answer was kept, for the end of an error's words."""
    if metrics.text_chars:
        plural = "" if metrics.text_chars == 1 else "s"
        return f"{metrics.text_chars:,} character{plural} kept"
    return "nothing received"


def describe(body: Body) -> Description:
    """What happened, for event log, toast and command line alike."""
    match body:
        case SessionOpened():
            return Description("info", f"session opened on {body.endpoint} {body.model}")
        case SessionClosed():
            return Description("info", "session closed")
        case RunQueued():
            return Description("info", f"queued behind {body.ahead}")
        case RunWaiting():
            return Description("info", _describe_waiting(body))
        case RunStarted():
            return Description("info", body.prompt)
        case AttemptStarted():
            return Description("debug", _describe_attempt(body))
        case RequestSent():
            return Description("debug", "request sent")
        case ResponseStarted():
            return Description("debug", f"HTTP {body.status}")
        case Chunk():
            return _describe_chunk(body)
        case KeepAliveReceived():
            return Description("debug", f"keep-alive: {body.comment}")
        case StreamStalled():
            return Description(
                "warning", f"no data for {body.silent_for:.0f} s, the limit is {body.limit:.0f} s"
            )
        case AttemptFailed():
            return Description("warning", f"attempt {body.attempt}: {body.error.message}")
        case RetryScheduled():
            return Description("warning", _describe_retry(body))
        case ReconnectScheduled():
            return Description("warning", _describe_reconnect(body))
        case RunCompleted():
            return Description("success", _describe_completion(body))
        case RunCutOff() | RunFailed():
            return Description("error", _describe_loss(body))
        case RunCancelled():
            return Description("info", f"cancelled, {kept_words(body.metrics)}")
        case JournalStopped() | JournalResumed() | JournalReplaced():
            return _describe_journal(body)
        case _:
            assert_never(body)


def _describe_journal(body: JournalStopped | JournalResumed | JournalReplaced) -> Description:
    match body:
        case JournalStopped():
            lost = f". {body.lost:,} bytes found no room in memory either" if body.lost else ""
            hint = f". {body.hint}" if body.hint else ""
            return Description("error", f"not saved: {body.reason}{lost}{hint}")
        case JournalResumed():
            lost = f", but for {body.lost:,} bytes" if body.lost else ""
            return Description("success", f"saved again: all that waited is on disk{lost}")
        case JournalReplaced():
            words = f"the journal could not be read ({body.reason}); it is kept as {body.kept_as}"
            return Description("error", words)


def _describe_waiting(body: RunWaiting) -> str:
    if body.delay is None:
        return f"queued: {body.reason}"
    return f"queued for {body.delay:.1f} s: {body.reason}"


def _describe_attempt(body: AttemptStarted) -> str:
    whom = f", {' '.join(filter(None, (body.endpoint, body.model)))}" if body.endpoint else ""
    return f"attempt {body.attempt}/{body.of}{whom}, {body.route}"


def _describe_retry(body: RetryScheduled) -> str:
    what = f"Trying {body.endpoint or 'again'}"
    when = "" if body.endpoint and not body.delay else f" in {body.delay:.1f} s"
    return f"{body.error.message}. {what}{when}, attempt {body.attempt} of {body.of}"


def _describe_reconnect(body: ReconnectScheduled) -> str:
    count = f", {body.number} of {body.of}" if body.of else ""
    return f"{body.error.message}. Reconnecting in {body.delay:.1f} s{count}"


def _describe_completion(body: RunCompleted) -> str:
    reason = body.finish_reason or "end of stream"
    return f"done in {body.metrics.duration:.1f} s, {reason}, {kept_words(body.metrics)}"


def _describe_loss(body: RunCutOff | RunFailed) -> str:
    words = f"{body.error.message}. {kept_words(body.metrics).capitalize()}."
    return f"{words} {body.error.hint}." if body.error.hint else words


def _describe_chunk(chunk: Chunk) -> Description:
    if any(isinstance(delta, MalformedFrame) for delta in chunk.deltas):
        return Description("warning", " ".join(map(_describe_delta, chunk.deltas)))
    return Description("debug", " ".join(map(_describe_delta, chunk.deltas)))


def _describe_delta(delta: Delta) -> str:
    match delta:
        case TextDelta() | ReasoningDelta() | RefusalDelta():
            return delta.text
        case ToolCallDelta():
            return f"{delta.name or ''}{delta.arguments}"
        case Usage():
            return f"usage: {delta.input or 0} in, {delta.output or 0} out"
        case Finish():
            return f"finish: {delta.reason}"
        case ResponseInfo():
            return f"response {delta.id} from {delta.model}"
        case UnknownFrame() | ServerEvent():
            return f"{delta.event}: {delta.data}"
        case MalformedFrame():
            return f"unreadable frame ({delta.reason}): {delta.data}"
        case _:
            assert_never(delta)
