"""The models that an endpoint lists, asked over the connections that runs use too."""

import asyncio
from contextlib import aclosing

from streamtui.config import Endpoint
from streamtui.engine.attempt import Tools, refusal_in
from streamtui.engine.confidential import Confidential
from streamtui.engine.dialects.base import Dialect, Request
from streamtui.engine.reports import ModelList
from streamtui.engine.tries import dialect_of, require_key
from streamtui.errors import DeadlineError, ProtocolError, RunError, StatusError

MAX_PAGE_BYTES = 4 * 1024**2
MAX_PAGES = 5
MAX_SECONDS = 30.0
"""For all pages together; `timeouts.connect` limits the connection besides."""


async def list_models(endpoint: Endpoint, tools: Tools) -> ModelList:
    """The names in the endpoint's order, each once, or why there are none."""
    try:
        return ModelList(await _in_time(endpoint, tools))
    except RunError as error:
        return ModelList(error=Confidential(endpoint).error_info(error))


async def _in_time(endpoint: Endpoint, tools: Tools) -> tuple[str, ...]:
    try:
        async with asyncio.timeout(MAX_SECONDS):
            return await _all_pages(await tools.locate(endpoint), tools)
    except TimeoutError as error:
        raise DeadlineError(
            f"the list of models did not come within {MAX_SECONDS:g} s",
            kind="timeout-idle",
            phase="idle",
            hint="Try again later",
            retryable=True,
        ) from error


async def _all_pages(endpoint: Endpoint, tools: Tools) -> tuple[str, ...]:
    dialect = dialect_of(endpoint)
    require_key(endpoint)
    models: list[str] = []
    place = ""
    for _ in range(MAX_PAGES):
        request = _request(dialect, endpoint, place)
        page = dialect.read_models(await _fetch(endpoint, dialect, request, tools))
        models += page.models
        place = page.next_page
        if not place:
            break
    return tuple(dict.fromkeys(models))


def _request(dialect: Dialect, endpoint: Endpoint, place: str) -> Request:
    request = dialect.models_request(endpoint, place)
    if request is None:
        raise RunError(
            f"the dialect “{endpoint.dialect}” has no list of models",
            kind="usage",
            hint="Ask whoever runs the endpoint",
        )
    return request


async def _fetch(endpoint: Endpoint, dialect: Dialect, request: Request, tools: Tools) -> bytes:
    body = bytearray()
    async with tools.transport.open(endpoint, request, _nothing) as response:
        if response.status >= 300:
            refusal = await refusal_in(response, dialect, endpoint, tools.wall_clock())
            raise _about_a_list(refusal)
        async with aclosing(response.chunks()) as chunks:
            async for data in chunks:
                body += data
                if len(body) > MAX_PAGE_BYTES:
                    raise ProtocolError(
                        "the list of models is longer than 4 MiB",
                        kind="frame-too-large",
                        hint="Check base_url",
                    )
    return bytes(body)


def _nothing() -> None:
    """Nobody waits for the moment at which the request has left."""


def _about_a_list(refusal: StatusError) -> StatusError:
    """The same refusal; the endpoint's own model has no part in it."""
    if refusal.kind == "not-found":
        refusal.hint = "The endpoint may have no list; if it has one, check base_url"
    return refusal
