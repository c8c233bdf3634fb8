"""What keys do to the view: reading and copying, the event log, screens over the console."""

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING

from streamtui.errors import ConfigError
from streamtui.safe_text import safe_line
from streamtui.ui import editor
from streamtui.ui.pane import Pane
from streamtui.ui.screens.errors import Errors
from streamtui.ui.screens.event_detail import EventDetail
from streamtui.ui.screens.help import Help
from streamtui.ui.screens.palette import Palette

if TYPE_CHECKING:
    from streamtui.events import Event
    from streamtui.ui.app import StreamTUIApp
    from streamtui.ui.event_log import EventLog
    from streamtui.ui.transcript import Transcript

_FENCE = re.compile(
    r"^ {0,3}(`{3,}|~{3,})[^\n]*\n(.*?)(?:^ {0,3}\1[`~]*[ \t]*$|\Z)", re.MULTILINE | re.DOTALL
)


class ReadingActions:
    """Scrolling and copying, in the log while it has the focus, else in the current pane."""

    def __init__(self, app: "StreamTUIApp") -> None:
        self._app = app
        self._screen = app.main

    @property
    def _view(self) -> "EventLog | Transcript | None":
        if self._screen.log_box.has_focus_within:
            return self._screen.log_box.log_view
        return self._pane.transcript if self._pane else None

    @property
    def _pane(self) -> Pane | None:
        return self._screen.grid.current

    def page_up(self) -> None:
        """One page up."""
        if self._view:
            self._view.page_up()

    def page_down(self) -> None:
        """One page down."""
        if self._view:
            self._view.page_down()

    def row_up(self) -> None:
        """One row up."""
        if self._view:
            self._view.scroll_rows(-1)

    def row_down(self) -> None:
        """One row down."""
        if self._view:
            self._view.scroll_rows(1)

    def top(self) -> None:
        """The very beginning."""
        if self._view:
            self._view.scroll_home()

    def follow(self) -> None:
        """The newest line, and those to come."""
        if self._view:
            self._view.follow()

    def toggle_reasoning(self) -> None:
        """Unfold the reasoning of this pane, or fold it."""
        if self._pane:
            self._pane.transcript.toggle_reasoning()

    def copy_answer(self) -> None:
        """The last answer of this pane, as the model wrote it."""
        turns = self._pane.state.turns if self._pane else []
        self._copy(next((turn.text for turn in reversed(turns) if turn.text), ""), "answer")

    def copy_code(self) -> None:
        """The last code block of this pane, without its fences."""
        turns = self._pane.state.turns if self._pane else []
        blocks = [match[2] for turn in turns for match in _FENCE.finditer(turn.text)]
        self._copy(blocks[-1] if blocks else "", "code block")

    def copy_all(self) -> None:
        """The whole conversation of this pane."""
        turns = self._pane.state.turns if self._pane else []
        parts = [f"> {turn.prompt}\n\n{turn.text}" for turn in turns]
        self._copy("\n\n".join(parts), "conversation")

    def _copy(self, text: str, what: str) -> None:
        if text:
            self._app.copy_everywhere(text, what)
        else:
            self._app.notice(f"There is no {what} to copy here.")


class LogActions:
    """The event log: shown or not, filtered, paused, opened."""

    def __init__(self, app: "StreamTUIApp") -> None:
        self._app = app
        self._screen = app.main

    def toggle(self) -> None:
        """Show the log or hide it."""
        box = self._screen.log_box
        had_focus = box.has_focus_within
        box.display = not box.display
        box.update_border()
        if had_focus:
            self._screen.focus_pane()
        self._screen.update_lines()

    def filter(self) -> None:
        """Type a filter."""
        self._screen.log_box.ask_filter()

    def pause(self) -> None:
        """Hold the rows still, or let them move again."""
        log = self._screen.log_box.log_view
        log.paused = not log.paused
        self._screen.log_box.update_border()

    def open(self) -> None:
        """The event under the cursor."""
        self._screen.log_box.log_view.action_open()


class ProgramActions:
    """Screens over the console, themes, and the terminal itself."""

    def __init__(self, app: "StreamTUIApp") -> None:
        self._app = app
        self._screen = app.main

    def help(self) -> None:
        """All keys."""
        self._app.push_screen(Help())

    def errors(self) -> None:
        """All errors; the chosen one opens as JSON."""
        names = {
            pane.state.session_id: f"{pane.number} {pane.name_on_tab}"
            for pane in self._screen.grid.in_order
        }
        self._app.push_screen(Errors(self._app.errors, names), self._open_error)

    def palette(self) -> None:
        """A command, a pane or a theme by its name."""
        names = {pane.state.session_id: pane.name_on_tab for pane in self._screen.grid.in_order}
        self._app.push_screen(Palette(names, self._app.theme_names), self._do_chosen)

    def open_event(self, event: "Event") -> None:
        """One event as JSON."""
        copy = lambda text: self._app.copy_everywhere(text, "event")  # noqa: E731
        self._app.push_screen(EventDetail(event, copy))

    async def next_theme(self) -> None:
        """The next theme; it is remembered."""
        names = self._app.theme_names
        await self.use_theme(names[(names.index(self._app.theme) + 1) % len(names)])

    async def use_theme(self, name: str) -> None:
        """Change the colours, and keep that in the managed file."""
        self._app.theme = name
        if not self._app.config.managed_path:
            return
        # Imported here: nobody changes the theme before the first frame.
        from streamtui.config.managed import set_managed

        path = Path(self._app.config.managed_path)
        try:
            await asyncio.to_thread(set_managed, path, "defaults", "theme", name)
        except ConfigError as error:
            self._app.notice(safe_line(str(error)), title="Theme not kept", severity="warning")

    def redraw(self) -> None:
        """Write every cell again."""
        self._app.forget_terminal()
        self._app.screen.refresh()

    def edit_prompt(self) -> None:
        """The prompt in the user's own editor."""
        with self._app.suspend():
            text, problem = self._edited(self._screen.prompt.text)
        if problem:
            self._app.notice(problem, severity="warning")
        else:
            self._screen.prompt.put(text)
            self._screen.focus_prompt()
        self.redraw()

    def _edited(self, text: str) -> tuple[str, str]:
        # Textual does not come back from a suspension that an exception ends.
        try:
            return editor.edit(text), ""
        except editor.EditorError as error:
            return text, str(error)

    def suspend(self) -> None:
        """Back to the shell; `fg` returns."""
        self._app.action_suspend_process()

    def quit(self) -> None:
        """Leave; asks while something streams."""
        if self._screen.live:
            self._app.ask_to_quit()
        else:
            self._app.exit()

    def detach(self) -> None:
        """Leave, and let everything go on."""
        if not self._app.attachment.outlives_us:
            self._app.notice("This engine ends with its console: nothing could go on.")
            return
        self._app.keep_runs = True
        self._app.exit()

    def _open_error(self, seq: str | None) -> None:
        found = [event for event in self._app.errors if str(event.seq) == seq]
        if found:
            self.open_event(found[0])

    async def _do_chosen(self, choice: str | None) -> None:
        kind, _, value = (choice or "").partition(":")
        match kind:
            case "command":
                await self._app.action_command(value)
            case "pane":
                self._screen.go_to(value)
            case "theme":
                await self.use_theme(value)
