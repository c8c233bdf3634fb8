"""What an endpoint's secrets must not get into: the words of errors and of frames. Pure."""

import re
from collections.abc import Iterator

from msgspec.structs import replace

from streamtui.config import Endpoint
from streamtui.engine.reader import Read
from streamtui.errors import EXCERPT_CHARS, RunError
from streamtui.events import (
    Chunk,
    Delta,
    ErrorInfo,
    KeepAliveReceived,
    MalformedFrame,
    ResponseStarted,
    UnknownFrame,
)
from streamtui.redact import Redactor, Secret, is_secret_name

MAX_MESSAGE_CHARS = 2000
_READ_CHARS = 8192
"""Patterns are looked for in so much of a message; a megabyte would hold up every stream."""
_QUOTING: frozenset[type] = frozenset({UnknownFrame, MalformedFrame})
"""Deltas that quote the wire as it is."""
_CREDENTIALS = re.compile(r"(?:apikey|basic|bearer|bot|token)\s+(.+)", re.IGNORECASE)
_LINE_BREAK = re.compile("[\r\n\0]+")


class Confidential:
    """Knows the secrets of an endpoint and its fallbacks, and hides them in what is told."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._redactor = Redactor()
        for asked in (endpoint, *endpoint.fallbacks):
            for secret, username in _secrets(asked):
                self._redactor.add(secret, username=username)

    def error_info(self, error: RunError) -> ErrorInfo:
        """An error fit to be told: servers quote keys in their messages."""
        info = error.info()
        return replace(
            info,
            message=self._words(info.message, MAX_MESSAGE_CHARS),
            excerpt=self._words(info.excerpt, EXCERPT_CHARS),
            request_id=self._words(info.request_id, EXCERPT_CHARS),
        )

    def head(self, head: ResponseStarted) -> ResponseStarted:
        """The head of an answer fit to be told: its headers are the server's own words."""
        headers = {n: self._words(value, EXCERPT_CHARS) for n, value in head.headers.items()}
        request_id = self._words(head.request_id, EXCERPT_CHARS)
        return replace(head, request_id=request_id, headers=headers)

    def conceal(self, read: Read) -> Read:
        """The same without our own secrets in what is no answer; the answer itself stays."""
        if isinstance(read, KeepAliveReceived):
            return KeepAliveReceived(self._frame_text(read.comment))
        if not _QUOTING.isdisjoint(map(type, read.deltas)):
            return Chunk(tuple(map(self._conceal_delta, read.deltas)))
        return read

    def _conceal_delta(self, delta: Delta) -> Delta:
        match delta:
            case UnknownFrame():
                event, data = self._frame_text(delta.event), self._frame_text(delta.data)
                return UnknownFrame(event, data)
            case MalformedFrame():
                return replace(delta, data=self._frame_text(delta.data))
            case _:
                return delta

    def _words(self, text: str, limit: int) -> str:
        # Redacted first and cut after: half a key is no longer known for one.
        return _cut(self._redactor.redact(text[:_READ_CHARS]), limit)

    def _frame_text(self, text: str) -> str:
        return _cut(self._redactor.hide_known(text[:_READ_CHARS]), EXCERPT_CHARS)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _secrets(endpoint: Endpoint) -> list[tuple[Secret, str]]:
    secrets = [
        (secret, "")
        for name, value in endpoint.headers.items()
        if is_secret_name(name)
        for secret in _secrets_in(value)
    ]
    if endpoint.api_key is not None:
        secrets.append((endpoint.api_key, ""))
    if endpoint.proxy is not None and endpoint.proxy.password is not None:
        secrets.append((endpoint.proxy.password, endpoint.proxy.username))
    return secrets


def _secrets_in(header: str) -> Iterator[Secret]:
    """A value whole, and `KEY` of `Bearer KEY`: servers quote either."""
    # One with line breaks is no header, and is refused where the request is written.
    for line in _LINE_BREAK.split(header):
        yield Secret.of(line)
        if credentials := _CREDENTIALS.fullmatch(line.strip()):
            yield Secret.of(credentials[1])
