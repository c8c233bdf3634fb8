"""One question and its answer as they are kept while the answer comes. Pure."""

import msgspec

from streamtui.engine.doors import RunContext
from streamtui.engine.reader import is_visible, malformed_count
from streamtui.events import Chunk, Finish, Message, Metrics, TextDelta, Usage

MAX_KEPT_CHARS = 64 * 1024 * 1024
"""Of a stream that never ends no more is kept for the turns that follow it."""


class Turn(msgspec.Struct):
    """A prompt and as much of its answer as came."""

    prompt: str
    answer: str = ""
    run_id: str = ""
    """The run that brought the answer; empty for a turn that came with the session."""


class Run:
    """One question and its answer: what was asked, and the measures taken while it runs."""

    def __init__(
        self, run_id: str, prompt: str, context: RunContext, *, replaces: Turn | None = None
    ) -> None:
        self.run_id = run_id
        self.prompt = prompt
        self.context = context
        self.replaces = replaces
        """The turn whose prompt is asked again; it stays if no better answer comes."""
        self.attempt = 0
        self.started = 0.0
        self.first_visible: float | None = None
        self.chunks = 0
        self.malformed = 0
        self.text: list[str] = []
        self.text_chars = 0
        self.usage: Usage | None = None
        self.finish_reason: str | None = None
        self.began = False
        self.cancelled = False
        """Cancelled before it began."""

    def begin_attempt(self) -> None:
        """What an attempt said before it failed unseen is not part of the next one."""
        self.attempt += 1
        self.usage = None
        self.finish_reason = None

    def metrics(self, now: float) -> Metrics:
        """The measures so far; `now` on the monotonic clock."""
        began = self.first_visible
        return Metrics(
            ttft=None if began is None else began - self.started,
            duration=now - self.started if self.began else 0.0,
            chunks=self.chunks,
            attempts=max(self.attempt, 1),
            text_chars=self.text_chars,
            malformed=self.malformed,
            usage=self.usage,
        )

    def take(self, chunk: Chunk, now: float) -> bool:
        """Count a chunk and keep its text; whether anything of it is visible."""
        visible = any(map(is_visible, chunk.deltas))
        if visible:
            self.chunks += 1
            if self.first_visible is None:
                self.first_visible = now
        self.malformed += malformed_count(chunk)
        for delta in chunk.deltas:
            match delta:
                case TextDelta():
                    if self.text_chars < MAX_KEPT_CHARS:
                        self.text.append(delta.text)
                    self.text_chars += len(delta.text)
                case Usage():
                    self.usage = delta
                case Finish():
                    self.finish_reason = delta.reason
        return visible


def split_turns(messages: tuple[Message, ...]) -> tuple[tuple[Message, ...], list[Turn]]:
    """Earlier messages as what only precedes, and the turns of question and answer at their end."""
    turns: list[Turn] = []
    end = len(messages)
    while end >= 2 and (messages[end - 2].role, messages[end - 1].role) == ("user", "assistant"):
        turns.insert(0, Turn(messages[end - 2].content, messages[end - 1].content))
        end -= 2
    return messages[:end], turns
