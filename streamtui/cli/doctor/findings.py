"""What a check says: a state, words, and the lines that mend it. Nothing here looks at anything."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from streamtui.cli.codes import USAGE

State = Literal["ok", "note", "problem"]


@dataclass(frozen=True, slots=True)
class Fix:
    """Lines to be used as they are: commands for a shell, or lines for a file."""

    lines: tuple[str, ...]
    where: str = ""
    """The file and the place in it; empty for commands."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. Words and lines may hold untrusted text."""

    state: State
    words: str
    fix: Fix | None = None
    code: int = USAGE
    """The exit code that a problem asks for."""


Findings = Iterable[Finding]


def ok(words: str) -> Finding:
    return Finding("ok", words)


def note(words: str, fix: Fix | None = None) -> Finding:
    """It works, and could be better."""
    return Finding("note", words, fix)


def problem(words: str, fix: Fix | None = None, *, code: int = USAGE) -> Finding:
    """Something does not work, or is not private, as long as it stays so."""
    return Finding("problem", words, fix, code)


def run(*commands: str) -> Fix:
    """Commands for a shell."""
    return Fix(commands)


def lines_in(where: str, *lines: str) -> Fix:
    """Lines for a file."""
    return Fix(lines, where)


def quoted(path: Path | str) -> str:
    """A path as a word of a command."""
    return shlex.quote(str(path))


def shown_path(path: Path | str, home: str) -> str:
    """A path for people: the home folder is `~`."""
    text = str(path)
    return f"~{text.removeprefix(home)}" if home and text.startswith(f"{home}/") else text
