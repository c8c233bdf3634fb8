"""One session on screen: a transcript in a border that says how it goes, and what waits its turn.

Shows what `state` knows; never talks to the engine.
"""

from collections.abc import Iterable

from textual.app import ComposeResult
from textual.content import Content
from textual.geometry import Size
from textual.strip import Strip
from textual.widgets import Static

from streamtui.safe_text import safe_line
from streamtui.ui.box import FOCUS_ROLE, Box, Line
from streamtui.ui.clock import STEADY_SECONDS, UNHURRIED_SECONDS, Clock
from streamtui.ui.paint import Painted
from streamtui.ui.pane_state import model_name
from streamtui.ui.state import PaneState, border_subtitle, border_title
from streamtui.ui.transcript import Transcript
from streamtui.ui.words import Words, shorten, width_of

MOST_QUEUED_ROWS = 3
ROOMY = 9
"""Rows of a pane in which several may show what is queued."""
NOTHING_ASKED = "Nothing asked yet."
MARK = "◆ "
MOST_TERM_CELLS = 16


class QueuedPrompts(Painted):
    """The prompts that wait for this session's answer to end, each on one row."""

    DEFAULT_CSS = """
    QueuedPrompts {
        height: auto;
        width: 1fr;
        display: none;
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._prompts: list[str] = []
        self._most_rows = MOST_QUEUED_ROWS

    def show(self, prompts: Iterable[str]) -> None:
        """Show these prompts; hidden when there are none."""
        prompts = list(prompts)
        if prompts != self._prompts:
            rows = self._rows
            self._prompts = prompts
            self.display = bool(prompts)
            self.refresh(layout=rows != self._rows)

    def limit(self, rows: int) -> None:
        """Take no more rows than that: the answer needs the rest."""
        if rows != self._most_rows:
            self._most_rows = rows
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        """As many rows as there are prompts, up to the limit."""
        return self._rows

    def render_line(self, y: int) -> Strip:
        """`≡ queued 2: the first prompt`, and the others under it."""
        width = self.size.width
        head = f"≡ queued {len(self._prompts)}: "
        hidden = len(self._prompts) - self._rows
        if y and y == self._rows - 1 and hidden:
            text = f"and {hidden + 1} more"
        else:
            text = safe_line(self._prompts[y], limit=400) if y < len(self._prompts) else ""
        room = max(width - len(head), 0)
        lead = head if y == 0 else " " * len(head)
        return self.paint([(lead, "state-queued"), (shorten(text, room), "prompt-text")], width)

    @property
    def _rows(self) -> int:
        return min(len(self._prompts), self._most_rows)


def found_words(transcript: Transcript) -> str:
    """` /water 3 of 17 `: what is looked for, and how often it is there."""
    term = shorten(safe_line(transcript.searched, limit=80), MOST_TERM_CELLS)
    found = transcript.found
    if found is None or (found.complete and not found.total):
        return f" /{term} is not there "
    more = "" if found.complete else "…"
    return f" /{term} {found.current} of {found.total}{more} "


class Pane(Box, can_focus=True):
    """A session's transcript, framed. The pane has the focus, its transcript never does."""

    def __init__(self, state: PaneState, clock: Clock) -> None:
        super().__init__()
        self.state = state
        self._clock = clock
        self.number = 0
        self.addressed = ""
        """The role of the prompt's target while the prompt speaks to this pane; else empty."""
        self.marked = False
        self.has_draft = False
        self.transcript = Transcript(state)
        self.transcript.can_focus = False
        self.queued = QueuedPrompts()
        self.nothing_asked = Static(Content(NOTHING_ASKED), classes="nothing-asked")
        self._shown_revision = -1
        self._border_shown: tuple[str, float] = ("", float("-inf"))

    def compose(self) -> ComposeResult:
        """The transcript, and under it what is queued."""
        yield self.nothing_asked
        yield self.transcript
        yield self.queued

    def on_transcript_position_changed(self) -> None:
        """The border tells where the view stands."""
        self.update_border(self._clock.mono())

    def update(self, now: float) -> None:
        """Show what changed since the last call."""
        if self.state.revision != self._shown_revision and self.display:
            self._shown_revision = self.state.revision
            self.transcript.update()
            self._show_whether_asked()
            self.queued.show(queued.prompt for queued in self.state.queued)
        self.let_time_pass(now)

    def let_time_pass(self, now: float) -> None:
        """Move ages, countdowns and figures, as often as somebody reads them."""
        if not self.display:
            return
        phase, at = self._border_shown
        pause = STEADY_SECONDS if self.has_class("-current") else UNHURRIED_SECONDS
        if phase != self.state.phase or now - at >= pause:
            self.update_border(now)

    def on_mount(self) -> None:
        """A conversation that is opened again is there at once."""
        self._show_whether_asked()

    def _show_whether_asked(self) -> None:
        asked = bool(self.state.turns)
        if self.transcript.display != asked or self.nothing_asked.display == asked:
            self.transcript.display = asked
            self.nothing_asked.display = not asked
            self.call_after_refresh(self.fit)

    def update_border(self, now: float) -> None:
        """Bring the border's words up to date: ages and countdowns move without any event."""
        self._border_shown = (self.state.phase, now)
        self.set_top(self._title(now))
        self._draw_bottom(now)

    def set_current(self, *, current: bool) -> None:
        """Whether this is the pane that `this` means."""
        self.border_role = FOCUS_ROLE if current else "pane-border"
        self.set_class(current, "-current")

    def on_resize(self) -> None:
        """The words have another room."""
        self.fit()

    def fit(self) -> None:
        """Use the room that there is.

        Textual does not tell new widgets of it where anybody has asked for any size between their
        mounting and their layout.
        """
        self.transcript.fit()
        self.queued.limit(MOST_QUEUED_ROWS if self.size.height >= ROOMY else 1)
        # While nobody saw it, nothing was laid out.
        now = self._clock.mono()
        self.update(now)
        self.update_border(now)

    def _title(self, now: float) -> Line:
        mark = [(MARK, "target-marked")] if self.marked else []
        position = [] if self.framed else self._position()
        room = self.line_width - width_of([*mark, *position])
        text = border_title(self.state, self.number, now, room, with_rate=not self.framed)
        number, *rest = text.left
        if self.addressed:
            number = (number[0], f"{self.addressed} bold")
        return [number, *mark, *rest], [*position, *text.right]

    @property
    def name_on_tab(self) -> str:
        """Endpoint and model, safe to draw."""
        return safe_line(f"{self.state.endpoint} {model_name(self.state)}".strip(), limit=200)

    def _draw_bottom(self, now: float) -> None:
        if not self.framed:
            return
        position = self._position()
        room = self.line_width - width_of(position)
        self.set_bottom((border_subtitle(self.state, now, room).left, position))

    def _position(self) -> Words:
        """Where the view stands when it does not follow, and whether a draft waits here."""
        words: Words = []
        if self.has_draft:
            words.append((" ✎ draft " if self.framed else " ✎", "prompt-text"))
        if self.transcript.searched:
            words.append((found_words(self.transcript), "target-marked"))
        elif not self.transcript.following:
            new = self.transcript.new_lines
            long = f" ↓ {new} new " if new else " ↓ more "
            words.append((long if self.framed else f" ↓{new or ''}", "target-marked"))
        return words
