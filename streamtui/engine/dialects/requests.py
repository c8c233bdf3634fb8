"""Writing requests: what all dialects share but the shape of the body."""

import re
from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec
from msgspec.structs import replace

from streamtui import __version__
from streamtui.config import Endpoint
from streamtui.config.values import check_header_name, check_header_value
from streamtui.engine.dialects.base import Request, as_dict
from streamtui.errors import EXCERPT_CHARS, RunError
from streamtui.events import Message

Auth = Literal["bearer", "x-api-key", "api-key", "x-goog-api-key", "none"]
"""How the key is sent: as `Authorization: Bearer KEY`, in a header of that name, or not at all."""

_NOT_IN_HEADER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# `/v1`, `/v1beta`; Vertex AI goes on after it with the project and its publisher.
_VERSIONED_PATH = re.compile(r"/v\d+\w*(/projects/.+)?$")


def post(
    endpoint: Endpoint,
    path: str,
    body: Mapping[str, object],
    *,
    auth: Auth,
    accept: str = "text/event-stream",
    headers: Mapping[str, str] = {},
) -> Request:
    """A request of JSON.

    `auth` is what the dialect does with a key unless the endpoint says otherwise. Headers of the
    endpoint take the place of ours, whatever their case.
    """
    about_body = {"Accept": accept, "Content-Type": "application/json"}
    sent = _headers(endpoint, auth, {**about_body, **headers})
    return Request(path, sent, msgspec.json.encode(body))


def get(endpoint: Endpoint, path: str, *, auth: Auth, headers: Mapping[str, str] = {}) -> Request:
    """A request for a JSON document, with the same key as `post`."""
    sent = _headers(endpoint, auth, {"Accept": "application/json", **headers})
    return Request(path, sent, method="GET")


def get_stream(endpoint: Endpoint, path: str, *, auth: Auth, last_event_id: str = "") -> Request:
    """A request for a stream of events, as an EventSource makes it; for what follows an event, when
    one is named."""
    ours = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
    request = get(endpoint, path, auth=auth, headers=ours)
    if not last_event_id or _NOT_IN_HEADER.search(last_event_id):
        return request
    kept = {name: v for name, v in request.headers.items() if name.lower() != "last-event-id"}
    return replace(request, headers=kept | {"Last-Event-ID": last_event_id})


def _headers(endpoint: Endpoint, auth: Auth, more: Mapping[str, str]) -> dict[str, str]:
    ours = {
        "User-Agent": f"streamtui/{__version__}",
        **_key_header(endpoint, endpoint.auth or auth),
        **more,
    }
    for name, value in endpoint.headers.items():
        _check_header(name, value)
    replaced = {name.lower() for name in endpoint.headers}
    kept = {name: value for name, value in ours.items() if name.lower() not in replaced}
    return kept | endpoint.headers


def _check_header(name: str, value: str) -> None:
    """Raises RunError for one that would end early and begin another. Its value is not told."""
    try:
        check_header_name(name)
        check_header_value(value)
    except ValueError as error:
        words = f"the header {name[:EXCERPT_CHARS]!r} cannot be sent: {error}"
        raise RunError(words, kind="usage", hint="Check headers of the endpoint") from None


def _key_header(endpoint: Endpoint, auth: str) -> dict[str, str]:
    if endpoint.api_key is None or auth == "none":
        return {}
    key = endpoint.api_key.reveal()
    return {"Authorization": f"Bearer {key}"} if auth == "bearer" else {auth: key}


def versioned(endpoint: Endpoint, version: str, path: str) -> str:
    """The path with its version before it, unless the base URL ends with one."""
    return path if _VERSIONED_PATH.search(endpoint.base_url) else f"/{version}{path}"


def split_system(messages: Iterable[Message]) -> tuple[str, list[Message]]:
    """System prompts as one text, and the turns, for dialects that hold them apart."""
    turns = list(messages)
    system = [message.content for message in turns if message.role == "system"]
    return "\n\n".join(system), [message for message in turns if message.role != "system"]


def sort_params(
    params: Mapping[str, object], beside: frozenset[str], table: str
) -> dict[str, object]:
    """The endpoint's parameters for vendors that want most of them in a table of their own.

    Those named in `beside` stay beside the turns; the rest goes into `table`, with what the user
    put there already.
    """
    inside = {name: value for name, value in params.items() if name not in beside | {table}}
    inside |= as_dict(params.get(table))
    stay = {name: value for name, value in params.items() if name in beside}
    return {**({table: inside} if inside else {}), **stay}


def as_objects(messages: Iterable[Message]) -> list[dict[str, str]]:
    """The turns as most dialects write them."""
    return [{"role": message.role, "content": message.content} for message in messages]
