"""How aiohttp makes connections here: the options of sockets, TLS to proxies, timed stages.

What it overrides of aiohttp is not promised to stay; tests of the proxies and stages hold it.
"""

import asyncio
import socket
import ssl
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

from streamtui.config import Proxy, Tls
from streamtui.engine.resolver import DaemonResolver
from streamtui.engine.stages import StagedResolver, Stages
from streamtui.engine.tls import proxy_context

KEEPALIVE_SECONDS = 4.0
"""Below the five seconds after which common servers close idle connections."""
TCP_PROBE_SECONDS = 30
TCP_USER_TIMEOUT_MS = 60_000


def new_connector(
    proxy: Proxy | None,
    context: ssl.SSLContext | None,
    tls: Tls | None,
    *,
    reuse: bool,
    stages: Stages | None = None,
) -> aiohttp.TCPConnector:
    """A connector for one endpoint, through its proxy if it has one.

    `context` is how the endpoint is spoken to, None when that is not over TLS. `stages` are told
    how far its one connection is.
    """
    options: dict[str, Any] = {
        "limit": 0,
        "keepalive_timeout": KEEPALIVE_SECONDS if reuse else None,
        "force_close": not reuse,
        "ttl_dns_cache": 60,
        "ssl": context or True,
    }
    if proxy and proxy.is_socks:
        return _socks_connector(proxy, stages, options)
    options |= {"socket_factory": _open_socket}
    secure_proxy = proxy_context(tls) if proxy and proxy.scheme == "https" else None
    if stages is None:
        return Connector(secure_proxy, resolver=DaemonResolver(), **options)
    resolver = StagedResolver(stages)
    return StagedConnector(
        stages, proxy, secure_proxy, tunnels=context is not None, resolver=resolver, **options
    )


def _socks_connector(
    proxy: Proxy, stages: Stages | None, options: dict[str, Any]
) -> aiohttp.TCPConnector:
    if stages is None:
        from streamtui.engine.socks import SocksConnector

        return SocksConnector(proxy, _tune, **options)
    from streamtui.engine.staged_socks import StagedSocksConnector

    return StagedSocksConnector(stages, proxy, _tune, **options)


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


class Connector(aiohttp.TCPConnector):
    """Speaks TLS to a proxy in another way than to the endpoint behind it."""

    def __init__(self, to_proxy: ssl.SSLContext | None, **options: Any) -> None:
        super().__init__(**options)
        self._to_proxy = to_proxy

    def _get_ssl_context(self, req: aiohttp.ClientRequest) -> ssl.SSLContext | None:
        # aiohttp has no argument for it. The request to the proxy is the one that has no proxy.
        if self._to_proxy is not None and req.is_ssl() and req.proxy is None:
            return self._to_proxy
        return super()._get_ssl_context(req)


class StagedConnector(Connector):
    """Tells how far it is with its one connection.

    `tunnels` means that the endpoint is spoken to over TLS, for which an HTTP proxy is asked to
    CONNECT; other requests go to the proxy itself.
    """

    def __init__(
        self,
        stages: Stages,
        proxy: Proxy | None,
        to_proxy: ssl.SSLContext | None,
        *,
        tunnels: bool,
        **options: Any,
    ) -> None:
        super().__init__(to_proxy, **options)
        self._stages = stages
        self._proxy = proxy
        self._tunnels = tunnels

    async def _wrap_create_connection(
        self, *args: Any, **options: Any
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        """TCP, and TLS if it is spoken at once: to the proxy, or without one to the endpoint."""
        make_protocol, *others = args

        def connected() -> ResponseHandler:
            # asyncio asks for a protocol as soon as TCP is there, before TLS begins.
            self._stages.leave()
            self._enter_after_tcp()
            protocol: ResponseHandler = make_protocol()
            return protocol

        self._stages.enter("tcp")
        transport, protocol = await super()._wrap_create_connection(connected, *others, **options)
        self._stages.connected(transport.get_extra_info("peername"))
        self._note_security(transport.get_extra_info("ssl_object"))
        return transport, protocol

    def _enter_after_tcp(self) -> None:
        if self._proxy is None:
            if self._tunnels:
                self._stages.enter("tls")
        elif self._tunnels or self._to_proxy:
            self._stages.enter("proxy")

    def _note_security(self, secured: ssl.SSLObject | None) -> None:
        if self._proxy is not None:
            self._note_proxy(self._proxy, secured)
        elif secured is not None:
            self._stages.leave()
            self._stages.secured(secured)

    def _note_proxy(self, proxy: Proxy, secured: ssl.SSLObject | None) -> None:
        tls = [f"TLS to the proxy ({secured.version()})"] if secured else []
        asked = ["CONNECT"] if self._tunnels else []
        self._stages.say("proxy", ", ".join([*tls, *asked, proxy.host_port]))
        if not self._tunnels:
            self._stages.leave()

    async def _start_tls_connection(
        self, *args: Any, **options: Any
    ) -> tuple[asyncio.BaseTransport, ResponseHandler]:
        """TLS to the endpoint, inside the tunnel that the proxy has just opened."""
        self._stages.leave()
        self._stages.enter("tls")
        transport, protocol = await super()._start_tls_connection(*args, **options)
        self._stages.leave()
        self._stages.secured(transport.get_extra_info("ssl_object"))
        return transport, protocol
