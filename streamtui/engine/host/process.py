"""Finding the engine's process, or starting it. Blocks, for as long as Python takes to start."""

import fcntl
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from streamtui.engine.host.client import EngineMismatchError, Link
from streamtui.engine.host.wire import PROTOCOL, Stop
from streamtui.errors import RunError

START_SECONDS = 15.0
"""How long a console waits for an engine that it started; cold disks read Python slowly."""

_PASSED_ON = ("HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "SSL_CERT_DIR", "TMPDIR")
_PREFIXES_PASSED_ON = ("PYTHON", "SSL_CERT_", "STREAMTUI_", "XDG_", "VIRTUAL_ENV", "COVERAGE_")


def runtime_folder() -> Path:
    """Where the engine's socket is: a folder of the user's own, made if it is not there.

    Raises RunError where there is none that only the user can reach.
    """
    from platformdirs import user_runtime_path

    folder = user_runtime_path("streamtui")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise _no_engine(f"{folder}: {error.strerror}") from error
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise _no_engine(f"{folder} is not private to you")
    return folder


def socket_path() -> Path:
    """Where the user's engine listens."""
    return runtime_folder() / "engine.sock"


def attach(keep: str) -> Link:
    """A connection to the user's engine, which is started if there is none.

    `keep` is where a new engine keeps its history: `disk`, `memory` or `off`. Raises RunError where
    no engine can be had, EngineMismatchError for one of another version in which something streams.
    """
    path = socket_path()
    with _one_at_a_time(path):
        link = connect(path)
        if link is None:
            _start(path, keep)
            link = connect(path)
    if link is None:
        raise _no_engine("it ended at once")
    return link


def connect(path: Path) -> Link | None:
    """A connection to an engine that runs and understands us; None where there is none.

    One of another version with nothing to do is ended. Raises EngineMismatchError otherwise.
    """
    link = Link.to(path)
    if link is None:
        return None
    try:
        welcome = link.greet()
    except (OSError, EOFError, ValueError):
        link.close()
        return None
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
        link.say(Stop(even_live=False))
        while True:
            link.hear()


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
        raise _no_engine(error.strerror or "it cannot be started") from error
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
        raise _no_engine(f"it did not start within {START_SECONDS:g} s")
    if os.read(ready, 1) != b"+":
        raise _no_engine(f"it ended with status {process.wait()}")
    # It outlives us: nobody waits for it any more.
    process.returncode = 0


def _environment() -> dict[str, str]:
    """What the engine needs; keys come with the endpoints, and stay out of process lists."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED_ON or name.startswith(_PREFIXES_PASSED_ON)
    }


def _no_engine(reason: str) -> RunError:
    return RunError(f"no engine of its own: {reason}", kind="usage")
