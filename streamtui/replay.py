"""A stored run as a sequence of steps with the pauses in which it came. Pure."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from streamtui.events import Chunk, Event, RefusalDelta, TextDelta


class Step(NamedTuple):
    """One event of a run."""

    pause: float
    """Seconds since the one before."""
    event: Event
    text: str
    """What it adds to the answer."""


def steps_of(events: Iterable[Event]) -> Iterator[Step]:
    """The steps of one run; a clock that was set back makes no pause."""
    before: float | None = None
    for event in events:
        pause = 0.0 if before is None else max(0.0, event.mono - before)
        before = event.mono
        yield Step(pause, event, _text(event))


def _text(event: Event) -> str:
    if not isinstance(event.body, Chunk):
        return ""
    texts = (d.text for d in event.body.deltas if isinstance(d, TextDelta | RefusalDelta))
    return "".join(texts)
