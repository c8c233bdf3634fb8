"""What consoles and the engine's process say to each other: MessagePack with a length before it.

Local only: what is said contains keys. `Hello`, `Welcome` and `Stop` never change, so that any two
versions understand at least each other's name.
"""

import struct

import msgspec
from msgspec import Struct

from streamtui.engine.doors import Command, Query
from streamtui.engine.reports import Answer
from streamtui.events import Event

PROTOCOL = 1
"""Grows whenever an older program would not understand what is said."""
MAX_MESSAGE_BYTES = 256 * 1024 * 1024

_HEAD = struct.Struct(">I")
HEAD_BYTES = _HEAD.size


class Hello(Struct, frozen=True, tag=True):
    """The first thing that a console says."""

    protocol: int
    version: str
    pid: int


class Execute(Struct, frozen=True, tag=True):
    command: Command


class Ask(Struct, frozen=True, tag=True):
    number: int
    query: Query


class StopAsking(Struct, frozen=True, tag=True):
    """Nobody waits for the answer any more."""

    number: int


class Listen(Struct, frozen=True, tag=True):
    number: int
    session_ids: tuple[str, ...] | None
    from_start: bool


class StopListening(Struct, frozen=True, tag=True):
    number: int


class Leave(Struct, frozen=True, tag=True):
    """The console ends. Without `keep_runs`, and if it is the last one, all runs end with it."""

    keep_runs: bool


class Stop(Struct, frozen=True, tag=True):
    """End the engine: at once, or only if nothing runs."""

    even_live: bool


FromConsole = Hello | Execute | Ask | StopAsking | Listen | StopListening | Leave | Stop


class Welcome(Struct, frozen=True, tag=True):
    """The engine's answer to Hello; nothing follows where the protocols differ."""

    protocol: int
    version: str
    pid: int
    live: int
    """How many sessions have an answer under way."""


class Heard(Struct, frozen=True, tag=True):
    number: int
    events: tuple[Event, ...]
    merged: int
    """How many chunks were merged into others so far, because the console lagged."""


class Answered(Struct, frozen=True, tag=True):
    number: int
    answer: Answer


class Stopped(Struct, frozen=True, tag=True):
    """What came of Stop: the engine ends, or something runs."""

    ends: bool
    live: int


FromEngine = Welcome | Heard | Answered | Stopped

_encoder = msgspec.msgpack.Encoder()
_of_console: msgspec.msgpack.Decoder[FromConsole] = msgspec.msgpack.Decoder(FromConsole)
_of_engine: msgspec.msgpack.Decoder[FromEngine] = msgspec.msgpack.Decoder(FromEngine)


def packed(message: FromConsole | FromEngine) -> bytes:
    """A message with its length before it."""
    data = _encoder.encode(message)
    return _HEAD.pack(len(data)) + data


def length_of(head: bytes) -> int:
    """How many bytes follow. Raises ValueError for more than any message has."""
    (length,) = _HEAD.unpack(head)
    if length > MAX_MESSAGE_BYTES:
        raise ValueError(f"a message of {length:,} bytes")
    return int(length)


def from_console(data: bytes) -> FromConsole:
    """What a console says. Raises msgspec.DecodeError for what is none of our messages."""
    return _of_console.decode(data)


def from_engine(data: bytes) -> FromEngine:
    """What the engine says. Raises msgspec.DecodeError."""
    return _of_engine.decode(data)
