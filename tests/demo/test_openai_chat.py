import json
from typing import Any

import aiohttp
import pytest

from streamtui.demo.server import DemoServer

from .asking import ask, finish_reasons, pieces, request_body, stream

WITH_USAGE = {"stream_options": {"include_usage": True}}


async def test_a_stream_has_openai_s_chunks(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    events = await stream(http, server, request_body("chat", "demo/verse"))
    opening, *_, finish = events
    assert set(opening) == {"id", "object", "created", "model", "system_fingerprint", "choices"}
    assert opening["object"] == "chat.completion.chunk"
    assert opening["choices"] == [
        {
            "index": 0,
            "delta": {"role": "assistant", "content": "", "refusal": None},
            "logprobs": None,
            "finish_reason": None,
        }
    ]
    assert finish["choices"] == [
        {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}
    ]
    assert len({(event["id"], event["created"], event["model"]) for event in events}) == 1


async def test_usage_comes_last_when_asked_for(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    events = await stream(http, server, request_body("chat", "demo/verse") | WITH_USAGE)
    *chunks, last = events
    assert all(chunk["usage"] is None for chunk in chunks)
    assert last["choices"] == []
    usage = last["usage"]
    assert usage["completion_tokens"] == len(pieces(events))
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


async def test_reasoning_comes_first_in_a_field_of_its_own(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    events = await stream(http, server, request_body("chat", "demo/thinker") | WITH_USAGE)
    deltas = [event["choices"][0]["delta"] for event in events if event["choices"]]
    thinking = ["reasoning_content" in delta for delta in deltas[1:-1]]
    assert thinking == sorted(thinking, reverse=True)
    details = events[-1]["usage"]["completion_tokens_details"]
    assert details["reasoning_tokens"] == sum(thinking)


async def test_a_tool_call_comes_in_fragments(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    events = await stream(http, server, request_body("chat", "demo/tools"))
    deltas = [event["choices"][0]["delta"] for event in events]
    first, *rest = [delta["tool_calls"][0] for delta in deltas if "tool_calls" in delta]
    assert first["id"].startswith("call_")
    assert first["type"] == "function"
    assert first["function"] == {"name": "get_weather", "arguments": ""}
    assert len(rest) > 3
    assert all(set(call) == {"index", "function"} for call in rest)
    arguments = json.loads("".join(call["function"]["arguments"] for call in rest))
    assert arguments["city"] == "Lisbon"
    assert finish_reasons(events) == ["tool_calls"]
    assert pieces(events)


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens", "max_output_tokens"])
async def test_each_name_of_the_limit_is_obeyed(
    http: aiohttp.ClientSession, server: DemoServer, limit: str
) -> None:
    events = await stream(http, server, request_body("chat", "demo/verse") | {limit: 4})
    assert len(pieces(events)) == 4
    assert finish_reasons(events) == ["length"]


async def whole_answer(
    http: aiohttp.ClientSession, server: DemoServer, model: str, **fields: Any
) -> Any:
    body = request_body("chat", model, **fields) | {"stream": False}
    async with ask(http, server, body) as response:
        assert response.status == 200
        assert response.content_type == "application/json"
        return await response.json()


async def test_without_a_stream_the_answer_is_one_document(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    answer = await whole_answer(http, server, "demo/thinker")
    streamed = await stream(http, server, request_body("chat", "demo/thinker"))
    [choice] = answer["choices"]
    assert answer["object"] == "chat.completion"
    assert choice["message"]["content"] == "".join(pieces(streamed))
    assert choice["message"]["reasoning_content"].startswith("The question is")
    assert choice["finish_reason"] == "stop"
    assert answer["usage"]["completion_tokens"] > 0


async def test_without_a_stream_a_tool_call_is_whole(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    [choice] = (await whole_answer(http, server, "demo/tools"))["choices"]
    [call] = choice["message"]["tool_calls"]
    assert json.loads(call["function"]["arguments"])["unit"] == "celsius"
    assert choice["finish_reason"] == "tool_calls"


async def test_messages_of_several_parts_are_read(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    parts = [
        {"type": "text", "text": "sparkling "},
        {"type": "image_url", "image_url": {"url": "data:,"}},
        {"type": "text", "text": "water"},
    ]
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "user", "content": parts},
    ]
    body = request_body("chat", "demo/verse", messages=messages)
    assert "Oh sparkling water" in "".join(pieces(await stream(http, server, body)))


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [{"content": "hi"}]}, "messages[0]"),
        ({"messages": [{"role": 1, "content": "hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 1}]}, "messages[0].content"),
        ({"model": 7}, "model"),
        ({"stream": "yes"}, "stream"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"n": 2}, "n"),
        ({"demo": {"rate": 0}}, "demo.rate"),
        ({"demo": {"speed": 9}}, "demo"),
    ],
)
async def test_a_wrong_field_is_named(
    http: aiohttp.ClientSession, server: DemoServer, fields: dict[str, Any], param: str
) -> None:
    async with ask(http, server, request_body("chat", "demo/verse") | fields) as response:
        error = (await response.json())["error"]
    assert response.status == 400
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param
