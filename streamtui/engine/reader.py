"""The body of a response into chunks, and the truth about how it ended. No I/O, no clock.

It does not believe labels: a web page, a whole JSON answer and an empty body are told apart from a
stream by what they begin with.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Literal

from streamtui.engine.dialects.base import Decoder, Dialect, page_title, parse_json
from streamtui.engine.framing import (
    BEGINNING,
    MAX_LINE_BYTES,
    Comment,
    Frame,
    Framed,
    NDJSONFramer,
    Position,
    SSEFramer,
)
from streamtui.engine.surrogates import SurrogateMender
from streamtui.errors import EXCERPT_CHARS, ProtocolError
from streamtui.events import (
    VISIBLE_DELTAS,
    Chunk,
    Delta,
    KeepAliveReceived,
    MalformedFrame,
    ReasoningDelta,
    TextDelta,
)

_BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n"

Read = Chunk | KeepAliveReceived
_Mode = Literal["unknown", "stream", "document"]


def is_visible(delta: Delta) -> bool:
    """Whether a user sees anything of it."""
    if isinstance(delta, TextDelta | ReasoningDelta):
        return bool(delta.text)
    return isinstance(delta, VISIBLE_DELTAS)


class AnswerReader:
    """Feeds one response through framer and decoder, or several that go on with one stream.

    `feed` and `close` raise ProviderError for an error object and ProtocolError for what cannot be
    read, after everything that came before it. What they return is read to its end.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._framer = dialect.framer()
        self._decoder: Decoder = dialect.decoder()
        self._mode: _Mode = "unknown"
        self._held = bytearray()
        self._beginning = ""
        self._frames = 0
        self._comments = 0
        self._closed = False
        self._over = False
        self._mender = SurrogateMender()

    @property
    def complete(self) -> bool:
        """A mark of success was seen; nothing after it makes the answer a failure."""
        return self._over or self._decoder.complete

    @property
    def ended(self) -> bool:
        """Nothing that matters can follow; the connection may be left."""
        return self._decoder.ended

    @property
    def frames(self) -> int:
        """How many came, without comments."""
        return self._frames

    @property
    def position(self) -> Position:
        """Where another connection would go on."""
        return self._framer.position if isinstance(self._framer, SSEFramer) else BEGINNING

    def go_on(self) -> None:
        """Expect the next response of the same stream; half an event is forgotten."""
        self._framer = SSEFramer(position=self.position)
        self._held.clear()
        self._mode = "stream"

    def finish(self) -> None:
        """The server said by other means that nothing more comes."""
        self._over = True

    def feed(self, data: bytes) -> Iterator[Read]:
        """What these bytes complete."""
        if self._mode == "unknown":
            yield from self._begin(data)
        elif self._mode == "document":
            self._hold(data)
        else:
            yield from self._read(self._framer.feed(data))

    def close(self) -> Iterator[Read]:
        """What the end of the body completes; then `verdict` tells whether the answer is whole.

        A second call finds nothing more.
        """
        closed, self._closed = self._closed, True
        if closed:
            return
        if self._mode == "document":
            yield from self._read_document(bytes(self._held))
        else:
            # A last frame without its blank line may be the end marker itself.
            left = chain(self._framer.feed(bytes(self._held)), self._framer.close())
            yield from self._read(left)
        yield from _chunk(self._mender.mend(self._decoder.close()) + self._mender.close())

    def verdict(self) -> ProtocolError | None:
        """After a clean end of the body: why the answer is not whole, or None when it is."""
        if self.complete or (self._frames and self._decoder.ends_with_body):
            return None
        if self._frames:
            return ProtocolError(
                "the answer ended without its end marker",
                kind="truncated",
                hint="Ask again for the rest",
                retryable=True,
            )
        if self._beginning and not self._comments:
            return _no_stream("something else", self._beginning)
        return ProtocolError(
            "empty answer: the endpoint sent no data",
            kind="empty-body",
            hint="Try again",
            retryable=True,
        )

    def _begin(self, data: bytes) -> Iterator[Read]:
        """Look at the first bytes that are not blank to see what this is."""
        self._held += data
        if _BOM.startswith(self._held) and len(self._held) < len(_BOM):
            return
        start = bytes(self._held).removeprefix(_BOM).lstrip(_BLANK)
        if not start:
            # DeepSeek keeps the line alive with blank lines before an answer in one piece.
            self._held.clear()
            yield KeepAliveReceived("")
            return
        self._mode = self._mode_of(start)
        self._beginning = start[: 4 * EXCERPT_CHARS].decode("utf-8", "replace")
        if self._mode == "stream":
            held, self._held = bytes(self._held), bytearray()
            yield from self._read(self._framer.feed(held))

    def _mode_of(self, start: bytes) -> _Mode:
        json_is_framed = isinstance(self._framer, NDJSONFramer)
        if start[:1] == b"<" or (start[:1] in b"{[" and not json_is_framed):
            return "document"
        return "stream"

    def _hold(self, data: bytes) -> None:
        self._held += data
        if len(self._held) > MAX_LINE_BYTES:
            raise ProtocolError(
                "the endpoint answered with a document of more than 16 MiB",
                kind="frame-too-large",
                hint="Check base_url",
            )

    def _read_document(self, body: bytes) -> Iterator[Read]:
        text = body.decode("utf-8-sig", "replace").strip()
        if text.startswith("<"):
            title = page_title(text)
            page = "a web page (text/html)"
            raise _no_stream(f"{page} “{title}”" if title else page, title)
        try:
            document = parse_json(text)
        except ValueError:
            yield from self._read_lines(text)
        else:
            self._frames += 1
            yield from _chunk(self._mender.mend(self._decoder.feed_document(document)))

    def _read_lines(self, text: str) -> Iterator[Read]:
        """Lines of JSON where events were expected, or a document that breaks off."""
        lines = text.split("\n")
        if len(lines) < 2 or not _is_json(lines[0]):
            raise ProtocolError(
                "the endpoint answered with JSON that breaks off",
                kind="truncated",
                excerpt=text,
                retryable=True,
            )
        yield from self._read(Frame(line) for line in lines if line.strip())

    def _read(self, frames: Iterable[Framed]) -> Iterator[Read]:
        for framed in frames:
            if isinstance(framed, Comment):
                self._comments += 1
                yield KeepAliveReceived(framed.text)
                continue
            self._frames += 1
            yield from _chunk(self._mender.mend(self._decoder.feed(framed)))


def _chunk(deltas: list[Delta]) -> list[Read]:
    return [Chunk(tuple(deltas))] if deltas else []


def _is_json(line: str) -> bool:
    try:
        parse_json(line)
    except ValueError:
        return False
    return True


def _no_stream(what: str, excerpt: str) -> ProtocolError:
    return ProtocolError(
        f"got {what} instead of a stream",
        kind="not-a-stream",
        hint="Check base_url, and whether the network asks to sign in",
        excerpt=excerpt,
    )


def malformed_count(chunk: Chunk) -> int:
    """How many frames of a chunk could not be read."""
    return sum(isinstance(delta, MalformedFrame) for delta in chunk.deltas)
