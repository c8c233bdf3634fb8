"""What waits to be written, for as long as the disk refuses. Bounded; used by one thread."""

from collections import deque

from streamtui.engine.journal.ledger import Tick

MAX_WAITING_BYTES = 64 * 1024 * 1024
"""From here on no more of what streams is kept. Prompts and ends are, however many."""
BATCH_BYTES = 4 * 1024 * 1024
"""About what is written in one transaction; a larger one would hold up those who want to know."""


class Backlog:
    """Ticks in their order. `lost` counts the bytes for which there was no room."""

    def __init__(self) -> None:
        self.lost = 0
        self._ticks: deque[tuple[int, Tick]] = deque()
        self._bytes = 0

    def __bool__(self) -> bool:
        return bool(self._ticks)

    @property
    def promised(self) -> bool:
        """Whether any of it has to survive a power failure once it is written."""
        return any(tick.promised for _, tick in self._ticks)

    def add(self, tick: Tick) -> None:
        """To be written after all else; without its events where these find no room."""
        if self._bytes + len(tick.events) > MAX_WAITING_BYTES:
            self.lost += len(tick.events)
            tick = tick._replace(events=b"")
        weight = _weight(tick)
        self._ticks.append((weight, tick))
        self._bytes += weight

    def put_first(self, tick: Tick) -> None:
        """To be written before all else."""
        weight = _weight(tick)
        self._ticks.appendleft((weight, tick))
        self._bytes += weight

    def batch(self) -> list[Tick]:
        """The first of it, as much as is written at once."""
        found: list[Tick] = []
        size = 0
        for weight, tick in self._ticks:
            if found and size + weight > BATCH_BYTES:
                break
            found.append(tick)
            size += weight
        return found

    def drop(self, ticks: int) -> None:
        """So many of the first are written."""
        for _ in range(ticks):
            weight, _ = self._ticks.popleft()
            self._bytes -= weight


def _weight(tick: Tick) -> int:
    recorded = sum(len(kept.recording) for kept in tick.recorded)
    return len(tick.events) + recorded + sum(fact.weight for fact in tick.facts)
