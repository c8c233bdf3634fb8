"""How a console joins an engine that may have been running for days, and what it does when it ends.

Brings back the panes of before, shows what other consoles open, and keeps what this one shows.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from streamtui.config import Endpoint
from streamtui.engine.doors import (
    Doors,
    GetSession,
    GetWorkspace,
    ListSessions,
    OpenSession,
    SaveWorkspace,
)
from streamtui.engine.reports import Done, SessionList, SessionRecord
from streamtui.engine.reports import Workspace as SavedWorkspace
from streamtui.errors import ConfigError, RunError
from streamtui.events import ErrorInfo, Event, Metrics, RunCutOff, SessionClosed, SessionOpened
from streamtui.safe_text import safe_line
from streamtui.ui.desk import LAYOUTS, Target
from streamtui.ui.state import PaneState, apply, is_live, messages, turns_of
from streamtui.ui.workspace import KeptPane, Workspace, from_bytes, to_bytes

if TYPE_CHECKING:
    from streamtui.ui.app import StreamTUIApp

WORKSPACE = "default"
SAVE_SECONDS = 1.0

ENGINE_LOST = ErrorInfo(
    kind="interrupted",
    message="interrupted: the engine ended while this answer came",
    hint="Ask again for the rest",
)

Reattach = Callable[[], Doors]
"""Another way to an engine; blocks, and raises RunError where there is none."""


class Attachment:
    """The console's part in sessions that outlive it."""

    def __init__(self, app: "StreamTUIApp", reattach: Reattach | None) -> None:
        self._app = app
        self._reattach = reattach
        self._saved = b""

    @property
    def outlives_us(self) -> bool:
        """Whether what runs can go on without this console."""
        return self._reattach is not None

    async def begin(
        self, opening: Sequence[Endpoint], *, restore: bool, fallback: Endpoint | None
    ) -> None:
        """Show what is open, what was open when a console was here last, and what is asked for.

        `fallback` is for a desk that would stay empty.
        """
        kept = await self._kept() if restore else None
        await self._adopt_open(kept)
        if kept is not None:
            await self._revive_all(kept)
        if fallback is not None and not (opening or self._app.desk.order):
            opening = [fallback]
        if opening:
            await self._app.panes.open_first(opening)
        if kept is not None:
            self._arrange(kept)

    def heed(self, event: Event) -> None:
        """Another console may have opened or closed a session."""
        known = event.session_id in self._app.desk.order
        match event.body:
            case SessionOpened() if not known:
                self._app.call_later(self._adopt, event.session_id)
            case SessionClosed() if known:
                self._app.call_later(self._let_go, event.session_id)

    async def save(self) -> None:
        """Keep what is shown, if it has changed."""
        desk = to_bytes(self._workspace())
        if desk == self._saved:
            return
        with contextlib.suppress(RunError):
            await self._app.doors.find(SaveWorkspace(WORKSPACE, desk), Done)
            self._saved = desk

    async def lost(self) -> None:
        """The engine ended. What came is kept on screen; another engine takes over."""
        self._interrupt_all()
        self._app.notice(
            "What streamed is interrupted, what came is kept. Starting another one …",
            title="The engine ended",
            severity="error",
        )
        if self._reattach is None:
            return
        try:
            doors = await asyncio.to_thread(self._reattach)
        except RunError as error:
            self._app.notice(
                f"{safe_line(error.message)}. What is on screen stays.",
                title="No engine",
                severity="error",
            )
            return
        self._app.use_doors(doors)
        for session_id in self._app.desk.order:
            self._open_again(session_id)
        self._app.notice("Conversations go on where they were.", title="Another engine runs")

    async def _kept(self) -> Workspace | None:
        with contextlib.suppress(RunError):
            saved = await self._app.doors.find(GetWorkspace(WORKSPACE), SavedWorkspace)
            return from_bytes(saved.desk) if saved is not None and saved.desk else None
        return None

    async def _adopt_open(self, kept: Workspace | None) -> None:
        try:
            found = await self._app.doors.find(ListSessions(), SessionList)
        except RunError:
            return
        # Whoever has the answer has heard what was before it.
        self._app.take_events()
        open_now = [session.session_id for session in found.sessions] if found else []
        before = [pane.session_id for pane in kept.panes] if kept else []
        first = [session_id for session_id in before if session_id in open_now]
        for session_id in dict.fromkeys([*first, *open_now]):
            await self._adopt(session_id)

    async def _adopt(self, session_id: str) -> None:
        state = self._app.state.panes.get(session_id)
        if state is not None and session_id not in self._app.desk.order and not state.closed:
            await self._app.panes.adopt(state, self._endpoint(state.endpoint, state.model))

    async def _let_go(self, session_id: str) -> None:
        if session_id in self._app.desk.order:
            await self._app.panes.let_go(session_id)

    async def _revive_all(self, kept: Workspace) -> None:
        missing = []
        for place, pane in enumerate(kept.panes):
            if pane.session_id in self._app.desk.order:
                continue
            endpoint = self._endpoint(pane.endpoint, pane.model)
            if endpoint is None:
                missing.append(pane.endpoint)
                continue
            await self._revive(pane, endpoint, place)
        if missing:
            names = safe_line(", ".join(dict.fromkeys(missing)), limit=80)
            self._app.notice(
                f"{names}: not configured any more. The conversations are in the history.",
                title="Panes not brought back",
                severity="warning",
            )

    async def _revive(self, pane: KeptPane, endpoint: Endpoint, place: int) -> None:
        """A pane whose session ended with its engine: the journal knows what was said."""
        record = None
        with contextlib.suppress(RunError):
            record = await self._app.doors.find(GetSession(pane.session_id), SessionRecord)
        state = self._recalled(pane, record)
        opening = OpenSession(pane.session_id, endpoint, messages(state), private=pane.private)
        self._app.doors.execute(opening)
        await self._app.panes.adopt(state, endpoint, place=place)

    def _recalled(self, pane: KeptPane, record: SessionRecord | None) -> PaneState:
        self._app.state.panes.pop(pane.session_id, None)
        state = PaneState(pane.session_id, pane.endpoint, pane.model)
        self._app.state.panes[pane.session_id] = state
        if record is not None:
            state.turns = turns_of(record.preface)
            for event in record.events:
                apply(self._app.state, event)
        state.closed = False
        state.can_repeat = False
        return state

    def _endpoint(self, name: str, model: str) -> Endpoint | None:
        try:
            return self._app.config.endpoint(f"{name}/{model}" if model else name)
        except ConfigError:
            return None

    def _arrange(self, kept: Workspace) -> None:
        """Everything but the panes themselves."""
        app, desk = self._app, self._app.desk
        drafts = {pane.session_id: pane.draft for pane in kept.panes if pane.draft}
        desk.marked = {pane.session_id for pane in kept.panes if pane.marked} & set(desk.order)
        desk.layout = kept.layout if kept.layout in LAYOUTS else desk.layout
        desk.zoomed = kept.zoomed and len(desk.order) > 1
        if kept.target in set(Target) and (kept.target != Target.MARKED or desk.marked):
            desk.target = Target(kept.target)
        for prompt in kept.prompts:
            app.main.prompt.history_of_prompts.add(prompt)
        if kept.current in desk.order:
            app.main.go_to(kept.current)
        for session_id, draft in drafts.items():
            if session_id in desk.order and session_id != desk.current:
                app.main.drafts[session_id] = draft
            else:
                app.main.prompt.history_of_prompts.add(draft)
        if kept.draft and not app.main.prompt.text:
            app.main.prompt.put(kept.draft)
        app.main.log_box.display = app.main.log_box.display or kept.show_events
        app.main.desk_changed()

    def _workspace(self) -> Workspace:
        app, desk = self._app, self._app.desk
        return Workspace(
            panes=tuple(self._kept_pane(session_id) for session_id in desk.order),
            current=desk.current,
            layout=desk.layout,
            zoomed=desk.zoomed,
            target=str(desk.target),
            draft=app.main.prompt.text,
            prompts=app.main.prompt.history_of_prompts.prompts,
            show_events=app.main.log_box.display,
        )

    def _kept_pane(self, session_id: str) -> KeptPane:
        state = self._app.state.panes[session_id]
        endpoint = self._app.panes.endpoints.get(session_id)
        return KeptPane(
            session_id,
            endpoint.name if endpoint else state.endpoint,
            endpoint.model if endpoint else state.model,
            marked=session_id in self._app.desk.marked,
            draft=self._app.main.drafts.get(session_id, ""),
            private=state.private,
        )

    def _interrupt_all(self) -> None:
        """What was under way has ended, whether anybody could still say so or not."""
        history = self._app.main.prompt.history_of_prompts
        for session_id in self._app.desk.order:
            state = self._app.state.panes[session_id]
            for queued in state.queued:
                history.add(queued.prompt)
            state.queued = []
            if is_live(state) and state.turns:
                turn = state.turns[-1]
                end = RunCutOff(ENGINE_LOST, Metrics(text_chars=len(turn.text_pieces)))
                now = self._app.main.clock
                event = Event(0, now.wall(), now.mono(), session_id, turn.run_id, end)
                apply(self._app.state, event)

    def _open_again(self, session_id: str) -> None:
        endpoint = self._app.panes.endpoints.get(session_id)
        if endpoint is not None:
            state = self._app.state.panes[session_id]
            state.can_repeat = False
            self._app.doors.execute(
                OpenSession(session_id, endpoint, messages(state), private=state.private)
            )
