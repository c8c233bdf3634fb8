"""What a pane knows of its session: turns, phase, times. See `figures` for what is made of them.

Plain data, filled by `state.apply`. No Textual, no clock: times are in monotonic seconds.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from streamtui.config import Price
from streamtui.events import ErrorInfo, Message, Metrics, ResponseInfo, Usage
from streamtui.ui.arriving import GrowingText, RateMeter
from streamtui.ui.attempts import Attempt

Phase = Literal[
    "idle",
    "queued",
    "connecting",
    "waiting",
    "thinking",
    "streaming",
    "stalled",
    "retry",
    "done",
    "cut off",
    "failed",
    "cancelled",
]
End = Literal["done", "cut off", "failed", "cancelled"]

GLYPHS: dict[Phase, str] = {
    "idle": "○",
    "queued": "≡",
    "connecting": "◔",
    "waiting": "◌",
    "thinking": "◐",
    "streaming": "●",
    "stalled": "‖",
    "retry": "↻",
    "done": "✓",
    "cut off": "↯",
    "failed": "✗",
    "cancelled": "⊘",
}
ASCII_GLYPHS: dict[Phase, str] = {
    "idle": "o",
    "queued": "=",
    "connecting": "~",
    "waiting": ".",
    "thinking": "?",
    "streaming": "*",
    "stalled": "!",
    "retry": "r",
    "done": "+",
    "cut off": "/",
    "failed": "x",
    "cancelled": "-",
}
LIVE_PHASES: frozenset[Phase] = frozenset(
    ("queued", "connecting", "waiting", "thinking", "streaming", "stalled", "retry")
)


@dataclass
class ToolCall:
    """A call that the model asks for."""

    id: str = ""
    name: str = ""
    argument_pieces: GrowingText = field(default_factory=GrowingText)

    @property
    def arguments(self) -> str:
        """JSON text, perhaps unfinished."""
        return str(self.argument_pieces)


@dataclass
class Turn:
    """A question and what came of it. All text is raw: it is made safe where it is drawn."""

    run_id: str
    prompt: str
    reasoning_pieces: GrowingText = field(default_factory=GrowingText)
    text_pieces: GrowingText = field(default_factory=GrowingText)
    refusal_pieces: GrowingText = field(default_factory=GrowingText)
    calls_by_index: dict[int, ToolCall] = field(default_factory=dict)
    end: End | None = None
    error: ErrorInfo | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    metrics: Metrics | None = None
    attempts: list[Attempt] = field(default_factory=list)
    fallback_price: Price | None = None
    """What the fallback takes that was asked in the place of the pane's own endpoint."""
    response: ResponseInfo | None = None
    """What the endpoint calls the answer."""
    input_chars: int = 0
    """Characters of all messages sent, to guess at tokens that nobody counted."""
    chunks: int = 0
    """Chunks of the wire that carried something visible."""
    first_malformed_seq: int | None = None
    """The event with the first frame that could not be read."""
    superseded: bool = False
    """Asked again: this answer is shown, but is no longer part of the conversation."""
    let_go: int = 0
    """Characters of its text that only the journal has; it has none itself then."""
    is_needed: bool = False
    """The journal does not have all of its text: it must not be let go."""
    is_lost: bool = False
    """Its text could not be brought back when it was looked at last."""

    @property
    def chars(self) -> int:
        """Characters of what came in it, as far as that is in memory."""
        arguments = sum(len(call.argument_pieces) for call in self.calls_by_index.values())
        texts = len(self.text_pieces) + len(self.reasoning_pieces) + len(self.refusal_pieces)
        return texts + arguments

    def says_the_same(self, other: "Turn") -> bool:
        """Whether the same came in another turn."""
        return self._said == other._said

    @property
    def _said(self) -> tuple[object, ...]:
        calls = [(call.id, call.name, call.arguments) for call in self.tool_calls]
        return self.text, self.reasoning, self.refusal, calls

    def let_go_of_text(self) -> None:
        """Keep no more than how much there was."""
        self.let_go = self.chars
        self.text_pieces, self.reasoning_pieces = GrowingText(), GrowingText()
        self.refusal_pieces = GrowingText()
        self.calls_by_index = {}

    def take_text_back(self, stored: "Turn") -> None:
        """Have the text of another turn."""
        self.let_go, self.is_lost = 0, False
        self.text_pieces, self.reasoning_pieces = stored.text_pieces, stored.reasoning_pieces
        self.refusal_pieces, self.calls_by_index = stored.refusal_pieces, stored.calls_by_index

    @property
    def text(self) -> str:
        return str(self.text_pieces)

    @property
    def reasoning(self) -> str:
        return str(self.reasoning_pieces)

    @property
    def refusal(self) -> str:
        return str(self.refusal_pieces)

    @property
    def tool_calls(self) -> list[ToolCall]:
        return list(self.calls_by_index.values())

    def call_at(self, index: int) -> ToolCall:
        """The tool call that the endpoint numbers `index`, made when it is new."""
        return self.calls_by_index.setdefault(index, ToolCall())


class QueuedPrompt(NamedTuple):
    run_id: str
    prompt: str


class Tag(NamedTuple):
    """What is special about a pane, safe to draw."""

    words: str
    short: str
    """The same where there is little room."""
    role: str = "secondary bold"


@dataclass
class PaneState:
    """One session as its pane shows it."""

    session_id: str
    endpoint: str = ""
    model: str = ""
    dialect: str = ""
    phase: Phase = "idle"
    turns: list[Turn] = field(default_factory=list)
    queued: list[QueuedPrompt] = field(default_factory=list)
    price: Price | None = None
    closed: bool = False

    run_started: float | None = None
    first_visible: float | None = None
    last_data: float | None = None
    """When the answer last moved, as the engine sees it: keep-alives do not count."""
    run_ended: float | None = None
    keep_alive: str = ""
    """The endpoint's own words while it lets us wait."""

    attempt: int = 0
    attempts: int = 0
    """The attempt in progress, and how many there will be at the most."""
    route: str = ""
    insecure: bool = False
    """The certificate of whoever is asked is not checked."""
    private: bool = False
    """Nothing of it is kept on disk."""
    can_repeat: bool = False
    """The engine knows the last turn as a run, not only as messages that came with the session."""
    silent: str = ""
    """Why nobody can be asked here, as a sentence: the pane has no session in the engine."""
    tag: Tag | None = None
    """What the border says of a pane that is silent."""
    answering_endpoint: str = ""
    answering_model: str = ""
    """Who was asked last: the pane's own endpoint, or a fallback of it."""
    queue_reason: str = ""
    """What a run that began waits for."""
    retry_attempt: int = 0
    retry_of: int = 0
    retry_due: float | None = None
    """When the next attempt is due, while it waits for that."""
    retry_error: ErrorInfo | None = None
    reconnects: bool = False
    """In the phase `retry`: the stream goes on where it was, and nothing is asked again."""

    revision: int = 0
    """Grows with each event applied."""
    meter: RateMeter = field(default_factory=RateMeter)


@dataclass
class AppState:
    """All sessions, hidden and closed ones too, until they are forgotten."""

    panes: dict[str, PaneState] = field(default_factory=dict)
    prices: dict[str, Price] = field(default_factory=dict)
    """By endpoint; a pane takes its own from here when its session opens."""
    events_seen: int = 0
    not_saved_since: float | None = None
    """Seconds since the epoch at which the journal stopped; None while all is kept."""
    engine_gone: bool = False
    """Nobody answers: the engine ended, and no other one could be had."""

    @property
    def sessions(self) -> Iterator[PaneState]:
        """The panes that have, or had, a session in the engine."""
        return (pane for pane in self.panes.values() if not pane.silent)


def is_live(pane: PaneState) -> bool:
    """Something is under way, or about to be."""
    return pane.phase in LIVE_PHASES


def turn_of(pane: PaneState, run_id: str) -> Turn | None:
    """The turn of a run."""
    for turn in reversed(pane.turns):
        if turn.run_id == run_id:
            return turn
    return None


def model_name(pane: PaneState) -> str:
    """The model, without the endpoint's name where it only repeats it: `demo/verse` of `demo`."""
    if is_stood_in_for(pane):
        return pane.answering_model.removeprefix(f"{pane.answering_endpoint}/")
    return pane.model.removeprefix(f"{pane.endpoint}/")


def is_stood_in_for(pane: PaneState) -> bool:
    """Whether a fallback was asked in the place of the pane's own endpoint."""
    return pane.answering_endpoint not in {"", pane.endpoint}


def text_chars(pane: PaneState) -> int:
    """Characters of answers that a pane has in memory."""
    return sum(turn.chars for turn in pane.turns)


def messages(pane: PaneState) -> tuple[Message, ...]:
    """The conversation for a session that is opened again: turns that got an answer.

    All of it must be in memory.
    """
    if any(turn.let_go for turn in pane.turns):
        raise RuntimeError("a part of this conversation is not in memory")
    kept = [turn for turn in pane.turns if turn.text_pieces and not turn.superseded]
    return tuple(
        message
        for turn in kept
        for message in (Message("user", turn.prompt), Message("assistant", turn.text))
    )


def turns_of(past: tuple[Message, ...]) -> list[Turn]:
    """Turns for messages that came before this console watched; system messages are left out."""
    turns: list[Turn] = []
    for message in past:
        if message.role == "user":
            turns.append(Turn("", message.content, end="done"))
        elif message.role == "assistant":
            if not turns or turns[-1].text_pieces:
                turns.append(Turn("", "", end="done"))
            turns[-1].text_pieces.append(message.content)
    return turns
