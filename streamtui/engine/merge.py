"""Chunks of one run joined into fewer, with nothing lost. Pure."""

from streamtui.events import (
    Chunk,
    Delta,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
)


class ChunkPile:
    """Chunks that arrive faster than they are taken; grows with their text, not their number."""

    def __init__(self, first: Chunk) -> None:
        self._chunks = [first]

    def add(self, chunk: Chunk) -> None:
        """Put a chunk on top.

        Neighbours of about the same weight are joined at once: each text is copied only as often
        as the pile doubles.
        """
        self._chunks.append(chunk)
        while len(self._chunks) > 1 and self._chunks[-1].merged >= self._chunks[-2].merged:
            top = self._chunks.pop()
            self._chunks[-1] = join_chunks([self._chunks[-1], top])

    def joined(self) -> Chunk:
        """All of them as one."""
        return join_chunks(self._chunks)


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
