"""Untrusted text to what may be drawn: the only door to a terminal.

Works character by character and keeps no state, so no split of a stream can carry an escape
sequence past it. Never interprets markup, never shortens silently, and is never applied to what
is stored: raw text is kept, safe text is drawn.
"""

import re

ELLIPSIS = "…"
NEWLINE_SIGN = "⏎"
REPLACEMENT = "\ufffd"

_C0 = set(range(0x20)) - {ord("\n"), ord("\t")}
_DELETE = 0x7F
_C1 = range(0x80, 0xA0)
# Unicode's Bidi_Control property, the three marks included: real right-to-left text is ordered by
# its letters, and an invisible mark beside a `/` or a digit changes what a reader believes to see.
_BIDI = {0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}
# Deprecated neighbours that switch mirroring, Arabic shaping and digit shapes.
_SHAPING = range(0x206A, 0x2070)
_SEPARATORS = {0x2028, 0x2029}
_SURROGATES = range(0xD800, 0xE000)
_BYTE_ORDER_MARK = 0xFEFF
# Invisible ASCII, used to hide instructions. Flags of England, Scotland and Wales lose their
# letters with it and are drawn as a plain black flag.
_TAGS = range(0xE0000, 0xE0080)

_CONTROL_PICTURES = 0x2400
_DELETE_PICTURE = "\u2421"

_VISIBLE: dict[int, str | None] = {
    **{code: chr(_CONTROL_PICTURES + code) for code in _C0},
    _DELETE: _DELETE_PICTURE,
    **dict.fromkeys([*_C1, *_BIDI, *_SHAPING, *_SEPARATORS, *_SURROGATES], REPLACEMENT),
    **dict.fromkeys([_BYTE_ORDER_MARK, *_TAGS], None),
}
_ONE_LINE = str.maketrans({"\n": NEWLINE_SIGN, "\t": " "})
_SURROGATE = re.compile("[\ud800-\udfff]")


def safe_text(text: str) -> str:
    r"""Any text with nothing left in it that a terminal obeys; `\n` and `\t` stay.

    `\r\n` becomes `\n`, every other `\r` is shown. Two chunks with a `\r\n` between them must
    therefore be joined before, not after: draw whole stored lines, not chunks.
    """
    # All that the table names is unprintable to Python, and most tokens are printable throughout.
    if text.isprintable():
        return text
    return text.replace("\r\n", "\n").translate(_VISIBLE)


def safe_line(text: str, limit: int | None = None) -> str:
    """Any text on one line, for titles, borders, toasts and rows.

    At most `limit` characters (not cells); where something is left out, the last is an ellipsis.
    """
    if limit is None:
        return safe_text(text).translate(_ONE_LINE)
    # Dropped characters make room, so more than `limit` is looked at; a bound keeps a title made
    # of a megabyte as cheap as any other.
    head = text[: 4 * limit]
    line = safe_text(head).translate(_ONE_LINE)
    if len(line) <= limit and len(head) == len(text):
        return line
    return line[: max(limit - 1, 0)].rstrip() + ELLIPSIS[:limit]


def join_surrogates(text: str) -> str:
    """Text that can be encoded: halves of a character that came in two deltas are joined.

    Halves without a partner become U+FFFD, so it is applied to joined deltas, never to one alone.
    """
    if text.isprintable() or not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
