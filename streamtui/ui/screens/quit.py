"""Asked before quitting while something streams."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from streamtui.ui.screens.dialog import Dialog


class QuitQuestion(Dialog[bool]):
    """Answers True for quit, None for stay."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,enter,ctrl+q,q", "quit_now", "Quit", show=False),
        Binding("n", "close", "Stay", show=False),
    ]
    TITLE_WORDS = "quit?"
    KEYS = (("y", "quit"), ("n", "stay"))

    def __init__(self, live: int) -> None:
        super().__init__()
        self._live = live

    def body(self) -> ComposeResult:
        """What would be lost."""
        yield Static(Content(self._question()))

    def action_quit_now(self) -> None:
        """Yes."""
        self.dismiss(True)

    def _question(self) -> str:
        match self._live:
            case 0:
                return "Nothing is streaming. Quit?"
            case 1:
                return "1 run is still going on. Quit and cancel it?"
            case live:
                return f"{live} runs are still going on. Quit and cancel them?"
