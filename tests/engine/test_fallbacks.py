"""Other endpoints in the place of one that fails before anything of an answer arrived."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from streamtui.config import Endpoint, load_config, show_config
from streamtui.engine.doors import Cancel, OpenSession, Send
from streamtui.errors import ConfigError, RunError, TransportError
from streamtui.event_words import describe
from streamtui.events import (
    AttemptStarted,
    Chunk,
    ErrorKind,
    ResponseStarted,
    RetryScheduled,
    RunCancelled,
    RunCompleted,
    RunCutOff,
    RunFailed,
    RunStarted,
)
from streamtui.redact import Secret
from streamtui.ui.state import AppState, apply, border_title
from tests.engine.test_session import answer, shown_text, text_chunk
from tests.scripted import EngineUnderTest, ScriptedResponse, ScriptedTransport

LOCAL = Endpoint("local", "openai-completions", "http://local.invalid/v1", "l", retries=0)
MIRROR = Endpoint("mirror", "openai-chat", "http://mirror.invalid/v1", "n", retries=0)
OPENAI = Endpoint(
    "openai", "openai-chat", "http://openai.invalid/v1", "m", retries=0, fallbacks=(MIRROR, LOCAL)
)
COMPLETION = ScriptedResponse(
    b'data: {"choices":[{"index":0,"text":"hello","finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)


def lost(kind: ErrorKind = "connect", *, retryable: bool = True) -> RunError:
    return TransportError(f"no way: {kind}", kind=kind, retryable=retryable)


def ask(test: EngineUnderTest, endpoint: Endpoint = OPENAI) -> None:
    test.engine.execute(OpenSession("s", endpoint))
    test.engine.execute(Send("s", "r", "hi"))


def asked(test: EngineUnderTest) -> list[str]:
    return [body.endpoint for body in test.listener.bodies(AttemptStarted)]


async def test_a_fallback_is_asked_when_the_first_endpoint_fails_and_this_is_told() -> None:
    async with EngineUnderTest(ScriptedTransport(lost(), answer("from mirror"))) as test:
        ask(test)
        await test.listener.run_ends()
    assert [(b.endpoint, b.model) for b in test.listener.bodies(AttemptStarted)] == [
        ("openai", "m"),
        ("mirror", "n"),
    ]
    [retry] = test.listener.bodies(RetryScheduled)
    assert (retry.endpoint, retry.delay) == ("mirror", 0.0)
    assert describe(retry).words == "no way: connect. Trying mirror, attempt 2 of 3"
    assert shown_text(test.listener.bodies(Chunk)) == "from mirror"
    [end] = test.listener.bodies(RunCompleted)
    assert end.metrics.attempts == 2


async def test_fallbacks_are_asked_in_their_order_and_in_their_own_dialect() -> None:
    transport = ScriptedTransport(lost(), lost("dns"), COMPLETION)
    async with EngineUnderTest(transport) as test:
        ask(test)
        await test.listener.run_ends()
    assert asked(test) == ["openai", "mirror", "local"]
    assert transport.requests[2].path.endswith("/completions")
    assert b'"prompt"' in transport.requests[2].body
    assert test.listener.bodies(RunCompleted)


async def test_an_endpoint_has_all_its_retries_before_another_is_asked() -> None:
    busy = ScriptedResponse(b"", status=503, headers={"retry-after-ms": "1"})
    endpoint = msgspec.structs.replace(OPENAI, retries=2)
    transport = ScriptedTransport(busy, busy, busy, answer("ok"))
    async with EngineUnderTest(transport) as test:
        ask(test, endpoint)
        await test.listener.run_ends()
    assert asked(test) == ["openai"] * 3 + ["mirror"]


@pytest.mark.parametrize("status", [404, 429, 500, 503, 529])
async def test_statuses_of_the_endpoint_itself_lead_to_the_next(status: int) -> None:
    transport = ScriptedTransport(ScriptedResponse(b"", status=status), answer("ok"))
    async with EngineUnderTest(transport) as test:
        ask(test)
        await test.listener.run_ends()
    assert asked(test) == ["openai", "mirror"]


@pytest.mark.parametrize("status", [400, 401, 413, 422])
async def test_a_request_that_is_wrong_or_too_large_is_so_everywhere(status: int) -> None:
    async with EngineUnderTest(ScriptedTransport(ScriptedResponse(b"", status=status))) as test:
        ask(test)
        await test.listener.run_ends()
    assert asked(test) == ["openai"]
    assert test.listener.bodies(RunFailed)


@pytest.mark.parametrize("kind", ["connect", "dns", "proxy", "tls"])
async def test_no_connection_leads_to_the_next(kind: ErrorKind) -> None:
    transport = ScriptedTransport(lost(kind, retryable=False), answer("ok"))
    async with EngineUnderTest(transport) as test:
        ask(test)
        await test.listener.run_ends()
    assert asked(test) == ["openai", "mirror"]


async def test_after_the_first_text_no_other_endpoint_is_asked() -> None:
    half = ScriptedResponse(text_chunk("half"), lost("connection-lost"))
    async with EngineUnderTest(ScriptedTransport(half)) as test:
        ask(test)
        await test.listener.run_ends()
    assert asked(test) == ["openai"]
    assert test.listener.bodies(RunCutOff)


async def test_a_cancelled_run_asks_nobody_else() -> None:
    async with EngineUnderTest(ScriptedTransport(ScriptedResponse(asyncio.Event()))) as test:
        ask(test)
        await test.listener.until(lambda event: isinstance(event.body, ResponseStarted))
        test.engine.execute(Cancel("s"))
        await test.listener.run_ends()
    assert asked(test) == ["openai"]
    assert test.listener.bodies(RunCancelled)


async def test_when_all_fail_the_last_error_says_whose_it_is() -> None:
    async with EngineUnderTest(ScriptedTransport(lost(), lost("dns"), lost("tls"))) as test:
        ask(test)
        await test.listener.run_ends()
    [end] = test.listener.bodies(RunFailed)
    assert end.error.message == "local: no way: tls"


async def test_the_secrets_of_all_endpoints_are_hidden() -> None:
    keyed = msgspec.structs.replace(MIRROR, api_key=Secret("sk-of-the-mirror"), retries=0)
    endpoint = msgspec.structs.replace(OPENAI, fallbacks=(keyed,))
    quoting = ScriptedResponse(b'{"error":{"message":"bad sk-of-the-mirror"}}', status=401)
    transport = ScriptedTransport(lost(), quoting)
    async with EngineUnderTest(transport) as test:
        ask(test, endpoint)
        await test.listener.run_ends()
    assert transport.requests[1].headers["Authorization"] == "Bearer sk-of-the-mirror"
    assert "sk-of-the-mirror" not in repr(test.listener.events)


async def test_the_border_shows_who_answers() -> None:
    async with EngineUnderTest(ScriptedTransport(lost(), answer("ok"), answer("again"))) as test:
        ask(test)
        await test.listener.run_ends()
        state = AppState()
        for event in test.listener.events:
            apply(state, event)
        pane = state.panes["s"]
        title = "".join(text for text, _ in border_title(pane, 1, 0.0, 60).left)
        assert "openai → mirror n" in title
        test.engine.execute(Send("s", "r2", "again"))
        await test.listener.until(lambda event: isinstance(event.body, RunStarted), 2)
        apply(state, test.listener.events[-1])
    for event in test.listener.events:
        apply(state, event)
    assert "→" not in "".join(text for text, _ in border_title(pane, 1, 0.0, 60).left)


# Configuration

TABLES = """
[endpoints.openai]
dialect = "openai-chat"
base_url = "http://127.0.0.1:1/v1"
{}
[endpoints.mirror]
dialect = "openai-chat"
base_url = "http://127.0.0.1:2/v1"
fallbacks = ["openai"]
"""


def endpoint_with(tmp_path: Path, line: str) -> Endpoint:
    path = tmp_path / "config.toml"
    path.write_text(TABLES.format(line))
    config = load_config(path, environ={})
    assert "fallbacks" in show_config(config)
    return config.endpoints["openai"]


def test_fallbacks_are_endpoints_whose_own_are_not_followed(tmp_path: Path) -> None:
    endpoint = endpoint_with(tmp_path, 'fallbacks = ["mirror", "demo"]')
    assert [fallback.name for fallback in endpoint.fallbacks] == ["mirror", "demo"]
    assert [fallback.fallbacks for fallback in endpoint.fallbacks] == [(), ()]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('fallbacks = ["miror"]', "did you mean mirror?"),
        ('fallbacks = ["openai"]', "cannot stand in for itself"),
        ('fallbacks = ["mirror", "mirror"]', "twice"),
        ("fallbacks = [1]", "expected text"),
        ("max_concurrent = 0", "expected a whole number from 1"),
        ("max_response_bytes = 0", "expected a whole number from 1"),
    ],
)
def test_mistakes_name_their_line(tmp_path: Path, line: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason.replace("?", r"\?")) as caught:
        endpoint_with(tmp_path, line)
    assert caught.value.line == 5


def test_limits_are_read(tmp_path: Path) -> None:
    endpoint = endpoint_with(tmp_path, "max_concurrent = 8\nmax_response_bytes = 1000")
    assert (endpoint.max_concurrent, endpoint.max_response_bytes) == (8, 1000)
