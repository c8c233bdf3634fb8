"""How a console joins an engine that may have been running for days, and what it does when it ends.

Brings back the panes of before, and shows what other consoles open.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec import structs

from streamtui.config import Endpoint
from streamtui.engine.doors import (
    AnswerT,
    Doors,
    GetRun,
    GetSession,
    GetTranscript,
    GetWorkspace,
    ListSessions,
    OpenSession,
    Query,
)
from streamtui.engine.reports import SessionList, SessionRecord, StoredRun, Transcript
from streamtui.engine.reports import Workspace as SavedWorkspace
from streamtui.errors import ConfigError, RunError
from streamtui.events import Event, SessionClosed, SessionOpened
from streamtui.safe_text import safe_line
from streamtui.ui.asking import ANSWER_SECONDS, ask
from streamtui.ui.keeper import NOT_CONFIGURED, WORKSPACE, Keeper
from streamtui.ui.let_go import NOT_WHOLE, UNREADABLE
from streamtui.ui.past import end_open_turns, precede, recalled
from streamtui.ui.run_actions import not_configured
from streamtui.ui.state import PaneState, messages, turns_of
from streamtui.ui.workspace import KeptPane, Workspace, from_bytes

if TYPE_CHECKING:
    from streamtui.ui.app import StreamTUIApp

MOST_LOSSES = 3
"""So many engines that end within a minute are enough: another one would end too."""
MINUTE = 60.0
MOST_PANES = 64
"""So many are shown of the sessions that others open; more of them wait for a pane to be closed."""

Reattach = Callable[[], Doors]
"""Another way to an engine; blocks, and raises RunError where there is none."""


class Attachment:
    """The console's part in sessions that outlive it."""

    def __init__(self, app: "StreamTUIApp", reattach: Reattach | None) -> None:
        self._app = app
        self._reattach = reattach
        self.keeper = Keeper(app)
        self._asked: Mapping[str, Endpoint] = {}
        """Sessions of our own that were opened before there was a screen."""
        self._joined = False
        """All that was there before has a pane: what comes from now on is news."""
        self._readable = True
        """Whether what was kept could be read: what could not must not be overwritten either."""
        self._arrived: dict[str, None] = {}
        """Sessions that others have opened, and that have no pane yet."""
        self._bringing_in = False
        self._said_full = False
        self._attaching = asyncio.Lock()
        self._attached_anew = asyncio.Event()
        self._losses: deque[float] = deque(maxlen=MOST_LOSSES)
        self._told: frozenset[str] = frozenset()
        """The runs that were known when an engine was lost."""

    @property
    def outlives_us(self) -> bool:
        """Whether what runs can go on without this console."""
        return self._reattach is not None

    def stand_alone(self) -> None:
        """There is no engine but one that ends with this console."""
        self._reattach = None

    # The beginning

    async def begin(
        self,
        opening: Sequence[Endpoint],
        *,
        asked: Mapping[str, Endpoint],
        restore: bool,
        fallback: Endpoint | None,
    ) -> list[str]:
        """Show what is open, what was open when a console was here last, and what is asked for.

        `asked` are sessions that were opened already, and sent the first prompt. `fallback` is for
        a desk that would stay empty. Returns the sessions that are still to get the first prompt:
        those of `opening`, or all, if nobody is named.
        """
        is_for_all = not (opening or asked)
        self._asked = asked
        kept = await self._kept() if restore else None
        await self._adopt_open(kept)
        if kept is not None:
            await self._revive_all(kept)
        order = self._app.desk.order
        opening = [*opening, *self._lost_with_engine(asked)]
        if fallback is not None and not (opening or order):
            opening = [fallback]
        opened = await self._app.panes.open_first(opening) if opening else []
        if kept is not None:
            self.keeper.put_back(kept)
        self.keeper.may_save = self._readable
        self._joined = True
        self._arrived |= dict.fromkeys(self._app.state.panes)
        self._bring_in()
        return list(order) if is_for_all else opened

    def _lost_with_engine(self, asked: Mapping[str, Endpoint]) -> list[Endpoint]:
        """Whom an engine was to ask that has ended since: another one has to."""
        lost = []
        for session_id, endpoint in asked.items():
            if session_id not in self._app.desk.order:
                state = self._app.state.panes.pop(session_id, None)
                if state is None or not state.closed:
                    lost.append(endpoint)
        return lost

    def _expect(self, asked: Mapping[str, Endpoint]) -> list[str]:
        """The engine does not say what is open: what was asked may be, sooner or later."""
        for session_id, endpoint in asked.items():
            named = PaneState(session_id, endpoint.name, endpoint.model, endpoint.dialect)
            self._app.state.panes.setdefault(session_id, named)
        if asked:
            words = "The engine does not answer yet. What was asked is shown as it comes."
            self._app.notice(words, severity="warning")
        return list(asked)

    async def _kept(self) -> Workspace | None:
        try:
            saved = await self._find_first(GetWorkspace(WORKSPACE), SavedWorkspace)
        except RunError as error:
            self._readable = False
            if self.outlives_us and self._app.config.history != "off":
                words = f"{safe_line(error.message, 200)}. It stays as it is."
                title = "The last workspace is not brought back"
                self._app.notice(words, title=title, severity="warning")
            return None
        return from_bytes(saved.desk) if saved is not None and saved.desk else None

    async def _adopt_open(self, kept: Workspace | None) -> None:
        """Sessions that are open, those that had a pane first and in their order."""
        open_now = await self._open_now(self._find_first)
        if open_now is None:
            open_now = self._expect(self._asked)
        # Whoever has the answer has heard what was before it.
        self._app.take_events()
        last_runs = {pane.session_id: pane.last_run for pane in kept.panes} if kept else {}
        first = [session_id for session_id in last_runs if session_id in open_now]
        await self._adopt(list(dict.fromkeys([*first, *open_now])), last_runs)

    async def _open_now(
        self, find: Callable[[Query, type[SessionList]], Awaitable[SessionList | None]]
    ) -> list[str] | None:
        """The sessions that are open; None where the engine does not say it."""
        with contextlib.suppress(RunError):
            found = await find(ListSessions(), SessionList)
            return [session.session_id for session in found.sessions] if found else []
        return None

    async def _revive_all(self, kept: Workspace) -> None:
        """Panes whose sessions ended with their engine, in their places among the others."""
        missing = []
        place = 0
        for pane in kept.panes:
            if pane.session_id and pane.session_id not in self._app.desk.order:
                endpoint = self.endpoint(pane.endpoint, pane.model)
                if endpoint is None:
                    missing.append(pane.endpoint)
                await self._revive(pane, endpoint, place)
            place += bool(pane.session_id)
        if missing:
            names = safe_line(", ".join(dict.fromkeys(missing)), limit=80)
            self._app.notice(
                f"{names}: not configured any more. F6 adds it, and its panes go on.",
                title="Panes without an endpoint",
                severity="warning",
            )

    async def _revive(self, pane: KeptPane, endpoint: Endpoint | None, place: int) -> None:
        state = await self._story(pane.session_id, pane.last_run)
        state.endpoint, state.model = pane.endpoint, pane.model
        self._app.state.panes[pane.session_id] = state
        if endpoint is None:
            self._app.panes.silence(state, not_configured(pane.endpoint), NOT_CONFIGURED)
        else:
            opening = OpenSession(pane.session_id, endpoint, messages(state))
            self._app.doors.execute(opening)
        await self._app.panes.adopt((state, endpoint), place=place)

    async def _story(self, session_id: str, last_run: str) -> PaneState:
        """What the journal knows of a conversation: of its own runs, or else of those that it came
        from, up to `last_run`."""
        prices = self._app.state.prices
        record = await self._past(GetSession(session_id), SessionRecord)
        story = recalled(record, prices=prices) if record else PaneState(session_id)
        if not story.turns and last_run:
            run = await self._past(GetRun(last_run), StoredRun)
            origin = GetSession(run.summary.session_id) if run else None
            record = await self._past(origin, SessionRecord) if origin else None
            if before := record and record.up_to(last_run):
                story = recalled(before, prices=prices)
                story.session_id = session_id
        return story

    async def _past(self, query: Query, kind: type[AnswerT]) -> AnswerT | None:
        with contextlib.suppress(RunError):
            return await self._find(query, kind)
        return None

    async def _find(self, query: Query, kind: type[AnswerT]) -> AnswerT | None:
        return await ask(self._app.doors, query, kind)

    async def _find_first(self, query: Query, kind: type[AnswerT]) -> AnswerT | None:
        """The same, of an engine that may end just when it is found: another one then answers."""
        try:
            return await self._find(query, kind)
        except RunError as error:
            if error.kind != "bug" or self._reattach is None:
                raise
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._attached_anew.wait(), ANSWER_SECONDS)
            return await self._find(query, kind)

    def endpoint(self, name: str, model: str) -> Endpoint | None:
        """Whom a name and a model mean now; None where the name is not configured any more."""
        try:
            endpoint = self._app.config.endpoint(name)
        except ConfigError:
            return None
        return structs.replace(endpoint, model=model) if model else endpoint

    # Others

    def heed(self, event: Event) -> None:
        """Another console may have opened or closed a session."""
        match event.body:
            case SessionOpened() if self._joined and event.session_id not in self._app.desk.order:
                self._arrived[event.session_id] = None
                self._bring_in()
            case SessionClosed():
                self._arrived.pop(event.session_id, None)
                self._app.call_later(self._let_go, event.session_id)

    def fresh(self, events: list[Event]) -> list[Event]:
        """Those of the events that are news: after an engine was lost, one that tells everything
        from the start may turn out to be the same."""
        if not self._told:
            return events
        return [event for event in events if event.run_id not in self._told]

    def _bring_in(self) -> None:
        if self._arrived and not self._bringing_in:
            self._bringing_in = True
            self._app.run_worker(self._adopt_arrived(), group="engine")

    async def _adopt_arrived(self) -> None:
        try:
            while self._arrived and (room := MOST_PANES - len(self._app.desk.order)) > 0:
                some = list(self._arrived)[:room]
                for session_id in some:
                    del self._arrived[session_id]
                await self._adopt(some)
        finally:
            self._bringing_in = False
        if not self._said_full and any(self._strange(each) for each in self._arrived):
            self._said_full = True
            self._app.notice(
                f"More than {MOST_PANES} are open. The others come up when panes are closed."
            )

    async def _adopt(
        self, session_ids: Sequence[str], last_runs: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Show sessions that are open and have no pane here, all of them at once."""
        for session_id in session_ids:
            await self._recall(session_id, last_runs.get(session_id, ""))
        # Somebody may have closed one meanwhile.
        states = [state for each in session_ids if (state := self._strange(each)) is not None]
        await self._app.panes.adopt(
            *((state, self.endpoint(state.endpoint, state.model)) for state in states)
        )

    async def _recall(self, session_id: str, last_run: str) -> None:
        state = None if session_id in self._asked else self._strange(session_id)
        if state is not None and (not state.turns or any(not t.run_id for t in state.turns)):
            # It came with a conversation of before, of which the engine knows messages only.
            found = await self._past(GetTranscript(session_id), Transcript)
            if found is not None and not state.turns:
                state.turns = turns_of(found.messages)
            precede(state, await self._story(session_id, last_run))
            if state.turns and state.phase == "idle":
                state.phase = "done"

    def _strange(self, session_id: str) -> PaneState | None:
        """A session that is open and has no pane here."""
        state = self._app.state.panes.get(session_id)
        is_known = session_id in self._app.desk.order
        return None if state is None or state.closed or is_known else state

    async def _let_go(self, session_id: str) -> None:
        if session_id in self._app.desk.order:
            await self._app.panes.let_go(session_id)
        self._bring_in()

    # An engine that ends, and another one

    async def lost(self) -> None:
        """The engine ended. What came is kept on screen; another engine takes over."""
        async with self._attaching:
            # What it said before it ended is still to be heard.
            self._app.take_events()
            self._interrupt_all()
            self._losses.append(self._app.main.clock.mono())
            if self._reattach is None:
                self._give_up("it ended with this console's own process")
            elif self._ends_again_and_again():
                self._give_up(f"{MOST_LOSSES} of them ended within a minute")
            else:
                words = "What streamed is interrupted, what came is kept. Starting another one …"
                self._app.notice(words, title="The engine ended", severity="error")
                await self._attach(self._reattach)

    def attach_again(self) -> None:
        """Try once more, where no other engine could be had; no key waits for that."""
        if not self._app.state.engine_gone:
            self._app.notice("The engine is there.")
            return
        if self._reattach is None:
            self._app.notice("No other engine can be had here: start streamtui again.")
            return
        self._app.run_worker(self._try_again(self._reattach), group="engine")

    async def _try_again(self, reattach: Reattach) -> None:
        if self._attaching.locked():
            return
        async with self._attaching:
            self._losses.clear()
            await self._attach(reattach)

    async def _attach(self, reattach: Reattach) -> None:
        try:
            doors = await asyncio.to_thread(reattach)
        except RunError as error:
            self._give_up(error.message)
            return
        self._say_whether_gone(gone=False)
        self._told = frozenset(
            turn.run_id for pane in self._app.state.panes.values() for turn in pane.turns
        ) - {""}
        self._app.use_doors(doors)
        self._attached_anew.set()
        self.keeper.forget()
        open_now = await self._open_now(self._find) or []
        for session_id in list(self._app.desk.order):
            if session_id not in open_now:
                await self._open_whole(session_id)
        self._app.main.desk_changed()
        self._app.notice("Conversations go on where they were.", title="Another engine runs")

    def _ends_again_and_again(self) -> bool:
        full = len(self._losses) == MOST_LOSSES
        return full and self._losses[-1] - self._losses[0] < MINUTE

    def _give_up(self, reason: str) -> None:
        self._say_whether_gone(gone=True)
        way_out = "Tab, then r, tries again." if self.outlives_us else "Start streamtui again."
        self._app.notice(
            f"{safe_line(reason, 200)}. What is on screen stays. {way_out}",
            title="No engine",
            severity="error",
        )

    def _say_whether_gone(self, *, gone: bool) -> None:
        self._app.state.engine_gone = gone
        self._app.main.update_lines()

    def _interrupt_all(self) -> None:
        """What was under way has ended, whether anybody could still say so or not."""
        app, clock = self._app, self._app.main.clock
        history = app.main.prompt.history_of_prompts
        for session_id in app.desk.order:
            state = app.state.panes[session_id]
            if state.silent:
                continue
            waiting = end_open_turns(app.state, state, wall=clock.wall(), mono=clock.mono())
            for prompt in waiting:
                history.add(prompt, private=state.private)
            state.revision += 1
            app.main.grid.panes[session_id].update(clock.mono())
        app.main.desk_changed()

    async def _open_whole(self, session_id: str) -> None:
        """Open a session again that may have old answers in the history only."""
        state = self._app.state.panes[session_id]
        if await self._app.texts.have(state):
            self._open_again(session_id)
        else:
            self._app.panes.silence(state, UNREADABLE, NOT_WHOLE)

    def _open_again(self, session_id: str) -> None:
        state = self._app.state.panes[session_id]
        if state.silent:
            return
        endpoint = self._app.panes.endpoints.get(session_id)
        if endpoint is None:
            self._app.panes.silence(state, not_configured(state.endpoint), NOT_CONFIGURED)
            return
        state.can_repeat = False
        past = messages(state)
        self._app.doors.execute(OpenSession(session_id, endpoint, past, private=state.private))

    def config_changed(self) -> None:
        """Panes whose endpoint is configured again go on."""
        for session_id in self._app.desk.order:
            state = self._app.state.panes[session_id]
            if state.tag is NOT_CONFIGURED:
                endpoint = self.endpoint(state.endpoint, state.model)
                if endpoint is not None:
                    self._app.panes.give_voice(state, endpoint)
                    self._open_again(session_id)
        self._app.main.desk_changed()
