"""The journal's files: private from their first byte, one writer at a time, never deleted.

Nothing here reads what is in them.
"""

import fcntl
import os
import re
import stat
import time
from contextlib import suppress
from pathlib import Path

from streamtui.errors import JournalError

COMPANIONS = ("", "-journal", "-wal", "-shm")
"""What SQLite keeps beside a database belongs to it: a copy without its log lacks what was written
last, and a log left beside another database damages that one."""

_NETWORK = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "fuse", "gfs", "gfs2", "glusterfs"}
    | {"gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "prl_fs", "pvfs2", "smb3"}
    | {"smbfs", "vboxsf", "virtiofs"}
)
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def default_journal_path() -> Path:
    """Where the journal is when nothing else is said."""
    from platformdirs import user_state_path

    return user_state_path("streamtui") / "journal.db"


def beside(path: Path, end: str) -> Path:
    """A file that belongs to another one."""
    return path.with_name(path.name + end)


def prepare(path: Path) -> None:
    """Make folder and file for the user's eyes only, where they are not there yet.

    Raises JournalError for a place that is no private file, OSError where none can be made.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # SQLite gives its companions the mode of the file; with its own umask all could be read.
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with suppress(FileExistsError):
        os.close(os.open(path, flags, 0o600))
    # A file that is there is never opened here: closing it would free all locks that SQLite holds
    # on it in this process. https://www.sqlite.org/howtocorrupt.html section 2.2
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise JournalError("a symbolic link stands in its place")
    if not stat.S_ISREG(found.st_mode):
        raise JournalError("what stands in its place is no file")
    if found.st_uid != os.geteuid():
        raise JournalError("the file belongs to another user")
    if found.st_mode & 0o077:
        path.chmod(0o600)


def set_aside(path: Path) -> Path:
    """Rename a file that cannot be read, with its companions; returns its new name."""
    moment = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    kept = beside(path, f".corrupt-{moment}")
    number = 1
    while any(os.path.lexists(beside(kept, end)) for end in COMPANIONS):
        number += 1
        kept = beside(path, f".corrupt-{moment}-{number}")
    for end in COMPANIONS:
        with suppress(FileNotFoundError):
            beside(path, end).rename(beside(kept, end))
    return kept


def lost_its_content(path: Path) -> bool:
    """An empty file beside a log of changes was cut to nothing; SQLite would take it for new."""
    return path.stat().st_size == 0 and size_of(beside(path, "-wal")) > 0


def size_of(path: Path) -> int:
    """The size of a file in bytes; 0 for one that is not there."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def identity(path: Path) -> tuple[int, int]:
    """What tells a file from another one of its name. Raises OSError."""
    found = path.stat()
    return found.st_dev, found.st_ino


def is_on_network(path: Path, mounts: Path = Path("/proc/self/mounts")) -> bool:
    """Whether a file is on a filesystem that cannot share memory between processes."""
    try:
        rows = [line.split() for line in mounts.read_text("utf-8", "replace").splitlines()]
    except OSError:
        return False
    there = path.resolve()
    found, depth = "", -1
    for _, mount, kind, *_ in rows:
        above = Path(_unescaped(mount))
        # Of several at one place, the last covers the others.
        if there.is_relative_to(above) and len(above.parts) >= depth:
            found, depth = kind, len(above.parts)
    return found in _NETWORK or found.startswith("fuse.")


class WriterLock:
    """Held by the one process that writes; the system frees it when that process ends."""

    def __init__(self, path: Path) -> None:
        self._path = beside(path, ".lock")
        self._descriptor: int | None = None
        self.same_boot = False
        """Whether the machine is known to have run ever since the lock was taken before."""

    def take(self) -> bool:
        """Whether it is ours now; never waits. Raises OSError where no file can be made."""
        if self._descriptor is not None:
            return True
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self._path, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.same_boot = _note_boot(descriptor)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return True

    def free(self) -> None:
        """Let another process write."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _note_boot(descriptor: int) -> bool:
    """Whether a file names the boot that the machine runs in; from now on it does."""
    try:
        boot = _BOOT_ID.read_bytes().strip()
    except OSError:
        return False
    before = os.pread(descriptor, 100, 0)
    # A full disk has no room even for this; the next one is then less certain.
    with suppress(OSError):
        os.pwrite(descriptor, boot, 0)
    return before == boot


def _unescaped(mount: str) -> str:
    """Spaces and their like are written as three octal digits."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), mount)
