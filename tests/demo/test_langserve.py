import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from streamtui.demo.dialect import Refusal
from streamtui.demo.langchain_messages import read_messages, turn_of
from streamtui.demo.langserve import Filters
from streamtui.demo.question import Turn
from streamtui.demo.server import DemoServer

from .asking import exchange
from .ways import named_events

RECORDED = Path(__file__).parents[1] / "fixtures" / "langserve"
FEW = {"rate": 1_000_000, "tokens": 3, "delay": 0}


def recorded(name: str) -> list[Any]:
    """The events of LangServe's own."""
    return named_events((RECORDED / f"{name}.http").read_bytes().partition(b"\r\n\r\n")[2])


async def ask(
    http: aiohttp.ClientSession, server: DemoServer, path: str, **fields: Any
) -> list[Any]:
    body = {"input": "hi", "demo": FEW} | fields
    async with http.post(f"{server.root_url}/langserve/{path}", json=body) as response:
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"
        return named_events(await response.read())


async def refusal(
    http: aiohttp.ClientSession, server: DemoServer, path: str, body: dict[str, Any]
) -> tuple[int, str]:
    async with http.post(f"{server.root_url}/langserve/{path}", json=body) as response:
        return response.status, (await response.json())["detail"]


def names(frames: list[Any]) -> list[str]:
    return [frame["event"] for frame in frames]


async def test_lines_end_as_langserves_do_and_the_last_event_has_no_data(
    server: DemoServer,
) -> None:
    body = json.dumps({"input": "hi", "demo": FEW}).encode()
    head = f"POST /langserve/text/demo/verse/stream HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    answer = await exchange(server, head.encode() + body)
    assert b'event: metadata\r\ndata: {"run_id":' in answer
    assert b'event: data\r\ndata: "' in answer
    assert b"event: end\r\n\r\n" in answer


async def test_pieces_of_a_chat_model_have_the_recorded_fields(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    frames, theirs = await ask(http, server, "demo/verse/stream"), recorded("langserve-chat-stream")
    assert names(frames) == ["metadata", *["data"] * 5, "end"]
    assert {*names(frames)} == {*names(theirs)}
    assert {frame["data"].keys() == theirs[1]["data"].keys() for frame in frames[1:-1]} == {True}
    assert frames[1]["data"]["id"] == f"lc_run--{frames[0]['data']['run_id']}"
    assert [frame["data"]["chunk_position"] for frame in frames[1:-1]] == [*[None] * 4, "last"]


async def test_pieces_of_a_text_model_are_strings(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    frames = await ask(http, server, "text/demo/verse/stream")
    assert {*names(frames)} == {*names(recorded("langserve-llm-stream"))}
    assert [type(frame["data"]) for frame in frames[1:-1]] == [str] * 3


async def test_a_tool_call_comes_in_pieces_under_one_index(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    frames = await ask(http, server, "demo/tools/stream")
    pieces = [piece for frame in frames[1:-1] for piece in frame["data"]["tool_call_chunks"]]
    first, *rest = pieces
    assert (first["name"], first["args"], first["index"]) == ("get_weather", "", 0)
    assert {(piece["name"], piece["id"], piece["index"]) for piece in rest} == {(None, None, 0)}
    assert json.loads("".join(p["args"] for p in pieces)) == {"city": "Lisbon", "unit": "celsius"}


@pytest.mark.parametrize(
    ("path", "recording"),
    [
        ("demo/verse/stream_events", "langserve-chat-stream_events"),
        ("text/demo/verse/stream_events", "langserve-llm-stream_events"),
    ],
)
async def test_events_have_the_recorded_fields(
    http: aiohttp.ClientSession, server: DemoServer, path: str, recording: str
) -> None:
    frames, theirs = await ask(http, server, path), recorded(recording)
    shapes = {frame["data"]["event"]: shape(frame["data"]) for frame in frames[:-1]}
    expected = {frame["data"]["event"]: shape(frame["data"]) for frame in theirs[:-1]}
    assert expected.items() <= shapes.items()
    assert frames[-1] == theirs[-1]


def shape(event: Any) -> tuple[frozenset[str], frozenset[str]]:
    return frozenset(event), frozenset(event["data"])


async def test_an_event_names_the_run_as_the_caller_does(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    config = {"run_name": "mine", "tags": ["a"], "metadata": {"b": 1}}
    for frame in (await ask(http, server, "demo/verse/stream_events", config=config))[:-1]:
        event = frame["data"]
        assert (event["name"], event["tags"], event["metadata"]["b"]) == ("mine", ["a"], 1)


async def test_a_run_that_is_filtered_out_has_no_events(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    frames = await ask(http, server, "demo/verse/stream_events", exclude_types=["chat_model"])
    assert names(frames) == ["end"]


@pytest.mark.parametrize(
    ("filters", "passes"),
    [
        (Filters(), True),
        (Filters(include_names=[]), False),
        (Filters(include_names=["run"]), True),
        (Filters(include_names=["other"], include_tags=["tag"]), True),
        (Filters(include_types=["llm"], exclude_names=["run"]), False),
        (Filters(exclude_tags=["other"]), True),
    ],
)
def test_what_is_included_is_alternatives_and_every_exclusion_counts(
    filters: Filters, passes: bool
) -> None:
    assert filters.let_pass("run", "llm", ["tag"]) == passes


async def test_the_log_is_a_row_of_patches(http: aiohttp.ClientSession, server: DemoServer) -> None:
    frames = await ask(http, server, "text/demo/verse/stream_log")
    theirs = recorded("langserve-llm-stream_log")
    assert names(frames) == ["data"] * 5 + ["end"]
    [first], *added, [last] = [frame["data"]["ops"] for frame in frames[:-1]]
    assert (first["op"], first["path"]) == ("replace", "")
    assert first["value"].keys() == theirs[0]["data"]["ops"][0]["value"].keys()
    assert {(op["op"], op["path"]) for [op] in added} == {("add", "/streamed_output/-")}
    assert (last["op"], last["path"]) == ("replace", "/final_output")
    assert last["value"] == "".join(op["value"] for [op] in added)


async def test_a_batch_may_configure_each_input(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    body = {"inputs": ["one", "two"], "config": [{}, {}], "demo": FEW}
    async with http.post(f"{server.root_url}/langserve/demo/verse/batch", json=body) as response:
        answer = await response.json()
    assert len(answer["output"]) == 2
    assert len({run["run_id"] for run in answer["metadata"]["responses"]}) == 2


@pytest.mark.parametrize(
    ("path", "body", "status", "complaint"),
    [
        ("demo/verse/stream", {}, 400, "input"),
        ("demo/verse/stream", {"input": 7}, 400, "neither a text"),
        ("demo/verse/stream", {"input": {"n": 7}}, 400, "nothing in the input is a text"),
        ("demo/verse/stream", {"input": [["elf", "hi"]]}, 400, "'elf'"),
        ("demo/verse/stream", {"input": "hi", "kwargs": {"max_tokens": 0}}, 400, "max_tokens"),
        ("demo/verse/batch", {"inputs": "hi"}, 400, "inputs"),
        ("demo/verse/batch", {"inputs": ["hi"] * 101}, 400, "inputs"),
        ("demo/nobody/batch", {"inputs": ["hi"]}, 404, "demo/nobody"),
    ],
)
async def test_a_wrong_request_is_told_what_is_wrong(
    http: aiohttp.ClientSession,
    server: DemoServer,
    path: str,
    body: dict[str, Any],
    status: int,
    complaint: str,
) -> None:
    found, detail = await refusal(http, server, path, body)
    assert found == status
    assert complaint in detail


@pytest.mark.parametrize(
    ("given", "turns"),
    [
        ("hi", [Turn("user", "hi")]),
        (None, []),
        ({"question": "hi", "n": 1}, [Turn("user", "hi")]),
        ({"messages": "hi"}, [Turn("user", "hi")]),
        ({"type": "human", "content": "hi"}, [Turn("user", "hi")]),
        (
            [["system", "Be."], {"role": "assistant", "content": "So."}, "hi"],
            [Turn("system", "Be."), Turn("assistant", "So."), Turn("user", "hi")],
        ),
        (
            [
                {"type": "AIMessageChunk", "content": [{"type": "text", "text": "a"}, "b", {}]},
                {"type": "tool", "content": None, "tool_call_id": "call"},
            ],
            [Turn("assistant", "ab"), Turn("tool", "")],
        ),
    ],
)
def test_messages_are_read_in_all_of_langchains_forms(given: Any, turns: list[Turn]) -> None:
    assert list(map(turn_of, read_messages(given))) == turns


@pytest.mark.parametrize("given", [[7], [{}], [{"type": "human", "content": 7}], {}, [[1, 2]]])
def test_what_is_no_message_is_refused(given: Any) -> None:
    with pytest.raises(Refusal, match="Invalid request"):
        read_messages(given)
