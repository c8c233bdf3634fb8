"""Cuts text into the pieces that the demo streams, about four characters each.

Never cuts inside what a reader sees as one character, so joined emoji, flags and
accents arrive whole. A sketch of a tokeniser: no vocabulary, no model.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise, takewhile

_PIECE = 5  # makes the average about four, since short words are pieces of their own
_WIDE_PIECE = 2
_ZWJ = "\u200d"

_CHUNK = re.compile(
    r"(?:\r?\n)+"
    r"|[^\S\r\n]*\S*[^\s.,;:!?]"  # a word with the blanks before it
    r"|[^\S\r\n]*[.,;:!?]+"  # the punctuation after it
    r"|[^\S\r\n]+|\r"
)


def split_tokens(text: str) -> tuple[str, ...]:
    """Pieces of the text, in order; joined they are the text again."""
    return tuple(piece for chunk in _CHUNK.findall(text) for piece in _pieces(chunk))


def estimate_tokens(text: str) -> int:
    """The length of a prompt, by the usual rule of four bytes a token; cheap for any length."""
    return math.ceil(len(text.encode()) / 4)


def graphemes(text: str) -> list[str]:
    """What a reader sees as single characters (UAX #29, the part that text in chats needs)."""
    starts = [0] if text else []
    for at in range(1, len(text)):
        if not _continues(text, starts[-1], at):
            starts.append(at)
    return [text[start:end] for start, end in pairwise([*starts, len(text)])]


@lru_cache(maxsize=512)  # words come back, and then a long answer takes less than half the time
def _pieces(chunk: str) -> tuple[str, ...]:
    if chunk.isspace() or (chunk.isascii() and len(chunk) <= _PIECE):
        return (chunk,)
    return _even_pieces(chunk if chunk.isascii() else graphemes(chunk))


def _even_pieces(characters: Sequence[str]) -> tuple[str, ...]:
    """Even pieces rather than full ones with a crumb at the end; leading blanks weigh nothing."""
    blanks = _leading_blanks(characters)
    letters = len(characters) - blanks
    count = max(1, round(letters / _piece_size(characters)))
    ends = [blanks + letters * number // count for number in range(1, count + 1)]
    return tuple("".join(characters[start:end]) for start, end in pairwise([0, *ends]))


def _leading_blanks(characters: Iterable[str]) -> int:
    return sum(1 for _ in takewhile(str.isspace, characters))


def _piece_size(characters: Iterable[str]) -> int:
    wide = any(unicodedata.east_asian_width(character[0]) in "WF" for character in characters)
    return _WIDE_PIECE if wide else _PIECE


def _continues(text: str, start: int, at: int) -> bool:
    """Whether the character at `at` belongs to the grapheme that began at `start`."""
    if _is_extending(text[at]) or text[at - 1] == _ZWJ:
        return True
    return at - start == 1 and _is_flag_half(text[start]) and _is_flag_half(text[at])


def _is_extending(character: str) -> bool:
    return (
        unicodedata.category(character).startswith("M")
        or character in {"\u200c", _ZWJ}
        or "\U0001f3fb" <= character <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= character <= "\U000e007f"  # tags, as in the flag of Scotland
        or "\u1160" <= character <= "\u11ff"  # vowels and finals of a Hangul syllable
    )


def _is_flag_half(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
