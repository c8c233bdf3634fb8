"""Google's Gemini: `POST {base}/v1beta/models/MODEL:streamGenerateContent?alt=sse`.

Source: https://ai.google.dev/api/generate-content.
"""

from typing import Any
from urllib.parse import quote, urlencode

from streamtui.config import Endpoint
from streamtui.engine.dialects.base import (
    Dialect,
    ModelPage,
    Request,
    add_counts,
    as_count,
    as_dict,
    as_list,
    as_words,
    first_object,
    json_text,
)
from streamtui.engine.dialects.json_decoder import JSONDecoder, piece
from streamtui.engine.dialects.model_pages import names_in, read_rows
from streamtui.engine.dialects.requests import get, post, sort_params, split_system, versioned
from streamtui.events import (
    Delta,
    Message,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)

DEFAULT_VERSION = "v1beta"

# What of `params` is a member of the request; all the rest belongs to `generationConfig`.
_TOP_LEVEL = frozenset(
    {
        "cachedContent",
        "contents",
        "labels",
        "safetySettings",
        "serviceTier",
        "store",
        "systemInstruction",
        "toolConfig",
        "tools",
    }
)

_KNOWN = frozenset({"candidates", "promptFeedback", "usageMetadata"})


class GeminiDecoder(JSONDecoder):
    """Reads chunks that each have the shape of a whole answer. There is no end marker.

    Usage may still follow the finish reason, so nothing but the end of the body ends the answer.
    """

    def __init__(self) -> None:
        super().__init__()
        self._calls = 0

    def _read(self, fields: dict[str, Any], _event: str) -> list[Delta] | None:
        if not _KNOWN & fields.keys():
            return None
        response_id = as_words(fields.get("responseId"))
        deltas = self._announce(response_id, as_words(fields.get("modelVersion")))
        for candidate in map(as_dict, as_list(fields.get("candidates"))):
            # Only the first of several alternatives is an answer to show.
            if candidate.get("index", 0) == 0:
                deltas += self._read_candidate(candidate)
        deltas += self._read_feedback(as_dict(fields.get("promptFeedback")))
        return deltas + self._count(_read_usage(fields.get("usageMetadata")))

    def _read_document(self, document: object) -> list[Delta] | None:
        """One chunk, or the array of all that a server sends without `alt=sse`."""
        chunks = [as_dict(chunk) for chunk in as_list(document)] or [as_dict(document)]
        deltas: list[Delta] = []
        for chunk in chunks:
            self._raise_error_in(chunk)
            deltas += self._read(chunk, "") or []
        return deltas if _KNOWN & first_object(document).keys() else None

    def _read_candidate(self, candidate: dict[str, Any]) -> list[Delta]:
        parts = map(as_dict, as_list(as_dict(candidate.get("content")).get("parts")))
        deltas = [delta for part in parts for delta in self._read_part(part)]
        return deltas + self._finish(as_words(candidate.get("finishReason")))

    def _read_part(self, part: dict[str, Any]) -> list[Delta]:
        if call := as_dict(part.get("functionCall")):
            return [self._read_call(call)]
        kind = ReasoningDelta if part.get("thought") is True else TextDelta
        return piece(kind, part.get("text"))

    def _read_call(self, call: dict[str, Any]) -> ToolCallDelta:
        """Calls come whole, and few of them with an id."""
        index, self._calls = self._calls, self._calls + 1
        return ToolCallDelta(
            index,
            json_text(as_dict(call.get("args"))),
            id=as_words(call.get("id")) or None,
            name=as_words(call.get("name")) or None,
        )

    def _read_feedback(self, feedback: dict[str, Any]) -> list[Delta]:
        """A prompt that was blocked: the reason is all the answer there is."""
        reason = as_words(feedback.get("blockReason"))
        if not reason:
            return []
        return piece(RefusalDelta, feedback.get("blockReasonMessage")) + self._finish(reason)


def _read_usage(usage: object) -> Usage:
    """Cumulative counts. `candidatesTokenCount` leaves the thoughts out."""
    fields = as_dict(usage)
    thoughts = as_count(fields.get("thoughtsTokenCount"))
    prompt = as_count(fields.get("promptTokenCount"))
    return Usage(
        input=add_counts(prompt, as_count(fields.get("toolUsePromptTokenCount"))),
        output=add_counts(as_count(fields.get("candidatesTokenCount")), thoughts),
        cached=as_count(fields.get("cachedContentTokenCount")),
        reasoning=thoughts,
    )


class Gemini(Dialect):
    """Contents of parts, with the system prompt beside them."""

    name = "gemini"

    def decoder(self) -> GeminiDecoder:
        """A decoder for one response."""
        return GeminiDecoder()

    def build_request(self, endpoint: Endpoint, messages: tuple[Message, ...]) -> Request:
        """The turns as contents. `api_version` is the first part of the path."""
        # Never `?key=`: URLs are logged all along the way.
        return post(endpoint, _path(endpoint), _body(endpoint, messages), auth="x-goog-api-key")

    def models_request(self, endpoint: Endpoint, page: str = "") -> Request:
        """The request for the list. Source: https://ai.google.dev/api/models."""
        query = {"pageSize": _MODELS_ON_PAGE} | ({"pageToken": page} if page else {})
        path = f"/models?{urlencode(query)}"
        return get(endpoint, _versioned(endpoint, path), auth="x-goog-api-key")

    def read_models(self, body: bytes) -> ModelPage:
        """The names of the models that write text, without the collection of most of them."""
        fields, rows = read_rows(body, "models")
        names = names_in(filter(_writes_text, rows), "name")
        models = tuple(name.removeprefix(_COLLECTIONS[0]) for name in names)
        return ModelPage(models, as_words(fields.get("nextPageToken")))


_MODELS_ON_PAGE = 1000
"""The most that are sent at once."""
_TEXT_METHODS = ("generateContent", "streamGenerateContent")


def _writes_text(model: dict[str, Any]) -> bool:
    """Others embed, or count tokens. Servers that imitate Google leave the methods out."""
    methods = model.get("supportedGenerationMethods")
    return not isinstance(methods, list) or any(method in methods for method in _TEXT_METHODS)


_COLLECTIONS = ("models/", "tunedModels/")
"""A model may be named together with its collection."""


def _path(endpoint: Endpoint) -> str:
    model = endpoint.model
    full_name = model if model.startswith(_COLLECTIONS) else f"models/{model}"
    return _versioned(endpoint, f"/{quote(full_name)}:streamGenerateContent?alt=sse")


def _versioned(endpoint: Endpoint, path: str) -> str:
    return versioned(endpoint, endpoint.api_version or DEFAULT_VERSION, path)


def _body(endpoint: Endpoint, messages: tuple[Message, ...]) -> dict[str, object]:
    system, turns = split_system(messages)
    return {
        "contents": [_content(message) for message in turns],
        **({"systemInstruction": {"parts": [{"text": system}]}} if system else {}),
        **sort_params(endpoint.params, _TOP_LEVEL, "generationConfig"),
    }


def _content(message: Message) -> dict[str, object]:
    role = "model" if message.role == "assistant" else "user"
    return {"role": role, "parts": [{"text": message.content}]}
