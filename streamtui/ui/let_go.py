"""The text of old answers, which goes from memory when there is much of it, and comes back when it
is looked at.

Only what the journal is seen to have, word for word, is let go; where the journal ends with the
engine, or has nothing, all text stays.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from streamtui.engine.doors import GetRun
from streamtui.engine.reports import SessionRecord, StoredRun
from streamtui.errors import RunError
from streamtui.ui.asking import GoOn, ask, fetch_first
from streamtui.ui.pane_state import AppState, PaneState, Tag, Turn, text_chars
from streamtui.ui.past import recalled

if TYPE_CHECKING:
    from streamtui.ui.app import StreamTUIApp
    from streamtui.ui.pane_details import Kept

MOST_IN_PANE = 4_000_000
MOST_IN_ALL = 64_000_000
"""Characters of answers that are kept in memory; what runs, or is looked at, comes on top."""
LOOK_AT_TEXTS_SECONDS = 20.0
UNREADABLE = "Its older answers cannot be read from the history now."
NOT_WHOLE = Tag("not whole", "part", "state-failed bold")


def too_much(
    state: AppState, in_pane: int = MOST_IN_PANE, in_all: int = MOST_IN_ALL
) -> Iterator[tuple[PaneState, Turn]]:
    """What to let go of, the oldest of each pane first, and first of the panes that have most."""
    panes = [pane for pane in state.panes.values() if not (pane.private or pane.silent)]
    sizes = {pane.session_id: text_chars(pane) for pane in panes}
    total = sum(map(text_chars, state.panes.values()))
    for pane in sorted(panes, key=lambda pane: -sizes[pane.session_id]):
        for turn in pane.turns[:-1]:
            if sizes[pane.session_id] <= in_pane and total <= in_all:
                break
            if turn.run_id and turn.end is not None and turn.chars and not turn.is_needed:
                sizes[pane.session_id] -= turn.chars
                total -= turn.chars
                yield pane, turn


class TextKeeper:
    """Lets text go, and brings it back."""

    def __init__(self, app: "StreamTUIApp") -> None:
        self._app = app
        self.most_in_pane, self.most_in_all = MOST_IN_PANE, MOST_IN_ALL
        self._coming: set[int] = set()
        """The turns, by identity, whose text is on its way."""

    def tidy(self) -> None:
        """Look whether there is too much."""
        app = self._app
        is_kept = app.config.history == "disk" and app.attachment.outlives_us
        if not is_kept or app.state.not_saved_since is not None or app.state.engine_gone:
            return
        found = list(too_much(app.state, self.most_in_pane, self.most_in_all))
        if found:
            app.run_worker(self._let_go(found), group="text", exclusive=True)

    async def _let_go(self, found: Sequence[tuple[PaneState, Turn]]) -> None:
        for pane, turn in found:
            stored = await self._stored(turn)
            if stored is None or not turn.says_the_same(stored):
                # It is asked for once only.
                turn.is_needed = True
            elif not (turn.is_needed or self._is_seen(pane, turn)):
                turn.let_go_of_text()
                self._renew(pane, turn)

    def bring_back(self, pane: PaneState, turn: Turn) -> None:
        """Somebody looks at it."""
        if id(turn) not in self._coming:
            self._coming.add(id(turn))
            self._app.run_worker(self._bring_back(pane, turn), group="text-back")

    async def _bring_back(self, pane: PaneState, turn: Turn) -> None:
        try:
            await self.make_whole(pane, [turn])
        finally:
            self._coming.discard(id(turn))

    def is_whole(self, pane: PaneState, again: GoOn) -> bool:
        """Whether all text of a pane is in memory, from now on for good.

        Where it is not, keys do not wait for it: `again`, the command that needs it, is called once
        it is there, unless somebody has gone on to something else by then.
        """
        if not any(turn.let_go for turn in pane.turns):
            _need_all(pane)
            return True

        async def fetch() -> GoOn | None:
            return again if await self.have(pane) else None

        # Of several commands the last one counts.
        group = f"whole {pane.session_id}"
        self._app.run_worker(fetch_first(self._app, fetch), group=group, exclusive=True)
        return False

    async def have(self, pane: PaneState) -> bool:
        """Have all text of a pane, for good; says it where it cannot be had."""
        _need_all(pane)
        if await self.make_whole(pane, pane.turns):
            return True
        self._app.notice(UNREADABLE, title="Conversation not whole", severity="warning")
        return False

    async def make_whole(self, pane: PaneState, turns: Sequence[Turn]) -> bool:
        """Have the text of turns in memory; returns whether all of it could be had."""
        for turn in turns:
            if turn.let_go:
                stored = await self._stored(turn)
                if stored is None:
                    turn.is_lost = True
                else:
                    turn.take_text_back(stored)
                self._renew(pane, turn)
        return not any(turn.let_go for turn in turns)

    async def _stored(self, turn: Turn) -> Turn | None:
        """The turn as the journal has it."""
        with contextlib.suppress(RunError):
            run = await ask(self._app.doors, GetRun(turn.run_id), StoredRun)
            if run is not None and run.summary.run_id == turn.run_id:
                story = recalled(SessionRecord(run.summary.session_id, (), run.events))
                return next((each for each in story.turns if each.run_id == turn.run_id), None)
        return None

    def kept(self) -> "dict[str, Kept]":
        """By session, what is in memory."""
        # Imported here: nobody asks before the first frame.
        from streamtui.ui.pane_details import Kept

        shown = self._app.main.grid.panes
        rows = {each: pane.transcript.row_count for each, pane in shown.items()}
        return {
            name: Kept(rows.get(name, 0), text_chars(pane), sum(t.let_go for t in pane.turns))
            for name, pane in self._app.state.panes.items()
        }

    def _is_seen(self, pane: PaneState, turn: Turn) -> bool:
        shown = self._app.main.grid.panes.get(pane.session_id)
        return shown is not None and shown.transcript.is_seen(turn)

    def _renew(self, pane: PaneState, turn: Turn) -> None:
        shown = self._app.main.grid.panes.get(pane.session_id)
        if shown is not None:
            shown.transcript.renew(turn)


def _need_all(pane: PaneState) -> None:
    for turn in pane.turns:
        turn.is_needed = True
