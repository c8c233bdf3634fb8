"""A run of the history in words: its row in the list, and what is shown of the marked one.

Pure: no Textual, no clock. Everything that comes back is safe to draw.
"""

import re
import time
from collections.abc import Iterator, Sequence

from streamtui.engine.reports import RunSummary
from streamtui.safe_text import safe_line
from streamtui.ui.border_text import clock, phase_role
from streamtui.ui.pane_state import GLYPHS, Phase
from streamtui.ui.rows import drawable
from streamtui.ui.words import GAP, Words, fitted, row_of, ruled, shorten, width_of

_PHASES: dict[str, Phase] = {
    "queued": "queued",
    "streaming": "streaming",
    "done": "done",
    "cut off": "cut off",
    "interrupted": "cut off",
    "failed": "failed",
    "cancelled": "cancelled",
}
_LIMIT = 200
_FOUND = "warning bold reverse"
_NARROW = 100
"""Cells of a row below which the names leave more room to the prompt."""
_NAME_CELLS = (20, 34)


def rows_of(
    runs: Sequence[RunSummary], words: Sequence[str], now: float, width: int
) -> list[Words]:
    """One row for each run, exactly as wide as that; `now` in seconds since the epoch."""
    cells = [_cells_of(run, words, now) for run in runs]
    if not cells:
        return []
    most = width, width, _NAME_CELLS[width >= _NARROW]
    widths = [
        min(max(width_of(row[column]) for row in cells), limit) for column, limit in enumerate(most)
    ]
    widths.append(max(0, width - sum(widths) - GAP * len(widths)))
    return [fitted(row_of(row, widths), width) for row in cells]


def rule_of(run: RunSummary, now: float, width: int) -> Words:
    """A line with whom it was, when, how it went and how long its answer is."""
    facts = (_moment(run.started, now), _state_words(run), length_words(run))
    return ruled(whom(run), " · ".join(filter(None, facts)) + " ", width)


def texts_of(
    run: RunSummary, words: Sequence[str], prompt_cells: int
) -> Iterator[tuple[str, Words]]:
    """Prompt and answer around what was found, each with its label, the answer line by line.

    The prompt takes no more than so many cells; it must not hide what was found in the answer.
    """
    prompt = shorten(drawable(safe_line(run.prompt)), prompt_cells)
    yield "asked", highlighted(prompt, words, "prompt-text")
    lines = [line for line in drawable(run.answer).split("\n") if line.strip()]
    for number, line in enumerate(lines):
        yield ("" if number else "answer"), highlighted(line, words, "foreground")


def highlighted(text: str, words: Sequence[str], role: str) -> Words:
    """A text, the words that were looked for set off from the rest."""
    if not words:
        return [(text, role)]
    pattern = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    pieces = re.split(f"({pattern})", text, flags=re.IGNORECASE)
    return [(piece, _FOUND if place % 2 else role) for place, piece in enumerate(pieces) if piece]


def whom(run: RunSummary) -> str:
    """Endpoint and model, the model without the endpoint's name where it only repeats it."""
    model = run.model.removeprefix(f"{run.endpoint}/")
    return safe_line(f"{run.endpoint} {model}".strip(), _LIMIT) or "nobody yet"


def when(moment: float, now: float) -> str:
    """The time of day for today, else the date."""
    return _at(moment, "%H:%M") if _is_today(moment, now) else _day(moment, now)


def length_words(run: RunSummary) -> str:
    """How long the answer is; empty while nobody has counted it."""
    if not run.answer_chars:
        return ""
    return f"{run.answer_chars:,} character{'' if run.answer_chars == 1 else 's'}"


def _cells_of(run: RunSummary, words: Sequence[str], now: float) -> list[Words]:
    phase = _PHASES.get(run.state, "idle")
    state = f"{GLYPHS[phase]} {safe_line(run.state, _LIMIT)}"
    return [
        [(when(run.started, now), "log-time")],
        [(state, phase_role(phase))],
        [(whom(run), "foreground bold")],
        highlighted(safe_line(run.prompt), words, "foreground"),
    ]


def _state_words(run: RunSummary) -> str:
    state = safe_line(run.state, _LIMIT)
    if run.state != "done" or run.ended is None:
        return state
    return f"{state} in {clock(run.ended - run.started)}"


def _moment(moment: float, now: float) -> str:
    day = "today" if _is_today(moment, now) else _day(moment, now)
    return f"{day} {_at(moment, '%H:%M:%S')}"


def _day(moment: float, now: float) -> str:
    this_year = time.localtime(moment).tm_year == time.localtime(now).tm_year
    return _at(moment, "%d %b" if this_year else "%Y-%m-%d")


def _is_today(moment: float, now: float) -> bool:
    return time.localtime(moment)[:3] == time.localtime(now)[:3]


def _at(moment: float, form: str) -> str:
    return time.strftime(form, time.localtime(moment))
