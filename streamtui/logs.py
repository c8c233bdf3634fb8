"""Where tracebacks go: a file of the user's own, redacted. Never across a screen that is drawn."""

import logging
import os
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from streamtui.redact import Redactor

MAX_BYTES = 1_000_000


def default_log_path() -> Path:
    """Where the log is when nothing else is said."""
    from platformdirs import user_log_path

    return user_log_path("streamtui") / "streamtui.log"


def log_to_file(path: Path) -> None:
    """Send warnings and errors of the whole process to a file that only its user can read.

    Where no file can be made, they go nowhere: a log is not worth a start-up that fails.
    """
    root = logging.getLogger()
    root.setLevel(logging.WARNING)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handler: logging.Handler = _PrivateFile(path, maxBytes=MAX_BYTES, backupCount=1, delay=True)
    except OSError:
        handler = logging.NullHandler()
    handler.setFormatter(_Redacting("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root.addHandler(handler)


class _PrivateFile(RotatingFileHandler):
    """Mode 0600 from its first byte on; a full disk loses a line of the log and nothing else."""

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(
            self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600
        )
        return os.fdopen(descriptor, "a", encoding="utf-8", errors="replace")

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Say nothing: the usual complaint would be drawn across the screen."""


class _Redacting(logging.Formatter):
    """Tracebacks quote source lines and values; keys among them are hidden."""

    def format(self, record: logging.LogRecord) -> str:
        return Redactor().redact(super().format(record))
