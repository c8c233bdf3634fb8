"""SOCKS5 proxies between the engine and the endpoint: scripted ones, and a real program."""

import asyncio
import inspect
import re
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import aiohttp_socks
import pytest
import trustme

from streamtui.config import Proxy, Timeouts, Tls
from streamtui.engine.socks import SocksConnector
from streamtui.engine.transport import AiohttpTransport
from streamtui.event_words import describe
from streamtui.events import AttemptStarted, Chunk, RunCompleted
from streamtui.redact import Secret
from tests.certificates import server_context, tls_server, trust
from tests.engine.test_transport import ask, endpoint_at, error_of, kept_text
from tests.faultserver import ANSWER, fault_server
from tests.raw_http import END, TOKEN
from tests.scripted import EngineUnderTest
from tests.socksserver import NONE_ACCEPTABLE, PASSWORD, SocksScript, socks_server

# Listens by itself on any port and says so only to its log; told apart by what it prints.
PPROXY_PROGRAM = """
import asyncio, socket, sys, pproxy
async def main():
    opened = socket.create_server(("127.0.0.1", 0))
    port = opened.getsockname()[1]
    opened.close()
    server = pproxy.Server(f"socks5://127.0.0.1:{port}#{sys.argv[1]}")
    await server.start_server({"rserver": [], "verbose": lambda text: None})
    print(port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
asyncio.run(main())
"""


def office(port: int, *, scheme: str = "socks5h", login: tuple[str, str] | None = None) -> Proxy:
    user, password = login or ("", "")
    secret = Secret(password) if password else None
    return Proxy("office", f"{scheme}://127.0.0.1:{port}", user, secret, loopback=True)


def timeouts(connect: float) -> Timeouts:
    return Timeouts(connect=connect, first_token=5, idle=5)


@asynccontextmanager
async def pproxy_program(login: str) -> AsyncIterator[int]:
    """pproxy with a password on a free port; yields the port."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PPROXY_PROGRAM, login),
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


async def failure(script: SocksScript, **changes: Any) -> tuple[Any, str]:
    """How a run through this proxy failed, and in words; the endpoint never saw it."""
    login = ("me", "hunter2")
    async with (
        socks_server(script) as proxy,
        fault_server(ANSWER) as server,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        usual: dict[str, Any] = {
            "base_url": server.base_url,
            "proxy": office(proxy.port, login=login),
        }
        end = await ask(test, endpoint_at(**(usual | changes)))
        assert server.hits == 0
        words = describe(end).words
        assert "hunter2" not in repr(test.listener.events)
        assert f"proxy office (127.0.0.1:{proxy.port})" in words
        return error_of(end), re.sub(r":\d+", ":PORT", words)


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
async def test_a_stream_comes_through(scheme: str) -> None:
    async with (
        socks_server() as proxy,
        fault_server(ANSWER) as server,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        endpoint = endpoint_at(server.base_url, proxy=office(proxy.port, scheme=scheme))
        assert isinstance(await ask(test, endpoint), RunCompleted)
        assert kept_text(test) == "tok1 "
        [started] = test.listener.bodies(AttemptStarted)
        assert started.route == f"via proxy office (127.0.0.1:{proxy.port})"
        assert proxy.targets == [("127.0.0.1", server.port)]
        assert b"Proxy-" not in server.requests[0]


async def test_socks5h_leaves_names_to_the_proxy() -> None:
    async with (
        socks_server() as proxy,
        fault_server(ANSWER) as server,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        url = f"http://api.invalid:{server.port}/v1"
        assert isinstance(await ask(test, endpoint_at(url, proxy=office(proxy.port))), RunCompleted)
        assert proxy.targets == [("api.invalid", server.port)]


async def test_socks5_looks_names_up_here() -> None:
    async with (
        socks_server() as proxy,
        fault_server(ANSWER) as server,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        url = f"http://localhost:{server.port}/v1"
        endpoint = endpoint_at(url, proxy=office(proxy.port, scheme="socks5"))
        assert isinstance(await ask(test, endpoint), RunCompleted)
        assert proxy.targets == [("127.0.0.1", server.port)]
    async with socks_server() as proxy, EngineUnderTest(AiohttpTransport()) as test:
        endpoint = endpoint_at("http://api.invalid/v1", proxy=office(proxy.port, scheme="socks5"))
        end = await ask(test, endpoint)
        assert error_of(end).kind == "dns"
        assert "cannot resolve api.invalid" in describe(end).words
        assert proxy.connections == 0


async def test_a_password_is_sent() -> None:
    async with (
        socks_server(SocksScript(method=PASSWORD)) as proxy,
        fault_server(ANSWER) as server,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        endpoint = endpoint_at(server.base_url, proxy=office(proxy.port, login=("me", "p@ss")))
        assert isinstance(await ask(test, endpoint), RunCompleted)
        assert proxy.logins == [("me", "p@ss")]


async def test_tls_reaches_the_endpoint_through_the_proxy(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = server_context(authority.issue_cert("api.invalid"))
    tls = Tls(ca_file=trust(authority, tmp_path))
    async with (
        socks_server() as proxy,
        tls_server(context) as server,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        url = f"https://api.invalid:{server.port}/v1"
        endpoint = endpoint_at(url, proxy=office(proxy.port), tls=tls)
        assert isinstance(await ask(test, endpoint), RunCompleted)
        assert kept_text(test) == "tok1 "


async def test_a_bad_certificate_behind_the_proxy_is_the_endpoints() -> None:
    context = server_context(trustme.CA().issue_cert("api.invalid"))
    async with (
        socks_server() as proxy,
        tls_server(context) as server,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        url = f"https://api.invalid:{server.port}/v1"
        end = await ask(test, endpoint_at(url, proxy=office(proxy.port), retries=2))
        assert error_of(end).kind == "tls"
        assert f"the certificate of api.invalid:{server.port}" in describe(end).words
        assert "tls.ca_file" in describe(end).words
        assert server.hits == 0


REPLIES = [SocksScript(reply=code) for code in (1, 2, 3, 4, 5)]
FAULTS = [
    ("wrong password", SocksScript(method=PASSWORD, login_status=1), "proxy-auth", False),
    ("no method", SocksScript(method=NONE_ACCEPTABLE), "proxy-auth", False),
    ("reply 1", REPLIES[0], "proxy", True),
    ("reply 2", REPLIES[1], "proxy", False),
    ("reply 3", REPLIES[2], "proxy", True),
    ("reply 4", REPLIES[3], "proxy", True),
    ("reply 5", REPLIES[4], "proxy", False),
    ("unknown reply", SocksScript(reply=99), "proxy", False),
    ("drop", SocksScript(stops_after="greeting"), "proxy", True),
    ("no SOCKS", SocksScript(says=b"HTTP/1.1 400 Bad Request\r\n\r\n"), "proxy", False),
]


@pytest.mark.parametrize(
    ("script", "kind", "retryable"), [pytest.param(*row[1:], id=row[0]) for row in FAULTS]
)
async def test_a_fault_of_the_proxy_names_it(
    script: SocksScript, kind: str, *, retryable: bool
) -> None:
    error, _ = await failure(script)
    assert (error.kind, error.retryable) == (kind, retryable)


async def test_a_silent_proxy_is_left_after_the_connect_limit() -> None:
    error, words = await failure(SocksScript(silent=True), timeouts=timeouts(0.2))
    assert error.kind == "timeout-connect"
    assert "in the SOCKS handshake within 0.2 s" in words


async def test_each_fault_has_words_of_its_own() -> None:
    told = [(await failure(script))[1] for name, script, *_ in FAULTS if name != "unknown reply"]
    told.append((await failure(SocksScript(silent=True), timeouts=timeouts(0.2)))[1])
    assert len(set(told)) == len(told)


async def test_a_proxy_that_wants_a_password_which_nobody_gave() -> None:
    async with (
        socks_server(SocksScript(method=NONE_ACCEPTABLE)) as proxy,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        end = await ask(test, endpoint_at("http://api.invalid/v1", proxy=office(proxy.port)))
        assert error_of(end).kind == "proxy-auth"
        assert "wants a username and a password" in describe(end).words


@pytest.mark.parametrize("after", ["greeting", "login", "request"])
async def test_a_proxy_that_hangs_up_in_the_handshake(after: str) -> None:
    error, words = await failure(SocksScript(method=PASSWORD, stops_after=after))
    assert error.kind == "proxy"
    assert "hung up in the SOCKS handshake" in words


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_promises_too_much_is_doubted_and_not_the_scheme(scheme: str) -> None:
    """pproxy says that it has reached an endpoint before it tries."""
    error, words = await failure(
        SocksScript(stops_after="reply"), base_url=f"{scheme}://127.0.0.1:9/v1"
    )
    assert error.kind == "connection-lost"
    assert "127.0.0.1:PORT (via proxy office (127.0.0.1:PORT)) closed the connection" in words
    assert "Try again; the proxy may not reach it, or the scheme of base_url is wrong." in words


async def test_a_proxy_that_is_not_there_is_named() -> None:
    async with fault_server([]) as gone:
        port = gone.port
    async with EngineUnderTest(AiohttpTransport()) as test:
        end = await ask(test, endpoint_at("http://api.invalid/v1", proxy=office(port)))
        assert error_of(end).kind == "proxy"
        words = describe(end).words
        assert f"cannot reach proxy office (127.0.0.1:{port}): connection refused" in words


async def test_a_proxy_whose_name_does_not_resolve_is_named() -> None:
    proxy = Proxy("office", "socks5h://nowhere.invalid:1080")
    async with EngineUnderTest(AiohttpTransport()) as test:
        end = await ask(test, endpoint_at("https://api.invalid/v1", proxy=proxy))
        assert error_of(end).kind == "proxy"
        assert "cannot resolve proxy office (nowhere.invalid:1080)" in describe(end).words


async def test_a_connection_lost_behind_the_proxy_names_it_and_keeps_the_text() -> None:
    steps: list[Any] = [["head"], ["chunk", TOKEN], ["sleep", 0.1], ["rst"]]
    async with (
        socks_server() as proxy,
        fault_server(steps) as server,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        end = await ask(test, endpoint_at(server.base_url, proxy=office(proxy.port)))
        assert error_of(end).kind == "connection-lost"
        assert "via proxy office" in error_of(end).message
        assert kept_text(test) == "tok1 "


@pytest.mark.parametrize("status", ["401 Unauthorized", "407 Proxy Authentication Required"])
async def test_what_is_answered_behind_the_proxy_is_the_endpoints(status: str) -> None:
    answer = f"HTTP/1.1 {status}\r\nServer: squid\r\nContent-Length: 0\r\n\r\n"
    async with (
        socks_server() as proxy,
        fault_server([["send", answer]]) as server,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        end = await ask(test, endpoint_at(server.base_url, proxy=office(proxy.port)))
        assert "proxy office" not in describe(end).words


async def test_a_real_program_with_a_password_passes_each_token_on() -> None:
    """The next token leaves only when the one before it has arrived."""
    gate = asyncio.Semaphore(0)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        for _ in range(20):
            writer.write(TOKEN.encode())
            await gate.acquire()
        writer.write(END.encode())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    async with (
        server,
        pproxy_program("me:right") as port,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        proxy = office(port, login=("me", "right"))
        asking = asyncio.gather(ask(test, endpoint_at(url, proxy=proxy, timeouts=timeouts(5))))
        for count in range(1, 21):
            await test.listener.until(lambda event: isinstance(event.body, Chunk), count)
            gate.release()
        [end] = await asking
        assert isinstance(end, RunCompleted)
        assert kept_text(test) == "tok1 " * 20


async def test_a_real_program_refuses_a_wrong_password() -> None:
    async with (
        pproxy_program("me:right") as port,
        fault_server(ANSWER) as server,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        endpoint = endpoint_at(server.base_url, proxy=office(port, login=("me", "wrong-pw")))
        end = await ask(test, endpoint)
        assert error_of(end).kind in {"proxy-auth", "proxy"}
        assert f"proxy office (127.0.0.1:{port})" in describe(end).words
        assert "wrong-pw" not in repr(test.listener.events)
        assert server.hits == 0


def test_the_parts_of_aiohttp_and_its_socks_library_that_are_not_promised() -> None:
    """They are overridden or relied on, and no documentation speaks of them."""
    connect = inspect.signature(aiohttp_socks.ProxyConnector._connect_via_proxy)
    assert list(connect.parameters) == ["self", "host", "port", "ssl", "timeout"]
    ours = inspect.signature(SocksConnector._connect_via_proxy)
    assert list(ours.parameters) == list(connect.parameters)
    wrap = inspect.signature(aiohttp.TCPConnector._wrap_create_connection)
    assert {"addr_infos", "req", "timeout"} <= set(wrap.parameters)
    context = inspect.signature(aiohttp.TCPConnector._get_ssl_context)
    assert list(context.parameters) == ["self", "req"]


async def test_the_options_of_a_socks_proxy_reach_the_library() -> None:
    tuned: list[object] = []
    proxy = Proxy("office", "socks5://host:1080", "me", Secret("pw"))
    connector = SocksConnector(proxy, tuned.append, ssl=ssl.create_default_context())
    assert connector._rdns is False
    assert (connector._proxy_host, connector._proxy_port) == ("host", 1080)
    assert (connector._proxy_username, connector._proxy_password) == ("me", "pw")
    await connector.close()
