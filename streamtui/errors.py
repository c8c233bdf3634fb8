"""The exceptions of streamtui, one class for each thing that a caller does differently.

StreamTUIError
├── ConfigError       a mistake in a file of the user; shown once, exit 2
├── JournalError      the journal cannot be used; streaming goes on without it, loudly
└── RunError          ends an attempt, and often the run
    ├── TransportError    no connection, or it was lost: dns, connect, tls, proxy
    │   └── DeadlineError     nothing came in time
    ├── StatusError       an HTTP answer that is not a stream
    ├── ProtocolError     bytes that could not be read; a stream without its end marker
    └── ProviderError     an error object inside a good stream

No message carries a key, a password or a URL with its query.
"""

from msgspec import structs

from streamtui.events import ErrorInfo, ErrorKind

EXCERPT_CHARS = 200
"""What of an unreadable answer is told. Cut last: half a key is not known for one any more."""


class StreamTUIError(Exception):
    """The root of all errors that streamtui raises on purpose."""


class ConfigError(StreamTUIError):
    """A mistake in a configuration or theme file.

    `file` is its path, `line` counts from 1 and is None where no line can be named, `key` is the
    dotted key, `reason` says what was expected.
    """

    def __init__(
        self, reason: str, *, file: str = "", line: int | None = None, key: str = ""
    ) -> None:
        self.reason = reason
        self.file = file
        self.line = line
        self.key = key
        place = f"{file}:{line}" if file and line else file
        super().__init__(": ".join(part for part in (place, key, reason) if part))


class JournalError(StreamTUIError):
    """The journal cannot be used, or does not hold what was asked for; `str()` says why."""


class RunError(StreamTUIError):
    """A run, or one attempt of it, ended badly.

    `str()` of it is what happened, in words for people. `endpoint` and `attempt` are filled in by
    the session; `hint` says what to do next; `retryable` means that another attempt may help, and
    `retry_after` how many seconds the endpoint asks to wait for it.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: ErrorKind,
        hint: str = "",
        retryable: bool = False,
        retry_after: float | None = None,
        excerpt: str = "",
    ) -> None:
        # Servers end their sentences; ours go on, with what was kept and what to do.
        message = message.strip().removesuffix(".")
        super().__init__(message)
        self.message = message
        self.kind = kind
        self.hint = hint
        self.retryable = retryable
        self.excerpt = excerpt
        self.retry_after = retry_after
        self.endpoint = ""
        self.attempt = 0

    def info(self) -> ErrorInfo:
        """The same facts as a struct that can travel."""
        return ErrorInfo(
            kind=self.kind,
            message=self.message,
            hint=self.hint,
            retryable=self.retryable,
            retry_after=self.retry_after,
            excerpt=self.excerpt,
        )


class TransportError(RunError):
    """No connection could be made, or it was lost."""


class DeadlineError(TransportError):
    """Nothing came in time. `phase` is `connect`, `first token` or `idle`."""

    def __init__(
        self, message: str, *, kind: ErrorKind, phase: str, hint: str = "", retryable: bool = False
    ) -> None:
        super().__init__(message, kind=kind, hint=hint, retryable=retryable)
        self.phase = phase


class StatusError(RunError):
    """The endpoint, or a proxy on the way, answered with an HTTP error."""

    def __init__(
        self,
        message: str,
        *,
        kind: ErrorKind,
        status: int,
        hint: str = "",
        retryable: bool = False,
        request_id: str = "",
        retry_after: float | None = None,
        excerpt: str = "",
    ) -> None:
        super().__init__(
            message,
            kind=kind,
            hint=hint,
            retryable=retryable,
            retry_after=retry_after,
            excerpt=excerpt,
        )
        self.status = status
        self.request_id = request_id

    def info(self) -> ErrorInfo:
        """The same facts as a struct that can travel."""
        return structs.replace(super().info(), status=self.status, request_id=self.request_id)


class ProtocolError(RunError):
    """Bytes that could not be read, or a stream that ended before its end marker.

    `offset` is the position in the decoded body, in bytes, where reading stopped; None when
    unknown.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: ErrorKind = "protocol-error",
        hint: str = "",
        retryable: bool = False,
        retry_after: float | None = None,
        excerpt: str = "",
        offset: int | None = None,
    ) -> None:
        super().__init__(
            message,
            kind=kind,
            hint=hint,
            retryable=retryable,
            retry_after=retry_after,
            excerpt=excerpt,
        )
        self.offset = offset


class ProviderError(RunError):
    """An error object inside a stream that was good until then; `message` is the server's own."""


def error_from_info(info: ErrorInfo, *, endpoint: str = "", attempt: int = 0) -> RunError:
    """The exception for a failure that came as an event, for callers that want it raised."""
    error = _rebuild(info)
    error.endpoint = endpoint
    error.attempt = attempt
    return error


def _rebuild(info: ErrorInfo) -> RunError:
    if info.status is not None:
        return StatusError(
            info.message,
            kind=info.kind,
            status=info.status,
            hint=info.hint,
            retryable=info.retryable,
            request_id=info.request_id,
            retry_after=info.retry_after,
            excerpt=info.excerpt,
        )
    if info.kind in {"timeout-connect", "timeout-first-token", "timeout-idle"}:
        phase = info.kind.removeprefix("timeout-").replace("-", " ")
        return DeadlineError(
            info.message, kind=info.kind, phase=phase, hint=info.hint, retryable=info.retryable
        )
    if info.kind in _TRANSPORT_KINDS:
        family: type[RunError] = TransportError
    elif info.kind in _PROVIDER_KINDS:
        family = ProviderError
    elif info.kind in _PLAIN_KINDS:
        family = RunError
    else:
        family = ProtocolError
    return family(
        info.message,
        kind=info.kind,
        hint=info.hint,
        retryable=info.retryable,
        retry_after=info.retry_after,
        excerpt=info.excerpt,
    )


_TRANSPORT_KINDS = frozenset({"connect", "connection-lost", "dns", "proxy", "proxy-auth", "tls"})
_PROVIDER_KINDS = frozenset(
    {"auth", "error-midstream", "forbidden", "not-found", "overloaded", "quota", "rate-limit"}
    | {"server", "too-large"}
)
_PLAIN_KINDS = frozenset({"bad-request", "bug", "no-key", "stopped-by-limit", "usage"})
