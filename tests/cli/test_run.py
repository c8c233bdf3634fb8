"""`streamtui run` as a process: what comes out of it, against a demo server on loopback."""

import json
from typing import Any

import pytest

from streamtui.demo.question import Question, Turn
from streamtui.demo.scripts import Said, write_script
from streamtui.demo.server import DemoServer
from tests.cli.conftest import Program
from tests.faultserver import SCENARIOS, fault_server

PROMPT = "Write me a 1 verse song about sparkling water."
SUMMARY_KEYS = [
    *("endpoint", "model", "run_id", "state", "text", "reasoning", "tool_calls"),
    *("finish_reason", "usage", "ttft_ms", "duration_ms", "chunks", "attempts", "error"),
]


def said(model: str, prompt: str = PROMPT) -> list[str]:
    """The tokens of a demo model's answer."""
    script = write_script(Question(model=model, turns=(Turn("user", prompt),)))
    return [step.text for step in script.steps() if isinstance(step, Said)]


def answer(model: str, prompt: str = PROMPT) -> str:
    return "".join(said(model, prompt))


def asked(server: DemoServer) -> Any:
    """The newest question that the server got."""
    return server.requests[-1].body["messages"][-1]["content"]


@pytest.mark.parametrize("model", ["demo/verse", "demo/markdown", "demo/fast"])
async def test_the_answer_is_printed_and_nothing_else(far: Program, model: str) -> None:
    ended = await far.run("run", PROMPT, "-e", f"far/{model}")
    assert ended == (0, answer(model).removesuffix("\n") + "\n", "")


async def test_the_embedded_demo_answers_without_any_configuration(program: Program) -> None:
    ended = await program.run("run", PROMPT, "--limit", "3")
    assert ended == (0, "".join(said("demo/verse")[:3]) + "\n", "")


async def test_reasoning_is_not_part_of_the_answer(far: Program) -> None:
    ended = await far.run("run", PROMPT, "-e", "far/demo/thinker")
    assert ended == (0, answer("demo/thinker") + "\n", "")


async def test_a_separator_follows_each_chunk(far: Program) -> None:
    ended = await far.run("run", PROMPT, "--sep", "|")
    assert ended.out == "|".join(said("demo/verse")) + "|\n"


async def test_twenty_thousand_chunks_keep_their_separators(far: Program) -> None:
    ended = await far.run("run", PROMPT, "-e", "far/demo/fast", "--sep", "\x1f")
    assert ended.out.split("\x1f") == [*said("demo/fast"), "\n"]


@pytest.mark.parametrize("args", [["-"], []], ids=["dash", "pipe"])
async def test_the_prompt_comes_from_standard_input(
    far: Program, server: DemoServer, args: list[str]
) -> None:
    ended = await far.run("run", *args, stdin="Zwei Zeilen,\nbitte: 水\n".encode())
    assert ended.code == 0
    assert asked(server) == "Zwei Zeilen,\nbitte: 水"


async def test_an_argument_leaves_standard_input_alone(far: Program, server: DemoServer) -> None:
    await far.run("run", "this one", stdin=b"not this one")
    assert asked(server) == "this one"


async def test_input_in_another_encoding_is_sent_readable_and_said(
    far: Program, server: DemoServer
) -> None:
    ended = await far.run("run", "-", stdin=b"gr\xfc\xdfe")
    assert asked(server) == "gr\ufffd\ufffde"
    assert ended.err == (
        "streamtui: standard input is not UTF-8: what cannot be read is replaced.\n"
    )


@pytest.mark.parametrize("args", [[""], ["-"], [], [" \n"]])
async def test_an_empty_prompt_is_a_mistake(program: Program, args: list[str]) -> None:
    ended = await program.run("run", *args, stdin=b"")
    assert ended.code == 2
    assert "The prompt is empty." in ended.err


async def test_answers_stand_under_headings_in_the_order_given(far: Program) -> None:
    models = ["demo/long", "demo/verse", "demo/markdown"]
    ended = await far.run("run", PROMPT, *(arg for m in models for arg in ("-e", f"far/{m}")))
    expected = [f"## far/{m}\n\n{answer(m).removesuffix(chr(10))}\n" for m in models]
    assert ended == (0, "\n".join(expected), "")


async def test_all_endpoints_are_asked_at_once(far: Program) -> None:
    # The first one never ends, and yet the second one is told of.
    process = await far.start("run", PROMPT, "-e", "far/demo/stall", "-e", "far/demo/absent")
    assert process.stderr is not None
    assert (await process.stderr.readline()).startswith(b"far/demo/absent: HTTP 404")
    assert process.returncode is None


async def test_a_limit_stops_the_model_and_is_no_failure(far: Program, server: DemoServer) -> None:
    ended = await far.run("run", PROMPT, "-e", "far/demo/stall", "--limit", "3")
    assert ended == (0, "".join(said("demo/stall")[:3]) + "\n", "")
    await server.requests[0].closed.wait()
    assert server.requests[0].outcome == "disconnected"


async def test_a_limit_counts_for_each_endpoint(far: Program) -> None:
    ended = await far.run(
        "run", PROMPT, "--limit", "2", "-e", "far/demo/stall", "-e", "far/demo/verse"
    )
    expected = "".join(
        f"## far/{model}\n\n{''.join(said(model)[:2])}\n{end}"
        for model, end in (("demo/stall", "\n"), ("demo/verse", ""))
    )
    assert ended == (0, expected, "")


async def test_model_and_parameters_are_sent(far: Program, server: DemoServer) -> None:
    options = ["--param", "temperature=0.5", "--param", 'stop=["x"]', "--param", "user=bob"]
    ended = await far.run("run", "hi", "-m", "demo/markdown", *options)
    assert ended.code == 0
    body = server.requests[0].body
    assert (body["model"], body["temperature"], body["stop"], body["user"]) == (
        *("demo/markdown", 0.5, ["x"], "bob"),
    )


@pytest.mark.parametrize("param", ["x", "=1", "stop=[", 'a={"b":', 'q="x'])
async def test_a_parameter_that_is_none_is_a_mistake(program: Program, param: str) -> None:
    ended = await program.run("run", "hi", "--param", param)
    assert ended.code == 2
    assert "--param" in ended.err


async def test_a_summary_has_exactly_the_fields_of_the_manual(far: Program) -> None:
    ended = await far.run("run", PROMPT, "--json")
    [line] = ended.out.splitlines()
    summary = json.loads(line)
    assert list(summary) == SUMMARY_KEYS
    assert summary["text"] == answer("demo/verse")
    assert (summary["endpoint"], summary["model"], summary["state"]) == (
        *("far", "demo/verse", "done"),
    )
    assert summary["chunks"] == len(said("demo/verse"))
    assert list(summary["usage"]) == ["input", "output", "cached", "reasoning"]
    assert 0 < summary["ttft_ms"] <= summary["duration_ms"]
    assert (summary["finish_reason"], summary["attempts"]) == ("stop", 1)
    assert (summary["reasoning"], summary["tool_calls"], summary["error"]) == (None, None, None)


async def test_summaries_keep_the_order_and_the_text_before_a_failure(far: Program) -> None:
    models = ["demo/tools", "demo/drop", "demo/error", "demo/thinker", "demo/absent"]
    ended = await far.run(
        "run", PROMPT, "--json", *(arg for m in models for arg in ("-e", f"far/{m}"))
    )
    summaries = [json.loads(line) for line in ended.out.splitlines()]
    assert [s["model"] for s in summaries] == models
    assert [s["state"] for s in summaries] == ["done", "cut_off", "failed", "done", "failed"]
    assert [s["text"] for s in summaries] == [*map(answer, models[:4]), ""]
    tools, drop, error, thinker, absent = summaries
    [call] = tools["tool_calls"]
    assert list(call) == ["id", "name", "arguments"]
    assert json.loads(call["arguments"])
    assert thinker["reasoning"]
    assert list(error["error"]) == ["kind", "message", "status"]
    assert [s["error"]["kind"] for s in (drop, error, absent)] == [
        *("connection-lost", "error-midstream", "not-found"),
    ]
    assert absent["error"]["status"] == 404
    assert ended.code == 3


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_events_are_langchain_s_one_a_line(far: Program, version: str) -> None:
    ended = await far.run("run", PROMPT, "--events", version)
    events = [json.loads(line) for line in ended.out.splitlines()]
    assert [events[0]["event"], events[-1]["event"]] == [
        *("on_chat_model_start", "on_chat_model_end"),
    ]
    streamed = [e["data"]["chunk"] for e in events if e["event"] == "on_chat_model_stream"]
    assert "".join(chunk["content"] for chunk in streamed) == answer("demo/verse")
    assert (ended.code, ended.err) == (0, "")


async def test_events_stop_at_the_limit(far: Program, server: DemoServer) -> None:
    ended = await far.run("run", PROMPT, "-e", "far/demo/stall", "--events", "v2", "--limit", "4")
    assert (ended.code, len(ended.out.splitlines())) == (0, 4)
    await server.requests[0].closed.wait()
    assert server.requests[0].outcome == "disconnected"


async def test_a_tool_call_is_told_to_who_reads_text(far: Program) -> None:
    ended = await far.run("run", PROMPT, "-e", "far/demo/tools")
    assert (ended.code, ended.out) == (0, answer("demo/tools") + "\n")
    assert ended.err.startswith("far/demo/tools: the model calls the tool get_weather({")


async def test_a_retry_is_said_and_the_answer_is_whole(program: Program) -> None:
    async with fault_server(SCENARIOS["retry-after-float"]["steps"]) as server:
        program.add_endpoint("shy", server.base_url)
        ended = await program.run("run", "hi")
    assert ended.code == 0
    assert ended.out
    assert ended.err.startswith("shy/m: HTTP 429, too many requests: slow down. Trying again in ")
    assert ended.err.count("\n") == 1
    assert server.hits == 2


@pytest.mark.parametrize(
    "options",
    [
        *(["--json", "--sep", "|"], ["--json", "--events", "v1"], ["--events", "v2", "--sep", "x"]),
        *(["--limit", "0"], ["--timeout", "0"], ["--events", "v3"], ["--api-key", "x"]),
    ],
)
async def test_options_that_make_no_sense_are_refused(program: Program, options: list[str]) -> None:
    ended = await program.run("run", "hi", *options)
    assert (ended.code, ended.out) == (2, "")


async def test_any_locale_gets_utf_8(far: Program) -> None:
    far.environ |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    ended = await far.run("run", "Grüße 水", "-e", "far/demo/markdown")
    assert (ended.code, ended.err) == (0, "")
    assert "Grüße 水" in ended.out
