"""`streamtui serve`: the demo server by itself, for any client; or recordings in its place."""

import os
import signal
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from streamtui.cli import common
from streamtui.cli.output import Trouble, say
from streamtui.cli.recordings import WHAT_HELP, dialect_option

if TYPE_CHECKING:
    from streamtui.cli.serve_words import Offer
    from streamtui.demo.server import DemoServer

_EPILOG = f"""\
With --replay the demo models are gone, and whatever is asked gets a recording: the one that the
client names as its model, replay/NAME, or else the next in turn. A recorded response is answered
byte for byte on any path; a stored run in every dialect, with the pauses that it had.

\b
Examples:
  streamtui serve --port 8000
  streamtui serve --replay recorded.http --speed 0
  streamtui serve --replay 01934f2a-7b1c --replay refused.http

{WHAT_HELP}"""


@click.command("serve", epilog=_EPILOG)
@click.option("--host", default="127.0.0.1", show_default=True, help="A loopback address.")
@click.option(
    "--port",
    default=0,
    type=click.IntRange(0, 65535),
    help="Where to listen; without it, on a free port.",
)
@click.option(
    "--replay",
    "replays",
    metavar="WHAT",
    multiple=True,
    help="Answer with this recording. Repeat it: they are answered in turn.",
)
@dialect_option
@common.speed_option
def command(host: str, port: int, replays: tuple[str, ...], dialect: str, speed: float) -> int:
    """Run the demo server until it is interrupted."""
    import asyncio

    if dialect and not replays:
        raise click.UsageError("--dialect says how to read a recording: give one with --replay.")
    offers = _offers(replays, dialect)
    try:
        server = _server(offers, host, port, 1 / speed if speed else 0.0)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--host") from error
    asyncio.run(_serve(server, offers, f"{host}:{port}"))
    return 0


def _server(offers: "Sequence[Offer]", host: str, port: int, pace: float) -> "DemoServer":
    if offers:
        from streamtui.demo.replay_server import ReplayServer

        return ReplayServer({o.name: o.served for o in offers}, host, port, pace=pace)

    from streamtui.demo.server import DemoServer

    return DemoServer(host, port, pace=pace)


def _offers(replays: Sequence[str], dialect: str) -> "list[Offer]":
    if not replays:
        return []

    from streamtui.cli.recordings import load
    from streamtui.cli.serve_words import offers_of

    loaded = [load(what, dialect) for what in replays]
    try:
        return offers_of(loaded)
    except ValueError as error:
        raise Trouble(f"{error}.") from error


async def _serve(server: "DemoServer", offers: "Sequence[Offer]", address: str) -> None:
    """Start, say where, and wait for SIGINT or SIGTERM."""
    import asyncio

    from streamtui.cli.serve_words import demo_curl, replay_curl, usage_lines

    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    try:
        await server.start()
    except OSError as error:
        # asyncio's own words repeat the address, and the number instead of the cause.
        cause = os.strerror(error.errno) if error.errno else "unknown reason"
        raise Trouble(f"cannot listen on {address}: {cause}.") from error
    try:
        click.echo(server.base_url)
        root = server.root_url
        click.echo(replay_curl(offers[0], root) if offers else demo_curl(server.base_url))
        for line in usage_lines(offers, root):
            say(line)
        say("Any client can use it, with any key. Ctrl+C ends it.")
        await ended.wait()
    finally:
        await server.aclose()
