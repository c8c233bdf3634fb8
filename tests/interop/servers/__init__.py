"""Real servers as programs of their own, each on a port of loopback that the tests chose."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ROOT = Path(__file__).parents[3]
_STOP_SECONDS = 10


@contextmanager
def served(module: str, home: Path, **environ: str) -> Iterator[str]:
    """The URL of `python -m tests.interop.servers.MODULE`, which gets a listening socket to serve.

    Requests wait in the socket until the program has started. Raises RuntimeError with what the
    program printed, if it did not last until the end.
    """
    printed = home / f"{module}.log"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = _start(module, listener, printed, environ)
        url = "http://{}:{}".format(*listener.getsockname())
    try:
        yield url
    finally:
        lasted = process.poll() is None
        _stop(process)
        if not lasted:
            raise RuntimeError(f"{module} ended by itself:\n{printed.read_text()}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _start(
    module: str, listener: socket.socket, printed: Path, environ: dict[str, str]
) -> subprocess.Popen[bytes]:
    home = printed.parent
    about = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(_ROOT)}
    with printed.open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", f"{__name__}.{module}", str(listener.fileno())],
            cwd=home,
            env=about | environ,
            pass_fds=[listener.fileno()],
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def given_socket() -> socket.socket:
    """What the tests handed to the program."""
    return socket.socket(fileno=int(sys.argv[1]))
