"""A dialect asked and answered without a network."""

import json
from typing import Any

from streamtui.config import Endpoint
from streamtui.engine.dialects import DIALECTS
from streamtui.engine.dialects.base import Decoder
from streamtui.engine.framing import Frame
from streamtui.events import Delta, Message
from streamtui.redact import Secret

TURNS = (
    Message("system", "Be brief"),
    Message("user", "hi"),
    Message("assistant", "Hello"),
    Message("user", "again"),
)


def ask(dialect: str, messages: tuple[Message, ...] = TURNS, **settings: Any) -> dict[str, Any]:
    """The request as plain values, its headers in lower case."""
    usual: dict[str, Any] = {"base_url": "https://host", "model": "m", "api_key": Secret("KEY")}
    endpoint = Endpoint("e", dialect, **(usual | settings))
    request = DIALECTS[dialect].build_request(endpoint, messages)
    return {
        "path": request.path,
        "headers": {name.lower(): value for name, value in request.headers.items()},
        "body": json.loads(request.body or b"null"),
        "method": request.method,
    }


def answer(dialect: str, *objects: dict[str, Any], event: str = "message") -> list[Delta]:
    """What a stream of these objects adds."""
    return feed(DIALECTS[dialect].decoder(), *objects, event=event)


def feed(decoder: Decoder, *objects: dict[str, Any], event: str = "message") -> list[Delta]:
    """The same with a decoder that can be looked at between objects."""
    frames = [Frame(json.dumps(item), event) for item in objects]
    return [delta for frame in frames for delta in decoder.feed(frame)]


def whole_answer(dialect: str, document: object) -> list[Delta]:
    """What an answer in one piece holds."""
    return DIALECTS[dialect].decoder().feed_document(document)
