"""The models of an endpoint, asked of the endpoint itself, to open a pane with."""

from collections.abc import Awaitable, Callable, Sequence

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from streamtui.config import Endpoint
from streamtui.engine.reports import ModelList
from streamtui.events import ErrorInfo
from streamtui.safe_text import safe_line
from streamtui.ui.screens.chooser import Choice, Chooser

AskModels = Callable[[Endpoint], Awaitable[ModelList]]
"""Never raises for what the endpoint or the engine does: the list says why it is empty."""


class ModelChooser(Chooser):
    """A list to which endpoints add their models when they are asked."""

    AROUND = 6

    def __init__(self, choices: Sequence[Choice], ask: AskModels) -> None:
        super().__init__(choices)
        self._ask = ask

    def body(self) -> ComposeResult:
        """The list, and below it why there is none."""
        yield from super().body()
        yield Static(classes="problem")

    def ask_for_models(self, endpoint: Endpoint) -> None:
        """Ask; what is asked last is what is shown."""
        self._show_problem(None)
        self.say(self.TITLE_WORDS, f"asking {safe_line(endpoint.name, 40)} …", role="state-waiting")
        self.run_worker(self._take_models(endpoint), group="models", exclusive=True)

    def show_models(self, endpoint: Endpoint, models: Sequence[str]) -> None:
        """Offer what the endpoint said."""
        raise NotImplementedError

    async def _take_models(self, endpoint: Endpoint) -> None:
        found = await self._ask(endpoint)
        if found.error is not None:
            self.say(self.TITLE_WORDS, safe_line(found.error.message, 200), role="state-failed")
            self._show_problem(found.error)
            return
        count = len(found.models)
        plural = "" if count == 1 else "s"
        self.say(self.TITLE_WORDS, f"{count} model{plural} of {safe_line(endpoint.name, 40)}")
        self.show_models(endpoint, found.models)

    def _show_problem(self, error: ErrorInfo | None) -> None:
        place = self.query_one(".problem", Static)
        place.display = error is not None
        if error is not None:
            words = safe_line(error.words, 300)
            place.update(Content.styled(f"✗ {words}", "$state-failed"))


class Models(ModelChooser):
    """Answers `NAME/MODEL`. A model that the list lacks can be typed."""

    TITLE_WORDS = "choose a model"
    PLACEHOLDER = "type to narrow the list, or a model"
    KEYS = (("↑↓", "choose"), ("enter", "open a pane"), ("esc", "close"))

    def __init__(self, endpoint: Endpoint, ask: AskModels) -> None:
        super().__init__([], ask)
        self._endpoint = endpoint

    def on_mount(self) -> None:
        """Ask at once."""
        super().on_mount()
        self.ask_for_models(self._endpoint)

    def show_models(self, endpoint: Endpoint, models: Sequence[str]) -> None:
        """One row for each, in the endpoint's order."""
        notes = {endpoint.model: "its own"}
        self.put([self._choice(model, notes.get(model, "")) for model in models])

    def matching(self, text: str) -> list[Choice]:
        """The rows that match, and what was typed itself."""
        found = super().matching(text)
        typed = self._choice(text.strip(), "as typed")
        if text.strip() and all(choice.value != typed.value for choice in found):
            found.append(typed)
        return found

    def _choice(self, model: str, note: str) -> Choice:
        label = Content.assemble(safe_line(model, 80), (f"  {note}", "$muted"))
        return Choice(label, model.lower(), f"{self._endpoint.name}/{model}")
