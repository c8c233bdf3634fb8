"""`streamtui history`: what was asked and answered, found, shown, exported, played, deleted."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streamtui.cli.codes import ANSWERED
from streamtui.cli.output import Trouble, emit, emit_json, is_terminal, say
from streamtui.safe_text import safe_line, safe_text

if TYPE_CHECKING:
    from streamtui.engine.journal.history import History
    from streamtui.engine.reports import RunSummary, SessionRecord, StoredRun

_FORMATS = ("md", "json", "jsonl")
_GLYPHS = {
    "done": "✓",
    "cut off": "↯",
    "interrupted": "↯",
    "failed": "✗",
    "cancelled": "⊘",
    "streaming": "●",
    "queued": "≡",
}
_PROMPT_CHARS = 70
_ID_CHARS = 18


@click.group("history", invoke_without_command=True)
@click.pass_context
def group(context: click.Context) -> int:
    """What was asked and answered. RUN is an id, or the beginning of one."""
    return _list("", 20, False) if context.invoked_subcommand is None else ANSWERED


@group.command("list")
@click.option("-n", "limit", default=20, type=click.IntRange(min=1), show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def list_command(limit: int, as_json: bool) -> int:
    """The newest runs first."""
    return _list("", limit, as_json)


@group.command("search")
@click.argument("words", nargs=-1, required=True)
@click.option("-n", "limit", default=20, type=click.IntRange(min=1), show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def search(words: tuple[str, ...], limit: int, as_json: bool) -> int:
    """Runs that hold all WORDS in their prompt or answer, in any script."""
    return _list(" ".join(words), limit, as_json)


@group.command("show")
@click.argument("run_id", metavar="RUN")
def show(run_id: str) -> int:
    """The whole conversation up to this run, as Markdown."""
    from streamtui.export import to_markdown

    with _history() as history:
        emit(to_markdown(_conversation(history, run_id)).rstrip("\n"))
    return ANSWERED


@group.command("export")
@click.argument("run_id", metavar="RUN")
@click.option("-f", "--format", "form", type=click.Choice(_FORMATS), help="Default: md.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A file, a folder, or -.")
@click.option("--run-only", is_flag=True, help="This run alone, without those before it.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def export(run_id: str, form: str | None, output: Path | None, run_only: bool, force: bool) -> int:
    """Write a conversation to a file; without -o into the current folder."""
    from streamtui.export import FORMATS, ExportError, file_name, turns_of, write_new

    form = form or _form_of(output)
    with _history() as history:
        record = _run(history, run_id) if run_only else _conversation(history, run_id)
    text = FORMATS[form](record)
    if output is not None and str(output) == "-":
        emit(text.rstrip("\n"))
        return ANSWERED
    turn = turns_of(record.events)[0]
    path = output or Path()
    if path.is_dir():
        path /= file_name(turn.prompt, turn.started, form)
    try:
        write_new(path, text, overwrite=force)
    except ExportError as error:
        raise Trouble(f"{error}. --force replaces a file, -o names another.") from error
    click.echo(str(path))
    return ANSWERED


@group.command("delete")
@click.argument("run_ids", metavar="RUN…", nargs=-1, required=True)
def delete(run_ids: tuple[str, ...]) -> int:
    """Remove runs for good."""
    from streamtui.engine.doors import DeleteRuns

    with _history() as history:
        ids = tuple(_run(history, run_id).summary.run_id for run_id in run_ids)
    _change(DeleteRuns(ids))
    say(f"{len(ids)} deleted.")
    return ANSWERED


@group.command("purge")
@click.option("--yes", is_flag=True, help="Do not ask.")
def purge(yes: bool) -> int:
    """Remove everything, from the file itself; what still streams stays."""
    from streamtui.engine.doors import PurgeHistory

    if not yes:
        click.confirm("Remove all prompts and answers for good?", abort=True, err=True)
    _change(PurgeHistory())
    say("The history is empty.")
    return ANSWERED


@group.command("replay")
@click.argument("run_id", metavar="RUN")
@click.option(
    "--speed",
    default=1.0,
    show_default=True,
    type=click.FloatRange(min=0),
    help="So many times as fast as it came; 0 for at once.",
)
@click.option("--step", is_flag=True, help="Go on at each enter.")
@click.option("--events", is_flag=True, help="Print the events, one JSON object a line.")
def replay(run_id: str, speed: float, step: bool, events: bool) -> int:
    """Play a run as it came."""
    from streamtui.replay import steps_of

    with _history() as history:
        record = _run(history, run_id)
    for moment in steps_of(record.events):
        if step:
            sys.stdin.readline()
        elif speed:
            time.sleep(moment.pause / speed)
        if events:
            emit_json(moment.event)
        else:
            click.echo(_prepared(moment.text), nl=False)
        sys.stdout.flush()
    if not events:
        click.echo()
        if record.summary.state != "done":
            say(f"{record.summary.state}.")
    return ANSWERED


def _list(text: str, limit: int, as_json: bool) -> int:
    with _history() as history:
        page = history.runs(text, limit, None)
    if not page.runs and not as_json:
        say("Nothing is found." if text else "Nothing is kept yet.")
    for run in page.runs:
        if as_json:
            emit_json(run)
        else:
            emit(_row(run, found=bool(text)))
    if page.more and not as_json:
        say("There are more: -n shows them.")
    return ANSWERED


def _row(run: "RunSummary", *, found: bool) -> str:
    moment = datetime.fromtimestamp(run.started).astimezone().strftime("%Y-%m-%d %H:%M")
    whom = safe_line(f"{run.endpoint} {run.model}".strip(), limit=28)
    glyph = _GLYPHS.get(run.state, "?")
    prompt = safe_line(run.prompt, limit=_PROMPT_CHARS)
    row = f"{run.run_id[:_ID_CHARS]}  {moment}  {glyph} {run.state:<11}  {whom:<28}  {prompt}"
    if found and run.answer:
        row += f"\n    {safe_line(run.answer, limit=160)}"
    return row


@contextmanager
def _history() -> "Iterator[History]":
    from streamtui.engine.journal import default_journal_path
    from streamtui.engine.journal.visit import reading
    from streamtui.errors import JournalError

    try:
        with reading(default_journal_path()) as history:
            yield history
    except JournalError as error:
        raise Trouble(f"{error}.") from error


def _run(history: "History", run_id: str) -> "StoredRun":
    run = history.run(run_id)
    if run is None:
        raise Trouble(f"no run begins with {safe_line(run_id, limit=40)}.")
    return run


def _conversation(history: "History", run_id: str) -> "SessionRecord":
    """The session of a run, up to that run."""
    from msgspec import structs

    run = _run(history, run_id)
    session = history.session(run.summary.session_id)
    if session is None:
        raise Trouble("the conversation of this run is gone; --run-only has the run itself.")
    last = max(
        place for place, event in enumerate(session.events) if event.run_id == run.summary.run_id
    )
    return structs.replace(session, events=session.events[: last + 1])


def _change(query: Any) -> None:
    """Through the engine if one runs, else in the file."""
    from streamtui.cli.sessions import ask
    from streamtui.engine.doors import DeleteRuns
    from streamtui.engine.journal import default_journal_path
    from streamtui.engine.journal.visit import changing
    from streamtui.engine.reports import NotFound
    from streamtui.errors import JournalError

    try:
        with changing(default_journal_path()) as store:
            if store is None:
                answer = ask(query)
                if isinstance(answer, NotFound) and answer.error:
                    raise Trouble(f"{answer.error.message}.")
            elif isinstance(query, DeleteRuns):
                store.delete_runs(query.run_ids)
            else:
                store.purge()
    except JournalError as error:
        raise Trouble(f"{error}.") from error


def _form_of(output: Path | None) -> str:
    ending = output.suffix.removeprefix(".") if output is not None else ""
    return ending if ending in _FORMATS else "md"


def _prepared(text: str) -> str:
    return safe_text(text) if is_terminal(sys.stdout) else text
