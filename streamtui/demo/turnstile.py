"""Which questions the demo answers: those to a model that exists, and is not busy. No I/O."""

from hashlib import sha256

from streamtui.demo.dialect import Refusal
from streamtui.demo.question import Question
from streamtui.demo.scripts import MODELS

_KEPT = 10_000


class Turnstile:
    """Remembers whom it turned away, since a model such as `demo/flaky` does that once."""

    def __init__(self) -> None:
        self._turned_away: dict[str, None] = {}

    def check(self, question: Question, key: str | None) -> None:
        """Raises `Refusal` for a model that does not exist, or that is busy on purpose.

        Panes with the same question are told apart by the key that each repeats on its retries.
        """
        model = MODELS.get(question.model)
        if model is None:
            raise Refusal(
                404,
                f"The model {question.model!r} does not exist. The demo has: {', '.join(MODELS)}.",
                param="model",
                code="model_not_found",
            )
        if model.refuses_first and not self._has_waited(_fingerprint(question, key)):
            raise Refusal(
                429,
                f"{question.model} turns every question away once. Please try again in 3 s.",
                code="rate_limit_exceeded",
                headers={"Retry-After": "3"},
            )

    def _has_waited(self, fingerprint: str) -> bool:
        """Whether this question was turned away before; from now on it counts as such."""
        if fingerprint in self._turned_away:
            return True
        self._turned_away[fingerprint] = None
        if len(self._turned_away) > _KEPT:
            del self._turned_away[next(iter(self._turned_away))]
        return False


def _fingerprint(question: Question, key: str | None) -> str:
    parts = [question.model, "key", key] if key else ["", *question.identity()]
    # aiohttp keeps bytes of a header that are not UTF-8 as surrogates.
    return sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()
