"""A text in the user's own editor, by way of a file that nobody else can read."""

import os
import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

FALLBACK = "vi"


class EditorError(Exception):
    """The editor could not be used; the words say why, and are safe to draw."""


def edit(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """The text as the user left it. Takes the terminal over until the editor ends."""
    command = environment.get("VISUAL") or environment.get("EDITOR") or FALLBACK
    try:
        arguments = shlex.split(command)
        with tempfile.TemporaryDirectory(prefix="streamtui-") as folder:
            path = Path(folder) / "prompt.md"
            path.write_text(text, encoding="utf-8")
            # No deadline: people take their time, and the streams go on in their own thread.
            status = subprocess.run([*arguments, str(path)], check=False).returncode  # noqa: S603
            if status:
                raise EditorError(f"The editor ended with status {status}. Nothing was changed.")
            return path.read_text(encoding="utf-8", errors="replace").removesuffix("\n")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "unbalanced quotes"
        raise EditorError(f"The editor could not be started: {reason}.") from error
