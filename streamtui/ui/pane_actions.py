"""What keys do to panes: open, close, bring back, move between, lay out, mark."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from msgspec import structs

from streamtui.config import Endpoint
from streamtui.engine.doors import OpenSession
from streamtui.errors import ConfigError
from streamtui.events import Message
from streamtui.ids import new_id
from streamtui.safe_text import safe_line
from streamtui.ui.pane import Pane
from streamtui.ui.pane_state import Tag
from streamtui.ui.screens.new_pane import NewPane
from streamtui.ui.state import PaneState, Turn, messages

if TYPE_CHECKING:
    from streamtui.ui.app import StreamTUIApp

MOST_CLOSED = 50


class ClosedPane(NamedTuple):
    """What comes back when a pane is opened again."""

    state: PaneState
    endpoint: Endpoint
    place: int


class PaneActions:
    """Opens and closes sessions, and keeps the desk in step with what is on screen."""

    def __init__(self, app: "StreamTUIApp") -> None:
        self._app = app
        self._screen = app.main
        self._desk = app.desk
        self.endpoints: dict[str, Endpoint] = {}
        """What each open session talks to."""
        self._closed: list[ClosedPane] = []

    async def open_first(self, endpoints: Sequence[Endpoint]) -> list[str]:
        """Open one pane for each endpoint; what is typed meanwhile is left alone.

        Returns the ids of the sessions.
        """
        panes = [self._pane(endpoint) for endpoint in endpoints]
        session_ids = [pane.state.session_id for pane in panes]
        for session_id in session_ids:
            self._desk.add(session_id)
        await self._screen.grid.add(*panes)
        self._screen.desk_changed()
        return session_ids

    async def open(
        self,
        endpoint: Endpoint,
        past: tuple[Message, ...] = (),
        *,
        turns: Sequence[Turn] = (),
        place: int | None = None,
        private: bool = False,
    ) -> str:
        """Open a session and its pane, which becomes the current one; returns the session's id."""
        pane = self._pane(endpoint, past, turns, private=private)
        session_id = pane.state.session_id
        self._desk.add(session_id, at=place)
        await self._screen.grid.add(pane)
        self._screen.go_to(session_id)
        self._screen.desk_changed()
        return session_id

    async def adopt(
        self, *sessions: tuple[PaneState, Endpoint | None], place: int | None = None
    ) -> None:
        """Show sessions that are there already; the current pane stays the current one.

        Endpoint None: it is not configured here, so that it cannot be opened again once closed.
        """
        for state, endpoint in sessions:
            if endpoint is not None:
                self.endpoints[state.session_id] = endpoint
                state.price = state.price or endpoint.price
        await self.show(*(Pane(state, self._screen.clock) for state, _ in sessions), place=place)

    async def show(self, *panes: Pane, place: int | None = None) -> None:
        """Show panes; the current one stays the current one. `place` is that of the first."""
        for number, pane in enumerate(panes):
            self._desk.add(pane.state.session_id, at=None if place is None else place + number)
        if panes:
            await self._screen.grid.add(*panes)
            self._screen.desk_changed()

    def silence(self, state: PaneState, why: str, tag: Tag) -> None:
        """Nobody can be asked in a pane: it has no session in the engine. `why` is a sentence."""
        state.silent, state.tag = why, tag
        self._desk.silent.add(state.session_id)
        self._desk.marked.discard(state.session_id)

    def give_voice(self, state: PaneState, endpoint: Endpoint) -> None:
        """A pane that was silent has a session again, of the same id."""
        state.silent, state.tag = "", None
        self._desk.silent.discard(state.session_id)
        self.endpoints[state.session_id] = endpoint
        state.price = endpoint.price

    async def let_go(self, session_id: str) -> None:
        """Take a pane away whose session somebody else has closed."""
        pane = await self._close(session_id)
        self._app.notice(f"{pane.name_on_tab} was closed elsewhere. {self._way_back(pane)}")

    def new(self) -> None:
        """Ask for an endpoint and a model, then open a pane."""
        self._ask_for_new(private=False)

    def new_private(self) -> None:
        """The same, for a session of which nothing is written down."""
        self._ask_for_new(private=True)

    def _ask_for_new(self, *, private: bool) -> None:
        here = self.endpoints.get(self._desk.current)
        question = NewPane(
            self._app.config,
            here,
            self.endpoints.values(),
            self._app.endpoints.models,
            private=private,
        )
        self._app.push_screen(question, partial(self.open_chosen, private=private))

    async def open_chosen(self, spec: str | None, *, private: bool = False) -> None:
        """Open a pane on `NAME` or `NAME/MODEL`, the model as it is, if anything was chosen."""
        if spec is None:
            return
        name, slash, model = spec.partition("/")
        try:
            endpoint = self._app.config.endpoint(name)
        except ConfigError as error:
            self._app.notice(safe_line(str(error)), title="New pane", severity="error")
            return
        chosen = structs.replace(endpoint, model=model) if slash else endpoint
        await self.open(chosen, private=private)

    async def close(self) -> None:
        """Close the current pane; what it would lose goes into the prompt's history."""
        session_id = self._desk.current
        if session_id:
            pane = await self._close(session_id)
            self._app.notice(f"{pane.name_on_tab} is closed. {self._way_back(pane)}")

    def _way_back(self, pane: Pane) -> str:
        if self._closed and self._closed[-1].state is pane.state:
            return "alt+u brings it back."
        return "ctrl+r finds what was said in it."

    async def _close(self, session_id: str) -> Pane:
        """Take a pane away; what was typed to it, or waited there, is in the prompt's history."""
        if self._screen.prompt.private and session_id in self._desk.targets():
            # It must not be left to whoever is asked next.
            self._screen.prompt.take()
        pane = await self._take_away(session_id)
        unsent = [self._screen.drafts.pop(session_id, "")]
        unsent += [queued.prompt for queued in pane.state.queued]
        for prompt in unsent:
            self._screen.prompt.history_of_prompts.add(prompt, private=pane.state.private)
        self._screen.show_waiting_draft()
        self._screen.desk_changed()
        return pane

    async def reopen(self) -> None:
        """Bring back the pane closed last; its conversation goes on."""
        if not self._closed:
            self._app.notice("No pane was closed.")
            return
        closed = self._closed[-1]

        async def again() -> None:
            if self._closed and self._closed[-1] is closed:
                await self.reopen()

        if self._app.texts.is_whole(closed.state, again):
            self._closed.pop()
            await self._bring_back(closed, closed.state.turns)

    async def start_over(self, session_id: str) -> str:
        """The same pane without its last turn, as a new session; returns the session's id.

        For a conversation that the engine only knows as messages: there it cannot ask again.
        """
        await self._take_away(session_id)
        closed = self._closed.pop()
        return await self._bring_back(closed, closed.state.turns[:-1])

    async def fork(self, session_id: str) -> str:
        """Another pane with the conversation before the last prompt; returns that prompt."""
        state = self._app.state.panes[session_id]
        before = [replace(turn, end=turn.end or "cancelled") for turn in state.turns[:-1]]
        past = messages(replace(state, turns=before))
        await self.open(
            self.endpoints[session_id],
            past,
            turns=before,
            place=self._desk.number(session_id),
            private=state.private,
        )
        return state.turns[-1].prompt

    def next(self) -> None:
        """The pane with the next number."""
        self._step(1)

    def previous(self) -> None:
        """The pane with the number before."""
        self._step(-1)

    def number(self, key: str) -> None:
        """The pane with this number."""
        place = int(key) - 1
        if place < len(self._desk.order):
            self._screen.go_to(self._desk.order[place])

    def left(self) -> None:
        """The pane to the left."""
        self._move(-1, 0)

    def right(self) -> None:
        """The pane to the right."""
        self._move(1, 0)

    def up(self) -> None:
        """The pane above."""
        self._move(0, -1)

    def down(self) -> None:
        """The pane below."""
        self._move(0, 1)

    def focus_prompt(self) -> None:
        """Letters are text."""
        self._screen.focus_prompt()

    def focus_next(self) -> None:
        """From the prompt to the panes, on to the event log, and round."""
        self._cycle_focus(1)

    def focus_previous(self) -> None:
        """The other way round."""
        self._cycle_focus(-1)

    def zoom(self) -> None:
        """One pane over the whole grid, or all of them again."""
        self._desk.zoomed = not self._desk.zoomed and len(self._desk.order) > 1
        self._screen.desk_changed()

    def next_layout(self) -> None:
        """Grid, columns, rows, main and stack, tabs; those without room are passed over."""
        while self._desk.cycle_layout() != "tabs" and not self._screen.grid.as_asked:
            pass
        self._screen.desk_changed()

    def mark(self) -> None:
        """Mark the current pane, or take its mark away."""
        self._change(self._desk.toggle_mark)

    def mark_all(self) -> None:
        """Mark all panes."""
        self._change(self._desk.mark_all)

    def mark_none(self) -> None:
        """Mark no pane."""
        self._change(self._desk.mark_none)

    def cycle_target(self) -> None:
        """This pane, the marked ones, all."""
        self._change(self._desk.cycle_target)

    def _pane(
        self,
        endpoint: Endpoint,
        past: tuple[Message, ...] = (),
        turns: Sequence[Turn] = (),
        *,
        private: bool = False,
    ) -> Pane:
        """A session, and the pane that will show it."""
        session_id = new_id()
        self._app.doors.execute(OpenSession(session_id, endpoint, past, private))
        state = PaneState(
            session_id,
            endpoint.name,
            endpoint.model,
            endpoint.dialect,
            price=endpoint.price,
            private=private,
        )
        if turns:
            state.turns = list(turns)
            state.phase = turns[-1].end or "cancelled"
        self._app.state.panes[session_id] = state
        self.endpoints[session_id] = endpoint
        return Pane(state, self._screen.clock)

    async def _take_away(self, session_id: str) -> Pane:
        if session_id not in self._desk.silent:
            self._app.doors.close_session(session_id)
        typing = self._screen.typing
        place = self._desk.remove(session_id)
        pane = await self._screen.grid.discard(session_id)
        endpoint = self.endpoints.pop(session_id, None)
        if endpoint is not None:
            self._closed.append(ClosedPane(pane.state, endpoint, place))
            del self._closed[:-MOST_CLOSED]
        else:
            self._app.state.panes.pop(session_id, None)
        self._screen.desk_changed()
        if typing or not self._desk.order:
            self._screen.focus_prompt()
        else:
            self._screen.focus_pane()
        return pane

    async def _bring_back(self, closed: ClosedPane, turns: list[Turn]) -> str:
        # What the old session still says about its end has nobody left to change.
        self._app.state.panes.pop(closed.state.session_id, None)
        turns = [replace(turn, end=turn.end or "cancelled") for turn in turns]
        past = messages(replace(closed.state, turns=turns))
        place = min(closed.place, len(self._desk.order))
        return await self.open(
            closed.endpoint, past, turns=turns, place=place, private=closed.state.private
        )

    def _step(self, by: int) -> None:
        order = self._desk.order
        if order:
            place = order.index(self._desk.current) + by
            self._screen.go_to(order[place % len(order)])

    def _move(self, dx: int, dy: int) -> None:
        if self._desk.order:
            self._screen.go_to(self._screen.grid.neighbour_of_current(dx, dy))

    def _cycle_focus(self, by: int) -> None:
        stops = [*self._desk.order]
        log = self._screen.log_box
        if log.display:
            stops.append("")
        if not stops:
            return
        if self._screen.typing:
            self._screen.focus_pane() if self._desk.order else self._screen.set_focus(log.log_view)
            return
        here = "" if log.has_focus_within else self._desk.current
        there = stops[(stops.index(here) + by) % len(stops)]
        if there:
            self._screen.go_to(there)
            self._screen.focus_pane()
        else:
            self._screen.set_focus(log.log_view)

    def _change(self, change: Callable[[], None]) -> None:
        change()
        self._screen.show_waiting_draft()
        self._screen.desk_changed()
