"""Which requests the demo server looks at, what it reads of them, and how it says no."""

import re
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from msgspec import DecodeError, json

from streamtui.demo.dialect import Refusal

_OWN_HOST = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?", re.IGNORECASE | re.ASCII)


def check_host(request: web.Request) -> None:
    """A page whose name was rebound to 127.0.0.1 still sends its own name as Host."""
    hosts = request.headers.getall("Host", [])
    if len(hosts) != 1 or not _OWN_HOST.fullmatch(hosts[0]):
        raise Refusal(
            403,
            "This server answers to the hosts localhost, 127.0.0.1 and [::1] only.",
            code="host_not_allowed",
        )


async def read_body(request: web.Request) -> bytes:
    """Raises `Refusal` (400) for a body that does not arrive whole."""
    try:
        return await request.read()
    except web.RequestPayloadError as error:
        raise Refusal(400, "The request body could not be unpacked.") from error


def json_object(raw: bytes) -> dict[str, Any]:
    """The object in a body; raises `Refusal` (400)."""
    try:
        body = json.decode(raw)
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(400, f"The request body is not JSON: {error}.") from error
    if not isinstance(body, dict):
        raise Refusal(400, "The request body is not a JSON object.")
    return body


def refusal_of_router(request: web.Request, error: web.HTTPException) -> Refusal:
    """Unknown paths, wrong methods and oversized bodies, which aiohttp answers in plain text."""
    kept = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
    message = f"{error.reason}: {request.method} {request.path}"
    return Refusal(error.status, message, headers=kept)


def json_response(
    body: bytes, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """A JSON document as an answer."""
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")
