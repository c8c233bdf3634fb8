"""A demo server a hundred times faster than life, and a client to ask it."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from streamtui.demo.server import DemoServer


@pytest.fixture
async def server() -> AsyncIterator[DemoServer]:
    server = DemoServer(pace=0.01)
    await server.start()
    yield server
    await server.aclose()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session
