"""A console's side of the socket by itself, with a test at the other end."""

import asyncio
import socket
import threading

import pytest
from msgspec import structs

from streamtui.engine.doors import ListSessions
from streamtui.engine.host import wire
from streamtui.engine.host.client import AttachedEngine, Link
from streamtui.engine.reports import Unanswered
from streamtui.events import Event, RequestSent
from tests.engine.host.consoles import DEMO


def test_events_of_a_run_share_its_ids_whichever_message_brings_them() -> None:
    here, there = socket.socketpair()
    woken = threading.Semaphore(0)
    doors = AttachedEngine(Link(here))
    heard = doors.subscribe(woken.release)
    events: list[Event] = []
    with there:
        for seq in range(2):
            event = Event(seq, 0.0, 0.0, "a session", "a run", RequestSent())
            there.sendall(wire.packed(wire.Heard(1, (event,), 0)))
            assert woken.acquire(timeout=10)
            events += heard.drain()
    first, second = events
    assert (first.session_id, first.run_id) == ("a session", "a run")
    assert first.run_id is second.run_id
    assert first.session_id is second.session_id
    doors.leave(keep_runs=True)


@pytest.mark.parametrize("odd", ["half a character \udcff", 2**70])
async def test_what_cannot_be_told_to_the_engine_leaves_nobody_waiting(
    odd: object, caplog: pytest.LogCaptureFixture
) -> None:
    here, there = socket.socketpair()
    lost = threading.Event()
    doors = AttachedEngine(Link(here), on_lost=lost.set)
    with there:
        doors.open_session(structs.replace(DEMO, params={"odd": odd}))
        async with asyncio.timeout(10):
            assert isinstance(await doors.ask(ListSessions()), Unanswered)
            assert await asyncio.to_thread(lost.wait, 10)
    assert "the engine cannot be told something" in caplog.text
