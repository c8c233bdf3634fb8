"""`streamtui sessions`: what is live now, also with no console open."""

from typing import TYPE_CHECKING

import click

from streamtui.cli import common
from streamtui.cli.codes import ANSWERED
from streamtui.cli.output import Trouble, emit, emit_json, say, terminal_width
from streamtui.safe_text import safe_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamtui.engine.doors import Query
    from streamtui.engine.reports import Answer, SessionSummary

_COLUMNS = ("SESSION", "STATE", "ENDPOINT", "RUNS", "PROMPT")


@click.group("sessions", invoke_without_command=True)
@click.pass_context
def group(context: click.Context) -> int:
    """What streams now, also with no console open. `streamtui` attaches to it."""
    return print_list(False) if context.invoked_subcommand is None else ANSWERED


@group.command("list")
@common.json_option
def list_command(as_json: bool) -> int:
    """Print the sessions that are open."""
    return print_list(as_json)


def print_list(as_json: bool) -> int:
    """Print the sessions that are open; without an engine there are none."""
    sessions = _open_sessions()
    if as_json:
        for session in sessions:
            emit_json(session)
    elif sessions:
        emit("\n".join(list_lines(sessions, terminal_width())))
    else:
        say("Nothing is open. `streamtui` opens a console.")
    return ANSWERED


@group.command("attach")
@click.pass_context
def attach(context: click.Context) -> int:
    """Open a console on what streams; the same as `streamtui`."""
    from streamtui.cli.console import open_console

    return open_console(context, (), "")


@group.command("stop")
@click.argument("session_ids", metavar="[SESSION]…", nargs=-1)
@click.option("--force", is_flag=True, help="End the engine also while something streams.")
def stop(session_ids: tuple[str, ...], force: bool) -> int:
    """End sessions, named by the beginnings of their ids, and what streams in them.

    Without any, end the engine itself. What was received is kept.
    """
    return _stop_sessions(session_ids) if session_ids else _stop_engine(force)


def list_lines(sessions: "Sequence[SessionSummary]", width: int | None) -> list[str]:
    """The sessions as a table; `width` in cells, None where lines may have any length."""
    from streamtui.cli.tables import short_ids, table

    ids = short_ids([session.session_id for session in sessions])
    rows = [((ids[each.session_id], *_cells(each)), (each.prompt,)) for each in sessions]
    return table(_COLUMNS, rows, width)


def _cells(session: "SessionSummary") -> tuple[str, str, str]:
    from streamtui.cli.tables import whom

    state = "live" if session.live else "idle"
    private = ", private" if session.private else ""
    return f"{state}{private}", whom(session.endpoint, session.model), str(session.runs)


def _stop_engine(force: bool) -> int:
    from streamtui.engine.host.commands import stop_running

    stopped = stop_running(even_live=force)
    if stopped is None:
        say("No engine runs.")
    elif not stopped.ends:
        words = f"{common.streaming(stopped.live)}. --force ends them all the same"
        raise Trouble(f"{words}; what they received is kept.")
    else:
        say("The engine has ended. What it received is kept.")
    return ANSWERED


def _stop_sessions(beginnings: "Sequence[str]") -> int:
    from streamtui.engine.doors import EndSessions

    sessions = _open_sessions()
    ids = tuple(dict.fromkeys(_session_id(sessions, beginning) for beginning in beginnings))
    ask(EndSessions(ids))
    say("1 session ended." if len(ids) == 1 else f"{len(ids)} sessions ended.")
    return ANSWERED


def _session_id(sessions: "Sequence[SessionSummary]", beginning: str) -> str:
    ids = [session.session_id for session in sessions]
    matching = [name for name in ids if name.startswith(beginning)]
    if beginning in matching:
        return beginning
    if len(matching) != 1:
        how_many = "no session begins" if not matching else f"{len(matching)} sessions begin"
        shown = safe_line(beginning, limit=40)
        raise Trouble(f"{how_many} with “{shown}”. Nothing was ended.")
    return matching[0]


def _open_sessions() -> "tuple[SessionSummary, ...]":
    from streamtui.engine.doors import ListSessions
    from streamtui.engine.reports import SessionList

    found = ask(ListSessions())
    return found.sessions if isinstance(found, SessionList) else ()


def ask(query: "Query") -> "Answer | None":
    """What the engine answers; None where none runs. Raises Trouble where it cannot."""
    from streamtui.engine.host.client import EngineMismatchError
    from streamtui.engine.host.commands import ask_running
    from streamtui.engine.reports import NotFound, Unanswered
    from streamtui.errors import RunError

    try:
        answer = ask_running(query)
    except EngineMismatchError as error:
        raise common.in_the_way(error) from error
    except RunError as error:
        raise Trouble(error.info().words) from error
    if isinstance(answer, NotFound | Unanswered) and answer.error:
        raise Trouble(answer.error.words)
    return answer
