"""Any stream of server-sent events, shown as it is: `POST {url}` with the prompt as `input`.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

from streamtui.config import Endpoint
from streamtui.engine.dialects.base import (
    Dialect,
    Request,
    first_object,
    json_text,
    read_error_object,
)
from streamtui.engine.dialects.provider_errors import provider_error
from streamtui.engine.dialects.requests import post
from streamtui.engine.framing import BareJSON, EmptyBlock, Frame, Framed
from streamtui.errors import RunError
from streamtui.events import Delta, Message, TextDelta, UnknownFrame


class EventStreamDecoder:
    """Writes each event as lines of text. It knows no errors and no end but that of the body."""

    def __init__(self) -> None:
        self.complete = False
        self.ended = False
        self.ends_with_body = True

    def feed(self, framed: Framed) -> list[Delta]:
        """The data of an event, after its type where it has one."""
        match framed:
            case Frame(event="message"):
                return [TextDelta(f"{framed.data}\n")]
            case Frame():
                return [TextDelta(f"{framed.event}: {framed.data}\n")]
            case BareJSON():
                return [TextDelta(f"{framed.data}\n")]
            case EmptyBlock():
                return [UnknownFrame(framed.event, "")]
            case _:
                return []

    def feed_document(self, document: object) -> list[Delta]:
        """A whole JSON answer, as text; raises ProviderError when it is an error."""
        error = first_object(document).get("error")
        if error:
            raise provider_error(read_error_object(error))
        self.complete = self.ended = True
        return [TextDelta(f"{json_text(document)}\n")]

    def close(self) -> list[Delta]:
        """Nothing waits for the end."""
        return []


class EventStream(Dialect):
    """The last prompt alone: nothing is known of what came before it."""

    name = "sse"

    def decoder(self) -> EventStreamDecoder:
        """A decoder for one response."""
        return EventStreamDecoder()

    def build_request(self, endpoint: Endpoint, messages: tuple[Message, ...]) -> Request:
        """The prompt for the URL itself, which keeps the slash at its end if it has one."""
        if endpoint.params.get("http_method", "POST") != "POST":
            raise RunError("event streams can only be asked for with POST so far", kind="usage")
        params = {name: value for name, value in endpoint.params.items() if name != "http_method"}
        body = {"input": messages[-1].content, **params}
        path = "/" if endpoint.base_url.endswith("/") else ""
        return post(endpoint, path, body, auth="bearer")
