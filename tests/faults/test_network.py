"""Connections: those that a server lets down, proxies on the way, and what must not travel."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from streamtui.config import Endpoint, Timeouts, load_config
from streamtui.engine.doors import OpenSession, Send
from streamtui.engine.transport import AiohttpTransport
from streamtui.events import AttemptFailed, AttemptStarted, RetryScheduled, RunCompleted
from streamtui.redact import Secret
from tests.certificates import server_context, tls_server, trust
from tests.engine.test_proxies import office
from tests.faults.outcome import ANSWER, TOKEN, Outcome, ask, endpoint_at
from tests.faultserver import fault_server
from tests.raw_http import whole_answer
from tests.scripted import EngineUnderTest
from tests.socksserver import socks_server

KEY = "sk-secret-0123456789abcdef"


# Connections that are used again


@pytest.mark.parametrize("end", ["fin", "rst"])
async def test_a_connection_that_its_server_closed_while_idle_is_replaced_unseen(end: str) -> None:
    steps = {"1": ANSWER, "2": [[end]], "*": ANSWER}
    async with (
        fault_server(steps, keepalive=True) as server,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        test.engine.execute(OpenSession("s", endpoint_at(server.base_url, retries=0)))
        test.engine.execute(Send("s", "r1", "hi"))
        await test.listener.run_ends()
        test.engine.execute(Send("s", "r2", "again"))
        outcome = Outcome(await test.listener.run_ends(2))
        assert server.connections == 2
    assert not outcome.toasts
    assert not outcome.bodies(AttemptFailed, RetryScheduled)
    assert len(outcome.bodies(RunCompleted)) == 2
    assert outcome.turn.text == "tok1 "
    of_that_prompt = server.requests[1:]
    assert len(of_that_prompt) == 2
    assert all(b"Idempotency-Key: r2\r\n" in request for request in of_that_prompt)
    assert len({request.partition(b"\r\n\r\n")[2] for request in of_that_prompt}) == 1


# Proxies


async def test_a_proxy_that_fails_to_open_a_tunnel_is_blamed_and_not_the_endpoint() -> None:
    async with fault_server([["send", whole_answer("502 Bad Gateway")]]) as proxy:
        endpoint = endpoint_at("https://api.invalid/v1", proxy=office(proxy.port), retries=0)
        outcome = Outcome(await ask(endpoint))
    assert f"proxy office (127.0.0.1:{proxy.port}) could not reach the endpoint" in outcome.toast
    assert "HTTP 502 from the proxy" in outcome.toast
    assert outcome.error.kind == "proxy"


async def test_a_proxy_that_dies_in_mid_answer_is_named_and_the_text_kept() -> None:
    async with fault_server([["head"], TOKEN, ["rst"]]) as proxy:
        endpoint = endpoint_at("http://api.invalid/v1", proxy=office(proxy.port))
        outcome = Outcome(await ask(endpoint))
    assert outcome.pane.phase == "cut off"
    assert f"the connection (via proxy office (127.0.0.1:{proxy.port})) was lost" in outcome.toast
    assert "5 characters kept." in outcome.toast
    assert outcome.turn.text == "tok1 "
    assert proxy.hits == 1


class Surroundings:
    """An endpoint of the configuration, found where the environment is what a test makes it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "config.toml"

    def endpoint(self, base_url: str, environ: dict[str, str], more: str = "") -> Endpoint:
        self._path.write_text(
            f'[endpoints.mirror]\ndialect = "openai-chat"\nbase_url = "{base_url}"\nmodel = "m"\n'
            f'proxy = "env"\nretries = 0\ntimeouts = {{ connect = 0.3, first_token = 5 }}\n{more}\n'
        )
        return load_config(self._path, environ=environ).endpoint("mirror")


@pytest.fixture
def surroundings(tmp_path: Path) -> Surroundings:
    return Surroundings(tmp_path)


def routes(outcome: Outcome) -> list[str]:
    return [started.route for started in outcome.bodies(AttemptStarted)]


async def test_a_proxy_of_the_environment_that_is_spoken_to_over_tls_is_used(
    surroundings: Surroundings, tmp_path: Path
) -> None:
    authority = trustme.CA()
    ca_file = trust(authority, tmp_path)
    async with tls_server(server_context(authority.issue_cert("127.0.0.1"))) as proxy:
        environ = {"http_proxy": f"https://127.0.0.1:{proxy.port}"}
        endpoint = surroundings.endpoint(
            "http://api.invalid/v1", environ, f'tls = {{ ca_file = "{ca_file}" }}'
        )
        outcome = Outcome(await ask(endpoint))
    assert outcome.pane.phase == "done"
    assert proxy.requests[0].startswith(b"POST http://api.invalid/v1/")
    assert routes(outcome) == [f"via proxy env http_proxy (127.0.0.1:{proxy.port})"]


async def test_a_proxy_of_the_environment_for_everything_is_used(
    surroundings: Surroundings,
) -> None:
    async with fault_server(ANSWER) as proxy:
        environ = {"ALL_PROXY": f"http://127.0.0.1:{proxy.port}"}
        outcome = Outcome(await ask(surroundings.endpoint("http://api.invalid/v1", environ)))
    assert outcome.pane.phase == "done"
    assert proxy.hits == 1
    assert routes(outcome) == [f"via proxy env ALL_PROXY (127.0.0.1:{proxy.port})"]


async def test_a_socks_proxy_of_the_environment_is_never_spoken_to_in_http(
    surroundings: Surroundings,
) -> None:
    async with fault_server(ANSWER) as server, socks_server() as proxy:
        environ = {"http_proxy": f"socks5h://127.0.0.1:{proxy.port}"}
        base_url = f"http://api.invalid:{server.port}/v1"
        outcome = Outcome(await ask(surroundings.endpoint(base_url, environ)))
    assert outcome.pane.phase == "done"
    assert proxy.targets == [("api.invalid", server.port)]


@pytest.mark.parametrize(
    ("exception", "direct"),
    [
        ("198.51.100.0/24", True),
        ("198.51.100.7:81", True),
        ("198.51.101.0/24", False),
        ("198.51.100.7:82", False),
    ],
)
async def test_exceptions_from_the_proxy_by_network_and_by_port_are_kept(
    surroundings: Surroundings, exception: str, *, direct: bool
) -> None:
    async with fault_server(ANSWER) as proxy:
        address = f"127.0.0.1:{proxy.port}"
        environ = {"HTTP_PROXY": f"http://{address}", "NO_PROXY": exception}
        outcome = Outcome(await ask(surroundings.endpoint("http://198.51.100.7:81/v1", environ)))
    assert routes(outcome) == ["direct" if direct else f"via proxy env HTTP_PROXY ({address})"]
    assert proxy.connections == (not direct)


async def test_nothing_goes_past_a_proxy_of_the_environment_that_is_dead(
    surroundings: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    _find_all_names_here(monkeypatch)
    async with fault_server([]) as gone:
        port = gone.port
    async with fault_server(ANSWER) as server:
        base_url = f"http://api.invalid:{server.port}/v1"
        reached = Outcome(await ask(surroundings.endpoint(base_url, {})))
        assert reached.pane.phase == "done", "the endpoint could be reached directly"
        environ = {"ALL_PROXY": f"http://127.0.0.1:{port}"}
        outcome = Outcome(await ask(surroundings.endpoint(base_url, environ)))
        assert server.hits == 1
    assert f"cannot reach proxy env ALL_PROXY (127.0.0.1:{port})" in outcome.toast


def _find_all_names_here(monkeypatch: pytest.MonkeyPatch) -> None:
    look_up = socket.getaddrinfo

    def find(host: Any, *args: Any, **options: Any) -> Any:
        return look_up("127.0.0.1" if host == "api.invalid" else host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", find)


# What must not travel


@pytest.mark.parametrize(
    ("dialect", "header"),
    [
        ("openai-chat", f"Authorization: Bearer {KEY}"),
        ("anthropic", f"x-api-key: {KEY}"),
        ("gemini", f"x-goog-api-key: {KEY}"),
        ("ollama", ""),
    ],
)
async def test_passwords_of_netrc_never_join_or_replace_the_key(
    dialect: str, header: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login u password p\ndefault login u password p\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    key = Secret(KEY) if header else None
    async with fault_server(ANSWER) as server:
        await ask(endpoint_at(server.base_url, dialect=dialect, api_key=key, retries=0))
    [request] = server.requests
    credentials = [
        line.decode()
        for line in request.split(b"\r\n")
        if re.match(rb"(?i)(proxy-)?authorization:|[\w-]*api-key:", line)
    ]
    assert [line.lower() for line in credentials] == [header.lower()] * bool(header)


async def test_cookies_of_one_endpoint_reach_no_other_and_never_come_back() -> None:
    cookie = "Set-Cookie: session=secret; Path=/\r\n"
    steps = [
        ["send", f"HTTP/1.1 200 OK\r\n{cookie}Transfer-Encoding: chunked\r\n\r\n"],
        *ANSWER[1:],
    ]
    async with (
        fault_server(steps) as first,
        fault_server(steps) as second,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        by_name = second.base_url.replace("127.0.0.1", "localhost")
        urls = {"a": first.base_url, "b": second.base_url, "c": by_name}
        for session_id, url in urls.items():
            test.engine.execute(OpenSession(session_id, endpoint_at(url)))
        for number, session_id in enumerate("abcabc", 1):
            test.engine.execute(Send(session_id, f"r{number}", "hi"))
            await test.listener.run_ends(number)
        assert len(test.listener.bodies(RunCompleted)) == 6
    requests = first.requests + second.requests
    assert len(requests) == 6
    assert not any(b"cookie" in request.lower() for request in requests)


# The other scheme


LIMITS = Timeouts(connect=0.5, first_token=5, idle=5)


@asynccontextmanager
async def plain_port(when_spoken_to: str) -> AsyncIterator[int]:
    """A port without TLS, and what it does about the first bytes that it cannot read."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        if when_spoken_to == "answers":
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        if when_spoken_to == "waits":
            await reader.read()
        if when_spoken_to == "resets":
            writer.transport.abort()
        writer.close()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("when_spoken_to", ["answers", "waits", "closes", "resets"])
async def test_tls_to_a_port_without_it_suggests_http_within_the_limit_to_connect(
    when_spoken_to: str,
) -> None:
    async with plain_port(when_spoken_to) as port:
        base_url = f"https://127.0.0.1:{port}/v1"
        outcome = Outcome(await ask(endpoint_at(base_url, timeouts=LIMITS, retries=0)))
    assert f"127.0.0.1:{port}" in outcome.toast
    assert re.search(r"\. Nothing received\. .*http://", outcome.toast), outcome.toast
    assert outcome.turn.metrics is not None
    assert outcome.turn.metrics.duration < LIMITS.connect + 0.5


async def test_plain_http_to_a_port_with_tls_suggests_https_within_the_limit_to_connect() -> None:
    async with tls_server(server_context(trustme.CA().issue_cert("127.0.0.1"))) as server:
        base_url = f"http://127.0.0.1:{server.port}/v1"
        outcome = Outcome(await ask(endpoint_at(base_url, timeouts=LIMITS, retries=0)))
    assert f"127.0.0.1:{server.port}" in outcome.toast
    assert re.search(r"\. Nothing received\. .*https://", outcome.toast), outcome.toast
    assert outcome.turn.metrics is not None
    assert outcome.turn.metrics.duration < LIMITS.connect + 0.5
