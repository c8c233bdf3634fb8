import asyncio
import json
import socket
import sys
import time
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from streamtui.demo.dialect import Dialect
from streamtui.demo.openai_chat import OpenAIChat
from streamtui.demo.openai_completions import OpenAICompletions
from streamtui.demo.scripts import MODELS, Said, write_script
from streamtui.demo.server import GREETING, DemoServer

from .asking import (
    DIALECTS,
    PATHS,
    DialectName,
    ask,
    events_in,
    exchange,
    finish_reasons,
    http_request,
    pieces,
    request_body,
    stream,
)

READERS: dict[DialectName, Dialect] = {"chat": OpenAIChat(), "completions": OpenAICompletions()}
STEADY_MODELS = sorted(set(MODELS) - {"demo/flaky", "demo/drop", "demo/stall", "demo/error"})
IN_EACH_DIALECT = pytest.mark.parametrize("dialect", DIALECTS)


async def first_piece(response: aiohttp.ClientResponse) -> None:
    assert await response.content.readany()


async def ended(server: DemoServer) -> None:
    """Once the server knows how the newest request ended."""
    async with asyncio.timeout(5):
        await server.requests[-1].closed.wait()


@IN_EACH_DIALECT
@pytest.mark.parametrize("model", STEADY_MODELS)
async def test_steady_models_say_what_their_scripts_say(
    http: aiohttp.ClientSession, server: DemoServer, model: str, dialect: DialectName
) -> None:
    body = request_body(dialect, model)
    script = write_script(READERS[dialect].read(body))
    said = [step.text for step in script.steps() if isinstance(step, Said)]
    events = await stream(http, server, body)
    assert pieces(events) == said
    assert finish_reasons(events) == [script.ending.value]
    assert server.requests[-1].outcome == "complete"


@IN_EACH_DIALECT
async def test_the_same_request_gets_the_same_chunks(
    http: aiohttp.ClientSession, server: DemoServer, dialect: DialectName
) -> None:
    body = request_body(dialect, "demo/markdown")
    first, second = [pieces(await stream(http, server, body)) for _ in range(2)]
    assert first == second


@IN_EACH_DIALECT
async def test_streams_have_the_headers_of_streams(
    http: aiohttp.ClientSession, server: DemoServer, dialect: DialectName
) -> None:
    async with ask(http, server, request_body(dialect, "demo/verse")) as response:
        assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert response.headers["Cache-Control"] == "no-cache"
        assert response.headers["x-request-id"] == server.requests[-1].request_id
        assert not [name for name in response.headers if name.startswith("Access-Control")]


@IN_EACH_DIALECT
async def test_drop_cuts_the_connection_in_the_middle(
    server: DemoServer, dialect: DialectName
) -> None:
    received = await exchange(server, http_request(request_body(dialect, "demo/drop")))
    assert b"Scri" in received
    assert b"[DONE]" not in received
    assert not received.endswith(b"0\r\n\r\n")
    assert server.requests[-1].outcome == "dropped"


@IN_EACH_DIALECT
async def test_a_client_notices_a_drop(
    http: aiohttp.ClientSession, server: DemoServer, dialect: DialectName
) -> None:
    async with ask(http, server, request_body(dialect, "demo/drop")) as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_drop_without_a_stream_answers_nothing(server: DemoServer) -> None:
    body = request_body("chat", "demo/drop", stream=False)
    assert await exchange(server, http_request(body)) == b""


@IN_EACH_DIALECT
async def test_stall_stays_silent_until_the_client_leaves(
    http: aiohttp.ClientSession, server: DemoServer, dialect: DialectName
) -> None:
    asked_at = time.monotonic()
    async with ask(http, server, request_body(dialect, "demo/stall")) as response:
        received = b""
        while len(pieces(events_in(received))) < 12:
            received += await response.content.readany()
        assert server.requests[-1].outcome == "open"
    await ended(server)
    record = server.requests[-1]
    assert record.outcome == "disconnected"
    assert record.disconnected_at is not None
    assert asked_at < record.disconnected_at <= time.monotonic()


@IN_EACH_DIALECT
async def test_error_puts_an_error_object_into_the_good_stream(
    http: aiohttp.ClientSession, server: DemoServer, dialect: DialectName
) -> None:
    events = await stream(http, server, request_body(dialect, "demo/error"))
    *chunks, failure = events
    assert len(pieces(chunks)) > 10
    assert finish_reasons(chunks) == []
    assert failure["error"]["message"].startswith("The demo model failed on purpose")
    assert failure["error"]["type"] == "server_error"
    assert failure["error"]["param"] is failure["error"]["code"] is None


async def test_error_without_a_stream_is_a_status(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    async with ask(http, server, request_body("chat", "demo/error", stream=False)) as response:
        assert response.status == 500
        assert (await response.json())["error"]["type"] == "server_error"


@IN_EACH_DIALECT
async def test_flaky_refuses_each_question_once(
    http: aiohttp.ClientSession, server: DemoServer, dialect: DialectName
) -> None:
    body = request_body(dialect, "demo/flaky")
    async with ask(http, server, body) as response:
        assert response.status == 429
        assert response.headers["Retry-After"] == "3"
        assert (await response.json())["error"]["code"] == "rate_limit_exceeded"
    assert finish_reasons(await stream(http, server, body)) == ["stop"]
    async with ask(http, server, body | request_body(dialect, "demo/flaky", "Else?")) as response:
        assert response.status == 429
    assert [record.outcome for record in server.requests] == ["refused", "complete", "refused"]


async def test_flaky_tells_panes_with_the_same_question_apart(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    async def status(key: str) -> int:
        body = request_body("chat", "demo/flaky")
        async with ask(http, server, body, {"Idempotency-Key": key}) as response:
            return response.status

    assert [await status(key) for key in ("a", "b", "a", "b")] == [429, 429, 200, 200]


async def test_a_client_that_leaves_is_noticed_at_once(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    body = request_body("chat", "demo/slow", demo={"rate": 0.001, "delay": 0})
    async with ask(http, server, body) as response:
        await first_piece(response)
        left_at = time.monotonic()
    await ended(server)
    disconnected_at = server.requests[-1].disconnected_at
    assert disconnected_at is not None
    assert disconnected_at - left_at < 1


async def test_a_client_that_does_not_read_and_leaves_is_noticed(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    body = request_body("chat", "demo/fast", demo={"tokens": 1_000_000})
    async with ask(http, server, body) as response:
        await first_piece(response)
    await ended(server)
    assert server.requests[-1].outcome == "disconnected"


async def test_what_was_asked_is_on_record(http: aiohttp.ClientSession, server: DemoServer) -> None:
    body = request_body("completions", "demo/verse")
    await stream(http, server, body)
    async with ask(http, server, body, {"Authorization": "Bearer key"}) as response:
        await response.read()
    record = server.requests[1]
    assert (record.method, record.path) == ("POST", "/v1/completions")
    assert record.body == body
    assert record.headers["authorization"] == "Bearer key"
    assert "Bearer" not in repr(record)


async def test_only_the_newest_thousand_are_on_record(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    for number in range(1_003):
        async with http.get(f"{server.base_url}/{number}") as response:
            await response.read()
    assert len(server.requests) == 1_000
    assert server.requests[0].path == "/v1/3"


async def test_the_root_greets(http: aiohttp.ClientSession, server: DemoServer) -> None:
    async with http.get(server.base_url.removesuffix("/v1")) as response:
        assert response.content_type == "text/plain"
        assert await response.text() == GREETING


async def test_the_models_are_listed(http: aiohttp.ClientSession, server: DemoServer) -> None:
    async with http.get(f"{server.base_url}/models") as response:
        listed = await response.json()
    assert listed["object"] == "list"
    assert [model["id"] for model in listed["data"]] == list(MODELS)


@IN_EACH_DIALECT
async def test_an_unknown_model_is_told_the_known_ones(
    http: aiohttp.ClientSession, server: DemoServer, dialect: DialectName
) -> None:
    async with ask(http, server, request_body(dialect, "demo/nobody")) as response:
        error = (await response.json())["error"]
    assert response.status == 404
    assert error["code"] == "model_not_found"
    assert all(model in error["message"] for model in MODELS)


@IN_EACH_DIALECT
@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"text"', b"\xff", b"[" * 100_000, b'{"model": "\\ud800"}']
)
async def test_a_body_that_is_no_json_object_is_refused(
    http: aiohttp.ClientSession, server: DemoServer, dialect: DialectName, body: bytes
) -> None:
    async with http.post(server.base_url + PATHS[dialect], data=body) as response:
        error = (await response.json())["error"]
    assert response.status == 400
    assert set(error) == {"message", "type", "param", "code"}
    assert "JSON" in error["message"]
    assert server.requests[-1].body == {}


async def test_a_body_that_cannot_be_unpacked_is_refused(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    headers = {"Content-Encoding": "gzip"}
    url = f"{server.base_url}/completions"
    async with http.post(url, data=b"no gzip", headers=headers) as response:
        assert response.status == 400
        assert "unpacked" in (await response.json())["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("POST", "/v1/chat", 404),
        ("GET", "/v1/../../etc/passwd", 404),
        ("GET", "/v1/chat/completions", 405),
        ("OPTIONS", "/v1/completions", 405),
        ("POST", "/v1/models", 405),
    ],
)
async def test_other_paths_and_methods_are_refused_in_openai_s_shape(
    http: aiohttp.ClientSession, server: DemoServer, method: str, path: str, status: int
) -> None:
    url = server.base_url.removesuffix("/v1") + path
    async with http.request(method, url) as response:
        error = (await response.json())["error"]
    assert response.status == status
    assert error["type"] == "invalid_request_error"
    assert ("Allow" in response.headers) == (status == 405)
    assert "x-request-id" in response.headers


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET / HTTP/1.1\r\nHost: evil.example", 403),
        ("GET / HTTP/1.1\r\nHost: evil.example:80", 403),
        ("GET / HTTP/1.1\r\nHost: localhost.evil.example", 403),
        ("GET / HTTP/1.1\r\nHost: 127.0.0.1.evil.example", 403),
        ("GET / HTTP/1.1\r\nHost: 127.0.0.1@evil.example", 403),
        ("GET / HTTP/1.1\r\nHost: 0.0.0.0", 403),
        ("GET / HTTP/1.1\r\nHost:", 403),
        ("GET / HTTP/1.1\r\nHost:  ", 403),
        ("GET / HTTP/1.0", 403),
        # RFC 9112, section 3.2, wants 400 for these two, and aiohttp's parser sees to it.
        ("GET / HTTP/1.1\r\nX-No: Host", 400),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example", 400),
        ("GET / HTTP/1.1\r\nHost: localhost", 200),
        ("GET / HTTP/1.1\r\nHost: LOCALHOST:8080", 200),
        ("GET / HTTP/1.1\r\nHost: 127.0.0.1:1", 200),
        ("GET / HTTP/1.1\r\nHost: [::1]:65535", 200),
    ],
)
async def test_only_loopback_hosts_are_answered(server: DemoServer, head: str, status: int) -> None:
    answer = await exchange(server, f"{head}\r\nConnection: close\r\n\r\n".encode())
    assert int(answer.split()[1]) == status
    assert (GREETING.encode() in answer) == (status == 200)


async def test_a_foreign_host_is_refused_before_anything_else(server: DemoServer) -> None:
    request = http_request(request_body("chat", "demo/verse"))
    answer = await exchange(server, request.replace(b"Host: localhost", b"Host: evil"))
    assert answer.startswith(b"HTTP/1.1 403 ")
    error = json.loads(answer.partition(b"\r\n\r\n")[2])["error"]
    assert error["type"] == "permission_error"
    assert server.requests[-1].outcome == "refused"
    assert server.requests[-1].body == {}


async def test_it_does_not_listen_beyond_loopback(server: DemoServer) -> None:
    port = urlsplit(server.base_url).port
    outward = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with outward:
        try:
            outward.connect(("192.0.2.1", 9))  # sends nothing, but chooses our own address
        except OSError:
            pytest.skip("this machine has no address beyond loopback")
        address = outward.getsockname()[0]
    if address.startswith("127."):
        pytest.skip("this machine has no address beyond loopback")
    with pytest.raises(OSError):
        await asyncio.open_connection(address, port)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "192.168.0.1", "example.com"])
def test_a_host_beyond_loopback_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="loopback only"):
        DemoServer(host)


@pytest.mark.parametrize("pace", [-1, float("inf"), float("nan")])
def test_a_pace_that_makes_no_sense_is_refused(pace: float) -> None:
    with pytest.raises(ValueError, match="pace"):
        DemoServer(pace=pace)


@pytest.mark.parametrize("host", ["::1", "[::1]"])
async def test_it_listens_on_ipv6(http: aiohttp.ClientSession, host: str) -> None:
    server = DemoServer(host)
    try:
        await server.start()
    except OSError:
        pytest.skip("this machine has no IPv6")
    assert server.base_url.startswith("http://[::1]:")
    async with http.get(f"{server.base_url}/models") as response:
        assert response.status == 200
    await server.aclose()


async def test_a_taken_port_is_an_os_error_and_can_be_tried_again(server: DemoServer) -> None:
    second = DemoServer(port=urlsplit(server.base_url).port or 0)
    with pytest.raises(OSError):
        await second.start()
    await server.aclose()
    await second.start()
    await second.aclose()


async def test_closing_ends_open_streams_at_once(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    bodies = [
        request_body("chat", "demo/stall"),
        request_body("chat", "demo/slow", demo={"delay": 3_600}),
        request_body("chat", "demo/fast", demo={"tokens": 1_000_000}),
    ]
    responses = [await ask(http, server, body) for body in bodies]
    began = time.monotonic()
    await server.aclose()
    assert time.monotonic() - began < 1
    assert [record.outcome for record in server.requests] == ["stopped"] * 3
    for response in responses:
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_closing_twice_or_without_a_start_is_harmless(server: DemoServer) -> None:
    await server.aclose()
    await server.aclose()
    await DemoServer().aclose()


async def test_it_starts_once_at_a_time_and_again_after_closing(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    with pytest.raises(RuntimeError, match="already"):
        await server.start()
    await server.aclose()
    await server.start()
    async with http.get(f"{server.base_url}/models") as response:
        assert response.status == 200


def test_there_is_no_address_before_the_start() -> None:
    with pytest.raises(RuntimeError, match="before it is started"):
        _ = DemoServer().base_url


async def test_the_pace_of_a_request_can_be_chosen(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    overrides = {"rate": 1_000_000, "tokens": 200, "delay": 0}
    body = request_body("chat", "demo/slow", demo=overrides)
    assert len(pieces(await stream(http, server, body))) == 200


async def test_many_streams_run_side_by_side(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    async def text(number: int) -> str:
        body = request_body("chat", "demo/verse", f"Song {number}")
        return "".join(pieces(await stream(http, server, body)))

    texts: list[Any] = await asyncio.gather(*map(text, range(100)))
    assert all(f"“Song {number}”" in text for number, text in enumerate(texts))


async def test_importing_the_package_imports_no_web_server() -> None:
    script = "import sys, streamtui.demo; print([m for m in sys.modules if 'aiohttp' in m])"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert output.strip() == b"[]"
