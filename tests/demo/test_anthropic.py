import json
from typing import Any

import aiohttp
import pytest

from streamtui.demo.server import DemoServer

from .ways import events

HI = [{"role": "user", "content": "hi"}]


def post(
    http: aiohttp.ClientSession, server: DemoServer, model: str, **fields: Any
) -> "aiohttp.client._RequestContextManager":
    body = {"model": model, "messages": HI, "max_tokens": 4_000, "stream": True} | fields
    return http.post(f"{server.root_url}/v1/messages", json=body)


async def stream(
    http: aiohttp.ClientSession, server: DemoServer, model: str, **fields: Any
) -> list[Any]:
    """All events of a good stream, whose types stand in front of them too."""
    async with post(http, server, model, **fields) as response:
        assert response.status == 200, await response.text()
        received = await response.read()
    found = events(received)
    names = [line for line in received.decode().split("\n") if line.startswith("event: ")]
    assert names == [f"event: {event['type']}" for event in found]
    return found


def summary(found: list[Any]) -> list[str]:
    """The type of each event or delta and the index of its block, without repetitions."""
    lines = [f"{e.get('delta', e).get('type', e['type'])} {e.get('index', '')}" for e in found]
    return [line for line, before in zip(lines, ["", *lines], strict=False) if line != before]


async def test_blocks_follow_one_another(http: aiohttp.ClientSession, server: DemoServer) -> None:
    assert summary(await stream(http, server, "demo/thinker")) == [
        "message_start ",
        "ping ",
        "content_block_start 0",
        "thinking_delta 0",
        "signature_delta 0",
        "content_block_stop 0",
        "content_block_start 1",
        "text_delta 1",
        "content_block_stop 1",
        "message_delta ",
        "message_stop ",
    ]


async def test_the_message_starts_without_content(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    message = (await stream(http, server, "demo/verse"))[0]["message"]
    assert message["id"].startswith("msg_")
    assert (message["type"], message["role"]) == ("message", "assistant")
    assert message["content"] == []
    assert message["stop_reason"] is message["stop_sequence"] is None
    assert message["usage"]["input_tokens"] == 1


async def test_usage_is_cumulative_and_comes_with_the_stop_reason(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    found = await stream(http, server, "demo/thinker")
    deltas = [event["delta"]["type"] for event in found if event["type"] == "content_block_delta"]
    end = found[-2]
    assert end["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
    thoughts = deltas.count("thinking_delta")
    assert end["usage"]["output_tokens"] == thoughts + deltas.count("text_delta")
    assert end["usage"]["output_tokens_details"] == {"thinking_tokens": thoughts}


async def test_a_tool_call_comes_in_fragments(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    found = await stream(http, server, "demo/tools")
    start, *deltas, _ = [event for event in found if event.get("index") == 1]
    assert start["content_block"]["type"] == "tool_use"
    assert start["content_block"]["input"] == {}
    arguments = "".join(event["delta"]["partial_json"] for event in deltas)
    assert json.loads(arguments)["unit"] == "celsius"
    assert found[-2]["delta"]["stop_reason"] == "tool_use"


async def test_a_call_that_was_cut_has_no_arguments_in_a_whole_answer(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    fields = {"demo": {"tokens": 3}, "max_tokens": 6, "stream": False}
    async with post(http, server, "demo/tools", **fields) as response:
        answer = await response.json()
    assert answer["content"][-1]["input"] == {}
    assert answer["stop_reason"] == "max_tokens"


async def test_stop_sequences_are_obeyed(http: aiohttp.ClientSession, server: DemoServer) -> None:
    found = await stream(http, server, "demo/verse", stop_sequences=["\n", ""])
    text = "".join(e["delta"]["text"] for e in found if e["type"] == "content_block_delta")
    assert text
    assert "\n" not in text


async def test_thinking_can_be_turned_off(http: aiohttp.ClientSession, server: DemoServer) -> None:
    found = await stream(http, server, "demo/thinker", thinking={"type": "disabled"})
    assert "thinking_delta 0" not in summary(found)


async def test_blocks_and_the_answers_of_tools_are_read(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    result = {
        "type": "tool_result",
        "tool_use_id": "t",
        "content": [{"type": "text", "text": "21"}],
    }
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "Weather?"}]},
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "t", "name": "n", "input": {}}],
        },
        {"role": "user", "content": [result]},
    ]
    fields = {"messages": messages, "system": [{"type": "text", "text": "Be brief."}]}
    async with post(http, server, "demo/tools", stream=False, **fields) as response:
        answer = await response.json()
    assert answer["content"][0]["text"].startswith("The tool says: 21")
    assert answer["usage"]["input_tokens"] == 3 + 2 + 1


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "tool", "content": "21"}]}, "tool"),
        ({"system": 7}, "system"),
    ],
)
async def test_a_wrong_field_is_named(
    http: aiohttp.ClientSession, server: DemoServer, fields: dict[str, Any], complaint: str
) -> None:
    async with post(http, server, "demo/verse", **fields) as response:
        body = await response.json()
    assert response.status == 400
    assert body["error"]["type"] == "invalid_request_error"
    assert complaint in body["error"]["message"]


async def test_max_tokens_is_required(http: aiohttp.ClientSession, server: DemoServer) -> None:
    body = {"model": "demo/verse", "messages": HI}
    async with http.post(f"{server.root_url}/v1/messages", json=body) as response:
        assert response.status == 400
        assert "`max_tokens`" in (await response.json())["error"]["message"]


@pytest.mark.parametrize(
    ("model", "status", "kind"),
    [
        ("demo/flaky", 429, "rate_limit_error"),
        ("demo/nobody", 404, "not_found_error"),
        ("demo/error", 500, "api_error"),
    ],
)
async def test_errors_have_anthropic_s_shape(
    http: aiohttp.ClientSession, server: DemoServer, model: str, status: int, kind: str
) -> None:
    async with post(http, server, model, stream=False) as response:
        body = await response.json()
    assert response.status == status
    assert set(body) == {"type", "error", "request_id"}
    assert (body["type"], body["error"]["type"]) == ("error", kind)
    assert body["request_id"] == response.headers["request-id"]
