"""OpenAI legacy completions, the server's side: a prompt in, chunks with text out. No I/O.

Source: https://platform.openai.com/docs/api-reference/completions. The dialect has no place for
reasoning or tool calls, so the scripts are asked to do without.
"""

from collections.abc import Iterable
from typing import Any

from streamtui.demo.dialect import EVENT_STREAM, Refusal, checked
from streamtui.demo.openai_common import (
    DONE,
    Envelope,
    OpenAIRequest,
    error_body,
    failure_events,
)
from streamtui.demo.question import Question, Turn
from streamtui.demo.scripts import Ending, Said, Step, Usage

_KIND = "text_completion"


class _CompletionRequest(OpenAIRequest, kw_only=True):
    prompt: str | list[str]

    def only_prompt(self) -> str:
        """LangChain wraps a single prompt in a list."""
        if isinstance(self.prompt, str):
            return self.prompt
        if len(self.prompt) != 1:
            raise Refusal(400, "The demo answers exactly one prompt at a time.", param="prompt")
        return self.prompt[0]


class OpenAICompletions:
    """`POST /v1/completions`."""

    path = "/v1/completions"

    def read(self, fields: dict[str, Any]) -> Question:
        asked = checked(fields, _CompletionRequest)
        turns = (Turn("user", asked.only_prompt()),)
        return asked.question(turns, can_think=False, can_call_tools=False)

    def writer(self, question: Question, request_id: str) -> "CompletionWriter":
        return CompletionWriter(question, request_id)

    def error_body(self, refusal: Refusal, request_id: str) -> bytes:
        return error_body(refusal, request_id)


class CompletionWriter:
    """One answer as `text_completion` objects: chunks and the whole have the same shape."""

    stream_type = EVENT_STREAM

    def __init__(self, question: Question, request_id: str) -> None:
        self._envelope = Envelope(question, f"cmpl-{request_id}", _KIND)

    def opening(self) -> bytes:
        return b""

    def frame(self, step: Step) -> bytes:
        return self._envelope.chunk(_choice(_text(step)))

    def closing(self, ending: Ending, usage: Usage) -> bytes:
        finish = self._envelope.chunk(_choice("", ending.value))
        return finish + self._envelope.counts(usage) + DONE

    def failure(self, message: str) -> bytes:
        return failure_events(message)

    def whole(self, steps: Iterable[Step], ending: Ending, usage: Usage) -> bytes:
        choice = _choice("".join(map(_text, steps)), ending.value)
        return self._envelope.whole(_KIND, choice, usage)


def _choice(text: str, finish_reason: str | None = None) -> dict[str, Any]:
    return {"index": 0, "text": text, "logprobs": None, "finish_reason": finish_reason}


def _text(step: Step) -> str:
    return step.text if isinstance(step, Said) else ""
