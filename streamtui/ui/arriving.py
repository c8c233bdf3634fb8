"""What comes piece by piece: text that grows, and how fast it comes. Pure: no clock."""

from collections import deque

RATE_WINDOW = 2.0
"""Seconds over which a live rate is taken."""
_SLOTS_PER_SECOND = 4
_SPARK_CELLS = 5
_SPARK_LEVELS = "▁▂▃▄▅▆▇█"
_PIECES_TO_JOIN = 512


class GrowingText:
    """Text that arrives in pieces: cheap to add to and to read the end of."""

    def __init__(self, text: str = "") -> None:
        self._pieces = [text] if text else []
        self._joined = len(self._pieces)
        """So many pieces, from the first, are not joined with their neighbours again."""
        self._length = len(text)

    def __len__(self) -> int:
        return self._length

    def __str__(self) -> str:
        self.compact()
        return self._pieces[0] if self._pieces else ""

    def compact(self) -> None:
        """Take no more memory than the text needs."""
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
            self._joined = 1

    def append(self, piece: str) -> None:
        if piece:
            self._pieces.append(piece)
            self._length += len(piece)
            # A string of one token takes ten times its text in memory.
            if len(self._pieces) - self._joined >= _PIECES_TO_JOIN:
                self._pieces[self._joined :] = ["".join(self._pieces[self._joined :])]
                self._joined += 1

    def since(self, offset: int) -> str:
        """What came after the first `offset` characters; costs what is returned."""
        missing = self._length - offset
        found: list[str] = []
        for piece in reversed(self._pieces):
            if missing <= 0:
                break
            found.append(piece[-missing:] if missing < len(piece) else piece)
            missing -= len(piece)
        return "".join(reversed(found))


class RateMeter:
    """How many chunks came in each quarter of a second, for the last few seconds."""

    def __init__(self) -> None:
        self._slots: deque[list[int]] = deque(maxlen=_SPARK_CELLS * _SLOTS_PER_SECOND + 1)

    def add(self, mono: float, count: int) -> None:
        slot = int(mono * _SLOTS_PER_SECOND)
        if self._slots and self._slots[-1][0] >= slot:
            self._slots[-1][1] += count
        else:
            self._slots.append([slot, count])

    def per_second(self, now: float, since: float) -> float:
        """The rate of the last two seconds, or since a moment if that was later."""
        window = int((now - RATE_WINDOW) * _SLOTS_PER_SECOND) + 1
        first = max(window, int(since * _SLOTS_PER_SECOND))
        covered = now - max(first / _SLOTS_PER_SECOND, since)
        count = self._count(first, int(now * _SLOTS_PER_SECOND))
        return count / max(covered, 1 / _SLOTS_PER_SECOND)

    def sparkline(self, now: float) -> str:
        """The last five seconds, one block each, against the highest of them."""
        end = int(now * _SLOTS_PER_SECOND) - 1
        counts = [
            self._count(end - (age + 1) * _SLOTS_PER_SECOND + 1, end - age * _SLOTS_PER_SECOND)
            for age in reversed(range(_SPARK_CELLS))
        ]
        highest = max(counts)
        if not highest:
            return ""
        top = len(_SPARK_LEVELS) - 1
        return "".join(_SPARK_LEVELS[round(count / highest * top)] for count in counts)

    def _count(self, first: int, last: int) -> int:
        return sum(count for slot, count in self._slots if first <= slot <= last)
