"""Ollama, the server's side: messages or a prompt in, one line of JSON for each piece out. No I/O.

Source: https://docs.ollama.com/api. A stream is the default; reasoning comes asked for or not,
unless `think` is false.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, assert_never

from msgspec import Struct, json

from streamtui.demo.dialect import (
    Answer,
    Refusal,
    arguments_object,
    checked,
    put_together,
    stop_sequences,
)
from streamtui.demo.question import Overrides, Question, Turn
from streamtui.demo.scripts import CallArguments, CallStarted, Ending, Said, Step, Thought, Usage


class _Options(Struct):
    num_predict: int | None = None
    stop: str | list[str] | None = None


class _OllamaRequest(Struct, kw_only=True):
    """What both operations obey."""

    model: str
    stream: bool | None = None
    think: bool | str | None = None
    options: _Options | None = None
    demo: Overrides | None = None

    def question(self, turns: tuple[Turn, ...], *, can_call_tools: bool = True) -> Question:
        options = self.options or _Options()
        limit = options.num_predict or 0
        return Question(
            model=self.model,
            turns=turns,
            stream=self.stream is not False,
            max_tokens=limit if limit > 0 else None,  # -1 is no limit
            stop=stop_sequences(options.stop),
            can_think=self.think is not False,
            can_call_tools=can_call_tools,
            overrides=self.demo or Overrides(),
        )


class _Message(Struct):
    role: str
    content: str | None = None


class _ChatRequest(_OllamaRequest, kw_only=True):
    messages: list[_Message] = []


class _GenerateRequest(_OllamaRequest, kw_only=True):
    prompt: str | None = None
    system: str | None = None


class _Ollama:
    """What both operations have in common."""

    def error_body(self, refusal: Refusal, _request_id: str) -> bytes:
        return _error_object(refusal.message)


class OllamaChat(_Ollama):
    """`POST /api/chat`."""

    path = "/api/chat"

    def read(self, fields: dict[str, Any]) -> Question:
        asked = checked(fields, _ChatRequest)
        return asked.question(tuple(Turn(turn.role, turn.content or "") for turn in asked.messages))

    def writer(self, question: Question, _request_id: str) -> "ChatLines":
        return ChatLines(question)


class OllamaGenerate(_Ollama):
    """`POST /api/generate`."""

    path = "/api/generate"

    def read(self, fields: dict[str, Any]) -> Question:
        asked = checked(fields, _GenerateRequest)
        system = (Turn("system", asked.system),) if asked.system else ()
        turns = (*system, Turn("user", asked.prompt or ""))
        return asked.question(turns, can_call_tools=False)

    def writer(self, question: Question, _request_id: str) -> "GenerateLines":
        return GenerateLines(question)


class _Lines(ABC):
    """One answer as lines, or as one that has everything in it."""

    stream_type = "application/x-ndjson"

    def __init__(self, question: Question) -> None:
        self._model = question.model
        self._call_steps: list[Step] = []
        """Calls travel whole: these wait for the end."""
        self._asked_at = time.monotonic_ns()
        self._first_at: int | None = None

    def opening(self) -> bytes:
        return b""

    def frame(self, step: Step) -> bytes:
        self._first_at = self._first_at or time.monotonic_ns()
        match step:
            case Thought(text):
                return self._line(self._pieces(Answer(thoughts=text)))
            case Said(text):
                return self._line(self._pieces(Answer(text=text)))
            case CallStarted() | CallArguments():
                self._call_steps.append(step)
                return b""
            case _:
                assert_never(step)

    def closing(self, ending: Ending, usage: Usage) -> bytes:
        answer = put_together(self._call_steps)
        call = self._line(self._pieces(answer)) if _calls(answer) else b""
        return call + self._last_line(Answer(), ending, usage)

    def failure(self, message: str) -> bytes:
        return _error_object(message) + b"\n"

    def whole(self, steps: Iterable[Step], ending: Ending, usage: Usage) -> bytes:
        return self._last_line(put_together(steps), ending, usage)

    @abstractmethod
    def _pieces(self, answer: Answer) -> dict[str, Any]:
        """What was said, in the fields of this operation."""

    def _last_line(self, answer: Answer, ending: Ending, usage: Usage) -> bytes:
        reason = "length" if ending is Ending.LENGTH else "stop"
        end = {"done_reason": reason, **self._durations(), **_counts(usage)}
        return self._line(self._pieces(answer) | end, done=True)

    def _line(self, fields: dict[str, Any], *, done: bool = False) -> bytes:
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        return (
            json.encode({"model": self._model, "created_at": now, "done": done, **fields}) + b"\n"
        )

    def _durations(self) -> dict[str, int]:
        """In nanoseconds; what passes before the first piece is the prompt's."""
        now = time.monotonic_ns()
        first_at = self._first_at or self._asked_at
        return {
            "total_duration": now - self._asked_at,
            "load_duration": 0,
            "prompt_eval_duration": first_at - self._asked_at,
            "eval_duration": now - first_at,
        }


class ChatLines(_Lines):
    """Lines with a `message`."""

    def _pieces(self, answer: Answer) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": answer.text}
        if answer.thoughts:
            message["thinking"] = answer.thoughts
        if calls := _calls(answer):
            message["tool_calls"] = calls
        return {"message": message}


class GenerateLines(_Lines):
    """Lines with a `response`."""

    def _pieces(self, answer: Answer) -> dict[str, Any]:
        thinking = {"thinking": answer.thoughts} if answer.thoughts else {}
        return {"response": answer.text, **thinking}


def _calls(answer: Answer) -> list[dict[str, Any]]:
    """The call, if there is one and it was not cut."""
    arguments = arguments_object(answer.arguments)
    if answer.call is None or arguments is None:
        return []
    return [
        {"id": answer.call.call_id, "function": {"name": answer.call.name, "arguments": arguments}}
    ]


def _counts(usage: Usage) -> dict[str, int]:
    return {"prompt_eval_count": usage.input, "eval_count": usage.output}


def _error_object(message: str) -> bytes:
    return json.encode({"error": message})
