"""OpenAI Responses, the server's side: items in, typed and numbered events out. No I/O.

Source: https://platform.openai.com/docs/api-reference/responses-streaming. Reasoning comes as a
summary, asked for or not, unless `reasoning.effort` is `none`.
"""

import time
from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any, assert_never

from msgspec import Struct, json

from streamtui.demo.dialect import (
    EVENT_STREAM,
    AtLeastOne,
    Content,
    Refusal,
    checked,
    server_sent_event,
    text_of,
)
from streamtui.demo.openai_common import error_body
from streamtui.demo.openai_items import CallItem, Event, Item, MessageItem, ReasoningItem
from streamtui.demo.question import Overrides, Question, Turn
from streamtui.demo.scripts import CallArguments, CallStarted, Ending, Said, Step, Thought, Usage


class _InputItem(Struct):
    """A message, or one of the many other items, of which only a tool's answer says something."""

    type: str = "message"
    role: str = "user"
    content: Content = None
    output: Content = None

    def turn(self) -> Turn | None:
        if self.type == "function_call_output":
            return Turn("tool", text_of(self.output))
        return Turn(self.role, text_of(self.content)) if self.type == "message" else None


class _Reasoning(Struct):
    effort: str | None = None


class _ResponsesRequest(Struct, kw_only=True):
    model: str
    input: str | list[_InputItem]
    instructions: str | None = None
    stream: bool | None = None
    max_output_tokens: AtLeastOne | None = None
    reasoning: _Reasoning | None = None
    demo: Overrides | None = None

    def turns(self) -> Iterator[Turn]:
        if self.instructions:
            yield Turn("system", self.instructions)
        if isinstance(self.input, str):
            yield Turn("user", self.input)
        else:
            yield from filter(None, (item.turn() for item in self.input))


class OpenAIResponses:
    """`POST /v1/responses`, and the same at Azure."""

    path = "/{root:v1|openai}/responses"

    def read(self, fields: dict[str, Any]) -> Question:
        asked = checked(fields, _ResponsesRequest)
        return Question(
            model=asked.model,
            turns=tuple(asked.turns()),
            stream=asked.stream or False,
            max_tokens=asked.max_output_tokens,
            can_think=asked.reasoning is None or asked.reasoning.effort != "none",
            overrides=asked.demo or Overrides(),
        )

    def writer(self, question: Question, request_id: str) -> "ResponsesWriter":
        return ResponsesWriter(question, request_id)

    def error_body(self, refusal: Refusal, request_id: str) -> bytes:
        return error_body(refusal, request_id)


class ResponsesWriter:
    """One answer as items that are opened, written and closed, or as one `response`."""

    stream_type = EVENT_STREAM

    def __init__(self, question: Question, request_id: str) -> None:
        self._id = request_id
        self._response = _new_response(question, f"resp_{request_id}")
        self._numbers = count()
        self._item: Item | None = None
        """The one that is being written."""

    def opening(self) -> bytes:
        return self._lifecycle("created") + self._lifecycle("in_progress")

    def frame(self, step: Step) -> bytes:
        match step:
            case Thought(text):
                return self._write(ReasoningItem, text)
            case Said(text):
                return self._write(MessageItem, text)
            case CallStarted():
                finished = self._close("completed")
                return finished + self._open(CallItem(self._place(), self._id, step))
            case CallArguments(fragment):
                return self._piece(fragment)
            case _:
                assert_never(step)

    def closing(self, ending: Ending, usage: Usage) -> bytes:
        status = "incomplete" if ending is Ending.LENGTH else "completed"
        finished = self._close(status)
        self._response |= {"status": status, "usage": _usage_object(usage)}
        if ending is Ending.LENGTH:
            self._response["incomplete_details"] = {"reason": "max_output_tokens"}
        return finished + self._lifecycle(status)

    def failure(self, message: str) -> bytes:
        # What else OpenAI has for this, an event `error`, ends a stream but not the response.
        error = {"code": "server_error", "message": message}
        self._response |= {"status": "failed", "error": error}
        return self._lifecycle("failed")

    def whole(self, steps: Iterable[Step], ending: Ending, usage: Usage) -> bytes:
        for step in steps:
            self.frame(step)
        self.closing(ending, usage)
        return json.encode(self._response)

    def _write(self, kind: type[ReasoningItem | MessageItem], text: str) -> bytes:
        if isinstance(self._item, kind):
            return self._piece(text)
        finished = self._close("completed")
        return finished + self._open(kind(self._place(), self._id)) + self._piece(text)

    def _open(self, item: Item) -> bytes:
        self._item = item
        return b"".join(map(self._event, item.opening()))

    def _piece(self, text: str) -> bytes:
        return self._event(self._item.delta(text)) if self._item else b""

    def _close(self, status: str) -> bytes:
        """Ends the open item, if there is one."""
        item, self._item = self._item, None
        if item is None:
            return b""
        self._response["output"].append(item.as_object(status))
        return b"".join(map(self._event, item.closing(status)))

    def _place(self) -> int:
        return len(self._response["output"])

    def _lifecycle(self, stage: str) -> bytes:
        return self._event((f"response.{stage}", {"response": self._response}))

    def _event(self, event: Event) -> bytes:
        kind, fields = event
        numbered = {"type": kind, "sequence_number": next(self._numbers), **fields}
        return server_sent_event(json.encode(numbered), kind)


def _new_response(question: Question, response_id: str) -> dict[str, Any]:
    return {
        "id": response_id,
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": question.max_tokens,
        "metadata": {},
        "model": question.model,
        "output": [],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": None,
    }


def _usage_object(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input + usage.output,
    }
