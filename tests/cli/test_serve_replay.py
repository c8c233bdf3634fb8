"""`streamtui serve --replay`: recordings as an endpoint, and whether it says how to ask for them."""

import json
import shlex
import tomllib
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from pathlib import Path
from shutil import which

import pytest
from openai import AsyncOpenAI

from streamtui.demo.server import DemoServer
from tests.cli.conftest import Program
from tests.cli.past import Past, ask, engine, on, past
from tests.cli.test_replay import export
from tests.cli.test_run import PROMPT, answer
from tests.engine.test_reader import EXPECTED, FIXTURES
from tests.stored_runs import COMPLETED, failed, text

__all__ = ["past"]

HELLO = FIXTURES / "openai-chat" / "aimock-chat-hello.http"
GREETED = "Hello! How can I help you today?"
RECORDED_IN_EVERY_DIALECT = [
    "openai-chat/aimock-chat-hello",
    "openai-completions/own-mock-completions-gpt-3.5-turbo-instruct",
    "openai-responses/aimock-responses-hello",
    "anthropic/aimock-messages-hello",
    "gemini/aimock-gemini-hello",
    "ollama/aimock-ollamachat-hello",
    "langserve/langserve-chat-stream",
    "langgraph/langgraph-runs_stream-messages",
]


class Serving:
    """A server that listens, and what it said at first."""

    def __init__(self, process: Process, base_url: str, curl: str, words: list[str]) -> None:
        self.process = process
        self.base_url = base_url
        self.curl = curl
        self.words = words

    @property
    def settings(self) -> str:
        """The lines that belong into a configuration."""
        start = self.words.index("As an endpoint of streamtui:") + 1
        return "\n".join(line.strip() for line in self.words[start : start + 4])


async def serving(program: Program, *options: str) -> Serving:
    process = await program.start("serve", "--speed", "0", *options)
    assert process.stdout is not None
    assert process.stderr is not None
    base_url, curl = [(await process.stdout.readline()).decode().strip() for _ in range(2)]
    words: list[str] = []
    while not words or "Ctrl+C" not in words[-1]:
        words.append((await process.stderr.readline()).decode().rstrip())
    return Serving(process, base_url, curl, words)


@pytest.mark.parametrize("name", RECORDED_IN_EVERY_DIALECT)
async def test_the_settings_that_are_told_are_right(program: Program, name: str) -> None:
    server = await serving(program, "--replay", str(FIXTURES / f"{name}.http"))
    program.configure(server.settings)
    endpoint = tomllib.loads(server.settings)["endpoints"]["replay"]
    assert endpoint["dialect"] == name.partition("/")[0]
    assert endpoint["model"] == f"replay/{Path(name).name}"
    ended = await program.run("run", "hi", "-e", "replay", "--json")
    found = json.loads(ended.out)
    assert (found["text"], found["state"]) == (EXPECTED[name]["text"], "done")


@pytest.mark.skipif(which("curl") is None, reason="needs curl")
@pytest.mark.parametrize(
    "path",
    [
        *(FIXTURES / f"{name}.http" for name in RECORDED_IN_EVERY_DIALECT),
        FIXTURES / "sse" / "own-named-events.http",
    ],
    ids=lambda path: path.stem,
)
async def test_the_line_for_curl_gets_the_recording(program: Program, path: Path) -> None:
    server = await serving(program, "--replay", str(path), "--dialect", path.parent.name)
    asking = await create_subprocess_exec(*shlex.split(server.curl), "-s", stdout=PIPE)
    out, _ = await asking.communicate()
    assert asking.returncode == 0
    assert path.read_bytes().endswith(b"\r\n\r\n" + out)


async def test_it_says_what_is_served_under_which_name(program: Program, tmp_path: Path) -> None:
    path = export(tmp_path, *text("a", "b"), COMPLETED)
    refused = FIXTURES / "gemini" / "aimock-gemini-err429.http"
    options = [part for what in (HELLO, path, HELLO, refused) for part in ("--replay", str(what))]
    server = await serving(program, *options, "--dialect", "gemini")
    root = server.base_url.removesuffix("/v1")
    heading, *rows = [line.split() for line in server.words[:5]]
    assert heading == ["MODEL", "DIALECT", "BASE", "URL", "RECORDED"]
    assert [row[0] for row in rows] == [
        "replay/aimock-chat-hello",
        "replay/run.jsonl",
        "replay/aimock-chat-hello-2",
        "replay/aimock-gemini-err429",
    ]
    assert " ".join(rows[1][1:]) == f"any dialect {root}/v1 done, 2 chunks in 0.3 s"
    assert rows[3][1:3] == ["gemini", root]
    assert "Any other model gets the 4 of them in turn." in server.words
    assert server.words[-1] == "Any client can use it, with any key. Ctrl+C ends it."


async def test_an_official_client_streams_a_stored_run(past: Past, server: DemoServer) -> None:
    async with engine() as attached:
        run_id = await ask(attached, on(server, "demo/verse"), PROMPT)
    replay = await serving(past.program, "--replay", run_id[:30])
    async with AsyncOpenAI(api_key="none", base_url=replay.base_url, max_retries=0) as client:
        (model,) = (await client.models.list()).data
        stream = await client.chat.completions.create(
            model=model.id, messages=[{"role": "user", "content": "hi"}], stream=True
        )
        chunks = [chunk async for chunk in stream]
    assert model.id == f"replay/{run_id[:13]}"
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert said == answer("demo/verse")


async def test_what_failed_once_fails_again_and_then_not(program: Program) -> None:
    """A retry after a recorded 429, without waiting for somebody else's server to be busy."""
    refused = str(FIXTURES / "openai-chat" / "aimock-chat-err429.http")
    server = await serving(program, "--replay", refused, "--replay", str(HELLO))
    program.add_endpoint("far", server.base_url)
    ended = await program.run("run", "hi")
    assert (ended.code, ended.out) == (0, f"{GREETED}\n")
    assert "Trying again" in ended.err


async def test_a_model_that_is_not_recorded_is_refused(program: Program) -> None:
    server = await serving(program, "--replay", str(HELLO))
    program.add_endpoint("far", server.base_url, model="replay/nope")
    ended = await program.run("run", "hi")
    assert (ended.code, ended.out) == (3, "")
    assert "There is no recording replay/nope. There are: replay/aimock-chat-hello." in ended.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--replay", "no.http"], "streamtui: no.http cannot be read: No such file or directory."),
        (["--replay", "norun"], "streamtui: no run begins with “norun”. `streamtui history` lists"),
        (["--dialect", "sse"], "--dialect says how to read a recording: give one with --replay."),
    ],
)
async def test_what_cannot_be_served_is_told_at_once(
    past: Past, options: list[str], words: str
) -> None:
    ended = await past.program.run("serve", *options)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err


async def test_a_run_that_reached_nobody_is_not_served(program: Program, tmp_path: Path) -> None:
    path = export(tmp_path, failed("no such host", "dns", None))
    ended = await program.run("serve", "--replay", path)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "streamtui: run.jsonl cannot be served: it got no answer (no such host), "
        "so there is none to serve.\n"
    )
