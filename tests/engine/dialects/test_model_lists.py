"""Lists of models: from the demo server in every dialect, and what other servers make of them."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from streamtui.config import Endpoint, Timeouts
from streamtui.demo.scripts import MODELS
from streamtui.demo.server import DemoServer
from streamtui.engine import model_list
from streamtui.engine.dialects import DIALECTS
from streamtui.engine.doors import ListModels
from streamtui.engine.reports import ModelList
from streamtui.redact import Secret
from tests.engine.dialects.speaking import ask
from tests.faultserver import FaultServer, fault_server
from tests.scripted import EngineUnderTest

V = "2024-10-21"


@pytest.fixture
async def server() -> AsyncIterator[DemoServer]:
    server = DemoServer()
    await server.start()
    yield server
    await server.aclose()


def endpoint_at(base_url: str, dialect: str = "openai-chat", **settings: Any) -> Endpoint:
    usual: dict[str, Any] = {"model": "m", "api_key": Secret("KEY")}
    return Endpoint("mirror", dialect, base_url, **(usual | settings))


async def models_of(endpoint: Endpoint) -> ModelList:
    async with EngineUnderTest() as test:
        found = await test.ask(ListModels(endpoint))
    assert isinstance(found, ModelList)
    return found


def document(value: object, status: str = "200 OK", more: str = "") -> list[Any]:
    """The steps of a server that answers with JSON, or with text as it is."""
    text = value if isinstance(value, str) else json.dumps(value)
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(text.encode())}\r\n{more}\r\n"
    return [["send", head + text]]


async def models_in(value: object, dialect: str = "openai-chat", **settings: Any) -> ModelList:
    """What is read from this answer."""
    async with fault_server(document(value)) as server:
        return await models_of(endpoint_at(server.base_url, dialect, **settings))


def error_in(found: ModelList) -> tuple[str, str, str]:
    assert found.error is not None
    assert found.models == ()
    return found.error.kind, found.error.message, found.error.hint


# The demo server


@pytest.mark.parametrize(
    ("dialect", "base", "settings", "path", "header"),
    [
        ("openai-chat", "/v1", {}, "/v1/models", ("authorization", "Bearer KEY")),
        ("openai-completions", "/v1", {}, "/v1/models", ("authorization", "Bearer KEY")),
        ("openai-responses", "/v1", {}, "/v1/models", ("authorization", "Bearer KEY")),
        ("openai-chat", "", {"api_version": V}, "/openai/models", ("api-key", "KEY")),
        ("openai-chat", "/openai", {"api_version": V}, "/openai/models", ("api-key", "KEY")),
        (
            "openai-completions",
            "/openai/deployments/mine",
            {"api_version": V, "auth": "bearer"},
            "/openai/models",
            ("authorization", "Bearer KEY"),
        ),
        ("anthropic", "", {}, "/v1/models", ("x-api-key", "KEY")),
        ("anthropic", "/v1", {}, "/v1/models", ("anthropic-version", "2023-06-01")),
        ("gemini", "", {}, "/v1beta/models", ("x-goog-api-key", "KEY")),
        ("ollama", "", {}, "/api/tags", ("authorization", "Bearer KEY")),
        ("ollama", "/api", {}, "/api/tags", ("authorization", "Bearer KEY")),
    ],
)
async def test_the_demo_server_lists_its_models(
    server: DemoServer,
    dialect: str,
    base: str,
    settings: dict[str, Any],
    path: str,
    header: tuple[str, str],
) -> None:
    found = await models_of(endpoint_at(server.root_url + base, dialect, **settings))
    assert found == ModelList(tuple(MODELS))
    [asked] = server.requests
    assert (asked.method, asked.path) == ("GET", path)
    assert asked.headers[header[0]] == header[1]


@pytest.mark.parametrize("dialect", ["openai-chat", "anthropic", "gemini", "ollama"])
async def test_what_is_listed_can_be_asked(server: DemoServer, dialect: str) -> None:
    base = server.base_url if dialect == "openai-chat" else server.root_url
    [first, *_] = (await models_of(endpoint_at(base, dialect))).models
    request = ask(dialect, model=first)
    assert first in {
        request["body"].get("model"),
        request["path"].split("models/")[-1].split(":")[0],
    }


# Requests


@pytest.mark.parametrize("dialect", ["openai-chat", "anthropic", "gemini", "ollama"])
def test_the_key_is_sent_as_with_a_question(dialect: str) -> None:
    settings = {"headers": {"X-Team": "blue", "accept": "text/plain"}, "auth": "api-key"}
    endpoint = Endpoint("e", dialect, "https://host", "m", Secret("KEY"), **settings)  # type: ignore[arg-type]
    request = DIALECTS[dialect].models_request(endpoint)
    assert request is not None
    assert (request.method, request.body) == ("GET", b"")
    sent = {name.lower(): value for name, value in request.headers.items()}
    question = ask(dialect, headers=settings["headers"], auth="api-key")["headers"]
    del question["content-type"]
    assert sent == question


@pytest.mark.parametrize(
    ("base", "path"),
    [
        ("https://x.openai.azure.com", "/openai/models?api-version=2024-10-21"),
        ("https://x.openai.azure.com/openai", "/models?api-version=2024-10-21"),
        ("https://x.openai.azure.com/openai/v1", "/models?api-version=2024-10-21"),
    ],
)
def test_azure_lists_the_models_of_the_resource(base: str, path: str) -> None:
    endpoint = Endpoint("e", "openai-chat", base, "m", Secret("KEY"), api_version=V)
    request = DIALECTS["openai-chat"].models_request(endpoint)
    assert request is not None
    assert request.path == path


@pytest.mark.parametrize("dialect", ["langserve", "langgraph", "sse"])
async def test_a_protocol_without_a_list_says_so_and_asks_nobody(dialect: str) -> None:
    async with fault_server([]) as server:
        kind, message, _ = error_in(await models_of(endpoint_at(server.base_url, dialect)))
        assert (kind, message) == ("usage", f"the dialect “{dialect}” has no list of models")
        assert server.connections == 0


async def test_without_its_key_an_endpoint_is_not_asked() -> None:
    async with fault_server([]) as server:
        endpoint = endpoint_at(server.base_url, api_key=None, key_source="environment variable K")
        kind, message, _ = error_in(await models_of(endpoint))
        assert (kind, message) == ("no-key", "no key: environment variable K is not set")
        assert server.connections == 0


# Pages


def pages_of(*documents: object) -> dict[str, list[Any]]:
    """The steps of a server that answers each request with the next document, then with the last."""
    steps = {str(hit): document(value) for hit, value in enumerate(documents, 1)}
    return steps | {"*": document(documents[-1])}


def asked_for(server: FaultServer) -> list[str]:
    return [request.split(b" ")[1].decode() for request in server.requests]


async def test_anthropics_pages_follow_each_other() -> None:
    first = {"data": [{"id": "a"}, {"id": "b"}], "has_more": True, "last_id": "b&?"}
    async with fault_server(pages_of(first, {"data": [{"id": "c"}], "has_more": False})) as server:
        found = await models_of(endpoint_at(server.base_url, "anthropic"))
        assert found.models == ("a", "b", "c")
        assert asked_for(server) == [
            "/v1/models?limit=1000",
            "/v1/models?limit=1000&after_id=b%26?",
        ]


async def test_googles_pages_follow_each_other() -> None:
    first = {"models": [{"name": "models/a"}], "nextPageToken": "t/=="}
    async with fault_server(pages_of(first, {"models": [{"name": "models/b"}]})) as server:
        found = await models_of(endpoint_at(server.base_url.removesuffix("/v1"), "gemini"))
        assert found.models == ("a", "b")
        assert asked_for(server) == [
            "/v1beta/models?pageSize=1000",
            "/v1beta/models?pageSize=1000&pageToken=t/%3D%3D",
        ]


async def test_a_list_without_an_end_is_left_after_a_few_pages() -> None:
    for_ever = {"data": [{"id": "a"}], "has_more": True, "last_id": "a"}
    async with fault_server(pages_of(for_ever)) as server:
        found = await models_of(endpoint_at(server.base_url, "anthropic"))
        assert found == ModelList(("a",))
        assert server.hits == model_list.MAX_PAGES


# Answers


async def test_only_googles_models_that_write_text_are_listed() -> None:
    rows = [
        {"name": "models/gemini", "supportedGenerationMethods": ["generateContent", "countTokens"]},
        {"name": "models/embedding", "supportedGenerationMethods": ["embedContent"]},
        {"name": "tunedModels/mine", "supportedGenerationMethods": ["streamGenerateContent"]},
        {"name": "models/unsaid"},
        {"name": "models/strange", "supportedGenerationMethods": [["generateContent"]]},
    ]
    found = await models_in({"models": rows}, "gemini")
    assert found.models == ("gemini", "tunedModels/mine", "unsaid")


async def test_llama_server_sends_two_lists_of_which_its_own_counts() -> None:
    both = {"models": [{"name": "ollama-like"}], "object": "list", "data": [{"id": "tiny.gguf"}]}
    assert (await models_in(both)).models == ("tiny.gguf",)


async def test_togethers_bare_list_is_one() -> None:
    assert (await models_in([{"id": "a"}, {"id": "b"}])).models == ("a", "b")


async def test_ollama_may_leave_out_one_of_its_two_names() -> None:
    rows = [{"name": "a:latest"}, {"name": "alias", "model": "b:7b"}]
    assert (await models_in({"models": rows}, "ollama")).models == ("a:latest", "b:7b")


@pytest.mark.parametrize(
    ("dialect", "empty"),
    [("openai-chat", {"data": []}), ("ollama", {"models": None}), ("gemini", {"models": []})],
)
async def test_an_empty_list_is_no_error(dialect: str, empty: object) -> None:
    assert await models_in(empty, dialect) == ModelList()


async def test_rows_that_are_none_are_passed_over() -> None:
    rows: list[Any] = [None, "a", {}, {"id": None}, {"id": 7}, {"id": ""}, {"id": "b"}, {"id": "b"}]
    assert (await models_in({"data": rows})).models == ("b",)


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        ("<html><title>Sign in</title></html>", "not-a-stream", "a web page (text/html) “Sign in”"),
        ("Hello", "not-a-stream", "got something else instead of a list of models"),
        ("", "empty-body", "got nothing instead of a list of models"),
        ('{"data": [{"id"', "not-a-stream", "got JSON that breaks off"),
        ('{"status": "ok"}', "not-a-stream", "got JSON that is none instead of a list of models"),
        ('{"data": {"id": "a"}}', "not-a-stream", "JSON that is none"),
        ("7", "not-a-stream", "JSON that is none"),
        ("[" * 100_000, "not-a-stream", "or nests too deep instead of a list of models"),
        ('{"error": {"message": "no more", "code": "insufficient_quota"}}', "quota", "no more"),
    ],
)
@pytest.mark.parametrize("dialect", ["openai-chat", "anthropic", "gemini", "ollama"])
async def test_what_is_no_list_is_told_in_words(
    dialect: str, body: str, kind: str, words: str
) -> None:
    found, message, _ = error_in(await models_in(body, dialect))
    assert found == kind
    assert words in message


async def test_a_refusal_is_told_as_for_a_question_and_hides_the_key() -> None:
    said = {"error": {"message": "Incorrect API key: sk-abcdefghijklmnop1"}}
    async with fault_server(document(said, "401 Unauthorized")) as server:
        endpoint = endpoint_at(
            server.base_url,
            api_key=Secret("sk-abcdefghijklmnop1"),
            key_source="environment variable K",
        )
        found = await models_of(endpoint)
    kind, message, hint = error_in(found)
    assert (kind, hint) == ("auth", "Check environment variable K")
    assert "the key from environment variable K was rejected" in message
    assert "abcdefgh" not in repr(found)


async def test_a_server_without_a_list_is_not_taken_for_a_wrong_model() -> None:
    async with fault_server(document({"detail": "Not Found"}, "404 Not Found")) as server:
        kind, _, hint = error_in(await models_of(endpoint_at(server.base_url)))
        assert kind == "not-found"
        assert hint == "The endpoint may have no list; if it has one, check base_url"


async def test_a_redirect_is_not_followed() -> None:
    elsewhere = "Location: https://elsewhere.invalid/models\r\n"
    async with fault_server(document("", "307 Temporary Redirect", elsewhere)) as server:
        kind, message, _ = error_in(await models_of(endpoint_at(server.base_url)))
        assert kind == "redirect-refused"
        assert "elsewhere.invalid" in message
        assert server.hits == 1


async def test_a_list_that_is_too_long_is_not_read() -> None:
    fill = ["sendfill", '{"data":[{"id":"', "x", model_list.MAX_PAGE_BYTES, '"}]}']
    async with fault_server([["send", "HTTP/1.1 200 OK\r\n\r\n"], fill]) as server:
        kind, message, _ = error_in(await models_of(endpoint_at(server.base_url)))
        assert (kind, message) == ("frame-too-large", "the list of models is longer than 4 MiB")


async def test_a_list_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_list, "MAX_SECONDS", 0.2)
    head = ["send", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"]
    async with fault_server([head, ["stall"]]) as server:
        kind, message, _ = error_in(await models_of(endpoint_at(server.base_url)))
        assert (kind, message) == ("timeout-idle", "the list of models did not come within 0.2 s")
        await asyncio.wait_for(server.left.wait(), 5)


async def test_a_list_that_breaks_off_is_a_lost_connection() -> None:
    head = ["send", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"]
    async with fault_server([head, ["fin"]]) as server:
        assert error_in(await models_of(endpoint_at(server.base_url)))[0] == "connection-lost"


async def test_nobody_there_is_told_within_the_limit_of_the_connection() -> None:
    async with fault_server([]) as gone:
        dead = gone.base_url
    found = await models_of(endpoint_at(dead, timeouts=Timeouts(connect=1)))
    assert error_in(found)[0] == "connect"
