"""One request while it is answered: its record, its fields, and the ways to cut it off."""

import asyncio
from typing import Any, NoReturn

from aiohttp import web

from streamtui.demo.admission import json_object
from streamtui.demo.records import RequestRecord

RECORD = web.RequestKey("record", RequestRecord)


async def request_fields(request: web.Request) -> dict[str, Any]:
    """What was asked: the body, and what stands in the path; raises `Refusal` (400)."""
    body = request[RECORD].body or json_object(await request.read())
    return body | {"query": dict(request.query)} | request.match_info


def abort(request: web.Request) -> None:
    """Ends the connection, and drops what was not sent yet."""
    if request.transport is not None:
        request.transport.abort()


async def drop(request: web.Request) -> NoReturn:
    """Cuts the connection, because the script says so."""
    request[RECORD].end("dropped")
    abort(request)
    await stall()


async def hang_up(request: web.Request) -> NoReturn:
    """Closes the connection once everything is sent, in the middle of the response."""
    request[RECORD].end("dropped")
    if request.transport is not None:
        request.transport.close()
    await stall()


async def stall() -> NoReturn:
    """Waits until aiohttp cancels us, because the client is gone."""
    await asyncio.Event().wait()
    raise AssertionError
