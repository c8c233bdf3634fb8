"""`streamtui watch` as a process: streams of events, LangServe, LangGraph and objects."""

import asyncio
import json
import os
import signal
from asyncio.subprocess import Process
from collections.abc import Sequence
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from tests.cli.conftest import Ended, Program, finish
from tests.cli.test_endings import PAYLOADS, on_a_terminal
from tests.eventsource import GONE, HEAD, EventSource, Step, event_source
from tests.loopback import free_port
from tests.raw_http import LAST_CHUNK, STREAM_HEAD, chunk, header

FIXTURES = Path(__file__).parents[1] / "fixtures"
SOON = b"retry: 20\n\n"
TICKS = b"id: 1\nevent: tick\ndata: 1\n\nid: 2\ndata: two\ndata: lines\n\n"


async def watch(
    program: Program, answers: Sequence[Sequence[Step]], *args: str, path: str = "/events"
) -> tuple[Ended, EventSource]:
    """A process from beginning to end, and the server that it listened to."""
    async with event_source(*answers) as server:
        return await program.run("watch", f"{server.url}{path}", *args), server


def objects(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


# --- streams of events ----------------------------------------------------------------------


async def test_events_are_printed_until_the_stream_is_gone(program: Program) -> None:
    ended, server = await watch(
        program, [[HEAD, SOON, TICKS, b"data: hal"], [HEAD, b"id: 3\ndata: half\n\n"], [GONE]]
    )
    assert (ended.code, ended.out) == (0, "tick: 1\ntwo\nlines\nhalf\n")
    assert server.places == [None, "2", "3"]
    words = "the server ended the connection. Reconnecting in 0.0 s.\n"
    assert ended.err == f"127.0.0.1:{server.port}: {words}" * 2


async def test_events_are_printed_as_they_come(program: Program) -> None:
    forever = asyncio.Event()
    async with event_source([HEAD, b"data: a\n\n", forever]) as server:
        process = await program.start("watch", server.url)
        assert process.stdout is not None
        assert await process.stdout.readline() == b"a\n"
        assert process.returncode is None
        process.send_signal(signal.SIGINT)
        ended = await finish(process)
        await server.left.wait()
    assert (ended.code, ended.out) == (130, "")
    assert ended.err == f"127.0.0.1:{server.port}: cancelled, 2 characters kept.\n"


async def test_json_has_type_id_and_data_of_each_event(program: Program) -> None:
    ended, _ = await watch(program, [[HEAD, SOON, TICKS, b"event: no data\n\n"], [GONE]], "--json")
    assert objects(ended.out) == [
        {"event": "tick", "id": "1", "data": "1"},
        {"event": "message", "id": "2", "data": "two\nlines"},
    ]


@pytest.mark.parametrize("form", [[], ["--json"]])
async def test_a_limit_leaves_the_stream(program: Program, form: list[str]) -> None:
    forever = asyncio.Event()
    async with event_source([HEAD, b"data: x\n\n" * 20, forever]) as server:
        ended = await program.run("watch", server.url, "--limit", "3", *form)
        await server.left.wait()
    assert (ended.code, ended.err) == (0, "")
    assert len(ended.out.splitlines()) == 3


async def test_a_reader_who_leaves_ends_a_silent_stream(program: Program) -> None:
    forever = asyncio.Event()
    reading, writing = os.pipe()
    async with event_source([HEAD, b"data: a\n\n", forever]) as server:
        process = await program.start("watch", server.url, stdout=writing)
        os.close(writing)
        assert await asyncio.to_thread(os.read, reading, 1) == b"a"
        os.close(reading)
        ended = await finish(process)
        await server.left.wait()
    assert (ended.code, ended.err) == (0, "")


async def test_a_signal_ends_the_wait_for_a_server(program: Program) -> None:
    async with event_source([HEAD, b"retry: 60000\ndata: a\n\n"]) as server:
        process = await program.start("watch", server.url)
        assert process.stderr is not None
        assert b"Reconnecting in 60.0 s" in await process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            ended = await finish(process)
    assert (ended.code, ended.out) == (130, "a\n")


async def test_hostile_events_are_one_harmless_line_each_on_a_terminal(program: Program) -> None:
    texts = [payload.encode("utf-8", "replace") for payload in PAYLOADS]
    events = [b"event: " + text.split(b"\n")[0] + b"\ndata: a\ndata: b\n\n" for text in texts]
    answers: list[Sequence[Step]] = [[HEAD, SOON, b"".join(events)], [GONE]]
    async with event_source(*answers) as server:
        code, seen = await on_a_terminal(program, "watch", server.url)
    lines = [line for line in seen.splitlines() if "Reconnecting" not in line]
    assert code == 0
    assert not [c for c in seen if ord(c) < 32 and c != "\n"]
    assert all(line.endswith("a⏎b") for line in lines)


async def test_hostile_events_are_left_alone_in_a_pipe(program: Program) -> None:
    ended, _ = await watch(program, [[HEAD, SOON, b"data: \x1b[31m\xe2\x80\xae\n\n"], [GONE]])
    assert ended.out == "\x1b[31m\u202e\n"


async def test_query_and_slash_of_a_url_stay_as_they_are(program: Program) -> None:
    _, server = await watch(program, [[GONE]], path="/a/?b=2&a=%20x&b=1")
    assert server.heads[0].startswith(b"GET /a/?b=2&a=%20x&b=1 HTTP/1.1\r\n")
    assert header(server.heads[0], "accept") == "text/event-stream"
    assert header(server.heads[0], "cache-control") == "no-store"


@pytest.mark.parametrize(
    ("given", "body"),
    [
        ('{"model": "m", "stream": true}', {"model": "m", "stream": True}),
        ("cats?", {"input": "cats?"}),
        ('"{cats}"', {"input": "{cats}"}),
        ("[1, 2]", {"input": [1, 2]}),
    ],
)
async def test_input_is_posted(program: Program, given: str, body: object) -> None:
    ended, server = await watch(program, [[HEAD, b"data: a\n\n"]], "--input", given)
    assert (ended.code, ended.out, ended.err) == (0, "a\n", "")
    assert server.heads[0].startswith(b"POST /events HTTP/1.1\r\n")
    assert json.loads(server.bodies[0]) == body


async def test_a_key_comes_from_the_environment_and_is_never_shown(program: Program) -> None:
    program.environ["MY_KEY"] = "sk-verysecretverysecret"
    refusal = b"HTTP/1.1 401 No\r\nContent-Length: 23\r\n\r\nsk-verysecretverysecret"
    ended, server = await watch(program, [[refusal]], "--key-env", "MY_KEY")
    assert header(server.heads[0], "authorization") == "Bearer sk-verysecretverysecret"
    assert ended.code == 3
    assert "MY_KEY" in ended.err
    assert "secret" not in ended.err


async def test_a_configured_endpoint_is_listened_to_with_all_that_is_configured(
    program: Program,
) -> None:
    program.environ["MY_KEY"] = "sk-verysecretverysecret"
    async with event_source([HEAD, SOON, b"data: a\n\n"], [GONE]) as server:
        program.configure(
            f'[endpoints.feed]\ndialect = "sse"\nbase_url = "{server.url}/feed"\n'
            'api_key_env = "MY_KEY"\nparams = { topic = "cats" }\n'
        )
        ended = await program.run("watch", "-e", "feed", "--param", "n=2")
    assert (ended.code, ended.out) == (0, "a\n")
    assert server.heads[0].startswith(b"GET /feed?topic=cats&n=2 HTTP/1.1\r\n")
    assert header(server.heads[1], "authorization") == "Bearer sk-verysecretverysecret"


# --- how streams end ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "code", "out", "words"),
    [
        ([[b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"]], 3, "", "HTTP 404"),
        (
            [[HEAD, SOON, b"data: a\n\n"], [b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"]],
            6,
            "a\n",
            "HTTP 404",
        ),
        (
            [[b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<title>Hotel</title>"]],
            6,
            "",
            "got text/html instead of a stream of events: Hotel. ",
        ),
        (
            [
                [
                    (
                        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
                        b'{"error": {"message": "no such topic"}}'
                    )
                ]
            ],
            6,
            "",
            "got application/json instead of a stream of events: no such topic. ",
        ),
    ],
)
async def test_each_end_has_its_code(
    program: Program, answers: list[Sequence[Step]], code: int, out: str, words: str
) -> None:
    ended, _ = await watch(program, answers)
    assert (ended.code, ended.out) == (code, out)
    assert words in ended.err.splitlines()[-1]


async def test_a_port_where_nobody_listens_is_a_network_failure(program: Program) -> None:
    ended = await program.run("watch", f"http://127.0.0.1:{free_port()}/events")
    assert (ended.code, ended.out) == (5, "")


# --- LangServe and LangGraph ----------------------------------------------------------------


def recording(name: str) -> list[Step]:
    """What a real server sent, its head included."""
    body = (FIXTURES / name).read_bytes().partition(b"\r\n\r\n")[2]
    return [STREAM_HEAD, chunk(body), LAST_CHUNK]


async def test_langserve_is_known_by_its_path_and_shows_its_text(program: Program) -> None:
    answer = recording("langserve/langserve-chatchain-stream.http")
    ended, server = await watch(
        program, [answer], "--input", '{"topic": "cats"}', path="/chain/stream"
    )
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.strip()
    assert server.heads[0].startswith(b"POST /chain/stream HTTP/1.1\r\n")
    assert json.loads(server.bodies[0]) == {"input": {"topic": "cats"}}


async def test_events_of_langserve_are_those_that_it_sends(program: Program) -> None:
    answer = recording("langserve/langserve-chatchain-stream_events.http")
    sent = answer[1]
    assert isinstance(sent, bytes)
    ended, server = await watch(
        program, [answer], "--events", "--input", "cats", path="/chain/stream"
    )
    assert ended.code == 0
    assert server.heads[0].startswith(b"POST /chain/stream_events HTTP/1.1\r\n")
    lines = [line for line in sent.decode().splitlines() if line.startswith("data: {")]
    assert objects(ended.out) == [json.loads(line.removeprefix("data: ")) for line in lines]
    assert len(lines) > 5


async def test_an_error_of_langserve_is_told_in_its_words(program: Program) -> None:
    # The server kills the connection after it.
    answer = recording("langserve/langserve-boom-stream_events.http")[:-1]
    ended, server = await watch(
        program, [answer], "--input", "hi", "--events", path="/boom/stream_events"
    )
    assert ended.code == 6
    assert "Internal Server Error" in ended.err
    assert "connection" not in ended.err
    assert len(server.heads) == 1
    assert objects(ended.out)[0]["event"] == "on_chain_start"


async def test_langgraph_is_known_by_its_path_and_knows_its_thread(program: Program) -> None:
    program.environ["MY_KEY"] = "lsv2_verysecretverysecret"
    answer = recording("langgraph/langgraph-thread_runs_stream.http")
    args = ("--input", "hi", "--key-env", "MY_KEY", "--param", "assistant_id=bot")
    ended, server = await watch(program, [answer], *args, path="/threads/t-1/runs/stream")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("Draft: ")
    assert server.heads[0].startswith(b"POST /threads/t-1/runs/stream HTTP/1.1\r\n")
    assert header(server.heads[0], "x-api-key") == "lsv2_verysecretverysecret"
    body = json.loads(server.bodies[0])
    assert body["assistant_id"] == "bot"
    assert body["input"] == {"messages": [{"role": "user", "content": "hi"}]}


async def test_events_of_langgraph_are_those_that_it_sends(program: Program) -> None:
    answer = recording("langgraph/langgraph-runs_stream-events.http")
    given = '{"messages": ["hi"]}'
    ended, server = await watch(
        program, [answer], "--input", given, "--events", "--limit", "2", path="/runs/stream"
    )
    assert ended.code == 0
    assert [event["event"] for event in objects(ended.out)] == ["on_chain_start"] * 2
    body = json.loads(server.bodies[0])
    assert (body["input"], body["stream_mode"]) == ({"messages": ["hi"]}, ["events"])


@pytest.mark.parametrize(
    ("form", "path", "asked"),
    [
        ("sse", "/chain/stream", b"/chain/stream"),
        ("langserve", "/chain", b"/chain/stream"),
        ("langgraph", "/graphs", b"/graphs/runs/stream"),
    ],
)
async def test_what_a_url_is_can_be_said(
    program: Program, form: str, path: str, asked: bytes
) -> None:
    answer = [HEAD, b'event: metadata\ndata: {"run_id": "r"}\n\nevent: end\n\n']
    _, server = await watch(program, [answer], "--as", form, "--input", "hi", path=path)
    assert server.heads[0].startswith(b"POST " + asked + b" HTTP/1.1\r\n")


async def test_a_stream_that_is_only_called_so_is_listened_to(program: Program) -> None:
    _, server = await watch(program, [[GONE]], path="/runs/stream")
    assert server.heads[0].startswith(b"GET /runs/stream HTTP/1.1\r\n")


# --- objects --------------------------------------------------------------------------------

MODULE = """\
    import time
    from langchain_core.language_models import FakeListChatModel
    from langchain_core.prompts import ChatPromptTemplate
    from langchain_core.runnables import RunnableLambda

    print("this is no data")

    def fail(message):
        raise ValueError("boom with sk-Secret0123456789abcdefghij")

    def hold_up(message):
        print("held up", flush=True)
        time.sleep(100)

    class Chains:
        cats = ChatPromptTemplate.from_template("Say {topic}") | FakeListChatModel(
            responses=["Cats! 🐈"]
        )

    failing = FakeListChatModel(responses=["Hi"]) | RunnableLambda(fail)
    slow = FakeListChatModel(responses=["x" * 10_000], sleep=0.01)
    wordless = RunnableLambda(lambda value: {"got": value})
    stuck = RunnableLambda(hold_up)
    number = 5
"""


class Folder:
    """A program that is run in a folder with a module of runnables."""

    def __init__(self, program: Program, path: Path) -> None:
        self._program = program
        self.path = path
        # The folder itself must do; and LangChain warns of its own affairs when it is imported.
        program.environ["PYTHONWARNINGS"] = "default"
        self.write("chains.py", dedent(MODULE))

    def write(self, name: str, text: str) -> None:
        (self.path / name).write_text(text)

    async def watch(self, *args: str) -> Ended:
        return await finish(await self.start(*args))

    async def start(self, *args: str) -> Process:
        return await self._program.start("watch", *args, cwd=self.path)


@pytest.fixture
def folder(program: Program, tmp_path: Path) -> Folder:
    path = tmp_path / "folder"
    path.mkdir()
    return Folder(program, path)


async def test_text_of_a_runnable_is_printed_and_nothing_else(folder: Folder) -> None:
    ended = await folder.watch("chains:Chains.cats", "--input", '{"topic": "cats"}')
    assert ended == (0, "Cats! 🐈\n", "this is no data\n")


async def test_events_of_a_runnable_are_printed_as_dictionaries(folder: Folder) -> None:
    # The word after --events is the target.
    ended = await folder.watch("--events", "chains:Chains.cats", "--input", '{"topic": "cats"}')
    assert ended.code == 0
    events = objects(ended.out)
    assert events[0]["event"] == "on_chain_start"
    assert events[0]["data"] == {"input": {"topic": "cats"}}
    chunks = [e["data"]["chunk"] for e in events if e["event"] == "on_chat_model_stream"]
    assert "".join(chunk["content"] for chunk in chunks) == "Cats! 🐈"
    assert {chunk["type"] for chunk in chunks} == {"AIMessageChunk"}
    prompt = next(e for e in events if e["event"] == "on_prompt_end")
    assert prompt["data"]["output"]["messages"][0]["content"] == "Say cats"
    assert events[-1]["event"] == "on_chain_end"
    assert events[1]["parent_ids"] == [events[0]["run_id"]]


async def test_events_of_the_first_version_are_printed_too(folder: Folder) -> None:
    given = ("--input", '{"topic": "cats"}')
    ended = await folder.watch("chains:Chains.cats", "--events", "v1", "--limit", "2", *given)
    assert (ended.code, ended.err) == (0, "this is no data\n")
    assert [event["parent_ids"] for event in objects(ended.out)] == [[], []]


async def test_an_error_inside_a_runnable_keeps_what_came(folder: Folder) -> None:
    ended = await folder.watch("chains:failing", "--input", "hi")
    assert (ended.code, ended.out) == (6, "Hi\n")
    *_, words = ended.err.splitlines()
    assert words.startswith("chains:failing: ValueError: boom with ")
    assert words.endswith(" 2 characters kept.")
    assert "Secret" not in ended.err


async def test_a_runnable_that_says_nothing_says_so(folder: Folder) -> None:
    ended = await folder.watch("chains:wordless", "--input", "hi")
    assert (ended.code, ended.out) == (0, "")
    assert "without any text" in ended.err
    ended = await folder.watch("chains:wordless", "--input", "[1]", "--events")
    assert objects(ended.out)[-1]["data"]["output"] == {"got": [1]}


@pytest.mark.parametrize("form", [[], ["--events", "v2"], ["--events", "v1"]])
async def test_a_signal_cancels_a_runnable_at_once(folder: Folder, form: list[str]) -> None:
    process = await folder.start("chains:slow", "--input", "hi", *form)
    assert process.stdout is not None
    await process.stdout.read(1)
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(20):
        ended = await finish(process)
    assert ended.code == 130
    *_, words = ended.err.splitlines()
    assert words.startswith("chains:slow: cancelled, ")


async def test_code_that_cannot_be_cancelled_does_not_hold_up_the_end(folder: Folder) -> None:
    process = await folder.start("chains:stuck", "--input", "hi")
    assert process.stderr is not None
    while await process.stderr.readline() != b"held up\n":
        pass
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(20):
        ended = await finish(process)
    assert (ended.code, ended.out) == (130, "")
    assert ended.err == "chains:stuck: cancelled, nothing received.\n"


async def test_a_limit_cancels_a_runnable(folder: Folder) -> None:
    ended = await folder.watch("chains:slow", "--input", "hi", "--limit", "3")
    assert (ended.code, ended.out) == (0, "xxx\n")


async def test_without_langchain_it_says_what_to_install(folder: Folder) -> None:
    missing = "raise ModuleNotFoundError('No module', name='langchain_core')"
    folder.write("langchain_core.py", missing)
    ended = await folder.watch("chains:slow", "--input", "hi")
    words = "chains needs langchain-core, which is not installed: pip install langchain-core"
    assert ended == (2, "", f"streamtui: {words}\n")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("nowhere:chain", "cannot import nowhere: No module named 'nowhere'."),
        (
            "broken:chain",
            "cannot import broken: ZeroDivisionError: division by zero (broken.py:2).",
        ),
        ("chains:nothing", "chains has no nothing: module 'chains' has no attribute 'nothing'."),
        ("chains:number", "chains:number is no runnable of LangChain: it has no astream_events."),
        ("chains:FakeListChatModel", "chains:FakeListChatModel is no runnable of LangChain"),
    ],
)
async def test_what_cannot_be_watched_is_told(folder: Folder, target: str, words: str) -> None:
    folder.write("broken.py", "\n1 / 0\n")
    ended = await folder.watch(target, "--input", "hi")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.splitlines()[-1].startswith(f"streamtui: {words}")


# --- usage ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], "Give a TARGET, or an endpoint with -e."),
        (["http://h/", "-e", "demo"], "Give a TARGET, or an endpoint with -e."),
        (["localhost:8000"], "TARGET is neither a URL such as http://host nor MODULE:OBJECT."),
        (["ftp://host/"], "TARGET: expected a URL such as https://host/v1."),
        (["http://me:pw@host/"], "TARGET: expected a URL without user and password"),
        (["http://host/?a#b"], "TARGET: expected a URL without '#'."),
        (["http://host/a/stream?b", "--input", "hi"], "expected a URL without '?' for langserve."),
        (["http://host/", "--key-env", "NO_KEY"], "NO_KEY is not set."),
        (["http://host/", "--input", "{"], "is not JSON"),
        (["http://host/", "--json", "--events"], "choose one"),
        (["http://host/", "--events"], "--events is for LangServe, LangGraph and objects"),
        (["http://host/stream", "--input", "a", "--json"], "--json is for plain streams"),
        (["http://host/stream", "--input", "a", "--events", "v1"], "servers send v2"),
        (["http://host/", "--as", "langserve"], "--input is missing."),
        (["app:chain"], "--input is missing."),
        (["app:chain", "--input", "a", "--key-env", "K"], "--key-env is of no use."),
        (["app:chain", "--input", "a", "--json"], "--json is of no use."),
        (["-e", "demo", "--as", "sse"], "--as is of no use."),
        (["-e", "demo"], "--input is missing."),
    ],
)
async def test_mistakes_are_told(program: Program, args: list[str], words: str) -> None:
    ended = await program.run("watch", *args)
    assert (ended.code, ended.out) == (2, "")
    assert words in " ".join(ended.err.split())


async def test_an_endpoint_of_another_dialect_answers_as_with_run(program: Program) -> None:
    ended = await program.run("watch", "-e", "demo", "--input", '{"a": 1}', "--limit", "1")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.strip()
