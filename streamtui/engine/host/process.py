"""Finding the engine's process, or starting it. Blocks, for as long as Python takes to start."""

import fcntl
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from streamtui.engine.host.client import EngineMismatchError, Link, meet
from streamtui.engine.host.private import MAX_PATH_BYTES, make_private, no_engine
from streamtui.engine.host.wire import PROTOCOL, Stop

START_SECONDS = 15.0
"""How long a console waits for an engine that it started; cold disks read Python slowly."""
WRITER_SECONDS = 3.0
"""How long it waits for an engine that is there and cannot be found, or that is just ending."""
GREETING_SECONDS = 10.0
"""An engine that says nothing for so long stands still."""

_PASSED_ON = ("HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "SSL_CERT_DIR", "TMPDIR")
_PREFIXES_PASSED_ON = ("PYTHON", "SSL_CERT_", "STREAMTUI_", "XDG_", "VIRTUAL_ENV", "COVERAGE_")


def runtime_folder() -> Path:
    """Where the engine's socket is: a folder of the user's own, made if it is not there.

    Raises RunError where there is none that only the user can reach.
    """
    from platformdirs import user_runtime_path

    try:
        folder = user_runtime_path("streamtui")
        make_private(folder)
    except OSError as error:
        raise no_engine(f"{error.filename or 'its folder'}: {error.strerror or error}") from error
    return folder


def socket_path() -> Path:
    """Where the user's engine listens. Raises RunError where none can."""
    path = runtime_folder() / "engine.sock"
    if len(os.fsencode(path)) > MAX_PATH_BYTES:
        raise no_engine(f"{path} is longer than the name of a socket can be")
    return path


def attach(keep: str) -> Link:
    """A connection to the user's engine, which is started if there is none.

    `keep` is where a new engine keeps its history: `disk`, `memory` or `off`. Raises RunError where
    no engine can be had, EngineMismatchError for one of another version in which something streams.
    """
    path = socket_path()
    try:
        with _one_at_a_time(path):
            link = connect(path) or (_await_writer(path) if keep == "disk" else None)
            if link is None:
                _start(path, keep)
                link = connect(path)
    except OSError as error:
        raise no_engine(f"{error.filename or path}: {error.strerror or error}") from error
    if link is None:
        raise no_engine("it ended at once")
    return link


def connect(path: Path) -> Link | None:
    """A connection to an engine that runs and understands us; None where there is none.

    One of another version with nothing to do is ended. Raises EngineMismatchError otherwise.
    """
    try:
        met = meet(path, GREETING_SECONDS)
    except TimeoutError as error:
        raise no_engine("the one that runs does not answer") from error
    if met is None:
        return None
    link, welcome = met
    if welcome.protocol == PROTOCOL:
        return link
    try:
        if welcome.live:
            raise EngineMismatchError(welcome)
        _end(link)
    finally:
        link.close()
    return None


def _end(link: Link) -> None:
    """Ask an engine to end, and wait until it has."""
    with suppress(OSError, EOFError, ValueError):
        link.give_up_after(GREETING_SECONDS)
        link.say(Stop(even_live=False))
        while True:
            link.hear()


def _await_writer(path: Path) -> Link | None:
    """A connection to an engine that writes the journal and cannot be found, if it can be soon.

    One whose socket was taken away makes another. One that ends frees the journal for the next.
    """
    from streamtui.engine.journal.files import beside, default_journal_path

    lock = beside(default_journal_path(), ".lock")
    give_up = time.monotonic() + WRITER_SECONDS
    while _is_held(lock) and time.monotonic() < give_up:
        time.sleep(WRITER_SECONDS / 100)
        if (link := connect(path)) is not None:
            return link
    return None


def _is_held(lock: Path) -> bool:
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """Two consoles that start together start one engine."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path.with_suffix(".lock"), flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _start(path: Path, keep: str) -> None:
    """Start an engine and wait until it listens."""
    path.unlink(missing_ok=True)
    ready, told = os.pipe()
    try:
        process = subprocess.Popen(  # noqa: S603 - this program itself
            [sys.executable, "-m", "streamtui.service", str(path), keep, str(told)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=_environment(),
            pass_fds=(told,),
            start_new_session=True,
        )
    except OSError as error:
        os.close(ready)
        raise no_engine(error.strerror or "it cannot be started") from error
    finally:
        os.close(told)
    try:
        _await_readiness(ready, process)
    finally:
        os.close(ready)


def _await_readiness(ready: int, process: "subprocess.Popen[bytes]") -> None:
    poll = select.poll()
    poll.register(ready, select.POLLIN)
    if not poll.poll(START_SECONDS * 1000):
        process.kill()
        raise no_engine(f"it did not start within {START_SECONDS:g} s")
    if os.read(ready, 1) != b"+":
        raise no_engine(f"it ended with status {process.wait()}")
    # It outlives us: nobody waits for it any more.
    process.returncode = 0


def _environment() -> dict[str, str]:
    """What the engine needs; keys come with the endpoints, and stay out of process lists."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED_ON or name.startswith(_PREFIXES_PASSED_ON)
    }
