"""OpenAI's two older dialects as Azure serves them: another path, and a filter before the answer.

Source: https://learn.microsoft.com/en-us/azure/ai-services/openai/reference. `api-version` may be
anything. Responses have no deployment in their path and live in `openai_responses`.
"""

from collections.abc import Iterable
from typing import Any

from msgspec import json

from streamtui.demo.dialect import EVENT_STREAM, Dialect, Refusal, Writer, server_sent_event
from streamtui.demo.question import Question
from streamtui.demo.scripts import MODELS, Ending, Step, Usage

_SAFE = {"filtered": False, "severity": "safe"}
_FILTERED = {
    "prompt_filter_results": [
        {
            "prompt_index": 0,
            "content_filter_results": dict.fromkeys(
                ("hate", "self_harm", "sexual", "violence"), _SAFE
            ),
        }
    ]
}
# Not only its choices are empty: so is all that makes a chunk recognisable.
_FILTER_CHUNK = {"choices": [], "created": 0, "id": "", "model": "", "object": "", **_FILTERED}


class AzureOpenAI:
    """`POST /openai/deployments/DEPLOYMENT/…`; a deployment has the name of its model.

    One of another name answers as the `model` in the body.
    """

    def __init__(self, dialect: Dialect, operation: str) -> None:
        self._dialect = dialect
        # openai-python leaves the slash of `demo/verse` as it is; others encode it.
        self.path = f"/openai/deployments/{{deployment:.+}}/{operation}"

    def read(self, fields: dict[str, Any]) -> Question:
        deployment = fields["deployment"]
        model = deployment if deployment in MODELS else fields.get("model") or deployment
        return self._dialect.read(fields | {"model": model})

    def writer(self, question: Question, request_id: str) -> "AzureWriter":
        return AzureWriter(self._dialect.writer(question, request_id))

    def error_body(self, refusal: Refusal, request_id: str) -> bytes:
        return self._dialect.error_body(refusal, request_id)


class AzureWriter:
    """OpenAI's frames, after one that says what the filter found in the prompt."""

    stream_type = EVENT_STREAM

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def opening(self) -> bytes:
        return server_sent_event(json.encode(_FILTER_CHUNK)) + self._writer.opening()

    def frame(self, step: Step) -> bytes:
        return self._writer.frame(step)

    def closing(self, ending: Ending, usage: Usage) -> bytes:
        return self._writer.closing(ending, usage)

    def failure(self, message: str) -> bytes:
        return self._writer.failure(message)

    def whole(self, steps: Iterable[Step], ending: Ending, usage: Usage) -> bytes:
        answer = json.decode(self._writer.whole(steps, ending, usage))
        return json.encode(answer | _FILTERED)
