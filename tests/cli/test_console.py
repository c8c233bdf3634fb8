"""`streamtui` and `streamtui demo`: what the console is given, and that it comes up."""

import os
from typing import Any

import pytest

from streamtui import cli
from streamtui.cli import common, console
from streamtui.engine.doors import Send
from streamtui.errors import ConfigError
from streamtui.ui import app
from tests.cli.conftest import Program
from tests.cli.past import Terminal
from tests.cli.scripted_doors import ScriptedDoors, done
from tests.cli.test_endings import on_a_terminal


class FakeApp:
    """Notes what it is given, and ends."""

    given: dict[str, Any]
    return_code: int | None = 0

    def __init__(self, doors: object, config: object, **options: Any) -> None:
        FakeApp.given = {"doors": doors, "config": config, **options}

    def engine_lost(self) -> None:
        pass

    def run(self) -> None:
        pass


@pytest.fixture
def doors(monkeypatch: pytest.MonkeyPatch, program: Program) -> ScriptedDoors:
    """The engine of a console that has a terminal and a home of its own."""
    doors = ScriptedDoors({"demo": done("la")})
    monkeypatch.setattr(console, "is_terminal", lambda _: True)
    monkeypatch.setenv("STREAMTUI_ENGINE", "thread")
    monkeypatch.setattr(common, "engine_in_thread", lambda: doors)
    monkeypatch.setattr(app, "StreamTUIApp", FakeApp)
    for name in os.environ:
        if name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, program.environ[name])
    monkeypatch.setenv("TERM", "xterm")
    return doors


def opened() -> list[str]:
    return [endpoint.model for endpoint in FakeApp.given["opening"]]


def asked(doors: ScriptedDoors) -> dict[str, str]:
    """What was sent to each model before there was an app, which was told of them all."""
    sessions = FakeApp.given["asked"].sessions
    sent = {c.session_id: c.prompt for c in doors.commands if isinstance(c, Send)}
    assert list(sent) == list(sessions)
    return {sessions[session_id].model: prompt for session_id, prompt in sent.items()}


def test_without_anything_the_default_endpoint_opens(doors: ScriptedDoors) -> None:
    assert cli._run([]) == 0
    assert opened() == []
    assert FakeApp.given["fallback"].model == "demo/verse"
    assert FakeApp.given["doors"] is doors
    assert (FakeApp.given["prompt"], FakeApp.given["show_events"]) == ("", False)
    assert FakeApp.given["restore"]  # what was open last time comes before it


def test_what_was_open_last_time_comes_back_beside_named_endpoints_when_it_is_wished(
    doors: ScriptedDoors,
) -> None:
    assert cli._run(["-e", "demo"]) == 0
    assert not FakeApp.given["restore"]
    assert cli._run(["--resume", "-e", "demo"]) == 0
    assert FakeApp.given["restore"]


def test_each_endpoint_gets_a_pane_and_all_get_the_prompt(doors: ScriptedDoors) -> None:
    assert cli._run(["-e", "demo/slow", "-e", "demo", "-p", "hi"]) == 0
    assert asked(doors) == {"demo/slow": "hi", "demo/verse": "hi"}
    assert opened() == []


def test_without_a_prompt_nothing_is_asked(doors: ScriptedDoors) -> None:
    assert cli._run(["-e", "demo/slow", "-e", "demo"]) == 0
    assert opened() == ["demo/slow", "demo/verse"]
    assert FakeApp.given["asked"] is None
    assert doors.commands == []


def test_without_an_endpoint_the_prompt_waits_for_the_panes_of_last_time(
    doors: ScriptedDoors,
) -> None:
    assert cli._run(["-p", "hi"]) == 0
    assert (FakeApp.given["asked"], FakeApp.given["prompt"]) == (None, "hi")
    assert doors.commands == []


def test_the_demo_has_four_panes_a_prompt_and_the_event_log(doors: ScriptedDoors) -> None:
    assert cli._run(["demo"]) == 0
    assert list(asked(doors)) == ["demo/verse", "demo/markdown", "demo/thinker", "demo/tools"]
    assert all(asked(doors).values())
    assert FakeApp.given["show_events"]


def test_an_unknown_endpoint_is_told_before_the_screen_changes(doors: ScriptedDoors) -> None:
    with pytest.raises(ConfigError, match="unknown endpoint"):
        cli._run(["-e", "nope"])


def test_the_exit_code_is_the_app_s(doors: ScriptedDoors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeApp, "return_code", 1)
    assert cli._run([]) == 1


def test_a_dumb_terminal_is_none(doors: ScriptedDoors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert cli._exit_code(lambda: cli._run([])) == 2


async def test_the_console_comes_up_and_goes(program: Program) -> None:
    program.environ["TERM"] = "xterm-256color"
    terminal = Terminal()
    process = await terminal.start(program)
    await terminal.until("demo")
    terminal.press("\x11")  # ctrl+q
    await terminal.until("\x1b[?1049l")
    await terminal.rest()
    assert await process.wait() == 0


async def test_without_a_terminal_a_prompt_is_answered_as_text(program: Program) -> None:
    ended = await program.run("-e", "demo/verse", "-e", "demo/tools", "-p", "hi")
    assert ended.code == 0
    assert "Scripted by demo/verse" in ended.out
    assert "Scripted by demo/tools" in ended.out
    assert "standard input is no terminal for a console: this is `streamtui run`" in ended.err


async def test_without_a_terminal_and_a_prompt_it_says_what_to_do(program: Program) -> None:
    ended = await program.run()
    assert ended.code == 2
    assert "-p PROMPT" in ended.err
    assert "ssh -t" in ended.err
    assert not ended.out


async def test_a_terminal_that_is_dumb_gets_text(program: Program) -> None:
    program.environ["TERM"] = "dumb"
    code, seen = await on_a_terminal(program, "-e", "demo/verse", "-p", "hi")
    assert code == 0
    assert "Scripted by demo/verse" in seen
    assert "TERM=dumb" in seen
    assert "\x1b" not in seen
