"""Files for their user's eyes only, written whole or not at all; never through a symbolic link."""

import os
import secrets
from contextlib import suppress
from pathlib import Path


def write_new(path: Path, data: bytes) -> None:
    """Write a file that was not there. Raises OSError, FileExistsError among them."""
    # Opened with its final mode: between open and chmod others could read.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def replace(path: Path, data: bytes) -> None:
    """Write a file, in the place of one that may be there. Raises OSError; that one then stays."""
    # Beside it, so that a full disk costs neither the old file nor half of the new one.
    beside = path.with_name(f".{secrets.token_hex(8)}.part")
    write_new(beside, data)
    try:
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    # Without it the new name may be lost with the power, though the bytes are on disk.
    # Some filesystems know no such thing; the file is there all the same.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
