"""Halves of characters that arrive in two chunks, joined again. Pure."""

from typing import TypeGuard

from msgspec.structs import replace

from streamtui.events import Delta, ReasoningDelta, RefusalDelta, TextDelta, ToolCallDelta
from streamtui.safe_text import join_surrogates

Worded = TextDelta | ReasoningDelta | RefusalDelta | ToolCallDelta
_Strand = tuple[type[Worded], int]
"""Pieces that follow one another: of one kind and, for tool calls, of one index."""


class SurrogateMender:
    """Keeps all text well-formed; a half without its other half becomes U+FFFD.

    Nothing above may meet a lone surrogate: neither UTF-8 nor MessagePack can hold one.
    """

    def __init__(self) -> None:
        self._open: dict[_Strand, tuple[Worded, str]] = {}

    def mend(self, deltas: list[Delta]) -> list[Delta]:
        """The deltas with all text well-formed; a half at the end waits for its other half."""
        return [self._mend_delta(delta) if _has_words(delta) else delta for delta in deltas]

    def close(self) -> list[Delta]:
        """What still waited when the answer ended."""
        left = [_with_words(delta, half) for delta, half in self._open.values()]
        self._open.clear()
        return list(left)

    def _mend_delta(self, delta: Worded) -> Delta:
        words = _words_of(delta)
        if not self._open and words.isascii():
            return delta
        strand = type(delta), delta.index if isinstance(delta, ToolCallDelta) else 0
        _, half = self._open.pop(strand, (delta, ""))
        words = half + words
        if words and "\ud800" <= words[-1] <= "\udbff":
            self._open[strand], words = (delta, words[-1]), words[:-1]
        return _with_words(delta, words)


def _has_words(delta: Delta) -> TypeGuard[Worded]:
    return isinstance(delta, Worded)


def _words_of(delta: Worded) -> str:
    return delta.arguments if isinstance(delta, ToolCallDelta) else delta.text


def _with_words(delta: Worded, words: str) -> Delta:
    words = join_surrogates(words)
    if isinstance(delta, ToolCallDelta):
        return replace(delta, arguments=words)
    return type(delta)(words)
