"""Chunks of one run joined into fewer, with nothing lost. Pure."""

from streamtui.events import (
    Chunk,
    Delta,
    Event,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
)


class Pile:
    """Chunks of one run as one event, stamped as the first of them.

    Grows with their text, not their number.
    """

    __slots__ = ("_chunks", "_stamp")

    def __init__(self, first: Event, chunk: Chunk) -> None:
        self._stamp = first
        self._chunks = [chunk]

    @property
    def run_id(self) -> str:
        """Of the run that all of it is of."""
        return self._stamp.run_id

    def add(self, chunk: Chunk) -> None:
        """Put a chunk on top.

        Neighbours of about the same weight are joined at once: each text is copied only as often
        as the pile doubles.
        """
        self._chunks.append(chunk)
        while len(self._chunks) > 1 and self._chunks[-1].merged >= self._chunks[-2].merged:
            top = self._chunks.pop()
            self._chunks[-1] = join_chunks([self._chunks[-1], top])

    def event(self) -> Event:
        """All of them as one."""
        stamp, body = self._stamp, join_chunks(self._chunks)
        return Event(stamp.seq, stamp.time, stamp.mono, stamp.session_id, stamp.run_id, body)


def join_chunks(chunks: list[Chunk]) -> Chunk:
    """One chunk that adds the same as these, in the same order."""
    if len(chunks) == 1:
        return chunks[0]
    deltas = join_deltas([delta for chunk in chunks for delta in chunk.deltas])
    return Chunk(deltas, sum(chunk.merged for chunk in chunks))


def join_deltas(deltas: list[Delta]) -> tuple[Delta, ...]:
    """The same deltas with neighbours of one kind joined into one."""
    groups: list[list[Delta]] = []
    for delta in deltas:
        if groups and _continues(groups[-1][0], delta):
            groups[-1].append(delta)
        else:
            groups.append([delta])
    return tuple(group[0] if len(group) == 1 else _join(group) for group in groups)


def _continues(first: Delta, delta: Delta) -> bool:
    """Whether a delta can be joined with those before it, of which `first` is the first."""
    match first, delta:
        case (
            (TextDelta(), TextDelta())
            | (ReasoningDelta(), ReasoningDelta())
            | (RefusalDelta(), RefusalDelta())
        ):
            return True
        case ToolCallDelta(), ToolCallDelta():
            same_call = delta.id is None or delta.id == first.id
            return delta.index == first.index and same_call
        case _:
            return False


def _join(group: list[Delta]) -> Delta:
    first = group[0]
    if isinstance(first, ToolCallDelta):
        calls = [delta for delta in group if isinstance(delta, ToolCallDelta)]
        name = next((call.name for call in calls if call.name), None)
        return ToolCallDelta(first.index, "".join(c.arguments for c in calls), first.id, name)
    texts = [d for d in group if isinstance(d, TextDelta | ReasoningDelta | RefusalDelta)]
    return type(texts[0])("".join(delta.text for delta in texts))
