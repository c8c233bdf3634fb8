"""Asking an engine that runs already, from a command that needs no console. Starts none."""

import asyncio

from streamtui.engine.doors import Query
from streamtui.engine.host.client import AttachedEngine, Link
from streamtui.engine.host.process import connect, socket_path
from streamtui.engine.host.wire import Stop, Stopped
from streamtui.engine.reports import Answer


def ask_running(query: Query) -> Answer | None:
    """The answer of the user's engine; None where none runs. Raises RunError."""
    link = connect(socket_path())
    if link is None:
        return None
    engine = AttachedEngine(link)
    try:
        return asyncio.run(engine.ask(query))
    finally:
        engine.leave(keep_runs=True)


def stop_running(*, even_live: bool) -> Stopped | None:
    """End the user's engine, whatever its version; None where none runs.

    Without `even_live` one in which something streams goes on.
    """
    link = _any_version()
    if link is None:
        return None
    try:
        link.say(Stop(even_live=even_live))
        while True:
            message = link.hear()
            if isinstance(message, Stopped):
                return message
    except (OSError, EOFError, ValueError):
        return None
    finally:
        link.end()
        link.close()


def _any_version() -> Link | None:
    link = Link.to(socket_path())
    if link is None:
        return None
    try:
        link.greet()
    except (OSError, EOFError, ValueError):
        link.close()
        return None
    return link
