"""What the two older OpenAI dialects share on the wire: envelope, end marker, errors, usage.

The third, Responses, counts tokens and lists models in the same way and shares nothing else.

Sources: https://platform.openai.com/docs/api-reference/chat-streaming and the quirks of the
servers that speak it (vLLM, LiteLLM, llama.cpp, OpenRouter, Groq, LM Studio).
"""

from abc import abstractmethod
from typing import Any

from streamtui.config import Endpoint
from streamtui.engine.dialects.azure import openai_get_models, openai_post
from streamtui.engine.dialects.base import (
    Dialect,
    ModelPage,
    Request,
    as_count,
    as_dict,
    as_list,
    as_words,
)
from streamtui.engine.dialects.json_decoder import JSONDecoder
from streamtui.engine.dialects.model_pages import names_in, read_rows
from streamtui.errors import ProviderError
from streamtui.events import Delta, Finish, Usage

# Finish reasons that are failures: vLLM says the first, Mistral and OpenRouter the second.
_FAILED_FINISH = frozenset({"abort", "error"})


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
    return openai_post(endpoint, path, body)


def read_usage(usage: object, asked: str = "prompt", answered: str = "completion") -> Usage:
    """Token counts, cached ones among the input and reasoning among the output.

    Responses have the same members under the names `input` and `output`.
    """
    fields = as_dict(usage)
    asked_details = as_dict(fields.get(f"{asked}_tokens_details"))
    answered_details = as_dict(fields.get(f"{answered}_tokens_details"))
    return Usage(
        input=as_count(fields.get(f"{asked}_tokens")),
        output=as_count(fields.get(f"{answered}_tokens")),
        cached=as_count(asked_details.get("cached_tokens")),
        reasoning=as_count(answered_details.get("reasoning_tokens")),
    )


class OpenAIDialect(Dialect):
    """Lists models as all of OpenAI's dialects do: `GET {base}/models`, all on one page.

    Source: https://platform.openai.com/docs/api-reference/models/list.
    """

    def models_request(self, endpoint: Endpoint, page: str = "") -> Request:  # noqa: ARG002
        """The request for the list, at OpenAI or at Azure."""
        return openai_get_models(endpoint)

    def read_models(self, body: bytes) -> ModelPage:
        """The ids of the list. llama.cpp sends Ollama's `models` beside it, which do not count."""
        return ModelPage(names_in(read_rows(body, "data")[1], "id"))


class OpenAIDecoder(JSONDecoder):
    """The state of reading one response of either dialect; subclasses read a choice."""

    def _read(self, fields: dict[str, Any], _event: str) -> list[Delta] | None:
        if not {"choices", "usage"} & fields.keys():
            return None
        deltas = [] if self._announced else self._announce_chunk(fields)
        for choice in map(as_dict, as_list(fields.get("choices"))):
            # Only the first of several alternatives is an answer to show.
            if choice.get("index", 0) == 0:
                deltas += self._read_choice(choice)
                deltas += self._read_finish(choice)
        # Null in all chunks but one, and chunks are many.
        if usage := fields.get("usage"):
            deltas += self._count(read_usage(usage))
        return deltas

    def _read_document(self, document: object) -> list[Delta] | None:
        fields = as_dict(document)
        return self._read(fields, "") if as_list(fields.get("choices")) else None

    def _read_done(self) -> list[Delta]:
        self.complete = self.ended = True
        return []

    def _error_in(self, fields: dict[str, Any]) -> object:
        return super()._error_in(fields) or as_dict(fields.get("x_groq")).get("error")

    def _announce_chunk(self, fields: dict[str, Any]) -> list[Delta]:
        model = as_words(fields.get("model"))
        # Azure's first chunk holds no choices and no model.
        if not (model and fields.get("choices")):
            return []
        fingerprint = as_words(fields.get("system_fingerprint"))
        return self._announce(as_words(fields.get("id")), model, fingerprint)

    @abstractmethod
    def _read_choice(self, choice: dict[str, Any]) -> list[Delta]:
        """What the first choice of a chunk adds."""

    def _read_finish(self, choice: dict[str, Any]) -> list[Delta]:
        reason = as_words(choice.get("finish_reason"))
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
