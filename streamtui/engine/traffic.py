"""What the sessions of an engine share for each endpoint: its gates and its places."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from streamtui.config import Endpoint
from streamtui.engine.gate import Gatekeeper
from streamtui.engine.places import Places

Key = tuple[str, str]


class Lane:
    """The way to one endpoint, as all sessions use it."""

    def __init__(self, clock: Callable[[], float], rng: Callable[[], float]) -> None:
        self._clock = clock
        self._rng = rng
        self._gates: dict[str, Gatekeeper] = {}
        self.places = Places()

    def gate(self, model: str) -> Gatekeeper:
        """The gate of one model: vendors limit and overload each by itself."""
        if model not in self._gates:
            self._gates[model] = Gatekeeper(self._clock, self._rng)
        return self._gates[model]


class Traffic:
    """The lanes of all endpoints, and how many answers stream on them."""

    def __init__(self, clock: Callable[[], float], rng: Callable[[], float]) -> None:
        self._clock = clock
        self._rng = rng
        self._lanes: dict[Key, Lane] = {}
        self.streams = 0
        """Answers that are being received."""

    def lane(self, endpoint: Endpoint) -> Lane:
        """The lane of an endpoint: of its name and its URL, whatever model is asked."""
        key = (endpoint.base_url, endpoint.name)
        if key not in self._lanes:
            self._lanes[key] = Lane(self._clock, self._rng)
        return self._lanes[key]

    @contextmanager
    def streaming(self) -> Iterator[None]:
        """Count one more answer inside."""
        self.streams += 1
        try:
            yield
        finally:
            self.streams -= 1


def open_files_limit() -> int:
    """How many files, and with them connections, this process may have open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
