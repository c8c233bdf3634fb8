"""`streamtui` without a command, and `streamtui demo`: the console."""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from streamtui.cli import common
from streamtui.cli.output import is_terminal, say
from streamtui.garbage import look_rarely

if TYPE_CHECKING:
    from streamtui.config import Config, Endpoint

_DEMO_MODELS = ("demo/verse", "demo/markdown", "demo/thinker", "demo/tools")
_DEMO_PROMPT = "Write me a 1 verse song about sparkling water."


def open_console(
    context: click.Context, specs: Sequence[str], prompt: str, *, resume: bool = False
) -> int:
    """One pane for each endpoint; without any, or with `resume`, those of last time come back.

    Returns the exit code.
    """
    if missing := _missing_of_terminal():
        return _answer_here(context, specs, prompt, missing)
    config = common.load(common.config_path(context))
    opening = [config.endpoint(spec) for spec in specs]
    return _show(context, config, opening, prompt, restore=resume or not specs)


@click.command("demo")
@common.config_option
@click.pass_context
def demo(context: click.Context) -> int:
    """Open the console with four panes already streaming."""
    if missing := _missing_of_terminal():
        return _answer_here(context, _DEMO_MODELS, _DEMO_PROMPT, missing)
    config = common.load(common.config_path(context))
    opening = [config.endpoint(model) for model in _DEMO_MODELS]
    return _show(context, config, opening, _DEMO_PROMPT, show_events=True)


def _show(
    context: click.Context,
    config: "Config",
    opening: "list[Endpoint]",
    prompt: str,
    *,
    show_events: bool = False,
    restore: bool = False,
) -> int:
    from streamtui.cli.console_engine import ConsoleEngine
    from streamtui.ui.asked import Asked

    with ConsoleEngine(config.history) as engine:
        asked = Asked(engine.doors, opening, prompt) if opening and prompt else None
        try:
            # Textual takes a while to import: the engine is found, and asks, meanwhile.
            from streamtui.ui.app import StreamTUIApp

            look_rarely()
            app = StreamTUIApp(
                engine.doors,
                config,
                opening=[] if asked else opening,
                asked=asked,
                prompt=prompt,
                show_events=show_events,
                restore=restore,
                fallback=config.endpoint(config.default_endpoint),
                reattach=engine.reattach if engine.outlives_us else None,
                on_mounted=engine.report_to,
                load_config=lambda: common.load(common.config_path(context)),
            )
        except BaseException:
            if asked is not None:
                asked.take_back()
            raise
        app.run()
        engine.raise_mismatch()
    return app.return_code or 0


def _answer_here(context: click.Context, specs: Sequence[str], prompt: str, missing: str) -> int:
    """The answers as text, where there can be no console; returns the exit code."""
    if not prompt:
        raise click.UsageError(
            f"The console needs a terminal, and {missing} is none. With -p PROMPT the answers are "
            "printed here, as by `streamtui run PROMPT`; over ssh, `ssh -t` gives a terminal."
        )
    from streamtui.cli import run

    say(f"streamtui: {missing} is no terminal for a console: this is `streamtui run`.")
    code: int = context.invoke(run.command, prompt=prompt, endpoints=tuple(specs), params={})
    return code


def _missing_of_terminal() -> str:
    """What keeps the console from opening; empty where it can.

    Keys are read from the first stream and the screen is drawn on the third; who redirects the
    second wants text.
    """
    streams = {
        "standard input": sys.stdin,
        "standard output": sys.stdout,
        "standard error": sys.stderr,
    }
    missing = [name for name, stream in streams.items() if not is_terminal(stream)]
    if os.environ.get("TERM") == "dumb":
        missing.append("TERM=dumb")
    return missing[0] if missing else ""
