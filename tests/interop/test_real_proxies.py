"""Real proxy programs between the engine and an endpoint on loopback, over http and over https.

Those of Debian are used where they are installed; the skipped tests say how to get them.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
from msgspec.structs import replace

from streamtui.config import Endpoint, Timeouts, Tls
from streamtui.engine.transport import AiohttpTransport
from streamtui.event_words import describe
from streamtui.events import (
    RUN_ENDS,
    AttemptStarted,
    Chunk,
    ErrorInfo,
    Event,
    RunCompleted,
    RunCutOff,
)
from tests.certificates import server_context
from tests.engine.test_transport import ask, endpoint_at, error_of, kept_text
from tests.interop.mitmproxy_venv import MITMDUMP
from tests.interop.proxies import (
    DANTED,
    ENDPOINT_AUTHORITY,
    MICROSOCKS,
    PASSWORD,
    PPROXY_HTTP,
    PPROXY_SOCKS,
    PROXY_PY,
    SQUID,
    SSH,
    TINYPROXY,
    USER,
    ProxyProgram,
    RunningProxy,
    running,
)
from tests.loopback import LoopbackServer, free_port, listening
from tests.raw_http import END, LAST_CHUNK, STREAM_HEAD, chunk
from tests.scripted import EngineUnderTest

TOKENS = 20
WHOLE_TEXT = "".join(f"token{number} " for number in range(TOKENS))
WRONG_PASSWORD = "wrong-pw"
WRONG_LOGIN = base64.b64encode(f"{USER}:{WRONG_PASSWORD}".encode()).decode()
PATIENT = Timeouts(connect=10, first_token=10, idle=10)

PROGRAMS = (
    *(PROXY_PY, PPROXY_HTTP, PPROXY_SOCKS, TINYPROXY, SQUID, MICROSOCKS, DANTED, SSH),
    MITMDUMP,
)
installs_first = pytest.mark.timeout(300)
each_scheme = pytest.mark.parametrize("scheme", ["http", "https"])


def cases(programs: Iterable[ProxyProgram]) -> list[Any]:
    """The programs as parameters of tests."""
    return [
        pytest.param(program, id=program.name, marks=[installs_first] * (program is MITMDUMP))
        for program in programs
    ]


class TokenServer(LoopbackServer):
    """Answers each request with numbered tokens; waits after each of them."""

    def __init__(self, wait: Callable[[], Awaitable[object]]) -> None:
        super().__init__()
        self._wait = wait
        self.requests: list[bytes] = []

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(STREAM_HEAD)
        for number in range(TOKENS):
            choice = {"index": 0, "delta": {"content": f"token{number} "}}
            writer.write(chunk(f"data: {json.dumps({'choices': [choice]})}\n\n".encode()))
            await self._wait()
        writer.write(chunk(END.encode()) + LAST_CHUNK)
        await writer.drain()


@asynccontextmanager
async def token_server(
    scheme: str, wait: Callable[[], Awaitable[object]]
) -> AsyncIterator[tuple[TokenServer, str]]:
    """The server and its base URL."""
    context = server_context(ENDPOINT_AUTHORITY.issue_cert("127.0.0.1"))
    async with listening(TokenServer(wait), tls=context if scheme == "https" else None) as server:
        yield server, f"{scheme}://127.0.0.1:{server.port}/v1"


@pytest.fixture(scope="module", params=cases(PROGRAMS))
def program(request: pytest.FixtureRequest) -> ProxyProgram:
    program: ProxyProgram = request.param
    return program


@pytest.fixture(scope="module")
def proxy(program: ProxyProgram) -> Iterator[RunningProxy]:
    """The program, started once for all tests that leave it as it is."""
    with running(program) as proxy:
        yield proxy


@pytest.fixture
def own_proxy(program: ProxyProgram) -> Iterator[RunningProxy]:
    """The program, started for one test."""
    with running(program) as proxy:
        yield proxy


def behind(proxy: RunningProxy, base_url: str, **changes: Any) -> Endpoint:
    settings = {"proxy": proxy.login(), "tls": Tls(ca_file=proxy.ca_file), "timeouts": PATIENT}
    return endpoint_at(base_url, **(settings | changes))


def is_chunk_or_end(event: Event) -> bool:
    return isinstance(event.body, (Chunk, *RUN_ENDS))


def arrivals(events: list[Event]) -> int:
    """How often text came; one piece of the network may hold several chunks."""
    moments = [event.mono for event in events if isinstance(event.body, Chunk)]
    return 1 + sum(later - earlier > 0.02 for earlier, later in pairwise(moments))


async def failure(endpoint: Endpoint) -> tuple[ErrorInfo, str]:
    """How a run failed, and in words; the wrong password is in no event of it."""
    async with EngineUnderTest(AiohttpTransport()) as test:
        end = await ask(test, endpoint)
        events = repr(test.listener.events)
        assert WRONG_PASSWORD not in events
        assert WRONG_LOGIN not in events
        return error_of(end), describe(end).words


async def never() -> None:
    await asyncio.get_running_loop().create_future()


@asynccontextmanager
async def third_token_arrived(
    proxy: RunningProxy, scheme: str
) -> AsyncIterator[tuple[EngineUnderTest, Awaitable[Any]]]:
    """A run in which nothing comes after the third token, and its end."""
    two = asyncio.Semaphore(2)
    async with (
        token_server(scheme, two.acquire) as (_, base_url),
        EngineUnderTest(AiohttpTransport()) as test,
        asyncio.TaskGroup() as group,
    ):
        end = group.create_task(ask(test, behind(proxy, base_url)))
        await test.listener.until(
            lambda event: "token2" in repr(event.body) or isinstance(event.body, RUN_ENDS)
        )
        yield test, end


@each_scheme
async def test_the_next_token_leaves_when_the_one_before_it_has_arrived(
    proxy: RunningProxy, scheme: str
) -> None:
    arrived = asyncio.Semaphore(0)
    async with (
        token_server(scheme, arrived.acquire) as (_, base_url),
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        asking = asyncio.gather(ask(test, behind(proxy, base_url)))
        for count in range(1, TOKENS + 1):
            await test.listener.until(is_chunk_or_end, count)
            assert len(test.listener.bodies(Chunk)) == count
            arrived.release()
        [end] = await asking
        assert isinstance(end, RunCompleted)
        assert kept_text(test) == WHOLE_TEXT
        [started] = test.listener.bodies(AttemptStarted)
        assert started.route == f"via {proxy.words}"
        assert PASSWORD not in repr(test.listener.events)


async def test_ten_tokens_a_second_arrive_as_they_leave(proxy: RunningProxy) -> None:
    async with (
        token_server("http", lambda: asyncio.sleep(0.1)) as (_, base_url),
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        assert isinstance(await ask(test, behind(proxy, base_url)), RunCompleted)
        assert kept_text(test) == WHOLE_TEXT
        assert arrivals(test.listener.events) > 15


@each_scheme
async def test_a_dead_endpoint_is_told_of_the_way_to_it(proxy: RunningProxy, scheme: str) -> None:
    error, words = await failure(behind(proxy, f"{scheme}://127.0.0.1:{free_port()}/v1"))
    assert error.kind == proxy.program.dead_end
    assert proxy.words in words


@pytest.mark.parametrize("program", cases(p for p in PROGRAMS if p.refusal))
async def test_a_wrong_password_is_told_of_the_proxy(own_proxy: RunningProxy) -> None:
    """In a process that has let nobody in: after that pproxy lets in everyone from there."""
    for scheme in ("http", "https"):
        async with token_server(scheme, never) as (server, base_url):
            proxy = own_proxy.settings(WRONG_PASSWORD)
            error, words = await failure(replace(behind(own_proxy, base_url), proxy=proxy))
            assert error.kind == own_proxy.program.refusal
            assert own_proxy.words in words
            assert "username and password_env" in words
            assert server.requests == []


@pytest.mark.parametrize("program", cases(p for p in PROGRAMS if p.login_wanted))
async def test_a_missing_login_is_told_of_the_proxy(own_proxy: RunningProxy) -> None:
    for scheme in ("http", "https"):
        async with token_server(scheme, never) as (server, base_url):
            proxy = own_proxy.settings(password="")
            error, words = await failure(replace(behind(own_proxy, base_url), proxy=proxy))
            assert error.kind == own_proxy.program.refusal
            assert own_proxy.words in words
            assert server.requests == []


async def test_a_proxy_that_is_killed_is_named_and_the_text_is_kept(
    own_proxy: RunningProxy,
) -> None:
    async with (
        third_token_arrived(own_proxy, "http") as plain,
        third_token_arrived(own_proxy, "https") as secure,
    ):
        await asyncio.to_thread(own_proxy.kill)
        for test, end in (plain, secure):
            cut_off = await end
            assert isinstance(cut_off, RunCutOff)
            assert cut_off.error.kind == "connection-lost"
            assert f"via {own_proxy.words}" in describe(cut_off).words
            assert kept_text(test) == "token0 token1 token2 "


@pytest.mark.parametrize("program", cases([MITMDUMP]))
async def test_a_proxy_that_reads_what_is_in_tls_has_to_be_trusted(
    own_proxy: RunningProxy,
) -> None:
    async with token_server("https", never) as (server, base_url):
        for tls in (None, Tls(), Tls(ca_file=own_proxy.endpoint_ca_file)):
            error, words = await failure(replace(behind(own_proxy, base_url), tls=tls))
            assert error.kind == "tls"
            assert "comes from an authority that is unknown here" in words
            assert "tls.ca_file" in words
            assert server.requests == []
