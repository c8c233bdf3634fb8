"""Google's Gemini, the server's side: contents of parts in, chunks like whole answers out. No I/O.

Source: https://ai.google.dev/api/generate-content. Thoughts come asked for or not, unless
`thinkingConfig.includeThoughts` is false. There is no end marker.
"""

from collections.abc import Iterable
from typing import Annotated, Any, assert_never

from msgspec import Meta, Struct, json

from streamtui.demo.dialect import (
    EVENT_STREAM,
    Answer,
    AtLeastOne,
    Refusal,
    arguments_object,
    checked,
    put_together,
    server_sent_event,
    stop_sequences,
)
from streamtui.demo.question import Overrides, Question, Turn
from streamtui.demo.scripts import CallArguments, CallStarted, Ending, Said, Step, Thought, Usage

_ROLES = {"model": "assistant"}
_STATUSES = {
    400: "INVALID_ARGUMENT",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
}


class _FunctionResponse(Struct):
    response: dict[str, Any] = {}


class _Part(Struct, rename="camel"):
    text: str | None = None
    function_response: _FunctionResponse | None = None


class _Contents(Struct):
    parts: list[_Part] = []
    role: str | None = None

    def turn(self) -> Turn:
        """What a tool answered is a turn of the user's in this dialect."""
        for part in self.parts:
            if part.function_response is not None:
                return Turn("tool", json.encode(part.function_response.response).decode())
        text = "".join(part.text or "" for part in self.parts)
        return Turn(_ROLES.get(self.role or "user", "user"), text)


class _ThinkingConfig(Struct, rename="camel"):
    include_thoughts: bool | None = None


class _GenerationConfig(Struct, rename="camel"):
    max_output_tokens: AtLeastOne | None = None
    stop_sequences: list[str] | None = None
    thinking_config: _ThinkingConfig | None = None

    @property
    def wants_thoughts(self) -> bool:
        return self.thinking_config is None or self.thinking_config.include_thoughts is not False


class _GenerateRequest(Struct, kw_only=True, rename="camel"):
    model: str
    method: str
    query: dict[str, str] = {}
    contents: Annotated[list[_Contents], Meta(min_length=1)]
    system_instruction: _Contents | None = None
    generation_config: _GenerationConfig | None = None
    demo: Overrides | None = None

    def turns(self) -> tuple[Turn, ...]:
        system = self.system_instruction
        head = [Turn("system", system.turn().text)] if system else []
        return (*head, *(contents.turn() for contents in self.contents))


class Gemini:
    """`POST /v1beta/models/MODEL:streamGenerateContent` and `:generateContent`; `/v1` too."""

    # MODEL holds a slash, as it is or encoded. Without `models/` in front of it, it is the full
    # name of a tuned model to Google, and to us still one of ours.
    path = "/{version:v1|v1beta}/{model:.+}:{method:streamGenerateContent|generateContent}"

    def read(self, fields: dict[str, Any]) -> Question:
        asked = checked(fields, _GenerateRequest)
        config = asked.generation_config or _GenerationConfig()
        return Question(
            model=asked.model.removeprefix("models/"),
            turns=asked.turns(),
            stream=asked.method == "streamGenerateContent",
            as_array=asked.query.get("alt") != "sse",
            max_tokens=config.max_output_tokens,
            stop=stop_sequences(config.stop_sequences),
            can_think=config.wants_thoughts,
            overrides=asked.demo or Overrides(),
        )

    def writer(self, question: Question, request_id: str) -> "GeminiWriter":
        return GeminiWriter(question, request_id)

    def error_body(self, refusal: Refusal, _request_id: str) -> bytes:
        # Clients of Google's look for the delay in the body.
        delay = refusal.headers.get("Retry-After")
        return _error_object(
            refusal.status, refusal.message, **(_retry_info(delay) if delay else {})
        )


class GeminiWriter:
    """One answer as chunks, in events or in one array, or as one chunk with everything in it."""

    def __init__(self, question: Question, request_id: str) -> None:
        self._names = {"modelVersion": question.model, "responseId": request_id}
        self._as_array = question.as_array
        self._said = Usage(question.tokens, 0, 0)
        self._call_steps: list[Step] = []
        """Calls travel whole: these wait for the end."""
        self._separator = b"["

    @property
    def stream_type(self) -> str:
        return "application/json" if self._as_array else EVENT_STREAM

    def opening(self) -> bytes:
        return b""

    def frame(self, step: Step) -> bytes:
        self._said = _counted(self._said, step)
        match step:
            case Thought(text):
                return self._chunk([_thought(text)])
            case Said(text):
                return self._chunk([{"text": text}])
            case CallStarted() | CallArguments():
                self._call_steps.append(step)
                return b""
            case _:
                assert_never(step)

    def closing(self, ending: Ending, usage: Usage) -> bytes:
        self._said = usage
        call = _call_parts(put_together(self._call_steps))
        return self._chunk(call or [{"text": ""}], ending) + self._end()

    def failure(self, message: str) -> bytes:
        return self._framed(_error_object(500, message)) + self._end()

    def whole(self, steps: Iterable[Step], ending: Ending, usage: Usage) -> bytes:
        self._said = usage
        return json.encode(self._answer(_parts(put_together(steps)), ending))

    def _chunk(self, parts: list[dict[str, Any]], ending: Ending | None = None) -> bytes:
        return self._framed(json.encode(self._answer(parts, ending)))

    def _framed(self, data: bytes) -> bytes:
        if not self._as_array:
            return server_sent_event(data)
        separator, self._separator = self._separator, b",\r\n"
        return separator + data

    def _end(self) -> bytes:
        return b"]" if self._as_array else b""

    def _answer(self, parts: list[dict[str, Any]], ending: Ending | None) -> dict[str, Any]:
        candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
        if ending:
            candidate["finishReason"] = "MAX_TOKENS" if ending is Ending.LENGTH else "STOP"
        usage = _usage_metadata(self._said)
        return {"candidates": [candidate], "usageMetadata": usage, **self._names}


def _counted(usage: Usage, step: Step) -> Usage:
    thoughts = usage.reasoning + isinstance(step, Thought)
    return Usage(usage.input, usage.output + 1, thoughts)


def _parts(answer: Answer) -> list[dict[str, Any]]:
    thoughts = [_thought(answer.thoughts)] if answer.thoughts else []
    text = [{"text": answer.text}] if answer.text else []
    return thoughts + text + _call_parts(answer)


def _thought(text: str) -> dict[str, Any]:
    return {"text": text, "thought": True}


def _call_parts(answer: Answer) -> list[dict[str, Any]]:
    """The call, if there is one and it was not cut."""
    arguments = arguments_object(answer.arguments)
    if answer.call is None or arguments is None:
        return []
    call = {"id": answer.call.call_id, "name": answer.call.name, "args": arguments}
    return [{"functionCall": call}]


def _usage_metadata(usage: Usage) -> dict[str, int]:
    """Cumulative; candidates are counted without the thoughts."""
    return {
        "promptTokenCount": usage.input,
        "candidatesTokenCount": usage.output - usage.reasoning,
        "thoughtsTokenCount": usage.reasoning,
        "totalTokenCount": usage.input + usage.output,
    }


def _error_object(status: int, message: str, **more: Any) -> bytes:
    words = _STATUSES.get(status, "INTERNAL" if status >= 500 else "INVALID_ARGUMENT")
    return json.encode({"error": {"code": status, "message": message, "status": words, **more}})


def _retry_info(seconds: str) -> dict[str, Any]:
    kind = "type.googleapis.com/google.rpc.RetryInfo"
    return {"details": [{"@type": kind, "retryDelay": f"{seconds}s"}]}
