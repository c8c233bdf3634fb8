"""Requests and responses over aiohttp: connections, proxies, TLS. The only file that touches a
socket, and the only one that sees aiohttp's exceptions.

Redirects are never followed and cookies never kept: both would carry keys to other hosts. The
texts of aiohttp's exceptions hold passwords and whole URLs and are never shown.
"""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol
from urllib.parse import urlsplit

import aiohttp
from aiohttp import http_exceptions

from streamtui.config import Endpoint, Proxy, bypasses_proxy
from streamtui.engine.dialects.base import Request
from streamtui.engine.status import proxy_refusal, proxy_words
from streamtui.errors import DeadlineError, ProtocolError, RunError, TransportError

MAX_HEADER_BYTES = 65536
MAX_HEADERS = 512
MAX_ERROR_BODY_BYTES = 65536
ERROR_BODY_SECONDS = 5.0
KEEPALIVE_SECONDS = 4.0
"""Below the five seconds after which common servers close idle connections."""
TCP_PROBE_SECONDS = 30
TCP_USER_TIMEOUT_MS = 60_000
REUSE_TRIES = 3
"""Idle connections that may turn out to be closed before a fresh one is certain."""


class Response(Protocol):
    """An answer whose head has come."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case; of repeated headers the first."""
    in_clear_to_proxy: bool
    """The request went to a proxy unencrypted, so the proxy may have answered itself."""

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives. Raises TransportError or ProtocolError."""

    async def read_error_body(self) -> bytes:
        """The beginning of an error's body, as far as it comes soon."""

    def is_lost(self) -> bool:
        """The connection is gone although the body has not ended."""


class Transport(Protocol):
    """The way to endpoints."""

    def open(
        self, endpoint: Endpoint, request: Request, on_sent: Callable[[], None]
    ) -> AbstractAsyncContextManager[Response]:
        """Send a request; the context is entered when the head of the answer has come.

        Raises TransportError, DeadlineError, ProtocolError or StatusError. Leaving the context
        closes the connection at once unless the body was read to its end.
        """

    async def aclose(self) -> None:
        """Close idle connections."""


def route_words(endpoint: Endpoint) -> str:
    """The way to an endpoint in words, without secrets."""
    proxy = proxy_for(endpoint)
    return f"via {proxy_words(proxy)}" if proxy else "direct"


def proxy_for(endpoint: Endpoint) -> Proxy | None:
    """The proxy that is really used, after its exceptions."""
    target = urlsplit(endpoint.base_url)
    port = target.port or (443 if target.scheme == "https" else 80)
    if endpoint.proxy is None or bypasses_proxy(endpoint.proxy, target.hostname or "", port):
        return None
    return endpoint.proxy


class _Trace:
    """What the connection of one request did, told by aiohttp's tracing."""

    def __init__(self, on_sent: Callable[[], None]) -> None:
        self.on_sent = on_sent
        self.reused = False


async def _on_headers_sent(_session: object, context: Any, _params: object) -> None:
    context.trace_request_ctx.on_sent()


async def _on_reused(_session: object, context: Any, _params: object) -> None:
    context.trace_request_ctx.reused = True


def _tracing() -> aiohttp.TraceConfig:
    config = aiohttp.TraceConfig()
    config.on_request_headers_sent.append(_on_headers_sent)
    config.on_connection_reuseconn.append(_on_reused)
    return config


def _open_socket(address: tuple[Any, ...]) -> socket.socket:
    """A socket on which a peer that vanished is noticed within minutes, not hours."""
    family, kind, protocol, *_ = address
    opened = socket.socket(family, kind, protocol)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", TCP_PROBE_SECONDS),
        ("TCP_KEEPINTVL", TCP_PROBE_SECONDS),
        ("TCP_USER_TIMEOUT", TCP_USER_TIMEOUT_MS),
    ):
        if hasattr(socket, option):
            opened.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return opened


class AiohttpTransport:
    """One client session per endpoint and proxy, made when first needed."""

    def __init__(self) -> None:
        self._sessions: dict[tuple[str, Proxy | None], aiohttp.ClientSession] = {}

    async def aclose(self) -> None:
        """Close idle connections."""
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()

    @asynccontextmanager
    async def open(
        self, endpoint: Endpoint, request: Request, on_sent: Callable[[], None]
    ) -> AsyncIterator[Response]:
        """Send a request; see Transport."""
        proxy = proxy_for(endpoint)
        response = await self._post(endpoint, proxy, request, on_sent)
        try:
            yield _AiohttpResponse(response, endpoint, proxy)
        finally:
            response.close()

    async def _post(
        self,
        endpoint: Endpoint,
        proxy: Proxy | None,
        request: Request,
        on_sent: Callable[[], None],
    ) -> aiohttp.ClientResponse:
        session = self._session(endpoint, proxy)
        in_clear = endpoint.base_url.startswith("http:")
        credentials = _proxy_credentials(proxy)
        # The proxy reads its credentials in the request itself, or in the one for a tunnel; inside
        # a tunnel they would reach the endpoint.
        clear_headers = credentials if in_clear else {}
        tunnel_headers = {} if in_clear else credentials
        for last_try in [False] * (REUSE_TRIES - 1) + [True]:
            trace = _Trace(on_sent)
            try:
                return await session.post(
                    endpoint.base_url.rstrip("/") + request.path,
                    data=request.body,
                    headers=request.headers | {"Accept-Encoding": "identity"} | clear_headers,
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(
                        total=None, connect=endpoint.timeouts.connect, sock_connect=10
                    ),
                    trace_request_ctx=trace,
                    proxy=proxy.url if proxy else None,
                    proxy_headers=tunnel_headers,
                )
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                # The server closed an idle connection just as it was used again. aiohttp sends
                # only idempotent methods once more by itself.
                if not trace.reused or last_try or isinstance(error, aiohttp.ClientConnectorError):
                    raise translate(error, endpoint, proxy) from error
            except _NETWORK_ERRORS as error:
                raise translate(error, endpoint, proxy) from error
        message = "unreachable: the last try returns or raises"
        raise AssertionError(message)

    def _session(self, endpoint: Endpoint, proxy: Proxy | None) -> aiohttp.ClientSession:
        key = (endpoint.base_url, proxy)
        if key not in self._sessions:
            self._sessions[key] = _new_session()
        return self._sessions[key]


def _new_session() -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        limit=0,
        keepalive_timeout=KEEPALIVE_SECONDS,
        ttl_dns_cache=60,
        socket_factory=_open_socket,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        trace_configs=[_tracing()],
        max_line_size=MAX_HEADER_BYTES,
        max_field_size=MAX_HEADER_BYTES,
        max_headers=MAX_HEADERS,
    )


def _proxy_credentials(proxy: Proxy | None) -> dict[str, str]:
    if proxy is None or not proxy.username:
        return {}
    password = proxy.password.reveal() if proxy.password else ""
    return {"Proxy-Authorization": aiohttp.encode_basic_auth(proxy.username, password, "utf-8")}


class _AiohttpResponse:
    """A response of aiohttp, with its errors turned into ours."""

    def __init__(
        self, response: aiohttp.ClientResponse, endpoint: Endpoint, proxy: Proxy | None
    ) -> None:
        self._response = response
        self._endpoint = endpoint
        self._proxy = proxy
        self.status = response.status
        self.headers: Mapping[str, str] = _lower_case(response.headers)
        self.in_clear_to_proxy = proxy is not None and response.url.scheme == "http"

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            async for data in self._response.content.iter_any():
                yield data
        except _NETWORK_ERRORS as error:
            raise _lost_in_stream(error, self._proxy) from error

    async def read_error_body(self) -> bytes:
        body = bytearray()
        try:
            async with asyncio.timeout(ERROR_BODY_SECONDS):
                async for data in self._response.content.iter_any():
                    body += data
                    if len(body) >= MAX_ERROR_BODY_BYTES:
                        break
        except _NETWORK_ERRORS:
            # The status already says that the request failed; the body only explains it.
            pass
        return bytes(body[:MAX_ERROR_BODY_BYTES])

    def is_lost(self) -> bool:
        """After broken chunk framing aiohttp closes the connection and tells no reader."""
        connection = self._response.connection
        if connection is None or self._response.content.at_eof():
            return False
        transport = connection.transport
        return transport is None or transport.is_closing()


def _lower_case(headers: Mapping[str, str]) -> dict[str, str]:
    """Of repeated headers the first counts."""
    lower: dict[str, str] = {}
    for name, value in headers.items():
        lower.setdefault(name.lower(), value)
    return lower


_NETWORK_ERRORS = (
    aiohttp.ClientError,
    http_exceptions.HttpProcessingError,
    asyncio.IncompleteReadError,
    OSError,
    TimeoutError,
    ValueError,
)


def _lost_in_stream(error: BaseException, proxy: Proxy | None) -> RunError:
    if isinstance(error, http_exceptions.HttpProcessingError) or (
        isinstance(error, aiohttp.ClientPayloadError)
        and isinstance(error.__cause__, http_exceptions.BadHttpMessage)
        and not isinstance(error.__cause__, http_exceptions.ContentLengthError)
        and not isinstance(error.__cause__, http_exceptions.TransferEncodingError)
    ):
        return ProtocolError("the body is not valid HTTP", hint="Ask again")
    via = f" (via {proxy_words(proxy)})" if proxy else ""
    return TransportError(
        f"the connection{via} was lost",
        kind="connection-lost",
        hint="Ask again for the rest",
        retryable=True,
    )


def translate(error: BaseException, endpoint: Endpoint, proxy: Proxy | None) -> RunError:
    """An exception of aiohttp, raised before the head of an answer came, as one of ours."""
    target = urlsplit(endpoint.base_url)
    where = target.netloc.rpartition("@")[2]
    match error:
        case aiohttp.ClientHttpProxyError():
            return proxy_refusal(error.status, endpoint)
        case aiohttp.ClientProxyConnectionError():
            return TransportError(
                f"cannot reach {proxy_words(proxy)}: {_reason(error.os_error)}",
                kind="proxy",
                hint="Check that the proxy runs",
                retryable=True,
            )
        case aiohttp.ClientConnectorDNSError():
            return TransportError(
                f"cannot resolve {error.host}",
                kind="dns",
                hint="Check the name in base_url, and the network",
                retryable=True,
            )
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return _tls_error(error, where)
        case aiohttp.ClientConnectorError():
            return _connect_error(error, where)
        case aiohttp.ServerTimeoutError() | TimeoutError():
            limit = endpoint.timeouts.connect
            return DeadlineError(
                f"no connection to {where} within {limit:g} s",
                kind="timeout-connect",
                phase="connect",
                hint="Check the network, or raise timeouts.connect",
                retryable=True,
            )
        case aiohttp.ClientResponseError() | http_exceptions.HttpProcessingError():
            return ProtocolError(
                f"{where} is not HTTP, or not a valid HTTP answer",
                hint="Check host, port and scheme in base_url",
            )
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | OSError():
            return _closed_error(target.scheme, where)
        case aiohttp.InvalidURL() | ValueError():
            return RunError(
                "base_url or a header is not valid", kind="bad-request", hint="Check the endpoint"
            )
        case _:
            return TransportError(
                f"the connection to {where} failed", kind="connect", retryable=True
            )


def _closed_error(scheme: str, where: str) -> TransportError:
    other = "http" if scheme == "https" else "https"
    return TransportError(
        f"{where} closed the connection without an answer",
        kind="connection-lost",
        hint=f"Try again; if it stays so, try {other}:// in base_url",
        retryable=True,
    )


def _connect_error(error: aiohttp.ClientConnectorError, where: str) -> TransportError:
    if error.os_error.errno == errno.ECONNREFUSED:
        return TransportError(
            f"nothing listens on {where}",
            kind="connect",
            hint="Start the server, or check base_url",
            retryable=True,
        )
    if error.os_error.errno in {errno.EMFILE, errno.ENFILE}:
        return TransportError(
            "too many open files", kind="connect", hint="Raise the limit with ulimit -n"
        )
    return TransportError(
        f"cannot reach {where}: {_reason(error.os_error)}",
        kind="connect",
        hint="Check base_url, and the network",
        retryable=True,
    )


def _tls_error(error: aiohttp.ClientError, where: str) -> TransportError:
    reason = getattr(getattr(error, "certificate_error", None), "verify_message", "")
    return TransportError(
        f"TLS with {where} failed: {reason or 'no secure connection could be made'}",
        kind="tls",
        hint="Check host and port in base_url, and the certificates of this machine",
    )


def _reason(error: OSError) -> str:
    return error.strerror.lower() if error.strerror else "connection failed"
