"""`streamtui run`: asks one or many endpoints and prints the answers as they arrive."""

import sys
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import click

from streamtui.cli import common
from streamtui.cli.codes import BUG, CANCELLED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamtui.cli.outcome import Answer
    from streamtui.cli.output import Output
    from streamtui.cli.printers import Printer
    from streamtui.config import Config, Endpoint
    from streamtui.engine.doors import Doors

_STDIN = 0
_STDOUT = 1

_EPILOG = """\
PROMPT may be - or left out to read standard input. Answers go to standard output, everything else
to standard error.

\b
Exit codes, the worst of all endpoints:
  0    all answered, or nobody wanted more (--limit, a closed pipe)
  1    a bug in streamtui
  2    usage or configuration
  3    refused by the endpoint (400, 401, 403, 404)
  4    rate limited or overloaded, after all retries
  5    network, proxy or TLS
  6    cut off, unreadable, or failed in mid-answer
  130  cancelled (SIGINT, SIGTERM)
"""


@click.command("run", epilog=_EPILOG)
@click.argument("prompt", required=False)
@common.endpoint_option("Repeat it: all answer at once, under headings.")
@click.option("-m", "--model", default="", help="The model, where -e names none.")
@common.params_option
@click.option("--sep", metavar="TEXT", default="", help="Print this after each chunk.")
@click.option(
    "--events", type=click.Choice(["v1", "v2"]), help="Print LangChain's events, one JSON a line."
)
@click.option("--json", "as_json", is_flag=True, help="Print a summary with metrics, as JSON.")
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=1),
    help="Stop after N chunks (with --events: N events) of each answer.",
)
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0, min_open=True),
    help="The longest that an attempt may take; without it there is no limit in all.",
)
@click.option("--no-retry", is_flag=True, help="Try once only.")
@common.config_option
@click.pass_context
def command(
    context: click.Context,
    /,
    *,
    prompt: str | None,
    endpoints: tuple[str, ...],
    sep: str,
    events: str | None,
    as_json: bool,
    limit: int | None,
    **changes: Any,
) -> int:
    """Ask, and print the answer as it arrives."""
    if sum(map(bool, (sep, events, as_json))) > 1:
        raise click.UsageError("--sep, --events and --json are three forms of output: choose one.")
    prompt = _read_prompt(prompt)
    config = common.load(common.config_path(context))
    targets = _choose(config, endpoints, **changes)
    common.warn(config)

    from streamtui.cli.outcome import Answer
    from streamtui.cli.output import Output, is_terminal

    answers = [Answer(target, limit=None if events else limit) for target in targets]
    output = Output(_STDOUT, is_terminal=is_terminal(sys.stdout))
    printer = _printer(output, answers, sep, events, limit if events else None, as_json)
    by_chunk = bool(sep or events or limit)
    return stream(prompt, answers, output, printer, by_chunk=by_chunk)


def stream(
    prompt: str,
    answers: "Sequence[Answer]",
    output: "Output",
    printer: "Printer",
    *,
    by_chunk: bool = False,
    engine: "AbstractContextManager[Doors] | None" = None,
) -> int:
    """Ask all endpoints and print until the end; returns the exit code."""
    from streamtui.cli.interrupts import interrupts
    from streamtui.cli.outcome import worst
    from streamtui.cli.relay import Relay

    # The connections close before the signals get their usual meaning back.
    with interrupts() as signals, engine or common.open_engine() as doors:
        Relay(doors, output, signals).run(prompt, answers, printer, by_chunk=by_chunk)
    code = worst(answer.exit_code for answer in answers)
    return CANCELLED if signals.asked and code != BUG else code


def _read_prompt(given: str | None) -> str:
    from streamtui.cli.output import is_terminal

    if given is None and is_terminal(sys.stdin):
        raise click.UsageError("The prompt is missing: give it as an argument, or pipe it in.")
    prompt = _read_standard_input() if given in {None, "-"} else common.well_formed(given or "")
    if not prompt.strip():
        raise click.UsageError("The prompt is empty.")
    return prompt


def _read_standard_input() -> str:
    from streamtui.cli.interrupts import interrupts
    from streamtui.cli.output import say

    with interrupts() as asked:
        data = asked.read_all(_STDIN)
    text = data.decode("utf-8", "replace")
    if "\ufffd" in text and text.encode() != data:
        say("streamtui: standard input is not UTF-8: what cannot be read is replaced.")
    # The line end that `echo` adds is not part of the question.
    return text.removesuffix("\n")


def _choose(config: "Config", specs: "Sequence[str]", **changes: Any) -> "list[Endpoint]":
    return [_adapt(config, spec, **changes) for spec in specs or (config.default_endpoint,)]


def _adapt(
    config: "Config",
    spec: str,
    *,
    model: str,
    params: dict[str, object],
    timeout: float | None,
    no_retry: bool,
) -> "Endpoint":
    """The endpoint as it is configured, and then as the options want it."""
    from msgspec.structs import replace

    endpoint = config.endpoint(f"{spec}/{model}" if model and "/" not in spec else spec)
    limit = endpoint.timeouts.total if timeout is None else timeout
    return replace(
        endpoint,
        params=endpoint.params | params,
        timeouts=replace(endpoint.timeouts, total=limit),
        retries=0 if no_retry else endpoint.retries,
    )


def _printer(
    output: "Output",
    answers: "Sequence[Answer]",
    sep: str,
    events: str | None,
    event_limit: int | None,
    as_json: bool,
) -> "Printer":
    from streamtui.cli.printers import EventPrinter, SummaryPrinter, TextPrinter

    if events:
        return EventPrinter(output, answers, events, event_limit)
    return SummaryPrinter(output, answers) if as_json else TextPrinter(output, answers, sep)
