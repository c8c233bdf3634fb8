"""The two things that a dialect of the demo server consists of, and what they share. No I/O.

A new dialect is one file with a `Dialect` and a `Writer`, and one line in `server.DIALECTS`.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Protocol, TypeVar

import msgspec

from streamtui.demo.question import Question
from streamtui.demo.scripts import CallArguments, CallStarted, Ending, Said, Step, Thought, Usage

EVENT_STREAM = "text/event-stream; charset=utf-8"

AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]

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

    @property
    def stream_type(self) -> str:
        """The Content-Type of the stream."""

    def opening(self) -> bytes:
        """What precedes the first step, and is sent together with it."""

    def frame(self, step: Step) -> bytes:
        """One step, as any number of complete frames."""

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

    def read(self, fields: dict[str, Any]) -> Question:
        """The question in a request: its JSON object and the variable parts of its path.

        `query` holds what the URL says after its question mark. Raises `Refusal` for what this
        dialect does not allow.
        """

    def writer(self, question: Question, request_id: str) -> Writer:
        """For one answer to this question."""

    def error_body(self, refusal: Refusal, request_id: str) -> bytes:
        """The JSON document that goes with an error status."""


class Part(msgspec.Struct):
    """A piece of a message; those that are no text, such as images, say nothing."""

    text: str | None = None


Content = str | list[Part] | None
"""What a message says, in the two forms that most dialects allow."""


def text_of(content: Content) -> str:
    """The text of a message, its parts joined."""
    if isinstance(content, list):
        return "".join(part.text or "" for part in content)
    return content or ""


class Answer(msgspec.Struct, frozen=True):
    """The steps of an answer put together, or a piece of them."""

    thoughts: str = ""
    text: str = ""
    call: CallStarted | None = None
    arguments: str = ""
    """The JSON text of the call's arguments, cut where the answer was cut."""


def put_together(steps: Iterable[Step]) -> Answer:
    """All steps of an answer, by what they are."""
    kept = list(steps)
    return Answer(
        thoughts="".join(step.text for step in kept if isinstance(step, Thought)),
        text="".join(step.text for step in kept if isinstance(step, Said)),
        call=next((step for step in kept if isinstance(step, CallStarted)), None),
        arguments="".join(step.fragment for step in kept if isinstance(step, CallArguments)),
    )


def arguments_object(arguments: str) -> dict[str, Any] | None:
    """The arguments for dialects that send them as an object; None when they were cut."""
    try:
        return msgspec.json.decode(arguments, type=dict[str, Any])
    except msgspec.DecodeError:
        return None


def stop_sequences(stop: str | list[str] | None) -> tuple[str, ...]:
    """One or several; the empty one, which would stop everything, is none."""
    return tuple(filter(None, [stop] if isinstance(stop, str) else stop or []))


def checked(fields: dict[str, Any], shape: type[Shape]) -> Shape:
    """The fields as a typed struct; raises `Refusal` (400) naming the first that is wrong."""
    try:
        return msgspec.convert(fields, shape)
    except msgspec.ValidationError as error:
        raise Refusal(400, f"Invalid request: {error}.", param=_field_in(str(error))) from error


def server_sent_event(data: bytes, kind: str = "") -> bytes:
    """One event, with its type if it has one (WHATWG HTML, section 9.2)."""
    head = f"event: {kind}\n".encode() if kind else b""
    return b"%bdata: %b\n\n" % (head, data)


def _field_in(complaint: str) -> str | None:
    """msgspec quotes the missing field or, after that, the path from `$` to the wrong one."""
    quoted = re.findall(r"`([^`]*)`", complaint)
    return quoted[-1].removeprefix("$.") if quoted else None
