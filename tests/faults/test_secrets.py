"""Whatever a server quotes of a secret and however it fails: nothing that is told shows it."""

import json
import logging
import os
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamtui.engine.doors import Command
from streamtui.errors import error_from_info
from streamtui.event_words import describe
from streamtui.events import RunCutOff, RunFailed
from streamtui.langchain import EventTranslator, to_plain
from streamtui.logs import log_to_file
from streamtui.redact import Secret
from streamtui.ui.app import StreamTUIApp
from streamtui.ui.log_words import payload
from streamtui.ui.screens.event_detail import event_json
from streamtui.ui.state import border_subtitle, border_title
from tests.cli.conftest import Program
from tests.faults.leaks import LEAKS, WAYS, Leak, found_in, leaking_servers, ways
from tests.faults.live import live_console
from tests.faults.outcome import Outcome, endpoint_at, play
from tests.ui.harness import configuration
from tests.ui.pty_driver import program_in_pty
from tests.ui.scripted_doors import ScriptedDoors


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    """Where the log goes, all of it."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    path = tmp_path / "streamtui.log"
    log_to_file(path)
    root.setLevel(logging.DEBUG)
    yield path
    for handler in set(root.handlers) - set(handlers):
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)


def told(outcome: Outcome) -> Iterator[str]:
    """Everything that is made of the events of a run."""
    for event in outcome.events:
        yield event_json(event)
        yield repr(event)
        yield payload(event.body)
        yield describe(event.body).words
        if isinstance(event.body, RunFailed | RunCutOff):
            error = error_from_info(event.body.error)
            yield "".join(traceback.format_exception(error))
    yield repr(outcome.toasts)
    yield "\n".join(outcome.rows())
    yield repr((border_title(outcome.pane, 1, 0, 400), border_subtitle(outcome.pane, 0, 400)))
    for version in ("v1", "v2"):
        translator = EventTranslator(version)
        for event in outcome.events:
            yield from (json.dumps(to_plain(said)) for said in translator.feed(event))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.id)
async def test_a_secret_that_a_server_sends_back_is_told_nowhere(
    leak: Leak, way: str, log: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    outcome = await play(ways(leak.text)[way], retries=0, **leak.changes)
    assert outcome.hits == 1
    for text in told(outcome):
        assert found_in(text, leak) == [], text
    written = log.read_text() if log.exists() else ""
    assert found_in(written + "".join(capfd.readouterr()), leak) == []


def in_all(shown: str) -> list[str]:
    """The secrets of all endpoints that a text shows."""
    return [secret for leak in LEAKS for secret in found_in(shown, leak)]


async def test_secrets_that_servers_send_back_are_on_no_screen() -> None:
    seen: list[str] = []
    async with leaking_servers() as servers:
        endpoints = [
            endpoint_at(server.base_url, name=f"m{number}", retries=0, **leak.changes)
            for number, (server, leak) in enumerate(servers)
        ]
        async with live_console(*endpoints, size=(240, 70)) as c:
            await c.until(lambda: len(c.app.errors) >= len(servers), "all failed")
            await c.until_shown("***")
            seen.append(c.screen_text())
            await c.press("f3")
            await c.until_shown("run_failed")
            c.app.main.log_box.log_view.focus()
            for _ in range(5):
                seen.append(c.screen_text())
                await c.press("pageup")
            await c.press("f5")
            await c.until_shown("errors ─")
            seen.append(c.screen_text())
            await c.press("enter")
            await c.until_shown('"error": {')
            seen.append(c.screen_text())
            seen.append(str(c.toasts()))
    for screen in seen:
        assert in_all(screen) == [], screen


async def test_secrets_that_servers_send_back_are_in_no_output_and_no_file(
    program: Program, tmp_path: Path
) -> None:
    async with leaking_servers() as servers:
        for number, (server, leak) in enumerate(servers):
            configure(program, f"m{number}", server.base_url, leak)
        targets = [arg for number in range(len(servers)) for arg in ("-e", f"m{number}")]
        ended = [
            await program.run("run", "hi", *targets, *options)
            for options in ([], ["--json"], ["--events", "v1"], ["--events", "v2"])
        ]
        ended += [await program.run("config", what) for what in ("show", "check")]
    assert ended[0].err.count("***") >= 5
    assert all(server.hits == 4 for server, _ in servers)
    assert [end.code for end in ended[-2:]] == [0, 0]
    for end in ended:
        assert in_all(end.out + end.err) == [], end
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path != program.config]
    for path in files:
        assert in_all(path.read_text(errors="replace")) == [], path


def configure(program: Program, name: str, base_url: str, leak: Leak) -> None:
    """An endpoint whose secrets are where users have them: in the environment, or in the file."""
    more = ["retries = 0"]
    endpoint = endpoint_at(base_url, **leak.changes)
    if endpoint.api_key is not None:
        program.environ[f"KEY_{name}"] = endpoint.api_key.reveal()
        more.append(f'api_key_env = "KEY_{name}"')
    if endpoint.headers:
        headers = ", ".join(f'{key} = "{value}"' for key, value in endpoint.headers.items())
        more.append(f"headers = {{ {headers} }}")
    if (proxy := endpoint.proxy) is not None and proxy.password is not None:
        program.environ[f"PASSWORD_{name}"] = proxy.password.reveal()
        more += [f'proxy = "{name}"', f"[proxies.{name}]", f'url = "{proxy.url}"']
        more += [f'username = "{proxy.username}"', f'password_env = "PASSWORD_{name}"']
    program.add_endpoint(name, base_url, "\n".join(more))


class BrokenDoors(ScriptedDoors):
    """A bug where endpoints are at hand."""

    def execute(self, command: Command) -> None:
        raise RuntimeError(f"no {KEY}\x1b]0;pwn\x07")


KEY = "sk-secret-0123456789abcdef"
COOKIE = "hunter2-my-literal-cookie"


def broken_console() -> None:
    sys.stderr = os.fdopen(os.dup(2), "w")  # the terminal, where pytest put a file
    endpoint = endpoint_at(
        "http://127.0.0.1:9/v1", api_key=Secret(KEY), headers={"Cookie": f"session={COOKIE}"}
    )
    doors = BrokenDoors()
    StreamTUIApp(doors, configuration(endpoint), opening=[endpoint]).run()


def test_a_bug_in_the_console_prints_no_secret_and_nothing_that_a_terminal_obeys() -> None:
    with program_in_pty(broken_console) as program:
        program.wait_for_exit()
        program._reader.join(10)  # to the last byte
        received = bytes(program.received)
    assert b"RuntimeError" in received, "what kind of bug it was is told"
    assert KEY.encode() not in received
    assert COOKIE.encode() not in received
    assert b"\x1b]0;pwn" not in re.sub(rb"\x1b\[[0-9;]*m", b"", received)
