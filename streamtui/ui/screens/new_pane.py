"""Which endpoint and which model a new pane talks to."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content

from streamtui.config import EMBEDDED_DEMO_URL, Config, Endpoint
from streamtui.safe_text import safe_line
from streamtui.ui.line_input import LineInput
from streamtui.ui.screens.chooser import Choice
from streamtui.ui.screens.models import AskModels, ModelChooser

NAME_CELLS = 14
MODEL_CELLS = 30


class NewPane(ModelChooser):
    """Answers `NAME/MODEL`. A model that no row has can be typed after the endpoint's name."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+o", "ask_marked", show=False)]
    TITLE_WORDS = "new pane"
    PLACEHOLDER = "endpoint or endpoint/model"
    KEYS = (("↑↓", "choose"), ("enter", "open"), ("ctrl+o", "all its models"), ("esc", "close"))

    def __init__(
        self,
        config: Config,
        here: Endpoint | None,
        open_now: Iterable[Endpoint],
        ask: AskModels,
        *,
        private: bool = False,
    ) -> None:
        if private:
            self.TITLE_WORDS = "new private pane"
        self._config = config
        open_now = list(open_now)
        self._known = {each.name: each for each in (*open_now, *config.endpoints.values())}
        super().__init__(_choices(config, here, open_now), ask)

    def matching(self, text: str) -> list[Choice]:
        """The rows that match, and what was typed itself when it names an endpoint."""
        name, slash, model = text.strip().partition("/")
        if not slash or name not in self._config.endpoints:
            return super().matching(text.replace("/", " "))
        rows = super().matching(f"{name} {model}")
        found = [choice for choice in rows if choice.value.partition("/")[0] == name]
        if model:
            typed = self._config.endpoint(text.strip())
            choice = _choice(typed, typed.model, "as typed")
            found += [choice] if all(choice.value != each.value for each in found) else []
        return found

    def action_ask_marked(self) -> None:
        """All models of the endpoint whose row is marked."""
        if self.marked is not None:
            self.ask_for_models(self._known[self.marked.value.partition("/")[0]])

    def show_models(self, endpoint: Endpoint, models: Sequence[str]) -> None:
        """Rows for those that are not there yet; the list is narrowed to this endpoint's."""
        rows = {choice.value: choice for choice in self._choices}
        for model in models:
            rows.setdefault(_spec(endpoint, model), _choice(endpoint, model, ""))
        self.put(list(rows.values()))
        field = self.query_one(LineInput)
        if not field.value.startswith(f"{endpoint.name}/"):
            field.value = f"{endpoint.name}/"
            field.cursor_position = len(field.value)


def _choices(config: Config, here: Endpoint | None, open_now: Iterable[Endpoint]) -> list[Choice]:
    rows: dict[str, Choice] = {}
    if here is not None:
        rows[_spec(here, here.model)] = _choice(here, here.model, "as this pane")
    for endpoint in config.endpoints.values():
        rows.setdefault(
            _spec(endpoint, endpoint.model), _choice(endpoint, endpoint.model, _note(endpoint))
        )
        for model in _known_models(endpoint):
            rows.setdefault(_spec(endpoint, model), _choice(endpoint, model, ""))
    for endpoint in open_now:
        rows.setdefault(
            _spec(endpoint, endpoint.model), _choice(endpoint, endpoint.model, "open now")
        )
    return list(rows.values())


def _known_models(endpoint: Endpoint) -> Iterable[str]:
    if endpoint.base_url != EMBEDDED_DEMO_URL:
        return ()
    # Only when somebody asks: the demo's scripts are not needed for anything else here.
    from streamtui.demo.scripts import MODELS

    return MODELS


def _choice(endpoint: Endpoint, model: str, note: str) -> Choice:
    name = safe_line(endpoint.name, limit=40)
    shown_model = safe_line(model, limit=60) or "(its own model)"
    label = Content.assemble(
        (f"{name:<{NAME_CELLS}} ", "bold"), f"{shown_model:<{MODEL_CELLS}} ", (note, "$muted")
    )
    search = f"{endpoint.name} {model}".lower()
    return Choice(label, search, _spec(endpoint, model))


def _note(endpoint: Endpoint) -> str:
    if endpoint.key_source and endpoint.api_key is None:
        return f"no key in {safe_line(endpoint.key_source, limit=50)}"
    return ""


def _spec(endpoint: Endpoint, model: str) -> str:
    return f"{endpoint.name}/{model}" if model else endpoint.name
