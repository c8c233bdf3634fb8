"""The two things that a dialect of the demo server consists of, and what they share. No I/O.

A new dialect is one file with a `Dialect` and a `Writer`, and one line in `server.DIALECTS`.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypeVar

import msgspec

from streamtui.demo.question import Question
from streamtui.demo.scripts import Ending, Step, Usage

Shape = TypeVar("Shape", bound=msgspec.Struct)


class Refusal(Exception):  # noqa: N818 - an answer like any other, which happens to be no
    """The request is answered with an error status; the dialect chooses the shape of the body."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        """The field of the body that is wrong, such as `messages[0].role`."""
        self.code = code
        """The reason in OpenAI's vocabulary, such as `model_not_found`."""
        self.headers = dict(headers or {})


class Writer(Protocol):
    """Turns the steps of one answer into bytes; made fresh for each answer, may keep state."""

    def opening(self) -> bytes:
        """What precedes the first step, and is sent together with it."""

    def frame(self, step: Step) -> bytes:
        """One step, as one or more complete frames."""

    def closing(self, ending: Ending, usage: Usage) -> bytes:
        """The end of a good answer, the end marker included."""

    def failure(self, message: str) -> bytes:
        """An error in the middle of the stream, and what this dialect sends after one."""

    def whole(self, steps: Iterable[Step], ending: Ending, usage: Usage) -> bytes:
        """The same answer as one JSON document, for a request that wants no stream."""


class Dialect(Protocol):
    """How requests are read and answered; stateless, shared by all requests."""

    @property
    def path(self) -> str:
        """Where it is asked with POST: an aiohttp route, so `{model}` may be a part of it."""

    @property
    def stream_type(self) -> str:
        """The Content-Type of a stream."""

    def read(self, fields: dict[str, Any]) -> Question:
        """The question in a request: its JSON object and the variable parts of its path.

        Raises `Refusal` for what this dialect does not allow.
        """

    def writer(self, question: Question, request_id: str) -> Writer:
        """For one answer to this question."""

    def error_body(self, refusal: Refusal) -> bytes:
        """The JSON document that goes with an error status."""


def checked(fields: dict[str, Any], shape: type[Shape]) -> Shape:
    """The fields as a typed struct; raises `Refusal` (400) naming the first that is wrong."""
    try:
        return msgspec.convert(fields, shape)
    except msgspec.ValidationError as error:
        raise Refusal(400, f"Invalid request: {error}.", param=_field_in(str(error))) from error


def server_sent_event(data: bytes) -> bytes:
    """One event without a type (WHATWG HTML, section 9.2)."""
    return b"data: %b\n\n" % data


def _field_in(complaint: str) -> str | None:
    """msgspec quotes the missing field or, after that, the path from `$` to the wrong one."""
    quoted = re.findall(r"`([^`]*)`", complaint)
    return quoted[-1].removeprefix("$.") if quoted else None
