"""What the checks are told about the terminal and the environment, so that none has to ask itself.

Reads only: no option of tmux is set, no terminal is asked a question, no clipboard is touched.
"""

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

COMMAND_SECONDS = 2.0
_STREAMS = ("standard input", "standard output", "standard error")

Runner = Callable[[Sequence[str]], str | None]


def _run_nothing(_command: Sequence[str]) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Facts:
    """The surroundings of the program."""

    environ: Mapping[str, str] = field(default_factory=dict)
    terminals: tuple[str, ...] = _STREAMS
    """Which of the three standard streams are terminals."""
    size: tuple[int, int] | None = None
    """Columns and rows, as the terminal itself says; None without a terminal."""
    encoding: str = "UTF-8"
    """Of the locale."""
    run: Runner = _run_nothing
    """What a command prints; None when it fails, is not there or takes too long."""

    @property
    def is_terminal(self) -> bool:
        return bool(self.terminals)

    @property
    def redirected(self) -> tuple[str, ...]:
        """The standard streams that are no terminals."""
        return tuple(name for name in _STREAMS if name not in self.terminals)

    @property
    def term(self) -> str:
        return self.environ.get("TERM", "")

    @property
    def over_ssh(self) -> bool:
        return bool(self.environ.get("SSH_CONNECTION") or self.environ.get("SSH_TTY"))

    @property
    def in_tmux(self) -> bool:
        return bool(self.environ.get("TMUX"))

    @property
    def in_screen(self) -> bool:
        return bool(self.environ.get("STY"))

    @property
    def home(self) -> str:
        return self.environ.get("HOME", "").rstrip("/")


def read_facts(environ: Mapping[str, str] = os.environ) -> Facts:
    """The facts of this process."""
    import locale

    terminals = [number for number in range(3) if os.isatty(number)]
    return Facts(
        environ=environ,
        terminals=tuple(_STREAMS[number] for number in terminals),
        size=_size_of(terminals[0]) if terminals else None,
        encoding=locale.getencoding(),
        run=run_command,
    )


def run_command(command: Sequence[str]) -> str | None:
    """What a command prints; no shell reads its words."""
    try:
        done = subprocess.run(  # noqa: S603 - the commands stand in this package
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else done.stdout.decode("utf-8", "replace")


def _size_of(descriptor: int) -> tuple[int, int] | None:
    try:
        size = os.get_terminal_size(descriptor)
    except OSError:
        return None
    return (size.columns, size.lines) if size.columns and size.lines else None
