"""The demo models and their scripts: what is said, when, and which fault comes at the end.

Knows no dialect and no socket; a dialect turns the steps into its frames.
"""

import math
from collections.abc import Callable, Iterator
from enum import StrEnum
from itertools import chain, cycle, islice

from msgspec import Struct
from msgspec.structs import replace

from streamtui.config.known import DEMO_OPENAI_MODELS
from streamtui.demo import answers
from streamtui.demo.answers import Draft, ToolCall
from streamtui.demo.question import Question

AS_FAST_AS_IT_CAN = math.inf
FAILURE = "The demo model failed on purpose; what it said before that is real."
"""What is told of `Ending.ERROR`."""


class Thought(Struct, frozen=True):
    """One token of reasoning."""

    text: str


class Said(Struct, frozen=True):
    """One token of the answer."""

    text: str


class CallStarted(Struct, frozen=True):
    """A tool call begins; its arguments follow."""

    call_id: str
    name: str


class CallArguments(Struct, frozen=True):
    """A piece of the JSON text of a tool call's arguments."""

    fragment: str


Step = Thought | Said | CallStarted | CallArguments
"""What takes one token's time; a script is a row of these and an ending."""


class Ending(StrEnum):
    """What follows the last step."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    ERROR = "error"
    """An error object inside the good stream."""
    DROP = "drop"
    """The connection is cut, without the end of the answer."""
    CUT = "cut"
    """The response ends as it should, without the end of the answer."""
    STALL = "stall"
    """Nothing more, on a connection that stays open until the client leaves."""


class Usage(Struct, frozen=True):
    """Tokens in, tokens out, and how many of those out were reasoning."""

    input: int
    output: int
    reasoning: int


class Script(Struct, frozen=True, kw_only=True):
    """One answer, ready to be played."""

    draft: Draft
    length: int
    """Steps to play; the rest of the draft is never said."""
    ending: Ending
    rate: float
    """Steps a second."""
    delay: float
    """Seconds before the first step."""
    usage: Usage
    cut_after: int | None = None
    """Steps after which the connection is cut once, and the answer goes on all the same."""
    failure: str = FAILURE
    """What is told of `Ending.ERROR`."""
    recorded: tuple[Step, ...] = ()
    """Steps that were recorded, in the place of the draft's."""
    offsets: tuple[float, ...] = ()
    """When each of those is due and, last of all, the ending: in seconds after the start. Empty
    where all follow at the rate."""

    def steps(self) -> Iterator[Step]:
        """What was recorded, or reasoning, then text, then the tool call; up to the length."""
        return islice(self.recorded or _all_steps(self.draft), self.length)


class Model(Struct, frozen=True, kw_only=True):
    """A row of the table below."""

    compose: Callable[[Question], Draft]
    rate: float
    """Tokens a second."""
    delay: float = 0.25
    """Seconds before the first token."""
    ending: Ending = Ending.STOP
    whole: Callable[[Question], Draft] | None = None
    """What it says to those who can come back for the second half, and then ends well."""
    refuses_first: bool = False
    """Whether a question is turned away with 429 once before it is answered."""


MODELS = {
    "demo/verse": Model(compose=answers.verse, rate=25),
    "demo/markdown": Model(compose=answers.markdown, rate=60),
    "demo/thinker": Model(compose=answers.thinker, rate=30, delay=0.4),
    "demo/slow": Model(compose=answers.slow, rate=3, delay=3),
    "demo/fast": Model(compose=answers.fast, rate=AS_FAST_AS_IT_CAN, delay=0),
    "demo/long": Model(compose=answers.long, rate=2_000),
    "demo/flaky": Model(compose=answers.plain, rate=40, refuses_first=True),
    "demo/drop": Model(compose=answers.half, rate=25, ending=Ending.DROP, whole=answers.plain),
    "demo/stall": Model(compose=answers.a_dozen_tokens, rate=20, ending=Ending.STALL),
    "demo/error": Model(compose=answers.half, rate=25, ending=Ending.ERROR),
    "demo/tools": Model(compose=answers.tools, rate=30),
    **dict.fromkeys(DEMO_OPENAI_MODELS, Model(compose=answers.verse, rate=25)),
}


def write_script(question: Question) -> Script:
    """The script for a question; the model must be one of `MODELS`."""
    model = MODELS[question.model]
    mended = model.whole if question.can_come_back else None
    ending = Ending.STOP if mended else model.ending
    draft, ending = _fitted((mended or model.compose)(question), ending, question)
    rate = question.overrides.rate or model.rate
    delay = model.delay if question.overrides.delay is None else question.overrides.delay
    if not question.can_think:
        # Reasoning that the dialect cannot carry still takes its time.
        delay += len(draft.thoughts) / rate
        draft = replace(draft, thoughts=())
    whole = _length(draft)
    length = min(whole, question.max_tokens or whole)
    return Script(
        draft=draft,
        length=length,
        ending=ending if length == whole else Ending.LENGTH,
        rate=rate,
        delay=delay,
        usage=_usage(question, draft, length),
        cut_after=length // 2 if mended else None,
    )


def _fitted(draft: Draft, ending: Ending, question: Question) -> tuple[Draft, Ending]:
    """The draft at the length that was asked for, or up to a stop sequence."""
    if question.overrides.tokens is not None:
        answer = tuple(islice(cycle(draft.answer), question.overrides.tokens))
        draft = replace(draft, answer=answer)
    stop_at = _first_stop(draft.answer, question.stop)
    if stop_at is not None:
        answer = tuple(_up_to(stop_at, draft.answer))
        return replace(draft, answer=answer, call=None), Ending.STOP
    return draft, Ending.TOOL_CALLS if draft.call else ending


def _first_stop(tokens: tuple[str, ...], stops: tuple[str, ...]) -> int | None:
    """Where in the text the first of the stop sequences begins."""
    if not stops:
        return None
    text = "".join(tokens)
    return min((at for stop in stops if (at := text.find(stop)) >= 0), default=None)


def _up_to(length: int, tokens: tuple[str, ...]) -> Iterator[str]:
    """The tokens of the first so many characters."""
    for token in tokens:
        if length <= 0:
            return
        yield token[:length]
        length -= len(token)


def _length(draft: Draft) -> int:
    return len(draft.thoughts) + len(draft.answer) + sum(1 for _ in _call_steps(draft.call))


def _usage(question: Question, draft: Draft, length: int) -> Usage:
    return Usage(
        input=question.tokens,
        output=length,
        reasoning=min(len(draft.thoughts), length),
    )


def _all_steps(draft: Draft) -> Iterator[Step]:
    return chain(map(Thought, draft.thoughts), map(Said, draft.answer), _call_steps(draft.call))


def _call_steps(call: ToolCall | None) -> Iterator[Step]:
    if call is not None:
        yield CallStarted(call.call_id, call.name)
        yield from map(CallArguments, call.argument_fragments)
