"""The file that the program itself writes, `managed.toml`: whole, atomically, for the user only.

The user's own config.toml is never touched. Two writers do not mix; the later one wins.
"""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from streamtui.config.toml_lines import read_toml
from streamtui.errors import ConfigError

_HEADING = "# Written by streamtui. Your own settings belong into config.toml, and win.\n"


def set_managed(path: Path, table: str, key: str, value: object) -> None:
    """Set one value and keep the others. Raises ConfigError for a file that cannot be used."""
    managed = dict(read_toml(path, missing_ok=True).table)
    section = managed.get(table)
    managed[table] = {**(section if isinstance(section, dict) else {}), key: value}
    write_managed(path, managed)


def write_managed(path: Path, table: Mapping[str, object]) -> None:
    """Replace the file with `table`. Raises ConfigError; the old file then stays as it was."""
    import tomli_w

    text = _HEADING + tomli_w.dumps(table)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _replace(path, text.encode())
    except OSError as error:
        words = error.strerror or type(error).__name__
        raise ConfigError(f"cannot be written: {words}", file=str(path)) from error


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        _write_new(temporary, data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _write_new(path: Path, data: bytes) -> None:
    # Opened with its final mode: between open and chmod others could read.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    # Without it the new name may be lost with the power, though the bytes are on disk.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
