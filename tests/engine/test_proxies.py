"""A real proxy program between the engine and the endpoint."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from streamtui.config import Proxy, Timeouts, Tls, load_config
from streamtui.engine.transport import AiohttpTransport
from streamtui.event_words import describe
from streamtui.events import AttemptStarted, RunCompleted, RunFailed
from streamtui.redact import Secret
from tests.certificates import server_context, tls_server, trust
from tests.engine.test_transport import ask, endpoint_at, error_of, kept_text
from tests.faultserver import ANSWER, fault_server
from tests.raw_http import TOKEN
from tests.scripted import EngineUnderTest

# The program says its port only to whoever starts it from Python; it ends with its input.
PROXY_PROGRAM = """
import sys
from proxy import Proxy
options = ["--hostname", "127.0.0.1", "--port", "0", "--num-workers", "1", "--num-acceptors", "1"]
options += ["--log-level", "CRITICAL", "--basic-auth", *sys.argv[1:]]
with Proxy(options) as proxy:
    print(proxy.flags.port, flush=True)
    sys.stdin.read()
"""


@asynccontextmanager
async def proxy_py(user_and_password: str, *options: str) -> AsyncIterator[int]:
    """proxy.py on a free port; yields the port."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROXY_PROGRAM, user_and_password, *options),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield int(await asyncio.wait_for(process.stdout.readline(), 20))
    finally:
        process.stdin.close()
        await process.communicate()


def office(port: int, password: str = "right", *, scheme: str = "http") -> Proxy:
    return Proxy("office", f"{scheme}://127.0.0.1:{port}", "me", Secret(password), loopback=True)


@asynccontextmanager
async def secure_proxy(authority: trustme.CA, folder: Path) -> AsyncIterator[int]:
    """proxy.py that is spoken to over TLS; yields the port."""
    certificate, key = folder / "proxy.pem", folder / "proxy.key"
    leaf = authority.issue_cert("127.0.0.1")
    leaf.cert_chain_pems[0].write_to_path(certificate)
    leaf.private_key_pem.write_to_path(key)
    options = ("--cert-file", str(certificate), "--key-file", str(key))
    async with proxy_py("me:right", *options) as port:
        yield port


async def test_a_stream_comes_through_a_proxy_with_a_password() -> None:
    async with (
        proxy_py("me:right") as port,
        fault_server(ANSWER) as server,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        end = await ask(test, endpoint_at(server.base_url, proxy=office(port)))
        assert isinstance(end, RunCompleted)
        assert kept_text(test) == "tok1 "
        [started] = test.listener.bodies(AttemptStarted)
        assert started.route == f"via proxy office (127.0.0.1:{port})"
        assert b"Via: 1.1 proxy.py" in server.requests[0]


async def test_a_wrong_password_names_the_proxy_and_shows_no_secret() -> None:
    async with (
        proxy_py("me:right") as port,
        fault_server(ANSWER) as server,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        endpoint = endpoint_at(server.base_url, proxy=office(port, "wrong-pw"), retries=2)
        end = await ask(test, endpoint)
        assert error_of(end).kind == "proxy-auth"
        words = describe(end).words
        assert f"proxy office (127.0.0.1:{port}) wants other credentials" in words
        assert "wrong-pw" not in repr(test.listener.events)
        assert server.hits == 0


async def test_a_tunnel_that_is_refused_names_the_proxy() -> None:
    async with proxy_py("me:right") as port, EngineUnderTest(AiohttpTransport()) as test:
        endpoint = endpoint_at("https://127.0.0.1:1/v1", proxy=office(port, "wrong-pw"))
        end = await ask(test, endpoint)
        assert error_of(end).kind == "proxy-auth"
        assert "wrong-pw" not in repr(test.listener.events)


async def test_a_proxy_that_cannot_reach_the_endpoint_is_blamed_and_not_the_endpoint() -> None:
    async with fault_server([]) as gone:
        dead = gone.base_url
    async with proxy_py("me:right") as port, EngineUnderTest(AiohttpTransport()) as test:
        end = await ask(test, endpoint_at(dead, proxy=office(port)))
        assert isinstance(end, RunFailed)
        assert end.error.kind == "proxy"
        assert "proxy office" in end.error.message


async def test_an_error_of_the_endpoint_behind_a_proxy_is_the_endpoints() -> None:
    said = '{"error":{"message":"bad key"}}'
    refusal = f"HTTP/1.1 401 U\r\nContent-Length: {len(said)}\r\n\r\n{said}"
    async with (
        proxy_py("me:right") as port,
        fault_server([["send", refusal]]) as server,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        end = await ask(test, endpoint_at(server.base_url, proxy=office(port)))
        assert error_of(end).kind == "auth"
        assert "bad key" in error_of(end).message


async def test_a_proxy_that_is_not_there_is_named() -> None:
    async with fault_server([]) as gone:
        port = gone.port
    async with fault_server(ANSWER) as server, EngineUnderTest(AiohttpTransport()) as test:
        end = await ask(test, endpoint_at(server.base_url, proxy=office(port)))
        assert error_of(end).kind == "proxy"
        assert f"cannot reach proxy office (127.0.0.1:{port})" in describe(end).words
        assert server.hits == 0


async def test_a_proxy_that_hangs_up_is_blamed_and_no_other_scheme_is_suggested() -> None:
    async with (
        fault_server([["fin"]]) as silent,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        endpoint = endpoint_at("https://api.invalid/v1", proxy=office(silent.port))
        end = await ask(test, endpoint)
        assert error_of(end).kind == "proxy"
        assert "proxy office" in describe(end).words
        assert "http://" not in describe(end).words


async def test_a_proxy_that_keeps_the_answer_back_is_named() -> None:
    limits = Timeouts(connect=5, first_token=0.2, idle=5)
    async with (
        fault_server([["sleep", 30]]) as silent,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        proxy = office(silent.port)
        end = await ask(test, endpoint_at("http://api.invalid/v1", proxy=proxy, timeouts=limits))
        assert error_of(end).kind == "timeout-first-token"
        words = describe(end).words
        assert f"from the model for 0.2 s (via proxy office (127.0.0.1:{silent.port}))" in words
        assert "The proxy may keep answers back; try again, or raise timeouts.first_token." in words


async def test_a_proxy_whose_name_does_not_resolve_is_named() -> None:
    proxy = Proxy("office", "http://nowhere.invalid:3128")
    async with EngineUnderTest(AiohttpTransport()) as test:
        end = await ask(test, endpoint_at("https://api.invalid/v1", proxy=proxy))
        assert error_of(end).kind == "proxy"
        assert "cannot resolve proxy office (nowhere.invalid:3128)" in describe(end).words


async def test_loopback_is_reached_directly_unless_the_proxy_says_otherwise() -> None:
    proxy = Proxy("office", "http://127.0.0.1:1")
    async with fault_server(ANSWER) as server, EngineUnderTest(AiohttpTransport()) as test:
        end = await ask(test, endpoint_at(server.base_url, proxy=proxy))
        assert isinstance(end, RunCompleted)
        [started] = test.listener.bodies(AttemptStarted)
        assert started.route == "direct"


async def test_a_connection_lost_behind_a_proxy_names_it_and_keeps_the_text() -> None:
    steps: list[Any] = [["head"], ["chunk", TOKEN], ["sleep", 0.1], ["rst"]]
    async with (
        proxy_py("me:right") as port,
        fault_server(steps) as server,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        end = await ask(test, endpoint_at(server.base_url, proxy=office(port)))
        assert error_of(end).kind == "connection-lost"
        assert "via proxy office" in error_of(end).message
        assert kept_text(test) == "tok1 "


@pytest.mark.parametrize("status", ["401 Unauthorized", "500 Unable to connect"])
async def test_tinyproxys_own_answers_are_the_proxys(status: str) -> None:
    """tinyproxy answers a wrong password with 401 and an unreachable endpoint with 500."""
    page = "<html><head><title>no</title></head></html>"
    answer = (
        f"HTTP/1.0 {status}\r\nServer: tinyproxy/1.11.1\r\nContent-Type: text/html\r\n"
        f'WWW-Authenticate: Basic realm="Tinyproxy"\r\nConnection: close\r\n\r\n{page}'
    )
    async with (
        fault_server([["send", answer]]) as proxy,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        end = await ask(test, endpoint_at("http://api.invalid/v1", proxy=office(proxy.port)))
        assert error_of(end).kind in {"proxy", "proxy-auth"}
        assert "proxy office" in error_of(end).message


async def test_a_stream_comes_through_a_proxy_that_is_spoken_to_over_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    tls = Tls(ca_file=trust(authority, tmp_path))
    async with (
        secure_proxy(authority, tmp_path) as port,
        fault_server(ANSWER) as server,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        proxy = office(port, scheme="https")
        end = await ask(test, endpoint_at(server.base_url, proxy=proxy, tls=tls))
        assert isinstance(end, RunCompleted)
        assert kept_text(test) == "tok1 "
        assert b"Via: 1.1 proxy.py" in server.requests[0]


async def test_tls_passes_through_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    tls = Tls(ca_file=trust(authority, tmp_path))
    async with (
        secure_proxy(authority, tmp_path) as port,
        tls_server(server_context(authority.issue_cert("127.0.0.1"))) as server,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        url = f"https://127.0.0.1:{server.port}/v1"
        end = await ask(test, endpoint_at(url, proxy=office(port, scheme="https"), tls=tls))
        assert isinstance(end, RunCompleted)
        assert b"Proxy-Authorization" not in server.requests[0]


@pytest.mark.parametrize("target", ["http", "https"])
async def test_a_bad_certificate_of_a_proxy_is_the_proxys(tmp_path: Path, target: str) -> None:
    """Also where the endpoint's own certificate would not be looked at."""
    async with (
        secure_proxy(trustme.CA(), tmp_path) as port,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        proxy = office(port, scheme="https")
        url = f"{target}://127.0.0.1:1/v1"
        end = await ask(test, endpoint_at(url, proxy=proxy, tls=Tls(verify=False), retries=2))
        assert (error_of(end).kind, error_of(end).retryable) == ("tls", False)
        words = describe(end).words
        assert f"the certificate of proxy office (127.0.0.1:{port})" in words
        assert "tls.ca_file" in words


async def test_a_bad_certificate_behind_a_proxy_is_the_endpoints(tmp_path: Path) -> None:
    authority = trustme.CA()
    tls = Tls(ca_file=trust(authority, tmp_path))
    async with (
        secure_proxy(authority, tmp_path) as port,
        tls_server(server_context(trustme.CA().issue_cert("127.0.0.1"))) as server,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        url = f"https://127.0.0.1:{server.port}/v1"
        end = await ask(test, endpoint_at(url, proxy=office(port, scheme="https"), tls=tls))
        assert error_of(end).kind == "tls"
        assert f"the certificate of 127.0.0.1:{server.port}" in describe(end).words
        assert "proxy" not in describe(end).words


async def test_a_plain_proxy_that_is_spoken_to_over_tls_is_named() -> None:
    async with (
        proxy_py("me:right") as port,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        proxy = office(port, scheme="https")
        end = await ask(test, endpoint_at("http://127.0.0.1:1/v1", proxy=proxy))
        assert error_of(end).kind in {"tls", "proxy", "timeout-connect", "timeout-first-token"}


async def test_the_proxy_of_the_environment_is_used_and_named(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    async with (
        proxy_py("me:right") as port,
        fault_server(ANSWER) as server,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        config.write_text(
            '[endpoints.own]\ndialect = "openai-chat"\nmodel = "m"\nproxy = "env"\n'
            f'base_url = "http://host.example:{server.port}/v1"\n'
        )
        environ = {"HTTP_PROXY": f"http://me:wrong-pw@127.0.0.1:{port}"}
        end = await ask(test, load_config(config, environ=environ).endpoint("own"))
        assert error_of(end).kind == "proxy-auth"
        assert f"proxy env HTTP_PROXY (127.0.0.1:{port}) wants" in describe(end).words
        assert "wrong-pw" not in repr(test.listener.events)
        [started] = test.listener.bodies(AttemptStarted)
        assert started.route == f"via proxy env HTTP_PROXY (127.0.0.1:{port})"
        assert server.hits == 0
