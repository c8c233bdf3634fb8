"""One recorded HTTP response, as `curl -i` writes it, and what it means. Pure.

Status line, headers, a blank line, and the body without its transfer coding.
"""

import re
from collections.abc import Iterator
from itertools import count

from msgspec import Struct
from msgspec.structs import replace

from streamtui.config import Endpoint
from streamtui.engine.confidential import Confidential
from streamtui.engine.dialects import DIALECTS
from streamtui.engine.doors import RunContext
from streamtui.engine.reader import AnswerReader, Read
from streamtui.engine.run import Run
from streamtui.engine.session import bad_end
from streamtui.engine.status import kept_headers, request_id, status_error
from streamtui.errors import RunError
from streamtui.events import (
    Body,
    Chunk,
    Event,
    Metrics,
    ResponseStarted,
    RunCompleted,
    RunEnd,
    RunStarted,
)
from streamtui.ids import new_id

FRAMES_PER_SECOND = 40.0
"""A recording knows no times: so fast it is played, which is about what models do."""

_HEAD_END = re.compile(rb"\r?\n\r?\n")
_STATUS_LINE = re.compile(r"HTTP/\d(?:\.\d)? (\d{3})(?: (.*))?")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LOOKED_AT = 4096
_LINE_END = re.compile(rb"\r\n|\n|\r")

_FIRST_JSON = re.compile(rb"(?:(?!data:)[^\n]*\n)*data: ?[\[{]")

# What only one dialect says near the beginning of its streams; the first that is found counts.
_MARKS: tuple[tuple[str, re.Pattern[bytes]], ...] = tuple(
    (dialect, re.compile(pattern))
    for dialect, pattern in (
        ("anthropic", rb'event: ?message_start|"type": ?"message_start"'),
        ("openai-responses", rb'event: ?response\.|"type": ?"response\.'),
        ("openai-chat", rb'"object": ?"chat\.completion'),
        ("openai-completions", rb'"object": ?"text_completion"'),
        ("gemini", rb'"candidates": ?\[|"usageMetadata": ?\{'),
        ("ollama", rb'^\{"model":.*"done": ?(?:true|false)'),
        ("langgraph", rb'event: ?metadata\r?\ndata: ?\{[^\n]*"attempt"'),
        ("langserve", rb'event: ?metadata\r?\ndata: ?\{"run_id"|data: ?\{"ops": ?\['),
        ("langserve", rb'data: ?\{"event": ?"on_'),
    )
)


class Recording(Struct, frozen=True):
    """What a server answered once."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    """As they came; a name may stand there several times."""
    body: bytes

    def header(self, name: str) -> str:
        """The first of that name, which is in lower case; empty where there is none."""
        return self.lower_headers().get(name, "")

    def lower_headers(self) -> dict[str, str]:
        """By their names in lower case; of repeated ones the first."""
        return {name.lower(): value for name, value in reversed(self.headers)}


def read_recording(data: bytes) -> Recording:
    """The response in a file; of several, such as a proxy's and then the server's, the last.

    Raises ValueError that says what is wrong.
    """
    body = data
    while True:
        head, body = _split(body)
        if not body.startswith(b"HTTP/"):
            break
    status_line, *lines = _LINE_END.split(head)
    found = _STATUS_LINE.fullmatch(status_line.decode("utf-8", "replace").rstrip())
    if found is None:
        raise ValueError("it does not begin with a status line such as “HTTP/1.1 200 OK”")
    if int(found[1]) < 200:
        raise ValueError("after an interim response the final one is missing")
    headers = tuple(map(_header, lines))
    return Recording(int(found[1]), (found[2] or "").strip(), headers, body)


def guess_dialect(recording: Recording) -> str:
    """Who speaks so; empty where it does not show.

    An HTTP error, an empty body and a web page mean the same in every dialect.
    """
    start = recording.body[:_LOOKED_AT].lstrip()
    if recording.status >= 300 or not start or start.startswith(b"<"):
        return "openai-chat"
    for dialect, mark in _MARKS:
        if mark.search(start):
            return dialect
    kind = recording.header("content-type").partition(";")[0].strip().lower()
    if kind == "application/x-ndjson":
        return "ollama"
    # Events that begin with JSON are some vendor's, and whose must be said.
    is_plain = kind == "text/event-stream" and not _FIRST_JSON.match(start)
    return "sse" if is_plain else ""


def frames(recording: Recording) -> Iterator[bytes]:
    """The body in pieces that end with a line, as they may have been sent; joined they are all."""
    start = 0
    for line_end in _LINE_END.finditer(recording.body):
        yield recording.body[start : line_end.end()]
        start = line_end.end()
    if start < len(recording.body):
        yield recording.body[start:]


def events_of(recording: Recording, dialect: str, name: str, started: float) -> list[Event]:
    """What an engine would have told of the run that got this answer, and no other.

    `name` stands for the endpoint; `started` is in seconds since the epoch.
    """
    session_id, run_id = new_id(), new_id()
    numbers = count()
    events = []
    for body in _bodies(recording, Endpoint(name, dialect, ""), started):
        number = next(numbers)
        moment = number / FRAMES_PER_SECOND
        events.append(Event(number + 1, started + moment, moment, session_id, run_id, body))
    return events


def _bodies(recording: Recording, endpoint: Endpoint, now: float) -> Iterator[Body]:
    confidential = Confidential(endpoint)
    headers = recording.lower_headers()
    run = Run("", "", RunContext())
    yield RunStarted("", (), endpoint.name, "", endpoint.dialect)
    head = ResponseStarted(recording.status, request_id(headers), kept_headers(headers))
    yield confidential.head(head)
    try:
        for read in _read(recording, endpoint, now):
            body = confidential.conceal(read)
            if isinstance(body, Chunk):
                run.take(body, 0.0)
            yield body
    except RunError as error:
        yield _bad_end(run, error, confidential)
    else:
        yield RunCompleted(run.finish_reason, _metrics(run))


def _read(recording: Recording, endpoint: Endpoint, now: float) -> Iterator[Read]:
    """Raises RunError after everything that came before it."""
    dialect = DIALECTS[endpoint.dialect]
    if recording.status >= 300:
        said = dialect.read_error(recording.body)
        headers = recording.lower_headers()
        raise status_error(recording.status, headers, said, endpoint, through_proxy=False, now=now)
    reader = AnswerReader(dialect)
    error: RunError | None = None
    try:
        yield from reader.feed(recording.body)
    except RunError as caught:
        error = caught
    try:
        yield from reader.close()
    except RunError as caught:
        error = error or caught
    error = error or reader.verdict()
    if error is not None and not reader.complete:
        raise error


def _bad_end(run: Run, error: RunError, confidential: Confidential) -> RunEnd:
    if run.chunks and error.kind == "server":
        error.kind = "error-midstream"
    return bad_end(confidential.error_info(error), _metrics(run))


def _metrics(run: Run) -> Metrics:
    """Without times, for there are none."""
    return replace(run.metrics(0.0), ttft=None)


def _split(data: bytes) -> tuple[bytes, bytes]:
    end = _HEAD_END.search(data)
    if end is None:
        # A response that has nothing but a head may end with its last header.
        return data.rstrip(b"\r\n"), b""
    return data[: end.start()], data[end.end() :]


def _header(line: bytes) -> tuple[str, str]:
    name, colon, value = line.decode("utf-8", "replace").partition(":")
    if not colon or not _HEADER_NAME.fullmatch(name):
        shown = line[:40].decode("utf-8", "replace")
        raise ValueError(f"“{shown}” is no header; a blank line is to end them")
    return name, "".join(char for char in value.strip() if char.isprintable())
