"""`streamtui watch`: listens to a stream of events and prints it live."""

import os
import sys
import warnings
from contextlib import AbstractContextManager, closing, redirect_stdout
from typing import TYPE_CHECKING, Any, Literal

import click

from streamtui.cli import common

if TYPE_CHECKING:
    from streamtui.cli.printers import Printer
    from streamtui.cli.watch_output import Lines
    from streamtui.cli.watch_target import Form, Input
    from streamtui.config import Endpoint
    from streamtui.engine.doors import Doors

_STDOUT = 1
_VERSIONS = ("v1", "v2")
_Version = Literal["v1", "v2"]

_EPILOG = """\
TARGET is one of these:

\b
  URL             a stream of server-sent events, asked for with GET, or with
                  POST when there is an --input. With GET it goes on after its
                  last event when the connection is lost, until the server
                  answers 204, a signal comes or --limit is reached.
  URL             of a runnable of LangServe (…/stream, …/stream_events,
                  …/stream_log) or of a LangGraph server (…/runs/stream), with
                  --input: its text, or its events with --events.
  MODULE:OBJECT   a runnable of LangChain, imported from the current folder,
                  with --input: its text, or its events with --events.

With -e in place of a TARGET a configured endpoint is listened to, with its key, proxy and TLS.
Events and text go to standard output, everything else to standard error.

\b
Examples:
  streamtui watch https://stream.example.com/v2/recentchange --json --limit 5
  streamtui watch http://127.0.0.1:8000/chain/stream --input '{"topic": "cats"}'
  streamtui watch app:graph --input "hi" --events

\b
Exit codes:
  0    the stream ended, or nobody wanted more (--limit, a closed pipe)
  1    a bug in streamtui
  2    usage or configuration
  3    refused (400, 401, 403, 404)
  4    rate limited or overloaded, after all retries
  5    network, proxy or TLS, before anything came
  6    cut off, unreadable, or failed on the way
  130  cancelled (SIGINT, SIGTERM)
"""


def _read_input(
    _context: click.Context, _option: click.Parameter, given: str | None
) -> "Input | None":
    from streamtui.cli.watch_target import Input

    if given is None:
        return None
    text = common.well_formed(given)
    try:
        return Input(text, common.json_or_text(text))
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from error


@click.command("watch", cls=common.with_events(_VERSIONS, alone="v2"), epilog=_EPILOG)
@click.argument("target", required=False)
@click.option(
    "-e",
    "--endpoint",
    "spec",
    metavar="ENDPOINT[/MODEL]",
    shell_complete=common.complete_endpoint,
    help="Listen to this endpoint of the configuration.",
)
@click.option(
    "--input",
    "given",
    metavar="JSON-OR-TEXT",
    callback=_read_input,
    help="Send this. For a plain stream of events an object is the whole body.",
)
@click.option(
    "--as",
    "form",
    type=click.Choice(["sse", "langserve", "langgraph"]),
    help="What the URL is, where it does not show.",
)
@click.option(
    "--events",
    type=click.Choice(_VERSIONS),
    metavar="[v1|v2]",
    help="Print LangChain's events, one JSON a line. v1 is for objects only.",
)
@click.option("--json", "as_json", is_flag=True, help="Print each event of a stream as JSON.")
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=1),
    help="Stop after N events (where text is printed: N chunks of it).",
)
@click.option(
    "--key-env",
    metavar="VARIABLE",
    help="Send the key in this environment variable, as a bearer token (LangGraph: x-api-key).",
)
@common.params_option
@common.config_option
@click.pass_context
def command(
    context: click.Context,
    /,
    *,
    target: str | None,
    spec: str | None,
    given: "Input | None",
    events: _Version | None,
    as_json: bool,
    limit: int | None,
    **about_url: Any,
) -> int:
    """Listen to a stream of events and print it live."""
    from streamtui.cli.watch_target import is_object

    if (target is None) == (spec is None):
        raise click.UsageError("Give a TARGET, or an endpoint with -e.")
    if events and as_json:
        raise click.UsageError("--events and --json are two forms of output: choose one.")
    if target and is_object(target):
        _refuse(f"{target} is an object", {"json": as_json, **about_url})
        return _watch_object(target, _needed(given), events, limit)
    if target is None:
        endpoint = _configured(context, spec or "", **about_url)
    else:
        endpoint = _at(target, with_input=given is not None, **about_url)
    return _watch(endpoint, given, events, limit, as_json=as_json)


def _configured(
    context: click.Context, spec: str, *, params: dict[str, object], **about_url: Any
) -> "Endpoint":
    from msgspec.structs import replace

    _refuse(f"-e {spec} is configured", about_url)
    config = common.load(common.config_path(context))
    endpoint = config.endpoint(spec)
    common.warn(config)
    return replace(endpoint, params=endpoint.params | params)


def _at(
    url: str,
    *,
    with_input: bool,
    form: "Form | None",
    key_env: str | None,
    params: dict[str, object],
) -> "Endpoint":
    from msgspec.structs import replace

    from streamtui.cli.watch_target import endpoint_at

    if "://" not in url:
        raise click.UsageError("TARGET is neither a URL such as http://host nor MODULE:OBJECT.")
    try:
        endpoint = endpoint_at(url, form, with_input=with_input)
    except ValueError as error:
        raise click.UsageError(f"TARGET: {error}.") from error
    endpoint = replace(endpoint, params=endpoint.params | params)
    return _with_key(endpoint, key_env) if key_env else endpoint


def _with_key(endpoint: "Endpoint", variable: str) -> "Endpoint":
    from urllib.parse import urlsplit

    from msgspec.structs import replace

    from streamtui.cli.output import say
    from streamtui.config.values import check_key, is_loopback

    try:
        key = check_key(os.environ.get(variable, ""))
    except ValueError as error:
        raise click.UsageError(f"The environment variable {variable} {error}.") from error
    if key is None:
        raise click.UsageError(f"The environment variable {variable} is not set.")
    address = urlsplit(endpoint.base_url)
    if address.scheme == "http" and not is_loopback(address.hostname or ""):
        say("streamtui: the key goes over http://, readable on the way; use https:// if you can.")
    return replace(endpoint, api_key=key, key_source=f"environment variable {variable}")


def _refuse(why: str, options: dict[str, Any]) -> None:
    """Options that make no sense with a target."""
    names = {"form": "--as", "key_env": "--key-env", "params": "--param", "json": "--json"}
    for name, value in options.items():
        if value:
            raise click.UsageError(f"{why}: {names[name]} is of no use.")


def _needed(given: "Input | None") -> "Input":
    if given is None:
        raise click.UsageError("--input is missing.")
    return given


def _watch(
    endpoint: "Endpoint",
    given: "Input | None",
    events: _Version | None,
    limit: int | None,
    *,
    as_json: bool,
) -> int:
    from streamtui.cli.watch_output import json_events, own_events, shown_events
    from streamtui.cli.watch_target import asking

    _check_forms(endpoint.dialect, events, as_json=as_json)
    is_plain = endpoint.dialect == "sse"
    prompt = "" if given is None and is_plain else _needed(given).prompt
    lines: Lines | None = None
    if is_plain:
        lines = json_events if as_json else shown_events
    elif events:
        lines = own_events
    asked = asking(endpoint, given, events=events is not None)
    return _print(asked, prompt, common.open_engine(), lines, limit)


def _check_forms(dialect: str, events: _Version | None, *, as_json: bool) -> None:
    if as_json and dialect != "sse":
        raise click.UsageError(f"--json is for plain streams of events, this is {dialect}.")
    if events and dialect not in {"langserve", "langgraph"}:
        others = "use --json" if dialect == "sse" else "use `streamtui run --events v2`"
        raise click.UsageError(f"--events is for LangServe, LangGraph and objects: {others}.")
    if events == "v1":
        raise click.UsageError("--events v1 is for objects: servers send v2.")


def _watch_object(target: str, given: "Input", events: _Version | None, limit: int | None) -> int:
    from streamtui.cli.watch_output import own_events
    from streamtui.cli.watch_target import import_runnable
    from streamtui.config import Endpoint
    from streamtui.runnables import RunnableDoors

    # Standard output is ours: what the user's own code prints would stand inside the data.
    with redirect_stdout(sys.stderr):
        runnable = import_runnable(target)
        # LangChain advises against v1; whoever names it knows. Its import sets filters of its own.
        warnings.filterwarnings("ignore", message="astream_events version='v1'")
        doors = RunnableDoors(runnable, given.value, events or "v2")
        endpoint, lines = Endpoint(target, "runnable", ""), own_events if events else None
        code = _print(endpoint, given.prompt, closing(doors), lines, limit)
        if doors.is_alive:
            # Code in a thread cannot be ended from outside, and Python would wait for it.
            sys.stderr.flush()
            os._exit(code)
    return code


def _print(
    endpoint: "Endpoint",
    prompt: str,
    engine: AbstractContextManager["Doors"],
    lines: "Lines | None",
    limit: int | None,
) -> int:
    """Listen until the end, and print lines or, without them, text; returns the exit code."""
    from streamtui.cli.outcome import Answer
    from streamtui.cli.output import Output, is_terminal
    from streamtui.cli.printers import TextPrinter
    from streamtui.cli.run import stream
    from streamtui.cli.watch_output import LinePrinter, Listener

    output = Output(_STDOUT, is_terminal=is_terminal(sys.stdout))
    answer = Answer(endpoint, limit=limit) if lines is None else Listener(endpoint)
    # A chain that ends with something else than text has said nothing, and did well.
    empty = "it ended without any text. --events prints what it did."
    printer: Printer = TextPrinter(output, [answer], empty=empty)
    if lines is not None:
        printer = LinePrinter(output, lines, limit)
    return stream(prompt, [answer], output, printer, by_chunk=True, engine=engine)
