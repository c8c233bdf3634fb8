"""An event as words of the log: its name as LangChain would say it, and its payload in short.

Pure. The words are untrusted text, made safe where they become a row.
"""

import re

from streamtui.events import (
    AttemptFailed,
    AttemptStarted,
    Body,
    Chunk,
    Delta,
    KeepAliveReceived,
    ReasoningDelta,
    ReconnectScheduled,
    RefusalDelta,
    RequestSent,
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
    describe,
)

COMPLETION_DIALECTS = frozenset(("openai-completions",))
"""Those of which LangChain speaks as `llm`; all others are chat models to it."""

_LANGCHAIN_NAMES: dict[type[Body], str] = {
    RunStarted: "start",
    Chunk: "stream",
    RunCompleted: "end",
}
_NAMES: dict[type[Body], str] = {
    SessionOpened: "session_opened",
    SessionClosed: "session_closed",
    RunQueued: "run_queued",
    RunWaiting: "run_waiting",
    AttemptStarted: "attempt_started",
    RequestSent: "request_sent",
    ResponseStarted: "response_started",
    KeepAliveReceived: "keep_alive",
    StreamStalled: "stream_stalled",
    AttemptFailed: "attempt_failed",
    RetryScheduled: "retry_scheduled",
    ReconnectScheduled: "reconnect_scheduled",
    RunCutOff: "run_cut_off",
    RunFailed: "run_failed",
    RunCancelled: "run_cancelled",
}
_OWN_NAME = re.compile(r"on_[a-z_]{1,17}")
"""Of an event that LangChain itself told; no other word of a server becomes a name here."""
_SEEN_CHARS = 1000
"""No row is longer; a prompt of a megabyte costs no more than its beginning."""


def event_name(body: Body, dialect: str) -> str:
    """`on_llm_stream`, `on_chat_model_stream`; the project's own name where LangChain has none."""
    if isinstance(body, Chunk) and (told := _told(body)) and _OWN_NAME.fullmatch(told[0].event):
        return told[0].event
    suffix = _LANGCHAIN_NAMES.get(type(body))
    if suffix is None:
        return _NAMES[type(body)]
    kind = "llm" if dialect in COMPLETION_DIALECTS else "chat_model"
    return f"on_{kind}_{suffix}"


def payload(body: Body) -> str:
    """What an event carries, in short."""
    match body:
        case RunStarted():
            return f'prompt="{body.prompt[:_SEEN_CHARS]}"'
        case Chunk():
            words = " ".join(map(_delta_words, _told(body) or body.deltas))
            return words if body.merged == 1 else f"{words} ({body.merged} chunks)"
        case _:
            return describe(body).words[:_SEEN_CHARS]


def _told(chunk: Chunk) -> list[ServerEvent]:
    """The server's own events in a chunk; their text is in them already."""
    return [delta for delta in chunk.deltas if isinstance(delta, ServerEvent)]


def _delta_words(delta: Delta) -> str:
    match delta:
        case ServerEvent() if _OWN_NAME.fullmatch(delta.event):
            return delta.data[:_SEEN_CHARS]
        case TextDelta():
            return f'"{delta.text[:_SEEN_CHARS]}"'
        case ReasoningDelta():
            return f'reasoning "{delta.text[:_SEEN_CHARS]}"'
        case RefusalDelta():
            return f'refusal "{delta.text[:_SEEN_CHARS]}"'
        case _:
            return describe(Chunk((delta,))).words[:_SEEN_CHARS]
