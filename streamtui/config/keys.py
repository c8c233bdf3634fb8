"""Keys from where they are kept: a file, a command, the configuration itself.

What a file or a command says is never part of an error.
"""

import os
import shlex
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

from streamtui.config import values
from streamtui.config.toml_lines import shortened
from streamtui.redact import Secret

COMMAND_SECONDS = 10.0
REMEMBERED_SECONDS = 60.0
"""How long what a command printed is taken for its key without running it again."""
_MAX_BYTES = 65536


def key_from_file(path: Path) -> Secret:
    """The key that a file of the user's holds. Raises ValueError with what to do about it."""
    try:
        # A pipe without a writer would be waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", "") or "no path"
        raise ValueError(f"{path} cannot be read: {words}") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError(f"{path} is not a file")
        refuse_shared(path, status)
        return _key(os.read(descriptor, _MAX_BYTES), str(path))
    finally:
        os.close(descriptor)


def key_from_command(command: tuple[str, ...]) -> Secret:
    """The key that a command prints; no shell reads its words. Raises ValueError."""
    import subprocess

    name = shortened(command[0])
    try:
        # Without input, so that it asks nothing; what it says of errors may hold the key.
        done = subprocess.run(  # noqa: S603 - the user's own configuration names it
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"{name} printed no key within {COMMAND_SECONDS:g} s") from None
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", "") or "not a command"
        raise ValueError(f"{name} cannot be started: {words}") from None
    if done.returncode:
        raise ValueError(f"{name} {_ending(done.returncode)}, without a key")
    return _key(done.stdout[:_MAX_BYTES], name)


class KeyCommands:
    """Keys that commands print; each is run once for several readings of the files in a row.

    An endpoint that is saved is read twice, and some commands ask for a password each time. No
    longer than a moment: keys that are made for an hour are printed by commands too.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._printed: dict[tuple[str, ...], tuple[float, Secret]] = {}

    def key(self, command: tuple[str, ...]) -> Secret:
        """The key that a command prints, or printed just now. Raises ValueError."""
        # Two readings at once, too, ask for one password.
        with self._lock:
            until, key = self._printed.get(command, (0.0, None))
            if key is None or self._clock() >= until:
                key = key_from_command(command)
                self._printed[command] = (self._clock() + REMEMBERED_SECONDS, key)
            return key


KEY_COMMANDS = KeyCommands()
"""Of the whole process: whoever reads the files asks the same person for the same password."""


def literal_key(text: str, path: Path) -> Secret:
    """The key that stands in the configuration file `path`. Raises ValueError."""
    status = path.stat()
    if status.st_uid != os.geteuid():
        raise ValueError(f"{path} belongs to another user; a key stands only in a file of yours")
    refuse_shared(path, status)
    return _key(text.encode(), "it")


def refuse_shared(path: Path, status: os.stat_result) -> None:
    """Raise ValueError, with the command that helps, for a file that others may read."""
    if status.st_mode & 0o077:
        raise ValueError(f"others can read {path}; run: chmod 600 {shlex.quote(str(path))}")


def command_words(command: tuple[str, ...]) -> str:
    """A command without its arguments, which may be anything."""
    name = shortened(command[0])
    return f"command {name} …" if len(command) > 1 else f"command {name}"


def _key(raw: bytes, where: str) -> Secret:
    try:
        key = values.check_key(raw.decode())
    except UnicodeDecodeError:
        raise ValueError(f"{where} holds no text") from None
    except ValueError as error:
        raise ValueError(f"{where} {error}") from None
    if key is None:
        raise ValueError(f"{where} holds no key")
    return key


def _ending(code: int) -> str:
    return f"ended with status {code}" if code > 0 else f"was ended by signal {-code}"
