"""The body of one response into chunks, and the truth about how it ended. No I/O, no clock.

It does not believe labels: a web page, a whole JSON answer and an empty body are told apart from a
stream by what they begin with.
"""

from collections.abc import Iterator
from itertools import chain
from typing import Literal

from streamtui.engine.dialects.base import Decoder, Dialect, page_title, parse_json
from streamtui.engine.framing import MAX_LINE_BYTES, Comment, Framed, NDJSONFramer
from streamtui.errors import ProtocolError
from streamtui.events import (
    VISIBLE_DELTAS,
    Chunk,
    Delta,
    KeepAliveReceived,
    MalformedFrame,
    ReasoningDelta,
    TextDelta,
)
from streamtui.safe_text import join_surrogates

_BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n"

Read = Chunk | KeepAliveReceived


def is_visible(delta: Delta) -> bool:
    """Whether a user sees anything of it."""
    if isinstance(delta, TextDelta | ReasoningDelta):
        return bool(delta.text)
    return isinstance(delta, VISIBLE_DELTAS)


class AnswerReader:
    """Feeds one response through framer and decoder.

    `feed` and `close` raise ProviderError for an error object and ProtocolError for what cannot be
    read, after everything that came before it. What they return is read to its end.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._framer = dialect.framer()
        self._decoder: Decoder = dialect.decoder()
        self._mode: Literal["unknown", "stream", "document"] = "unknown"
        self._held = bytearray()
        self._frames = 0
        self._mender = SurrogateMender()

    @property
    def complete(self) -> bool:
        """A mark of success was seen; nothing after it makes the answer a failure."""
        return self._decoder.complete

    @property
    def ended(self) -> bool:
        """Nothing that matters can follow; the connection may be left."""
        return self._decoder.ended

    def feed(self, data: bytes) -> Iterator[Read]:
        """What these bytes complete."""
        if self._mode != "stream":
            self._hold(data)
        if self._mode == "unknown":
            self._mode = self._sniff()
        if self._mode == "stream":
            data, self._held = bytes(self._held) or data, bytearray()
            yield from self._read(self._framer.feed(data))

    def close(self) -> Iterator[Read]:
        """What the end of the body completes; then `verdict` tells whether the answer is whole."""
        if self._mode == "document":
            yield from self._read_document(bytes(self._held))
            return
        # A last frame without its blank line may be the end marker itself.
        left = chain(self._framer.feed(bytes(self._held)), self._framer.close())
        yield from self._read(left)
        yield from _chunk(self._mender.close())

    def verdict(self) -> ProtocolError | None:
        """After the end of the body: why the answer is not whole, or None when it is."""
        if self.complete:
            return None
        if self._frames == 0:
            return ProtocolError(
                "empty answer: the endpoint sent no data",
                kind="empty-body",
                hint="Try again",
                retryable=True,
            )
        return ProtocolError(
            "the answer ended without its end marker",
            kind="truncated",
            hint="Ask again for the rest",
            retryable=True,
        )

    def _sniff(self) -> Literal["unknown", "stream", "document"]:
        start = bytes(self._held).removeprefix(_BOM).lstrip(_BLANK)
        if not start:
            return "unknown"
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

    def _read_document(self, body: bytes) -> list[Read]:
        text = body.decode("utf-8-sig", "replace").strip()
        if text.startswith("<"):
            raise _web_page(text)
        try:
            document = parse_json(text)
        except ValueError as error:
            raise ProtocolError(
                "the endpoint answered with JSON that breaks off",
                kind="truncated",
                excerpt=text,
                retryable=True,
            ) from error
        return _chunk(self._mender.mend(self._decoder.feed_document(document)))

    def _read(self, frames: Iterator[Framed]) -> Iterator[Read]:
        for framed in frames:
            if isinstance(framed, Comment):
                yield KeepAliveReceived(framed.text)
                continue
            self._frames += 1
            yield from _chunk(self._mender.mend(self._decoder.feed(framed)))


def _chunk(deltas: list[Delta]) -> list[Read]:
    return [Chunk(tuple(deltas))] if deltas else []


def _web_page(text: str) -> ProtocolError:
    title = page_title(text)
    what = f"a web page (text/html) “{title}”" if title else "a web page (text/html)"
    return ProtocolError(
        f"got {what} instead of a stream",
        kind="not-a-stream",
        hint="Check base_url, and whether the network asks to sign in",
        excerpt=title,
    )


class SurrogateMender:
    """Joins the halves of surrogate pairs that arrive in two chunks; a lone half becomes U+FFFD."""

    def __init__(self) -> None:
        self._open: dict[type[TextDelta | ReasoningDelta], str] = {}

    def mend(self, deltas: list[Delta]) -> list[Delta]:
        """The deltas with all text well-formed; a half at the end waits for its other half."""
        return [self._mend_delta(delta) for delta in deltas]

    def close(self) -> list[Delta]:
        """What still waited when the answer ended."""
        left = [kind("\N{REPLACEMENT CHARACTER}") for kind in self._open]
        self._open.clear()
        return list(left)

    def _mend_delta(self, delta: Delta) -> Delta:
        if not isinstance(delta, TextDelta | ReasoningDelta):
            return delta
        kind = type(delta)
        text = self._open.pop(kind, "") + delta.text
        if text.isascii():
            return delta
        if "\ud800" <= text[-1] <= "\udbff":
            self._open[kind], text = text[-1], text[:-1]
        return kind(join_surrogates(text))


def malformed_count(chunk: Chunk) -> int:
    """How many frames of a chunk could not be read."""
    return sum(isinstance(delta, MalformedFrame) for delta in chunk.deltas)
