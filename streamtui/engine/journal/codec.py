"""The events of runs as bytes, and back. Pure: no database, no clock.

An event is three values, `seq, moment, content`, and the events of a run are a piece: one list of
all these values. All keep their moments, so that a run can be played again as it came. Whatever one
event holds, it keeps no other from being written.
"""

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

import msgspec

from streamtui.events import Body, Chunk, Message, RunStarted, TextDelta
from streamtui.safe_text import join_surrogates

UNITS_PER_SECOND = 10_000
"""Moments are whole tenths of a millisecond: more than a person sees, in few bytes."""
_DEEPEST = 20
_LARGEST = 2**63 - 1

Content = str | Body
"""A body; the text alone stands for a chunk that adds one piece of text, as nearly all do."""
Value = int | str | Body
Row = tuple[int, int, Content]


class Clock(NamedTuple):
    """What turns the numbers of rows into those of events."""

    start: float
    """Monotonic seconds of moment 0."""
    wall: float
    """How far the wall clock was ahead of the monotonic one, in seconds."""
    seq: int
    """The `seq` of the event whose row says 0."""


NO_CLOCK = Clock(0.0, 0.0, 0)
_encoder = msgspec.msgpack.Encoder()
_tick_decoder = msgspec.msgpack.Decoder(dict[int, msgspec.Raw])
_pieces_decoder = msgspec.msgpack.Decoder(list[list[Value]])
_messages_decoder = msgspec.msgpack.Decoder(tuple[Message, ...])
_UNWRITABLE = (UnicodeEncodeError, TypeError, OverflowError, RecursionError)


def encode_tick(pieces: Mapping[int, list[Value]]) -> bytes:
    """What came of each run between two commits, by the run's number."""
    try:
        return _encoder.encode(pieces)
    except _UNWRITABLE:
        return _encoder.encode(
            {number: [_mended(value) for value in piece] for number, piece in pieces.items()}
        )


def split_tick(data: bytes) -> dict[int, msgspec.Raw]:
    """What `encode_tick` made, with each piece still encoded. Raises ValueError."""
    return _tick_decoder.decode(data)


def encode_piece(rows: Iterable[Row]) -> bytes:
    """The events of one run as an encoded piece."""
    return _encoder.encode([value for row in rows for value in row])


def decode_piece(piece: bytes | msgspec.Raw) -> list[Row]:
    """The events of an encoded piece. Raises ValueError."""
    return _rows_of(_list_of(1) + bytes(piece))


def pack(pieces: Sequence[bytes | msgspec.Raw], level: int = 0) -> bytes:
    """Encoded pieces of one run as a recording; zlib's `level` is from no time, 0, to little room,
    9."""
    return zlib.compress(_list_of(len(pieces)) + b"".join(pieces), level)


def shrink(recording: bytes, level: int) -> bytes:
    """The same recording in less room. Raises ValueError."""
    return zlib.compress(_unzipped(recording), level)


def unpack(recording: bytes) -> list[Row]:
    """The events of a recording. Raises ValueError."""
    return _rows_of(_unzipped(recording))


def body_of(content: Content) -> Body:
    """The body that stands in a row."""
    return Chunk((TextDelta(content),)) if isinstance(content, str) else content


def answer_of(rows: Iterable[Row]) -> str:
    """The text that rows add up to."""
    return "".join(_text_of(content) for _, _, content in rows)


def encode_messages(messages: tuple[Message, ...]) -> bytes:
    """Turns of a conversation as they are kept."""
    try:
        return _encoder.encode(messages)
    except UnicodeEncodeError:
        return _encoder.encode(_plain(msgspec.to_builtins(messages)))


def decode_messages(data: bytes | None) -> tuple[Message, ...]:
    """What `encode_messages` made; none of nothing. Raises ValueError."""
    return _messages_decoder.decode(data) if data else ()


def without_history(body: RunStarted) -> RunStarted:
    """The start of a run as it is kept: what was said before it would be in every run again."""
    return msgspec.structs.replace(
        body,
        messages=body.messages[-1:],
        # Both are the caller's own and may hold anything.
        params=_plain(body.params),
        metadata=_plain(body.metadata),
    )


def _text_of(content: Content) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, Chunk):
        return "".join(delta.text for delta in content.deltas if isinstance(delta, TextDelta))
    return ""


def _unzipped(recording: bytes) -> bytes:
    try:
        return zlib.decompress(recording)
    except zlib.error as error:
        raise ValueError(str(error)) from error


def _rows_of(pieces: bytes) -> list[Row]:
    rows: list[Row] = []
    for piece in _pieces_decoder.decode(pieces):
        values = iter(piece)
        # Which of the three is which was settled when they were written.
        rows += cast("Iterator[Row]", zip(values, values, values, strict=True))
    return rows


def _list_of(items: int) -> bytes:
    """What stands before the items of a list in MessagePack."""
    return b"\xdd" + items.to_bytes(4, "big")


def _mended(value: Value) -> Any:
    """What can be written of a value: half a character must cost nothing but itself."""
    try:
        _encoder.encode(value)
    except _UNWRITABLE:
        return _plain(msgspec.to_builtins(value))
    return value


def _plain(value: object, depth: int = 0) -> Any:
    """The same in values that MessagePack has, as deep as anybody looks."""
    match value:
        case None | bool() | float():
            return value
        case str():
            return join_surrogates(value)
        case int():
            return max(-_LARGEST, min(value, _LARGEST))
        case dict() if depth < _DEEPEST:
            return {join_surrogates(str(key)): _plain(of, depth + 1) for key, of in value.items()}
        case list() | tuple() if depth < _DEEPEST:
            return [_plain(item, depth + 1) for item in value]
        case _:
            return f"<{type(value).__name__}>"
