"""Whether and when to try again. Pure: the clock and the random source are arguments.

The numbers are those of the official SDKs: 0.5 s doubled up to 8 s, up to a quarter less at random
(openai-python, `_base_client.py`).
"""

import math
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime

from streamtui.errors import RunError
from streamtui.events import ErrorKind

FIRST_DELAY_SECONDS = 0.5
MAX_DELAY_SECONDS = 8.0
MAX_RETRY_AFTER_SECONDS = 120.0
"""An endpoint that asks for more is not waited for."""

_PREFIXES = ("", "llm_provider-")
"""LiteLLM passes on under another name what the endpoint behind it said."""

# A dead host, a name that does not resolve or a silent endpoint is worth one more try, not many.
_ONCE: frozenset[ErrorKind] = frozenset(
    {"connect", "dns", "proxy", "timeout-connect", "timeout-first-token", "empty-body"}
)


def retry_delay(
    attempt: int, error: RunError, retries: int, rng: Callable[[], float]
) -> float | None:
    """Seconds to wait before the next attempt, or None when there shall be none.

    `attempt` is the number of the attempt that failed, from 1; `retries` how many more are allowed
    in all; `rng` gives numbers in [0, 1).
    """
    allowed = min(retries, 1) if error.kind in _ONCE else retries
    if not error.retryable or attempt > allowed:
        return None
    asked = error.retry_after
    if asked is None:
        return _backoff(attempt, rng)
    if asked > MAX_RETRY_AFTER_SECONDS:
        return None
    # Never earlier than asked; a little later, so that many sessions do not come back as one.
    return asked * (1 + 0.05 * rng())


def _backoff(attempt: int, rng: Callable[[], float]) -> float:
    delay = min(MAX_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** (attempt - 1))
    return delay * (1 - 0.25 * rng())


def read_retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that the endpoint asks to wait; None when it does not say, or says nonsense.

    Reads `retry-after-ms`, then `retry-after` as seconds or as an HTTP date (RFC 9110, section
    10.2.3). `headers` are in lower case, `now` is seconds since the epoch.
    """
    for prefix in _PREFIXES:
        milliseconds = _number(headers.get(f"{prefix}retry-after-ms", ""))
        if milliseconds:
            return milliseconds / 1000
        value = headers.get(f"{prefix}retry-after", "")
        if seconds := _number(value) or _until(value, now):
            return seconds
    return None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None


def _until(text: str, now: float) -> float | None:
    try:
        moment = parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
    return moment - now if moment > now else None
