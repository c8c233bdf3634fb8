"""`streamtui history`: what was asked and answered, found, shown, exported, played, deleted."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streamtui.cli import common
from streamtui.cli.codes import ANSWERED, CANCELLED
from streamtui.cli.output import Trouble, emit, emit_json, say, terminal_width
from streamtui.cli.replay import command as replay

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamtui.engine.reports import RunSummary

_FORMATS = ("md", "json", "jsonl")
_LIMIT = 20

_limit_option = click.option(
    "-n",
    "limit",
    metavar="N",
    default=_LIMIT,
    show_default=True,
    type=click.IntRange(1, 1_000_000),
    help="At most so many.",
)
_yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


@click.group("history", invoke_without_command=True)
@click.pass_context
def group(context: click.Context) -> int:
    """What was asked and answered. RUN is an id, or the beginning of one."""
    return _print_runs("", _LIMIT, False) if context.invoked_subcommand is None else ANSWERED


group.add_command(replay)


@group.command("list")
@_limit_option
@common.json_option
def list_command(limit: int, as_json: bool) -> int:
    """Print the newest runs."""
    return _print_runs("", limit, as_json)


@group.command("search")
@click.argument("words", nargs=-1, required=True)
@_limit_option
@common.json_option
def search(words: tuple[str, ...], limit: int, as_json: bool) -> int:
    """Print the newest runs that hold all WORDS in prompt or answer, in any script."""
    return _print_runs(" ".join(words), limit, as_json)


@group.command("show")
@click.argument("run_id", metavar="RUN")
def show(run_id: str) -> int:
    """Print the conversation up to this run, as Markdown."""
    from streamtui.cli.journal import find_conversation
    from streamtui.export import to_markdown

    emit(to_markdown(find_conversation(run_id)).rstrip("\n"))
    return ANSWERED


@group.command("export")
@click.argument("run_id", metavar="RUN")
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(_FORMATS),
    help="Without it what -o ends with, or md.",
)
@click.option("-o", "--output", metavar="PATH", default="", help="A file, a folder, or - .")
@click.option("--run-only", is_flag=True, help="This run alone, without those before it.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def export(run_id: str, form: str | None, output: str, run_only: bool, force: bool) -> int:
    """Write a conversation to a file, and print its name; without -o into the current folder."""
    from streamtui.cli.journal import find_conversation, find_run
    from streamtui.export import FORMATS, name_of

    form = form or _form_of(output)
    record = find_run(run_id) if run_only else find_conversation(run_id)
    text = FORMATS[form](record)
    if output == "-":
        emit(text.rstrip("\n"))
        return ANSWERED
    path = _path_of(output, name_of(record, form))
    if not _write(path, text, force):
        say(f"{path} stays as it is.")
        return CANCELLED
    emit(str(path))
    return ANSWERED


@group.command("delete")
@click.argument("run_ids", metavar="RUN…", nargs=-1, required=True)
@_yes_option
def delete(run_ids: tuple[str, ...], yes: bool) -> int:
    """Remove runs for good. `purge` removes what is left of them in the file, too."""
    from streamtui.cli.asking import agrees
    from streamtui.cli.history_words import list_lines
    from streamtui.cli.journal import change, find_summaries
    from streamtui.engine.doors import DeleteRuns

    runs = list({run.run_id: run for run in find_summaries(run_ids)}.values())
    for line in list_lines(runs, terminal_width() or 80):
        say(line)
    question = f"Remove {_count(runs)} for good?"
    if not (yes or agrees(question, otherwise="nothing was removed: --yes removes unasked.")):
        say("Nothing was removed.")
        return CANCELLED
    change(DeleteRuns(tuple(run.run_id for run in runs)))
    say(f"{_count(runs)} removed.")
    return ANSWERED


@group.command("purge")
@_yes_option
def purge(yes: bool) -> int:
    """Remove everything, from the file itself; what still streams stays."""
    from streamtui.cli.asking import agrees
    from streamtui.cli.journal import change
    from streamtui.engine.doors import PurgeHistory

    question = "Remove all prompts and answers for good?"
    if not (yes or agrees(question, otherwise="nothing was removed: --yes removes unasked.")):
        say("Nothing was removed.")
        return CANCELLED
    change(PurgeHistory())
    say("The history is empty, but for what still streams.")
    return ANSWERED


def _print_runs(text: str, limit: int, as_json: bool) -> int:
    from streamtui.cli.history_words import list_lines, list_object
    from streamtui.cli.journal import find_runs

    page = find_runs(text, limit)
    if as_json:
        for run in page.runs:
            emit_json(list_object(run))
        return ANSWERED
    if not page.runs:
        say("Nothing is found." if text else "Nothing is kept yet.")
        return ANSWERED
    emit("\n".join(list_lines(page.runs, terminal_width(), text.split())))
    if page.more:
        say(f"There are older ones: -n {2 * limit} shows more.")
    return ANSWERED


def _form_of(output: str) -> str:
    ending = Path(output).suffix.removeprefix(".").lower()
    return ending if ending in _FORMATS else "md"


def _path_of(output: str, name: str) -> Path:
    path = Path(output)
    # Unlike `Path.is_dir` this takes what is too long for a name to be none.
    if os.path.isdir(path):  # noqa: PTH112
        return path / name
    if output.endswith("/"):
        raise Trouble(f"{output} is no folder.")
    return path


def _write(path: Path, text: str, force: bool) -> bool:
    """Whether it was written; a file that is there goes only if it may."""
    from streamtui.cli.asking import agrees
    from streamtui.export import ExportError, TakenError, write_new

    try:
        try:
            write_new(path, text, overwrite=force)
        except TakenError as taken:
            question = f"{path} is there already. Replace it?"
            if not agrees(question, otherwise=f"{taken}. --force replaces it, -o names another."):
                return False
            write_new(path, text, overwrite=True)
    except ExportError as error:
        raise Trouble(f"{error}.") from error
    return True


def _count(runs: "Sequence[RunSummary]") -> str:
    return "1 run" if len(runs) == 1 else f"{len(runs)} runs"
