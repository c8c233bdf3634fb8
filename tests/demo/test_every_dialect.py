"""What holds in every dialect: the text of the script, and all faults."""

import asyncio
import io
import json
from typing import Any

import aiohttp
import pytest

from streamtui.demo.scripts import MODELS, Said, write_script
from streamtui.demo.server import DIALECTS, GRAPH, GREETING, DemoServer

from .asking import exchange, until_the_cut
from .ways import IN_EVERY_WAY, WAYS, Way, way

STEADY_MODELS = ["demo/verse", "demo/markdown", "demo/thinker", "demo/tools", "demo/fast"]


def post(
    http: aiohttp.ClientSession, server: DemoServer, asked: tuple[str, dict[str, Any]]
) -> "aiohttp.client._RequestContextManager":
    path, body = asked
    return http.post(server.root_url + path, json=body)


async def frames(
    http: aiohttp.ClientSession, server: DemoServer, way: Way, model: str, **fields: Any
) -> list[Any]:
    """All of a good stream."""
    path, body = way.request(model)
    async with post(http, server, (path, body | fields)) as response:
        assert response.status == 200, await response.text()
        return way.frames(await response.read())


def test_every_dialect_of_the_server_is_tested_here() -> None:
    assert {type(dialect) for dialect in (*DIALECTS, GRAPH)} == {type(way.dialect) for way in WAYS}


@IN_EVERY_WAY
@pytest.mark.parametrize("model", STEADY_MODELS)
async def test_a_stream_says_what_the_script_says(
    http: aiohttp.ClientSession, server: DemoServer, way: Way, model: str
) -> None:
    script = write_script(way.dialect.read(way.fields(model)))
    said = [step.text for step in script.steps() if isinstance(step, Said)]
    answer = await frames(http, server, way, model)
    assert [piece for piece in map(way.piece, answer) if piece] == said
    assert len([reason for reason in map(way.finish, answer) if reason]) == 1
    assert not any(map(way.error, answer))
    assert server.requests[-1].outcome == "complete"


@IN_EVERY_WAY
@pytest.mark.parametrize("model", ["demo/verse", "demo/thinker"])
async def test_a_whole_answer_says_what_the_stream_says(
    http: aiohttp.ClientSession, server: DemoServer, way: Way, model: str
) -> None:
    streamed = await frames(http, server, way, model)
    async with post(http, server, way.request(model, stream=False)) as response:
        assert response.content_type == "application/json"
        whole = await response.json()
    assert way.whole_text(whole) == "".join(filter(None, map(way.piece, streamed)))
    assert way.finish(whole) in list(map(way.finish, streamed))


@IN_EVERY_WAY
async def test_the_pace_and_length_of_a_request_can_be_chosen(
    http: aiohttp.ClientSession, server: DemoServer, way: Way
) -> None:
    demo = {"rate": 1_000_000, "tokens": 150, "delay": 0}
    answer = await frames(http, server, way, "demo/slow", demo=demo)
    assert len(list(filter(None, map(way.piece, answer)))) == 150


@IN_EVERY_WAY
async def test_drop_cuts_the_connection_in_the_middle(
    http: aiohttp.ClientSession, server: DemoServer, way: Way
) -> None:
    async with post(http, server, way.request("demo/drop")) as response:
        answer = way.frames(await until_the_cut(response))
    assert any(map(way.piece, answer))
    assert not any(map(way.finish, answer))
    assert server.requests[-1].outcome == "dropped"


@IN_EVERY_WAY
async def test_stall_stays_silent_until_the_client_leaves(
    http: aiohttp.ClientSession, server: DemoServer, way: Way
) -> None:
    async with post(http, server, way.request("demo/stall")) as response:
        received = b""
        while len(list(filter(None, map(way.piece, way.frames(received))))) < 12:
            received += await response.content.readany()
        record = server.requests[-1]
        assert not record.closed.is_set()
    async with asyncio.timeout(5):
        await record.closed.wait()
    assert record.outcome == "disconnected"


@IN_EVERY_WAY
async def test_error_comes_last_in_the_good_stream(
    http: aiohttp.ClientSession, server: DemoServer, way: Way
) -> None:
    async with post(http, server, way.request("demo/error")) as response:
        assert response.status == 200
        received = await (until_the_cut(response) if way.hangs_up else response.read())
    *answer, failure = way.frames(received)
    assert len(list(filter(None, map(way.piece, answer)))) > 10
    assert not any(map(way.finish, [*answer, failure]))
    assert not any(map(way.error, answer))
    assert (way.error(failure) or "").startswith("The demo model failed on purpose")


@IN_EVERY_WAY
async def test_error_without_a_stream_is_told_in_its_place(
    http: aiohttp.ClientSession, server: DemoServer, way: Way
) -> None:
    async with post(http, server, way.request("demo/error", stream=False)) as response:
        assert response.status == way.failure_status
        assert (way.error(await response.json()) or "").startswith("The demo model failed")


@IN_EVERY_WAY
async def test_flaky_refuses_each_question_once(
    http: aiohttp.ClientSession, server: DemoServer, way: Way
) -> None:
    async with post(http, server, way.request("demo/flaky")) as response:
        assert response.status == 429
        assert response.headers["Retry-After"] == "3"
        assert "try again in 3 s" in (way.error(await response.json()) or "")
    assert any(map(way.piece, await frames(http, server, way, "demo/flaky")))
    async with post(http, server, way.request("demo/flaky", "Else?")) as response:
        assert response.status == 429


@IN_EVERY_WAY
async def test_an_unknown_model_is_told_the_known_ones(
    http: aiohttp.ClientSession, server: DemoServer, way: Way
) -> None:
    async with post(http, server, way.request("demo/nobody")) as response:
        assert response.status == 404
        message = way.error(await response.json()) or ""
    assert all(model in message for model in ["demo/nobody", *MODELS])


@IN_EVERY_WAY
@pytest.mark.parametrize(
    ("body", "headers", "complaint"),
    [
        (b"{", {}, "not JSON"),
        (b"[]", {}, "not a JSON object"),
        (b"no gzip", {"Content-Encoding": "gzip"}, "could not be unpacked"),
        (b'{"demo": {"speed": 9}, "model": 7}', {}, "Invalid request"),
    ],
)
async def test_a_wrong_body_is_refused_in_the_dialect_s_own_shape(
    http: aiohttp.ClientSession,
    server: DemoServer,
    way: Way,
    body: bytes,
    headers: dict[str, str],
    complaint: str,
) -> None:
    path, _ = way.request("demo/verse")
    async with http.post(server.root_url + path, data=body, headers=headers) as response:
        assert response.status == 400
        assert complaint in (way.error(await response.json()) or "")


@IN_EVERY_WAY
async def test_a_foreign_host_is_refused_in_the_dialect_s_own_shape(
    server: DemoServer, way: Way
) -> None:
    path, _ = way.request("demo/verse")
    head = f"POST {path} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n"
    answer = await exchange(server, f"{head}Content-Length: 0\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert "localhost" in (way.error(json.loads(answer.partition(b"\r\n\r\n")[2])) or "")


async def test_a_body_that_is_too_large_is_refused_in_the_dialect_s_own_shape(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    path, body = way("anthropic").request("demo/verse", "a" * 33 * 1024**2)
    data = io.BytesIO(json.dumps(body).encode())
    async with http.post(server.root_url + path, data=data) as response:
        assert response.status == 413
        assert (await response.json())["type"] == "error"


@IN_EVERY_WAY
async def test_the_greeting_names_the_path(server: DemoServer, way: Way) -> None:
    path, _ = way.request("MODEL")
    start, _, end = path.partition("?")[0].rpartition("/")
    assert f"{start}/{end}" in GREETING or f"…/{end}" in GREETING


async def test_both_addresses_differ_by_the_version(server: DemoServer) -> None:
    assert server.base_url == f"{server.root_url}/v1"
    with pytest.raises(RuntimeError, match="before it is started"):
        _ = DemoServer().root_url
