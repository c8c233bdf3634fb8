"""`streamtui serve`: the demo server by itself, for any client."""

import os
import signal
from typing import TYPE_CHECKING

import click

from streamtui.cli.output import Trouble, say

if TYPE_CHECKING:
    from streamtui.demo.server import DemoServer


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="A loopback address.")
@click.option(
    "--port",
    default=0,
    type=click.IntRange(0, 65535),
    help="Where to listen; without it, on a free port.",
)
def command(host: str, port: int) -> int:
    """Run the demo server until it is interrupted."""
    import asyncio

    from streamtui.demo.server import DemoServer

    try:
        server = DemoServer(host, port)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--host") from error
    asyncio.run(_serve(server, f"{host}:{port}"))
    return 0


async def _serve(server: "DemoServer", address: str) -> None:
    """Start, say where, and wait for SIGINT or SIGTERM."""
    import asyncio

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
        click.echo(_curl(server.base_url))
        say("Any client can use it, with any key. Ctrl+C ends it.")
        await ended.wait()
    finally:
        await server.aclose()


def _curl(base_url: str) -> str:
    return (
        f"curl -N {base_url}/chat/completions -H 'Content-Type: application/json' -d "
        '\'{"model": "demo/verse", "stream": true, '
        '"messages": [{"role": "user", "content": "A verse about sparkling water"}]}\''
    )
