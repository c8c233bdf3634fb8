"""Events in words. Everybody tells of them in these: event log, toasts, command line, exports.

Still untrusted text: it goes through `safe_text` before it is drawn.
"""

from typing import Literal, assert_never

from msgspec import Struct

from streamtui.events import (
    AttemptFailed,
    AttemptStarted,
    Body,
    Chunk,
    Delta,
    Finish,
    JournalReplaced,
    JournalResumed,
    JournalStopped,
    KeepAliveReceived,
    MalformedFrame,
    Metrics,
    ReasoningDelta,
    ReconnectScheduled,
    RefusalDelta,
    RequestSent,
    ResponseInfo,
    ResponseStarted,
    RetryScheduled,
    RunCancelled,
    RunCompleted,
    RunCutOff,
    RunFailed,
    RunQueued,
    RunStarted,
    RunWaiting,
    ServerEvent,
    SessionClosed,
    SessionOpened,
    StreamStalled,
    TextDelta,
    ToolCallDelta,
    UnknownFrame,
    Usage,
)

Severity = Literal["debug", "info", "success", "warning", "error"]


class Description(Struct, frozen=True):
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
