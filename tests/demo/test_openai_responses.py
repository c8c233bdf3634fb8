import json
from typing import Any

import aiohttp
import pytest

from streamtui.demo.server import DemoServer

from .ways import events


async def respond(
    http: aiohttp.ClientSession, server: DemoServer, model: str, **fields: Any
) -> list[Any]:
    """All events of a good stream, whose types stand in front of them too."""
    body = {"model": model, "input": "hi", "stream": True} | fields
    async with http.post(f"{server.base_url}/responses", json=body) as response:
        assert response.status == 200, await response.text()
        received = await response.read()
    found = events(received)
    names = [line for line in received.decode().split("\n") if line.startswith("event: ")]
    assert names == [f"event: {event['type']}" for event in found]
    return found


async def text_for(
    http: aiohttp.ClientSession, server: DemoServer, given: list[dict[str, Any]]
) -> str:
    found = await respond(http, server, "demo/tools", input=given)
    return "".join(e["delta"] for e in found if e["type"] == "response.output_text.delta")


def item_events(part: str, text: str, pieces: int) -> list[str]:
    return [
        "response.output_item.added",
        f"response.{part}.added",
        *[f"response.{text}.delta"] * pieces,
        f"response.{text}.done",
        f"response.{part}.done",
        "response.output_item.done",
    ]


async def test_events_come_in_openai_s_order_and_are_numbered(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    found = await respond(http, server, "demo/thinker", demo={"tokens": 3})
    kinds = [event["type"] for event in found]
    thoughts = kinds.count("response.reasoning_summary_text.delta")
    assert thoughts > 10
    assert kinds == [
        "response.created",
        "response.in_progress",
        *item_events("reasoning_summary_part", "reasoning_summary_text", thoughts),
        *item_events("content_part", "output_text", 3),
        "response.completed",
    ]
    assert [event["sequence_number"] for event in found] == list(range(len(found)))


async def test_what_is_done_repeats_what_was_sent(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    found = await respond(http, server, "demo/verse")
    text = "".join(e["delta"] for e in found if e["type"] == "response.output_text.delta")
    text_done, part_done, item_done, completed = found[-4:]
    assert text_done["text"] == part_done["part"]["text"] == text
    assert item_done["item"]["content"] == [part_done["part"]]
    assert completed["response"]["output"] == [item_done["item"]]
    assert completed["response"]["usage"]["output_tokens"] == len(found) - 8
    assert completed["response"]["usage"]["total_tokens"] == len(found) - 8 + 1


async def test_a_tool_call_is_an_item_of_its_own(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    found = await respond(http, server, "demo/tools")
    call = [event for event in found if event.get("output_index") == 1]
    kinds = [event["type"].removeprefix("response.") for event in call]
    assert kinds[0] == "output_item.added"
    assert kinds[-2:] == ["function_call_arguments.done", "output_item.done"]
    assert set(kinds[1:-2]) == {"function_call_arguments.delta"}
    assert call[0]["item"]["arguments"] == ""
    arguments = "".join(event["delta"] for event in call[1:-2])
    assert call[-2]["arguments"] == call[-1]["item"]["arguments"] == arguments
    assert json.loads(arguments)["city"] == "Lisbon"
    assert call[-1]["item"]["call_id"].startswith("call_")
    assert call[-1]["item"]["id"] == call[1]["item_id"]


async def test_a_limit_leaves_item_and_response_incomplete(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    found = await respond(http, server, "demo/verse", max_output_tokens=4)
    item, last = found[-2:]
    assert item["item"]["status"] == last["response"]["status"] == "incomplete"
    assert last["type"] == "response.incomplete"
    assert last["response"]["incomplete_details"] == {"reason": "max_output_tokens"}


async def test_a_failed_response_keeps_its_id(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    found = await respond(http, server, "demo/error")
    assert found[-1]["response"]["id"] == found[0]["response"]["id"]
    assert found[-1]["response"]["status"] == "failed"
    assert found[-1]["response"]["error"]["code"] == "server_error"


async def test_reasoning_can_be_turned_off(http: aiohttp.ClientSession, server: DemoServer) -> None:
    found = await respond(http, server, "demo/thinker", reasoning={"effort": "none"})
    assert not [event for event in found if "reasoning" in event["type"]]


async def test_items_of_all_kinds_are_read(http: aiohttp.ClientSession, server: DemoServer) -> None:
    call = {"type": "function_call", "call_id": "c", "name": "get_weather", "arguments": "{}"}
    given: list[dict[str, Any]] = [
        {"role": "user", "content": [{"type": "input_text", "text": "Weather?"}]},
        {"type": "reasoning", "id": "rs", "summary": []},
        call,
    ]
    assert (await text_for(http, server, given)).startswith("I will look that up")
    output = {"type": "function_call_output", "call_id": "c", "output": "21 °C"}
    answer = await text_for(http, server, [*given, output])
    assert answer.startswith("The tool says: 21 °C")
    assert "“Weather?”" in answer


async def test_instructions_are_counted(http: aiohttp.ClientSession, server: DemoServer) -> None:
    last = (await respond(http, server, "demo/verse", instructions="Be brief."))[-1]
    assert last["response"]["usage"]["input_tokens"] == 3 + 1


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": None}, "input"),
        ({"input": [{"role": 1}]}, "input[0].role"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"model": None}, "model"),
    ],
)
async def test_a_wrong_field_is_named(
    http: aiohttp.ClientSession, server: DemoServer, fields: dict[str, Any], param: str
) -> None:
    body = {"model": "demo/verse", "input": "hi"} | fields
    async with http.post(f"{server.base_url}/responses", json=body) as response:
        assert response.status == 400
        assert (await response.json())["error"]["param"] == param
