"""How an answer ended, as a program sees it: exit codes, and the summary of `run --json`.

Pure: events in, values out. Nothing here prints.
"""

from collections.abc import Iterable
from typing import Any, Literal

from msgspec.structs import asdict

from streamtui.cli.codes import (
    ANSWERED,
    BROKEN,
    BUG,
    CANCELLED,
    NETWORK,
    OVERLOADED,
    REFUSED,
    USAGE,
    WORST_FIRST,
)
from streamtui.cli.tables import label_of
from streamtui.config import Endpoint
from streamtui.events import (
    Body,
    Chunk,
    Delta,
    ErrorInfo,
    ErrorKind,
    Metrics,
    ReasoningDelta,
    RefusalDelta,
    RunCancelled,
    RunCompleted,
    RunCutOff,
    RunEnd,
    RunFailed,
    TextDelta,
    ToolCallDelta,
)
from streamtui.safe_text import join_surrogates

EXIT_CODES: dict[ErrorKind, int] = {
    "bug": BUG,
    "no-key": USAGE,
    "usage": USAGE,
    "auth": REFUSED,
    "bad-request": REFUSED,
    "forbidden": REFUSED,
    "not-found": REFUSED,
    "redirect-refused": REFUSED,
    "too-large": REFUSED,
    "overloaded": OVERLOADED,
    "quota": OVERLOADED,
    "rate-limit": OVERLOADED,
    "server": OVERLOADED,
    "connect": NETWORK,
    "connection-lost": NETWORK,
    "dns": NETWORK,
    "proxy": NETWORK,
    "proxy-auth": NETWORK,
    "stopped-by-limit": NETWORK,
    "timeout-connect": NETWORK,
    "timeout-first-token": NETWORK,
    "timeout-idle": NETWORK,
    "tls": NETWORK,
    "empty-body": BROKEN,
    "error-midstream": BROKEN,
    "frame-too-large": BROKEN,
    "not-a-stream": BROKEN,
    "protocol-error": BROKEN,
    "interrupted": BROKEN,
    "truncated": BROKEN,
}
"""For a failure before the answer began. One that interrupts an answer is BROKEN, whatever its
kind, except for a bug."""

State = Literal["done", "cut_off", "failed", "cancelled"]


def worst(codes: Iterable[int]) -> int:
    """The exit code of a command whose parts ended with these."""
    return min(codes, key=WORST_FIRST.index, default=ANSWERED)


def code_of(end: RunEnd) -> int:
    """The exit code that the end of one run asks for."""
    match end:
        case RunCompleted():
            return ANSWERED
        case RunCancelled():
            return CANCELLED
        case RunCutOff():
            return BROKEN
        case RunFailed():
            code = EXIT_CODES[end.error.kind]
            return BROKEN if end.metrics.chunks and code != BUG else code


class ToolCall:
    """A tool call as its pieces come."""

    def __init__(self) -> None:
        self.id: str | None = None
        self.name: str | None = None
        self._arguments: list[str] = []

    def add(self, piece: ToolCallDelta) -> None:
        self.id = piece.id or self.id
        self.name = piece.name or self.name
        self._arguments.append(piece.arguments)

    @property
    def arguments(self) -> str:
        return join_surrogates("".join(self._arguments))

    def summary(self) -> dict[str, Any]:
        return {"id": self.id, "name": self.name, "arguments": self.arguments}


class Answer:
    """What one endpoint said to the prompt, gathered from the events of its run."""

    def __init__(self, endpoint: Endpoint, *, limit: int | None = None) -> None:
        self.endpoint = endpoint
        self.limit = limit
        """After how many chunks of text the rest is not wanted."""
        self.run_id = ""
        self.session_id = ""
        self.enough = False
        """All that was wanted has come; how the run ends is of no interest."""
        self.unread = False
        """It was given up because too much of it waited to be read."""
        self.end: RunEnd | None = None
        self.tool_calls: dict[int, ToolCall] = {}
        self._pieces: list[str] = []
        self._reasoning: list[str] = []

    @property
    def label(self) -> str:
        """The endpoint in the form that `-e` accepts; untrusted, like all that is configured."""
        return label_of(self.endpoint.name, self.endpoint.model)

    @property
    def text(self) -> str:
        return join_surrogates("".join(self._pieces))

    @property
    def over(self) -> bool:
        """Nothing more of it is going to be printed."""
        return self.enough or self.end is not None

    def apply(self, body: Body) -> str:
        """Take in the next event of the run; returns the text that it adds."""
        if isinstance(body, RunEnd):
            self.end = body
        if self.enough or not isinstance(body, Chunk):
            return ""
        text = "".join(map(self._take, body.deltas))
        if text:
            self._pieces.append(text)
            self.enough = len(self._pieces) == self.limit
        return text

    def _take(self, delta: Delta) -> str:
        match delta:
            case TextDelta() | RefusalDelta():
                return delta.text
            case ReasoningDelta():
                self._reasoning.append(delta.text)
            case ToolCallDelta():
                self.tool_calls.setdefault(delta.index, ToolCall()).add(delta)
            case _:
                pass
        return ""

    @property
    def exit_code(self) -> int:
        if self.enough:
            return ANSWERED
        if self.unread:
            return BROKEN
        return BUG if self.end is None else code_of(self.end)

    def summary(self) -> dict[str, Any]:
        """The object of `run --json`, in the order of the manual."""
        end = self.end or RunCancelled(metrics=_NO_METRICS)
        metrics = end.metrics
        return {
            "endpoint": self.endpoint.name,
            "model": self.endpoint.model,
            "run_id": self.run_id,
            "state": _state_of(end),
            "text": self.text,
            "reasoning": join_surrogates("".join(self._reasoning)) or None,
            "tool_calls": [call.summary() for _, call in sorted(self.tool_calls.items())] or None,
            "finish_reason": end.finish_reason if isinstance(end, RunCompleted) else None,
            "usage": asdict(metrics.usage) if metrics.usage else None,
            "ttft_ms": _milliseconds(metrics.ttft),
            "duration_ms": _milliseconds(metrics.duration),
            "chunks": metrics.chunks,
            "attempts": metrics.attempts,
            "error": _error_summary(end.error) if isinstance(end, RunCutOff | RunFailed) else None,
        }


_NO_METRICS = Metrics()


def _state_of(end: RunEnd) -> State:
    match end:
        case RunCompleted():
            return "done"
        case RunCutOff():
            return "cut_off"
        case RunFailed():
            return "failed"
        case RunCancelled():
            return "cancelled"


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)


def _error_summary(error: ErrorInfo) -> dict[str, Any]:
    return {"kind": error.kind, "message": error.message, "status": error.status}
