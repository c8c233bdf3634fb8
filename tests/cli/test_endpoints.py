"""`streamtui endpoints`: the list, the tests and the models."""

import asyncio
import json
import os
import signal
from typing import Any

import pytest

from streamtui.cli.endpoint_words import (
    heading,
    list_lines,
    list_object,
    report_lines,
    report_object,
)
from streamtui.config import Config, Endpoint, Timeouts, show_config
from streamtui.demo.scripts import MODELS
from streamtui.demo.server import DemoServer
from streamtui.engine.reports import ModelList, ProbeReport, Stage
from streamtui.events import ErrorInfo
from tests.cli.conftest import Program, finish
from tests.engine.test_proxies import proxy_py
from tests.faultserver import fault_server
from tests.raw_http import whole_answer

KEY = "sk-aB3456789012345678"
STAGES = (
    Stage("dns", 0.012, "proxy.example.com → 10.0.0.7"),
    Stage("tcp", 0.0184, "10.0.0.7:3128"),
    Stage("proxy", 0.021, "CONNECT, proxy.example.com:3128"),
    Stage("tls", 0.0429, "TLSv1.3, api.openai.com, issued by WE1, 61 days left"),
    Stage("first byte", 1.3101, "HTTP 200"),
    Stage("first token", 0.0004, "“OK”"),
)
REPORT = ProbeReport(
    "openai",
    "gpt-4o-mini",
    "openai-chat",
    "via proxy office (proxy.example.com:3128)",
    STAGES,
    reply="OK",
    seconds=1.42,
)


def failed_at(place: int, **changes: Any) -> ProbeReport:
    """The report of a way that ended at a stage."""
    stages = (*STAGES[:place], *(Stage(stage.name, None) for stage in STAGES[place:]))
    error = ErrorInfo("tls", "no", "Check the clock", status=None)
    return ProbeReport("e", "m", "d", "direct", stages, error, failed=STAGES[place].name, **changes)


# Words


def test_a_test_stands_line_by_line() -> None:
    models = ModelList(tuple(f"gpt-{number}" for number in range(57)))
    assert report_lines(REPORT, models, width=80, all_models=False) == [
        "  route        via proxy office (proxy.example.com:3128)",
        "  dns              12 ms   proxy.example.com → 10.0.0.7",
        "  tcp              18 ms   10.0.0.7:3128",
        "  proxy            21 ms   CONNECT, proxy.example.com:3128",
        "  tls              43 ms   TLSv1.3, api.openai.com, issued by WE1, 61 days left",
        "  first byte    1,310 ms   HTTP 200",
        "  first token     0.4 ms   “OK”",
        "  in all        1,420 ms",
        "  models       57: gpt-0, gpt-1, gpt-2, gpt-3, gpt-4, …",
    ]


def test_all_models_stand_one_a_line_if_asked_for() -> None:
    lines = report_lines(REPORT, ModelList(("a", "b")), width=80, all_models=True)
    assert lines[-3:] == ["  models       2", "    a", "    b"]


@pytest.mark.parametrize(
    ("models", "words"),
    [
        (ModelList(), "none"),
        (ModelList(("a",)), "1: a"),
        (
            ModelList(error=ErrorInfo("not-found", "HTTP 404", "Check base_url")),
            "HTTP 404. Check base_url.",
        ),
    ],
)
def test_a_list_of_models_may_be_empty_or_not_to_be_had(models: ModelList, words: str) -> None:
    assert report_lines(REPORT, models, width=80, all_models=False)[-1] == f"  models       {words}"


def test_the_end_of_a_way_is_marked_and_what_follows_was_not_reached() -> None:
    lines = report_lines(failed_at(3), None, width=80, all_models=False)
    assert lines[-4:] == [
        "  tls                  -   failed",
        "  first byte           -   not reached",
        "  first token          -   not reached",
        "  error        no. Check the clock.",
    ]


def test_long_words_go_on_below_themselves() -> None:
    stages = (Stage("tls", 0.5, " ".join(["word"] * 30)),)
    report = ProbeReport("e", "m", "d", "direct", stages)
    lines = report_lines(report, None, width=60, all_models=False)[1:-1]
    assert len(lines) > 2
    assert all(len(line) <= 60 for line in lines)
    assert {line.index("word") for line in lines} == {27}


@pytest.mark.parametrize("width", [1, 20, 40, None])
def test_any_width_will_do(width: int | None) -> None:
    words = " ".join(
        report_lines(REPORT, ModelList(("gpt",)), width=width, all_models=False)
    ).split()
    assert {"CONNECT,", "TLSv1.3,", "“OK”", "gpt"} <= set(words)


def test_what_a_server_says_stays_on_its_line_and_does_nothing() -> None:
    evil = "\x1b[2J\nfirst token 0 ms"
    stages = (*STAGES[:5], Stage("first token", 1.0, evil))
    report = ProbeReport("e", "m", "d", "direct", stages, ErrorInfo("auth", evil), reply=evil)
    lines = report_lines(report, ModelList((evil,)), width=None, all_models=True)
    assert not any({"\x1b", "\n"} & set(line) for line in lines)


def test_an_object_says_all_of_a_test() -> None:
    endpoint = Endpoint("openai", "openai-chat", "https://api.openai.com/v1", "gpt-4o-mini")
    found = report_object(endpoint, failed_at(1), ModelList(error=ErrorInfo("auth", "no")))
    assert found == {
        "endpoint": "e",
        "model": "m",
        "dialect": "d",
        "base_url": "https://api.openai.com/v1",
        "route": "direct",
        "stages": [
            {"name": "dns", "ms": 12.0, "words": "proxy.example.com → 10.0.0.7"},
            *({"name": stage.name, "ms": None, "words": ""} for stage in STAGES[1:]),
        ],
        "failed": "tcp",
        "total_ms": 0.0,
        "reply": "",
        "error": {"kind": "tls", "message": "no", "hint": "Check the clock", "status": None},
        "models": None,
        "models_error": {"kind": "auth", "message": "no", "hint": "", "status": None},
    }


def test_a_key_in_the_path_of_a_url_is_not_shown() -> None:
    endpoint = Endpoint("gate", "openai-chat", f"https://gate.example/{KEY}/v1", "m")
    config = Config({"gate": endpoint}, default_endpoint="gate")
    shown = [
        *list_lines(config, None),
        heading(endpoint),
        repr(list_object(endpoint, config)),
        repr(report_object(endpoint, REPORT, None)),
        show_config(config),
    ]
    assert KEY not in "\n".join(shown)
    assert sum("https://gate.example/***/v1" in words for words in shown) == 5


def test_the_list_is_aligned_and_fits() -> None:
    endpoint = Endpoint("a", "openai-chat", "https://a.example/v1", "模型")
    other = Endpoint(
        "longer-name",
        "ollama",
        "http://127.0.0.1:11434",
        "\x1b[31mred",
        timeouts=Timeouts(first_token=7.5),
        retries=0,
        max_concurrent=3,
        max_response_bytes=1000,
        fallbacks=(endpoint,),
    )
    config = Config({"a": endpoint, "longer-name": other}, default_endpoint="a")
    assert list_lines(config, 72) == [
        "ENDPOINT     DIALECT      MODEL     KEY",
        "a            openai-chat  模型      none",
        "  https://a.example/v1 · direct · the default",
        "longer-name  ollama       ␛[31mred  none",
        "  http://127.0.0.1:11434 · direct · falls back to a · first token 7.5 s",
        "  3 at a time · retries 0 · answers up to 1,000 bytes",
    ]
    assert list_lines(config, None)[-1].count(" · ") == 6


# The program


async def test_the_list_tells_ways_and_keys_and_shows_none(program: Program) -> None:
    program.configure(
        '[proxies.office]\nurl = "http://me@proxy.example:3128"\npassword_env = "PROXY_PW"\n'
    )
    program.environ |= {"NEAR_KEY": "sk-secretsecretsecret1", "PROXY_PW": "secret-pw"}
    program.add_endpoint("far", "https://far.example/v1", 'api_key_env = "FAR_KEY"')
    more = 'api_key_env = "NEAR_KEY"\nproxy = "office"\nfallbacks = ["far"]\n'
    program.add_endpoint("near", "https://near.example/v1", more)
    ended = await program.run("endpoints", "list")
    near = (
        "  https://near.example/v1 · via proxy office (proxy.example:3128)"
        " · key from environment variable NEAR_KEY · falls back to far"
    )
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines() == [
        "ENDPOINT  DIALECT      MODEL       KEY",
        "far       openai-chat  m           missing",
        "  https://far.example/v1 · direct · key from environment variable FAR_KEY · the default",
        "near      openai-chat  m           there",
        near,
        "demo      openai-chat  demo/verse  none",
        "  built in · direct",
    ]
    ended = await program.run("endpoints", "list", "--json")
    first, second, third = map(json.loads, ended.out.splitlines())
    assert (first["endpoint"], first["default"], first["key_found"]) == ("far", True, False)
    assert (second["key_source"], second["key_found"]) == ("environment variable NEAR_KEY", True)
    assert (second["route"], second["fallbacks"]) == (
        "via proxy office (proxy.example:3128)",
        ["far"],
    )
    assert third["timeouts"]["connect"] == 20
    assert "secret" not in ended.out


async def test_a_test_of_the_embedded_demo_needs_nothing(program: Program) -> None:
    ended = await program.run("endpoints", "test")
    assert (ended.code, ended.err) == (0, "")
    heading, route, *stages, total, models = ended.out.splitlines()
    assert heading == "demo  demo/verse  openai-chat  built in"
    assert route == "  route        direct"
    assert [line.split("  ")[1] for line in stages] == [
        *("dns", "tcp", "proxy", "tls", "first byte", "first token"),
    ]
    assert total.startswith("  in all")
    assert models.startswith(f"  models       {len(MODELS)}: demo/verse, ")


async def test_endpoints_are_told_in_the_order_given(far: Program) -> None:
    ended = await far.run("endpoints", "test", "far/demo/thinker", "demo", "far", "--json")
    assert (ended.code, ended.err) == (0, "")
    objects = [json.loads(line) for line in ended.out.splitlines()]
    assert [(found["endpoint"], found["model"]) for found in objects] == [
        ("far", "demo/thinker"),
        ("demo", "demo/verse"),
        ("far", "demo/verse"),
    ]
    assert all(found["error"] is None for found in objects)
    assert objects[0]["models"] == list(MODELS)
    assert [stage["name"] for stage in objects[0]["stages"] if stage["ms"] is not None] == [
        *("tcp", "first byte", "first token"),
    ]


async def test_all_are_tested_at_once_and_told_as_they_come(far: Program) -> None:
    async with fault_server([["head"], ["stall"]]) as silent:
        far.add_endpoint("silent", silent.base_url)
        process = await far.start("endpoints", "test", "demo", "silent", "far")
        assert process.stdout is not None
        told = await process.stdout.readuntil(b"silent  m  ")
        assert b"  models       " in told
        await silent.reached(1)
        process.send_signal(signal.SIGINT)
        ended = await finish(process)
        assert (ended.code, ended.err) == (130, "")
        await asyncio.wait_for(silent.left.wait(), 5)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_test_can_be_interrupted(program: Program, number: signal.Signals) -> None:
    async with fault_server([["stall"]]) as silent:
        program.add_endpoint("silent", silent.base_url)
        process = await program.start("endpoints", "test", "silent")
        await silent.reached(1)
        process.send_signal(number)
        ended = await finish(process)
        assert (ended.code, ended.err) == (130, "")
        await asyncio.wait_for(silent.left.wait(), 5)


async def test_the_worst_end_is_the_exit_code(program: Program, server: DemoServer) -> None:
    async with fault_server([]) as gone:
        program.add_endpoint("dead", gone.base_url)
    program.add_endpoint("absent", server.base_url, model="absent")
    program.add_endpoint("locked", server.base_url, 'api_key_env = "NO_KEY"')
    program.add_endpoint("fine", server.base_url, model="demo/verse")
    for names, code in (
        (["fine"], 0),
        (["fine", "absent"], 3),
        (["dead", "fine"], 5),
        (["dead", "absent", "fine"], 3),
        (["locked", "dead", "absent"], 2),
    ):
        assert (await program.run("endpoints", "test", *names)).code == code


async def test_a_failure_is_told_with_its_stage_and_what_to_do(program: Program) -> None:
    async with fault_server([]) as gone:
        program.add_endpoint("dead", gone.base_url)
    ended = await program.run("endpoints", "test", "dead")
    assert (ended.code, ended.err) == (5, "")
    lines = ended.out.splitlines()
    assert "  tcp                  -   failed" in lines
    assert lines[-1] == (
        f"  error        nothing listens on 127.0.0.1:{gone.port}. "
        "Start the server, or check base_url."
    )
    ended = await program.run("endpoints", "test", "dead", "--json")
    found = json.loads(ended.out)
    assert (ended.code, found["failed"], found["error"]["kind"]) == (5, "tcp", "connect")
    assert (found["models"], found["models_error"]) == (None, None)


async def test_a_wrong_model_is_shown_the_right_ones(program: Program, server: DemoServer) -> None:
    program.add_endpoint("absent", server.base_url, model="absent")
    ended = await program.run("endpoints", "test", "absent", "--models")
    assert ended.code == 3
    lines = ended.out.splitlines()
    assert lines[-len(MODELS) :] == [f"    {name}" for name in MODELS]


async def test_an_endpoint_without_a_list_passes_its_test(program: Program) -> None:
    answer = 'data: {"choices":[{"index":0,"delta":{"content":"OK"}}]}\n\n'
    steps: dict[str, list[Any]] = {
        "1": [["head"], ["chunk", answer], ["stall"]],
        "*": [["send", whole_answer("404 N")]],
    }
    async with fault_server(steps) as server:
        program.add_endpoint("plain", server.base_url)
        ended = await program.run("endpoints", "test", "plain")
    assert ended.code == 0
    assert ended.out.splitlines()[-1].startswith("  models       HTTP 404, ")


async def test_a_password_of_a_proxy_is_never_printed(program: Program, server: DemoServer) -> None:
    async with proxy_py("me:right") as port:
        program.configure(
            f'[proxies.office]\nurl = "http://127.0.0.1:{port}"\nusername = "me"\n'
            'password_env = "PROXY_PW"\nloopback = true\n'
        )
        program.environ["PROXY_PW"] = "wrong-pw"
        program.add_endpoint("far", server.base_url, 'proxy = "office"', model="demo/verse")
        for option in ("--json", "--models"):
            ended = await program.run("endpoints", "test", "far", option)
            assert ended.code == 5
            assert f"proxy office (127.0.0.1:{port}) wants other credentials" in ended.out
            assert "wrong-pw" not in ended.out + ended.err


async def test_models_stand_one_a_line(far: Program) -> None:
    ended = await far.run("endpoints", "models", "far")
    assert ended == (0, "\n".join(MODELS) + "\n", "")


async def test_why_there_are_no_models_goes_to_standard_error(far: Program) -> None:
    far.configure(
        f'{far.config.read_text()}\n[endpoints.events]\ndialect = "sse"\nbase_url = "http://127.0.0.1:1"\n'
    )
    ended = await far.run("endpoints", "models", "events")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "events: the dialect “sse” has no list of models. Ask whoever runs the endpoint.\n"
    )


@pytest.mark.parametrize("command", [["test", "nowhere"], ["models", "nowhere"], ["models"]])
async def test_mistakes_have_words_and_a_code(program: Program, command: list[str]) -> None:
    ended = await program.run("endpoints", *command)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err


async def test_a_reader_who_leaves_is_no_failure(program: Program) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = await program.start("endpoints", "test", "demo", stdout=writer)
    os.close(writer)
    assert (await finish(process))[::2] == (0, "")


async def test_a_terminal_gets_lines_that_fit_and_nothing_it_obeys(program: Program) -> None:
    said = '{"error":{"message":"\\u001b[2J' + "long words " * 20 + '"}}'
    master, slave = os.openpty()
    program.environ["COLUMNS"] = "80"
    async with fault_server([["send", whole_answer("400 B", body=said)]]) as server:
        program.add_endpoint("rude", server.base_url)
        process = await program.start("endpoints", "test", "rude", stdout=slave)
        os.close(slave)
        assert (await finish(process)).code == 3
    seen = os.read(master, 65536).decode()
    os.close(master)
    assert "\x1b" not in seen
    assert "␛[2J" in seen
    assert max(map(len, seen.splitlines())) <= 80
