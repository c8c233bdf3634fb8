"""The embedded demo endpoint: real HTTP and real SSE on loopback, scripted answers that say so.

This package by itself imports nothing; the web server is imported when it is started.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamtui.demo.server import DemoServer


async def start_demo() -> "DemoServer":
    """A demo server on a free port of loopback, on the running loop. Raises OSError."""
    from streamtui.demo.server import DemoServer

    server = DemoServer()
    await server.start()
    return server
