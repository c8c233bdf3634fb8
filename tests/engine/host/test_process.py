"""The engine as a process of its own: real processes, a real socket, a real journal."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from streamtui.engine.doors import FindRuns, GetRun, ListSessions, Probe
from streamtui.engine.host import wire
from streamtui.engine.host.client import EngineMismatchError, Link
from streamtui.engine.host.process import attach, connect, socket_path
from streamtui.engine.journal import default_journal_path
from streamtui.engine.reports import RunList, SessionList, StoredRun, Unanswered
from streamtui.errors import RunError
from streamtui.events import RUN_ENDS, Chunk, Event, RunCancelled, RunCompleted, SessionOpened
from tests.engine.host.consoles import DEMO, FAST, SLOW, console, folders_of_its_own
from tests.eventsource import event_source
from tests.processes import engine_pids
from tests.scripted import text_of

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="engines are found through /proc"
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with folders_of_its_own(tmp_path, monkeypatch) as folder:
        yield folder


async def until_gone(pid: int) -> None:
    """Until a process has ended; it is none of our children."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop, gone = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, gone.set)
    try:
        await gone.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def test_two_consoles_find_the_same_engine_and_hear_the_same(folder: Path) -> None:
    async with console() as first, console() as second:
        _session, run_id = first.ask()
        (end,) = await second.until(RunCompleted)
        await first.until(RunCompleted)
        assert end.run_id == run_id
        assert first.text(run_id) == second.text(run_id) != ""
        assert [e.seq for e in first.events] == sorted(e.seq for e in first.events)
        assert len(engine_pids(folder)) == 1


async def test_an_endpoint_is_tested_no_further_when_nobody_waits_for_that() -> None:
    async with console() as here, event_source([asyncio.Event()]) as silent:
        async with asyncio.TaskGroup() as tasks:
            testing = tasks.create_task(
                here.doors.ask(Probe(structs.replace(DEMO, base_url=silent.url)))
            )
            await silent.reached(1)
            testing.cancel()
            await silent.left.wait()
        assert isinstance(await here.doors.ask(ListSessions()), SessionList)


async def test_a_test_of_an_endpoint_ends_with_the_console_that_asked_for_it() -> None:
    async with event_source([asyncio.Event()]) as silent, console():
        async with console() as leaving, asyncio.TaskGroup() as tasks:
            testing = tasks.create_task(
                leaving.doors.ask(Probe(structs.replace(DEMO, base_url=silent.url)))
            )
            await silent.reached(1)
            await asyncio.to_thread(leaving.doors.leave, keep_runs=True)
            assert isinstance(await testing, Unanswered)
        await silent.left.wait()


async def test_only_the_user_can_reach_the_engine(folder: Path) -> None:
    before = os.umask(0o000)
    try:
        async with console():
            path = socket_path()
            assert path.stat().st_mode & 0o777 == 0o600
            assert path.parent.stat().st_mode & 0o777 == 0o700
    finally:
        os.umask(before)


async def test_a_folder_that_others_can_enter_is_refused(folder: Path) -> None:
    (folder / "streamtui").mkdir(mode=0o755)
    with pytest.raises(RunError, match="not private"):
        await asyncio.to_thread(attach, "disk")


async def test_a_console_that_comes_later_is_told_everything_from_the_start() -> None:
    async with console() as first:
        _session, run_id = first.ask()
        await first.until(RunCompleted)
        async with console() as later:
            await later.until(RunCompleted)
            assert later.text(run_id) == first.text(run_id)
            kinds = [type(event.body).__name__ for event in later.events]
            assert kinds[:2] == ["SessionOpened", "RunStarted"]
            # What came in hundreds of chunks is told in a few.
            assert kinds.count("Chunk") < 3


async def test_a_run_goes_on_when_its_console_is_killed(folder: Path) -> None:
    """A console that dies says nothing: its connection just ends."""
    async with console() as watcher:
        link = await asyncio.to_thread(attach, "disk")
        from streamtui.engine.doors import OpenSession, Send

        link.say(wire.Execute(OpenSession("s", DEMO)))
        link.say(wire.Execute(Send("s", "r", "hi")))
        await watcher.until(Chunk)
        link.end()
        link.close()
        (end,) = await watcher.until(*RUN_ENDS)
        assert isinstance(end.body, RunCompleted)


async def test_detaching_leaves_what_runs_and_leaving_ends_it() -> None:
    async with console(keep_runs=True) as first:
        session_id, run_id = first.ask(endpoint=SLOW)
        await first.until(Chunk)
    async with console(keep_runs=False) as second:
        await second.until(Chunk)
        sessions = await second.doors.find(ListSessions(), SessionList)
        assert sessions is not None
        assert [(s.session_id, s.live) for s in sessions.sessions] == [(session_id, True)]
        pid = engine_pids(socket_path().parent)[0]
    await asyncio.wait_for(until_gone(pid), 20)
    async with console() as third:
        runs = await third.doors.find(FindRuns(), RunList)
        assert runs is not None
        assert [(run.run_id, run.state) for run in runs.runs] == [(run_id, "cancelled")]


async def test_leaving_ends_nothing_while_another_console_watches() -> None:
    async with console() as watcher:
        async with console(keep_runs=False) as first:
            first.ask(endpoint=DEMO)
            await first.until(Chunk)
        (end,) = await watcher.until(*RUN_ENDS)
        assert isinstance(end.body, RunCompleted)


async def test_an_engine_with_nothing_to_do_and_nobody_there_ends_by_itself(folder: Path) -> None:
    async with console() as first:
        first.ask()
        await first.until(RunCompleted)
        (pid,) = engine_pids(folder)
        path = socket_path()
    await asyncio.wait_for(until_gone(pid), 20)
    assert not path.exists()


async def test_a_terminal_that_hangs_up_does_not_end_the_engine(folder: Path) -> None:
    async with console() as first:
        (pid,) = engine_pids(folder)
        os.kill(pid, signal.SIGHUP)
        os.kill(pid, signal.SIGINT)
        first.ask()
        await first.until(RunCompleted)
        assert engine_pids(folder) == [pid]


async def test_sigterm_ends_runs_and_closes_the_journal(folder: Path) -> None:
    async with console() as first:
        _session, run_id = first.ask(endpoint=SLOW)
        await first.until(Chunk)
        (pid,) = engine_pids(folder)
        os.kill(pid, signal.SIGTERM)
        (end,) = await first.until(*RUN_ENDS)
        assert isinstance(end.body, RunCancelled)
        await first.lost.wait()
    await until_gone(pid)
    assert not default_journal_path().with_name("journal.db-wal").exists()
    async with console() as second:
        runs = await second.doors.find(FindRuns(), RunList)
        assert runs is not None
        assert [(run.run_id, run.state) for run in runs.runs] == [(run_id, "cancelled")]


async def test_when_the_engine_is_killed_consoles_hear_it_and_the_next_one_knows_all(
    folder: Path,
) -> None:
    async with console() as first:
        session_id, run_id = first.ask(endpoint=SLOW)
        await first.until(Chunk, count=3)
        (pid,) = engine_pids(folder)
        os.kill(pid, signal.SIGKILL)
        await first.lost.wait()
        assert first.doors.is_gone
        assert isinstance(await first.doors.ask(ListSessions()), Unanswered)
        received = first.text(run_id)
    async with console() as second:
        assert engine_pids(folder) != [pid]
        runs = await second.doors.find(FindRuns(), RunList)
        assert runs is not None
        (run,) = runs.runs
        assert (run.run_id, run.session_id, run.state) == (run_id, session_id, "interrupted")
        stored = await second.doors.find(GetRun(run_id), StoredRun)
        assert stored is not None
        # A tick's worth of text at the most was not yet on disk.
        kept = text_of(stored.events)
        assert kept
        assert received.startswith(kept) or kept.startswith(received)


async def test_a_console_that_does_not_read_slows_nobody() -> None:
    async with console() as reader:
        deaf = await asyncio.to_thread(attach, "disk")
        deaf.say(wire.Listen(1, None, from_start=True))
        _session, run_id = reader.ask(endpoint=FAST)
        (end,) = await reader.until(RunCompleted)
        assert isinstance(end.body, RunCompleted)
        assert len(reader.text(run_id)) == end.body.metrics.text_chars
        # Now it reads: nothing is missing, in fewer events.
        heard = await asyncio.to_thread(_hear_until_end, deaf)
        assert text_of(heard) == reader.text(run_id)
        assert len(heard) < end.body.metrics.chunks
        deaf.end()
        deaf.close()


def _hear_until_end(link: Link) -> list[Event]:
    heard: list[Event] = []
    while True:
        message = link.hear()
        assert isinstance(message, wire.Heard)
        heard += message.events
        if any(isinstance(event.body, RUN_ENDS) for event in message.events):
            return heard


async def test_no_key_is_in_the_engines_environment_or_arguments(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-console-0123456789")
    monkeypatch.setenv("PROXY_PASSWORD", "hunter2hunter2")
    async with console():
        (pid,) = engine_pids(folder)
        for name in ("environ", "cmdline"):
            seen = Path(f"/proc/{pid}/{name}").read_bytes()
            assert b"sk-of-the-console" not in seen
            assert b"hunter2" not in seen


async def test_an_engine_of_another_version_is_ended_if_it_has_nothing_to_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with console():
        (pid,) = engine_pids(folder)
    monkeypatch.setattr("streamtui.engine.host.process.PROTOCOL", 99)
    monkeypatch.setattr("streamtui.engine.host.wire.PROTOCOL", 99)
    link = connect(socket_path())
    assert link is None
    await asyncio.wait_for(until_gone(pid), 20)


async def test_an_engine_of_another_version_that_streams_is_left_alone_and_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with console() as first:
        first.ask(endpoint=SLOW)
        await first.until(Chunk)
        monkeypatch.setattr("streamtui.engine.host.process.PROTOCOL", 99)
        monkeypatch.setattr("streamtui.engine.host.wire.PROTOCOL", 99)
        with pytest.raises(EngineMismatchError, match="this is") as caught:
            await asyncio.to_thread(connect, socket_path())
        assert caught.value.live == 1
        assert "sessions stop" in caught.value.hint
        assert len(engine_pids(folder)) == 1


async def test_a_stale_socket_is_no_obstacle(folder: Path) -> None:
    path = socket_path()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    async with console() as first:
        first.ask()
        await first.until(RunCompleted)


async def test_something_else_that_speaks_to_the_engine_does_it_no_harm() -> None:
    async with console() as first:
        for rubbish in (b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 64, b"\0\0\0\1\xc1"):
            with socket.socket(socket.AF_UNIX) as stranger:
                stranger.connect(str(socket_path()))
                stranger.sendall(rubbish)
        first.ask()
        await first.until(RunCompleted)
        await first.until(SessionOpened)
