"""What keys do to runs: send, cancel, ask again, edit and fork."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from streamtui.safe_text import safe_line
from streamtui.ui.desk import Target
from streamtui.ui.pane import Pane
from streamtui.ui.replay_pane import ReplayPane
from streamtui.ui.state import is_live

if TYPE_CHECKING:
    from streamtui.ui.app import StreamTUIApp

TWICE_SECONDS = 1.5
"""A second ctrl+c within that asks to quit."""


class RunActions:
    """Commands to the engine; what comes of them arrives as events."""

    def __init__(self, app: "StreamTUIApp") -> None:
        self._app = app
        self._screen = app.main
        self._desk = app.desk
        self._interrupted_at = float("-inf")

    def send(self) -> None:
        """Send the prompt to whom its border names. Where it cannot go, it stays in the bar."""
        prompt = self._screen.prompt
        if not prompt.text.strip():
            return
        targets = self._desk.targets()
        if words := self._why_not(targets):
            self._app.notice(f"{words} The prompt was not sent.", severity="warning")
            return
        self.send_to(targets, prompt.take())

    def _why_not(self, targets: Sequence[str]) -> str:
        """Why nothing can be sent, as a sentence; empty when it can."""
        if self._app.state.engine_gone:
            return "There is no engine: tab, then r, looks for one."
        if targets:
            return ""
        if self._desk.target is Target.MARKED:
            return "No pane is marked: space marks one."
        pane = self._screen.grid.current
        return pane.state.silent if pane is not None else "No pane is open."

    def send_to(self, session_ids: Sequence[str], prompt: str) -> None:
        """Send a text to sessions; they show their answers from the end again."""
        for session_id in session_ids:
            self._app.doors.send(session_id, prompt)
            self._screen.grid.panes[session_id].transcript.follow()

    def cancel(self, key: str = "") -> None:
        """Cancel the current pane's run; where there is none, take the toasts away.

        By ctrl+c, twice in a row, ask to quit.
        """
        if key == "ctrl+c" and self._second_time():
            self._app.ask_to_quit()
            return
        pane = self._screen.grid.current
        if pane is not None and is_live(pane.state) and not pane.state.silent:
            self._app.doors.cancel(pane.state.session_id)
        elif key == "ctrl+c":
            self._empty_prompt()
        else:
            self._app.clear_notifications()

    def cancel_all(self) -> None:
        """Cancel all runs of all panes, queued prompts too."""
        history = self._screen.prompt.history_of_prompts
        for pane in self._screen.grid.in_order:
            for queued in pane.state.queued:
                history.add(queued.prompt, private=pane.state.private)
        self._app.doors.cancel_all()

    async def retry(self) -> None:
        """Ask the current pane's last prompt again; without an engine, look for one again."""
        if self._app.state.engine_gone:
            self._app.attachment.attach_again()
            return
        pane = self._idle_pane_with_turns()
        if pane is None:
            return
        last = pane.state.turns[-1]
        if pane.state.can_repeat:
            self._app.doors.retry(pane.state.session_id)
            return
        if pane.state.session_id not in self._app.panes.endpoints:
            self._app.notice(not_configured(pane.state.endpoint), severity="warning")
            return
        if not self._app.texts.is_whole(pane.state, self.retry):
            return
        # Reopened, and nothing asked since: the engine has messages here, no turn to repeat.
        session_id = await self._app.panes.start_over(pane.state.session_id)
        self._app.doors.send(session_id, last.prompt)

    async def edit(self) -> None:
        """Fork the current pane before its last prompt, and put that prompt into the bar."""
        pane = self._screen.grid.current
        if isinstance(pane, ReplayPane):
            self._app.history.fork_replay(pane.run_id)
            return
        if pane is None or not pane.state.turns:
            self._app.notice("Nothing was asked here yet.")
            return
        session_id = pane.state.session_id
        if session_id not in self._app.panes.endpoints:
            self._app.notice(not_configured(pane.state.endpoint), severity="warning")
            return
        if self._app.texts.is_whole(pane.state, self.edit):
            self.change_prompt(await self._app.panes.fork(session_id))

    def change_prompt(self, prompt: str) -> None:
        """Put a prompt into the bar, to be changed and sent to the current pane alone."""
        self._screen.prompt.take()
        self._desk.target = Target.THIS
        self._screen.desk_changed()
        self._screen.prompt.put(prompt)
        self._screen.focus_prompt()

    def _idle_pane_with_turns(self) -> Pane | None:
        pane = self._screen.grid.current
        if pane is None or not pane.state.turns:
            self._app.notice("Nothing was asked here yet.")
            return None
        if pane.state.silent:
            self._app.notice(pane.state.silent)
            return None
        if is_live(pane.state):
            self._app.notice("This run is still going on: x cancels it.")
            return None
        return pane

    def _second_time(self) -> bool:
        before, self._interrupted_at = self._interrupted_at, self._screen.clock.mono()
        return self._interrupted_at - before < TWICE_SECONDS

    def _empty_prompt(self) -> None:
        if self._screen.typing and self._screen.prompt.text:
            self._screen.prompt.take()
            self._app.notice("The prompt is in the history: up brings it back.")
        else:
            self._app.notice("Press ctrl+c again to quit.")


def not_configured(name: str) -> str:
    """Why an endpoint cannot be asked, and what to do."""
    return f"{safe_line(name, 40) or 'Its endpoint'} is not configured here: F6 adds it."
