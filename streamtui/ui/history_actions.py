"""What keys do to runs of the past: find them, go on from them, play, export and delete them.

Whoever asks gets a RunError where something cannot be done; its words are for the user.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from streamtui.config import Endpoint
from streamtui.engine.doors import AnswerT, DeleteRuns, FindRuns, GetRun, GetSession, Query
from streamtui.engine.reports import Done, RunList, RunSummary, SessionRecord, StoredRun
from streamtui.errors import RunError
from streamtui.ids import new_id
from streamtui.safe_text import safe_line
from streamtui.ui.asking import GoOn, ask, fetch_first
from streamtui.ui.past import LIVE_STATES, recalled, with_end
from streamtui.ui.replay_pane import ReplayPane
from streamtui.ui.state import PaneState, apply, messages

if TYPE_CHECKING:
    from streamtui.events import Event
    from streamtui.ui.app import StreamTUIApp

PAGE = 50
MOST_NAMES = 1_000
"""So many files of one name are enough."""

Plan = GoOn
"""What is to be done once nothing lies over the console any more."""


class HistoryActions:
    """The screen of the history, and all that it may do."""

    def __init__(self, app: "StreamTUIApp") -> None:
        self._app = app

    def show(self) -> None:
        """All runs, newest first."""
        from streamtui.ui.screens.history import HistoryList

        self._app.push_screen(HistoryList(self), self._carry_out)

    async def _carry_out(self, plan: Plan | None) -> None:
        if plan is not None:
            await plan()

    @property
    def now(self) -> float:
        """Seconds since the epoch."""
        return self._app.main.clock.wall()

    @property
    def nothing_kept(self) -> str:
        """Why no history is kept, as words; empty where one is."""
        if self._app.config.history == "off":
            return 'nothing is kept: history.keep = "off"'
        if not self._app.attachment.outlives_us:
            return "nothing is kept: the engine is a part of this console"
        return ""

    # Finding

    async def find(self, text: str, before: int | None) -> RunList:
        """A page of runs that hold all words of `text`; `before` is the key of the last one seen.

        Raises RunError.
        """
        return await self._ask(FindRuns(text, PAGE, before), RunList) or RunList()

    async def answer(self, run: RunSummary) -> str:
        """The whole answer of a run. Raises RunError."""
        stored = await self._run(run)
        text = stored.answer or _story_of(stored).turns[-1].text
        if not text:
            raise _impossible("this run has no answer")
        return text

    # Going on

    async def go_on(self, run: RunSummary) -> Plan:
        """Its conversation in another pane, as it was then. Raises RunError."""
        if run.state in LIVE_STATES and run.session_id in self._app.desk.order:
            return lambda: self._go_to(run.session_id)
        _need_end(run)
        endpoint, state = self._endpoint(run), await self._conversation(run)
        return lambda: self._app.panes.open(endpoint, messages(state), turns=state.turns)

    async def fork(self, run: RunSummary) -> Plan:
        """The conversation before it in another pane, its prompt to be changed. Raises RunError."""
        _need_end(run)
        endpoint, state = self._endpoint(run), await self._conversation(run)
        prompt, state.turns = state.turns[-1].prompt, state.turns[:-1]

        async def open_before() -> None:
            await self._app.panes.open(endpoint, messages(state), turns=state.turns)
            self._app.runs.change_prompt(prompt)

        return open_before

    def fork_replay(self, run_id: str) -> None:
        """The same for the run that a pane plays; no key waits for the history."""

        def fetch() -> Awaitable[Plan | None]:
            return self._plan_of_fork(run_id)

        self._app.run_worker(fetch_first(self._app, fetch), group="fork", exclusive=True)

    async def _plan_of_fork(self, run_id: str) -> Plan | None:
        try:
            stored = await self._ask(GetRun(run_id), StoredRun)
            if stored is None:
                raise _gone()
            return await self.fork(stored.summary)
        except RunError as error:
            self._app.notice(safe_line(error.info().words), title="Fork", severity="warning")
            return None

    async def _go_to(self, session_id: str) -> None:
        self._app.main.go_to(session_id)

    def _endpoint(self, run: RunSummary) -> Endpoint:
        endpoint = self._app.attachment.endpoint(run.endpoint, run.model)
        if endpoint is None:
            raise _impossible(f"{run.endpoint} is not configured any more", "F6 adds it")
        return endpoint

    async def _conversation(self, run: RunSummary) -> PaneState:
        """All turns up to that run; the run alone where the others are gone."""
        record = await self._record(run)
        return _story_of(record) if isinstance(record, StoredRun) else recalled(record)

    async def _record(self, run: RunSummary) -> SessionRecord | StoredRun:
        record = await self._ask(GetSession(run.session_id), SessionRecord)
        return (record and record.up_to(run.run_id)) or await self._run(run)

    # Playing

    async def replay(self, run: RunSummary) -> Plan:
        """The run as it came, in a pane of its own. Raises RunError."""
        _need_end(run)
        stored = await self._run(run)
        if not stored.events:
            raise _impossible("nothing is left of what happened in this run")
        return lambda: self._play(stored)

    async def _play(self, run: StoredRun) -> None:
        from streamtui.ui.playback import Playback

        app, summary = self._app, run.summary
        state = PaneState(f"replay-{new_id()}", summary.endpoint, summary.model, summary.dialect)
        state.price = app.state.prices.get(summary.endpoint)
        playback = Playback(with_end(run), state.session_id, app.main.clock.mono)
        app.state.panes[state.session_id] = state
        app.panes.silence(state, "This is a replay: tab, e forks it.", playback.tag())
        await app.panes.show(ReplayPane(state, playback, self._show, run_id=summary.run_id))
        app.main.go_to(state.session_id)
        app.main.focus_pane()

    def _show(self, events: Sequence["Event"]) -> None:
        for event in events:
            apply(self._app.state, event)
        self._app.main.grid.update_tabs()

    def pause(self) -> None:
        """Hold the replay, or let it go on."""
        self._with_replay(ReplayPane.toggle_pause)

    def faster(self) -> None:
        """One step faster."""
        self._with_replay(lambda pane: pane.change_speed(1))

    def slower(self) -> None:
        """One step slower."""
        self._with_replay(lambda pane: pane.change_speed(-1))

    def step(self) -> None:
        """One event further."""
        self._with_replay(ReplayPane.step)

    def finish(self) -> None:
        """To the end."""
        self._with_replay(ReplayPane.finish)

    def _with_replay(self, work: Callable[[ReplayPane], object]) -> None:
        pane = self._app.main.grid.current
        if isinstance(pane, ReplayPane):
            work(pane)

    # Writing and deleting

    async def export(self, run: RunSummary, form: str) -> Path:
        """Write its conversation into the current folder; returns the file. Raises RunError."""
        return await asyncio.to_thread(_write, await self._record(run), form)

    def say_exported(self, path: Path) -> None:
        """Where the file is."""
        words = f"{safe_line(path.name)} in {safe_line(str(path.parent))}"
        self._app.notice(words, title="Exported")

    def copy(self, answer: str) -> None:
        """Into the clipboard, by every way there is."""
        self._app.copy_everywhere(answer, "answer")

    async def delete(self, run: RunSummary) -> None:
        """Remove a run for good. Raises RunError."""
        _need_end(run)
        await self._ask(DeleteRuns((run.run_id,)), Done)

    async def _run(self, run: RunSummary) -> StoredRun:
        stored = await self._ask(GetRun(run.run_id), StoredRun)
        if stored is None or stored.summary.run_id != run.run_id:
            raise _gone()
        return stored

    async def _ask(self, query: Query, kind: type[AnswerT]) -> AnswerT | None:
        return await ask(self._app.doors, query, kind)


def _story_of(run: StoredRun) -> PaneState:
    """A run without the conversation that it was a part of."""
    return recalled(SessionRecord(run.summary.session_id, (), run.events))


def _write(record: SessionRecord | StoredRun, form: str) -> Path:
    """In a name that is free."""
    from streamtui.export import FORMATS, ExportError, TakenError, file_name, turns_of, write_new

    text = FORMATS[form](record)
    turn = turns_of(record.events)[0]
    try:
        first = Path.cwd() / file_name(turn.prompt, turn.started, form)
        for number in range(1, MOST_NAMES):
            path = first.with_stem(f"{first.stem}-{number}") if number > 1 else first
            try:
                write_new(path, text)
            except TakenError:
                continue
            return path
    except ExportError as error:
        raise _impossible(str(error)) from error
    except OSError as error:
        raise _impossible(f"there is no current folder: {error.strerror}") from error
    raise _impossible(f"{first} and {MOST_NAMES - 2} like it are there already")


def _need_end(run: RunSummary) -> None:
    if run.state in LIVE_STATES:
        raise _impossible("this run has not ended yet", "Look again later")


def _gone() -> RunError:
    return _impossible("this run is not in the history any more")


def _impossible(words: str, hint: str = "") -> RunError:
    return RunError(words, kind="usage", hint=hint)
