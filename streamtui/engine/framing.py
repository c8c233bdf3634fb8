"""Bytes into frames: server-sent events and newline-delimited JSON.

`feed(bytes)` takes pieces of any size and never does I/O. Text is always UTF-8, whatever a charset
says; bytes that are not become U+FFFD. Memory is bounded by the limits below.
"""

import re
from collections.abc import Iterator
from typing import Protocol

from msgspec import Struct

from streamtui.errors import ProtocolError

MAX_LINE_BYTES = 16 * 1024 * 1024
MAX_EVENT_BYTES = 32 * 1024 * 1024

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\n|\r")
_FIELDS = frozenset({b"data", b"event", b"id", b"retry"})
# A string of JSON on one line; one that the line leaves open runs to its end.
_JSON_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)


class Frame(Struct, frozen=True):
    """One server-sent event with data, or one line of NDJSON."""

    data: str
    event: str = "message"
    id: str = ""


class Comment(Struct, frozen=True):
    """A line that says only that the connection lives."""

    text: str


class EmptyBlock(Struct, frozen=True):
    """An event without data. The standard drops it; sse-starlette ends streams with one."""

    event: str


class BareJSON(Struct, frozen=True):
    """A document of JSON outside any field, of one line or several; some errors come so."""

    data: str


class Position(Struct, frozen=True):
    """How far a stream of events was read, for the connection that goes on with it."""

    last_event_id: str = ""
    """The last committed `id`."""
    retry_ms: int | None = None
    """The reconnection time that the server asked for, in milliseconds."""


BEGINNING = Position()

Framed = Frame | Comment | EmptyBlock | BareJSON


class Framer(Protocol):
    """Turns the bytes of one response into frames.

    What it returns is read to its end before it is called again. An error comes only after the
    frames before it.
    """

    def feed(self, data: bytes) -> Iterator[Framed]:
        """The frames that these bytes complete.

        Raises ProtocolError of kind `frame-too-large` when a line or event exceeds its limit.
        """

    def close(self) -> Iterator[Framed]:
        """What the end of the body leaves open; a decoder may take it only as an end marker."""


def _too_large(what: str, limit: int, offset: int) -> ProtocolError:
    return ProtocolError(
        f"{what} too large ({limit // (1024 * 1024)} MiB is the limit)",
        kind="frame-too-large",
        hint="The endpoint sends something that is no stream of tokens",
        offset=offset,
    )


class LineSplitter:
    """Bytes into lines that end at CRLF, LF or CR, without their ends.

    Lines are searched in bytes and decoded after, because U+2028 and its like may stand inside
    JSON and end no line.
    """

    def __init__(self, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self._limit = max_line_bytes
        self._open = bytearray()
        self._offset = 0
        self._at_start = True
        self._skip_lf = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The lines that these bytes complete."""
        self._offset += len(data)
        if self._skip_lf and data:
            self._skip_lf = False
            data = data.removeprefix(b"\n")
        # A CR ends its line at once; if an LF follows in the next piece it belongs to that CR.
        self._skip_lf = data.endswith(b"\r") or (self._skip_lf and not data)
        for line in self._split(data):
            self._check(line)
            yield line
        self._check(self._open)

    def close(self) -> Iterator[bytes]:
        """The last line, when the body ended inside it."""
        tail = self._without_bom(bytes(self._open))
        self._open.clear()
        if tail:
            yield tail

    def _check(self, line: bytes | bytearray) -> None:
        if len(line) > self._limit:
            raise _too_large("frame", self._limit, self._offset)

    def _split(self, data: bytes) -> list[bytes]:
        pieces = _LINE_END.split(data) if b"\r" in data else data.split(b"\n")
        if len(pieces) == 1:
            self._open += data
            return []
        self._open += pieces[0]
        first = self._without_bom(bytes(self._open))
        self._open = bytearray(pieces[-1])
        return [first, *pieces[1:-1]]

    def _without_bom(self, line: bytes) -> bytes:
        if not self._at_start:
            return line
        self._at_start = False
        return line.removeprefix(_BOM)


class OpenJSON:
    """A document of JSON outside any field, gathered until its brackets are closed."""

    def __init__(self, max_bytes: int) -> None:
        self.lines: list[bytes] = []
        """Empty while no document is open."""
        self._limit = max_bytes
        self._bytes = 0
        self._depth = 0

    def append(self, line: bytes) -> BareJSON | None:
        """The document, if this line completes it."""
        self.lines.append(line)
        self._bytes += len(line) + 1
        if self._bytes > self._limit:
            raise _too_large("event", self._limit, self._bytes)
        brackets = _JSON_STRING.sub(b"", line)
        self._depth += brackets.count(b"{") + brackets.count(b"[")
        self._depth -= brackets.count(b"}") + brackets.count(b"]")
        return None if self._depth > 0 else self.close()

    def close(self) -> BareJSON:
        """What there is of the document; the next line begins another."""
        document = BareJSON(_text(b"\n".join(self.lines)))
        self.lines.clear()
        self._bytes = self._depth = 0
        return document


class SSEFramer:
    """Server-sent events, as https://html.spec.whatwg.org/multipage/server-sent-events.html says.

    Two liberties: an event without data is surfaced as EmptyBlock, and bare JSON as BareJSON,
    because real servers end streams and report errors with them. Bare JSON begins with a bracket
    at the start of a line and ends with its last bracket, at a blank line or at the next field: it
    never swallows an event.
    """

    def __init__(
        self,
        max_line_bytes: int = MAX_LINE_BYTES,
        max_event_bytes: int = MAX_EVENT_BYTES,
        *,
        position: Position = BEGINNING,
    ) -> None:
        self._lines = LineSplitter(max_line_bytes)
        self._max_event_bytes = max_event_bytes
        self._event = ""
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._bare = OpenJSON(max_event_bytes)
        self._pending_id = position.last_event_id
        self.last_event_id = position.last_event_id
        self.retry_ms = position.retry_ms

    @property
    def position(self) -> Position:
        """Where another connection would go on."""
        return Position(self.last_event_id, self.retry_ms)

    def feed(self, data: bytes) -> Iterator[Framed]:
        """The events and comments that these bytes complete."""
        return self._take_lines(self._lines.feed(data))

    def close(self) -> Iterator[Framed]:
        """The event that the end of the body left open. The standard would drop it."""
        yield from self._take_lines(self._lines.close())
        if self._bare.lines:
            yield self._bare.close()
        if framed := self._dispatch():
            yield framed

    def _take_lines(self, lines: Iterator[bytes]) -> Iterator[Framed]:
        for line in lines:
            if self._bare.lines and (not line or line.partition(b":")[0] in _FIELDS):
                yield self._bare.close()
            if framed := self._take_line(line):
                yield framed

    def _take_line(self, line: bytes) -> Framed | None:
        if not line:
            return self._dispatch()
        if line.startswith(b":"):
            return Comment(_text(line[1:].removeprefix(b" ")))
        name, _, value = line.partition(b":")
        return self._take_field(name, value.removeprefix(b" "), line)

    def _take_field(self, name: bytes, value: bytes, line: bytes) -> BareJSON | None:
        if name == b"data":
            self._append_data(value)
        elif name == b"event":
            self._event = _text(value)
        elif name == b"id":
            if b"\0" not in value:
                self._pending_id = _text(value)
        elif name == b"retry":
            if value.isdigit():
                self.retry_ms = int(value[:18])
        elif self._bare.lines or line.startswith((b"{", b"[")):
            return self._bare.append(line)
        return None

    def _append_data(self, value: bytes) -> None:
        self._data.append(value)
        self._data_bytes += len(value) + 1
        if self._data_bytes > self._max_event_bytes:
            raise _too_large("event", self._max_event_bytes, self._data_bytes)

    def _dispatch(self) -> Frame | EmptyBlock | None:
        self.last_event_id = self._pending_id
        event, self._event = self._event, ""
        if self._data:
            data = _text(b"\n".join(self._data))
            self._data.clear()
            self._data_bytes = 0
            return Frame(data, event or "message", self.last_event_id)
        return EmptyBlock(event) if event else None


class NDJSONFramer:
    """One JSON value a line; blank lines say nothing."""

    def __init__(self, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self._lines = LineSplitter(max_line_bytes)

    def feed(self, data: bytes) -> Iterator[Framed]:
        """The lines that these bytes complete."""
        return _json_lines(self._lines.feed(data))

    def close(self) -> Iterator[Framed]:
        """The last line, when it has no line end."""
        return _json_lines(self._lines.close())


def _json_lines(lines: Iterator[bytes]) -> Iterator[Framed]:
    return (Frame(_text(line)) for line in lines if line.strip())


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace")
