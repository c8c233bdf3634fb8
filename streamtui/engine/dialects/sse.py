"""Any stream of server-sent events, shown as it is: `POST {url}` with the prompt as `input`, or
`GET {url}` for a stream that is there for all who listen.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

from collections.abc import Iterator, Mapping
from urllib.parse import urlencode

from msgspec.structs import replace

from streamtui.config import Endpoint
from streamtui.engine.dialects.base import (
    Dialect,
    Request,
    Resumption,
    as_list,
    as_text,
    first_object,
    json_text,
    read_error_object,
)
from streamtui.engine.dialects.provider_errors import provider_error
from streamtui.engine.dialects.requests import get_stream, post
from streamtui.engine.framing import BareJSON, EmptyBlock, Frame, Framed, Position
from streamtui.errors import RunError
from streamtui.events import Delta, Message, ServerEvent, TextDelta, UnknownFrame

DEFAULT_RETRY_SECONDS = 3.0
"""The standard asks for “a few seconds”; this is what browsers wait."""

_OURS = frozenset({"http_method", "prompt_param"})


def event_text(event: str, data: str) -> str:
    """An event as text: its data, after its type where it has one of its own."""
    return data if event == "message" else f"{event}: {data}"


class EventStreamDecoder:
    """Writes each event as lines of text. It knows no errors and no end but that of the body."""

    def __init__(self) -> None:
        self.complete = False
        self.ended = False
        self.ends_with_body = True

    def feed(self, framed: Framed) -> list[Delta]:
        """An event, and the text of it."""
        match framed:
            case Frame():
                text = event_text(framed.event, framed.data)
                event = ServerEvent(framed.event, framed.data, framed.id)
                return [event, TextDelta(f"{text}\n")]
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
    """The last prompt alone: nothing is known of what came before it.

    Of `params` are ours `http_method`, and `prompt_param`, which says under which name the prompt
    is sent: `input` unless it says otherwise, and with GET not at all. With GET all that is sent
    stands in the query.
    """

    name = "sse"

    def decoder(self) -> EventStreamDecoder:
        """A decoder for one stream."""
        return EventStreamDecoder()

    def build_request(self, endpoint: Endpoint, messages: tuple[Message, ...]) -> Request:
        """The prompt for the URL itself, which keeps the slash at its end if it has one."""
        method = endpoint.params.get("http_method", "POST")
        prompt = messages[-1].content
        # The transport takes the slash away, as it does for all endpoints.
        path = "/" if endpoint.base_url.endswith("/") else ""
        if method == "POST":
            return post(endpoint, path, _params(endpoint, prompt, "input"), auth="bearer")
        if method != "GET":
            hint = "Use GET or POST"
            raise RunError("params.http_method is neither GET nor POST", kind="usage", hint=hint)
        query = urlencode(list(_query(_params(endpoint, prompt, ""))))
        if query:
            path += f"{'&' if '?' in endpoint.base_url else '?'}{query}"
        return _subscription(endpoint, path)

    def resumption(
        self,
        endpoint: Endpoint,
        request: Request,
        headers: Mapping[str, str],  # noqa: ARG002
        position: Position,
    ) -> Resumption | None:
        """The same stream again, as section 9.2.3 of the standard says; one that was asked for with
        POST is an answer, and would be given anew."""
        if not request.subscribes:
            return None
        asked = position.retry_ms
        delay = DEFAULT_RETRY_SECONDS if asked is None else asked / 1000
        return Resumption(_subscription(endpoint, request.path, position.last_event_id), delay)


def _subscription(endpoint: Endpoint, path: str, last_event_id: str = "") -> Request:
    request = get_stream(endpoint, path, auth="bearer", last_event_id=last_event_id)
    return replace(request, subscribes=True)


def _params(endpoint: Endpoint, prompt: str, usual_name: str) -> dict[str, object]:
    """What is sent: the parameters, and the prompt where it has a name."""
    name = as_text(endpoint.params.get("prompt_param", usual_name))
    asked = {name: prompt} if name and (prompt or usual_name) else {}
    return asked | {key: value for key, value in endpoint.params.items() if key not in _OURS}


def _query(params: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """A list stands for a name that is repeated, and all but text is written as JSON."""
    for name, value in params.items():
        for item in as_list(value) if isinstance(value, list) else [value]:
            yield name, item if isinstance(item, str) else json_text(item)
