"""`streamtui sessions`: what the program says of engines that run, and how it ends them."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from rich.cells import cell_len

from streamtui.cli.sessions import list_lines
from streamtui.demo.server import DemoServer
from streamtui.engine.doors import ListSessions, OpenSession, Send
from streamtui.engine.host import commands, wire
from streamtui.engine.host.client import Link
from streamtui.engine.host.commands import ask_running, stop_running
from streamtui.engine.host.process import socket_path
from streamtui.engine.reports import SessionSummary
from streamtui.errors import RunError
from streamtui.events import RUN_ENDS, Chunk, RunCancelled, SessionClosed
from tests.cli.past import Past, ask, engine, on, past
from tests.cli.test_endings import on_a_terminal
from tests.cli.test_run import PROMPT
from tests.engine.host.consoles import SLOW
from tests.engine.host.test_process import until_gone
from tests.processes import engine_pids
from tests.ui.pty_driver import program_in_pty

__all__ = ["past"]

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="engines are found through /proc"
)


def summary(session_id: str, **changes: object) -> SessionSummary:
    fields = {"endpoint": "far", "model": "m", "live": False, "runs": 1, "prompt": "hi"} | changes
    return SessionSummary(session_id, **fields)  # type: ignore[arg-type]


# --- the list --------------------------------------------------------------------------------


def test_sessions_stand_in_a_table() -> None:
    sessions = [
        summary("01934f2a-7b1c-7abc", live=True, prompt="Write me\na song"),
        summary("01934f2a-7b1d-7abc", private=True, runs=12, model=""),
        summary("01934f2a-7b1e-7abc", live=True, private=True, endpoint="demo", model="demo/slow"),
    ]
    assert list_lines(sessions, 100) == [
        "SESSION        STATE          ENDPOINT   RUNS  PROMPT",
        "01934f2a-7b1c  live           far/m      1     Write me⏎a song",
        "01934f2a-7b1d  idle, private  far        12    hi",
        "01934f2a-7b1e  live, private  demo/slow  1     hi",
    ]
    assert list_lines(sessions, 70)[:3] == [
        "SESSION        STATE          ENDPOINT   RUNS",
        "01934f2a-7b1c  live           far/m      1",
        "  Write me⏎a song",
    ]


@pytest.mark.parametrize("args", [[], ["list"]])
async def test_without_an_engine_nothing_is_open(past: Past, args: list[str]) -> None:
    ended = await past.program.run("sessions", *args)
    assert ended == (0, "", "Nothing is open. `streamtui` opens a console.\n")
    assert engine_pids(past.program.runtime) == []


async def test_objects_of_nothing_are_nothing(past: Past) -> None:
    assert await past.program.run("sessions", "list", "--json") == (0, "", "")


async def test_the_list_says_what_is_open_in_an_engine(past: Past, server: DemoServer) -> None:
    async with engine() as attached:
        await ask(attached, on(server, "demo/verse"), PROMPT)
        attached.doors.execute(OpenSession("0-mine", SLOW, private=True))
        attached.doors.send("0-mine", "not for the disk")
        await attached.until(Chunk, also=lambda event: event.session_id == "0-mine")
        ended = await past.program.run("sessions")
        objects = await past.program.run("sessions", "list", "--json")
    assert (ended.code, ended.err) == (0, "")
    heading, *rows = [re.split(" {2,}", line) for line in ended.out.splitlines()]
    assert heading == ["SESSION", "STATE", "ENDPOINT", "RUNS", "PROMPT"]
    assert [row[1:] for row in rows] == [
        ["idle", "far/demo/verse", "1", PROMPT],
        ["live, private", "demo/slow", "1", "not for the disk"],
    ]
    found = [json.loads(line) for line in objects.out.splitlines()]
    assert [(each["live"], each["private"], each["runs"]) for each in found] == [
        (False, False, 1),
        (True, True, 1),
    ]


async def test_it_fits_a_terminal_and_hostile_prompts_are_harmless(past: Past) -> None:
    async with engine() as attached:
        attached.doors.execute(OpenSession("one", SLOW))
        attached.doors.send("one", "\x1b]0;pwn\x07\n\u202e" + "水 and more " * 50)
        await attached.until(Chunk)
        code, seen = await on_a_terminal(past.program, "sessions")
    assert code == 0
    assert max(map(cell_len, seen.splitlines())) <= 80
    assert not [c for c in seen if not c.isprintable() and c != "\n"]


# --- ending the engine -----------------------------------------------------------------------


@pytest.mark.parametrize("args", [[], ["--force"]])
async def test_without_an_engine_there_is_none_to_end(past: Past, args: list[str]) -> None:
    assert await past.program.run("sessions", "stop", *args) == (0, "", "No engine runs.\n")


async def test_an_engine_with_nothing_to_do_is_ended(past: Past, server: DemoServer) -> None:
    async with engine() as attached:
        await ask(attached, on(server, "demo/verse"), PROMPT)
        (pid,) = engine_pids(past.program.runtime)
        ended = await past.program.run("sessions", "stop")
        await attached.lost.wait()
    assert ended == (0, "", "The engine has ended. What it received is kept.\n")
    await asyncio.wait_for(until_gone(pid), 20)
    assert (await past.program.run("history")).out.count("✓ done") == 1


async def test_an_engine_in_which_something_streams_is_ended_only_by_force(past: Past) -> None:
    async with engine() as attached:
        attached.ask("slowly", SLOW)
        await attached.until(Chunk)
        refused = await past.program.run("sessions", "stop")
        words = "1 session streams. --force ends them all the same; what they received is kept."
        assert refused == (2, "", f"streamtui: {words}\n")
        assert not attached.lost.is_set()
        ended = await past.program.run("sessions", "stop", "--force")
        assert ended == (0, "", "The engine has ended. What it received is kept.\n")
        (cancelled,) = await attached.until(RunCancelled)
        await attached.lost.wait()
    # At once after it: what the engine wrote last is there, or waited for.
    found = await past.program.run("history", "show", cancelled.run_id)
    assert "**Cancelled: " in found.out


# --- ending sessions -------------------------------------------------------------------------


async def test_sessions_are_ended_that_were_named(past: Past) -> None:
    async with engine() as attached:
        for session_id in ("a-1", "a-2", "b-1"):
            attached.doors.execute(OpenSession(session_id, SLOW))
            attached.doors.send(session_id, "slowly")
        await attached.until(Chunk, count=3)
        ended = await past.program.run("sessions", "stop", "a-2", "b", "a-2")
        assert ended == (0, "", "2 sessions ended.\n")
        closed = await attached.until(SessionClosed, count=2)
        assert {event.session_id for event in closed} == {"a-2", "b-1"}
        left = await past.program.run("sessions", "list", "--json")
        (session,) = [json.loads(line) for line in left.out.splitlines()]
        assert (session["session_id"], session["live"]) == ("a-1", True)


@pytest.mark.parametrize(
    ("name", "words"),
    [("a", "2 sessions begin with “a”"), ("x\x1b", "no session begins with “x␛”")],
)
async def test_nothing_is_ended_unless_all_are_clear(past: Past, name: str, words: str) -> None:
    async with engine() as attached:
        for session_id in ("a-1", "a-2", "b-1"):
            attached.doors.execute(OpenSession(session_id, SLOW))
        ended = await past.program.run("sessions", "stop", "b-1", name)
        assert ended == (2, "", f"streamtui: {words}. Nothing was ended.\n")
        left = await past.program.run("sessions", "list", "--json")
        assert len(left.out.splitlines()) == 3


async def test_without_an_engine_no_session_can_be_ended(past: Past) -> None:
    ended = await past.program.run("sessions", "stop", "a")
    words = "streamtui: no session begins with “a”. Nothing was ended.\n"
    assert ended == (2, "", words)


# --- attaching -------------------------------------------------------------------------------


async def test_who_has_no_terminal_cannot_attach(past: Past) -> None:
    ended = await past.program.run("sessions", "attach")
    assert (ended.code, ended.out) == (2, "")
    assert "The console needs a terminal" in ended.err
    assert engine_pids(past.program.runtime) == []


async def test_attaching_shows_what_is_there(past: Past, server: DemoServer) -> None:
    command = [sys.executable, "-m", "streamtui", "sessions", "attach"]
    environ = {
        name: value for name, value in past.program.environ.items() if name != "PYTHONWARNINGS"
    }
    async with engine() as attached:
        await ask(attached, on(server, "demo/verse"), PROMPT)
        # With its size and its name, which the driver sets.
        with program_in_pty(
            lambda: os.execve(sys.executable, command, os.environ | environ)
        ) as pty:
            await asyncio.to_thread(pty.wait_for_text, "Oh sparkling water")
            pty.press(b"\x11")
            assert await asyncio.to_thread(pty.wait_for_exit) == 0


# --- engines that are not ours ---------------------------------------------------------------

OF_ANOTHER_VERSION = """\
import sys
import streamtui
from streamtui.engine.host import wire
streamtui.__version__, wire.PROTOCOL = "9.9.9", 999
from streamtui.service import main
main(sys.argv[1:])
"""


@contextmanager
def engine_of_another_version() -> Iterator[Link]:
    """Another process, and a connection of somebody who understands it."""
    path = socket_path()
    ready, told = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", OF_ANOTHER_VERSION, str(path), "memory", str(told)],
        pass_fds=(told,),
    )
    os.close(told)
    try:
        assert os.read(ready, 1) == b"+"
        link = Link.to(path)
        assert link is not None
        with closing(link):
            link.say(wire.Hello(999, "9.9.9", os.getpid()))
            assert isinstance(link.hear(), wire.Welcome)
            yield link
    finally:
        os.close(ready)
        process.kill()
        process.wait()


async def test_an_engine_of_another_version_is_told_and_left_alone(past: Past) -> None:
    with engine_of_another_version():
        for command in (["sessions"], ["sessions", "stop", "a"]):
            ended = await past.program.run(*command)
            assert (ended.code, ended.out) == (2, "")
            assert ended.err.startswith("streamtui: the engine that runs is streamtui 9.9.9, this ")
            assert "; 0 sessions stream there. " in ended.err
            assert ended.err.endswith("or end it: streamtui sessions stop.\n")
        link = Link.to(socket_path())
        assert link is not None
        link.close()


async def test_an_engine_of_another_version_can_be_ended(past: Past) -> None:
    with engine_of_another_version() as link:
        link.say(wire.Execute(OpenSession("s", SLOW)))
        link.say(wire.Execute(Send("s", "r", "slowly")))
        link.say(wire.Listen(1, None, from_start=True))
        while not _tells_of(link.hear(), Chunk):
            pass
        refused = await past.program.run("sessions", "stop")
        assert (refused.code, refused.out) == (2, "")
        assert refused.err.startswith("streamtui: 1 session streams. ")
        assert "; 1 session streams there. " in (await past.program.run("sessions")).err
        ended = await past.program.run("sessions", "stop", "--force")
        assert ended == (0, "", "The engine has ended. What it received is kept.\n")
        while not _tells_of(link.hear(), RUN_ENDS):
            pass
        with pytest.raises(EOFError):
            _hear_out(link)


def _hear_out(link: Link) -> None:
    while True:
        link.hear()


def _tells_of(message: wire.FromEngine, kinds: type | tuple[type, ...]) -> bool:
    return isinstance(message, wire.Heard) and any(
        isinstance(event.body, kinds) for event in message.events
    )


async def test_an_engine_that_stands_still_is_told(
    past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "GREETING_SECONDS", 0.3)
    async with engine():
        (pid,) = engine_pids(past.program.runtime)
        os.kill(pid, signal.SIGSTOP)
        try:
            for question in (
                lambda: ask_running(ListSessions()),
                lambda: stop_running(even_live=True),
            ):
                with pytest.raises(RunError, match="does not answer"):
                    await asyncio.to_thread(question)
        finally:
            os.kill(pid, signal.SIGCONT)
