"""Connections through a SOCKS5 proxy that are timed stage by stage; for tests of endpoints only.

`connect_tcp` has no public name; a connection through it is what its library makes by itself.
"""

import ssl
from collections.abc import Callable
from typing import Any

from python_socks import ProxyConnectionError, ProxyType
from python_socks.async_.asyncio.v2 import Proxy as Handshake
from python_socks.async_.asyncio.v2._connect import connect_tcp

from streamtui.config import Proxy
from streamtui.engine.socks import SocksConnector, Stream
from streamtui.engine.stages import StagedResolver, Stages


class StagedSocksConnector(SocksConnector):
    """Tells how far it is with its one connection."""

    def __init__(
        self, stages: Stages, proxy: Proxy, tune: Callable[[Any], None], **options: Any
    ) -> None:
        super().__init__(proxy, tune, **options)
        self._stages = stages
        self._names = StagedResolver(stages)
        self._station = _Station(stages, self._proxy_host, self._proxy_port)

    async def _shake_hands(
        self, address: str, target: str, port: int, limit: float | None
    ) -> Stream:
        stream = await super()._shake_hands(address, target, port, limit)
        self._stages.leave()
        self._stages.say("proxy", f"SOCKS5, {self._way.host_port}")
        return stream

    async def _secure(self, stream: Stream, context: ssl.SSLContext, host: str, port: int) -> None:
        self._stages.enter("tls")
        await super()._secure(stream, context, host, port)
        self._stages.leave()
        self._stages.secured(stream.writer.get_extra_info("ssl_object"))


class _Station(Handshake):
    """The TCP connection to a proxy by itself, as if another proxy led there."""

    def __init__(self, stages: Stages, host: str, port: int) -> None:
        super().__init__(ProxyType.SOCKS5, host, port)
        self._stages = stages

    async def connect(
        self,
        dest_host: str,
        dest_port: int,
        *_args: object,
        **_options: object,
    ) -> Stream:
        self._stages.enter("tcp")
        try:
            stream = await connect_tcp(dest_host, dest_port, self._loop)
        except OSError as error:
            raise ProxyConnectionError(error.errno, error.strerror) from error
        self._stages.leave()
        self._stages.connected(stream.writer.get_extra_info("peername"))
        self._stages.enter("proxy")
        return stream
