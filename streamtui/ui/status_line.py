"""The two lines around the console: how everything goes, above; which keys do what, below."""

import time

from textual.strip import Strip

from streamtui.ui.border_text import money
from streamtui.ui.clock import Clock
from streamtui.ui.commands import hints_for
from streamtui.ui.paint import Painted
from streamtui.ui.state import AppState, failed_count, live_count, total_cost, total_rate
from streamtui.ui.words import Words, width_of

GAP = 3
SEPARATOR = (" · ", "muted")


class Line(Painted):
    """One row of words, drawn again only when they change."""

    DEFAULT_CSS = """
    Line {
        height: 1;
        width: 1fr;
    }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._words: Words = []

    def show(self, words: Words) -> None:
        """Draw these words."""
        if words != self._words:
            self._words = words
            self.refresh()

    def render_line(self, y: int) -> Strip:  # noqa: ARG002
        """The words, cut at the line's end."""
        return self.paint(self._words, self.size.width)


def summary_groups(
    state: AppState, panes: int, clock: Clock, *, host: str, layout: str, written: float = 0.0
) -> list[Words]:
    """What the top line says: program, panes, figures, place and time.

    `written` is how many bytes a second go to the terminal.
    """
    # What was asked before there was a screen may stream before it has a pane.
    live, failed = (live_count(state), failed_count(state)) if panes else (0, 0)
    counts = [(f"{panes} pane{'' if panes == 1 else 's'}", "foreground")]
    if live:
        counts.append((f"{live} live", "state-streaming"))
    if failed:
        counts.append((f"{failed} failed", "state-failed"))
    figures = [(f"{total_rate(state, clock.mono()):.0f} tok/s", "foreground")] if live else []
    if cost := total_cost(state):
        figures.append((money(cost), "muted"))
    if live and written:
        figures.append((f"{written / 1024:.0f} KiB/s", "muted"))
    at = time.strftime("%H:%M", time.localtime(clock.wall()))
    name = [("streamtui", "primary bold"), (layout or "default", "muted")]
    if state.not_saved_since is not None:
        since = time.strftime("%H:%M", time.localtime(state.not_saved_since))
        name.append((f"NOT SAVED since {since}", "state-failed bold"))
    if state.engine_gone:
        name.append(("NO ENGINE", "state-failed bold"))
    place = [(host, "muted"), (at, "muted")] if host else [(at, "muted")]
    return [joined(name), joined(counts), joined(figures), joined(place)]


def joined(parts: list[tuple[str, str]]) -> Words:
    """Parts with a dot between them."""
    words: Words = []
    for part in parts:
        words += [SEPARATOR, part] if words else [part]
    return words


def status_words(groups: list[Words], width: int) -> Words:
    """Groups spread over a line: the first at the left, the last at the right, others between.

    Where room runs short the groups in the middle go first, the last of them to begin with.
    """
    groups = [group for group in groups if group]
    while len(groups) > 2 and _needed(groups) > width:
        groups.pop(-2)
    if len(groups) > 1 and _needed(groups) > width:
        groups.pop()
    return _spread(groups, width)


def hint_words(state: str, width: int) -> Words:
    """` enter send · ctrl+j newline · … · F1 help`: as many as fit, the last one always."""
    pieces = [[(key, "foreground"), (f" {label}", "muted")] for key, label in hints_for(state)]
    while len(pieces) > 1 and _hint_width(pieces) > width:
        pieces.pop(-2)
    words: Words = [(" ", "muted")]
    for place, piece in enumerate(pieces):
        words += [SEPARATOR, *piece] if place else piece
    return words


def _hint_width(pieces: list[Words]) -> int:
    return sum(width_of(piece) for piece in pieces) + 3 * (len(pieces) - 1) + 2


def _needed(groups: list[Words]) -> int:
    return sum(width_of(group) for group in groups) + GAP * (len(groups) - 1) + 2


def _spread(groups: list[Words], width: int) -> Words:
    if not groups:
        return []
    spare = width - 2 - sum(width_of(group) for group in groups)
    gaps = max(len(groups) - 1, 1)
    words: Words = [(" ", "muted"), *groups[0]]
    for place, group in enumerate(groups[1:]):
        gap = spare // gaps + (1 if place < spare % gaps else 0)
        words += [(" " * gap, "muted"), *group]
    return words
