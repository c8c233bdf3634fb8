"""Tests of endpoints: which stages a way has, how long each takes, and where it ends."""

import asyncio
import contextlib
import datetime as dt
import inspect
import itertools
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
import trustme
from python_socks.async_.asyncio.v2 import Proxy as Handshake
from python_socks.async_.asyncio.v2._connect import connect_tcp

from streamtui.config import EMBEDDED_DEMO_URL, Endpoint, Proxy, Timeouts, Tls
from streamtui.demo.server import DemoServer
from streamtui.engine import probe
from streamtui.engine.doors import ListModels, Probe
from streamtui.engine.reports import Answer, ModelList, ProbeReport, Stage
from streamtui.engine.stages import Stages
from streamtui.redact import Secret
from tests.certificates import self_signed, server_context, tls_server, trust
from tests.engine import test_proxies as http_proxies
from tests.engine import test_socks as socks_proxies
from tests.engine.test_proxies import proxy_py, secure_proxy
from tests.engine.test_socks import pproxy_program
from tests.faultserver import ANSWER, fault_server
from tests.loopback import LoopbackServer, listening
from tests.scripted import EngineUnderTest
from tests.socksserver import PASSWORD, SocksScript, socks_server

LIMITS = Timeouts(connect=5, first_token=5, idle=5)
SLOW = 0.3
"""Seconds that a stage is held up, where it is told apart from others by its time."""

NOT_REACHED = ""
HTTP = "http://"


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def demo() -> AsyncIterator[DemoServer]:
    server = DemoServer(pace=0.01)
    await server.start()
    yield server
    await server.aclose()


def endpoint_at(base_url: str, **settings: Any) -> Endpoint:
    endpoint = Endpoint("mirror", "openai-chat", base_url, "demo/verse", timeouts=LIMITS)
    return msgspec.structs.replace(endpoint, **settings)


async def report_of(base_url: str, **settings: Any) -> ProbeReport:
    """How a test of an endpoint there goes; what holds for every report is looked at."""
    async with EngineUnderTest() as test:
        report = await test.ask(Probe(endpoint_at(base_url, **settings)))
        assert test.listener.events == []
    assert isinstance(report, ProbeReport)
    names = ["dns", "tcp", "proxy", "tls", "first byte", "first token"]
    assert [stage.name for stage in report.stages] == names
    assert sum(stage.seconds or 0 for stage in report.stages) <= report.seconds
    assert all(stage.seconds is None or stage.seconds >= 0 for stage in report.stages)
    return report


def timed(report: ProbeReport) -> list[str]:
    """The stages that were gone through."""
    return [stage.name for stage in report.stages if stage.seconds is not None]


def words_of(report: ProbeReport) -> dict[str, str]:
    return {stage.name: stage.words for stage in report.stages}


def slowest(report: ProbeReport) -> str:
    return max(report.stages, key=lambda stage: stage.seconds or 0).name


def failure(report: ProbeReport) -> tuple[str | None, str]:
    """At which stage the way ended, and how; no later stage was timed."""
    assert report.error is not None
    assert report.reply == ""
    places = [stage.name for stage in report.stages]
    if report.failed is not None:
        after = report.stages[places.index(report.failed) :]
        assert all(stage.seconds is None for stage in after)
    return report.failed, report.error.kind


async def dead_port() -> int:
    """A port on which nobody listens."""
    async with fault_server([]) as gone:
        return gone.port


# Which stages a way has


async def test_a_direct_way_over_http(demo: DemoServer) -> None:
    report = await report_of(demo.base_url)
    assert (report.endpoint, report.model, report.dialect) == (
        "mirror",
        "demo/verse",
        "openai-chat",
    )
    assert (report.route, report.error, report.failed) == ("direct", None, None)
    assert timed(report) == ["tcp", "first byte", "first token"]
    assert words_of(report) == {
        "dns": "not needed",
        "tcp": demo.root_url.removeprefix(HTTP),
        "proxy": "not needed",
        "tls": "not needed",
        "first byte": f"HTTP 200, request {demo.requests[0].request_id}",
        "first token": f"“{report.reply}”",
    }
    assert report.reply


async def test_a_name_is_looked_up(demo: DemoServer) -> None:
    port = demo.root_url.rpartition(":")[2]
    report = await report_of(f"http://localhost:{port}/v1")
    assert timed(report) == ["dns", "tcp", "first byte", "first token"]
    assert words_of(report)["dns"] == "localhost → 127.0.0.1"
    assert words_of(report)["tcp"] == f"127.0.0.1:{port}"


async def test_a_direct_way_over_https(authority: trustme.CA, tmp_path: Path) -> None:
    in_ten_days = dt.datetime.now(dt.UTC) + dt.timedelta(days=10, hours=1)
    leaf = authority.issue_cert("127.0.0.1", common_name="mirror", not_after=in_ten_days)
    context = server_context(leaf)
    context.set_alpn_protocols(["http/1.1"])
    async with tls_server(context) as server:
        url, tls = f"https://127.0.0.1:{server.port}/v1", Tls(ca_file=trust(authority, tmp_path))
        report = await report_of(url, tls=tls)
    assert timed(report) == ["tcp", "tls", "first byte", "first token"]
    version, cipher, owner, issuer, left, alpn = words_of(report)["tls"].split(", ")
    assert version == "TLSv1.3"
    assert cipher.startswith("TLS_")
    assert (owner, left, alpn) == ("mirror", "10 days left", "ALPN http/1.1")
    assert issuer.startswith("issued by ")
    assert words_of(report)["first byte"] == "HTTP 200"


async def test_a_certificate_that_nobody_checked_is_called_so(tmp_path: Path) -> None:
    async with tls_server(self_signed(tmp_path)) as server:
        report = await report_of(f"https://127.0.0.1:{server.port}/v1", tls=Tls(verify=False))
    assert report.error is None
    assert words_of(report)["tls"].endswith("certificate not verified")


async def test_a_certificate_without_a_common_name_goes_by_the_host_it_is_for(
    authority: trustme.CA, tmp_path: Path
) -> None:
    async with tls_server(server_context(authority.issue_cert("localhost"))) as server:
        tls = Tls(ca_file=trust(authority, tmp_path))
        report = await report_of(f"https://localhost:{server.port}/v1", tls=tls)
    assert timed(report) == ["dns", "tcp", "tls", "first byte", "first token"]
    assert ", localhost, issued by trustme" in words_of(report)["tls"]


async def test_an_http_proxy_gets_requests_over_http_itself(demo: DemoServer) -> None:
    async with proxy_py("me:right") as port:
        report = await report_of(demo.base_url, proxy=http_proxies.office(port))
    assert report.route == f"via proxy office (127.0.0.1:{port})"
    assert timed(report) == ["tcp", "first byte", "first token"]
    words = words_of(report)
    assert words["tcp"] == f"127.0.0.1:{port}"
    assert words["proxy"] == (
        f"no handshake: tcp goes to 127.0.0.1:{port}, and so does the request"
    )
    assert demo.requests[0].headers["Via"].startswith("1.1 proxy.py")


async def test_an_http_proxy_makes_a_tunnel_for_https(
    authority: trustme.CA, tmp_path: Path
) -> None:
    async with (
        proxy_py("me:right") as port,
        tls_server(server_context(authority.issue_cert("localhost"))) as server,
    ):
        report = await report_of(
            f"https://localhost:{server.port}/v1",
            proxy=http_proxies.office(port),
            tls=Tls(ca_file=trust(authority, tmp_path)),
        )
        assert b"Proxy-Authorization" not in server.requests[0]
    assert report.error is None
    assert timed(report) == ["tcp", "proxy", "tls", "first byte", "first token"]
    words = words_of(report)
    assert words["dns"] == "looked up by the proxy"
    assert words["proxy"] == f"CONNECT, 127.0.0.1:{port}"
    assert ", localhost, issued by trustme" in words["tls"]


@pytest.mark.parametrize("target", ["http", "https"])
async def test_tls_to_a_proxy_is_part_of_the_proxys_stage(
    authority: trustme.CA, tmp_path: Path, demo: DemoServer, target: str
) -> None:
    async with (
        secure_proxy(authority, tmp_path) as port,
        tls_server(server_context(authority.issue_cert("127.0.0.1"))) as server,
    ):
        url = demo.base_url if target == "http" else f"https://127.0.0.1:{server.port}/v1"
        proxy = http_proxies.office(port, scheme="https")
        report = await report_of(url, proxy=proxy, tls=Tls(ca_file=trust(authority, tmp_path)))
    assert report.error is None
    words = words_of(report)
    if target == "http":
        assert timed(report) == ["tcp", "proxy", "first byte", "first token"]
        assert words["proxy"] == f"TLS to the proxy (TLSv1.3), 127.0.0.1:{port}"
        assert words["tls"] == "not needed"
    else:
        assert timed(report) == ["tcp", "proxy", "tls", "first byte", "first token"]
        assert words["proxy"] == f"TLS to the proxy (TLSv1.3), CONNECT, 127.0.0.1:{port}"
        assert words["tls"].startswith("TLSv1.3, ")


@pytest.mark.parametrize(
    ("scheme", "dns", "stages"),
    [
        ("socks5", "localhost → 127.0.0.1", ["dns", "tcp", "proxy"]),
        ("socks5h", "looked up by the proxy", ["tcp", "proxy"]),
    ],
)
async def test_a_socks_proxy_shakes_hands(
    demo: DemoServer, scheme: str, dns: str, stages: list[str]
) -> None:
    port = demo.root_url.rpartition(":")[2]
    async with socks_server(SocksScript(method=PASSWORD)) as proxy:
        office = socks_proxies.office(proxy.port, scheme=scheme, login=("me", "p@ss"))
        report = await report_of(f"http://localhost:{port}/v1", proxy=office)
        assert proxy.logins == [("me", "p@ss")]
        assert proxy.connections == 1
    assert timed(report) == [*stages, "first byte", "first token"]
    words = words_of(report)
    assert words["dns"] == dns
    assert words["tcp"] == f"127.0.0.1:{proxy.port}"
    assert words["proxy"] == f"SOCKS5, 127.0.0.1:{proxy.port}"
    assert "p@ss" not in repr(report)


async def test_tls_begins_behind_the_socks_proxy(authority: trustme.CA, tmp_path: Path) -> None:
    async with (
        socks_server() as proxy,
        tls_server(server_context(authority.issue_cert("api.invalid"))) as server,
    ):
        report = await report_of(
            f"https://api.invalid:{server.port}/v1",
            proxy=socks_proxies.office(proxy.port),
            tls=Tls(ca_file=trust(authority, tmp_path)),
        )
    assert timed(report) == ["tcp", "proxy", "tls", "first byte", "first token"]
    assert ", api.invalid, issued by trustme" in words_of(report)["tls"]


async def test_both_names_are_looked_up_for_socks5(demo: DemoServer) -> None:
    port = demo.root_url.rpartition(":")[2]
    async with socks_server() as proxy:
        office = Proxy("office", f"socks5://localhost:{proxy.port}", loopback=True)
        report = await report_of(f"http://localhost:{port}/v1", proxy=office)
    assert words_of(report)["dns"] == "localhost → 127.0.0.1; localhost → 127.0.0.1"


async def test_a_real_socks_program_with_a_password(demo: DemoServer) -> None:
    async with pproxy_program("me:right") as port:
        office = socks_proxies.office(port, login=("me", "right"))
        report = await report_of(demo.base_url, proxy=office)
    assert timed(report) == ["tcp", "proxy", "first byte", "first token"]


async def test_an_exception_from_the_proxy_makes_the_way_direct(demo: DemoServer) -> None:
    report = await report_of(demo.base_url, proxy=Proxy("office", "http://127.0.0.1:1"))
    assert (report.route, report.error) == ("direct", None)
    assert words_of(report)["proxy"] == "not needed"


async def test_the_embedded_demo_is_started_and_tested(demo: DemoServer) -> None:
    started: list[str] = []

    async def start() -> DemoServer:
        started.append("once")
        return demo

    async with EngineUnderTest() as test:
        test.engine._demo._start = start
        report = await test.ask(Probe(endpoint_at(EMBEDDED_DEMO_URL)))
        models = await test.ask(ListModels(endpoint_at(EMBEDDED_DEMO_URL)))
    assert isinstance(report, ProbeReport)
    assert (report.error, report.route) == (None, "direct")
    assert isinstance(models, ModelList)
    assert "demo/verse" in models.models
    assert started == ["once"]


# What is asked


async def test_the_question_is_short_and_left_at_the_first_token(demo: DemoServer) -> None:
    report = await report_of(demo.base_url, params={"temperature": 0.5}, model="demo/stall")
    assert report.error is None
    [asked] = demo.requests
    assert isinstance(asked.body, dict)
    assert asked.body["messages"] == [{"role": "user", "content": "Say OK."}]
    assert asked.body["temperature"] == 0.5
    assert "max_tokens" not in asked.body
    await asyncio.wait_for(asked.closed.wait(), 5)
    assert asked.outcome == "disconnected"


async def test_each_test_makes_a_connection_of_its_own() -> None:
    async with fault_server(ANSWER, keepalive=True) as server, EngineUnderTest() as test:
        for _ in range(3):
            await test.ask(Probe(endpoint_at(server.base_url)))
        assert server.connections == 3


async def test_several_tests_at_once_keep_their_times_apart(demo: DemoServer) -> None:
    async with fault_server([["sleep", SLOW], *ANSWER]) as slow, EngineUnderTest() as test:
        urls = [slow.base_url, demo.base_url] * 5
        reports = await asyncio.gather(*(test.ask(Probe(endpoint_at(url))) for url in urls))
    for url, report in zip(urls, reports, strict=True):
        assert isinstance(report, ProbeReport)
        assert ((report.stages[4].seconds or 0) >= SLOW) == (url == slow.base_url)


@pytest.mark.parametrize("dialect", ["anthropic", "gemini", "ollama", "openai-responses"])
async def test_every_dialect_can_be_tested(demo: DemoServer, dialect: str) -> None:
    url = demo.base_url if dialect == "openai-responses" else demo.root_url
    report = await report_of(url, dialect=dialect)
    assert (report.error, report.dialect) == (None, dialect)
    assert report.reply


@pytest.mark.parametrize(
    ("delta", "words", "reply"),
    [
        ({"reasoning_content": "Hm"}, "reasoning: “Hm”", ""),
        ({"refusal": "No."}, "a refusal: “No.”", "No."),
        (
            {"tool_calls": [{"index": 0, "id": "1", "function": {"name": "clock"}}]},
            "a call of the tool clock",
            "",
        ),
        ({"content": "x" * 300}, f"“{'x' * 39}…”", "x" * 200),
    ],
)
async def test_the_first_token_need_not_be_text(
    delta: dict[str, Any], words: str, reply: str
) -> None:
    chunk = msgspec.json.encode({"choices": [{"index": 0, "delta": delta}]}).decode()
    steps = [["head"], ["chunk", f"data: {chunk}\n\n"], ["stall"]]
    async with fault_server(steps) as server:
        report = await report_of(server.base_url)
    assert (words_of(report)["first token"], report.reply) == (words, reply)


async def test_an_answer_without_a_word_is_no_failure() -> None:
    end = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}\n\n'
    steps = [["head"], ["chunk", f"{end}data: [DONE]\n\n"], ["send", "0\r\n\r\n"]]
    async with fault_server(steps) as server:
        report = await report_of(server.base_url)
    assert (report.error, report.failed) == (None, None)
    assert report.stages[-1] == Stage("first token", None, "nothing was said (length)")


async def test_a_stream_for_all_who_listen_may_be_silent() -> None:
    limits = Timeouts(connect=5, first_token=0.3, idle=5)
    steps = [
        ["send", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"],
        ["repeat", -1, [["send", ": here\n\n"], ["sleep", 0.05]]],
    ]
    params = {"http_method": "GET"}
    async with fault_server(steps) as server:
        report = await report_of(server.base_url, dialect="sse", params=params, timeouts=limits)
    assert report.error is None
    assert report.stages[-1] == Stage("first token", None, "nothing was said")


# Which stage takes its time


async def test_a_slow_head_is_the_first_byte() -> None:
    async with fault_server([["sleep", SLOW], *ANSWER]) as server:
        report = await report_of(server.base_url)
    assert slowest(report) == "first byte"
    assert (report.stages[4].seconds or 0) >= SLOW


async def test_a_slow_model_is_the_first_token() -> None:
    steps = [["head"], ["chunk", ": wait\n\n"], ["sleep", SLOW], *ANSWER[1:]]
    async with fault_server(steps) as server:
        report = await report_of(server.base_url)
    assert slowest(report) == "first token"


class SlowProxy(LoopbackServer):
    """Waits before it opens a tunnel, to this port of this machine whatever it was asked."""

    def __init__(self, beyond: int) -> None:
        super().__init__()
        self._beyond = beyond

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(SLOW)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        there, back = await asyncio.open_connection("127.0.0.1", self._beyond)
        with contextlib.closing(back):
            async with asyncio.TaskGroup() as group:
                group.create_task(_pump(reader, back))
                group.create_task(_pump(there, writer))


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.close()


async def test_a_slow_handshake_is_tls_and_not_tcp(authority: trustme.CA, tmp_path: Path) -> None:
    context = server_context(authority.issue_cert("127.0.0.1"))
    # Called in the middle of the server's handshake, which its client waits for.
    context.sni_callback = lambda *_: time.sleep(SLOW)
    async with tls_server(context) as server:
        url, tls = f"https://127.0.0.1:{server.port}/v1", Tls(ca_file=trust(authority, tmp_path))
        report = await report_of(url, tls=tls)
    assert report.error is None
    assert slowest(report) == "tls"


async def test_a_slow_tunnel_is_the_proxy_and_not_tls(
    authority: trustme.CA, tmp_path: Path
) -> None:
    tls = Tls(ca_file=trust(authority, tmp_path))
    async with (
        tls_server(server_context(authority.issue_cert("127.0.0.1"))) as server,
        listening(SlowProxy(server.port)) as door,
    ):
        proxy = Proxy("office", f"http://127.0.0.1:{door.port}", loopback=True)
        report = await report_of(f"https://127.0.0.1:{server.port}/v1", proxy=proxy, tls=tls)
    assert report.error is None
    assert slowest(report) == "proxy"


# Where it ends


async def test_a_port_without_a_server_ends_at_tcp() -> None:
    report = await report_of(f"http://127.0.0.1:{await dead_port()}/v1")
    assert failure(report) == ("tcp", "connect")
    assert report.error is not None
    assert report.error.hint == "Start the server, or check base_url"
    assert words_of(report)["tls"] == "not needed"
    assert words_of(report)["first byte"] == NOT_REACHED


async def test_an_unknown_host_ends_at_dns() -> None:
    report = await report_of("https://nowhere.invalid/v1")
    assert failure(report) == ("dns", "dns")
    assert report.error is not None
    assert "nowhere.invalid" in report.error.message


async def test_an_unknown_proxy_ends_at_dns_and_is_named() -> None:
    proxy = Proxy("office", "http://nowhere.invalid:3128")
    report = await report_of("https://api.invalid/v1", proxy=proxy)
    assert failure(report) == ("dns", "proxy")
    assert report.error is not None
    assert "cannot resolve proxy office (nowhere.invalid:3128)" in report.error.message


@pytest.mark.parametrize("scheme", ["http", "https", "socks5", "socks5h"])
async def test_a_proxy_that_is_not_there_ends_at_tcp(scheme: str) -> None:
    proxy = Proxy("office", f"{scheme}://127.0.0.1:{await dead_port()}", loopback=True)
    report = await report_of("https://127.0.0.1:1/v1", proxy=proxy)
    assert failure(report) == ("tcp", "proxy")


async def test_a_refused_tunnel_ends_at_the_proxy() -> None:
    async with proxy_py("me:right") as port:
        proxy = http_proxies.office(port, "wrong-pw")
        report = await report_of("https://127.0.0.1:1/v1", proxy=proxy)
    assert failure(report) == ("proxy", "proxy-auth")
    assert timed(report) == ["tcp"]
    assert "wrong-pw" not in repr(report)


async def test_a_request_that_the_proxy_refuses_ends_after_its_answer(demo: DemoServer) -> None:
    async with proxy_py("me:right") as port:
        report = await report_of(demo.base_url, proxy=http_proxies.office(port, "wrong-pw"))
    assert failure(report) == ("first token", "proxy-auth")
    assert words_of(report)["first byte"] == "HTTP 407"
    assert demo.requests == []


async def test_a_wrong_password_ends_in_the_socks_handshake() -> None:
    async with socks_server(SocksScript(method=PASSWORD, login_status=1)) as proxy:
        office = socks_proxies.office(proxy.port, login=("me", "wrong-pw"))
        report = await report_of("http://127.0.0.1:1/v1", proxy=office)
    assert failure(report) == ("proxy", "proxy-auth")
    assert timed(report) == ["tcp"]
    assert "wrong-pw" not in repr(report)


async def test_a_socks_proxy_that_cannot_go_on_ends_at_the_proxy() -> None:
    async with socks_server(SocksScript(reply=5)) as proxy:
        report = await report_of("http://10.0.0.1/v1", proxy=socks_proxies.office(proxy.port))
    assert failure(report) == ("proxy", "proxy")


async def test_a_certificate_that_signed_itself_ends_at_tls(tmp_path: Path) -> None:
    async with tls_server(self_signed(tmp_path)) as server:
        report = await report_of(f"https://127.0.0.1:{server.port}/v1")
        assert server.hits == 0
    assert failure(report) == ("tls", "tls")
    assert report.error is not None
    assert "signed by nobody but itself" in report.error.message


@pytest.mark.parametrize("way", ["http", "socks5h"])
async def test_a_bad_certificate_behind_a_proxy_ends_at_tls(way: str, tmp_path: Path) -> None:
    async with (
        tls_server(self_signed(tmp_path)) as server,
        listening(SlowProxy(server.port)) as door,
        socks_server() as socks,
    ):
        port = door.port if way == "http" else socks.port
        proxy = Proxy("office", f"{way}://127.0.0.1:{port}", loopback=True)
        report = await report_of(f"https://127.0.0.1:{server.port}/v1", proxy=proxy)
    assert failure(report) == ("tls", "tls")
    assert timed(report) == ["tcp", "proxy"]


async def test_a_bad_certificate_of_a_proxy_ends_at_the_proxy(tmp_path: Path) -> None:
    async with secure_proxy(trustme.CA(), tmp_path) as port:
        proxy = http_proxies.office(port, scheme="https")
        report = await report_of("https://127.0.0.1:1/v1", proxy=proxy)
    assert failure(report) == ("proxy", "tls")


async def test_a_refused_key_is_told_and_hidden() -> None:
    said = '{"error":{"message":"Incorrect API key: hunter2-hunter2"}}'
    head = f"x-request-id: req_1 of hunter2-hunter2\r\nContent-Length: {len(said)}"
    answer = f"HTTP/1.1 401 U\r\n{head}\r\n\r\n{said}"
    async with fault_server([["send", answer]]) as server:
        report = await report_of(
            server.base_url, api_key=Secret("hunter2-hunter2"), key_source="file key.txt"
        )
    assert failure(report) == ("first token", "auth")
    assert words_of(report)["first byte"] == "HTTP 401, request req_1 of ***"
    assert report.error is not None
    assert "the key from file key.txt was rejected: Incorrect API key" in report.error.message
    assert report.error.hint == "Check file key.txt"
    assert "hunter2" not in repr(report)


async def test_a_stall_after_the_head_ends_before_the_first_token() -> None:
    limits = Timeouts(connect=5, first_token=0.3, idle=5)
    async with fault_server([["head"], ["stall"]]) as server:
        report = await report_of(server.base_url, timeouts=limits)
        await asyncio.wait_for(server.left.wait(), 5)
    assert failure(report) == ("first token", "timeout-first-token")
    assert timed(report) == ["tcp", "first byte"]


async def test_a_test_waits_less_than_a_run_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "MAX_FIRST_TOKEN_SECONDS", 0.3)
    async with fault_server([["head"], ["stall"]]) as server:
        report = await report_of(server.base_url)
    assert report.error is not None
    assert "for 0.3 s" in report.error.message
    assert report.error.hint == "Try again, or ask it something: a run waits 5 s"


async def test_a_silent_port_ends_at_tls_after_the_limit_of_the_connection() -> None:
    limits = Timeouts(connect=0.3, first_token=5, idle=5)
    async with socks_server(SocksScript(silent=True)) as silent:
        report = await report_of(f"https://127.0.0.1:{silent.port}/v1", timeouts=limits)
    assert failure(report) == ("tls", "timeout-connect")


async def test_an_error_inside_the_stream_is_told() -> None:
    steps = [["head"], ["chunk", 'data: {"error":{"message":"boom","code":"server_error"}}\n\n']]
    async with fault_server(steps) as server:
        report = await report_of(server.base_url)
    assert failure(report) == ("first token", "server")


async def test_a_page_in_place_of_a_stream_is_told() -> None:
    page = "<html><title>Sign in</title></html>"
    answer = f"HTTP/1.1 200 OK\r\nContent-Length: {len(page)}\r\n\r\n{page}"
    async with fault_server([["send", answer]]) as server:
        report = await report_of(server.base_url)
    assert failure(report) == ("first token", "not-a-stream")


async def test_without_its_key_nobody_is_reached() -> None:
    async with fault_server([]) as server:
        report = await report_of(server.base_url, key_source="environment variable K")
        assert server.connections == 0
    assert failure(report) == (None, "no-key")
    assert timed(report) == []


async def test_a_file_that_is_no_authority_ends_it_before_the_first_stage(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    tls = Tls(ca_file=str(tmp_path / "ca.pem"))
    report = await report_of("https://127.0.0.1:1/v1", tls=tls)
    assert failure(report) == (None, "tls")


async def test_an_engine_that_ends_leaves_its_tests() -> None:
    answers: list[Answer] = []
    async with fault_server([["head"], ["stall"]]) as server:
        async with asyncio.timeout(LIMITS.first_token - 1), EngineUnderTest() as test:
            test.engine.answer(Probe(endpoint_at(server.base_url)), answers.append)
            await server.reached(1)
        await asyncio.wait_for(server.left.wait(), 5)
    assert answers == []


# Parts


def test_stages_add_up_where_they_are_gone_through_again() -> None:
    ticks = itertools.count()
    stages = Stages(lambda: float(next(ticks)), lambda: 0.0)
    for _ in range(2):
        stages.enter("tcp")
        stages.leave()
        stages.enter("tls")
    assert stages.stage("tcp", "") == Stage("tcp", 2.0)
    assert stages.stage("tls", "") == Stage("tls", None)
    stages.enter("tcp")
    assert stages.stage("tcp", "") == Stage("tcp", None)
    assert stages.current == "tcp"


def test_of_many_addresses_a_few_are_told() -> None:
    stages = Stages(lambda: 0.0, lambda: 0.0)
    stages.enter("dns")
    stages.leave()
    stages.looked_up("host", [f"10.0.0.{number}" for number in range(5)])
    assert stages.stage("dns", "").words == "host → 10.0.0.0, 10.0.0.1, 10.0.0.2 and 2 more"


def test_an_address_of_ipv6_stands_in_brackets() -> None:
    stages = Stages(lambda: 0.0, lambda: 0.0)
    stages.enter("tcp")
    stages.leave()
    stages.connected(("::1", 443))
    assert stages.stage("tcp", "").words == "[::1]:443"


def test_the_parts_of_aiohttp_and_python_socks_that_are_not_promised() -> None:
    """They are overridden or relied on, and no documentation speaks of them."""
    connector = aiohttp.TCPConnector
    assert inspect.iscoroutinefunction(connector._wrap_create_connection)
    assert inspect.iscoroutinefunction(connector._start_tls_connection)
    assert list(inspect.signature(connect_tcp).parameters)[:3] == ["host", "port", "loop"]
    assert "forward" in inspect.signature(Handshake).parameters


async def test_an_engine_says_that_it_has_no_answer_when_it_has_a_bug(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def broken(*_: object) -> ProbeReport:
        raise KeyError

    monkeypatch.setattr("streamtui.engine.engine.probe", broken)
    async with EngineUnderTest() as test:
        answer = await test.ask(Probe(endpoint_at("http://127.0.0.1:1")))
    assert "a bug in streamtui" in repr(answer)
