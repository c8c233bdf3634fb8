"""An HTTP answer that is no stream, as an error in plain words. Pure; no secrets in the words."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from streamtui.config import Endpoint, Proxy
from streamtui.engine.dialects.base import ServerError
from streamtui.engine.retry import MAX_RETRY_AFTER_SECONDS, read_retry_after
from streamtui.errors import ProtocolError, StatusError
from streamtui.events import ErrorKind

_KINDS: dict[int, ErrorKind] = {
    400: "bad-request",
    401: "auth",
    403: "forbidden",
    404: "not-found",
    405: "not-found",
    407: "proxy-auth",
    408: "server",
    409: "server",
    413: "too-large",
    422: "bad-request",
    425: "server",
    429: "rate-limit",
    529: "overloaded",
}
_RETRYABLE_STATUS = frozenset({408, 409, 425, 429})

_WORDS: dict[ErrorKind, str] = {
    "bad-request": "the request was rejected",
    "auth": "the key was rejected",
    "forbidden": "the key may not do this",
    "not-found": "model or path not found",
    "too-large": "the prompt is too large",
    "rate-limit": "too many requests",
    "quota": "the quota is used up",
    "overloaded": "overloaded, a server-side condition",
    "server": "the server failed",
    "proxy-auth": "a proxy on the way wants credentials",
}

_REQUEST_ID_HEADERS = ("x-request-id", "request-id", "x-generation-id")
_KEPT_HEADERS = ("x-ratelimit-", "anthropic-ratelimit-", "retry-after")

SOCKS_DOUBT = "Try again; the proxy may not reach it, or the scheme of base_url is wrong"
"""The hint where a connection through a SOCKS proxy ends at once. Some, such as pproxy, say that
they have reached an endpoint before they try."""

# Proxies that answer in the endpoint's place say so in one of these, or in their Server header.
_PROXY_HEADERS = ("proxy-authenticate", "proxy-agent", "proxy-status", "x-squid-error")
_PROXY_SERVERS = ("tinyproxy", "squid", "mitmproxy", "privoxy", "proxy.py")


def request_id(headers: Mapping[str, str]) -> str:
    """What the endpoint calls this request; empty when it does not say."""
    return next((headers[name] for name in _REQUEST_ID_HEADERS if name in headers), "")


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers worth keeping: rate limits and the request's id."""
    return {
        name: value
        for name, value in headers.items()
        if name.startswith(_KEPT_HEADERS) or name in _REQUEST_ID_HEADERS
    }


def status_error(
    status: int,
    headers: Mapping[str, str],
    server: ServerError,
    endpoint: Endpoint,
    *,
    through_proxy: bool,
    now: float,
    sent: int = 0,
) -> StatusError:
    """The error for an HTTP status other than success.

    `headers` are in lower case; `server` is what the body says; `through_proxy` tells whether the
    request went in clear text to a proxy, which may then have answered itself; `now` is seconds
    since the epoch; `sent` are the bytes of the request's body.
    """
    if through_proxy and _proxy_speaks(status, headers):
        return _proxy_status(status, endpoint)
    if 300 <= status < 400:
        return _redirect(status, headers)
    kind = _kind(status, server)
    retry_after = read_retry_after(headers, now) or server.retry_after
    return StatusError(
        _message(status, _words(kind, endpoint, sent), server),
        kind=kind,
        status=status,
        hint=hint_for(kind, endpoint, retry_after),
        retryable=_is_retryable(status, kind, headers),
        request_id=request_id(headers),
        retry_after=retry_after,
        excerpt=server.message,
    )


def is_event_stream(status: int, headers: Mapping[str, str]) -> bool:
    """Whether an answer is one that the standard takes for a stream of events."""
    return status == 200 and _content_type(headers) == "text/event-stream"


def _content_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def no_event_stream(status: int, headers: Mapping[str, str], said: str) -> ProtocolError:
    """The error for another answer to somebody who asked for a stream of events with GET.

    `said` is what the beginning of its body says, if that can be read.
    """
    got = _content_type(headers) or "no content type" if status == 200 else f"HTTP {status}"
    return ProtocolError(
        f"got {got} instead of a stream of events{f': {said}' if said else ''}",
        kind="not-a-stream",
        hint="Check the URL, and whether the network asks to sign in",
    )


def proxy_words(proxy: Proxy | None) -> str:
    """A proxy by its name and address, without its user."""
    return f"proxy {proxy.name} ({proxy.host_port})" if proxy else "the proxy"


def proxy_refusal(status: int, endpoint: Endpoint) -> StatusError:
    """The error for a proxy that refused to open a tunnel."""
    return _proxy_status(status, endpoint)


def _kind(status: int, server: ServerError) -> ErrorKind:
    words = f"{server.type} {server.code}".lower()
    if status == 429 and ("quota" in words or "billing" in words):
        return "quota"
    if status == 400 and "api_key_invalid" in words:
        return "auth"
    if status in _KINDS:
        return _KINDS[status]
    return "server" if status >= 500 else "bad-request"


def _is_retryable(status: int, kind: ErrorKind, headers: Mapping[str, str]) -> bool:
    if kind == "quota":
        return False
    asked = headers.get("x-should-retry", "").lower()
    if asked in {"true", "false"}:
        return asked == "true"
    return status in _RETRYABLE_STATUS or status >= 500


def _words(kind: ErrorKind, endpoint: Endpoint, sent: int) -> str:
    words = _WORDS[kind]
    if kind in {"auth", "forbidden"} and endpoint.key_source:
        return words.replace("the key", f"the key from {endpoint.key_source}")
    return f"{words} ({sent:,} bytes)" if kind == "too-large" and sent else words


def _message(status: int, words: str, server: ServerError) -> str:
    said = server.message.strip().rstrip(".")
    return f"HTTP {status}, {words}: {said}" if said else f"HTTP {status}, {words}"


def hint_for(kind: ErrorKind, endpoint: Endpoint, retry_after: float | None = None) -> str:
    """What to do about an error of which no more is known than its kind; empty for nothing."""
    if retry_after is not None and retry_after > MAX_RETRY_AFTER_SECONDS:
        return f"The endpoint asks to wait {_span(retry_after)}"
    match kind:
        case "auth" | "forbidden":
            source = endpoint.key_source or "api_key_env of the endpoint"
            return f"Check {source}"
        case "not-found":
            return f"Check the model “{endpoint.model}” and base_url"
        case "too-large":
            return "Shorten the prompt"
        case "proxy-auth":
            return "Name the proxy in the configuration, with username and password_env"
        case "quota":
            return "Check the plan and billing of the account"
        case "rate-limit" | "overloaded" | "server":
            return "Try again later"
        case "error-midstream":
            return "Ask again"
        case _:
            return ""


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    if minutes < 120:
        return f"{minutes:.0f} min"
    hours = minutes / 60
    return f"{hours:.0f} h" if hours < 72 else f"{hours / 24:,.0f} days"


def _redirect(status: int, headers: Mapping[str, str]) -> StatusError:
    """Redirects are never followed: the key and the prompt would go to another host."""
    return StatusError(
        f"HTTP {status}, the endpoint redirects to {_place_in(headers.get('location', ''))}",
        kind="redirect-refused",
        status=status,
        hint="If that is right, change base_url",
    )


def _place_in(location: str) -> str:
    """The host of a URL without its user, which may be any text."""
    try:
        return urlsplit(location).netloc.rpartition("@")[2] or "another path"
    except ValueError:
        return "a place that is none"


def _proxy_speaks(status: int, headers: Mapping[str, str]) -> bool:
    if status == 407 or any(name in headers for name in _PROXY_HEADERS):
        return True
    server = headers.get("server", "").lower()
    return status >= 400 and server.startswith(_PROXY_SERVERS)


def _proxy_status(status: int, endpoint: Endpoint) -> StatusError:
    name = proxy_words(endpoint.proxy)
    # tinyproxy answers a wrong password with 401.
    if status in {401, 407}:
        return StatusError(
            f"{name} wants other credentials (HTTP {status} from the proxy)",
            kind="proxy-auth",
            status=status,
            hint="Check username and password_env of the proxy",
        )
    refused = "could not reach the endpoint" if status >= 500 else "refused to pass the request on"
    return StatusError(
        f"{name} {refused} (HTTP {status} from the proxy)",
        kind="proxy",
        status=status,
        hint="Check the proxy and base_url",
        retryable=status >= 500,
    )
