"""`streamtui sessions`: what is live now, also with no console open."""

from typing import TYPE_CHECKING

import click

from streamtui.cli.codes import ANSWERED
from streamtui.cli.output import Trouble, emit, emit_json, say
from streamtui.safe_text import safe_line

if TYPE_CHECKING:
    from streamtui.engine.doors import Query
    from streamtui.engine.reports import Answer, SessionSummary

_PROMPT_CHARS = 60
_ID_CHARS = 18
"""A UUID of version 7 begins with its time: so much of it is one's own within a millisecond."""


@click.group("sessions", invoke_without_command=True)
@click.pass_context
def group(context: click.Context) -> int:
    """What streams now, also with no console open. `streamtui` attaches to it."""
    return print_list(False) if context.invoked_subcommand is None else ANSWERED


@group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def list_command(as_json: bool) -> int:
    """Print the sessions that are open."""
    return print_list(as_json)


def print_list(as_json: bool) -> int:
    """Print the sessions that are open; without an engine there are none."""
    from streamtui.engine.doors import ListSessions
    from streamtui.engine.reports import SessionList

    found = ask(ListSessions())
    sessions = found.sessions if isinstance(found, SessionList) else ()
    if not sessions and not as_json:
        say("Nothing is open. `streamtui` opens a console.")
    for session in sessions:
        if as_json:
            emit_json(session)
        else:
            emit(_row(session))
    return ANSWERED


@group.command("attach")
@click.pass_context
def attach(context: click.Context) -> int:
    """Open a console on what streams; the same as `streamtui`."""
    from streamtui.cli.console import open_console

    return open_console(context, (), "")


@group.command("stop")
@click.argument("session_ids", metavar="[SESSION]…", nargs=-1)
@click.option("--force", is_flag=True, help="Also while something streams.")
def stop(session_ids: tuple[str, ...], force: bool) -> int:
    """End sessions, named by the beginning of their ids; without any, end the engine itself."""
    return _stop_sessions(session_ids) if session_ids else _stop_engine(force)


def _stop_engine(force: bool) -> int:
    from streamtui.engine.host.commands import stop_running

    stopped = stop_running(even_live=force)
    if stopped is None:
        say("No engine runs.")
    elif not stopped.ends:
        plural = "session streams" if stopped.live == 1 else "sessions stream"
        raise Trouble(f"{stopped.live} {plural}: --force ends them, what they received is kept.")
    else:
        say("The engine has ended; everything it received is kept.")
    return ANSWERED


def _stop_sessions(beginnings: tuple[str, ...]) -> int:
    from streamtui.engine.doors import EndSessions, ListSessions
    from streamtui.engine.reports import SessionList

    found = ask(ListSessions())
    sessions = found.sessions if isinstance(found, SessionList) else ()
    ids = []
    for beginning in beginnings:
        matching = [s.session_id for s in sessions if s.session_id.startswith(beginning)]
        if len(matching) != 1:
            how_many = "no session begins" if not matching else "several sessions begin"
            raise Trouble(f"{how_many} with {safe_line(beginning, limit=40)}; nothing was ended.")
        ids += matching
    ask(EndSessions(tuple(ids)))
    say(f"{len(ids)} ended.")
    return ANSWERED


def ask(query: "Query") -> "Answer | None":
    """What the engine answers, if one runs."""
    from streamtui.engine.host.commands import ask_running
    from streamtui.errors import RunError

    try:
        return ask_running(query)
    except RunError as error:
        raise Trouble(f"{error}. {error.hint}.") from error


def _row(session: "SessionSummary") -> str:
    state = "live" if session.live else "idle"
    private = " private" if session.private else ""
    whom = safe_line(f"{session.endpoint} {session.model}", limit=32)
    prompt = safe_line(session.prompt, limit=_PROMPT_CHARS)
    return f"{session.session_id[:_ID_CHARS]}  {state}{private}  {whom:<32}  {prompt}".rstrip()
