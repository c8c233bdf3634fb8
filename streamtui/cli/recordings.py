"""What can be played again: a stored run, a conversation that was exported, a recorded response."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from streamtui.cli.common import CommandT
from streamtui.cli.output import Trouble

if TYPE_CHECKING:
    from streamtui.events import Event
    from streamtui.recording import Recording

WHAT_HELP = """\
WHAT is a run of the history, or a file that holds a recording:

\b
  RUN          an id, or the beginning of one
  FILE.http    a response with its head, as `curl -i` writes it, without
               times of its own: 40 lines a second stand for them
  FILE.jsonl   what `streamtui history export -f jsonl` wrote; its last run
"""
_FILE_ENDINGS = (".http", ".jsonl")


def dialect_option(command: CommandT) -> CommandT:
    """`--dialect NAME`, for recorded responses; empty where it is not given."""
    return click.option(
        "--dialect",
        metavar="NAME",
        default="",
        callback=_known,
        shell_complete=_complete,
        help="Whose stream a recorded response is, where it does not show, such as openai-chat.",
    )(command)


def _known(_context: click.Context, _option: click.Parameter, name: str) -> str:
    from streamtui.config.known import DIALECTS

    if name and name not in DIALECTS:
        raise click.BadParameter(f"{name!r} is not one of {', '.join(DIALECTS)}.")
    return name


def _complete(_context: click.Context, _option: click.Parameter, incomplete: str) -> list[str]:
    from streamtui.config.known import DIALECTS

    return [name for name in DIALECTS if name.startswith(incomplete)]


class Recorded(NamedTuple):
    """One run, and where it comes from."""

    name: str
    """For people: the beginning of its id, or the file."""
    dialect: str
    events: "Sequence[Event]"
    """Of that run alone, its end the last of them."""
    response: "Recording | None"
    """The bytes, where it is they that were recorded."""


def load(what: str, dialect: str) -> Recorded:
    """What a user names. `dialect` says how a response is to be read; empty where it shows.

    Raises Trouble for what is not there or cannot be read.
    """
    path = Path(what)
    # Unlike `Path.is_file` this takes what is too long for a name to be none.
    if "/" in what or path.suffix.lower() in _FILE_ENDINGS or os.path.isfile(path):  # noqa: PTH113
        return _from_file(path, dialect)
    return _from_history(what)


def _from_history(beginning: str) -> Recorded:
    from streamtui.cli.journal import find_run
    from streamtui.cli.tables import ID_CHARS
    from streamtui.export import ended

    run = find_run(beginning)
    return _recorded(run.summary.run_id[:ID_CHARS], ended(run.events))


def _from_file(path: Path, dialect: str) -> Recorded:
    data = _read(path)
    try:
        if path.suffix.lower() == ".jsonl" or data.lstrip().startswith(b"{"):
            return _from_export(path, data)
        return _from_response(path, data, dialect)
    except ValueError as error:
        raise Trouble(f"{path} cannot be played: {error}.") from error


def _read(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise Trouble(f"{path} is no ordinary file.")
        return path.read_bytes()
    except OSError as error:
        raise Trouble(f"{path} cannot be read: {error.strerror}.") from error


def _from_export(path: Path, data: bytes) -> Recorded:
    from streamtui.events import RunStarted
    from streamtui.export import ended, read_jsonl

    events = read_jsonl(data)
    runs = [event.run_id for event in events if isinstance(event.body, RunStarted)]
    if not runs:
        raise ValueError("no run begins in it")
    return _recorded(path.name, ended(event for event in events if event.run_id == runs[-1]))


def _recorded(name: str, events: "Sequence[Event]") -> Recorded:
    from streamtui.events import RunStarted

    if not events:
        raise Trouble(f"nothing is kept of {name} but its prompt.")
    dialects = [e.body.dialect for e in events if isinstance(e.body, RunStarted)]
    return Recorded(name, dialects[-1] if dialects else "", events, None)


def _from_response(path: Path, data: bytes, dialect: str) -> Recorded:
    from streamtui.recording import events_of, guess_dialect, read_recording

    response = read_recording(data)
    dialect = dialect or guess_dialect(response)
    if not dialect:
        raise ValueError("whose stream it is does not show; say it with --dialect")
    events = events_of(response, dialect, path.name, path.stat().st_mtime)
    return Recorded(path.name, dialect, events, response)
