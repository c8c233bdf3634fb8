"""The words in a pane's border, fitted to its width. Pure: no Textual, no clock.

Text comes back in segments with the name of a style role; what is untrusted has been made safe.
"""

from collections.abc import Iterator
from math import ceil
from typing import NamedTuple

from rich.cells import cell_len

from streamtui.safe_text import safe_line
from streamtui.ui.figures import cost, elapsed, rate, sparkline, tokens, ttft
from streamtui.ui.pane_state import GLYPHS, PaneState, Phase, Tag, is_stood_in_for, model_name
from streamtui.ui.words import Words, padded, shorten, width_of

_NAME_LIMIT = 200
_SHORTEST_MODEL = 3
_FEW_OF_NAME = 6
_AS_IT_SHOULD_BE: frozenset[Phase] = frozenset(
    ("connecting", "waiting", "thinking", "streaming", "done")
)
"""Phases whose glyph says enough where there is no room for the word."""
_ROOM_FOR_WORDS = 44
_UNCHECKED = Tag("TLS unchecked", "TLS!", "state-failed bold")
_PRIVATE = Tag("private", "priv", "accent bold")
_SHORTEST_ENDPOINT = 3
_MINUTE = 60
_SMALLEST_AMOUNT = 0.0001
_HOUR = 3600


class BorderText(NamedTuple):
    """Both ends of a border line, one space beside the border's own line included."""

    left: Words
    right: Words


def phase_role(phase: Phase) -> str:
    """The theme's name for a phase's colour."""
    return f"state-{phase.replace(' ', '-')}"


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
    pane: PaneState, number: int, now: float, width: int, *, with_rate: bool = False
) -> BorderText:
    """`1 ● openai gpt-4o-mini ` and ` streaming 3.2s `, in `width` cells with one to spare.

    Where room runs short the model's tail goes first; then the word of a state that is as it should
    be, and the figure of one that is not; then model, endpoint, what is left of the state, and the
    marks. Number and glyph stay. `with_rate` is for a pane that has no other place for it.
    """
    glyph = GLYPHS[pane.phase]
    role = phase_role(pane.phase)
    head = f"{number} "
    marks = _marks(pane, width)
    taken = cell_len(head) + len(glyph) + 1
    if width_of(marks) + taken > width:
        marks = []
    room = width - taken - width_of(marks)
    names: Words = []
    right = ""
    for words, least in _state_choices(pane, now, with_rate=with_rate):
        right = f" {words} " if words else ""
        left_over = room - cell_len(right) - 1
        names = _names(pane, left_over, least)
        if names and left_over >= 0:
            break
    # What cannot stand beside a name may stand there without one.
    if not names and room >= 2 + len(state_words(pane, now)[0]) + 1:
        right = f" {state_words(pane, now)[0]} "
    left = [(head, "foreground"), *marks, (f"{glyph} ", role), *names]
    return BorderText(left, [(right, role)] if right else [])


class _Least(NamedTuple):
    """How many cells of a name must stand beside a state; all of a shorter one."""

    endpoint: int
    model: int
    """0: none has to."""


_BOTH = _Least(_NAME_LIMIT, 6)
_SOME_OF_BOTH = _Least(_NAME_LIMIT, 3)
_ENDPOINT = _Least(_NAME_LIMIT, 0)
_SOME = _Least(_SHORTEST_ENDPOINT, 0)


def _state_choices(pane: PaneState, now: float, *, with_rate: bool) -> Iterator[tuple[str, _Least]]:
    """What may stand for the state, the longest first, and what then has to stand beside it."""
    word, figure = state_words(pane, now)
    if with_rate and pane.phase == "streaming":
        yield f"{word} {figure} {_short_rate(pane, now)}", _BOTH
    if figure:
        yield f"{word} {figure}", _BOTH
    if figure and pane.phase in _AS_IT_SHOULD_BE:
        age = clock(elapsed(pane, now))
        if with_rate and pane.phase == "streaming":
            yield f"{age} {_short_rate(pane, now)}", _BOTH
        yield from ((age, least) for least in (_SOME_OF_BOTH, _SOME))
    else:
        if figure:
            yield f"{word} {figure}", _ENDPOINT
        yield from ((word, least) for least in (_SOME_OF_BOTH, _SOME))
        yield figure, _SOME
    yield "", _SOME


def _short_rate(pane: PaneState, now: float) -> str:
    return f"{rate(pane, now):.0f}/s"


def _marks(pane: PaneState, width: int) -> Words:
    """What has to be known of a pane for as long as it is so, however narrow it is."""
    tags = [
        _UNCHECKED if pane.insecure else None,
        _PRIVATE if pane.private else None,
        pane.tag,
    ]
    roomy = width >= _ROOM_FOR_WORDS
    return [(f"{tag.words if roomy else tag.short} ", tag.role) for tag in tags if tag is not None]


def _names(pane: PaneState, room: int, least: _Least) -> Words:
    """Endpoint and model, a blank after each; nothing where too little of them would be left."""
    endpoint = safe_line(pane.endpoint, limit=_NAME_LIMIT)
    if is_stood_in_for(pane):
        endpoint += f" → {safe_line(pane.answering_endpoint, limit=_NAME_LIMIT)}"
    model = safe_line(model_name(pane), limit=_NAME_LIMIT)
    room_for_model = room - cell_len(endpoint) - 2
    if model and room_for_model >= min(least.model or _SHORTEST_MODEL, cell_len(model)):
        short = shorten(model, room_for_model)
        return [(f"{endpoint} ", "foreground bold"), (f"{short} ", "foreground")]
    if model and least.model:
        return []
    if room - 1 >= min(least.endpoint, cell_len(endpoint)):
        short = shorten(endpoint, room - 1)
        return [(f"{short} ", "foreground bold")] if short else []
    return []


def tile_lines(
    pane: PaneState,
    number: str,
    now: float,
    width: int,
    lines: int,
    *,
    with_endpoint: bool = True,
) -> list[Words]:
    """A pane too small to be read, in so many rows of `width` cells.

    ` 7 ● openai gpt-4o  3.2s 87/s`, the figures in a second row where there is one. `number` is as
    wide as those of all tiles; without its endpoint a pane goes by its model.
    """
    names = _tile_names(pane, with_endpoint=with_endpoint)
    role = phase_role(pane.phase)
    head = [(number, "muted"), (f" {GLYPHS[pane.phase]} ", role)]
    room = width - cell_len(number) - 3
    least = min(cell_len(names[-1]), _FEW_OF_NAME)
    figures = ""
    if lines == 1:
        fitting = (f" {words}" for words in _tile_figures(pane, now))
        figures = next((words for words in fitting if cell_len(words) + least <= room), "")
    left_over = room - cell_len(figures)
    name = next((name for name in names if cell_len(name) <= left_over), names[-1])
    if left_over - cell_len(name) > _SHORTEST_MODEL:
        name = names[0]
    first = [*head, (padded(name, left_over), "foreground"), (figures, role)]
    if lines == 1:
        return [first]
    below = next((words for words in _second_line(pane, now) if cell_len(words) <= room), "")
    return [first, [(" " * (width - room), "muted"), (padded(below, room), role)]]


def _tile_names(pane: PaneState, *, with_endpoint: bool) -> list[str]:
    """What a tile may be called by, the longest first."""
    endpoint = safe_line(pane.endpoint, limit=_NAME_LIMIT)
    model = safe_line(model_name(pane), limit=_NAME_LIMIT)
    if not with_endpoint and model:
        return [model]
    return [f"{endpoint} {model}", endpoint] if model else [endpoint]


def _second_line(pane: PaneState, now: float) -> Iterator[str]:
    """What a tile of two rows says under its name, the longest first."""
    word, figure = state_words(pane, now)
    state = f"{word} {figure}".rstrip()
    if pane.first_visible is not None:
        yield f"{state}  {rate(pane, now):.0f} tok/s"
    if pane.phase == "streaming":
        yield f"{figure} {_short_rate(pane, now)}"
    yield state
    yield from (word, figure) if pane.phase not in _AS_IT_SHOULD_BE else (figure,)


def _tile_figures(pane: PaneState, now: float) -> Iterator[str]:
    """Age and rate, or what else there is to say in their place, the longest first."""
    word, figure = state_words(pane, now)
    age = _coarse(elapsed(pane, now))
    if pane.phase == "streaming":
        yield f"{age:>3} {_short_rate(pane, now):>5}"
    if pane.phase in _AS_IT_SHOULD_BE:
        yield f"{age:>3}"
        return
    if figure:
        yield f"{word} {figure}"
    yield figure or word


def _coarse(seconds: float) -> str:
    """A length of time in three cells, so that tiles do not change their shape: `14s`, `2m`."""
    if seconds < _MINUTE:
        return f"{int(seconds)}s"
    return f"{int(seconds) // _MINUTE}m" if seconds < _HOUR else f"{int(seconds) // _HOUR}h"


class _Part(NamedTuple):
    text: str
    role: str
    importance: int
    """The part with the lowest goes first when room runs short."""
    joint: str = " · "
    """What stands before it, when something does."""


def border_subtitle(pane: PaneState, now: float, width: int) -> BorderText:
    """` ttft 0.31s · 87 tok/s ▂▃▅▆▇ · 12→241 tok · $0.0004 `, or the way to the endpoint before."""
    parts = _figures(pane, now) or _preparations(pane)
    while parts and width_of(_join(parts)) > width:
        if len(parts) == 1:
            only = parts[0]
            text = shorten(only.text, width - 2)
            parts = [only._replace(text=text)] if len(text) > _SHORTEST_ENDPOINT else []
            break
        parts.remove(min(parts, key=lambda part: part.importance))
    return BorderText(_join(parts), [])


def _join(parts: list[_Part]) -> Words:
    segments: Words = []
    for index, part in enumerate(parts):
        segments.append((part.joint if index else " ", "muted"))
        segments.append((part.text, part.role))
    return [*segments, (" ", "muted")] if segments else []


def _figures(pane: PaneState, now: float) -> list[_Part]:
    first = ttft(pane)
    if first is None or not pane.turns:
        return []
    parts = [
        _Part(f"ttft {first:.2f}s", "muted", 3),
        _Part(f"{rate(pane, now):.0f} tok/s", "muted", 5),
    ]
    if line := sparkline(pane, now):
        parts.append(_Part(line, phase_role(pane.phase), 1, " "))
    parts.append(_Part(_token_words(pane), "muted", 2))
    price = cost(pane)
    if price is not None:
        amount = money(price)
        about = "" if tokens(pane).exact or amount.startswith("<") else "~"
        parts.append(_Part(f"{about}{amount}", "muted", 4))
    return parts


def _token_words(pane: PaneState) -> str:
    counted = tokens(pane)
    about = "" if counted.exact else "~"
    if counted.input is None:
        return f"{about}{counted.output} tok"
    return f"{counted.input}→{about}{counted.output} tok"


def _preparations(pane: PaneState) -> list[_Part]:
    """What there is to say before the first token: why it is tried again, and by which way."""
    if pane.phase == "retry" and pane.retry_error is not None:
        words = safe_line(pane.retry_error.message, limit=_NAME_LIMIT)
        return [_Part(words, phase_role("retry"), 2)]
    if pane.phase == "queued" and pane.queue_reason:
        words = safe_line(pane.queue_reason, limit=_NAME_LIMIT)
        return [_Part(words, phase_role("queued"), 2)]
    if pane.phase in {"connecting", "waiting"}:
        parts = [_Part(safe_line(pane.route, limit=_NAME_LIMIT), "muted", 1)]
        if pane.keep_alive:
            parts.append(_Part(safe_line(pane.keep_alive, limit=40), "muted", 2))
        return [part for part in parts if part.text]
    return []
