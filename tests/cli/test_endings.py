"""How `streamtui run` ends: exit codes, signals, readers who leave, and what a terminal sees."""

import asyncio
import json
import os
import signal
from asyncio.subprocess import DEVNULL, Process
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from streamtui.demo.server import DemoServer
from streamtui.safe_text import safe_text
from tests.cli.conftest import Program, finish
from tests.cli.test_run import PROMPT, answer
from tests.faultserver import SCENARIOS, fault_server
from tests.loopback import free_port
from tests.raw_http import whole_answer

CASES = json.loads(
    (Path(__file__).parents[1] / "cases" / "security_cases.json").read_text(encoding="utf-8")
)
PAYLOADS: list[str] = [case["text"] for case in CASES["escape_payloads"]]


def stream_of(*texts: str) -> list[Any]:
    """Steps of a server that says this, chunk by chunk, and ends well."""
    deltas = [{"choices": [{"index": 0, "delta": {"content": text}}]} for text in texts]
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    frames = [f"data: {json.dumps(data)}\n\n" for data in [*deltas, last]]
    return [["head"], *(["chunk", frame] for frame in [*frames, "data: [DONE]\n\n"]), ["chunk", ""]]


# --- exit codes -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "args",
    [
        ["run", PROMPT, "-e", "demo"],
        ["watch", "http://127.0.0.1:9/events"],
        ["endpoints", "test", "demo"],
        ["endpoints", "models", "demo"],
    ],
    ids=lambda args: " ".join(args[:2]),
)
async def test_an_engine_that_cannot_start_keeps_nobody_waiting(
    program: Program, tmp_path: Path, args: list[str]
) -> None:
    (tmp_path / "aiohttp.py").write_text("raise ImportError('an installation that is broken')")
    program.environ["PYTHONPATH"] = f"{tmp_path}{os.pathsep}{program.environ['PYTHONPATH']}"
    ended = await program.run(*args)
    assert ended.code == 1
    assert "the engine has ended: ImportError. " in ended.err
    assert "Start streamtui again; if it stays so, its log says more." in ended.err


@pytest.mark.parametrize(
    ("model", "options", "code", "words"),
    [
        ("demo/flaky", ["--no-retry"], 4, "HTTP 429, too many requests"),
        ("demo/drop", [], 6, "the connection was lost"),
        ("demo/error", [], 6, "The demo model failed on purpose"),
        ("demo/stall", ["--timeout", "1"], 6, "stopped at the limit of 1 s"),
        ("demo/absent", [], 3, "HTTP 404, model or path not found"),
    ],
)
async def test_each_fault_of_the_demo_keeps_the_text_and_has_its_code(
    far: Program, model: str, options: list[str], code: int, words: str
) -> None:
    ended = await far.run("run", PROMPT, "-e", f"far/{model}", *options)
    text = answer(model) if code == 6 else ""
    assert ended.code == code
    assert ended.out == (f"{text}\n" if text else "")
    kept = f"{len(text)} characters kept" if text else "Nothing received"
    assert ended.err.startswith(f"far/{model}: {words}")
    assert f" {kept}." in ended.err


@pytest.mark.parametrize(
    ("scenario", "code"),
    [
        *(("status-400", 3), ("status-401", 3), ("status-403", 3), ("status-413", 3)),
        *(("redirect-307-other-host", 3), ("status-429", 4), ("status-503", 4)),
        *(("status-529", 4), ("status-500", 4), ("garbage", 6), ("html-200", 6)),
        *(("empty-200", 6), ("fin-no-last-chunk", 6), ("rst-mid", 6), ("error-mid", 6)),
        ("stall-mid", 6),
    ],
)
async def test_each_fault_of_the_wire_has_its_code(
    program: Program, scenario: str, code: int
) -> None:
    async with fault_server(SCENARIOS[scenario]["steps"]) as server:
        program.add_endpoint("bad", server.base_url, "timeouts = { idle = 0.3 }\nretries = 0")
        ended = await program.run("run", "hi")
    assert ended.code == code
    assert ended.out == ("tok1 \n" if "mid" in scenario or "fin" in scenario else "")
    *warnings, error = ended.err.splitlines()
    assert error.startswith("bad/m: ")
    assert len(warnings) == (scenario == "stall-mid")


async def test_a_port_where_nobody_listens_is_a_network_failure(program: Program) -> None:
    program.add_endpoint("dead", f"http://127.0.0.1:{free_port()}/v1", "retries = 0")
    ended = await program.run("run", "hi")
    assert (ended.code, ended.out) == (5, "")
    assert ended.err.startswith("dead/m: ")


async def test_silence_before_the_first_token_is_a_network_failure(program: Program) -> None:
    async with fault_server([["stall"]]) as server:
        more = "timeouts = { first_token = 0.2 }\nretries = 0"
        program.add_endpoint("mute", server.base_url, more)
        ended = await program.run("run", "hi")
    assert (ended.code, ended.out) == (5, "")


async def test_a_wrong_key_is_refused_and_never_shown(program: Program) -> None:
    program.environ["MY_KEY"] = "sk-verysecretverysecret"
    async with fault_server(SCENARIOS["status-401"]["steps"]) as server:
        program.add_endpoint("shut", server.base_url, 'api_key_env = "MY_KEY"')
        ended = await program.run("run", "hi")
    assert ended.code == 3
    assert "MY_KEY" in ended.err
    assert "secret" not in ended.err


async def test_a_missing_key_is_a_matter_of_configuration(
    program: Program, server: DemoServer
) -> None:
    program.add_endpoint("shut", server.base_url, 'api_key_env = "MY_KEY"')
    ended = await program.run("run", "hi")
    assert ended.code == 2
    assert "MY_KEY" in ended.err
    assert not server.requests


@pytest.mark.parametrize(
    ("models", "code"),
    [
        (["demo/verse", "demo/drop"], 6),
        (["demo/absent", "demo/verse"], 3),
        (["demo/drop", "demo/absent", "demo/flaky"], 3),
        (["demo/flaky", "demo/error"], 6),
    ],
)
async def test_the_worst_of_several_endpoints_counts(
    far: Program, models: list[str], code: int
) -> None:
    targets = [arg for model in models for arg in ("-e", f"far/{model}")]
    assert (await far.run("run", PROMPT, "--no-retry", *targets)).code == code


# --- readers who leave ----------------------------------------------------------------------


async def test_a_reader_who_leaves_ends_the_run_although_the_model_is_silent(
    far: Program, server: DemoServer
) -> None:
    reading, writing = os.pipe()
    process = await far.start("run", PROMPT, "-e", "far/demo/stall", stdout=writing)
    os.close(writing)
    first = await asyncio.to_thread(os.read, reading, 1)
    os.close(reading)
    ended = await finish(process)
    assert (first.decode(), ended.code, ended.err) == (answer("demo/stall")[0], 0, "")
    await server.requests[0].closed.wait()
    assert server.requests[0].outcome == "disconnected"


async def test_a_reader_who_leaves_in_the_middle_of_a_flood_is_no_failure(far: Program) -> None:
    reading, writing = os.pipe()
    process = await far.start("run", PROMPT, "-e", "far/demo/fast", stdout=writing)
    os.close(writing)
    await asyncio.to_thread(os.read, reading, 1)
    os.close(reading)
    ended = await finish(process)
    assert (ended.code, ended.err) == (0, "")


async def test_a_full_disk_is_said(far: Program) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    ended = await far.run("run", PROMPT, stdout=full)
    os.close(full)
    assert ended.code == 2
    assert ended.err == ("streamtui: cannot write to standard output: No space left on device\n")


async def test_without_any_standard_output_the_answer_goes_nowhere(
    far: Program, server: DemoServer
) -> None:
    """Not into the connection that would have got its number."""
    command = f"exec {far.python} -m streamtui run hi >&- 2>&-"
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", command, env=far.environ, stdin=DEVNULL
    )
    assert await process.wait() == 0
    assert server.requests[0].outcome == "complete"


async def test_nobody_needs_to_read_standard_error(far: Program) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = await far.start("run", PROMPT, "-e", "far/demo/drop", stderr=writing)
    os.close(writing)
    ended = await finish(process)
    assert (ended.code, ended.out) == (6, answer("demo/drop") + "\n")


# --- signals --------------------------------------------------------------------------------


async def streaming(program: Program, model: str, *options: str) -> Process:
    """A process that has printed what a silent model said, and waits for more."""
    process = await program.start("run", PROMPT, "-e", f"far/{model}", *options)
    assert process.stdout is not None
    await process.stdout.readexactly(len(answer(model).encode()))
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_cancels_and_says_what_was_kept(
    far: Program, server: DemoServer, number: signal.Signals
) -> None:
    process = await streaming(far, "demo/stall")
    process.send_signal(number)
    ended = await finish(process)
    kept = len(answer("demo/stall"))
    assert ended == (130, "\n", f"far/demo/stall: cancelled, {kept} characters kept.\n")
    await server.requests[0].closed.wait()
    assert server.requests[0].outcome == "disconnected"


async def test_a_signal_while_nothing_has_come_ends_the_same_way(far: Program) -> None:
    async with fault_server([["stall"]]) as mute:
        far.add_endpoint("mute", mute.base_url)
        process = await far.start("run", "hi", "--json", "-e", "far/demo/absent", "-e", "mute")
        assert process.stderr is not None
        await process.stderr.readline()  # of the one that is absent: both have been asked
        process.send_signal(signal.SIGINT)
        ended = await finish(process)
    assert (ended.code, ended.err) == (130, "mute/m: cancelled, nothing received.\n")
    assert json.loads(ended.out.splitlines()[1])["state"] == "cancelled"


async def test_a_signal_while_the_prompt_is_awaited_ends_quietly(program: Program) -> None:
    process = await program.start("run", "-")
    assert process.stdin is not None
    process.stdin.write(b"x" * 1_000_000)
    await process.stdin.drain()  # no pipe holds that much: it is being read
    process.send_signal(signal.SIGTERM)
    assert await finish(process) == (130, "", "")


async def test_who_stops_reading_does_not_hold_up_the_end(far: Program) -> None:
    reading, writing = os.pipe()
    process = await far.start("run", PROMPT, "-e", "far/demo/long", stdout=writing)
    os.close(writing)
    await asyncio.to_thread(os.read, reading, 1)
    process.send_signal(signal.SIGINT)
    code = await process.wait()
    os.close(reading)
    assert code == 130


# --- terminals ------------------------------------------------------------------------------


async def on_a_terminal(program: Program, *args: str) -> tuple[int | None, str]:
    """Exit code and the bytes that a terminal as standard output and error got."""
    master, slave = os.openpty()
    process = await program.start(*args, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    seen = await asyncio.to_thread(read_to_the_end, master)
    os.close(master)
    return await process.wait(), seen.decode().replace("\r\n", "\n")


def read_to_the_end(descriptor: int) -> bytes:
    seen = b""
    with suppress(OSError):  # EIO: the last one has closed it
        while data := os.read(descriptor, 65536):
            seen += data
    return seen


async def test_hostile_text_is_harmless_on_a_terminal(program: Program) -> None:
    async with fault_server(stream_of(*PAYLOADS)) as server:
        program.add_endpoint("evil", server.base_url)
        code, seen = await on_a_terminal(program, "run", "hi")
    assert (code, seen) == (0, "".join(map(safe_text, PAYLOADS)).removesuffix("\n") + "\n")
    assert not [c for c in seen if ord(c) < 32 and c not in "\n\t"]


async def test_hostile_text_is_left_alone_in_a_pipe(program: Program) -> None:
    async with fault_server(stream_of(*PAYLOADS)) as server:
        program.add_endpoint("evil", server.base_url)
        ended = await program.run("run", "hi")
    text = "".join(PAYLOADS).encode("utf-8", "replace").decode().replace("?", "\ufffd")
    assert ended.out.replace("?", "\ufffd") == text + "\n"


@pytest.mark.parametrize("form", [["--json"], ["--events", "v2"]])
async def test_hostile_text_in_json_means_the_same_on_a_terminal(
    program: Program, form: list[str]
) -> None:
    texts = [text for text in PAYLOADS if text.isascii()]
    async with fault_server(stream_of(*texts)) as server:
        program.add_endpoint("evil", server.base_url)
        _, seen = await on_a_terminal(program, "run", "hi", *form)
    assert not [c for c in seen if not c.isprintable() and c != "\n"]
    lines = [json.loads(line) for line in seen.splitlines()]
    if form == ["--json"]:
        assert lines[0]["text"] == "".join(texts)
    else:
        chunks = [e["data"]["chunk"] for e in lines if "chunk" in e["data"]]
        assert "".join(chunk["content"] for chunk in chunks) == "".join(texts)


async def test_a_line_end_in_two_chunks_is_one_on_a_terminal(program: Program) -> None:
    async with fault_server(stream_of("a\r", "\nb\r", "c")) as server:
        program.add_endpoint("dos", server.base_url)
        _, seen = await on_a_terminal(program, "run", "hi")
    assert seen == "a\nb␍c\n"


async def test_words_of_an_error_begin_a_line_of_their_own_on_a_terminal(far: Program) -> None:
    code, seen = await on_a_terminal(far, "run", PROMPT, "-e", "far/demo/drop")
    text = answer("demo/drop")
    assert code == 6
    assert seen.startswith(f"{text}\nfar/demo/drop: the connection was lost. ")


async def test_a_hostile_error_is_harmless(program: Program) -> None:
    body = json.dumps({"error": {"message": "no\u001b]0;pwn\u0007\n\u202edl"}})
    answer = whole_answer("400 Bad", "Content-Type: application/json", body=body)
    async with fault_server([["send", answer]]) as server:
        program.add_endpoint("evil", server.base_url)
        ended = await program.run("run", "hi")
    assert ended.code == 3
    assert "no␛]0;pwn␇⏎\ufffddl" in ended.err
