"""What OpenAI's dialects have in common: fields, errors, counts, end marker. No I/O."""

import time
from typing import Any

from msgspec import Struct, json

from streamtui.demo.dialect import AtLeastOne, Refusal, server_sent_event, stop_sequences
from streamtui.demo.question import Overrides, Question, Turn
from streamtui.demo.scripts import Usage

DONE = server_sent_event(b"[DONE]")

_ERROR_TYPES = {403: "permission_error", 429: "requests"}


class StreamOptions(Struct):
    include_usage: bool | None = None


class OpenAIRequest(Struct, kw_only=True):
    """The fields of the two older dialects that the demo obeys; it ignores all others."""

    model: str
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: AtLeastOne | None = None
    max_completion_tokens: AtLeastOne | None = None
    max_output_tokens: AtLeastOne | None = None
    n: AtLeastOne | None = None
    stop: str | list[str] | None = None
    demo: Overrides | None = None

    def question(
        self, turns: tuple[Turn, ...], *, can_think: bool = True, can_call_tools: bool = True
    ) -> Question:
        """Raises `Refusal` for a request for several answers at once."""
        if self.n is not None and self.n > 1:
            raise Refusal(400, "The demo gives one answer: n > 1 is not supported.", param="n")
        return Question(
            model=self.model,
            turns=turns,
            stream=self.stream or False,
            with_usage=bool(self.stream_options and self.stream_options.include_usage),
            max_tokens=self.max_completion_tokens or self.max_output_tokens or self.max_tokens,
            stop=stop_sequences(self.stop),
            can_think=can_think,
            can_call_tools=can_call_tools,
            overrides=self.demo or Overrides(),
        )


class Envelope:
    """What every object of one answer repeats, around the choices that differ."""

    def __init__(self, question: Question, answer_id: str, kind: str) -> None:
        self._with_usage = question.with_usage
        self._fields = {
            "id": answer_id,
            "object": kind,
            "created": int(time.time()),
            "model": question.model,
            "system_fingerprint": "fp_streamtui_demo",
        }

    def chunk(self, choice: dict[str, Any]) -> bytes:
        """One event of the stream."""
        return self._event({"choices": [choice]}, None)

    def counts(self, usage: Usage) -> bytes:
        """The event without choices that ends a stream with `include_usage`."""
        return self._event({"choices": []}, _usage_object(usage)) if self._with_usage else b""

    def whole(self, kind: str, choice: dict[str, Any], usage: Usage) -> bytes:
        """The answer to a request that wants no stream."""
        rest = {"object": kind, "choices": [choice], "usage": _usage_object(usage)}
        return json.encode(self._fields | rest)

    def _event(self, choices: dict[str, Any], usage: dict[str, Any] | None) -> bytes:
        # Without include_usage the key is absent; with it, null on all chunks but the last.
        counts = {"usage": usage} if self._with_usage else {}
        return server_sent_event(json.encode(self._fields | choices | counts))


def error_body(refusal: Refusal, _request_id: str) -> bytes:
    """`{"error": {message, type, param, code}}`; the request's id is in a header only."""
    default = "server_error" if refusal.status >= 500 else "invalid_request_error"
    kind = _ERROR_TYPES.get(refusal.status, default)
    return error_object(refusal.message, kind, refusal.param, refusal.code)


def error_object(message: str, kind: str, param: str | None, code: str | None) -> bytes:
    error = {"message": message, "type": kind, "param": param, "code": code}
    return json.encode({"error": error})


def failure_events(message: str) -> bytes:
    """An error object in a stream, and the end marker after it, as vLLM and SGLang send them."""
    return server_sent_event(error_object(message, "server_error", None, None)) + DONE


def _usage_object(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }
