"""OpenAI chat completions, the server's side: messages in, chunks with deltas out. No I/O.

Source: https://platform.openai.com/docs/api-reference/chat-streaming; the reasoning comes in
DeepSeek's field `reasoning_content`, as most compatible servers send it.
"""

from collections.abc import Iterable
from typing import Annotated, Any, assert_never

from msgspec import Meta, Struct

from streamtui.demo.dialect import (
    EVENT_STREAM,
    Answer,
    Content,
    Refusal,
    checked,
    put_together,
    text_of,
)
from streamtui.demo.openai_common import (
    DONE,
    Envelope,
    OpenAIRequest,
    error_body,
    failure_events,
)
from streamtui.demo.question import Question, Turn
from streamtui.demo.scripts import (
    CallArguments,
    CallStarted,
    Ending,
    Said,
    Step,
    Thought,
    Usage,
)


class _Message(Struct):
    role: str
    content: Content = None


class _ChatRequest(OpenAIRequest, kw_only=True):
    messages: Annotated[list[_Message], Meta(min_length=1)]


class OpenAIChat:
    """`POST /v1/chat/completions`."""

    path = "/v1/chat/completions"

    def read(self, fields: dict[str, Any]) -> Question:
        asked = checked(fields, _ChatRequest)
        return asked.question(
            tuple(Turn(message.role, text_of(message.content)) for message in asked.messages)
        )

    def writer(self, question: Question, request_id: str) -> "ChatWriter":
        return ChatWriter(question, request_id)

    def error_body(self, refusal: Refusal, request_id: str) -> bytes:
        return error_body(refusal, request_id)


class ChatWriter:
    """One answer as `chat.completion.chunk` objects, or as one `chat.completion`."""

    stream_type = EVENT_STREAM

    def __init__(self, question: Question, request_id: str) -> None:
        self._envelope = Envelope(question, f"chatcmpl-{request_id}", "chat.completion.chunk")

    def opening(self) -> bytes:
        return self._chunk({"role": "assistant", "content": "", "refusal": None})

    def frame(self, step: Step) -> bytes:
        return self._chunk(_delta(step))

    def closing(self, ending: Ending, usage: Usage) -> bytes:
        return self._chunk({}, ending.value) + self._envelope.counts(usage) + DONE

    def failure(self, message: str) -> bytes:
        return failure_events(message)

    def whole(self, steps: Iterable[Step], ending: Ending, usage: Usage) -> bytes:
        choice = _choice(ending.value, message=_whole_message(put_together(steps)))
        return self._envelope.whole("chat.completion", choice, usage)

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        return self._envelope.chunk(_choice(finish_reason, delta=delta))


def _choice(finish_reason: str | None, **content: dict[str, Any]) -> dict[str, Any]:
    return {"index": 0, **content, "logprobs": None, "finish_reason": finish_reason}


def _delta(step: Step) -> dict[str, Any]:
    match step:
        case Thought(text):
            return {"reasoning_content": text}
        case Said(text):
            return {"content": text}
        case CallStarted(call_id, name):
            return {"tool_calls": [{"index": 0, **_tool_call(call_id, name, "")}]}
        case CallArguments(fragment):
            return {"tool_calls": [{"index": 0, "function": {"arguments": fragment}}]}
        case _:
            assert_never(step)


def _whole_message(answer: Answer) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.text, "refusal": None}
    if answer.thoughts:
        message["reasoning_content"] = answer.thoughts
    if call := answer.call:
        message["tool_calls"] = [_tool_call(call.call_id, call.name, answer.arguments)]
    return message


def _tool_call(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    return {
        "id": call_id,
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }
