from typing import Any

import aiohttp
import pytest

from streamtui.demo.server import DemoServer

from .asking import events_in
from .ways import way

CHAT = way("azure-chat")


async def stream(
    http: aiohttp.ClientSession, server: DemoServer, deployment: str, model: Any
) -> list[Any]:
    _, body = CHAT.request("demo/verse")
    url = f"{server.root_url}/openai/deployments/{deployment}/chat/completions?api-version=1"
    async with http.post(url, json=body | {"model": model}) as response:
        assert response.status == 200, await response.text()
        events = events_in(await response.read())
    assert events.pop() == "[DONE]"
    return events


async def test_the_first_chunk_is_about_the_prompt_and_nothing_else(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    first, second, *_ = await stream(http, server, "demo/verse", None)
    assert first["choices"] == []
    assert first["id"] == first["model"] == first["object"] == ""
    [found] = first["prompt_filter_results"]
    assert found["content_filter_results"]["hate"] == {"filtered": False, "severity": "safe"}
    assert second["choices"][0]["delta"]["role"] == "assistant"


@pytest.mark.parametrize(
    ("deployment", "model", "answering"),
    [
        ("demo/verse", None, "demo/verse"),
        ("demo%2Fverse", None, "demo/verse"),
        ("demo%2Fverse", "demo/markdown", "demo/verse"),
        ("mine", "demo/markdown", "demo/markdown"),
        ("gpt-4o-mini", "ignored", "gpt-4o-mini"),
    ],
)
async def test_the_deployment_is_the_model_or_else_the_body_names_it(
    http: aiohttp.ClientSession, server: DemoServer, deployment: str, model: Any, answering: str
) -> None:
    chunks = await stream(http, server, deployment, model)
    assert {chunk["model"] for chunk in chunks[1:]} == {answering}


async def test_a_whole_answer_has_the_filter_s_findings_too(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    for name in ("azure-chat", "azure-completions"):
        path, body = way(name).request("demo/verse", stream=False)
        async with http.post(server.root_url + path, json=body) as response:
            answer = await response.json()
        assert answer["choices"]
        assert answer["prompt_filter_results"]


async def test_chat_and_completions_are_told_apart(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    path, _ = way("azure-completions").request("demo/verse")
    _, body = CHAT.request("demo/verse")
    async with http.post(server.root_url + path, json=body) as response:
        assert response.status == 400
        assert (await response.json())["error"]["param"] == "prompt"
