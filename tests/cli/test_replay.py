"""`streamtui history replay`: what is printed of a recording, when, and how it ends."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from streamtui.demo.server import DemoServer
from streamtui.events import Body, RunCancelled
from streamtui.export import read_jsonl, to_jsonl
from tests.cli.conftest import Program, finish
from tests.cli.past import Past, Terminal, ask, engine, on, past
from tests.cli.test_run import PROMPT, answer
from tests.engine.test_reader import EXPECTED, FIXTURES
from tests.stored_runs import (
    COMPLETED,
    cancelled,
    conversation,
    cut_off,
    failed,
    run,
    stored,
    text,
)

__all__ = ["past"]

LONG = 3600.0
HELLO = str(FIXTURES / "openai-chat" / "aimock-chat-hello.http")
LAST_WORDS = {
    "openai-chat/aimock-chat-hello": "",
    "anthropic/aimock-messages-reason": "",
    "gemini/own-gemini-array-no-alt-sse": "",
    "ollama/own-ollama-thinking": "",
    "langserve/langserve-chat-stream": "",
    "openai-chat/aimock-chat-disconnect": "the answer ended without its end marker. 12 characters",
    "anthropic/own-anthropic-ping-overloaded": "Overloaded. 3 characters kept.",
    "openai-chat/own-empty-body": "empty answer: the endpoint sent no data. Nothing received.",
    "openai-chat/own-200-html": "got a web page (text/html) instead of a stream. Nothing",
    "openai-chat/aimock-chat-err401": "HTTP 401, the key was rejected: Incorrect API key provided",
    "openai-chat/aimock-chat-err429": "HTTP 429, too many requests: Rate limit exceeded. Please",
    "openai-responses/own-responses-failed": "slow down. Nothing received.",
}
CODES = {
    "openai-chat/aimock-chat-disconnect": 6,
    "anthropic/own-anthropic-ping-overloaded": 6,
    "openai-chat/own-empty-body": 6,
    "openai-chat/own-200-html": 6,
    "openai-chat/aimock-chat-err401": 3,
    "openai-chat/aimock-chat-err429": 4,
    "openai-responses/own-responses-failed": 4,
}


def export(folder: Path, *bodies: Body, at: tuple[float, ...] = ()) -> str:
    """A file with one run that was exported."""
    path = folder / "run.jsonl"
    path.write_text(to_jsonl(stored(run(*bodies, at=at))))
    return str(path)


# --- recorded responses ----------------------------------------------------------------------


@pytest.mark.parametrize("name", LAST_WORDS)
async def test_a_response_is_printed_as_run_would_have_printed_it(
    program: Program, name: str
) -> None:
    ended = await program.run("history", "replay", str(FIXTURES / f"{name}.http"), "--speed", "0")
    expected = EXPECTED[name].get("text", "")
    assert ended.code == CODES.get(name, 0)
    assert ended.out == (f"{expected}\n" if expected else "")
    words = LAST_WORDS[name]
    assert ended.err.startswith(f"{Path(name).name}.http: {words}" if words else "")
    assert bool(ended.err) == bool(words)


async def test_a_summary_is_that_of_run(program: Program) -> None:
    ended = await program.run("history", "replay", HELLO, "--json", "--speed", "0")
    found = json.loads(ended.out)
    assert (found["endpoint"], found["state"]) == ("aimock-chat-hello.http", "done")
    assert (found["text"], found["finish_reason"]) == ("Hello! How can I help you today?", "stop")
    assert (found["usage"]["input"], found["usage"]["output"]) == (2, 8)
    assert (found["ttft_ms"], found["chunks"], found["error"]) == (None, 6, None)


async def test_chunks_can_be_told_apart(program: Program) -> None:
    ended = await program.run("history", "replay", HELLO, "--sep", "|", "--speed", "0")
    assert ended.out == "Hello!| How c|an I h|elp yo|u toda|y?|\n"


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_events_can_be_those_of_langchain(program: Program, version: str) -> None:
    ended = await program.run("history", "replay", HELLO, "--events", version, "--speed", "0")
    names = [json.loads(line)["event"] for line in ended.out.splitlines()]
    assert (names[0], names[-1]) == ("on_chat_model_start", "on_chat_model_end")


async def test_whose_stream_it_is_has_to_be_said_where_it_does_not_show(
    program: Program, tmp_path: Path
) -> None:
    path = str(FIXTURES / "openai-chat" / "own-only-done.http")
    ended = await program.run("history", "replay", path)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        f"streamtui: {path} cannot be played: whose stream it is does not show; "
        "say it with --dialect.\n"
    )
    ended = await program.run("history", "replay", path, "--dialect", "openai-chat")
    assert ended.code == (6 if EXPECTED["openai-chat/own-only-done"]["error"] else 0)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"hello", "cannot be played: it does not begin with a status line such as"),
        (b"", "cannot be played: it does not begin with a status line such as"),
        (b'{"seq": 1}\n', "cannot be played: line 1 is no event of streamtui"),
        (None, "cannot be read: No such file or directory"),
    ],
)
async def test_a_file_that_is_no_recording_is_told(
    program: Program, tmp_path: Path, content: bytes | None, words: str
) -> None:
    path = tmp_path / "file.http"
    if content is not None:
        path.write_bytes(content)
    ended = await program.run("history", "replay", str(path))
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"streamtui: {path} {words}")


async def test_a_folder_is_no_recording(program: Program, tmp_path: Path) -> None:
    ended = await program.run("history", "replay", f"{tmp_path}/")
    assert (ended.code, ended.err) == (2, f"streamtui: {tmp_path} is no ordinary file.\n")


async def test_what_is_too_long_for_a_file_is_no_run_either(program: Program) -> None:
    ended = await program.run("history", "replay", "x" * 300)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("streamtui: no run begins with “xxx")


# --- stored and exported runs ----------------------------------------------------------------


@pytest.mark.parametrize(("model", "code"), [("demo/verse", 0), ("demo/drop", 6)])
async def test_a_stored_run_is_played_as_it_was(
    past: Past, server: DemoServer, tmp_path: Path, model: str, code: int
) -> None:
    async with engine() as attached:
        run_id = await ask(attached, on(server, model), PROMPT)
        command = ("history", "replay", run_id[:30], "--speed", "0")
        text_of_it = await past.program.run(*command)
        summary = await past.program.run(*command, "--json")
        events = await past.program.run(*command, "--events")
    assert (text_of_it.code, text_of_it.out) == (code, answer(model) + "\n")
    assert summary.code == events.code == code
    assert json.loads(summary.out)["run_id"] == run_id
    assert json.loads(summary.out)["ttft_ms"] > 0
    told = read_jsonl(events.out.encode())
    heard = [event for event in attached.events if event.run_id == run_id]
    assert [(event.seq, event.body) for event in told] == [(e.seq, e.body) for e in heard]
    exported = str(tmp_path / "a.jsonl")
    await past.program.run("history", "export", run_id, "-o", exported)
    assert await past.program.run("history", "replay", exported, "--speed", "0") == text_of_it


async def test_of_a_conversation_the_last_run_is_played(program: Program, tmp_path: Path) -> None:
    first, second = run(*text("one"), COMPLETED), run(*text("two"), COMPLETED, run_id="r2")
    (tmp_path / "a.jsonl").write_text(to_jsonl(conversation(first, second)))
    ended = await program.run("history", "replay", "a.jsonl", "--speed", "0", cwd=tmp_path)
    assert ended == (0, "two\n", "")


@pytest.mark.parametrize(
    ("end", "code", "words"),
    [
        (cut_off(), 6, "mirror/m: the connection was lost. 4 characters kept. Ask again.\n"),
        (failed(), 6, "mirror/m: HTTP 401, no. Nothing received.\n"),
        (cancelled(), 130, "mirror/m: cancelled, 4 characters kept.\n"),
    ],
)
async def test_an_end_that_was_bad_is_told_with_the_code_of_run(
    program: Program, tmp_path: Path, end: Body, code: int, words: str
) -> None:
    path = export(tmp_path, *text("half"), end)
    ended = await program.run("history", "replay", path, "--speed", "0")
    assert (ended.out, ended.err) == ("half\n", words)
    assert ended.code == (3 if "401" in words else code)


async def test_a_run_that_reached_nobody_is_a_network_failure(
    program: Program, tmp_path: Path
) -> None:
    path = export(tmp_path, failed("no such host", "dns", None))
    ended = await program.run("history", "replay", path)
    assert ended == (5, "", "mirror/m: no such host. Nothing received.\n")


# --- time ------------------------------------------------------------------------------------


async def test_the_pauses_are_those_that_were_or_shorter(program: Program, tmp_path: Path) -> None:
    path = export(tmp_path, *text("a", "b"), COMPLETED, at=(0.0, 40.0, 40.0))
    process = await program.start("history", "replay", path, "--speed", "100")
    assert process.stdout is not None
    clock = asyncio.get_running_loop().time
    assert await process.stdout.readexactly(1) == b"a"
    first = clock()
    assert await process.stdout.readexactly(1) == b"b"
    assert clock() - first >= 0.3
    assert (await finish(process)).code == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_replay_can_be_left_at_once(
    program: Program, tmp_path: Path, number: signal.Signals
) -> None:
    path = export(tmp_path, *text("abc", "d"), COMPLETED, at=(0.0, LONG, LONG))
    process = await program.start("history", "replay", path)
    assert process.stdout is not None
    await process.stdout.readexactly(3)
    process.send_signal(number)
    async with asyncio.timeout(5):
        assert await finish(process) == (130, "\n", "mirror/m: cancelled, 3 characters kept.\n")


async def test_who_has_read_enough_ends_it(program: Program, tmp_path: Path) -> None:
    path = export(tmp_path, *text("abc", "d"), COMPLETED, at=(0.0, LONG, LONG))
    reading, writing = os.pipe()
    process = await program.start("history", "replay", path, stdout=writing)
    os.close(writing)
    assert await asyncio.to_thread(os.read, reading, 3) == b"abc"
    os.close(reading)
    async with asyncio.timeout(5):
        assert (await finish(process)).code == 0


# --- step by step ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "code", "out"),
    [
        (b"\n\n\n", 0, "abc\n"),
        (b"\n q", 0, "ab\n"),
        (b"Q", 0, ""),
        (b"\n", 0, "a\n"),
        (b"x\nyy\nz", 0, "ab\n"),
        (b"", 0, ""),
    ],
    ids=["all", "q", "at once", "the end", "other keys", "nothing"],
)
async def test_each_enter_is_a_step(
    program: Program, tmp_path: Path, keys: bytes, code: int, out: str
) -> None:
    path = export(tmp_path, *text("a", "b", "c"), COMPLETED, at=(LONG,) * 4)
    ended = await program.run("history", "replay", path, "--step", stdin=keys)
    assert (ended.code, ended.out) == (code, out)


async def test_with_events_each_event_is_a_step(program: Program, tmp_path: Path) -> None:
    path = export(tmp_path, *text("a", "b"), COMPLETED)
    ended = await program.run("history", "replay", "--step", "--events", path, stdin=b"\n\nq")
    *events, end = read_jsonl(ended.out.encode())
    assert events == run(*text("a", "b"), COMPLETED)[:2]
    assert isinstance(end.body, RunCancelled)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at a terminal's settings")
async def test_on_a_terminal_keys_leave_no_trace(program: Program, tmp_path: Path) -> None:
    path = export(tmp_path, *text("one ", "two ", "three"), COMPLETED)
    terminal = Terminal()
    process = await terminal.start(program, "history", "replay", path, "--step")
    assert await terminal.until("q ends\n") == "enter goes on · q ends\n"
    seen = ""
    for word in ("one ", "two "):
        terminal.press("\r")
        seen += await terminal.until(word)
    assert seen == "one two "
    terminal.press("q")
    assert await terminal.rest() == "\nmirror/m: cancelled, 8 characters kept.\n"
    assert await process.wait() == 0


async def test_ctrl_c_ends_a_step_and_gives_the_terminal_back(
    program: Program, tmp_path: Path
) -> None:
    import termios

    path = export(tmp_path, *text("one ", "two "), COMPLETED)
    terminal = Terminal()
    kept = os.dup(terminal.slave)
    before = termios.tcgetattr(kept)
    process = await terminal.start(program, "history", "replay", path, "--step")
    await terminal.until("q ends\n")
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(5):
        assert await process.wait() == 130
    assert termios.tcgetattr(kept) == before
    os.close(kept)
    await terminal.rest()


# --- usage -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        ["--json", "--events"],
        ["--sep", "|", "--json"],
        ["--step", "--speed", "2"],
        ["--speed", "-1"],
        ["--dialect", "klingon"],
    ],
)
async def test_options_that_make_no_sense_are_refused(program: Program, options: list[str]) -> None:
    ended = await program.run("history", "replay", HELLO, *options)
    assert (ended.code, ended.out) == (2, "")
