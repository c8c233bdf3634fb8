"""What every dialect is: how a request is written, and how its stream is read. No I/O."""

import json
import re
from collections.abc import Mapping
from html import unescape
from typing import Any, Literal, Protocol

from msgspec import Struct

from streamtui.config import Endpoint
from streamtui.engine.framing import Framed, Framer, Position, SSEFramer
from streamtui.errors import EXCERPT_CHARS
from streamtui.events import Delta, MalformedFrame, Message
from streamtui.safe_text import join_surrogates

_COUNTS_END = 2**53
"""Events carry 64-bit integers; JSON is exact only up to here."""
_TITLE = re.compile(r"<title[^>]*>\s*([^<]{1,200})", re.IGNORECASE)
_SECONDS = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")


class Request(Struct, frozen=True):
    """What an endpoint is asked. `path` is appended to its base URL."""

    path: str
    headers: dict[str, str]
    body: bytes = b""
    method: Literal["GET", "POST"] = "POST"
    subscribes: bool = False
    """The stream has no end but HTTP 204: silence is normal in it, and a body that ends is a
    connection that was lost."""


class Resumption(Struct, frozen=True):
    """How a stream that broke off goes on. What it then sends follows what came before."""

    request: Request
    delay: float = 0.0
    """Seconds to wait for at the least."""
    most_tries: int | None = None
    """How many connections in a row may bring nothing new; None for no limit."""


class Decoder(Protocol):
    """The state of reading one response; a fresh one for each attempt."""

    complete: bool
    """A mark of success was seen: from here on nothing can turn the answer into a failure."""
    ended: bool
    """The last frame was seen: nothing that matters comes after it."""
    ends_with_body: bool
    """The protocol has no end marker: a body that ends cleanly now holds a whole answer."""

    def feed(self, framed: Framed) -> list[Delta]:
        """What a frame adds to the answer.

        Raises ProviderError when it is an error object. A frame that cannot be read comes back as
        a MalformedFrame and ends nothing.
        """

    def feed_document(self, document: object) -> list[Delta]:
        """What a whole JSON answer holds, from an endpoint that was asked to stream and did not.

        Raises ProviderError when it is an error, ProtocolError when it is neither.
        """

    def close(self) -> list[Delta]:
        """What can only be told when nothing more comes, however the body ended."""


class Dialect(Protocol):
    """Stateless, shared by all sessions. Most send server-sent events and errors of usual shape."""

    name: str

    def framer(self) -> Framer:
        """A framer for one response."""
        return SSEFramer()

    def decoder(self) -> Decoder:
        """A decoder for one response."""

    def build_request(self, endpoint: Endpoint, messages: tuple[Message, ...]) -> Request:
        """The request for the next answer to these turns."""

    def read_error(self, body: bytes) -> "ServerError":
        """What the body of an HTTP error says."""
        return read_error_body(body)

    def resumption(
        self,
        endpoint: Endpoint,  # noqa: ARG002
        request: Request,  # noqa: ARG002
        headers: Mapping[str, str],  # noqa: ARG002
        position: Position,  # noqa: ARG002
    ) -> Resumption | None:
        """How the stream goes on that `request` got and that broke off at `position`.

        None where only asking anew would help, which nobody does by himself. `headers` are those of
        its response, in lower case.
        """
        return None

    def models_request(self, endpoint: Endpoint, page: str = "") -> Request | None:  # noqa: ARG002
        """The request for the list of models, from its beginning or from the `page` on that the
        page before it named; None where the protocol has no list."""
        return None

    def read_models(self, body: bytes) -> "ModelPage":  # noqa: ARG002
        """What the answer to that request lists. Raises ProtocolError and ProviderError."""
        return ModelPage()


class ModelPage(Struct, frozen=True):
    """Names of models as they are used in `Endpoint.model`, in the server's order."""

    models: tuple[str, ...] = ()
    next_page: str = ""
    """Where the list goes on; empty when this is its end."""


class ServerError(Struct, frozen=True):
    """An error in the server's own words; all empty when it says nothing readable."""

    message: str = ""
    type: str = ""
    code: str = ""
    retry_after: float | None = None
    """Seconds that the body asks to wait; Google says it there and in no header."""


def parse_json(text: str | bytes) -> Any:
    """JSON of any depth and size; raises ValueError where it is none.

    The standard library's parser, because it alone accepts the halves of surrogate pairs that some
    servers send in two chunks.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        message = "nested too deeply"
        raise ValueError(message) from error


def json_text(value: object) -> str:
    """A parsed value as JSON again, for endpoints that send arguments as objects."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        # What `parse_json` just let through may be too deep from here.
        return ""
    return join_surrogates(text)


def malformed(reason: str, data: str) -> MalformedFrame:
    """A frame that is passed over, with the beginning of its text."""
    return MalformedFrame(reason, data[: 4 * EXCERPT_CHARS])


def as_dict(value: object) -> dict[str, Any]:
    """The value if it is an object, else an empty one: servers send null where they like."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """The value if it is an array, else an empty one."""
    return value if isinstance(value, list) else []


def as_text(value: object) -> str:
    """The value if it is a string, else an empty one; it may begin or end inside a character."""
    return value if isinstance(value, str) else ""


def as_words(value: object) -> str:
    """The same for a string that is whole: names, ids, reasons, messages; always well-formed."""
    return join_surrogates(as_text(value))


def as_count(value: object) -> int | None:
    """The value if it is a whole number that counts something, else None."""
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value < _COUNTS_END else None


def add_counts(*counts: int | None) -> int | None:
    """The sum of those that are known; None when none is."""
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def first_object(value: object) -> dict[str, Any]:
    """An object, or the first of an array of them: Google wraps errors so."""
    return as_dict(value[0] if isinstance(value, list) and value else value)


def read_error_object(error: object) -> ServerError:
    """The value of an `error` member: an object with a message, or a string."""
    if isinstance(error, str):
        return ServerError(as_words(error))
    fields = as_dict(error)
    details = [as_dict(detail) for detail in as_list(fields.get("details"))]
    code = fields.get("code")
    return ServerError(
        as_words(fields.get("message")),
        as_words(fields.get("type")) or as_words(fields.get("status")),
        _reason(details) or (str(code) if isinstance(code, int) else as_words(code)),
        _retry_delay(details),
    )


def _reason(details: list[dict[str, Any]]) -> str:
    """Google's ErrorInfo is more exact than its code: a wrong key is a 400, API_KEY_INVALID."""
    return next(filter(None, (as_words(detail.get("reason")) for detail in details)), "")


def _retry_delay(details: list[dict[str, Any]]) -> float | None:
    """Google's RetryInfo: `"retryDelay": "13s"`. https://google.aip.dev/193."""
    delays = (_SECONDS.fullmatch(as_text(detail.get("retryDelay"))) for detail in details)
    seconds = next((float(delay[1]) for delay in delays if delay), 0.0)
    return seconds or None


def read_error_body(body: bytes) -> ServerError:
    """The error in a response body of any of the usual shapes: JSON, HTML or plain text."""
    text = body.decode("utf-8", "replace").strip()
    try:
        document = parse_json(text)
    except ValueError:
        return ServerError(page_title(text) or _first_line(text))
    return _read_error_document(document)


def _read_error_document(document: object) -> ServerError:
    fields = first_object(document)
    if fields.get("error"):
        return read_error_object(fields["error"])
    if fields.get("object") == "error":
        return read_error_object(fields)
    return ServerError(_detail(fields.get("detail")) or as_words(fields.get("message")))


def _detail(detail: object) -> str:
    """FastAPI's `detail`: words, or a list of validation errors."""
    if isinstance(detail, str):
        return as_words(detail)
    return "; ".join(map(_validation_error, map(as_dict, as_list(detail))))


def _validation_error(item: dict[str, Any]) -> str:
    place = ".".join(map(str, as_list(item.get("loc"))))
    return as_words(": ".join(filter(None, (place, as_text(item.get("msg"))))))


def page_title(text: str) -> str:
    """The title of a web page, empty for anything else."""
    if text.lstrip()[:1] != "<":
        return ""
    found = _TITLE.search(text)
    return unescape(found[1]).strip() if found else ""


def _first_line(text: str) -> str:
    if text.startswith("<"):
        return ""
    return text.partition("\n")[0].strip()[: 4 * EXCERPT_CHARS]
