"""Which endpoint and which model a new pane talks to."""

from collections.abc import Iterable

from textual.content import Content

from streamtui.config import EMBEDDED_DEMO_URL, Config, Endpoint
from streamtui.safe_text import safe_line
from streamtui.ui.screens.chooser import Choice, Chooser

NAME_CELLS = 14
MODEL_CELLS = 30


class NewPane(Chooser):
    """Answers `NAME/MODEL`. A model that no row has can be typed after the endpoint's name."""

    TITLE_WORDS = "new pane"
    PLACEHOLDER = "endpoint or endpoint/model"
    KEYS = (("↑↓", "choose"), ("enter", "open"), ("esc", "close"))

    def __init__(self, config: Config, here: Endpoint | None, open_now: Iterable[Endpoint]) -> None:
        self._config = config
        super().__init__(_choices(config, here, open_now))

    def matching(self, text: str) -> list[Choice]:
        """The rows that match, and what was typed itself when it names an endpoint."""
        found = super().matching(text.replace("/", " "))
        name, slash, model = text.strip().partition("/")
        typed = name in self._config.endpoints and slash and model
        if typed and all(choice.value != text.strip() for choice in found):
            found.append(_choice(self._config.endpoints[name], model, "as typed"))
        return found


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
