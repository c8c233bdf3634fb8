"""What keys do to endpoints: test them, list their models, write them down, take them away.

Owns what is known of them beside the configuration: results of tests, and where each is written.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from streamtui.config import EMBEDDED_DEMO_URL, Endpoint
from streamtui.engine.reports import ModelList, ProbeReport
from streamtui.errors import ConfigError, RunError
from streamtui.safe_text import safe_line

if TYPE_CHECKING:
    from streamtui.ui.app import StreamTUIApp
    from streamtui.ui.endpoint_draft import Draft, Form, Problem
    from streamtui.ui.endpoint_words import Trial
    from streamtui.ui.pane_details import Kept


class EndpointActions:
    """The screens of endpoints, and all that they may do.

    Their modules are imported when one is opened: nobody does that before the first frame.
    """

    def __init__(self, app: "StreamTUIApp") -> None:
        self._app = app
        self._trials: dict[str, Trial] = {}
        self._own: Mapping[str, Mapping[str, object]] = {}
        self._managed: Mapping[str, Mapping[str, object]] = {}

    async def show(self) -> None:
        """All endpoints; the chosen one is opened in a pane."""
        from streamtui.ui.screens.endpoints import EndpointList

        await self._look_where_written()
        self._app.push_screen(EndpointList(self), self._app.panes.open_chosen)

    def details(self) -> None:
        """Everything about the current pane."""
        from streamtui.ui.pane_details import sections_of
        from streamtui.ui.run_actions import not_configured
        from streamtui.ui.screens.pane_details import PaneDetails

        pane = self._app.main.grid.current
        if pane is None:
            self._app.notice("No pane is open.")
            return
        state = pane.state
        endpoint = self._app.panes.endpoints.get(state.session_id)
        if endpoint is None:
            self._app.notice(state.silent or not_configured(state.endpoint), severity="warning")
            return
        self._app.push_screen(
            PaneDetails(
                f"pane {pane.number} {pane.name_on_tab}",
                lambda: sections_of(state, endpoint, self.now, self._kept(state.session_id)),
                lambda text: self._app.copy_everywhere(text, "list of details"),
            )
        )

    def _kept(self, session_id: str) -> "list[Kept]":
        """What is in memory of a pane, and of all."""
        from streamtui.ui.pane_details import Kept

        of_all = self._app.texts.kept()
        return [of_all[session_id], Kept(*map(sum, zip(*of_all.values(), strict=True)))]

    @property
    def endpoints(self) -> Mapping[str, Endpoint]:
        """Those of the configuration in force, by name."""
        return self._app.config.endpoints

    @property
    def now(self) -> float:
        """Monotonic seconds."""
        return self._app.main.clock.mono()

    # Asking an endpoint

    async def models(self, endpoint: Endpoint) -> ModelList:
        """The models that an endpoint lists, or why it has no list."""
        try:
            return await self._app.doors.models(endpoint)
        except RunError as error:
            return ModelList(error=error.info())

    async def test(self, endpoint: Endpoint, changed: Callable[[], None]) -> None:
        """Test an endpoint and keep the result; `changed` is called when it begins and ends."""
        from streamtui.ui.endpoint_words import Trial

        began = self._trials[endpoint.name] = Trial(endpoint, self.now)
        changed()
        try:
            report = await self._probe(endpoint)
        except BaseException:
            self._trials.pop(endpoint.name, None)
            raise
        self._trials[endpoint.name] = Trial(endpoint, began.since, report)
        changed()

    def trial(self, endpoint: Endpoint) -> "Trial | None":
        """The last test of an endpoint, unless the endpoint was changed since."""
        trial = self._trials.get(endpoint.name)
        return trial if trial and trial.endpoint == endpoint else None

    def is_under_way(self, endpoint: Endpoint) -> bool:
        """Whether it is being tested."""
        trial = self.trial(endpoint)
        return trial is not None and trial.report is None

    async def _probe(self, endpoint: Endpoint) -> ProbeReport:
        try:
            return await self._app.doors.probe(endpoint)
        except RunError as error:
            names = endpoint.name, endpoint.model, endpoint.dialect
            return ProbeReport(*names, route="", stages=(), error=error.info())

    # Where an endpoint is written

    def is_managed(self, name: str) -> bool:
        """Whether the console wrote it, and may change it."""
        return name in self._managed and name not in self._own

    def where(self, endpoint: Endpoint) -> str:
        """In which file it is written, and what follows from that."""
        config = self._app.config
        if endpoint.name in self._own:
            return f"{config.path}, your own file; e copies it"
        if endpoint.name in self._managed:
            return f"{config.managed_path}; e changes it, delete removes it"
        if endpoint.base_url == EMBEDDED_DEMO_URL:
            return "nowhere, it is a part of the program"
        reason = (
            f"it is there by its {endpoint.key_source}"
            if endpoint.key_source
            else "known without a file"
        )
        return f"nowhere, {reason}; e writes it down"

    async def _look_where_written(self) -> None:
        from streamtui.config.managed import written_endpoints

        try:
            written = await asyncio.to_thread(written_endpoints, self._app.config)
        except ConfigError as error:
            self._say_not_done("Configuration not read", error)
            return
        self._own, self._managed = written.own, written.managed

    # Writing

    def blank(self) -> "Form":
        """The form of another endpoint."""
        from streamtui.ui.endpoint_draft import Form

        return Form("add an endpoint")

    def form_of(self, endpoint: Endpoint) -> "Form":
        """The form that changes an endpoint, or copies it where it cannot be changed here."""
        from streamtui.ui.endpoint_draft import Form, copy_of, draft_of_known, draft_of_table

        name = endpoint.name
        if name in self._own:
            table = {**self._managed.get(name, {}), **self._own[name]}
            note = (
                f"{name} stands in {self._app.config.path}, your file: it wins, and the console"
                " never changes it. This is a copy under another name."
            )
            draft = copy_of(draft_of_table(name, table), self.endpoints)
            return Form(f"copy of {name}", draft, note=note)
        if name in self._managed:
            return Form(f"edit {name}", draft_of_table(name, self._managed[name]), name)
        note = f"{name} is known without being written down. What is saved here takes its place."
        return Form(f"edit {name}", draft_of_known(endpoint), note=note)

    async def save(self, form: "Form", draft: "Draft") -> "Problem | None":
        """Write an endpoint into the managed file and take it into force, or say what is wrong."""
        from streamtui.config.managed import put_endpoint
        from streamtui.ui.endpoint_draft import problem_of, problem_of_error, table_of

        if problem := problem_of(draft):
            return problem
        config, table, old = self._app.config, table_of(draft), form.instead_of
        try:
            await asyncio.to_thread(put_endpoint, config, draft.name, table, instead_of=old)
        except ConfigError as error:
            return problem_of_error(error, draft.name)
        await self._take_into_force()
        return None

    async def remove(self, name: str) -> None:
        """Take an endpoint out of the managed file."""
        from streamtui.config.managed import remove_endpoint

        try:
            await asyncio.to_thread(remove_endpoint, self._app.config, name)
        except ConfigError as error:
            self._say_not_done(f"{name} is not removed", error)
            return
        await self._take_into_force()

    def notice(self, words: str) -> None:
        """Say why a key does nothing here."""
        self._app.notice(safe_line(words), title="Endpoints", severity="warning")

    async def _take_into_force(self) -> None:
        await self._look_where_written()
        await self._app.configuration.read_again()

    def _say_not_done(self, title: str, error: ConfigError) -> None:
        self._app.notice(safe_line(f"{error}."), title=safe_line(title), severity="error")
