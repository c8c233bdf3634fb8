"""The stages of one way to an endpoint, timed while it is gone. Opens no connection."""

import socket
import ssl
from collections.abc import Callable

from aiohttp.abc import ResolveResult

from streamtui.engine.reports import Stage, StageName
from streamtui.engine.resolver import DaemonResolver
from streamtui.engine.tls import tls_words

_SHOWN_ADDRESSES = 3


class Stages:
    """Told by those who make a connection how far they are; good for one way only.

    A stage that is entered and never left is the one at which the way ended. One that is gone
    through again, at another address of the same host, adds its times. `clock` is monotonic,
    `wall_clock` in seconds since the epoch; certificates are dated by it.
    """

    def __init__(self, clock: Callable[[], float], wall_clock: Callable[[], float]) -> None:
        self._clock = clock
        self._wall_clock = wall_clock
        self.current: StageName | None = None
        """The stage that was entered and not left so far."""
        self._entered = 0.0
        self._seconds: dict[StageName, float] = {}
        self._words: dict[StageName, str] = {}
        self._lookups: list[str] = []

    def enter(self, name: StageName) -> None:
        """This stage begins; one that was not left has failed."""
        self.current, self._entered = name, self._clock()

    def leave(self) -> None:
        """The current stage is over and went well."""
        if self.current is not None:
            spent = self._clock() - self._entered
            self._seconds[self.current] = self._seconds.get(self.current, 0.0) + spent
            self.current = None

    def say(self, name: StageName, words: str) -> None:
        """What was found at a stage."""
        self._words[name] = words

    def looked_up(self, host: str, addresses: list[str]) -> None:
        """What a name stands for."""
        shown, more = addresses[:_SHOWN_ADDRESSES], len(addresses) - _SHOWN_ADDRESSES
        others = f" and {more} more" if more > 0 else ""
        self._lookups.append(f"{host} → {', '.join(shown)}{others}")
        self.say("dns", "; ".join(self._lookups))

    def connected(self, peer: tuple[str, int] | None) -> None:
        """To whom TCP goes: the first two parts of a socket's name."""
        if peer:
            host, port, *_ = peer
            self.say("tcp", f"[{host}]:{port}" if ":" in host else f"{host}:{port}")

    def secured(self, connection: ssl.SSLObject) -> None:
        """TLS is there, inside whatever a proxy passes on."""
        self.say("tls", tls_words(connection, self._wall_clock()))

    def stage(self, name: StageName, absent: str) -> Stage:
        """A stage for a report; `absent` says why the way has no such stage, if that is so."""
        if name in self._seconds and name != self.current:
            return Stage(name, self._seconds[name], self._words.get(name, ""))
        return Stage(name, None, absent)


class StagedResolver(DaemonResolver):
    """Tells what it looks up and how long that takes."""

    def __init__(self, stages: Stages) -> None:
        self._stages = stages

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """All addresses of a host. Raises OSError."""
        self._stages.enter("dns")
        found = await super().resolve(host, port, family)
        self._stages.leave()
        self._stages.looked_up(host, list(dict.fromkeys(result["host"] for result in found)))
        return found
