"""An event as words of the log: its name as LangChain would say it, and its payload in short.

Pure. The words are untrusted text, made safe where they become a row.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from streamtui.event_words import Severity, describe
from streamtui.events import (
    AttemptFailed,
    AttemptStarted,
    Body,
    Chunk,
    Delta,
    JournalReplaced,
    JournalResumed,
    JournalStopped,
    KeepAliveReceived,
    MalformedFrame,
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
)

COMPLETION_DIALECTS = frozenset(("openai-completions",))
"""Those of which LangChain speaks as `llm`; all others are chat models to it."""
SEEN_CHARS = 1000
"""No row is longer; a prompt of a megabyte costs no more than its beginning."""

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
    JournalStopped: "journal_stopped",
    JournalResumed: "journal_resumed",
    JournalReplaced: "journal_replaced",
}
_OWN_NAME = re.compile(r"on_[a-z_]{1,17}")
"""Of an event that LangChain itself told; no other word of a server becomes a name here."""


class Source(NamedTuple):
    """What the events of a session do not say of themselves."""

    pane: int | None = None
    """The number of its pane."""
    endpoint: str = ""
    dialect: str = ""
    name: str = ""
    tags: tuple[str, ...] = ()


def event_name(body: Body, dialect: str) -> str:
    """`on_llm_stream`, `on_chat_model_stream`; the project's own name where LangChain has none."""
    if type(body) is Chunk:
        for delta in body.deltas:
            if type(delta) is ServerEvent:
                if is_own_name(delta.event):
                    return delta.event
                break
    return usual_name(type(body), dialect)


@lru_cache(256)
def usual_name(kind: type[Body], dialect: str) -> str:
    """The name of an event with such a body, where the server does not say it itself."""
    suffix = _LANGCHAIN_NAMES.get(kind)
    if suffix is None:
        return _NAMES[kind]
    return f"on_{'llm' if dialect in COMPLETION_DIALECTS else 'chat_model'}_{suffix}"


@lru_cache(256)
def is_own_name(event: str) -> bool:
    """Whether a server's word for an event is one of LangChain's."""
    return _OWN_NAME.fullmatch(event) is not None


def severity(body: Body) -> Severity:
    """What `describe` says of it, without the words: those of a chunk may be a megabyte."""
    if isinstance(body, Chunk):
        unreadable = any(isinstance(delta, MalformedFrame) for delta in body.deltas)
        return "warning" if unreadable else "debug"
    return describe(body).severity


def payload(body: Body) -> str:
    """What an event carries, in short."""
    match body:
        case RunStarted():
            return f'prompt="{body.prompt[:SEEN_CHARS]}"'
        case Chunk():
            words = " ".join(map(_delta_words, _told(body) or body.deltas))
            return words if body.merged == 1 else f"{words} ({body.merged} chunks)"
        case _:
            return describe(body).words[:SEEN_CHARS]


def _told(chunk: Chunk) -> list[ServerEvent]:
    """The server's own events in a chunk; their text is in them already."""
    return [delta for delta in chunk.deltas if isinstance(delta, ServerEvent)]


def _delta_words(delta: Delta) -> str:
    match delta:
        case ServerEvent() if is_own_name(delta.event):
            return delta.data[:SEEN_CHARS]
        case TextDelta():
            return f'"{delta.text[:SEEN_CHARS]}"'
        case ReasoningDelta():
            return f'reasoning "{delta.text[:SEEN_CHARS]}"'
        case RefusalDelta():
            return f'refusal "{delta.text[:SEEN_CHARS]}"'
        case _:
            return describe(Chunk((delta,))).words[:SEEN_CHARS]
