"""Asking an engine that runs already, from a command that needs no console. Starts none.

An engine of another version is left alone, unless it is asked to end.
"""

import asyncio

from streamtui.engine.doors import Query
from streamtui.engine.host import wire
from streamtui.engine.host.client import AttachedEngine, EngineMismatchError, Link, meet
from streamtui.engine.host.process import socket_path
from streamtui.engine.reports import Answer, Unanswered
from streamtui.errors import RunError

GREETING_SECONDS = 5.0
"""An engine that says nothing for so long stands still."""
STOP_SECONDS = 15.0
"""How long an engine that was asked to end may take to close its connections."""


def ask_running(query: Query) -> Answer | None:
    """The answer of the user's engine; None where none runs.

    Raises RunError for one that does not answer, EngineMismatchError for one of another version.
    """
    met = _meet()
    if met is None:
        return None
    link, welcome = met
    if welcome.protocol != wire.PROTOCOL:
        link.close()
        raise EngineMismatchError(welcome)
    engine = AttachedEngine(link)
    try:
        answer = asyncio.run(engine.ask(query))
        # One that ended in this moment is none.
        return None if engine.is_gone and isinstance(answer, Unanswered) else answer
    finally:
        engine.leave(keep_runs=True)


def stop_running(*, even_live: bool) -> wire.Stopped | None:
    """End the user's engine, whatever its version, and wait until it has; None where none runs.

    Without `even_live` one in which something streams goes on. Raises RunError for one that does
    not answer.
    """
    met = _meet()
    if met is None:
        return None
    link, welcome = met
    stopped = wire.Stopped(ends=True, live=welcome.live)
    try:
        link.give_up_after(STOP_SECONDS)
        link.say(wire.Stop(even_live=even_live))
        while stopped.ends:
            message = link.hear()
            if isinstance(message, wire.Stopped):
                stopped = message
    except TimeoutError as error:
        raise _stands_still() from error
    except (OSError, EOFError, ValueError):
        pass  # it is gone, which was asked of it
    finally:
        link.close()
    return stopped


def _meet() -> tuple[Link, wire.Welcome] | None:
    """A connection to the user's engine, and what it says of itself."""
    try:
        return meet(socket_path(), GREETING_SECONDS)
    except TimeoutError as error:
        raise _stands_still() from error


def _stands_still() -> RunError:
    return RunError(
        "the engine that runs does not answer",
        kind="usage",
        hint=f"Try again, or end the process that listens on {socket_path()}",
    )
