import asyncio
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from streamtui.demo.dialect import Refusal
from streamtui.demo.langgraph import LangGraph
from streamtui.demo.langgraph_runs import Log, Run, Thread, Threads
from streamtui.demo.scripts import write_script
from streamtui.demo.server import DemoServer

from .asking import until_the_cut
from .ways import named_events

RECORDED = Path(__file__).parents[1] / "fixtures" / "langgraph"
FEW = {"rate": 1_000_000, "tokens": 3, "delay": 0}
FOR_EVER = 1e9
MODES = [
    *("values", "updates", "messages", "messages-tuple", "custom", "events"),
    *("debug", "tasks", "checkpoints"),
]


def recorded(name: str) -> list[Any]:
    """The events of LangGraph's own."""
    return named_events((RECORDED / f"{name}.http").read_bytes().partition(b"\r\n\r\n")[2])


def run_body(model: str = "demo/verse", **fields: Any) -> dict[str, Any]:
    asked = {"messages": [{"role": "user", "content": "hi"}]}
    return {"assistant_id": model, "input": asked, "stream_mode": "messages-tuple"} | fields


async def post(
    http: aiohttp.ClientSession, server: DemoServer, path: str, body: dict[str, Any]
) -> Any:
    async with http.post(server.root_url + path, json=body) as response:
        assert response.status == 200, await response.text()
        if response.content_type == "text/event-stream":
            return named_events(await response.read())
        return await response.json()


async def get(http: aiohttp.ClientSession, server: DemoServer, path: str) -> Any:
    async with http.get(server.root_url + path) as response:
        assert response.status == 200, await response.text()
        return await response.json()


async def new_thread(http: aiohttp.ClientSession, server: DemoServer) -> str:
    thread: str = (await post(http, server, "/threads", {}))["thread_id"]
    return thread


def ids_in(stream: bytes) -> list[str]:
    return [name.decode() for name in re.findall(rb"\r\nid: (\S+)\r\n", stream)]


def text_in(frames: list[Any]) -> str:
    return "".join(f["data"][0]["content"] for f in frames if f["event"] == "messages")


def shape(value: Any) -> Any:
    """The keys of objects and what is below them; of lists, that they are some."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items() if inner is not None}
    return list if isinstance(value, list) else None


@pytest.mark.parametrize(
    ("mode", "inner"),
    [
        ("values", ["values", "values"]),
        ("updates", ["updates"]),
        ("custom", ["custom"]),
        ("messages-tuple", ["messages"] * 5),
        ("messages", ["messages/metadata", *["messages/partial"] * 4]),
        ("debug", ["debug", "debug"]),
        ("tasks", ["tasks", "tasks"]),
        ("checkpoints", []),
    ],
)
async def test_a_mode_has_events_of_the_recorded_names(
    http: aiohttp.ClientSession, server: DemoServer, mode: str, inner: list[str]
) -> None:
    frames = await post(http, server, "/runs/stream", run_body(stream_mode=mode, demo=FEW))
    theirs = {frame["event"] for frame in recorded(f"langgraph-runs_stream-{mode}")}
    assert [frame["event"] for frame in frames] == ["metadata", *inner]
    assert {frame["event"] for frame in frames} == theirs


async def test_pieces_have_the_recorded_fields(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    _, first, *_ = await post(http, server, "/runs/stream", run_body(demo=FEW))
    _, theirs, *_ = recorded("langgraph-runs_stream-messages-tuple")
    piece, about = first["data"]
    their_piece, about_theirs = theirs["data"]
    assert piece.keys() == their_piece.keys()
    told = {key for key in about_theirs if key.startswith(("langgraph_node", "langgraph_s", "run"))}
    assert {"langgraph_node", "langgraph_step", "run_id"} <= told
    assert told <= about.keys()


async def test_states_tasks_and_events_have_the_recorded_fields(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    for mode in ("values", "tasks"):
        frames = await post(http, server, "/runs/stream", run_body(stream_mode=mode, demo=FEW))
        theirs = recorded(f"langgraph-runs_stream-{mode}")
        for ours, recording in ((frames[1], theirs[1]), (frames[-1], theirs[-1])):
            assert shape(ours["data"]).keys() <= shape(recording["data"]).keys()
    frames = await post(http, server, "/runs/stream", run_body(stream_mode="events", demo=FEW))
    events = {f["data"]["event"]: f["data"].keys() for f in frames[1:]}
    theirs = recorded("langgraph-runs_stream-events")[1:]
    assert events == {f["data"]["event"]: f["data"].keys() for f in theirs}


async def test_modes_share_a_stream_and_pieces_win_over_partial_messages(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    body = run_body(stream_mode=MODES, demo=FEW)
    thread_id = await new_thread(http, server)
    frames = await post(http, server, f"/threads/{thread_id}/runs/stream", body)
    found = {frame["event"] for frame in frames}
    rest = {"values", "updates", "custom", "events", "debug", "tasks", "checkpoints"}
    assert found == {"metadata", "messages"} | rest
    kinds = [frame["data"]["type"] for frame in frames if frame["event"] == "debug"]
    assert kinds == ["checkpoint", "task", "task_result", "checkpoint"]


async def test_partial_messages_become_rarer_as_they_grow(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    body = run_body("demo/fast", stream_mode="messages", demo={"tokens": 10_000})
    _, _, *partials = await post(http, server, "/runs/stream", body)
    lengths = [len(partial["data"][0]["content"]) for partial in partials]
    assert lengths == sorted(lengths)
    assert 100 < len(lengths) < 2_000
    assert lengths[-1] > 30_000


async def test_an_error_ends_tasks_and_the_stream(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    body = run_body("demo/error", stream_mode=["values", "tasks", "messages-tuple"])
    *_, task, failure = await post(http, server, "/runs/stream", body)
    theirs = recorded("langgraph-runs_stream-error")[-1]
    assert failure.keys() == theirs.keys()
    assert failure["data"].keys() == theirs["data"].keys()
    assert task["data"]["error"] == failure["data"]


async def test_hearts_beat_while_nothing_is_said(http: aiohttp.ClientSession) -> None:
    server = DemoServer(pace=0.002)
    await server.start()
    async with http.post(server.root_url + "/runs/stream", json=run_body("demo/stall")) as response:
        received = b""
        while received.count(b": heartbeat\r\n\r\n") < 2:
            received += await response.content.readany()
    assert len(named_events(received)) == 1 + 12
    await server.aclose()


async def test_only_resumable_runs_of_a_thread_have_ids(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    thread_id = await new_thread(http, server)
    for path, resumable, count in (
        ("/runs/stream", True, 0),
        (f"/threads/{thread_id}/runs/stream", False, 0),
        (f"/threads/{thread_id}/runs/stream", True, 6),
    ):
        body = run_body(demo=FEW, stream_resumable=resumable)
        async with http.post(server.root_url + path, json=body) as response:
            ids = ids_in(await response.read())
            place = path.removesuffix("/stream") + f"/{server.requests[-1].request_id}"
            assert response.headers["Location"] == f"{place}/stream"
            assert response.headers["Content-Location"] == place
        assert len(set(ids)) == count
        assert ids == sorted(ids, key=lambda name: int(name.partition("-")[2]))


async def test_a_run_that_was_cut_goes_on_where_it_was_left(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    thread_id = await new_thread(http, server)
    body = run_body("demo/drop", stream_resumable=True)
    path = f"{server.root_url}/threads/{thread_id}/runs/stream"
    async with http.post(path, json=body) as response:
        again = server.root_url + response.headers["Location"]
        first = await until_the_cut(response)
    assert server.requests[-1].outcome == "dropped"

    last_seen = {"Last-Event-ID": ids_in(first)[-1]}
    async with http.get(again, headers=last_seen) as response:
        second = await response.read()

    ids = ids_in(first) + ids_in(second)
    assert len(set(ids)) == len(ids) == int(ids[-1].partition("-")[2]) + 1
    text = text_in(named_events(first + second))
    assert text.endswith("all of it arrived.")
    thread = await get(http, server, f"/threads/{thread_id}")
    assert thread["values"]["messages"][-1]["content"] == text
    async with http.get(again, headers={"Last-Event-ID": "-1"}) as response:
        assert await response.read() == first + second


async def test_who_saw_nothing_misses_what_was(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    thread_id = await new_thread(http, server)
    body = run_body(stream_resumable=True, demo=FEW)
    await post(http, server, f"/threads/{thread_id}/runs/stream", body)
    [run] = await get(http, server, f"/threads/{thread_id}/runs")
    path = f"/threads/{thread_id}/runs/{run['run_id']}"
    async with http.get(f"{server.root_url}{path}/stream") as response:
        assert await response.read() == b""


async def test_a_drop_that_nobody_can_come_back_from_loses_the_answer(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    thread_id = await new_thread(http, server)
    path = f"{server.root_url}/threads/{thread_id}/runs"
    async with http.post(f"{path}/stream", json=run_body("demo/drop")) as response:
        assert text_in(named_events(await until_the_cut(response)))
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await http.post(f"{path}/wait", json=run_body("demo/drop"))
    thread = await get(http, server, f"/threads/{thread_id}")
    assert thread["status"] == "error"
    assert [message["type"] for message in thread["values"]["messages"]] == ["human"] * 2


@pytest.mark.parametrize(
    ("on_disconnect", "status"), [("cancel", "interrupted"), ("continue", "running")]
)
async def test_a_run_ends_with_its_client_if_that_is_asked_for(
    http: aiohttp.ClientSession, server: DemoServer, on_disconnect: str, status: str
) -> None:
    thread_id = await new_thread(http, server)
    body = run_body("demo/stall", on_disconnect=on_disconnect)
    path = f"{server.root_url}/threads/{thread_id}/runs/stream"
    async with http.post(path, json=body) as response:
        assert await response.content.readany()
        record = server.requests[-1]
    await record.closed.wait()
    [run] = await get(http, server, f"/threads/{thread_id}/runs")
    assert run["status"] == status


async def test_a_wait_ends_when_its_run_is_cancelled(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    thread_id = await new_thread(http, server)
    runs = f"/threads/{thread_id}/runs"
    run = await post(http, server, runs, run_body("demo/stall"))
    async with asyncio.TaskGroup() as tasks:
        path = f"{runs}/{run['run_id']}"
        state = tasks.create_task(get(http, server, f"{path}/join"), name="join")
        async with http.post(f"{server.root_url}{path}/cancel") as response:
            assert response.status == 202
    assert [message["type"] for message in state.result()["messages"]] == ["human"]


@pytest.mark.parametrize(
    ("path", "body", "status", "complaint"),
    [
        ("/runs/stream", {"assistant_id": "agent", "stream_mode": "loud"}, 400, "stream_mode"),
        ("/runs/stream", {"assistant_id": 5}, 400, "assistant_id"),
        ("/runs/stream", {"assistant_id": "agent", "input": 7}, 400, "neither a text"),
        ("/threads/none/runs/stream", run_body(), 404, "Thread with ID none"),
        ("/threads/none/runs/none/cancel", {}, 404, "Thread with ID none"),
        ("/threads", {"if_exists": "shrug"}, 400, "if_exists"),
        ("/assistants/search", {"limit": "all"}, 400, "limit"),
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
    async with http.post(server.root_url + path, json=body) as response:
        assert response.status == status
        assert complaint in (await response.json())["detail"]


async def test_what_is_not_there_is_not_found(
    http: aiohttp.ClientSession, server: DemoServer
) -> None:
    thread_id = await new_thread(http, server)
    for path in ("/threads/none", f"/threads/{thread_id}/runs/none", "/assistants/none"):
        async with http.get(server.root_url + path) as response:
            assert response.status == 404
            assert "none not found" in (await response.json())["detail"]


async def test_health_and_version_are_told(http: aiohttp.ClientSession, server: DemoServer) -> None:
    assert (await get(http, server, "/ok"))["ok"] is True
    assert "version" in await get(http, server, "/info")


def run_in(thread: Thread, run_id: str, model: str = "demo/verse", **fields: Any) -> Run:
    asked = run_body(model, thread_id=thread.thread_id, stream_resumable=True, **fields)
    question = LangGraph().read(asked)
    run = Run(run_id, thread, question, write_script(question), now=0, pace=1)
    thread.add_run(run)
    return run


def catch_up(run: Run, now: float) -> None:
    while run.advance(now):
        pass


def test_a_run_goes_on_while_nobody_watches() -> None:
    thread = Thread("t")
    run = run_in(thread, "r")
    seen = []
    for now in (1.0, FOR_EVER):
        catch_up(run, now)
        seen.append((run.status, run.log.end))
    (first_status, first_end), (last_status, last_end) = seen
    assert (first_status, last_status) == ("running", "success")
    assert first_end < last_end
    assert thread.messages[-1]["content"]


def test_a_run_is_due_step_by_step_and_never_once_it_stalls() -> None:
    thread = Thread("t")
    run = run_in(thread, "r", demo={"rate": 10, "delay": 2, "tokens": 3})
    assert run.due_at == 2
    assert not run.advance(1.9)
    assert run.advance(2.0)
    assert run.due_at == pytest.approx(2.1)
    stalled = run_in(thread, "s", "demo/stall")
    catch_up(stalled, FOR_EVER)
    assert (stalled.status, stalled.due_at) == ("running", float("inf"))


def test_the_log_forgets_its_oldest_frames() -> None:
    log = Log()
    frames = [b"%d" % number * 1024**2 for number in range(10)]
    for frame in frames:
        log.append(frame)
    assert log.end == 10
    assert log.between(0, 10) == b"".join(frames[-4:])
    assert log.between(8, 9) == frames[8]
    assert log.between(0, 3) == b""


def test_threads_runs_and_messages_are_forgotten_in_time() -> None:
    threads = Threads()
    first = threads.create(None, None)
    for _ in range(1_000):
        newest = threads.create(None, None)
    with pytest.raises(Refusal, match="not found"):
        threads.get(first.thread_id)
    assert threads.get(newest.thread_id) is newest
    for number in range(30):
        run_in(newest, str(number))
        newest.add([{"content": str(number)}] * 10)
    assert list(newest.runs) == [str(number) for number in range(10, 30)]
    assert len(newest.messages) == 200
    assert newest.messages[-1]["content"] == "29"
