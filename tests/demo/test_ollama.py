from datetime import datetime
from typing import Any

import aiohttp
import pytest

from streamtui.demo.server import DemoServer

from .ways import lines

HI = [{"role": "user", "content": "hi"}]


async def ask(
    http: aiohttp.ClientSession, server: DemoServer, operation: str, **fields: Any
) -> list[Any]:
    """All lines of a good stream."""
    async with http.post(f"{server.root_url}/api/{operation}", json=fields) as response:
        assert response.status == 200, await response.text()
        assert response.content_type == "application/x-ndjson"
        return lines(await response.read())


async def chat(
    http: aiohttp.ClientSession, server: DemoServer, model: str, **fields: Any
) -> list[Any]:
    return await ask(http, server, "chat", **{"model": model, "messages": HI} | fields)


async def test_it_streams_unless_told_otherwise(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    assert len(await chat(http, server, "demo/verse")) > 10
    assert len(await chat(http, server, "demo/verse", stream=None)) > 10
    body = {"model": "demo/verse", "messages": HI, "stream": False}
    async with http.post(f"{server.root_url}/api/chat", json=body) as response:
        assert response.content_type == "application/json"
        assert (await response.json())["done"] is True


async def test_every_line_has_model_and_time(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    answer = await chat(http, server, "demo/verse")
    assert {line["model"] for line in answer} == {"demo/verse"}
    assert all(datetime.fromisoformat(line["created_at"]).tzinfo for line in answer)
    assert [line["done"] for line in answer] == [False] * (len(answer) - 1) + [True]


async def test_the_last_line_counts_tokens_and_nanoseconds(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    *pieces, last = await chat(http, server, "demo/verse")
    assert last["message"] == {"role": "assistant", "content": ""}
    assert last["done_reason"] == "stop"
    assert last["prompt_eval_count"] == 1
    assert last["eval_count"] == len(pieces)
    durations = [last[f"{what}_duration"] for what in ("load", "prompt_eval", "eval")]
    assert all(isinstance(duration, int) for duration in durations)
    assert last["total_duration"] == sum(durations) > 0


@pytest.mark.parametrize(
    ("operation", "asked"), [("chat", {"messages": HI}), ("generate", {"prompt": "hi"})]
)
async def test_thinking_comes_first_unless_it_is_turned_off(
    http: aiohttp.ClientSession, server: DemoServer, operation: str, asked: dict[str, Any]
) -> None:
    def thinks(line: Any) -> bool:
        return "thinking" in line.get("message", line)

    answer = await ask(http, server, operation, model="demo/thinker", think="low", **asked)
    thinking = list(map(thinks, answer))
    assert thinking[0]
    assert thinking == sorted(thinking, reverse=True)
    answer = await ask(http, server, operation, model="demo/thinker", think=False, **asked)
    assert not any(map(thinks, answer))


async def test_a_tool_call_comes_whole_in_front_of_the_end(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    *_, line, last = await chat(http, server, "demo/tools")
    [call] = line["message"]["tool_calls"]
    assert call["function"]["name"] == "get_weather"
    assert call["function"]["arguments"] == {"city": "Lisbon", "unit": "celsius"}
    assert line["done"] is False
    assert last["done_reason"] == "stop"


async def test_a_tool_call_that_is_cut_is_not_sent(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    fields = {"demo": {"tokens": 3}, "options": {"num_predict": 6}}
    answer = await chat(http, server, "demo/tools", **fields)
    assert not any("tool_calls" in line["message"] for line in answer)
    assert answer[-1]["done_reason"] == "length"


async def test_generate_has_no_place_for_tools(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    answer = await ask(http, server, "generate", model="demo/tools", prompt="Weather?")
    assert "no place for tools" in "".join(line["response"] for line in answer)


async def test_generate_reads_the_system_prompt(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    fields = {"model": "demo/verse", "prompt": "sparkling water", "system": "Be brief."}
    answer = await ask(http, server, "generate", **fields)
    assert "Oh sparkling water" in "".join(line["response"] for line in answer)
    assert answer[-1]["prompt_eval_count"] == 4 + 3


@pytest.mark.parametrize("limit", [-1, -2, 0, None])
async def test_no_limit_is_written_in_many_ways(
    http: aiohttp.ClientSession, server: DemoServer, limit: int | None
) -> None:
    answer = await chat(http, server, "demo/verse", options={"num_predict": limit})
    assert answer[-1]["done_reason"] == "stop"


async def test_one_stop_sequence_needs_no_list(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    answer = await chat(http, server, "demo/verse", options={"stop": "\n"})
    text = "".join(line["message"]["content"] for line in answer)
    assert text
    assert "\n" not in text


async def test_what_a_tool_answered_is_read(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    call = {"role": "assistant", "tool_calls": [{"function": {"name": "n", "arguments": {}}}]}
    tool = {"role": "tool", "tool_name": "n", "content": "21 °C"}
    answer = await chat(http, server, "demo/tools", messages=[*HI, call, tool])
    text = "".join(line["message"]["content"] for line in answer)
    assert text.startswith("The tool says: 21 °C")


async def test_an_error_is_a_line_with_nothing_else(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    last = (await chat(http, server, "demo/error"))[-1]
    assert list(last) == ["error"]
    assert isinstance(last["error"], str)
