from typing import Any

import aiohttp
import pytest

from streamtui.demo.server import DemoServer

from .asking import ask, finish_reasons, pieces, request_body, stream


async def test_a_stream_has_openai_s_chunks(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    events = await stream(http, server, request_body("completions", "demo/verse"))
    assert {event["object"] for event in events} == {"text_completion"}
    assert all(set(event) == set(events[0]) for event in events)
    assert "usage" not in events[0]
    assert [set(event["choices"][0]) for event in events] == [
        {"index", "text", "logprobs", "finish_reason"}
    ] * len(events)
    assert events[-1]["choices"][0]["text"] == ""
    assert finish_reasons(events) == ["stop"]


async def test_usage_comes_last_when_asked_for(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    body = request_body("completions", "demo/verse", stream_options={"include_usage": True})
    events = await stream(http, server, body)
    *chunks, last = events
    assert all(chunk["usage"] is None for chunk in chunks)
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == len(pieces(events))


async def test_reasoning_is_left_out(http: aiohttp.ClientSession, server: DemoServer) -> None:
    events = await stream(http, server, request_body("completions", "demo/thinker"))
    text = "".join(pieces(events))
    assert text.startswith("The reasoning above came first")


async def test_tools_are_explained_rather_than_called(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    events = await stream(http, server, request_body("completions", "demo/tools"))
    assert "no place for tools" in "".join(pieces(events))
    assert finish_reasons(events) == ["stop"]


async def test_a_limit_is_obeyed(http: aiohttp.ClientSession, server: DemoServer) -> None:
    events = await stream(http, server, request_body("completions", "demo/verse", max_tokens=3))
    assert len(pieces(events)) == 3
    assert finish_reasons(events) == ["length"]


async def test_a_prompt_in_a_list_gets_one_document_without_a_stream(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    body = request_body("completions", "demo/verse")
    listed = body | {"prompt": [body["prompt"]], "stream": None}
    async with ask(http, server, listed) as response:
        answer = await response.json()
    [choice] = answer["choices"]
    assert choice["text"] == "".join(pieces(await stream(http, server, body)))
    assert choice["finish_reason"] == "stop"
    assert answer["usage"]["prompt_tokens"] > 0


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": None}, "prompt"),
        ({"prompt": ["one", "two"]}, "prompt"),
        ({"prompt": [1, 2]}, "prompt[0]"),
        ({"n": 3}, "n"),
    ],
)
async def test_a_wrong_field_is_named(
    http: aiohttp.ClientSession, server: DemoServer, fields: dict[str, Any], param: str
) -> None:
    async with ask(http, server, request_body("completions", "demo/verse") | fields) as response:
        error = (await response.json())["error"]
    assert response.status == 400
    assert error["param"] == param


async def test_a_missing_prompt_is_named(http: aiohttp.ClientSession, server: DemoServer) -> None:
    async with ask(http, server, {"model": "demo/verse", "stream": True}) as response:
        error = (await response.json())["error"]
    assert response.status == 400
    assert error["param"] == "prompt"
