"""The disk is full while answers stream: the console says so, and nothing is lost once it is not."""

import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from streamtui.service import GRACE_SECONDS
from tests.lifetimes.home import PROMPT, Home, assert_all_is_kept, until_gone
from tests.lifetimes.terminal import STREAMTUI, panes, terminal

COUNT = 4
BANNER = "NOT SAVED since"

pytestmark = pytest.mark.timeout(180)

Disk = tuple[Callable[[], None], Callable[[], None]]
"""Fill it; make room again."""


@pytest.fixture
def small_disk(home: Home) -> Iterator[Path]:
    folder = home.journal.parent
    folder.mkdir(mode=0o700, parents=True)
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root can mount a small disk")
    options = "size=2m,mode=700"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no small disk could be mounted: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def stream_through(home: Home, fill: Callable[[], None], make_room: Callable[[], None]) -> None:
    home.let_talk(rate=20)
    with terminal(home, *STREAMTUI, *panes(COUNT), "-p", PROMPT) as first:
        first.wait_for_text(f"{COUNT} live")
        fill()
        first.wait_for_text(BANNER)
        before = first.text()
        first.wait_for(lambda text: text != before and f"{COUNT} live" in text, "what comes")
        with terminal(home, *STREAMTUI) as second:
            second.wait_for(lambda text: BANNER in text and f"{COUNT} live" in text, "the banner")
            make_room()
            for shown in (first, second):
                shown.wait_for(lambda text: BANNER not in text, "no banner")
        assert f"{COUNT} live" in first.text()
    assert_all_is_kept(home, COUNT)


def test_a_full_disk_is_told_on_screen_and_all_is_saved_once_there_is_room(
    home: Home, small_disk: Path
) -> None:
    filler = small_disk / "filler"

    def fill() -> None:
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))

    stream_through(home, fill, filler.unlink)


def allow(home: Home, size: int) -> None:
    """From now on the engine may write files of so many bytes."""
    resource.prlimit(home.engine(), resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_files_that_may_not_grow_are_told_on_screen_and_all_is_saved_once_they_may(
    home: Home,
) -> None:
    stream_through(home, lambda: allow(home, 4096), lambda: allow(home, resource.RLIM_INFINITY))


def test_an_engine_that_could_not_save_all_of_it_stays_until_it_can(home: Home) -> None:
    home.let_talk(rate=20)
    with terminal(home, *STREAMTUI, *panes(COUNT), "-p", PROMPT) as shown:
        shown.wait_for_text(f"{COUNT} live")
        allow(home, 4096)
        shown.wait_for_text(BANNER)
        home.let_end()
        shown.wait_for(lambda text: text.count("✓ talk") == COUNT, "all of them done")
        engine = home.engine()
        shown.signal(signal.SIGTERM)
        shown.wait_for_exit()
    time.sleep(2.5 * GRACE_SECONDS)
    assert home.engines == [engine]
    allow(home, resource.RLIM_INFINITY)
    until_gone(engine)
    assert_all_is_kept(home, COUNT)
