"""The demo models as each dialect lists them: whole JSON documents, all on one page. No I/O."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import json

from streamtui.demo.scripts import MODELS

NO_DATE = "1970-01-01T00:00:00Z"

ModelList = Callable[[Mapping[str, str]], bytes]
"""The document for a request with these headers."""


def _models_under_v1(headers: Mapping[str, str]) -> bytes:
    """Three dialects share this path; each of the younger ones has a header of its own."""
    if "anthropic-version" in headers:
        return _anthropic_models()
    return _gemini_models() if "x-goog-api-key" in headers else _openai_models()


def _openai_models() -> bytes:
    """https://platform.openai.com/docs/api-reference/models/list, and Azure's."""
    fields = {"object": "model", "created": 0, "owned_by": "streamtui-demo"}
    rows = [{"id": name, **fields} for name in MODELS]
    return json.encode({"object": "list", "data": rows})


def _anthropic_models() -> bytes:
    """https://docs.claude.com/en/api/models-list."""
    fields = {"type": "model", "created_at": NO_DATE, "lifecycle": "active"}
    rows = [{"id": name, "display_name": name, **fields} for name in MODELS]
    ends = {"first_id": rows[0]["id"], "last_id": rows[-1]["id"]}
    return json.encode({"data": rows, "has_more": False, **ends})


def _gemini_models() -> bytes:
    """https://ai.google.dev/api/models."""
    fields = {"supportedGenerationMethods": ["generateContent", "streamGenerateContent"]}
    rows = [{"name": f"models/{name}", "displayName": name, **fields} for name in MODELS]
    return json.encode({"models": rows})


def _ollama_models() -> bytes:
    """https://docs.ollama.com/api/tags."""
    fields: dict[str, Any] = {
        "modified_at": NO_DATE,
        "size": 0,
        "digest": "",
        "details": {"format": "script", "family": "demo"},
    }
    return json.encode({"models": [{"name": name, "model": name, **fields} for name in MODELS]})


MODEL_LISTS: dict[str, ModelList] = {
    "/v1/models": _models_under_v1,
    "/v1beta/models": lambda _headers: _gemini_models(),
    "/api/tags": lambda _headers: _ollama_models(),
    "/openai/models": lambda _headers: _openai_models(),
}
"""By the path that is asked with GET."""
