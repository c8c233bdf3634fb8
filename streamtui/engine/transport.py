"""Requests and responses over aiohttp: connections, proxies, TLS. The only file that touches a
socket.

Redirects are never followed and cookies never kept: both would carry keys to other hosts.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from io import BytesIO
from typing import Any, Protocol
from urllib.parse import urlsplit

import aiohttp
from aiohttp.http import RawResponseMessage

from streamtui.config import Endpoint, Proxy, Tls, bypasses_proxy
from streamtui.engine.dialects.base import Request
from streamtui.engine.network_errors import NETWORK_ERRORS, lost_in_stream, translate
from streamtui.engine.resolver import DaemonResolver
from streamtui.engine.status import proxy_words
from streamtui.engine.tls import client_context, proxy_context
from streamtui.errors import RunError

MAX_HEADER_BYTES = 65536
MAX_HEADERS = 512
MAX_ERROR_BODY_BYTES = 65536
ERROR_BODY_SECONDS = 5.0
KEEPALIVE_SECONDS = 4.0
"""Below the five seconds after which common servers close idle connections."""
TCP_PROBE_SECONDS = 30
TCP_USER_TIMEOUT_MS = 60_000
DRAIN_SECONDS = 0.1
"""How long the end of a body is waited for after the last frame, to keep the connection."""


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

    async def drain(self) -> None:
        """Read on for a moment: a body that ends leaves its connection for the next request."""

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
    _tune(opened)
    return opened


def _tune(opened: socket.socket) -> None:
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", TCP_PROBE_SECONDS),
        ("TCP_KEEPINTVL", TCP_PROBE_SECONDS),
        ("TCP_USER_TIMEOUT", TCP_USER_TIMEOUT_MS),
    ):
        if hasattr(socket, option):
            opened.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


_SessionKey = tuple[str, Proxy | None, Tls | None, bool]


class AiohttpTransport:
    """Client sessions per endpoint, proxy and trust, made when first needed."""

    def __init__(self) -> None:
        self._sessions: dict[_SessionKey, aiohttp.ClientSession] = {}
        self._contexts: dict[Tls | None, ssl.SSLContext] = {}

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
        sending = _Sending(endpoint, proxy_for(endpoint), request, on_sent)
        response = await self._send(sending)
        try:
            yield _AiohttpResponse(response, endpoint, sending.proxy)
        finally:
            response.close()

    async def _send(self, sending: "_Sending") -> aiohttp.ClientResponse:
        try:
            return await self._post(sending, reuse=True)
        except RunError:
            if not sending.found_stale_connection:
                raise
        # The server closed an idle connection just as it was used again. aiohttp sends only
        # idempotent methods once more by itself.
        return await self._post(sending, reuse=False)

    async def _post(self, sending: "_Sending", *, reuse: bool) -> aiohttp.ClientResponse:
        session = self._session(sending.endpoint, sending.proxy, reuse=reuse)
        try:
            return await session.post(**sending.arguments())
        except NETWORK_ERRORS as error:
            sending.note(error)
            raise translate(error, sending.endpoint, sending.proxy) from error

    def _session(
        self, endpoint: Endpoint, proxy: Proxy | None, *, reuse: bool
    ) -> aiohttp.ClientSession:
        key = (endpoint.base_url, proxy, endpoint.tls, reuse)
        if key not in self._sessions:
            connector = _new_connector(proxy, self._context(endpoint), endpoint.tls, reuse=reuse)
            self._sessions[key] = _new_session(connector)
        return self._sessions[key]

    def _context(self, endpoint: Endpoint) -> ssl.SSLContext | None:
        """How the endpoint is spoken to; the system's authorities take a while to be read."""
        if not _is_secure(endpoint):
            return None
        if endpoint.tls not in self._contexts:
            self._contexts[endpoint.tls] = client_context(endpoint.tls)
        return self._contexts[endpoint.tls]


class _Sending:
    """One request on its way, and what its connection did."""

    def __init__(
        self,
        endpoint: Endpoint,
        proxy: Proxy | None,
        request: Request,
        on_sent: Callable[[], None],
    ) -> None:
        self.endpoint = endpoint
        self.proxy = proxy
        self.on_sent = on_sent
        self.reused = False
        self.found_stale_connection = False
        self._request = request

    def note(self, error: BaseException) -> None:
        """Remember whether an idle connection was closed before a single byte came back."""
        closed = isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError)
        some_came = isinstance(getattr(error, "message", ""), RawResponseMessage)
        self.found_stale_connection = closed and self.reused and not some_came

    def arguments(self) -> dict[str, Any]:
        """What aiohttp is told."""
        endpoint, limit = self.endpoint, self.endpoint.timeouts.connect
        # A SOCKS proxy is its connector's affair, and so is the time until it has done its part.
        socks = self.proxy is not None and self.proxy.is_socks
        proxy = None if socks else self.proxy
        credentials = _proxy_credentials(proxy)
        # The proxy reads its credentials in the request itself, or in the one for a tunnel; inside
        # a tunnel they would reach the endpoint.
        in_clear = not _is_secure(endpoint)
        self.reused = False
        return {
            "url": endpoint.base_url.rstrip("/") + self._request.path,
            "data": BytesIO(self._request.body),
            "headers": self._request.headers
            | {"Accept-Encoding": "identity"}
            | (credentials if in_clear else {}),
            "allow_redirects": False,
            "timeout": aiohttp.ClientTimeout(total=None, sock_connect=limit)
            if socks
            else aiohttp.ClientTimeout(total=None, connect=limit),
            "proxy": proxy.url if proxy else None,
            "proxy_headers": {} if in_clear else credentials,
            "trace_request_ctx": self,
        }


def _is_secure(endpoint: Endpoint) -> bool:
    return urlsplit(endpoint.base_url).scheme == "https"


class _SecureProxyConnector(aiohttp.TCPConnector):
    """Speaks TLS to a proxy in another way than to the endpoint behind it."""

    def __init__(self, context: ssl.SSLContext, **options: Any) -> None:
        super().__init__(**options)
        self._proxy_context = context

    def _get_ssl_context(self, req: aiohttp.ClientRequest) -> ssl.SSLContext | None:
        # aiohttp has no argument for it. The request to the proxy is the one that has no proxy.
        if req.is_ssl() and req.proxy is None:
            return self._proxy_context
        return super()._get_ssl_context(req)


def _new_connector(
    proxy: Proxy | None, context: ssl.SSLContext | None, tls: Tls | None, *, reuse: bool
) -> aiohttp.TCPConnector:
    options: dict[str, Any] = {
        "limit": 0,
        "keepalive_timeout": KEEPALIVE_SECONDS if reuse else None,
        "force_close": not reuse,
        "ttl_dns_cache": 60,
        "ssl": context or True,
    }
    if proxy and proxy.is_socks:
        from streamtui.engine.socks import SocksConnector

        return SocksConnector(proxy, _tune, **options)
    options |= {"resolver": DaemonResolver(), "socket_factory": _open_socket}
    if proxy and proxy.scheme == "https":
        return _SecureProxyConnector(proxy_context(tls), **options)
    return aiohttp.TCPConnector(**options)


def _new_session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
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
        self.in_clear_to_proxy = (
            proxy is not None and not proxy.is_socks and response.url.scheme == "http"
        )

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            async for data in self._response.content.iter_any():
                yield data
        except NETWORK_ERRORS as error:
            raise lost_in_stream(error, self._proxy) from error

    async def read_error_body(self) -> bytes:
        body = bytearray()
        try:
            async with asyncio.timeout(ERROR_BODY_SECONDS):
                async for data in self._response.content.iter_any():
                    body += data
                    if len(body) >= MAX_ERROR_BODY_BYTES:
                        break
        except NETWORK_ERRORS:
            # The status already says that the request failed; the body only explains it.
            pass
        return bytes(body[:MAX_ERROR_BODY_BYTES])

    async def drain(self) -> None:
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                async for _ in self._response.content.iter_any():
                    pass
        except NETWORK_ERRORS:
            # The answer is whole; only a connection is lost.
            pass

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
