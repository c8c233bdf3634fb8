"""The three forms in which `run` prints: text, LangChain's events, and summaries.

A printer sees each event after its answer has taken it in. What it puts into the output leaves
when the reader takes it.
"""

from collections import deque
from collections.abc import Sequence
from typing import Protocol

from streamtui.cli.outcome import Answer
from streamtui.cli.output import Output, json_line
from streamtui.events import Event, RunCompleted
from streamtui.safe_text import safe_line

_SHOWN_ARGUMENTS = 200


class Printer(Protocol):
    def feed(self, answer: Answer, event: Event, text: str) -> None:
        """Print what an event calls for; `text` is what it added to the answer."""


class TextPrinter:
    """The answers one after the other: the first one live, the others as their turn comes.

    `empty` is said of one that ends well and holds nothing to print.
    """

    def __init__(
        self,
        output: Output,
        answers: Sequence[Answer],
        separator: str = "",
        *,
        empty: str = "the answer is empty.",
    ) -> None:
        self._output = output
        self._separator = separator
        self._empty = empty
        self._held: dict[Answer, list[str]] = {answer: [] for answer in answers}
        self._turns = deque(answers)
        self._has_headings = len(answers) > 1
        self._put_heading()

    def feed(self, answer: Answer, event: Event, text: str) -> None:  # noqa: ARG002
        if text:
            self._held[answer].append(text + self._separator)
        while self._turns:
            self._release(self._turns[0])
            if not self._turns[0].over:
                return
            self._finish(self._turns.popleft())

    def _release(self, answer: Answer) -> None:
        self._output.put("".join(self._held[answer]))
        self._held[answer].clear()

    def _finish(self, answer: Answer) -> None:
        self._output.end_line()
        for call in answer.tool_calls.values():
            arguments = safe_line(call.arguments, _SHOWN_ARGUMENTS)
            self._output.say(
                f"{answer.label}: the model calls the tool {call.name or '?'}({arguments}). "
                "--json prints the call."
            )
        if isinstance(answer.end, RunCompleted) and not answer.text and not answer.tool_calls:
            self._output.say(f"{answer.label}: {self._empty}")
        if self._turns:
            self._output.put("\n")
            self._put_heading()

    def _put_heading(self) -> None:
        if self._has_headings:
            self._output.put(f"## {safe_line(self._turns[0].label)}\n\n")


class EventPrinter:
    """Every event of every answer as it comes, one JSON object a line."""

    def __init__(
        self, output: Output, answers: Sequence[Answer], version: str, limit: int | None = None
    ) -> None:
        from streamtui.langchain import EventTranslator, to_plain

        self._output = output
        self._to_plain = to_plain
        self._translators = {answer: EventTranslator(version) for answer in answers}
        self._printed = dict.fromkeys(answers, 0)
        self._limit = limit

    def feed(self, answer: Answer, event: Event, text: str) -> None:  # noqa: ARG002
        for translated in self._translators[answer].feed(event):
            if self._printed[answer] == self._limit:
                return
            self._printed[answer] += 1
            line = json_line(self._to_plain(translated), is_terminal=self._output.is_terminal)
            self._output.put(line)
            if self._printed[answer] == self._limit:
                answer.enough = True


class SummaryPrinter:
    """One JSON object for each answer, once it has ended, in the order that was asked for."""

    def __init__(self, output: Output, answers: Sequence[Answer]) -> None:
        self._output = output
        self._turns = deque(answers)

    def feed(self, answer: Answer, event: Event, text: str) -> None:  # noqa: ARG002
        while self._turns and self._turns[0].end is not None:
            summary = self._turns.popleft().summary()
            self._output.put(json_line(summary, is_terminal=self._output.is_terminal))
