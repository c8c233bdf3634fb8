"""Answers that are no stream: errors, redirects, web pages, and what is not HTTP at all."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from streamtui.engine.doors import Cancel, OpenSession, Send
from streamtui.engine.retry import MAX_DELAY_SECONDS
from streamtui.engine.transport import MAX_HEADER_BYTES, MAX_HEADERS, AiohttpTransport
from streamtui.events import AttemptFailed, RetryScheduled
from streamtui.redact import Secret
from tests.faults.outcome import endpoint_at, play
from tests.faultserver import SCENARIOS, fault_server
from tests.raw_http import whole_answer
from tests.scripted import EngineUnderTest

KEY = "sk-secret-0123456789abcdef"


def scenario(name: str) -> Any:
    return SCENARIOS[name]["steps"]


def answer(status: str, *headers: str, body: str = "") -> list[Any]:
    """Steps of a server that gives one whole answer."""
    return [["send", whole_answer(status, *headers, body=body)]]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_another_host_is_refused_and_that_host_hears_nothing(
    status: int,
) -> None:
    async with fault_server(answer("200 OK")) as other:
        there = f"localhost:{other.port}"
        steps = answer(f"{status} T", f"Location: http://{there}/steal?key={KEY}")
        headers = {"X-Team-Key": KEY}
        outcome = await play(steps, api_key=Secret(KEY), headers=headers)
        assert other.connections == 0
    assert f"redirects to {there}. Nothing received." in outcome.toast
    assert "change base_url" in outcome.toast
    assert KEY not in repr(outcome.events)
    assert outcome.hits == 1


async def test_a_rejected_key_is_named_by_its_source_and_never_shown() -> None:
    said = f'{{"error":{{"message":"Incorrect API key provided: {KEY}"}}}}'
    outcome = await play(
        answer("401 Unauthorized", "Content-Type: application/json", body=said),
        api_key=Secret(KEY),
        key_source="environment variable MY_KEY",
    )
    assert "HTTP 401, the key from environment variable MY_KEY was rejected" in outcome.toast
    assert "Nothing received. Check environment variable MY_KEY." in outcome.toast
    assert KEY not in repr((outcome.events, outcome.toasts, outcome.rows()))
    assert outcome.hits == 1


def in_the_year(year: int) -> str:
    return f"Fri, 01 Jan {year} 00:00:00 GMT"


@pytest.mark.parametrize("asked", [in_the_year(1999), "NaN", "-5", "soon", "inf"])
async def test_a_wait_that_makes_no_sense_is_replaced_by_a_short_one(asked: str) -> None:
    [retry] = await retries_after(asked)
    assert 0 < retry.delay <= MAX_DELAY_SECONDS


async def test_a_wait_until_a_date_is_kept() -> None:
    due = datetime.now(UTC) + timedelta(seconds=30)
    [retry] = await retries_after(format_datetime(due, usegmt=True))
    # A date has whole seconds.
    assert 28 <= retry.delay <= 30 * 1.1


async def retries_after(asked: str) -> list[RetryScheduled]:
    """What is said of the next attempt, without waiting for it."""
    steps = answer("429 Too Many", f"Retry-After: {asked}")
    async with fault_server(steps) as server, EngineUnderTest(AiohttpTransport()) as test:
        test.engine.execute(OpenSession("s", endpoint_at(server.base_url)))
        test.engine.execute(Send("s", "r", "hi"))
        await test.listener.until(lambda event: isinstance(event.body, RetryScheduled))
        test.engine.execute(Cancel("s"))
        await test.listener.run_ends()
        return test.listener.bodies(RetryScheduled)


@pytest.mark.parametrize(
    ("asked", "words"), [("86400", "24 h"), (in_the_year(2099), "days")], ids=["day", "2099"]
)
async def test_a_wait_that_is_too_long_is_told_and_not_waited_for(asked: str, words: str) -> None:
    outcome = await play(answer("429 Too Many", f"Retry-After: {asked}"))
    assert not outcome.bodies(RetryScheduled)
    assert "The endpoint asks to wait" in outcome.toast
    assert words in outcome.toast
    assert outcome.hits == 1


async def test_a_prompt_that_is_too_large_is_told_with_its_size() -> None:
    outcome = await play(answer("413 Payload Too Large"))
    size = re.search(r"the prompt is too large \(([\d,]+) bytes\)", outcome.toast)
    assert size is not None
    assert int(size[1].replace(",", "")) > len('{"model":"m","stream":true}')
    assert "Shorten the prompt" in outcome.toast


async def test_a_web_page_in_place_of_a_stream_is_named_by_its_title_and_not_dumped() -> None:
    page = "<html><head><title>Hotel WiFi login</title></head><body>ROOM NUMBER</body></html>"
    outcome = await play(answer("200 OK", "Content-Type: text/html", body=page))
    assert "got a web page (text/html) “Hotel WiFi login” instead of a stream" in outcome.toast
    assert "Nothing received." in outcome.toast
    assert "ROOM NUMBER" not in repr((outcome.events, outcome.rows()))
    assert outcome.hits == 1


async def test_a_large_web_page_as_an_error_is_not_dumped() -> None:
    outcome = await play(scenario("html-502-big"), retries=0)
    assert "HTTP 502, the server failed" in outcome.toast
    assert len(repr(outcome.events)) < 10_000


HUGE_HEADER = f"X-Big: {'a' * (MAX_HEADER_BYTES + 1000)}"
MANY_HEADERS = [f"X-{number}: a" for number in range(MAX_HEADERS + 1)]


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(answer("200 OK", HUGE_HEADER), id="huge-header"),
        pytest.param(answer("200 OK", *MANY_HEADERS), id="many-headers"),
        pytest.param(scenario("garbage"), id="garbage"),
        pytest.param(scenario("cl-and-te"), id="cl-and-te"),
    ],
)
async def test_what_is_no_valid_http_is_called_so_and_never_a_status(steps: list[Any]) -> None:
    outcome = await play(steps)
    assert "not a valid HTTP answer. Nothing received." in outcome.toast
    assert "400" not in outcome.toast.replace(str(outcome.port), "")
    assert outcome.error.status is None
    assert [failed.error.kind for failed in outcome.bodies(AttemptFailed)] == ["protocol-error"]
    assert outcome.hits == 1


async def test_as_many_and_as_large_headers_as_are_allowed_are_read() -> None:
    headers = [f"X-Big: {'a' * (MAX_HEADER_BYTES - 1000)}", *MANY_HEADERS[: MAX_HEADERS // 2]]
    outcome = await play(answer("401 U", *headers))
    assert outcome.error.status == 401


async def test_escape_sequences_and_brackets_of_a_refusal_are_shown_as_text() -> None:
    hostile = "\x1b]0;pwn\x07 [bold] [/]"
    steps = answer(f"500 {hostile}", f"x-request-id: {hostile}", body=f"oops {hostile}")
    outcome = await play(steps, retries=0)
    assert "oops ␛]0;pwn␇ [bold] [/]" in outcome.toast
    assert any("oops ␛]0;pwn␇ [bold] [/]" in row for row in outcome.rows())
    assert "\x1b" not in repr(outcome.toasts) + "".join(outcome.rows())
