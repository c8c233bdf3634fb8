"""The main screen: status, panes, event log, prompt and key hints, and where the focus is.

Shows; what keys do is in the `*_actions` modules.
"""

from collections import deque
from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen
from textual.widgets import TextArea

from streamtui.events import Chunk, Event
from streamtui.ui.clock import STEADY_SECONDS, Clock
from streamtui.ui.commands import Where, bindings_for
from streamtui.ui.desk import Desk, Target
from streamtui.ui.event_log import CAPACITY
from streamtui.ui.grid import Grid
from streamtui.ui.line_speed import LineSpeed
from streamtui.ui.log_box import LogBox
from streamtui.ui.pane import Pane
from streamtui.ui.prompt_bar import Prompt, PromptBar
from streamtui.ui.replay_pane import ReplayPane
from streamtui.ui.state import AppState, is_live, live_count
from streamtui.ui.status_line import Line, hint_words, joined, status_words, summary_groups
from streamtui.ui.turns import Turns
from streamtui.ui.words import Words

ROOMY = 36
"""Rows of a screen on which the event log may have more than a few."""
MOST_LOG_ROWS = 16
_LOG = ""
"""Stands for the event log where panes stand for their sessions."""


class Console(Screen[None], inherit_bindings=False):
    """Everything but questions and lists."""

    # Those of a search come first: without one they are passed over.
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings_for(Where.SEARCH),
        *bindings_for(Where.CONSOLE),
    ]
    AUTO_FOCUS = None

    def __init__(self, state: AppState, desk: Desk, clock: Clock, *, host: str) -> None:
        super().__init__(id="console")
        self.state = state
        self.desk = desk
        self.clock = clock
        self._host = host
        self.status = Line(id="status")
        self.grid = Grid(desk, clock)
        self.log_box = LogBox()
        self.prompt_bar = PromptBar()
        self.hints = Line(id="hints")
        self.drafts: dict[str, str] = {}
        """What was typed to a pane before another one became the current one, by session."""
        self.typing = True
        """Letters are text, not commands. Stays as it is while the terminal has no focus."""
        self._lines_drawn = float("-inf")
        self.behind: set[str] = set()
        """Sessions with news that their panes do not show yet."""
        self.line = LineSpeed()
        self._turns = Turns()
        self._not_logged: deque[Event] = deque(maxlen=CAPACITY)

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield self.status
        yield self.grid
        yield self.log_box
        yield self.prompt_bar
        yield self.hints

    @property
    def prompt(self) -> Prompt:
        """Where one types."""
        return self.prompt_bar.prompt

    def show_events(self, new: Sequence[Event], touched: set[str]) -> None:
        """One frame: what these events changed, and what time alone moves in live panes."""
        now = self.clock.mono()
        self.behind |= touched
        self._not_logged += new
        self._draw_some(new, now)
        steady = all(isinstance(event.body, Chunk) for event in new)
        if not steady or now - self._lines_drawn >= STEADY_SECONDS:
            self._lines_drawn = now
            self.update_lines()

    def _draw_some(self, new: Sequence[Event], now: float) -> None:
        """Those with news, in turns where they are many or the line is slow: each frame then stays
        short, and what is typed is seen at once."""
        self.behind &= self.grid.panes.keys()
        room = self.line.room()
        chosen = self._turns.choose(
            [*self.grid.panes, _LOG],
            {*self.behind, _LOG} if self._may_log else self.behind,
            current=self.desk.current,
            at_once=[_LOG, *(each.session_id for each in new if not isinstance(each.body, Chunk))],
            room=room,
            written=self.line.written,
        )
        for session_id, pane in self.grid.panes.items():
            if session_id in chosen:
                self.behind.discard(session_id)
                pane.update(now)
            elif is_live(pane.state) and room > 0:
                pane.let_time_pass(now)
        if _LOG in chosen:
            self.log_box.append(list(self._not_logged), self.desk.numbers().get)
            self._not_logged.clear()

    @property
    def _may_log(self) -> bool:
        """The log names panes by their numbers: it waits until those of the beginning are there."""
        return bool(self._not_logged) and self.grid.has_begun

    @property
    def is_behind(self) -> bool:
        """Whether something came that is not shown yet."""
        return bool(self.behind or self._not_logged)

    def update_lines(self) -> None:
        """Bring status, tabs, prompt border and hints up to date."""
        self.grid.update_tabs()
        self.update_status()
        self._update_prompt_bar()
        self.hints.show(hint_words(self._hint_state(), self.size.width))

    def update_status(self) -> None:
        """The top line."""
        groups = summary_groups(
            self.state,
            len(self.desk.order),
            self.clock,
            host=self._host,
            layout=self._layout(),
            written=self.line.bytes_per_second(),
        )
        self.status.show(status_words(groups, self.size.width))

    def desk_changed(self) -> None:
        """Panes were opened, closed, marked, moved to or laid out differently."""
        self.grid.arrange_again()
        self._address_panes()
        now = self.clock.mono()
        for pane in self.grid.panes.values():
            pane.update_border(now)
        self.update_lines()

    def go_to(self, session_id: str) -> None:
        """Make a pane the current one; a draft for the one before waits there."""
        if session_id != self.desk.current and session_id in self.grid.panes:
            self._swap_draft(session_id)
            self.desk.current = session_id
            self.desk_changed()
        if not self.typing:
            self.focus_pane()

    def focus_pane(self) -> None:
        """Letters are commands from now on."""
        if self.grid.current is not None:
            self.typing = False
            self.set_focus(self.grid.current, scroll_visible=False)

    def focus_prompt(self) -> None:
        """Letters are text from now on."""
        self.typing = True
        self.set_focus(self.prompt, scroll_visible=False)

    def on_mount(self) -> None:
        """One can type at once."""
        self.focus_prompt()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """A pane that gets the focus, by a click too, is the current one."""
        if event.widget is not self.focused:
            return  # The focus has gone on since.
        self.typing = event.widget is self.prompt
        self.prompt_bar.show_focus(typing=self.typing)
        if isinstance(event.widget, Pane):
            self.go_to(event.widget.state.session_id)
        self.update_lines()

    def on_grid_named(self, message: Grid.Named) -> None:
        """A pane is the current one, wherever it is clicked."""
        message.stop()
        self.go_to(message.session_id)

    def on_text_area_changed(self, message: TextArea.Changed) -> None:
        """The border counts lines."""
        message.stop()
        self._update_prompt_bar()

    def on_screen_suspend(self) -> None:
        """A dialog lies over it, shows the toasts and has the cursor."""
        self.add_class("-covered")
        self.prompt_bar.show_cover(covered=True)

    def on_screen_resume(self) -> None:
        """Nothing lies over it."""
        self.remove_class("-covered")
        self.prompt_bar.show_cover(covered=False)

    def on_paste(self, event: events.Paste) -> None:
        """What is pasted while a pane has the focus is text, not a row of commands."""
        self.focus_prompt()
        self.prompt.insert_text(event.text)

    def on_resize(self, event: events.Resize) -> None:
        """All lines have another room."""
        self.log_box.styles.height = log_rows(event.size.height)
        self.update_lines()

    def show_waiting_draft(self) -> None:
        """The prompt speaks to another pane now; what was typed to that one comes back."""
        if self.desk.target is Target.THIS and not self.prompt.text:
            self._take_up_draft(self.desk.current)

    def _swap_draft(self, session_id: str) -> None:
        """While the prompt speaks to one pane, what is typed belongs to that pane."""
        if self.desk.target is not Target.THIS:
            return
        if self.desk.current:
            # A draft that waited there while the prompt spoke to others is not lost.
            waiting = self.drafts.get(self.desk.current, "")
            private = self.state.panes[self.desk.current].private
            self.prompt.history_of_prompts.add(waiting, private=private)
            self.drafts[self.desk.current] = self.prompt.text
        self._take_up_draft(session_id)

    def _take_up_draft(self, session_id: str) -> None:
        self.prompt.put(self.drafts.pop(session_id, ""))
        self.show_drafts()

    def show_drafts(self) -> None:
        """Panes for which something was typed say so."""
        for pane in self.grid.panes.values():
            pane.has_draft = bool(self.drafts.get(pane.state.session_id, "").strip())

    def _address_panes(self) -> None:
        addressed = set(self.desk.targets())
        role = f"target-{self.desk.target}"
        for session_id, pane in self.grid.panes.items():
            pane.addressed = role if session_id in addressed else ""

    def _update_prompt_bar(self) -> None:
        notes: Words = []
        rows = self.prompt.document.line_count
        if rows > 1:
            notes.append((f"{rows} lines", "muted"))
        targets = [self.state.panes[name] for name in self.desk.targets()]
        self.prompt.private = bool(targets) and all(target.private for target in targets)
        if self.prompt.text and any(map(is_live, targets)):
            notes.append(("will be queued", "state-queued"))
        if notes:
            notes = [(" ", "muted"), *joined(notes), (" ", "muted")]
        self.prompt_bar.show_target(self.desk.target_words(), self.desk.target, notes)

    def _hint_state(self) -> str:
        current = self.grid.current
        live = "-live" if current is not None and is_live(current.state) else ""
        if self.typing:
            return f"typing{live}"
        if self.log_box.has_focus_within:
            return "log"
        if current is not None and current.transcript.searched:
            return "search"
        if isinstance(current, ReplayPane):
            return "replay"
        return f"panes{live}"

    def _layout(self) -> str:
        if self.desk.zoomed:
            return "zoom"
        return "tabs" if len(self.desk.order) > 1 and self.grid.tabbed else self.desk.layout

    @property
    def live(self) -> int:
        """How many sessions have something under way."""
        return live_count(self.state)


def log_rows(screen_rows: int) -> int:
    """How many rows the event log takes, its border among them."""
    return min(screen_rows // 4, MOST_LOG_ROWS) if screen_rows >= ROOMY else 5
