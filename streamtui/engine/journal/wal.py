"""SQLite's write-ahead log, looked at before SQLite does. Reads, never writes.

SQLite takes a damaged log for one whose end was never written: it silently drops all that follows
the damage, and overwrites it. https://www.sqlite.org/walformat.html
"""

import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from streamtui.engine.journal.files import beside, size_of

CHECK_SECONDS = 0.3
"""How long a log is looked through; one of the usual 4 MB takes a tenth of a second."""

_FILE_HEADER = struct.Struct(">8I")
_FRAME_HEADER = struct.Struct(">II8s2I")
_INDEX_HEADER = struct.Struct("=3IBBHII2I8s2I")
_MAGIC = 0x377F0682
"""Its last bit says whether checksums are made of big-endian numbers."""
_VERSION = 3007000
_32_BITS = 0xFFFFFFFF

Checksum = tuple[int, int]


class _Committed(NamedTuple):
    """What the processes that shared a log knew of it."""

    frames: int
    checksum: Checksum
    """Of the last frame."""
    salts: bytes
    folded: int
    """How many frames are in the database too."""


def is_damaged(database: Path) -> bool:
    """Whether the log beside a database lacks something that was committed to it. Raises OSError.

    To be asked only where the last writer is gone and the machine has not been restarted since: a
    power failure, too, leaves logs with gaps, and SQLite mends these.
    """
    committed = _read_index(beside(database, "-shm"))
    if committed is None or committed.frames == 0:
        return False
    log = beside(database, "-wal")
    if size_of(log) == 0:
        return committed.folded < committed.frames
    with log.open("rb") as file:
        return not _has(file, committed)


def _has(file: BinaryIO, committed: _Committed) -> bool:
    end = time.monotonic() + CHECK_SECONDS
    for number, checksum in enumerate(_valid_frames(file, committed.salts), 1):
        if number == committed.frames:
            return checksum == committed.checksum
        if time.monotonic() > end:
            return True
    return False


def _valid_frames(file: BinaryIO, salts: bytes) -> Iterator[Checksum]:
    """The checksums of the frames up to the first one that is not whole."""
    head = file.read(_FILE_HEADER.size)
    if len(head) < _FILE_HEADER.size:
        return
    magic, version, page_size, _, _, _, *stored = _FILE_HEADER.unpack(head)
    order = ">" if magic & 1 else "<"
    checksum = _checksum(head[:24], (0, 0), order)
    known = magic & ~1 == _MAGIC and version == _VERSION and head[16:24] == salts
    if not known or checksum != tuple(stored):
        return
    while len(frame := file.read(_FRAME_HEADER.size + page_size)) > page_size:
        _, _, its_salts, *stored = _FRAME_HEADER.unpack_from(frame)
        checksum = _checksum(frame[:8], checksum, order)
        checksum = _checksum(frame[_FRAME_HEADER.size :], checksum, order)
        if its_salts != salts or checksum != tuple(stored):
            return
        yield checksum


def _read_index(path: Path) -> _Committed | None:
    """What the shared memory says; None where it says nothing that can be relied on."""
    try:
        with path.open("rb") as file:
            head = file.read(100)
    except FileNotFoundError:
        return None
    if len(head) < 100:
        return None
    version, _, _, is_ready, _, _, frames, _, sum1, sum2, salts, *stored = (
        _INDEX_HEADER.unpack_from(head)
    )
    if version != _VERSION or not is_ready or _checksum(head[:40], (0, 0), "=") != tuple(stored):
        return None
    (folded,) = struct.unpack_from("=I", head, 96)
    return _Committed(frames, (sum1, sum2), salts, folded)


def _checksum(data: bytes, before: Checksum, order: str) -> Checksum:
    first, second = before
    numbers = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for one, other in zip(numbers, numbers, strict=True):
        first = (first + one + second) & _32_BITS
        second = (second + other + first) & _32_BITS
    return first, second
