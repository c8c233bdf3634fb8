from typing import Any

import aiohttp
import pytest

from streamtui.demo.server import DemoServer

from .ways import elements, events

SSE = "streamGenerateContent?alt=sse"


def post(
    http: aiohttp.ClientSession, server: DemoServer, path: str, **fields: Any
) -> "aiohttp.client._RequestContextManager":
    body = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]} | fields
    return http.post(f"{server.root_url}{path}", json=body)


async def stream(
    http: aiohttp.ClientSession, server: DemoServer, model: str, **fields: Any
) -> list[Any]:
    async with post(http, server, f"/v1beta/models/{model}:{SSE}", **fields) as response:
        assert response.status == 200, await response.text()
        return events(await response.read())


def parts(chunk: Any) -> list[Any]:
    [candidate] = chunk["candidates"]
    assert candidate["content"]["role"] == "model"
    found: list[Any] = candidate["content"]["parts"]
    return found


@pytest.mark.parametrize(
    "model",
    [
        "/v1beta/models/demo/verse",
        "/v1/models/demo/verse",
        "/v1beta/models/demo%2Fverse",
        "/v1beta/demo/verse",
        "/v1beta/models/gpt-4o-mini",
    ],
)
async def test_models_are_found_however_they_are_written(
    http: aiohttp.ClientSession, server: DemoServer, model: str
) -> None:
    async with post(http, server, f"{model}:{SSE}") as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        chunks = events(await response.read())
    assert chunks[-1]["modelVersion"] in {"demo/verse", "gpt-4o-mini"}


async def test_usage_is_cumulative(http: aiohttp.ClientSession, server: DemoServer) -> None:
    chunks = await stream(http, server, "demo/thinker")
    thoughts = sum(part.get("thought", False) for chunk in chunks for part in parts(chunk))
    totals = [chunk["usageMetadata"]["totalTokenCount"] for chunk in chunks]
    assert totals == sorted(totals)
    assert totals[0] == 1 + 1
    assert chunks[-1]["usageMetadata"] == {
        "promptTokenCount": 1,
        "candidatesTokenCount": len(chunks) - 1 - thoughts,
        "thoughtsTokenCount": thoughts,
        "totalTokenCount": len(chunks),
    }


async def test_only_the_last_chunk_has_a_finish_reason(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    *chunks, last = await stream(http, server, "demo/verse")
    assert not any("finishReason" in chunk["candidates"][0] for chunk in chunks)
    assert last["candidates"][0]["finishReason"] == "STOP"
    assert len({chunk["responseId"] for chunk in [*chunks, last]}) == 1


async def test_thoughts_are_marked_and_come_first(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    chunks = await stream(http, server, "demo/thinker")
    marks = [part.get("thought", False) for chunk in chunks for part in parts(chunk)]
    assert marks[0]
    assert marks == sorted(marks, reverse=True)


async def test_thoughts_can_be_left_out(http: aiohttp.ClientSession, server: DemoServer) -> None:
    config = {"thinkingConfig": {"includeThoughts": False}}
    chunks = await stream(http, server, "demo/thinker", generationConfig=config)
    assert not any("thought" in part for chunk in chunks for part in parts(chunk))


async def test_a_tool_call_comes_whole(http: aiohttp.ClientSession, server: DemoServer) -> None:
    chunks = await stream(http, server, "demo/tools")
    [(index, call)] = [
        (index, part["functionCall"])
        for index, chunk in enumerate(chunks)
        for part in parts(chunk)
        if "functionCall" in part
    ]
    assert index == len(chunks) - 1
    assert call["name"] == "get_weather"
    assert call["args"] == {"city": "Lisbon", "unit": "celsius"}


async def test_a_tool_call_that_is_cut_is_not_sent(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    fields = {"demo": {"tokens": 3}, "generationConfig": {"maxOutputTokens": 6}}
    chunks = await stream(http, server, "demo/tools", **fields)
    assert not any("functionCall" in part for chunk in chunks for part in parts(chunk))
    assert chunks[-1]["candidates"][0]["finishReason"] == "MAX_TOKENS"


async def test_without_alt_sse_the_stream_is_an_array(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    path = "/v1beta/models/demo/verse:streamGenerateContent"
    async with post(http, server, path) as response:
        assert response.content_type == "application/json"
        chunks = await response.json()
    streamed = await stream(http, server, "demo/verse")
    assert [parts(chunk) for chunk in chunks] == [parts(chunk) for chunk in streamed]


async def test_an_array_ends_well_even_after_an_error(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    path = "/v1beta/models/demo/error:streamGenerateContent"
    async with post(http, server, path) as response:
        received = await response.read()
        *chunks, failure = await response.json()
    assert elements(received) == [*chunks, failure]
    assert failure["error"]["status"] == "INTERNAL"


async def test_stop_sequences_are_obeyed(http: aiohttp.ClientSession, server: DemoServer) -> None:
    config = {"stopSequences": ["\n"]}
    chunks = await stream(http, server, "demo/verse", generationConfig=config)
    text = "".join(part["text"] for chunk in chunks for part in parts(chunk))
    assert text
    assert "\n" not in text


async def test_a_conversation_with_a_tool_is_read(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    contents = [
        {"parts": [{"text": "Weather?"}, {"inlineData": {"mimeType": "image/png", "data": ""}}]},
        {"role": "model", "parts": [{"functionCall": {"name": "get_weather", "args": {}}}]},
        {
            "role": "user",
            "parts": [{"functionResponse": {"name": "get_weather", "response": {"is": "21"}}}],
        },
    ]
    fields = {"contents": contents, "systemInstruction": {"parts": [{"text": "Be brief."}]}}
    async with post(http, server, "/v1/models/demo/tools:generateContent", **fields) as response:
        answer = await response.json()
    [part] = parts(answer)
    assert part["text"].startswith('The tool says: {"is":"21"}')
    assert "“Weather?”" in part["text"]


@pytest.mark.parametrize(
    ("model", "status", "words"),
    [
        ("demo/flaky", 429, "RESOURCE_EXHAUSTED"),
        ("demo/nobody", 404, "NOT_FOUND"),
        ("demo/error", 500, "INTERNAL"),
    ],
)
async def test_errors_have_google_s_shape(
    http: aiohttp.ClientSession, server: DemoServer, model: str, status: int, words: str
) -> None:
    async with post(http, server, f"/v1beta/models/{model}:generateContent") as response:
        error = (await response.json())["error"]
    assert response.status == error["code"] == status
    assert error["status"] == words
    delays = [detail["retryDelay"] for detail in error.get("details", [])]
    assert delays == (["3s"] if status == 429 else [])


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"contents": []}, "contents"),
        ({"contents": [{"parts": [{"text": 7}]}]}, "contents[0].parts[0].text"),
        ({"generationConfig": {"maxOutputTokens": 0}}, "generationConfig.maxOutputTokens"),
    ],
)
async def test_a_wrong_field_is_named(
    http: aiohttp.ClientSession, server: DemoServer, fields: dict[str, Any], complaint: str
) -> None:
    path = "/v1beta/models/demo/verse:generateContent"
    async with post(http, server, path, **fields) as response:
        error = (await response.json())["error"]
    assert response.status == 400
    assert error["status"] == "INVALID_ARGUMENT"
    assert complaint in error["message"]
