"""Who starts an engine and who finds it: at once, in each other's way, and with its socket gone."""

import asyncio
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest

from streamtui.engine.host import process
from streamtui.engine.host.client import Link
from streamtui.engine.host.process import attach, socket_path
from streamtui.errors import RunError
from streamtui.events import JournalStopped, RunCompleted, RunStarted, SessionOpened
from tests.engine.host.consoles import FAST, SLOW, console, folders_of_its_own
from tests.lifetimes.home import LONG, until_gone
from tests.processes import engine_pids

AT_ONCE = 5
RACES = 20 if LONG else 4

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with folders_of_its_own(tmp_path, monkeypatch) as folder:
        yield folder


def close(link: Link) -> None:
    link.end()
    link.close()


def test_consoles_that_start_at_once_start_one_engine(folder: Path) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        links = list(pool.map(attach, ["disk"] * AT_ONCE))
    assert len(engine_pids(folder)) == 1
    for link in links:
        close(link)


async def test_a_console_that_comes_while_an_engine_ends_has_one_that_works_and_saves(
    folder: Path,
) -> None:
    """At moments around the end: before it, while the journal is closed, and after it."""
    rng = Random()
    for _ in range(RACES):
        async with console() as first:
            first.ask()
        [pid] = engine_pids(folder)
        os.kill(pid, signal.SIGTERM)
        await asyncio.sleep(rng.uniform(0, 0.2))
        async with console() as second:
            _session, run_id = second.ask(endpoint=FAST)
            await second.until(RunCompleted)
            assert second.text(run_id)
            assert not [e for e in second.events if isinstance(e.body, JournalStopped)]


def remove_socket(folder: Path) -> None:
    socket_path().unlink()


def remove_folder(folder: Path) -> None:
    """As the end of the last login does, and the next login."""
    shutil.rmtree(folder / "streamtui")


@pytest.mark.parametrize("remove", [remove_socket, remove_folder])
async def test_an_engine_whose_socket_was_removed_is_found_all_the_same(
    folder: Path, remove: Callable[[Path], None]
) -> None:
    async with console() as first:
        session_id, _run = first.ask(endpoint=SLOW)
        await first.until(RunStarted)
        before = engine_pids(folder)
    remove(folder)
    async with console() as second:
        assert engine_pids(folder) == before
        [opened] = await second.until(SessionOpened)
        assert opened.session_id == session_id


async def test_an_engine_leaves_its_place_to_one_that_has_taken_it(folder: Path) -> None:
    async with console() as first:
        [pid] = engine_pids(folder)
        os.kill(pid, signal.SIGSTOP)
        remove_socket(folder)
        try:
            async with console() as second:
                [other] = [each for each in engine_pids(folder) if each != pid]
                os.kill(pid, signal.SIGCONT)
                # More than two looks of the first engine.
                taken = socket_path().stat()
                await asyncio.sleep(2.5)
                assert socket_path().stat() == taken
                _session, run_id = second.ask(endpoint=FAST)
                await second.until(RunCompleted)
                assert second.text(run_id)
        finally:
            os.kill(pid, signal.SIGCONT)
    until_gone(pid)
    assert engine_pids(folder) in ([other], [])
    assert first.doors.is_gone


def test_an_engine_that_stands_still_is_told_from_one_that_is_not_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    close(attach("disk"))
    [pid] = engine_pids(folder)
    os.kill(pid, signal.SIGSTOP)
    with monkeypatch.context() as patch:
        patch.setattr(process, "GREETING_SECONDS", 0.5)
        with pytest.raises(RunError, match="does not answer"):
            attach("disk")
    assert engine_pids(folder) == [pid]
    os.kill(pid, signal.SIGCONT)
    close(attach("disk"))


def test_a_name_that_no_socket_can_have_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = tmp_path.joinpath(*["far"] * 30)
    far.mkdir(parents=True)
    far.chmod(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(far))
    with pytest.raises(RunError, match="longer than the name of a socket"):
        attach("disk")


def test_an_engine_ends_after_a_console_that_was_killed_while_it_started(folder: Path) -> None:
    """Nobody came, and nobody will."""
    close(attach("disk"))
    [pid] = engine_pids(folder)
    until_gone(pid)
    assert not socket_path().exists()
