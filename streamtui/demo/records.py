"""What the demo server remembers of each request; tests watch clients from here. No I/O."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Outcome = Literal["open", "complete", "refused", "dropped", "disconnected", "stopped", "crashed"]
"""How a request ended. `dropped`: we cut the connection because the script says so;
`disconnected`: the client left first; `stopped`: the server was closed; `crashed`: our bug."""


@dataclass(eq=False)
class RequestRecord:
    """One request as the server saw it."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    """Names in any case."""
    request_id: str
    body: dict[str, Any] = field(default_factory=dict, repr=False)
    """The JSON object that was sent; empty when there was none."""
    outcome: Outcome = "open"
    closed: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    """Set when nothing more will be sent."""
    disconnected_at: float | None = None
    """When the client was seen to have left (`time.monotonic`)."""

    def end(self, outcome: Outcome) -> None:
        """The first outcome stays."""
        if self.outcome == "open":
            self.outcome = outcome
            self.disconnected_at = time.monotonic() if outcome == "disconnected" else None
        self.closed.set()
