"""The command line. Each command lives in a module of its own, imported when it is called for.

`main` ends every command in the same way: words and an exit code, never a traceback.
"""

import errno
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Any, NoReturn

import click

from streamtui import __version__
from streamtui.cli import common
from streamtui.cli.codes import ANSWERED, BUG, CANCELLED, USAGE

_NAME = "streamtui"
_COMPLETE = "_STREAMTUI_COMPLETE"

_COMMANDS = {
    "config": "streamtui.cli.config:group",
    "demo": "streamtui.cli.console:demo",
    "doctor": "streamtui.cli.doctor:command",
    "endpoints": "streamtui.cli.endpoints:group",
    "history": "streamtui.cli.history:group",
    "run": "streamtui.cli.run:command",
    "serve": "streamtui.cli.serve:command",
    "sessions": "streamtui.cli.sessions:group",
    "watch": "streamtui.cli.watch:command",
}

_EPILOG = """\
`streamtui run` is for scripts and pipes; the console needs a terminal.

\b
Shell completion, for your shell's start-up file:
  bash   eval "$(_STREAMTUI_COMPLETE=bash_source streamtui)"
  zsh    eval "$(_STREAMTUI_COMPLETE=zsh_source streamtui)"
  fish   _STREAMTUI_COMPLETE=fish_source streamtui | source
"""

_FULL = {errno.ENOSPC, errno.EDQUOT}


class _Program(click.Group):
    """A group whose commands are imported when they are looked at."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command


@click.group(
    cls=_Program,
    invoke_without_command=True,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@common.endpoint_option("Repeat it: one pane each.")
@click.option("-p", "--prompt", metavar="PROMPT", help="Send this at once, to all panes.")
@common.config_option
@click.option("--resume", is_flag=True, help="With -e too, bring back the panes of last time.")
@click.version_option(__version__, prog_name=_NAME, message="%(prog)s %(version)s")
@click.pass_context
def program(
    context: click.Context, endpoints: tuple[str, ...], prompt: str | None, resume: bool
) -> int:
    """Many LLM streams at once. Without a command, the console opens."""
    if context.invoked_subcommand is None:
        from streamtui.cli.console import open_console

        return open_console(context, endpoints, prompt or "", resume=resume)
    if endpoints or prompt is not None or resume:
        command = context.invoked_subcommand
        raise click.UsageError(f"-e, -p and --resume before “{command}” are for the console.")
    return 0


def main(args: Sequence[str] | None = None) -> NoReturn:
    """The program `streamtui`: runs a command and ends with its exit code."""
    _fill_standard_descriptors()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    code = _exit_code(lambda: _run(sys.argv[1:] if args is None else args))
    # Whoever is impatient while Python ends gets no traceback for it.
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is signal.default_int_handler:
            signal.signal(number, signal.SIG_DFL)
    sys.exit(code)


def _run(args: Sequence[str]) -> Any:
    """Complete a word for a shell, or run a command.

    What click's own `main` does, but for its ways to end: it takes a closed pipe for a failure.
    """
    if instruction := os.environ.get(_COMPLETE):
        from click.shell_completion import shell_complete

        return shell_complete(program, {}, _NAME, _COMPLETE, instruction)
    with program.make_context(_NAME, list(args)) as context:
        return program.invoke(context)


def _fill_standard_descriptors() -> None:
    """Where one was closed (`>&-`), a connection would take its number, and our text with it."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _exit_code(run: Callable[[], Any]) -> int:
    """The exit code of a command, however it ends."""
    try:
        code = run() or 0
    except click.ClickException as error:
        with suppress(OSError):
            error.show()
        code = error.exit_code
    except click.exceptions.Exit as end:
        code = end.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = CANCELLED
    except BrokenPipeError:
        code = ANSWERED
    except Exception as error:  # noqa: BLE001 - the last door: nobody sees a traceback unasked
        code = _explain(error)
    _flush()
    return int(code)


def _explain(error: Exception) -> int:
    import traceback

    from streamtui.cli.outcome import EXIT_CODES
    from streamtui.cli.output import say
    from streamtui.errors import ConfigError, RunError

    if isinstance(error, ConfigError):
        say(str(error) if error.file else f"streamtui: {error}")
        return USAGE
    if isinstance(error, RunError):
        said = error.info()
        say(f"streamtui: {said.words}")
        return EXIT_CODES[said.kind]
    if isinstance(error, OSError) and error.errno in _FULL:
        say(f"streamtui: cannot write: {error.strerror}")
        return USAGE
    if os.environ.get("STREAMTUI_DEBUG") == "1":
        traceback.print_exception(error)
    # The words of an unexpected error are left out: nobody looked at them for secrets.
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{type(error).__name__} in {Path(place.filename).name}:{place.lineno}"
    say(
        f"streamtui: a bug in streamtui: {where}. Please report it, with what STREAMTUI_DEBUG=1 "
        "prints."
    )
    return BUG


def _flush() -> None:
    """Python would complain at its exit about what a closed pipe or a full disk did not take."""
    for descriptor, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
