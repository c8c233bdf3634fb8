"""What keys do to the view: reading and copying, the event log, screens over the console."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from streamtui.errors import ConfigError
from streamtui.safe_text import safe_line
from streamtui.ui import editor
from streamtui.ui.asking import saying_if_late
from streamtui.ui.copying import CodePiece, answer_in, code_in, conversation
from streamtui.ui.pane import Pane
from streamtui.ui.screens.errors import Errors
from streamtui.ui.screens.event_detail import EventDetail
from streamtui.ui.screens.help import Help
from streamtui.ui.screens.palette import Palette

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streamtui.events import Event
    from streamtui.ui.app import StreamTUIApp
    from streamtui.ui.event_log import EventLog
    from streamtui.ui.pane_state import Turn
    from streamtui.ui.transcript import Transcript


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

    # Words that are looked for

    @property
    def is_searching(self) -> bool:
        """Whether a pane has the focus in which words are looked for."""
        pane = self._screen.focused
        return isinstance(pane, Pane) and bool(pane.transcript.searched)

    async def find(self) -> None:
        """Type what is looked for in this pane."""
        if self._pane is None or not self._pane.state.turns:
            self._app.notice("There is nothing to look through here.")
            return
        # Imported here: nobody looks for anything before the first frame.
        from streamtui.ui.search_field import SearchField

        pane = self._pane
        await SearchField(pane).open()
        self._with_all(pane, lambda _turns: None)

    def find_next(self) -> None:
        """The next place, round the end."""
        if self._pane:
            self._pane.transcript.find_next()

    def find_previous(self) -> None:
        """The place before, round the start."""
        if self._pane:
            self._pane.transcript.find_next(-1)

    def end_search(self) -> None:
        """Nothing is looked for any more."""
        if self._pane:
            self._pane.transcript.end_search()
            self._screen.update_lines()

    # Copying

    def _with_all(self, pane: Pane | None, use: "Callable[[list[Turn]], None]") -> None:
        """Do something with the turns of a pane once all their text is there."""
        turns = pane.state.turns if pane else []
        if pane is None or not any(turn.let_go for turn in turns):
            use(turns)
        else:
            # An engine may stand still: keys do not wait for it.
            self._app.run_worker(self._fetch(pane, use), group="copy", exclusive=True)

    async def _fetch(self, pane: Pane, use: "Callable[[list[Turn]], None]") -> None:
        with saying_if_late(self._app):
            await self._app.texts.make_whole(pane.state, pane.state.turns)
        use(pane.state.turns)

    def copy_answer(self) -> None:
        """The last answer of this pane, or the one that is read, as the model wrote it."""
        read = self._pane.transcript.turn_in_view if self._pane else None
        self._with_all(self._pane, lambda turns: self._copy(answer_in(turns, read), "answer"))

    def copy_code(self) -> None:
        """The code block in view, or one of a list; without its fences."""
        pane = self._pane
        self._with_all(pane, lambda turns: self._copy_code(pane, turns))

    def _copy_code(self, pane: Pane | None, turns: "list[Turn]") -> None:
        pieces = code_in(turns)
        seen = pane.transcript.answer_lines_in_view() if pane else {}
        in_view = [piece for piece in pieces if _is_seen(piece, seen)]
        if len(in_view) == 1 or len(pieces) <= 1:
            found = [piece.text for piece in in_view or pieces]
            self._copy(found[0] if found else "", "code block")
            return
        if pane is not self._pane:
            return  # somebody looks at another one by now, and must not get a list to choose from
        # Imported here: nobody copies anything before the first frame.
        from streamtui.ui.screens.code import CodeChooser

        def copy(index: str | None) -> None:
            if index is not None:
                self._copy(pieces[int(index)].text, "code block")

        self._app.push_screen(CodeChooser(pieces), copy)

    def copy_all(self) -> None:
        """The whole conversation of this pane."""
        self._with_all(self._pane, lambda turns: self._copy(conversation(turns), "conversation"))

    def _copy(self, text: str, what: str) -> None:
        if text:
            self._app.copy_everywhere(text, what)
        else:
            self._app.notice(f"There is no {what} to copy here.")


def _is_seen(piece: CodePiece, seen: "Mapping[int, set[int]]") -> bool:
    """Whether a row of some code is among the lines in view, by turn."""
    return not seen.get(piece.turn, set()).isdisjoint(range(piece.first_line, piece.last_line + 1))


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
