"""Error objects of endpoints: what kind they are, and the exceptions for them."""

from streamtui.engine.dialects.base import ServerError, json_text
from streamtui.errors import EXCERPT_CHARS, ProtocolError, ProviderError
from streamtui.events import ErrorKind

_RETRYABLE: frozenset[ErrorKind] = frozenset({"rate-limit", "overloaded", "server"})

_KINDS_BY_CODE: dict[str, ErrorKind] = {
    "400": "bad-request",
    "401": "auth",
    "403": "forbidden",
    "404": "not-found",
    "413": "too-large",
    "422": "bad-request",
    "429": "rate-limit",
    "503": "overloaded",
    "529": "overloaded",
}

# In the words of OpenAI, Anthropic and Google. The first that is found counts: an error of type
# `invalid_request_error` is about the key when its code says so.
_KINDS_BY_WORD: tuple[tuple[str, ErrorKind], ...] = (
    ("quota", "quota"),
    ("billing", "quota"),
    ("rate_limit", "rate-limit"),
    ("resource_exhausted", "rate-limit"),
    ("overloaded", "overloaded"),
    ("unavailable", "overloaded"),
    ("authentication", "auth"),
    ("unauthenticated", "auth"),
    ("api_key", "auth"),
    ("permission", "forbidden"),
    ("image", "bad-request"),
    ("not_found", "not-found"),
    ("too_large", "too-large"),
    ("context_length", "bad-request"),
    ("invalid", "bad-request"),
    ("policy", "bad-request"),
)


def classify(error: ServerError) -> ErrorKind:
    """The kind of an error object, from its type and code."""
    kind = _kind_of(f"{error.type} {error.code}".lower())
    # A code is more exact than a type, but a quota that is used up has that of a rate limit.
    return kind if kind == "quota" else _KINDS_BY_CODE.get(error.code, kind)


def _kind_of(words: str) -> ErrorKind:
    for word, kind in _KINDS_BY_WORD:
        if word in words:
            return kind
    return "server"


def provider_error(error: ServerError) -> ProviderError:
    """The exception for an error object inside a stream."""
    kind = classify(error)
    return ProviderError(
        error.message or error.code or error.type or "the endpoint reported an error",
        kind=kind,
        retryable=kind in _RETRYABLE,
        retry_after=error.retry_after,
    )


def no_answer(document: object) -> ProtocolError:
    """The exception for a JSON document that is neither an answer nor an error."""
    return ProtocolError(
        "the endpoint answered with JSON that is no completion",
        kind="not-a-stream",
        hint="Check base_url and dialect",
        excerpt=json_text(document)[: 4 * EXCERPT_CHARS],
    )
