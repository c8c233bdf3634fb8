"""Requests and responses over aiohttp. With `connectors.py`, which makes its connections, the only
file that touches a socket.

Redirects are never followed and cookies never kept: both would carry keys to other hosts.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from io import BytesIO
from typing import Any, Protocol

import aiohttp
from aiohttp.http import RawResponseMessage

from streamtui.config import Endpoint, Proxy, Tls
from streamtui.engine.connectors import new_connector
from streamtui.engine.dialects.base import Request
from streamtui.engine.network_errors import NETWORK_ERRORS, lost_in_stream, translate
from streamtui.engine.routes import is_secure, proxy_for
from streamtui.engine.stages import Stages
from streamtui.engine.tls import Stamps, client_context, stamps
from streamtui.errors import RunError
from streamtui.safe_text import join_surrogates

MAX_HEADER_BYTES = 65536
MAX_HEADERS = 512
MAX_ERROR_BODY_BYTES = 65536
ERROR_BODY_SECONDS = 5.0
DRAIN_SECONDS = 0.1
"""How long the end of a body is waited for after the last frame, to keep the connection."""
READ_BYTES = 64 * 1024


class Response(Protocol):
    """An answer whose head has come."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case; of repeated headers the first. Well-formed text, whatever was sent."""
    in_clear_to_proxy: bool
    """The request went to a proxy unencrypted, so the proxy may have answered itself."""

    def chunks(self) -> AsyncGenerator[bytes]:
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


async def _on_headers_sent(_session: object, context: Any, _params: object) -> None:
    context.trace_request_ctx.on_sent()


async def _on_reused(_session: object, context: Any, _params: object) -> None:
    context.trace_request_ctx.reused = True


def _tracing() -> aiohttp.TraceConfig:
    config = aiohttp.TraceConfig()
    config.on_request_headers_sent.append(_on_headers_sent)
    config.on_connection_reuseconn.append(_on_reused)
    return config


_Trust = tuple[Tls | None, Stamps]
_SessionKey = tuple[str, Proxy | None, _Trust, bool]


class AiohttpTransport:
    """Client sessions per endpoint, proxy and trust, made when first needed.

    One that is given `stages` serves a single request, and tells them how far it is.
    """

    def __init__(self, stages: Stages | None = None) -> None:
        self._stages = stages
        self._sessions: dict[_SessionKey, aiohttp.ClientSession] = {}
        self._contexts: dict[_Trust, ssl.SSLContext] = {}

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
        if response.connection is not None:
            shorten_reads(response.connection.transport)
        try:
            yield _AiohttpResponse(response, endpoint, sending.proxy)
        finally:
            response.close()

    async def _send(self, sending: "_Sending") -> aiohttp.ClientResponse:
        try:
            return await self._request(sending, reuse=True)
        except RunError:
            if not sending.found_stale_connection:
                raise
        # The server closed an idle connection just as it was used again.
        return await self._request(sending, reuse=False)

    async def _request(self, sending: "_Sending", *, reuse: bool) -> aiohttp.ClientResponse:
        session = self._session(sending.endpoint, sending.proxy, reuse=reuse)
        try:
            return await session.request(**sending.arguments())
        except NETWORK_ERRORS as error:
            sending.note(error)
            raise translate(error, sending.endpoint, sending.proxy) from error

    def _session(
        self, endpoint: Endpoint, proxy: Proxy | None, *, reuse: bool
    ) -> aiohttp.ClientSession:
        # A file that was renewed or put right meanwhile is read again.
        trust = (endpoint.tls, stamps(endpoint.tls))
        key = (endpoint.base_url, proxy, trust, reuse)
        if key not in self._sessions:
            context, stages = self._context(endpoint, trust), self._stages
            connector = new_connector(proxy, context, endpoint.tls, reuse=reuse, stages=stages)
            self._sessions[key] = _new_session(connector)
        return self._sessions[key]

    def _context(self, endpoint: Endpoint, trust: _Trust) -> ssl.SSLContext | None:
        """How the endpoint is spoken to; the system's authorities take a while to be read."""
        if not is_secure(endpoint):
            return None
        if trust not in self._contexts:
            self._contexts[trust] = client_context(endpoint.tls)
        return self._contexts[trust]


def shorten_reads(transport: asyncio.BaseTransport | None) -> None:
    """Read so much at once that there is memory for it at hand.

    asyncio asks for 256 KiB each time, and the C library fetches that from the system and gives it
    back: with a token in each read that takes ten times as long as the read itself.
    """
    if hasattr(transport, "max_size"):
        setattr(transport, "max_size", READ_BYTES)  # noqa: B010


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
        in_clear = not is_secure(endpoint)
        self.reused = False
        return {
            "method": self._request.method,
            "url": endpoint.base_url.rstrip("/") + self._request.path,
            "data": BytesIO(self._request.body) if self._request.body else None,
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


def _new_session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    session = aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        trace_configs=[_tracing()],
        max_line_size=MAX_HEADER_BYTES,
        max_field_size=MAX_HEADER_BYTES,
        max_headers=MAX_HEADERS,
    )
    # Else a GET that failed on a fresh connection would be sent once more, at once and unseen.
    session._retry_connection = False
    return session


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
        self.headers: Mapping[str, str] = _readable(response.headers)
        self.in_clear_to_proxy = (
            proxy is not None and not proxy.is_socks and response.url.scheme == "http"
        )

    async def chunks(self) -> AsyncGenerator[bytes]:
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


def _readable(headers: Mapping[str, str]) -> dict[str, str]:
    """Of repeated headers the first counts."""
    found: dict[str, str] = {}
    for name, value in headers.items():
        # aiohttp keeps bytes that are not UTF-8 as halves of characters, which nothing can send on.
        found.setdefault(name.lower(), join_surrogates(value))
    return found
