"""What a demo model was asked, whichever dialect carried it. No I/O."""

from collections.abc import Iterator
from typing import Annotated, Any

from msgspec import Meta, Struct

from streamtui.demo.tokens import estimate_tokens

MAX_TOKENS_ASKED = 1_000_000
"""Keeps a mistyped `demo.tokens` from filling the memory of the console."""


class Overrides(Struct, frozen=True, forbid_unknown_fields=True):
    """The `"demo"` object of a request body: our own extension, for benches and tests."""

    rate: Annotated[float, Meta(gt=0, le=1_000_000)] | None = None
    """Tokens a second."""
    tokens: Annotated[int, Meta(ge=1, le=MAX_TOKENS_ASKED)] | None = None
    """Length of the answer; a shorter script starts over, a longer one is cut."""
    delay: Annotated[float, Meta(ge=0)] | None = None
    """Seconds before the first token."""


class Turn(Struct, frozen=True):
    """One message of the conversation so far."""

    role: str
    text: str


class Question(Struct, frozen=True, kw_only=True):
    """A request without its dialect: everything that a script may depend on."""

    model: str
    turns: tuple[Turn, ...]
    stream: bool = False
    with_usage: bool = True
    """Whether the stream is to end with token counts."""
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    can_think: bool = True
    """Whether the answer has a place for reasoning."""
    can_call_tools: bool = True
    as_array: bool = False
    """Whether the stream is to be one JSON array, where the dialect has that form too."""
    hangs_up: bool = False
    """Whether the connection is cut after an error in the stream."""
    can_come_back: bool = False
    """Whether a stream that is cut can be asked for the rest."""
    form: Any = None
    """What a dialect with several forms of answers notes for its own writer."""
    overrides: Overrides = Overrides()

    @property
    def prompt(self) -> str:
        """The newest thing that the user said; empty when there is none."""
        return next((turn.text for turn in reversed(self.turns) if turn.role == "user"), "")

    @property
    def tokens(self) -> int:
        """How many tokens were sent, estimated."""
        return sum(estimate_tokens(turn.text) for turn in self.turns)

    @property
    def turn_number(self) -> int:
        """1 for the first question of a conversation."""
        return max(1, sum(turn.role == "user" for turn in self.turns))

    @property
    def tool_result(self) -> str | None:
        """What a tool answered, when that is the newest turn."""
        return self.turns[-1].text if self.turns and self.turns[-1].role == "tool" else None

    def identity(self) -> Iterator[str]:
        """The parts that make two requests the same question."""
        yield self.model
        for turn in self.turns:
            yield turn.role
            yield turn.text
