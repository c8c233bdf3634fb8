"""What the two older OpenAI dialects share on the wire: envelope, end marker, errors, usage.

Sources: https://platform.openai.com/docs/api-reference/chat-streaming and the quirks of the
servers that speak it (vLLM, LiteLLM, llama.cpp, OpenRouter, Groq, LM Studio).
"""

from abc import ABC, abstractmethod
from typing import Any

import msgspec

from streamtui import __version__
from streamtui.config import Endpoint
from streamtui.engine.dialects.base import (
    Request,
    ServerError,
    as_count,
    as_dict,
    as_list,
    as_text,
    malformed,
    parse_json,
    read_error_object,
)
from streamtui.engine.framing import BareJSON, Frame, Framed
from streamtui.errors import ProtocolError, ProviderError
from streamtui.events import Delta, ErrorKind, Finish, ResponseInfo, UnknownFrame, Usage

# Finish reasons that are failures: vLLM says the first, Mistral and OpenRouter the second.
_FAILED_FINISH = frozenset({"abort", "error"})

_RETRYABLE: frozenset[ErrorKind] = frozenset({"rate-limit", "overloaded", "server"})


def build_request(endpoint: Endpoint, path: str, payload: dict[str, object]) -> Request:
    """A streaming request with the endpoint's parameters over the payload."""
    body: dict[str, object] = {
        "model": endpoint.model,
        **payload,
        "stream": True,
        "stream_options": {"include_usage": True},
        **endpoint.params,
    }
    # Some servers refuse `stream_options`; an empty table in `params` leaves it out.
    if not body["stream_options"]:
        del body["stream_options"]
    headers = {
        "Accept": "text/event-stream",
        "Content-Type": "application/json",
        "User-Agent": f"streamtui/{__version__}",
    }
    if endpoint.api_key is not None:
        headers["Authorization"] = f"Bearer {endpoint.api_key.reveal()}"
    return Request(path, headers | endpoint.headers, msgspec.json.encode(body))


def classify(error: ServerError) -> ErrorKind:
    """The kind of an error object, from its type and code."""
    words = f"{error.type} {error.code}".lower()
    if "quota" in words or "billing" in words:
        return "quota"
    if "rate_limit" in words or "429" in words:
        return "rate-limit"
    if "overloaded" in words or "529" in words or "503" in words:
        return "overloaded"
    if "authentication" in words or "invalid_api_key" in words:
        return "auth"
    if "invalid_request" in words or "context_length" in words:
        return "bad-request"
    return "server"


def provider_error(error: ServerError) -> ProviderError:
    """The exception for an error object inside a stream."""
    kind = classify(error)
    return ProviderError(
        error.message or error.code or error.type or "the endpoint reported an error",
        kind=kind,
        retryable=kind in _RETRYABLE,
    )


def read_usage(usage: object) -> Usage | None:
    """Token counts; None where there are none, or only the zeros that LiteLLM fills in."""
    fields = as_dict(usage)
    counts = Usage(
        input=as_count(fields.get("prompt_tokens")),
        output=as_count(fields.get("completion_tokens")),
        cached=as_count(as_dict(fields.get("prompt_tokens_details")).get("cached_tokens")),
        reasoning=as_count(
            as_dict(fields.get("completion_tokens_details")).get("reasoning_tokens")
        ),
    )
    return counts if counts.input or counts.output else None


class OpenAIDecoder(ABC):
    """The state of reading one response of either dialect; subclasses read a choice."""

    def __init__(self) -> None:
        self.complete = False
        self.ended = False
        self._usage: Usage | None = None
        self._announced = False

    def feed(self, framed: Framed) -> list[Delta]:
        """What a frame adds to the answer; raises ProviderError for an error object."""
        match framed:
            case Frame() if not self.ended:
                return self._feed_frame(framed)
            case BareJSON():
                return self._feed_bare(framed.data)
            case _:
                return []

    def feed_document(self, document: object) -> list[Delta]:
        """What a whole answer holds that came in one piece."""
        fields = as_dict(document)
        self._raise_error_in(fields)
        if not as_list(fields.get("choices")):
            raise ProtocolError(
                "the endpoint answered with JSON that is no completion",
                kind="not-a-stream",
                hint="check base_url and dialect",
                excerpt=str(document),
            )
        deltas = self._read_chunk(fields)
        self.complete = self.ended = True
        return deltas

    def _feed_frame(self, frame: Frame) -> list[Delta]:
        data = frame.data.strip()
        if data.startswith("[DONE]"):
            self.complete = self.ended = True
            return []
        # Vertex AI keeps lines alive with comments inside data fields.
        if not data or data.startswith(":"):
            return []
        try:
            chunk = parse_json(data)
        except ValueError as error:
            return [malformed(str(error), data)]
        if not isinstance(chunk, dict):
            return [malformed("not a JSON object", data)]
        if frame.event == "error" and not chunk.get("error"):
            chunk = {"error": chunk}
        self._raise_error_in(chunk)
        return self._read_chunk(chunk) or self._unknown(frame, chunk)

    def _feed_bare(self, data: str) -> list[Delta]:
        """A line of JSON outside any event: worth a look only because errors come so."""
        try:
            self._raise_error_in(as_dict(parse_json(data)))
        except ValueError:
            return [malformed("a line outside any event", data)]
        return [UnknownFrame("bare JSON", data)]

    def _unknown(self, frame: Frame, chunk: dict[str, Any]) -> list[Delta]:
        if "choices" in chunk or "usage" in chunk:
            return []
        return [UnknownFrame(frame.event, frame.data)]

    def _raise_error_in(self, chunk: dict[str, Any]) -> None:
        error = chunk.get("error") or as_dict(chunk.get("x_groq")).get("error")
        if not error and chunk.get("object") == "error":
            error = chunk
        if error and not self.complete:
            raise provider_error(read_error_object(error))

    def _read_chunk(self, chunk: dict[str, Any]) -> list[Delta]:
        deltas = self._announce(chunk)
        for choice in map(as_dict, as_list(chunk.get("choices"))):
            # Only the first of several alternatives is an answer to show.
            if choice.get("index", 0) == 0:
                deltas += self._read_choice(choice)
                deltas += self._read_finish(choice)
        usage = read_usage(chunk.get("usage"))
        if usage is not None and usage != self._usage:
            self._usage = usage
            deltas.append(usage)
        return deltas

    def _announce(self, chunk: dict[str, Any]) -> list[Delta]:
        if self._announced or not (chunk.get("model") and chunk.get("choices")):
            return []
        self._announced = True
        return [
            ResponseInfo(
                as_text(chunk.get("id")),
                as_text(chunk.get("model")),
                as_text(chunk.get("system_fingerprint")),
            )
        ]

    @abstractmethod
    def _read_choice(self, choice: dict[str, Any]) -> list[Delta]:
        """What the first choice of a chunk adds."""

    def _read_finish(self, choice: dict[str, Any]) -> list[Delta]:
        reason = as_text(choice.get("finish_reason"))
        if not reason:
            return []
        if reason in _FAILED_FINISH and not self.complete:
            raise ProviderError(
                f"the endpoint gave up on the answer (finish reason “{reason}”)",
                kind="server",
                retryable=True,
            )
        self.complete = True
        return [Finish(reason)]
