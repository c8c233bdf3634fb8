"""The words in a pane's border, fitted to its width. Pure: no Textual, no clock.

Text comes back in segments with the name of a style role; what is untrusted has been made safe.
"""

from math import ceil
from typing import NamedTuple

from rich.cells import cell_len, split_graphemes

from streamtui.safe_text import safe_line
from streamtui.ui.pane_state import (
    ASCII_GLYPHS,
    GLYPHS,
    PaneState,
    Phase,
    Tag,
    cost,
    elapsed,
    is_stood_in_for,
    model_name,
    rate,
    sparkline,
    tokens,
    ttft,
)

Segment = tuple[str, str]
"""Text, and the role that gives it its style."""

_NAME_LIMIT = 200
_SHORTEST_MODEL = 3
_ROOM_FOR_WORDS = 44
_UNCHECKED = Tag("TLS unchecked", "TLS!", "state-failed bold")
_PRIVATE = Tag("private", "priv", "accent bold")
_SHORTEST_ENDPOINT = 3
_MINUTE = 60
_SMALLEST_AMOUNT = 0.0001
_HOUR = 3600


class BorderText(NamedTuple):
    """Both ends of a border line, one space beside the border's own line included."""

    left: list[Segment]
    right: list[Segment]


def phase_role(phase: Phase) -> str:
    """The theme's name for a phase's colour."""
    return f"state-{phase.replace(' ', '-')}"


def shorten(text: str, cells: int, *, ascii_only: bool = False) -> str:
    """Text that fits, its tail given up for an ellipsis; no character is cut in half."""
    if cell_len(text) <= cells:
        return text
    ellipsis = "~" if ascii_only else "…"
    room = cells - 1
    kept = 0
    for _start, end, width in split_graphemes(text)[0]:
        room -= width
        if room < 0:
            break
        kept = end
    return text[:kept].rstrip() + ellipsis if cells > 0 else ""


def clock(seconds: float, *, tenths_until: float = 10.0) -> str:
    """A length of time in few cells: `3.2s`, `12s`, `1m05s`, `2h07m`."""
    seconds = max(0.0, seconds)
    if seconds < tenths_until:
        return f"{seconds:.1f}s"
    whole = int(seconds)
    if whole < _MINUTE:
        return f"{whole}s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}m{whole % _MINUTE:02d}s"
    return f"{whole // _HOUR}h{whole % _HOUR // _MINUTE:02d}m"


def money(amount: float) -> str:
    """An amount with as many decimals as it needs to be read."""
    if 0 < amount < _SMALLEST_AMOUNT:
        return f"<${_SMALLEST_AMOUNT}"
    return f"${amount:.4f}" if amount < 1 else f"${amount:,.2f}"


def state_words(pane: PaneState, now: float) -> tuple[str, str]:
    """The word for a pane's state, and its figure: `streaming`, `3.2s`."""
    match pane.phase:
        case "stalled":
            return "stalled", clock(now - (pane.last_data or now), tenths_until=0)
        case "retry" if pane.reconnects:
            return "reconnecting", _countdown(pane, now)
        case "retry":
            return f"retry {pane.retry_attempt}/{pane.retry_of}", _countdown(pane, now)
        case "waiting" if pane.keep_alive:
            return "queueing", clock(elapsed(pane, now))
        case "queued":
            return "queued", _countdown(pane, now)
        case "done" if pane.run_started is not None:
            return "done", clock(elapsed(pane, now), tenths_until=_MINUTE)
        case "idle" | "done" | "cut off" | "failed" | "cancelled":
            return pane.phase, ""
        case _:
            return pane.phase, clock(elapsed(pane, now))


def _countdown(pane: PaneState, now: float) -> str:
    if pane.retry_due is None:
        return ""
    return f"in {max(0, ceil(pane.retry_due - now))}s"


def border_title(
    pane: PaneState, number: int, now: float, width: int, *, ascii_only: bool = False
) -> BorderText:
    """`1 ● openai gpt-4o-mini ` and ` streaming 3.2s `, in `width` cells with one to spare."""
    glyph = (ASCII_GLYPHS if ascii_only else GLYPHS)[pane.phase]
    role = phase_role(pane.phase)
    word, figure = state_words(pane, now)
    head = f"{number} "
    marks = _marks(pane, width)
    taken = sum(cell_len(text) for text, _role in marks)
    # Head, glyph, the blank after each part, the blanks around the state, one cell of fill.
    fixed = cell_len(head) + taken + len(glyph) + 1 + len(word) + 2 + 1
    room = width - fixed
    if figure and room >= len(figure) + 1 + _SHORTEST_ENDPOINT + 1:
        room -= len(figure) + 1
    else:
        figure = ""
    names = _names(pane, room, ascii_only=ascii_only)
    right = f" {word} {figure} " if figure else f" {word} "
    left = [(head, "foreground"), *marks, (f"{glyph} ", role), *names]
    return BorderText(left, [(right, role)])


def _marks(pane: PaneState, width: int) -> list[Segment]:
    """What has to be known of a pane for as long as it is so, however narrow it is."""
    tags = [
        _UNCHECKED if pane.insecure else None,
        _PRIVATE if pane.private else None,
        pane.tag,
    ]
    roomy = width >= _ROOM_FOR_WORDS
    return [(f"{tag.words if roomy else tag.short} ", tag.role) for tag in tags if tag is not None]


def _names(pane: PaneState, room: int, *, ascii_only: bool) -> list[Segment]:
    """Endpoint and model; the model's tail goes first, then the model, then the endpoint's tail."""
    endpoint = safe_line(pane.endpoint, limit=_NAME_LIMIT)
    if is_stood_in_for(pane):
        arrow = "->" if ascii_only else "→"
        endpoint += f" {arrow} {safe_line(pane.answering_endpoint, limit=_NAME_LIMIT)}"
    model = safe_line(model_name(pane), limit=_NAME_LIMIT)
    room_for_model = room - cell_len(endpoint) - 2
    if model and room_for_model >= min(_SHORTEST_MODEL, cell_len(model)):
        short = shorten(model, room_for_model, ascii_only=ascii_only)
        return [(f"{endpoint} ", "foreground bold"), (f"{short} ", "foreground")]
    if room - 1 >= min(_SHORTEST_ENDPOINT, cell_len(endpoint)):
        short = shorten(endpoint, room - 1, ascii_only=ascii_only)
        return [(f"{short} ", "foreground bold")] if short else []
    return []


class _Part(NamedTuple):
    text: str
    role: str
    importance: int
    """The part with the lowest goes first when room runs short."""
    joint: str
    """What stands before it, when something does."""


def border_subtitle(
    pane: PaneState, now: float, width: int, *, ascii_only: bool = False
) -> BorderText:
    """` ttft 0.31s · 87 tok/s ▂▃▅▆▇ · 12→241 tok · $0.0004 `, or the way to the endpoint before."""
    dot = " - " if ascii_only else " · "
    parts = _figures(pane, now, dot, ascii_only=ascii_only) or _preparations(pane, dot)
    while parts and _length(parts) > width:
        if len(parts) == 1:
            only = parts[0]
            text = shorten(only.text, width - 2, ascii_only=ascii_only)
            parts = [only._replace(text=text)] if len(text) > _SHORTEST_ENDPOINT else []
            break
        parts.remove(min(parts, key=lambda part: part.importance))
    return BorderText(_join(parts), [])


def _length(parts: list[_Part]) -> int:
    return sum(cell_len(text) for text, _role in _join(parts))


def _join(parts: list[_Part]) -> list[Segment]:
    segments: list[Segment] = []
    for index, part in enumerate(parts):
        segments.append((part.joint if index else " ", "muted"))
        segments.append((part.text, part.role))
    return [*segments, (" ", "muted")] if segments else []


def _figures(pane: PaneState, now: float, dot: str, *, ascii_only: bool) -> list[_Part]:
    first = ttft(pane)
    if first is None or not pane.turns:
        return []
    parts = [
        _Part(f"ttft {first:.2f}s", "muted", 3, dot),
        _Part(f"{rate(pane, now):.0f} tok/s", "muted", 5, dot),
    ]
    if (line := sparkline(pane, now)) and not ascii_only:
        parts.append(_Part(line, phase_role(pane.phase), 1, " "))
    parts.append(_Part(_token_words(pane, ascii_only=ascii_only), "muted", 2, dot))
    price = cost(pane)
    if price is not None:
        about = "" if tokens(pane).exact else "~"
        parts.append(_Part(f"{about}{money(price)}", "muted", 4, dot))
    return parts


def _token_words(pane: PaneState, *, ascii_only: bool) -> str:
    counted = tokens(pane)
    about = "" if counted.exact else "~"
    if counted.input is None:
        return f"{about}{counted.output} tok"
    arrow = "->" if ascii_only else "→"
    return f"{counted.input}{arrow}{about}{counted.output} tok"


def _preparations(pane: PaneState, dot: str) -> list[_Part]:
    """What there is to say before the first token: why it is tried again, and by which way."""
    if pane.phase == "retry" and pane.retry_error is not None:
        words = safe_line(pane.retry_error.message, limit=_NAME_LIMIT)
        return [_Part(words, phase_role("retry"), 2, dot)]
    if pane.phase == "queued" and pane.queue_reason:
        words = safe_line(pane.queue_reason, limit=_NAME_LIMIT)
        return [_Part(words, phase_role("queued"), 2, dot)]
    if pane.phase in {"connecting", "waiting"}:
        parts = [_Part(safe_line(pane.route, limit=_NAME_LIMIT), "muted", 1, dot)]
        if pane.keep_alive:
            parts.append(_Part(safe_line(pane.keep_alive, limit=40), "muted", 2, dot))
        return [part for part in parts if part.text]
    return []
