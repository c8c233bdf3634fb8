"""Which panes are drawn in a frame. Pure.

On a line that takes all, those with news take turns only where they are many, so that each frame is
short. On a slow one a frame has so many as the line has room for: the current pane first, then the
others one after the other, so that none waits for ever.
"""

import math
from collections.abc import Collection, Sequence

FEW_PANES = 4
MANY_PANES = 16
_FADE = 0.8
"""What a costly pane is remembered for, from one frame to the next."""
_LEAST_COST = 32.0
"""Bytes: a cursor movement and a word in its colour."""


class Turns:
    """Remembers whose turn was last, and what panes cost."""

    def __init__(self) -> None:
        self._frames = 0
        self._last = ""
        self._written = 0
        self._drawn = 0
        self._cost = _LEAST_COST

    def choose(
        self,
        names: Sequence[str],
        waiting: Collection[str],
        *,
        current: str,
        at_once: Collection[str] = (),
        room: float = math.inf,
        written: int = 0,
    ) -> list[str]:
        """The names of those that are drawn now, among all of them those `waiting` for it.

        `at_once` holds those that wait for no turn. `room` is how many bytes may be written,
        `written` how many were since the beginning.
        """
        self._frames += 1
        self._learn(written)
        if room == math.inf:
            chosen = self._by_turns(names, waiting, {current, *at_once})
        else:
            most = max(1, int(room / self._cost)) if room > 0 else 0
            chosen = self._in_line(names, waiting, current, most)
        self._drawn = len(chosen)
        return chosen

    def _learn(self, written: int) -> None:
        if self._drawn:
            latest = (written - self._written) / self._drawn
            self._cost = max(latest, self._cost * _FADE, _LEAST_COST)
        self._written = written

    def _by_turns(
        self, names: Sequence[str], waiting: Collection[str], at_once: Collection[str]
    ) -> list[str]:
        turns = turns_for(len(names))
        return [
            name
            for place, name in enumerate(names)
            if name in waiting and ((self._frames + place) % turns == 0 or name in at_once)
        ]

    def _in_line(
        self, names: Sequence[str], waiting: Collection[str], current: str, most: int
    ) -> list[str]:
        if not most:
            return []
        start = names.index(self._last) + 1 if self._last in names else 0
        line = [name for name in (*names[start:], *names[:start]) if name in waiting]
        if current in line:
            line.remove(current)
            # Every other time where there is room for one only.
            if most > 1 or not line or self._frames % 2:
                line.insert(0, current)
        chosen = line[:most]
        self._last = next((name for name in reversed(chosen) if name != current), self._last)
        return chosen


def turns_for(panes: int) -> int:
    """In how many frames all panes have had their turn: twenty, ten or six or seven times a second
    each."""
    if panes <= FEW_PANES:
        return 1
    return 2 if panes <= MANY_PANES else 3
