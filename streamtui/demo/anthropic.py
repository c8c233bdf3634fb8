"""Anthropic's Messages, the server's side: messages in, blocks of typed events out. No I/O.

Source: https://docs.claude.com/en/api/messages-streaming. Thinking comes asked for or not, unless
`thinking.type` is `disabled`; any `anthropic-version` will do, and none too.
"""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal, assert_never

from msgspec import Meta, Struct, json

from streamtui.demo.dialect import (
    EVENT_STREAM,
    Answer,
    AtLeastOne,
    Content,
    Part,
    Refusal,
    arguments_object,
    checked,
    put_together,
    server_sent_event,
    stop_sequences,
    text_of,
)
from streamtui.demo.question import Overrides, Question, Turn
from streamtui.demo.scripts import CallArguments, CallStarted, Ending, Said, Step, Thought, Usage

_STOP_REASONS = {Ending.LENGTH: "max_tokens", Ending.TOOL_CALLS: "tool_use"}
_ERROR_TYPES = {403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}

# A client must send thoughts back with their signature; nobody here looks at it.
_SIGNATURE = "c3RyZWFtdHVpIGRlbW8="


class _Block(Part):
    """A part of a message; what a tool answered is one with a content of its own."""

    type: str = "text"
    content: Content = None


class _Message(Struct):
    role: Literal["user", "assistant", "system"]
    content: str | list[_Block]

    def turns(self) -> Iterator[Turn]:
        """Answers of tools come in a message of the user's, in front of anything said."""
        if isinstance(self.content, str):
            yield Turn(self.role, self.content)
            return
        answers = [block for block in self.content if block.type == "tool_result"]
        yield from (Turn("tool", text_of(answer.content)) for answer in answers)
        if text := "".join(block.text or "" for block in self.content):
            yield Turn(self.role, text)


class _Thinking(Struct):
    type: str = "enabled"


class _MessagesRequest(Struct, kw_only=True):
    model: str
    max_tokens: AtLeastOne
    messages: Annotated[list[_Message], Meta(min_length=1)]
    system: Content = None
    stream: bool | None = None
    stop_sequences: list[str] | None = None
    thinking: _Thinking | None = None
    demo: Overrides | None = None

    def turns(self) -> Iterator[Turn]:
        if self.system:
            yield Turn("system", text_of(self.system))
        for message in self.messages:
            yield from message.turns()


class Anthropic:
    """`POST /v1/messages`."""

    path = "/v1/messages"

    def read(self, fields: dict[str, Any]) -> Question:
        asked = checked(fields, _MessagesRequest)
        return Question(
            model=asked.model,
            turns=tuple(asked.turns()),
            stream=asked.stream or False,
            max_tokens=asked.max_tokens,
            stop=stop_sequences(asked.stop_sequences),
            can_think=asked.thinking is None or asked.thinking.type != "disabled",
            overrides=asked.demo or Overrides(),
        )

    def writer(self, question: Question, request_id: str) -> "MessageWriter":
        return MessageWriter(question, request_id)

    def error_body(self, refusal: Refusal, request_id: str) -> bytes:
        default = "api_error" if refusal.status >= 500 else "invalid_request_error"
        kind = _ERROR_TYPES.get(refusal.status, default)
        return _error_object(kind, refusal.message, request_id)


class MessageWriter:
    """One answer as blocks that are opened, written and closed, or as one `message`."""

    stream_type = EVENT_STREAM

    def __init__(self, question: Question, request_id: str) -> None:
        self._request_id = request_id
        self._prompt_tokens = question.tokens
        self._message: dict[str, Any] = {
            "id": f"msg_{request_id}",
            "type": "message",
            "role": "assistant",
            "model": question.model,
        }
        self._index = -1
        self._block = ""
        """The type of the block that is open."""

    def opening(self) -> bytes:
        # What is counted so far is the token that the first event comes with.
        usage = _usage_object(Usage(self._prompt_tokens, 1, 0))
        message = self._message | {"content": [], **_stop(None), "usage": usage}
        return _event("message_start", message=message) + _event("ping")

    def frame(self, step: Step) -> bytes:
        match step:
            case Thought(text):
                opening = self._enter({"type": "thinking", "thinking": "", "signature": ""})
                return opening + self._delta("thinking_delta", thinking=text)
            case Said(text):
                opening = self._enter({"type": "text", "text": ""})
                return opening + self._delta("text_delta", text=text)
            case CallStarted():
                return self._enter(_tool_use(step, {}))
            case CallArguments(fragment):
                return self._delta("input_json_delta", partial_json=fragment)
            case _:
                assert_never(step)

    def closing(self, ending: Ending, usage: Usage) -> bytes:
        end = _event("message_delta", delta=_stop(ending), usage=_usage_object(usage))
        return self._leave() + end + _event("message_stop")

    def failure(self, message: str) -> bytes:
        return server_sent_event(_error_object("api_error", message, self._request_id), "error")

    def whole(self, steps: Iterable[Step], ending: Ending, usage: Usage) -> bytes:
        content = list(_blocks(put_together(steps)))
        rest = {"content": content, **_stop(ending), "usage": _usage_object(usage)}
        return json.encode(self._message | rest)

    def _enter(self, block: dict[str, Any]) -> bytes:
        """Opens a block, unless one of its type is open, and ends the one before it."""
        if self._block == block["type"]:
            return b""
        end = self._leave()
        self._block = block["type"]
        self._index += 1
        return end + _event("content_block_start", index=self._index, content_block=block)

    def _leave(self) -> bytes:
        if not self._block:
            return b""
        thought = self._block == "thinking"
        proof = self._delta("signature_delta", signature=_SIGNATURE) if thought else b""
        self._block = ""
        return proof + _event("content_block_stop", index=self._index)

    def _delta(self, kind: str, **fields: str) -> bytes:
        return _event("content_block_delta", index=self._index, delta={"type": kind, **fields})


def _event(kind: str, **fields: Any) -> bytes:
    return server_sent_event(json.encode({"type": kind, **fields}), kind)


def _stop(ending: Ending | None) -> dict[str, str | None]:
    reason = ending and _STOP_REASONS.get(ending, "end_turn")
    return {"stop_reason": reason, "stop_sequence": None}


def _blocks(answer: Answer) -> Iterator[dict[str, Any]]:
    if answer.thoughts:
        yield {"type": "thinking", "thinking": answer.thoughts, "signature": _SIGNATURE}
    if answer.text:
        yield {"type": "text", "text": answer.text}
    if answer.call:
        yield _tool_use(answer.call, arguments_object(answer.arguments) or {})


def _tool_use(call: CallStarted, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"type": "tool_use", "id": call.call_id, "name": call.name, "input": arguments}


def _usage_object(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": usage.output,
        "output_tokens_details": {"thinking_tokens": usage.reasoning},
    }


def _error_object(kind: str, message: str, request_id: str) -> bytes:
    error = {"type": kind, "message": message}
    return json.encode({"type": "error", "error": error, "request_id": request_id})
