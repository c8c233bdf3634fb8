"""The demo models as each dialect lists them: whole JSON documents, all on one page. No I/O."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from msgspec import json

NO_DATE = "1970-01-01T00:00:00Z"

Names = Collection[str]
ModelList = Callable[[Mapping[str, str], Names], bytes]
"""The document for a request with these headers: of models with these names, one at the least."""


def _models_under_v1(headers: Mapping[str, str], names: Names) -> bytes:
    """Three dialects share this path; each of the younger ones has a header of its own."""
    if "anthropic-version" in headers:
        return _anthropic_models(names)
    return _gemini_models(names) if "x-goog-api-key" in headers else _openai_models(names)


def _openai_models(names: Names) -> bytes:
    """https://platform.openai.com/docs/api-reference/models/list, and Azure's."""
    fields = {"object": "model", "created": 0, "owned_by": "streamtui-demo"}
    rows = [{"id": name, **fields} for name in names]
    return json.encode({"object": "list", "data": rows})


def _anthropic_models(names: Names) -> bytes:
    """https://docs.claude.com/en/api/models-list."""
    fields = {"type": "model", "created_at": NO_DATE, "lifecycle": "active"}
    rows = [{"id": name, "display_name": name, **fields} for name in names]
    ends = {"first_id": rows[0]["id"], "last_id": rows[-1]["id"]}
    return json.encode({"data": rows, "has_more": False, **ends})


def _gemini_models(names: Names) -> bytes:
    """https://ai.google.dev/api/models."""
    fields = {"supportedGenerationMethods": ["generateContent", "streamGenerateContent"]}
    rows = [{"name": f"models/{name}", "displayName": name, **fields} for name in names]
    return json.encode({"models": rows})


def _ollama_models(names: Names) -> bytes:
    """https://docs.ollama.com/api/tags."""
    fields: dict[str, Any] = {
        "modified_at": NO_DATE,
        "size": 0,
        "digest": "",
        "details": {"format": "script", "family": "demo"},
    }
    return json.encode({"models": [{"name": name, "model": name, **fields} for name in names]})


MODEL_LISTS: dict[str, ModelList] = {
    "/v1/models": _models_under_v1,
    "/v1beta/models": lambda _headers, names: _gemini_models(names),
    "/api/tags": lambda _headers, names: _ollama_models(names),
    "/openai/models": lambda _headers, names: _openai_models(names),
}
"""By the path that is asked with GET."""
