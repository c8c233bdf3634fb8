"""How fast the line to the terminal is, and how much may be written so that a key's echo is not
kept waiting behind it. Pure: the clock is an argument, bytes are only counted.

A line that takes all there is has no speed, and nothing is ever held back. One that was seen to be
full has the speed at which it emptied. Since it may become faster without anybody saying so, more
is tried now and then: soon at first, seldom where that has filled it again.
"""

import math
import time
from collections import deque
from collections.abc import Callable
from threading import Lock

MOST_DELAY = 0.1
"""Seconds that a key's echo may wait behind what was written before it."""
MOST_STUCK = 0.05
"""Seconds for which a line may take nothing before it gets nothing more, however fast it is."""
SHARE = 0.85
"""Of a line's speed that is counted on: what is ahead and nobody knows of gets through as well."""
LEAST_SECONDS = 0.03
"""What a busy machine also needs now and then; a line that was full for less is not slow."""
FAST = 1 << 20
"""Bytes a second from which on a line counts as one that takes all."""
FIRST_PATIENCE, MOST_PATIENCE = 10.0, 60.0
"""Seconds without a full line after which more is tried."""
_COUNTED_SECONDS = 2.0


class LineSpeed:
    """Told by whoever writes and whoever watches the line, from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self.written = 0
        """Bytes, since the beginning."""
        self.speed = math.inf
        """Bytes a second; infinite for a line that takes all."""
        self.stuck_since: float | None = None
        """Since when the line takes nothing at all, while it does not."""
        self._ahead = 0.0
        self._at = clock()
        self._emptied = 0.0
        self._seconds = 0.0
        self._told_at = self._last_full = self._raised_at = -math.inf
        self._speed_before = math.inf
        self._patience = FIRST_PATIENCE
        self._counts: deque[tuple[float, int]] = deque()

    def wrote(self, size: int) -> None:
        """So many bytes are on their way."""
        with self._lock:
            now = self._pass_time()
            self.written += size
            self._ahead += size
            if self._counts and now - self._counts[-1][0] < _COUNTED_SECONDS / 10:
                now, size = self._counts[-1][0], self._counts.pop()[1] + size
            self._counts.append((now, size))

    def was_full(self, emptied: int, seconds: float, ahead: int) -> None:
        """The line took nothing more; meanwhile `emptied` bytes have left it in so many seconds,
        if anybody knows, and about `ahead` are still in it."""
        with self._lock:
            now = self._pass_time()
            if self.speed == math.inf and now - self._told_at > _COUNTED_SECONDS:
                self._emptied = self._seconds = 0.0  # too long ago to mean anything
            self._told_at = now
            # What was measured fades as more is measured: half of it in a second of a full line.
            fade = 0.5**seconds
            self._emptied = self._emptied * fade + emptied
            self._seconds = self._seconds * fade + seconds
            if self._last_full < self._raised_at:
                self._take_back()
            if self._seconds >= LEAST_SECONDS and self._emptied < FAST * self._seconds:
                self.speed = max(self._emptied, 1.0) / self._seconds
            if self.speed != math.inf:
                self._last_full = now
                self._ahead = max(self._ahead, ahead)

    def room(self) -> float:
        """Bytes that may be written now; infinite on a line that takes all, negative where too much
        is on its way."""
        with self._lock:
            now = self._pass_time()
            stuck = self.stuck_since
            if stuck is not None and now - stuck > MOST_STUCK:
                return -math.inf
            since = max(self._last_full, self._raised_at)
            if self.speed < math.inf and now - since > self._patience:
                self._raise(now)
            return self.speed * SHARE * MOST_DELAY - self._ahead

    def bytes_per_second(self) -> float:
        """What was written of late."""
        with self._lock:
            oldest = self._clock() - _COUNTED_SECONDS
            while self._counts and self._counts[0][0] < oldest:
                self._counts.popleft()
            return sum(size for _, size in self._counts) / _COUNTED_SECONDS

    def _pass_time(self) -> float:
        now = self._clock()
        gone = self._ahead if self.speed == math.inf else self.speed * SHARE * (now - self._at)
        self._ahead = max(0.0, self._ahead - gone)
        self._at = now
        return now

    def _raise(self, now: float) -> None:
        if self._last_full < self._raised_at:
            self._patience = FIRST_PATIENCE  # what was raised last has held
        self._speed_before, self._raised_at = self.speed, now
        self.speed = self.speed * 2 if self.speed * 2 < FAST else math.inf
        self._emptied = self._seconds = 0.0

    def _take_back(self) -> None:
        """What was raised is more than the line takes."""
        self.speed = self._speed_before
        self._patience = min(self._patience * 4, MOST_PATIENCE)
