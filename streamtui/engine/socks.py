"""Connections through a SOCKS5 proxy, which passes bytes on and reads none (RFC 1928, RFC 1929).

Imported only when such a proxy is used. Whatever goes wrong is put into words here: further up
nobody could tell whether the proxy, the endpoint or a name is to blame.
"""

import asyncio
import os
import ssl
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import python_socks
from aiohttp.client_proto import ResponseHandler
from aiohttp_socks import ProxyConnector
from python_socks import ProxyType
from python_socks.async_.asyncio.v2 import Proxy as Handshake

from streamtui.config import Proxy
from streamtui.engine.resolver import DaemonResolver
from streamtui.engine.status import SOCKS_DOUBT, proxy_words
from streamtui.engine.tls import tls_error
from streamtui.errors import DeadlineError, TransportError
from streamtui.events import ErrorKind

Stream = Any
"""What python_socks returns from its handshake; it gives the class no public name."""


class SocksConnector(ProxyConnector):
    """Makes aiohttp's connections through one proxy.

    aiohttp_socks says how aiohttp is to be fed; names are looked up here, because the loop's own
    lookups hold up the end of the program. `tune` sets the options of each socket.
    """

    def __init__(self, proxy: Proxy, tune: Callable[[Any], None], **options: Any) -> None:
        address = urlsplit(proxy.url)
        super().__init__(
            host=address.hostname or "",
            port=address.port or 0,
            proxy_type=ProxyType.SOCKS5,
            username=proxy.username or None,
            password=proxy.password.reveal() if proxy.password else None,
            rdns=proxy.scheme == "socks5h",
            **options,
        )
        self._way = proxy
        self._where = proxy_words(proxy)
        self._tune = tune
        self._names = DaemonResolver()
        self._station: Handshake | None = None
        """Makes the TCP connection, where the handshake is not to make its own."""

    async def _connect_via_proxy(
        self,
        host: str,
        port: int,
        ssl: ssl.SSLContext | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the name is aiohttp_socks'
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        """Raises TransportError and DeadlineError, and nothing of its libraries."""
        stream: Stream = None
        try:
            async with asyncio.timeout(timeout):
                stream = await self._tunnel(host, port, timeout)
                if ssl is not None:
                    await self._secure(stream, ssl, host, port)
        except TimeoutError as error:
            raise self._late(f"{host}:{port}", timeout, tunnelled=stream is not None) from error
        except BaseException:
            if stream is not None:
                stream.writer.transport.abort()
            raise
        return self._adopt(stream)

    async def _tunnel(self, host: str, port: int, limit: float | None) -> Stream:
        """A connection to the endpoint, all bytes of which the proxy passes on."""
        target = host if self._rdns else (await self._addresses(host, port, host))[0]
        addresses = await self._addresses(self._proxy_host, self._proxy_port, self._where)
        while True:
            try:
                stream = await self._shake_hands(addresses.pop(0), target, port, limit)
            except python_socks.ProxyConnectionError as error:
                if not addresses:
                    raise self._unreachable(error) from error
            except TimeoutError:
                raise
            except (python_socks.ProxyError, OSError, EOFError, ValueError) as error:
                raise self._refused(error, f"{host}:{port}") from error
            else:
                self._tune(stream.writer.get_extra_info("socket"))
                return stream

    async def _shake_hands(
        self, address: str, target: str, port: int, limit: float | None
    ) -> Stream:
        handshake = Handshake(
            ProxyType.SOCKS5,
            address,
            self._proxy_port,
            self._proxy_username,
            self._proxy_password,
            rdns=True,
            forward=self._station,
        )
        # Without a limit of its own it takes 60 s; ours ends first.
        return await handshake.connect(target, port, timeout=limit)

    async def _addresses(self, host: str, port: int, shown: str) -> list[str]:
        """The addresses of a host, those of IPv4 first: few proxies have a way for the others."""
        if _is_address(host):
            return [host]
        try:
            found = await self._names.resolve(host, port)
        except OSError as error:
            is_proxy = shown == self._where
            raise TransportError(
                f"cannot resolve {shown}",
                kind="proxy" if is_proxy else "dns",
                hint="Check the proxy's url, and the network"
                if is_proxy
                else "Check the name in base_url; with socks5h:// the proxy looks it up",
                retryable=True,
            ) from error
        return [result["host"] for result in sorted(found, key=lambda result: result["family"])]

    async def _secure(self, stream: Stream, context: ssl.SSLContext, host: str, port: int) -> None:
        try:
            # Certificates name hosts without the dot at their end.
            await stream.start_tls(host.rstrip("."), context)
        except ssl.SSLError as error:
            raise tls_error(error, f"{host}:{port}") from error
        except (OSError, EOFError) as error:
            raise TransportError(
                f"{host}:{port} (via {self._where}) closed the connection before it was secure",
                kind="connection-lost",
                hint=SOCKS_DOUBT,
                retryable=True,
            ) from error

    def _adopt(self, stream: Stream) -> tuple[asyncio.Transport, ResponseHandler]:
        """Hand the connection over to aiohttp's protocol."""
        transport = stream.writer.transport
        protocol = _Protocol(self._loop, stream.writer)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        return transport, protocol

    def _late(self, endpoint: str, limit: float | None, *, tunnelled: bool) -> DeadlineError:
        words = (
            f"no secure connection to {endpoint} (via {self._where})"
            if tunnelled
            else f"no answer of {self._where} in the SOCKS handshake"
        )
        return DeadlineError(
            f"{words} within {limit or 0:g} s",
            kind="timeout-connect",
            phase="connect",
            hint="Check that the proxy speaks SOCKS5 and reaches the endpoint,"
            " or raise timeouts.connect",
            retryable=True,
        )

    def _unreachable(self, error: OSError) -> TransportError:
        # The words of asyncio and of the library repeat the address.
        reason = os.strerror(error.errno) if error.errno else "connection failed"
        return TransportError(
            f"cannot reach {self._where}: {reason.lower()}",
            kind="proxy",
            hint="Check that the proxy runs, and its url",
            retryable=True,
        )

    def _refused(self, error: BaseException, endpoint: str) -> TransportError:
        if code := getattr(error, "error_code", None):
            return self._reply(int(code), endpoint)
        if not isinstance(error, python_socks.ProxyError):
            return self._hung_up()
        words = str(error)
        if "authentication failure" in words:
            return self._error("refuses this username and password", "proxy-auth")
        if "authentication method" in words:
            wish = (
                "accepts none of the ways to log in that it was offered"
                if self._proxy_username
                else "wants a username and a password"
            )
            return self._error(wish, "proxy-auth")
        return self._error("does not speak SOCKS5", "proxy")

    def _hung_up(self) -> TransportError:
        hint = "Check the proxy and base_url"
        if self._proxy_username:
            # pproxy says no in this way.
            hint = "Check the proxy; some end like this when username and password_env are wrong"
        words = f"{self._where} hung up in the SOCKS handshake"
        return TransportError(words, kind="proxy", hint=hint, retryable=True)

    def _reply(self, code: int, endpoint: str) -> TransportError:
        """What the proxy says of the endpoint; the numbers are those of RFC 1928, section 6."""
        words, retryable = _REPLIES.get(code, ("refuses for a reason that SOCKS5 has not", False))
        return self._error(words.format(endpoint), "proxy", retryable=retryable)

    def _error(self, words: str, kind: ErrorKind, *, retryable: bool = False) -> TransportError:
        hint = "Check the proxy and base_url"
        if kind == "proxy-auth":
            hint = "Check username and password_env of the proxy"
        return TransportError(f"{self._where} {words}", kind=kind, hint=hint, retryable=retryable)


_REPLIES = {
    1: ("failed to connect to {} and says no more", True),
    2: ("does not allow connections to {}", False),
    3: ("has no way to the network of {}", True),
    4: ("cannot reach {}", True),
    5: ("was refused by {}: nothing listens there", False),
    6: ("lost its way to {}: too many stations", False),
    7: ("makes no connections of this kind", False),
    8: ("takes no address such as that of {}", False),
}


class _Protocol(ResponseHandler):
    """Keeps the writer: without it Python closes the connection (aiohttp-socks#27)."""

    def __init__(self, loop: asyncio.AbstractEventLoop, writer: asyncio.StreamWriter) -> None:
        super().__init__(loop)
        self._writer = writer


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
