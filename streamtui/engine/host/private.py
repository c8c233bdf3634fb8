"""What only the user may reach: the folder of the socket, and the socket itself."""

import os
import socket
from pathlib import Path

from streamtui.errors import RunError

MAX_PATH_BYTES = 103
"""A socket's address has no room for more, on any system: 104 bytes with the NUL at its end."""


def make_private(folder: Path) -> None:
    """Make a folder if it is not there. Raises OSError, or RunError where others can enter it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise no_engine(f"{folder} is not private to you")


def private_socket(path: Path) -> socket.socket:
    """A socket bound to a path in a private folder. Raises OSError, also where anything is in its
    place."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(str(path))
        # The umask is the whole process's: another thread may be making a folder of the journal's.
        path.chmod(0o600)
    except OSError:
        listening.close()
        raise
    return listening


def no_engine(reason: str) -> RunError:
    """There can be no engine that outlives its console."""
    return RunError(f"no engine of its own: {reason}", kind="usage")
