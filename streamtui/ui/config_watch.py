"""The user's configuration file while the console runs: whether it was saved again.

Asks the file system for one stamp; never reads the file.
"""

from pathlib import Path

LOOK_SECONDS = 1.0


class ConfigWatch:
    """Remembers how the file looked last. A file that comes or goes has changed too."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._stamp()

    def changed(self) -> bool:
        """Whether the file is another than at the last call."""
        seen, self._seen = self._seen, self._stamp()
        return seen != self._seen

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns
