"""The real transport on real sockets: every wire scenario, and what must never happen."""

import asyncio
import gc
import gzip
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from streamtui.config import Endpoint, Timeouts
from streamtui.engine.doors import Cancel, OpenSession, Send
from streamtui.engine.host import wire
from streamtui.engine.transport import READ_BYTES, AiohttpTransport, shorten_reads
from streamtui.event_words import describe
from streamtui.events import (
    Chunk,
    ErrorInfo,
    KeepAliveReceived,
    RetryScheduled,
    RunCancelled,
    RunCompleted,
    RunCutOff,
    RunFailed,
    StreamStalled,
    TextDelta,
)
from streamtui.redact import Secret
from tests.faultserver import SCENARIOS, fault_server
from tests.raw_http import END, STREAM_HEAD, TOKEN
from tests.scripted import EngineUnderTest

SHORT = Timeouts(connect=5, first_token=0.6, idle=0.6)

# The scenarios' word for an end, and the word that is used here.
SAME_KIND = {
    "timeout-first-byte": "timeout-first-token",
    "redirect-refused": "redirect-refused",
}
CUT_OFF_KINDS = {
    "connection-lost",
    "frame-too-large",
    "protocol-error",
    "stopped-by-limit",
    "timeout-idle",
    "truncated",
}
# Endless, or described in the file without their bytes.
PLAYED_BELOW = {"endless-tokens", "gzip-truncated", "huge-header"}


def endpoint_at(base_url: str, **changes: Any) -> Endpoint:
    endpoint = Endpoint("mirror", "openai-chat", base_url, "m", timeouts=SHORT, retries=0)
    return msgspec.structs.replace(endpoint, **changes)


async def ask(test: EngineUnderTest, endpoint: Endpoint, session_id: str = "s") -> Any:
    """Send one prompt and return the body of the run's end."""
    test.engine.execute(OpenSession(session_id, endpoint))
    test.engine.execute(Send(session_id, "r", "hi"))
    events = await test.listener.run_ends()
    return events[-1].body


def kept_text(test: EngineUnderTest) -> str:
    chunks: list[Chunk] = test.listener.bodies(Chunk)
    deltas = [delta for chunk in chunks for delta in chunk.deltas]
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


def single_attempt_scenarios() -> list[Any]:
    played = [
        scenario
        for scenario in SCENARIOS.values()
        if isinstance(scenario["steps"], list) and scenario["id"] not in PLAYED_BELOW
    ]
    return [pytest.param(scenario, id=scenario["id"]) for scenario in played]


@pytest.mark.parametrize("scenario", single_attempt_scenarios())
async def test_wire_scenario_ends_as_it_must(scenario: dict[str, Any]) -> None:
    want = scenario["want"]
    async with (
        fault_server(scenario["steps"], keepalive=scenario.get("keepalive", False)) as server,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        end = await ask(test, endpoint_at(server.base_url))
        if want["kind"] == "complete":
            assert isinstance(end, RunCompleted)
        else:
            assert error_of(end).kind == SAME_KIND.get(want["kind"], want["kind"])
            assert error_of(end).retryable == (want["auto_retry"] == "yes")
            cut_off = error_of(end).kind in CUT_OFF_KINDS and bool(kept_text(test))
            assert isinstance(end, RunCutOff) == (cut_off or error_of(end).kind == "truncated")
        if want["text_kept"]:
            assert kept_text(test) == want["text_kept"]
        words = describe(end).words
        assert all(expected in words for expected in want["toast_has"])
        assert server.hits == 1


def error_of(end: Any) -> ErrorInfo:
    assert isinstance(end, RunFailed | RunCutOff)
    return end.error


@pytest.mark.parametrize(
    ("name", "waits"),
    [
        ("retry-after-seconds", 2.0),
        ("retry-after-ms", 1.5),
        ("retry-after-float", 0.5),
        ("retry-after-negative", 0.5),
        ("retry-after-garbage", 0.5),
        ("flaky-503-then-ok", 0.5),
    ],
)
async def test_what_fails_first_is_tried_again_after_the_right_wait(
    name: str, waits: float
) -> None:
    scenario = SCENARIOS[name]
    async with (
        fault_server(scenario["steps"]) as server,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        test.engine.execute(OpenSession("s", endpoint_at(server.base_url, retries=2)))
        test.engine.execute(Send("s", "r", "hi"))
        await test.listener.run_ends()
        retries = test.listener.bodies(RetryScheduled)
        assert retries[0].delay == pytest.approx(waits, rel=0.1)
        assert test.listener.bodies(RunCompleted)
        assert kept_text(test) == scenario["want"]["text_kept"]
        assert retries[0].error.status in {429, 503}


async def test_a_wait_that_is_too_long_is_told_and_not_waited_for() -> None:
    steps = SCENARIOS["retry-after-huge"]["steps"]
    async with fault_server(steps) as server, EngineUnderTest(AiohttpTransport()) as test:
        end = await ask(test, endpoint_at(server.base_url, retries=2))
        assert error_of(end).kind == "rate-limit"
        assert "24 h" in describe(end).words
        assert server.hits == 1


async def test_cancel_of_an_endless_answer_is_seen_by_the_server() -> None:
    steps = SCENARIOS["endless-tokens"]["steps"]
    async with fault_server(steps) as server, EngineUnderTest(AiohttpTransport()) as test:
        test.engine.execute(OpenSession("s", endpoint_at(server.base_url)))
        test.engine.execute(Send("s", "r", "hi"))
        await test.listener.until(lambda event: isinstance(event.body, Chunk))
        test.engine.execute(Cancel("s"))
        await test.listener.run_ends()
        assert test.listener.bodies(RunCancelled)


async def test_total_limit_stops_an_endless_answer() -> None:
    steps = SCENARIOS["endless-tokens"]["steps"]
    limits = Timeouts(connect=5, first_token=1, idle=1, total=0.3)
    async with fault_server(steps) as server, EngineUnderTest(AiohttpTransport()) as test:
        end = await ask(test, endpoint_at(server.base_url, timeouts=limits))
        assert isinstance(end, RunCutOff)
        assert end.error.kind == "stopped-by-limit"


async def test_comments_alone_do_not_count_as_an_answer() -> None:
    steps = [["head"], ["repeat", -1, [["chunk", ": PROCESSING\n\n"], ["sleep", 0.05]]]]
    async with fault_server(steps) as server, EngineUnderTest(AiohttpTransport()) as test:
        end = await ask(test, endpoint_at(server.base_url))
        assert error_of(end).kind == "timeout-first-token"
        assert "keeps the line open" in describe(end).words
        assert test.listener.bodies(KeepAliveReceived)[0].comment == "PROCESSING"


async def test_a_silent_answer_is_called_stalled_before_it_is_ended() -> None:
    steps = SCENARIOS["stall-mid"]["steps"]
    async with fault_server(steps) as server, EngineUnderTest(AiohttpTransport()) as test:
        end = await ask(test, endpoint_at(server.base_url))
        [stall] = test.listener.bodies(StreamStalled)
        assert stall.limit == SHORT.idle
        assert isinstance(end, RunCutOff)
        assert end.error.kind == "timeout-idle"
        await asyncio.wait_for(server.left.wait(), 1)


async def test_idle_connections_that_the_server_closed_are_replaced_unseen() -> None:
    body = TOKEN + END
    answer = ["send", f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}"]
    steps: dict[str, list[Any]] = {str(hit): [["wait", 5], answer] for hit in range(1, 6)}
    async with (
        fault_server(steps | {"*": [answer]}, lets_down=True) as server,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        for number in range(5):
            test.engine.execute(OpenSession(f"s{number}", endpoint_at(server.base_url)))
            test.engine.execute(Send(f"s{number}", f"r{number}", "hi"))
        await test.listener.run_ends(5)
        test.engine.execute(Send("s0", "again", "hi"))
        await test.listener.run_ends(6)
        assert len(test.listener.bodies(RunCompleted)) == 6
        assert server.let_down == 1
        assert not test.listener.bodies(RetryScheduled)


async def test_a_body_that_ends_just_after_its_end_marker_leaves_its_connection() -> None:
    steps = [["head"], ["chunk", TOKEN + END], ["sleep", 0.01], ["send", "0\r\n\r\n"]]
    async with (
        fault_server(steps, keepalive=True) as server,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        test.engine.execute(OpenSession("s", endpoint_at(server.base_url)))
        for number in range(4):
            test.engine.execute(Send("s", f"r{number}", "hi"))
        await test.listener.run_ends(4)
        assert server.hits == 4
        assert server.connections == 1


@pytest.fixture
def unreachable() -> Iterator[Callable[[], set[str]]]:
    """What of ours nobody holds any more, but which would not go by itself."""

    def found() -> set[str]:
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        kinds = {type(each) for each in gc.garbage}
        return {kind.__qualname__ for kind in kinds if kind.__module__.startswith("streamtui.")}

    gc.collect()
    gc.disable()
    yield found
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()


async def test_asyncio_can_be_told_how_much_to_read_at_once() -> None:
    loop = asyncio.get_running_loop()
    async with fault_server([]) as server:
        transport, _ = await loop.create_connection(asyncio.Protocol, "127.0.0.1", server.port)
        assert getattr(transport, "max_size", 0) > READ_BYTES
        shorten_reads(transport)
        assert vars(transport)["max_size"] == READ_BYTES
        transport.abort()


async def test_a_run_that_has_ended_goes_with_its_request_and_all_its_chunks(
    unreachable: Callable[[], set[str]],
) -> None:
    steps = [["head"], ["chunk", TOKEN], ["chunk", END], ["send", "0\r\n\r\n"]]
    async with fault_server(steps) as server, EngineUnderTest(AiohttpTransport()) as test:
        assert isinstance(await ask(test, endpoint_at(server.base_url)), RunCompleted)
        assert not unreachable()


async def test_a_proxys_demand_where_none_is_configured_is_told_in_words() -> None:
    steps = [["send", "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"]]
    async with fault_server(steps) as server, EngineUnderTest(AiohttpTransport()) as test:
        end = await ask(test, endpoint_at(server.base_url))
        assert error_of(end).kind == "proxy-auth"
        assert "a proxy on the way wants credentials" in describe(end).words


async def test_nothing_follows_a_redirect() -> None:
    async with fault_server([["send", "HTTP/1.1 200 OK\r\n\r\n"]]) as other:
        head = (
            f"HTTP/1.1 307 T\r\nLocation: http://127.0.0.1:{other.port}/steal\r\n"
            "Content-Length: 0\r\n\r\n"
        )
        async with (
            fault_server([["send", head]]) as server,
            EngineUnderTest(AiohttpTransport()) as test,
        ):
            end = await ask(test, endpoint_at(server.base_url, api_key=Secret("sk-secret")))
            words = describe(end).words
            assert f"redirects to 127.0.0.1:{other.port}" in words
            assert "change base_url" in words
            assert other.hits == 0


@pytest.mark.parametrize("location", ["http://[", "http://a\u2100b/", "\t", "//@"])
async def test_a_redirect_to_nowhere_is_one_too(location: str) -> None:
    head = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    async with (
        fault_server([["send", head]]) as server,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        end = await ask(test, endpoint_at(server.base_url))
        assert error_of(end).kind == "redirect-refused"


@pytest.mark.parametrize("host", ["api..invalid", f"{'a' * 64}.invalid"])
async def test_what_cannot_be_a_name_is_not_waited_for(host: str) -> None:
    async with EngineUnderTest(AiohttpTransport()) as test:
        end = await ask(test, endpoint_at(f"http://{host}/v1"))
        assert error_of(end).kind == "dns"
        assert f"cannot resolve {host}" in describe(end).words


async def test_a_key_that_the_server_quotes_is_hidden() -> None:
    said = '{"error":{"message":"Incorrect API key provided: sk-secret-0123456789"}}'
    head = f"HTTP/1.1 401 U\r\nContent-Length: {len(said)}\r\n\r\n{said}"
    async with (
        fault_server([["send", head]]) as server,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        key = Secret("sk-secret-0123456789")
        endpoint = endpoint_at(
            server.base_url, api_key=key, key_source="environment variable MY_KEY", retries=2
        )
        end = await ask(test, endpoint)
        words = describe(end).words
        assert "401" in words
        assert "MY_KEY" in words
        assert "sk-secret" not in repr(test.listener.events)
        assert server.hits == 1


async def test_a_dead_port_says_that_nothing_listens() -> None:
    async with fault_server([]) as server:
        port = server.port
    async with EngineUnderTest(AiohttpTransport()) as test:
        end = await ask(test, endpoint_at(f"http://127.0.0.1:{port}/v1"))
        assert error_of(end).kind == "connect"
        assert f"nothing listens on 127.0.0.1:{port}" in describe(end).words


async def test_a_name_that_does_not_resolve_is_named() -> None:
    async with EngineUnderTest(AiohttpTransport()) as test:
        end = await ask(test, endpoint_at("http://nowhere.invalid/v1"))
        assert error_of(end).kind == "dns"
        assert "nowhere.invalid" in describe(end).words


async def test_tls_spoken_to_a_plain_port_suggests_the_other_scheme() -> None:
    async with (
        fault_server([["send", "HTTP/1.1 200 OK\r\n\r\n"]]) as server,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        end = await ask(test, endpoint_at(f"https://127.0.0.1:{server.port}/v1"))
        assert error_of(end).kind in {"tls", "connection-lost", "timeout-first-token"}


async def test_a_header_beyond_the_limit_is_no_valid_answer() -> None:
    head = f"HTTP/1.1 200 OK\r\nX-Big: {'a' * 70_000}\r\n\r\n"
    async with (
        fault_server([["send", head]]) as server,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        end = await ask(test, endpoint_at(server.base_url))
        assert error_of(end).kind == "protocol-error"
        assert "400" not in describe(end).words


async def test_a_compressed_answer_that_breaks_off_is_cut_off() -> None:
    body = gzip.compress((TOKEN * 50).encode())[:-12]
    head = STREAM_HEAD.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")
    wire = head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    async with (
        fault_server([["sendbytes", wire]]) as server,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        end = await ask(test, endpoint_at(server.base_url))
        assert isinstance(end, RunCutOff)
        assert kept_text(test).startswith("tok1 ")


async def test_compressed_answers_are_read_as_they_come() -> None:
    body = gzip.compress((TOKEN + END).encode())
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    wire = head.encode() + body
    async with (
        fault_server([["sendbytes", wire]]) as server,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        end = await ask(test, endpoint_at(server.base_url))
        assert isinstance(end, RunCompleted)
        assert kept_text(test) == "tok1 "


async def test_cookies_of_one_endpoint_never_reach_another() -> None:
    answer = TOKEN + END
    head = (
        "HTTP/1.1 200 OK\r\nSet-Cookie: session=secret\r\n"
        f"Content-Length: {len(answer)}\r\n\r\n{answer}"
    )
    async with (
        fault_server([["send", head]]) as server,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        test.engine.execute(OpenSession("s", endpoint_at(server.base_url)))
        for number in range(2):
            test.engine.execute(Send("s", f"r{number}", "hi"))
        await test.listener.run_ends(2)
        assert all(b"cookie" not in request.lower() for request in server.requests)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nX-Request-Id: \xff\r\nX-RateLimit-Plan: \xe9\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://\xff/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 500 No\r\nRequest-Id: \xff\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_headers_that_are_no_text_can_be_told_to_a_console(answer: bytes) -> None:
    async with (
        fault_server([["sendbytes", answer]]) as server,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        await ask(test, endpoint_at(server.base_url))
        told = wire.Heard(1, tuple(test.listener.events), 0)
        assert "\ufffd" in str(wire.from_engine(wire.packed(told)[wire.HEAD_BYTES :]))


async def test_netrc_never_replaces_the_key(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login u password p\n")
    monkeypatch.setenv("NETRC", str(netrc))
    async with (
        fault_server([["send", STREAM_HEAD.decode()], ["chunk", TOKEN + END]]) as server,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        await ask(test, endpoint_at(server.base_url, api_key=Secret("sk-mine")))
        assert b"Authorization: Bearer sk-mine\r\n" in server.requests[0]
        assert b"Basic" not in server.requests[0]
