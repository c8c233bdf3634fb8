"""Asked before quitting while something streams."""

from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from streamtui.ui.screens.dialog import Dialog

Choice = Literal["quit", "detach"]


class QuitQuestion(Dialog[Choice]):
    """Answers how to leave, None for stay. `can_detach`: what runs can go on without us."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,enter,ctrl+q,q", "leave('quit')", "Quit", show=False),
        Binding("d", "leave('detach')", "Detach", show=False),
        Binding("n", "close", "Stay", show=False),
    ]
    TITLE_WORDS = "quit?"

    def __init__(self, live: int, *, can_detach: bool) -> None:
        super().__init__()
        self._live = live
        self._can_detach = can_detach
        detach = (("d", "detach, they go on"),) if can_detach and live else ()
        self.KEYS = (("y", "quit"), *detach, ("n", "stay"))

    def body(self) -> ComposeResult:
        """What would be lost."""
        yield Static(Content(self._question()))

    def action_leave(self, how: Choice) -> None:
        """Yes, or yes but."""
        if how == "quit" or self._can_detach:
            self.dismiss(how)

    def _question(self) -> str:
        match self._live:
            case 0:
                return "Nothing is streaming. Quit?"
            case 1:
                return "1 run is still going on. Quit and cancel it?"
            case live:
                return f"{live} runs are still going on. Quit and cancel them?"
