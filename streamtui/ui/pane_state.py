"""What a pane knows of its session: turns, phase, times, and the figures made of them.

Plain data, filled by `state.apply`. No Textual, no clock: `now` is passed in, in monotonic seconds.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from streamtui.config import Price
from streamtui.events import ErrorInfo, Message, Metrics, ResponseInfo, Usage
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

RATE_WINDOW = 2.0
"""Seconds over which a live rate is taken."""
_SLOTS_PER_SECOND = 4
_SPARK_CELLS = 5
_SPARK_LEVELS = "▁▂▃▄▅▆▇█"
_SHORTEST_GENERATION = 0.05
_PIECES_TO_JOIN = 512
_CHARS_PER_TOKEN = 4
"""A guess for prompts, used until the endpoint counts them."""


class GrowingText:
    """Text that arrives in pieces: cheap to add to and to read the end of."""

    def __init__(self, text: str = "") -> None:
        self._pieces = [text] if text else []
        self._joined = len(self._pieces)
        """So many pieces, from the first, are not joined with their neighbours again."""
        self._length = len(text)

    def __len__(self) -> int:
        return self._length

    def __str__(self) -> str:
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
            self._joined = 1
        return self._pieces[0] if self._pieces else ""

    def append(self, piece: str) -> None:
        if piece:
            self._pieces.append(piece)
            self._length += len(piece)
            # A string of one token takes ten times its text in memory.
            if len(self._pieces) - self._joined >= _PIECES_TO_JOIN:
                self._pieces[self._joined :] = ["".join(self._pieces[self._joined :])]
                self._joined += 1

    def since(self, offset: int) -> str:
        """What came after the first `offset` characters; costs what is returned."""
        missing = self._length - offset
        found: list[str] = []
        for piece in reversed(self._pieces):
            if missing <= 0:
                break
            found.append(piece[-missing:] if missing < len(piece) else piece)
            missing -= len(piece)
        return "".join(reversed(found))


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


class RateMeter:
    """How many chunks came in each quarter of a second, for the last few seconds."""

    def __init__(self) -> None:
        self._slots: deque[list[int]] = deque(maxlen=_SPARK_CELLS * _SLOTS_PER_SECOND + 1)

    def add(self, mono: float, count: int) -> None:
        slot = int(mono * _SLOTS_PER_SECOND)
        if self._slots and self._slots[-1][0] >= slot:
            self._slots[-1][1] += count
        else:
            self._slots.append([slot, count])

    def per_second(self, now: float, since: float) -> float:
        """The rate of the last two seconds, or since a moment if that was later."""
        window = int((now - RATE_WINDOW) * _SLOTS_PER_SECOND) + 1
        first = max(window, int(since * _SLOTS_PER_SECOND))
        covered = now - max(first / _SLOTS_PER_SECOND, since)
        count = self._count(first, int(now * _SLOTS_PER_SECOND))
        return count / max(covered, 1 / _SLOTS_PER_SECOND)

    def sparkline(self, now: float) -> str:
        """The last five seconds, one block each, against the highest of them."""
        end = int(now * _SLOTS_PER_SECOND) - 1
        counts = [
            self._count(end - (age + 1) * _SLOTS_PER_SECOND + 1, end - age * _SLOTS_PER_SECOND)
            for age in reversed(range(_SPARK_CELLS))
        ]
        highest = max(counts)
        if not highest:
            return ""
        top = len(_SPARK_LEVELS) - 1
        return "".join(_SPARK_LEVELS[round(count / highest * top)] for count in counts)

    def _count(self, first: int, last: int) -> int:
        return sum(count for slot, count in self._slots if first <= slot <= last)


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
    private: bool = False
    can_repeat: bool = False
    """The engine knows the last turn as a run, not only as messages that came with the session."""
    """The certificate of whoever is asked is not checked."""
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


class Tokens(NamedTuple):
    input: int | None
    output: int
    exact: bool
    """Counted by the endpoint; else estimated from chunks."""


def is_live(pane: PaneState) -> bool:
    """Something is under way, or about to be."""
    return pane.phase in LIVE_PHASES


def elapsed(pane: PaneState, now: float) -> float:
    """Seconds that the latest run took, or has taken until now."""
    if pane.run_started is None:
        return 0.0
    end = now if pane.run_ended is None else pane.run_ended
    return max(0.0, end - pane.run_started)


def model_name(pane: PaneState) -> str:
    """The model, without the endpoint's name where it only repeats it: `demo/verse` of `demo`."""
    if is_stood_in_for(pane):
        return pane.answering_model.removeprefix(f"{pane.answering_endpoint}/")
    return pane.model.removeprefix(f"{pane.endpoint}/")


def is_stood_in_for(pane: PaneState) -> bool:
    """Whether a fallback was asked in the place of the pane's own endpoint."""
    return pane.answering_endpoint not in {"", pane.endpoint}


def ttft(pane: PaneState) -> float | None:
    """Seconds until the first thing that a user could see; None while there is none."""
    if pane.run_started is None or pane.first_visible is None:
        return None
    return max(0.0, pane.first_visible - pane.run_started)


def tokens(pane: PaneState) -> Tokens:
    """Tokens of the latest run."""
    return turn_tokens(pane.turns[-1]) if pane.turns else Tokens(None, 0, exact=False)


def turn_tokens(turn: Turn) -> Tokens:
    """Tokens of one run: the endpoint's own count, else one for each chunk."""
    usage = turn.usage or Usage()
    if turn.end is not None and usage.output is not None:
        return Tokens(usage.input, usage.output, exact=True)
    return Tokens(usage.input, max(turn.chunks, usage.output or 0), exact=False)


def rate(pane: PaneState, now: float) -> float:
    """Tokens per second: of the last two seconds while live, of the whole run when it ended."""
    if pane.first_visible is None:
        return 0.0
    if pane.run_ended is not None:
        return _average_rate(pane)
    return pane.meter.per_second(now, pane.first_visible)


def _average_rate(pane: PaneState) -> float:
    if pane.run_started is None or pane.first_visible is None or pane.run_ended is None:
        return 0.0
    generating = pane.run_ended - pane.first_visible
    if generating < _SHORTEST_GENERATION:
        generating = pane.run_ended - pane.run_started
    return tokens(pane).output / max(generating, _SHORTEST_GENERATION)


def sparkline(pane: PaneState, now: float) -> str:
    """The course of a live run's rate; empty when nothing streams."""
    if pane.first_visible is None or pane.run_ended is not None:
        return ""
    return pane.meter.sparkline(now)


def cost(pane: PaneState) -> float | None:
    """Price of the latest run; None when the endpoint has no price. See `Tokens.exact`."""
    if pane.price is None or not pane.turns:
        return None
    return turn_cost(pane.turns[-1], pane.price)


def session_cost(pane: PaneState) -> float:
    """Price of all runs of a session."""
    if pane.price is None:
        return 0.0
    return sum(turn_cost(turn, pane.price) for turn in pane.turns)


def turn_cost(turn: Turn, price: Price) -> float:
    counted = turn_tokens(turn)
    sent = counted.input
    if sent is None:
        sent = turn.input_chars // _CHARS_PER_TOKEN
    return (sent * price.input + counted.output * price.output) / 1_000_000


def live_count(state: AppState) -> int:
    return sum(is_live(pane) for pane in state.panes.values())


def failed_count(state: AppState) -> int:
    """Open sessions whose latest run failed or was cut off."""
    return sum(
        pane.phase in {"failed", "cut off"} and not pane.closed for pane in state.panes.values()
    )


def total_rate(state: AppState, now: float) -> float:
    """Tokens per second of all live sessions."""
    return sum(rate(pane, now) for pane in state.panes.values() if is_live(pane))


def total_cost(state: AppState) -> float:
    return sum(session_cost(pane) for pane in state.panes.values())


def messages(pane: PaneState) -> tuple[Message, ...]:
    """The conversation for a session that is opened again: turns that got an answer."""
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
