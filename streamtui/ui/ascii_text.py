"""What is drawn on a terminal that only knows ASCII: borders, signs and all other text.

It happens on the way to the terminal, so no widget has to know. Everything keeps its width.
"""

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from rich.cells import split_graphemes

from streamtui.ui.pane_state import ASCII_GLYPHS, GLYPHS

GIVEN = Path("/proc/self/environ")
"""The environment as it came to us, where a system keeps it."""
_VARIABLES = ("LC_ALL", "LC_CTYPE", "LANG")
_DRAWN = {
    "─━╌╍┄┅═▔▁": "-",
    "│┃║▏▕┆┊": "|",
    "╭╮╰╯┌┐└┘├┤┬┴┼╔╗╚╝╠╣╦╩╬┏┓┗┛╲╱": "+",
    "▌▐█▊▋▉■▪": "#",
    "▂▃▄▅▆▇▀": "=",
    "·•∙⋅": "-",
    "…": "~",
    "→›»▸▶❯": ">",
    "←‹«◂◀❮": "<",
    "↑▲▴": "^",
    "↓▼▾": "v",
    "◆✔": "*",
    "◯◦": "o",
    "✘×": "x",
    "✎": "e",
    "–—−‐‑": "-",
    "‘’‚": "'",
    "“”„": '"',
    "\u00a0": " ",
    "◇": "o",
}
UNKNOWN = "?"
# With what stands before it, which it may change.
_NOT_ASCII = re.compile("[ -~]?[^\0-~\x7f]+")


def ascii_text(text: str) -> str:
    """Text of as many cells, in ASCII; what controls the terminal stays as it is."""
    return _NOT_ASCII.sub(_in_ascii, text)


def needs_ascii(environ: Mapping[str, str]) -> bool:
    """Whether the locale says that the terminal knows no UTF-8.

    Where nothing is said at all, as in most containers, the terminal is what terminals are today.
    """
    environ = {**environ, "LC_CTYPE": _given_ctype(environ)}
    value = next((value for name in _VARIABLES if (value := environ.get(name, ""))), "")
    return bool(value) and "utf" not in value.lower()


def _given_ctype(environ: Mapping[str, str]) -> str:
    """LC_CTYPE as it came to us: Python sets one of its own in the C locale (PEP 538)."""
    value = environ.get("LC_CTYPE", "")
    if value not in {"C.UTF-8", "C.utf8", "UTF-8"} or environ.get("LANG", "") not in {"C", "POSIX"}:
        return value
    try:
        given = GIVEN.read_bytes().split(b"\0")
    except OSError:
        return ""
    return value if any(each.startswith(b"LC_CTYPE=") for each in given) else ""


def _in_ascii(found: re.Match[str]) -> str:
    text = found.group()
    # Together: several characters may make one of another width.
    clusters, _width = split_graphemes(text)
    return "".join(_stand_in(text[start:end], cells) for start, end, cells in clusters)


@lru_cache(4096)
def _stand_in(cluster: str, cells: int) -> str:
    if cluster in _PLAIN:
        return _PLAIN[cluster]
    # Of an accented letter the letter.
    letters = unicodedata.normalize("NFKD", cluster).encode("ascii", "ignore").decode()
    return letters if len(letters) == cells else UNKNOWN * cells


_PLAIN = {each: plain for many, plain in _DRAWN.items() for each in many}
_PLAIN |= {glyph: ASCII_GLYPHS[phase] for phase, glyph in GLYPHS.items()}
