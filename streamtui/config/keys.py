"""Keys from where they are kept: a file, a command, the configuration itself.

What a file or a command says is never part of an error.
"""

import os
import shlex
import stat
from pathlib import Path

from streamtui.config import values
from streamtui.config.toml_lines import shortened
from streamtui.redact import Secret

COMMAND_SECONDS = 10.0
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
