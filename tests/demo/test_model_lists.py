from typing import Any

import aiohttp
import pytest

from streamtui.demo.scripts import MODELS
from streamtui.demo.server import DemoServer


@pytest.mark.parametrize(
    ("path", "headers", "rows", "name"),
    [
        ("/v1/models", {}, "data", "id"),
        ("/v1/models", {"anthropic-version": "2023-06-01"}, "data", "display_name"),
        ("/v1/models", {"x-goog-api-key": "key"}, "models", "displayName"),
        ("/v1beta/models", {}, "models", "displayName"),
        ("/api/tags", {}, "models", "model"),
        ("/openai/models?api-version=1", {}, "data", "id"),
    ],
)
async def test_each_dialect_lists_the_models_in_its_own_shape(
    http: aiohttp.ClientSession,
    server: DemoServer,
    path: str,
    headers: dict[str, str],
    rows: str,
    name: str,
) -> None:
    async with http.get(server.root_url + path, headers=headers) as response:
        assert response.content_type == "application/json"
        listed: Any = await response.json()
    assert [row[name] for row in listed[rows]] == list(MODELS)


async def test_google_s_names_are_paths(http: aiohttp.ClientSession, server: DemoServer) -> None:
    async with http.get(f"{server.root_url}/v1beta/models") as response:
        first = (await response.json())["models"][0]
    url = f"{server.root_url}/v1beta/{first['name']}:{first['supportedGenerationMethods'][0]}"
    body = {"contents": [{"parts": [{"text": "hi"}]}]}
    async with http.post(url, json=body) as response:
        assert response.status == 200


async def test_anthropic_s_list_is_one_page(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    headers = {"anthropic-version": "2023-06-01"}
    async with http.get(f"{server.root_url}/v1/models", headers=headers) as response:
        page = await response.json()
    assert page["has_more"] is False
    assert (page["first_id"], page["last_id"]) == (next(iter(MODELS)), list(MODELS)[-1])
