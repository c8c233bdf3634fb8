"""aiohttp's exceptions as ours, in plain words; used by the transport alone.

Their own texts hold passwords and whole URLs and are never shown.
"""

import asyncio
import errno
import ssl
from urllib.parse import urlsplit

import aiohttp
from aiohttp import http_exceptions

from streamtui.config import Endpoint, Proxy
from streamtui.engine.status import SOCKS_DOUBT, proxy_refusal, proxy_words
from streamtui.engine.tls import find_tls_error, tls_error
from streamtui.errors import DeadlineError, ProtocolError, RunError, TransportError

NETWORK_ERRORS = (
    aiohttp.ClientError,
    http_exceptions.HttpProcessingError,
    asyncio.IncompleteReadError,
    OSError,
    TimeoutError,
    ValueError,
)


def lost_in_stream(error: BaseException, proxy: Proxy | None) -> RunError:
    """An exception of aiohttp, raised while a body was read, as one of ours."""
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
    """An exception of aiohttp, raised before the head of an answer came, as one of ours.

    Behind a proxy everything but a refusal in words is the proxy's: the endpoint was not reached.
    A SOCKS proxy has done its part before; its own errors are told apart where they arise.
    """
    target = urlsplit(endpoint.base_url)
    if found := find_tls_error(error):
        return _secure_error(error, found, target.netloc, proxy)
    behind_socks = proxy is not None and proxy.is_socks
    if proxy and behind_socks:
        where, proxy = f"{target.netloc} (via {proxy_words(proxy)})", None
    else:
        where = proxy_words(proxy) if proxy else target.netloc
    match error:
        case aiohttp.ClientHttpProxyError():
            return proxy_refusal(error.status, endpoint)
        case aiohttp.ClientProxyConnectionError():
            return _proxy_error(f"cannot reach {where}: {_reason(error.os_error)}")
        case aiohttp.ClientConnectorDNSError():
            return _unresolved(error.host, where, proxy)
        case aiohttp.ClientConnectorError():
            if target.scheme == "https" and not proxy and _is_hang_up(error.os_error):
                return _handshake_error(where)
            return _connect_error(error, where)
        case aiohttp.ServerTimeoutError() | TimeoutError():
            may_be_plain = target.scheme == "https" and not proxy
            return _connect_late(where, endpoint, proxy, may_be_plain=may_be_plain)
        case aiohttp.ClientResponseError() | http_exceptions.HttpProcessingError():
            checked = "the proxy's url" if proxy else "host, port and scheme in base_url"
            words = f"{where} is not HTTP, or not a valid HTTP answer"
            return ProtocolError(words, hint=f"Check {checked}")
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | OSError():
            lost = _closed_error(target.scheme, where, proxy)
            lost.hint = SOCKS_DOUBT if behind_socks else lost.hint
            return lost
        case aiohttp.InvalidURL() | ValueError():
            return RunError(
                "base_url or a header is not valid", kind="bad-request", hint="Check the endpoint"
            )
        case _:
            words = f"the connection to {where} failed"
            return TransportError(words, kind="connect", hint="Try again", retryable=True)


def _proxy_error(words: str) -> TransportError:
    return TransportError(
        words, kind="proxy", hint="Check that the proxy runs, and its url", retryable=True
    )


def _unresolved(host: str, where: str, proxy: Proxy | None) -> TransportError:
    if proxy:
        return _proxy_error(f"cannot resolve {where}")
    return TransportError(
        f"cannot resolve {host}",
        kind="dns",
        hint="Check the name in base_url, and the network",
        retryable=True,
    )


def _is_hang_up(error: OSError) -> bool:
    """A connection that ended after it stood; one that is refused has another class."""
    return isinstance(error, ConnectionResetError | ConnectionAbortedError)


def _handshake_error(where: str) -> TransportError:
    return TransportError(
        f"{where} hung up in the TLS handshake",
        kind="connect",
        hint="Try again; if the port has no TLS, use http://",
        retryable=True,
    )


def _connect_late(
    where: str, endpoint: Endpoint, proxy: Proxy | None, *, may_be_plain: bool
) -> DeadlineError:
    """A port without TLS often says nothing to one who begins with it."""
    way = "through" if proxy else "to"
    limit = endpoint.timeouts.connect
    return DeadlineError(
        f"no connection {way} {where} within {limit:g} s",
        kind="timeout-connect",
        phase="connect",
        hint="Check the network; if the port has no TLS, use http://"
        if may_be_plain
        else "Check the network, or raise timeouts.connect",
        retryable=True,
    )


def _closed_error(scheme: str, where: str, proxy: Proxy | None) -> TransportError:
    words = f"{where} closed the connection without an answer"
    if proxy:
        return _proxy_error(words)
    other = "http" if scheme == "https" else "https"
    return TransportError(
        words,
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


def _secure_error(
    error: BaseException, found: ssl.SSLError, endpoint: str, proxy: Proxy | None
) -> TransportError:
    """An error of TLS, about the endpoint or about a proxy that is spoken to over TLS."""
    host, port = getattr(error, "host", ""), getattr(error, "port", 0)
    if proxy and proxy.scheme == "https":
        address = urlsplit(proxy.url)
        # Without a host it came after the handshake; inside a tunnel it would be another class.
        broke_later = not host and isinstance(error, aiohttp.ClientOSError)
        if broke_later or (host, port) == (address.hostname, address.port):
            return tls_error(found, proxy_words(proxy), is_proxy=True)
    return tls_error(found, f"{host}:{port}" if host else endpoint)


def _reason(error: OSError) -> str:
    return error.strerror.lower() if error.strerror else "connection failed"
