"""The desk as it outlives its console: read, put back, and saved whenever it has changed."""

import asyncio
import contextlib
from typing import TYPE_CHECKING

from streamtui.engine.doors import SaveWorkspace
from streamtui.engine.reports import Done
from streamtui.errors import RunError
from streamtui.ui.desk import LAYOUTS, Target
from streamtui.ui.pane_state import Tag
from streamtui.ui.workspace import KeptPane, Workspace, newest_prompts, to_bytes

if TYPE_CHECKING:
    from streamtui.ui.app import StreamTUIApp

WORKSPACE = "default"
SAVE_SECONDS = 1.0
LAST_SAVE_SECONDS = 2.0
"""How long a console that ends waits for an engine that does not answer."""
NOT_CONFIGURED = Tag("not configured", "✗ conf", "state-failed bold")
"""Of panes that are kept although nobody can be asked in them."""


class Keeper:
    """Knows what of the desk is kept. Nothing is, until `may_save` is set."""

    def __init__(self, app: "StreamTUIApp") -> None:
        self._app = app
        self._saved: Workspace | None = None
        self._saving = asyncio.Lock()
        self.may_save = False
        """All that was kept before has been brought back, so that it may be replaced."""

    async def save(self) -> None:
        """Keep what is shown, if it has changed; not while the engine still keeps what was."""
        if not self._saving.locked():
            await self._save()

    async def save_at_last(self) -> None:
        """The same, for a console that ends: it cannot wait for long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_SAVE_SECONDS):
                await self._save()

    async def _save(self) -> None:
        async with self._saving:
            if not self.may_save or self._app.config.history == "off":
                return
            workspace = self._workspace()
            if workspace == self._saved:
                return
            with contextlib.suppress(RunError):
                await self._app.doors.find(SaveWorkspace(WORKSPACE, to_bytes(workspace)), Done)
                self._saved = workspace

    def forget(self) -> None:
        """Whoever has kept it may be gone: it is to be kept again."""
        self._saved = None

    def put_back(self, kept: Workspace) -> None:
        """Everything but the panes themselves; what is typed already stays where it is."""
        app, desk = self._app, self._app.desk
        marked = {pane.session_id for pane in kept.panes if pane.marked}
        desk.marked = marked.intersection(desk.order) - desk.silent
        desk.layout = kept.layout if kept.layout in LAYOUTS else desk.layout
        desk.zoomed = kept.zoomed and len(desk.order) > 1
        if kept.target in set(Target) and (kept.target != Target.MARKED or desk.marked):
            desk.target = Target(kept.target)
        if kept.current in desk.order:
            desk.current = kept.current
        self._put_back_texts(kept)
        for pane in kept.panes:
            if pane.scroll is not None and pane.session_id in desk.order:
                app.main.grid.panes[pane.session_id].transcript.return_to(pane.scroll)
        app.main.log_box.display = app.main.log_box.display or kept.show_events
        app.main.desk_changed()
        if not app.main.typing:
            app.main.focus_pane()

    def _put_back_texts(self, kept: Workspace) -> None:
        main, desk = self._app.main, self._app.desk
        history = main.prompt.history_of_prompts
        for prompt in kept.prompts:
            history.add(prompt)
        for pane in kept.panes:
            if pane.draft and pane.session_id in desk.order and pane.session_id != desk.current:
                main.drafts[pane.session_id] = pane.draft
            else:
                history.add(pane.draft)
        if main.prompt.text:
            history.add(kept.draft)
        elif kept.draft:
            main.prompt.put(kept.draft)
        main.show_drafts()

    def _workspace(self) -> Workspace:
        app, desk = self._app, self._app.desk
        prompt = app.main.prompt
        history = prompt.history_of_prompts
        private = prompt.private or history.is_private(prompt.text)
        return Workspace(
            panes=tuple(map(self._kept_pane, filter(self._is_kept, desk.order))),
            current=desk.current if self._is_kept(desk.current) else "",
            layout=desk.layout,
            zoomed=desk.zoomed,
            target=str(desk.target),
            draft="" if private else prompt.text,
            prompts=newest_prompts(history.prompts),
            show_events=app.main.log_box.display,
        )

    def _is_kept(self, session_id: str) -> bool:
        """A private session is nobody's business, and a replay is no session."""
        state = self._app.state.panes.get(session_id)
        if state is None or state.private:
            return False
        return not state.silent or state.tag is NOT_CONFIGURED

    def _kept_pane(self, session_id: str) -> KeptPane:
        state = self._app.state.panes[session_id]
        endpoint = self._app.panes.endpoints.get(session_id)
        said = [turn.run_id for turn in state.turns if not turn.superseded]
        return KeptPane(
            session_id,
            endpoint.name if endpoint else state.endpoint,
            endpoint.model if endpoint else state.model,
            marked=session_id in self._app.desk.marked,
            draft=self._app.main.drafts.get(session_id, ""),
            scroll=self._app.main.grid.panes[session_id].transcript.bookmark,
            last_run=said[-1] if said else "",
        )
