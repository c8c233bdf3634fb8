"""What the interop tests share: the demo server, and our engine in a thread."""

from collections.abc import AsyncIterator, Iterator

import pytest

from streamtui.demo import start_demo
from streamtui.demo.server import DemoServer
from streamtui.engine.host import EngineThread


@pytest.fixture
async def server() -> AsyncIterator[DemoServer]:
    server = DemoServer(pace=0)
    await server.start()
    yield server
    await server.aclose()


@pytest.fixture(scope="module")
def doors() -> Iterator[EngineThread]:
    doors = EngineThread(start_demo)
    yield doors
    doors.close()
