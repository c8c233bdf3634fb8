from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from streamtui.engine.retry import MAX_DELAY_SECONDS, read_retry_after, retry_delay
from streamtui.errors import ProtocolError, StatusError, TransportError

NOW = 1_800_000_000.0


def no_jitter() -> float:
    return 0.0


def most_jitter() -> float:
    return 0.999


def rate_limit(retry_after: float | None = None) -> StatusError:
    return StatusError(
        "slow", kind="rate-limit", status=429, retryable=True, retry_after=retry_after
    )


def test_backoff_doubles_up_to_its_maximum() -> None:
    delays = [retry_delay(attempt, rate_limit(), 10, no_jitter) for attempt in range(1, 8)]
    assert delays == [0.5, 1, 2, 4, 8, 8, 8]


def test_jitter_takes_at_most_a_quarter_off() -> None:
    delay = retry_delay(1, rate_limit(), 2, most_jitter)
    assert delay == pytest.approx(0.375, rel=0.01)


def test_retries_end() -> None:
    assert retry_delay(2, rate_limit(), 2, no_jitter) is not None
    assert retry_delay(3, rate_limit(), 2, no_jitter) is None


def test_no_retries_means_none() -> None:
    assert retry_delay(1, rate_limit(), 0, no_jitter) is None


@pytest.mark.parametrize("kind", ["connect", "dns", "proxy", "timeout-connect", "empty-body"])
def test_what_hardly_mends_itself_is_tried_once_more_only(kind: str) -> None:
    error = TransportError("x", kind=kind, retryable=True)  # type: ignore[arg-type]
    assert retry_delay(1, error, 5, no_jitter) is not None
    assert retry_delay(2, error, 5, no_jitter) is None


def test_what_cannot_get_better_is_not_retried() -> None:
    assert retry_delay(1, ProtocolError("x"), 5, no_jitter) is None


@pytest.mark.parametrize("asked", [0.5, 2.0, 120.0])
def test_the_wait_that_was_asked_for_is_kept_within_a_tenth(asked: float) -> None:
    for rng in (no_jitter, most_jitter):
        delay = retry_delay(1, rate_limit(asked), 2, rng)
        assert delay is not None
        assert asked <= delay <= asked * 1.1


def test_a_wait_of_more_than_two_minutes_is_refused() -> None:
    assert retry_delay(1, rate_limit(86400.0), 2, no_jitter) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"llm_provider-retry-after": "7"}, 7.0),
        ({"llm_provider-retry-after-ms": "700", "llm_provider-retry-after": "1"}, 0.7),
        ({"retry-after": "2", "llm_provider-retry-after-ms": "7000"}, 2.0),
        ({"retry-after": "soon", "llm_provider-retry-after": "7"}, 7.0),
        ({"retry-after": "86400"}, 86400.0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "0"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({}, None),
    ],
)
def test_retry_after_in_all_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert read_retry_after(headers, NOW) == seconds


def test_retry_after_as_a_date_is_a_difference_to_now() -> None:
    date = format_datetime(datetime.fromtimestamp(NOW + 30, UTC), usegmt=True)
    assert read_retry_after({"retry-after": date}, NOW) == pytest.approx(30)


def test_retry_after_in_the_past_says_nothing() -> None:
    date = format_datetime(datetime.fromtimestamp(NOW - 30, UTC), usegmt=True)
    assert read_retry_after({"retry-after": date}, NOW) is None


def test_backoff_never_exceeds_its_maximum() -> None:
    for attempt in range(1, 40):
        delay = retry_delay(attempt, rate_limit(), 50, no_jitter)
        assert delay is not None
        assert delay <= MAX_DELAY_SECONDS
