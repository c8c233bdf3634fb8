"""What several commands share: `--config`, endpoints by name, and the engine with its demo."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from streamtui.cli.output import Trouble, say

if TYPE_CHECKING:
    from streamtui.config import Config
    from streamtui.engine.doors import Doors
    from streamtui.engine.host.client import EngineMismatchError

_CONFIG_PATH = "streamtui.config_path"

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


def config_option(command: CommandT) -> CommandT:
    """`--config PATH`, before or after the command's name; the last one counts."""
    return click.option(
        "--config",
        metavar="PATH",
        type=click.Path(dir_okay=False, path_type=Path),
        expose_value=False,
        callback=_remember_config,
        help="Read this file instead of the usual one.",
    )(command)


def _remember_config(context: click.Context, _option: click.Parameter, path: Path | None) -> None:
    if path is not None:
        context.meta[_CONFIG_PATH] = path


def config_path(context: click.Context) -> Path | None:
    """What `--config` says, if anything."""
    path: Path | None = context.meta.get(_CONFIG_PATH)
    return path


def endpoint_option(what_a_repetition_does: str) -> Callable[[CommandT], CommandT]:
    """`-e NAME[/MODEL]`, any number of times."""
    return click.option(
        "-e",
        "--endpoint",
        "endpoints",
        metavar="ENDPOINT[/MODEL]",
        multiple=True,
        shell_complete=complete_endpoint,
        help=f"Ask this endpoint. {what_a_repetition_does}",
    )


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")


def speed_option(command: CommandT) -> CommandT:
    """`--speed N`."""
    return click.option(
        "--speed",
        metavar="N",
        default=1.0,
        show_default=True,
        type=click.FloatRange(0, 1_000_000),
        help="So many times as fast; 0 is at once.",
    )(command)


def with_events(forms: Sequence[str], *, alone: str) -> type[click.Command]:
    """The class of commands whose `--events` may stand alone: the word after it is its form only
    when it is one."""

    class Command(click.Command):
        def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
            whole = [
                f"--events={alone}" if word == "--events" and after not in forms else word
                for word, after in zip_longest(args, args[1:])
            ]
            return super().parse_args(ctx, whole)

    return Command


def complete_endpoint(
    context: click.Context, _option: click.Parameter, incomplete: str
) -> list[str]:
    """The names of endpoints that begin so, for a shell."""
    from streamtui.config import load_config
    from streamtui.errors import ConfigError

    try:
        # Nobody who presses tab wants to be asked for a password.
        names = load_config(config_path(context), run_commands=False).endpoints
    except ConfigError:
        return []
    return [name for name in names if name.startswith(incomplete)]


def params_option(command: CommandT) -> CommandT:
    """`--param KEY=VALUE`, any number of times; the command gets them as one dictionary."""
    return click.option(
        "--param",
        "params",
        metavar="KEY=VALUE",
        multiple=True,
        callback=_read_params,
        help="Send this with the request; the value is JSON, or else text. Repeatable.",
    )(command)


def _read_params(
    _context: click.Context, _option: click.Parameter, given: tuple[str, ...]
) -> dict[str, object]:
    return dict(map(_read_param, given))


def _read_param(text: str) -> tuple[str, object]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise click.BadParameter(f"{text!r} is not KEY=VALUE.")
    try:
        return key, json_or_text(value)
    except ValueError as error:
        raise click.BadParameter(f"the value of {key} {error}.") from error


def well_formed(argument: str) -> str:
    """An argument without the lone surrogates that stand for bytes of another encoding."""
    return argument.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def json_or_text(text: str) -> object:
    """What an argument means as JSON, or else the text that it is.

    Raises ValueError for what looks like JSON and is none.
    """
    import msgspec

    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        if text.lstrip().startswith(("{", "[", '"')):
            raise ValueError(f"is not JSON: {error}") from error
        return text


def load(path: Path | None) -> "Config":
    """The configuration; raises ConfigError."""
    from streamtui.config import load_config

    return load_config(path)


def warn(config: "Config") -> None:
    """Say on standard error what works but should not stay so."""
    for warning in config.warnings:
        say(f"{config.path or 'streamtui'}: {warning}.")


def open_engine() -> AbstractContextManager["Doors"]:
    """The engine in its thread; leaving closes all connections."""
    return closing(engine_in_thread())


def engine_in_thread() -> "Doors":
    """The engine in a thread of this process, its bugs in the log."""
    from streamtui.demo import start_demo
    from streamtui.engine.host import EngineThread
    from streamtui.logs import default_log_path, log_to_file

    log_to_file(default_log_path())
    return EngineThread(start_demo)


def in_the_way(error: "EngineMismatchError") -> Trouble:
    """The words for an engine of another version, and for what it would cost to end it."""
    return Trouble(f"{error}; {streaming(error.live)} there. {error.hint}.")


def streaming(live: int) -> str:
    """How many sessions are in the middle of an answer."""
    return "1 session streams" if live == 1 else f"{live} sessions stream"
