"""`streamtui endpoints`: what can be asked, whether the way there is open, and its models."""

import click

from streamtui.cli import common
from streamtui.cli.output import emit, emit_json, say, terminal_width

_TEST_EPILOG = """\
Each test asks one short question and leaves when the answer begins; that costs a few tokens. Stages
that a way does not have say why. A list of models that is not to be had is no failure.

\b
Exit codes, the worst of all endpoints:
  0    all answer
  2    a key is missing, or the configuration has a mistake
  3    refused by the endpoint (400, 401, 403, 404)
  4    rate limited or overloaded
  5    network, proxy or TLS
  6    what comes cannot be read
"""


@click.group("endpoints")
def group() -> None:
    """List endpoints, test the way to them, show their models."""


@group.command("list")
@common.json_option
@common.config_option
@click.pass_context
def print_list(context: click.Context, as_json: bool) -> int:
    """Print all endpoints that can be asked."""
    config = common.load(common.config_path(context))
    common.warn(config)

    from streamtui.cli.endpoint_words import list_lines, list_object

    if as_json:
        for endpoint in config.endpoints.values():
            emit_json(list_object(endpoint, config))
    else:
        emit("\n".join(list_lines(config, terminal_width())))
    return 0


@group.command("models")
@click.argument("endpoint", metavar="ENDPOINT", shell_complete=common.complete_endpoint)
@common.config_option
@click.pass_context
def print_models(context: click.Context, endpoint: str) -> int:
    """Print the models that an endpoint lists, one a line."""
    config = common.load(common.config_path(context))
    target = config.endpoint(endpoint)
    common.warn(config)

    import asyncio

    from streamtui.cli.outcome import EXIT_CODES
    from streamtui.safe_text import safe_line

    with common.open_engine() as doors:
        found = asyncio.run(doors.models(target))
    if found.error:
        say(f"{target.name}: {found.error.words}")
        return EXIT_CODES[found.error.kind]
    for model in found.models:
        emit(safe_line(model))
    return 0


@group.command("test", epilog=_TEST_EPILOG)
@click.argument(
    "endpoints", nargs=-1, metavar="[ENDPOINT[/MODEL]]...", shell_complete=common.complete_endpoint
)
@click.option("--models", "all_models", is_flag=True, help="Print all models that it lists.")
@common.json_option
@common.config_option
@click.pass_context
def test(
    context: click.Context, endpoints: tuple[str, ...], all_models: bool, as_json: bool
) -> int:
    """Go the way to endpoints, all if none is named, and time each stage of it."""
    config = common.load(common.config_path(context))
    targets = [config.endpoint(spec) for spec in endpoints or config.endpoints]
    common.warn(config)

    import asyncio

    from streamtui.cli.outcome import worst
    from streamtui.cli.probing import Tests

    tests = Tests(targets, as_json=as_json, all_models=all_models)
    with common.open_engine() as doors:
        asyncio.run(tests.run(doors))
    return worst(tests.codes)
