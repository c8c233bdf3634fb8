"""The field under a pane in which one types what is looked for. Finds while it is typed."""

from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import Input

from streamtui.ui.line_input import FIELD_BINDINGS, LineInput
from streamtui.ui.pane import Pane


class SearchField(LineInput, inherit_bindings=False):
    """Goes when it is sent, given up or left; what was found stays set off unless given up."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *FIELD_BINDINGS,
        Binding("escape,ctrl+c", "give_up", show=False),
        Binding("down", "step(1)", show=False),
        Binding("up", "step(-1)", show=False),
    ]
    DEFAULT_CSS = """
    SearchField {
        height: 1;
    }
    """

    def __init__(self, pane: Pane) -> None:
        super().__init__("find in this pane")
        self._pane = pane

    async def open(self) -> None:
        """Show it and type into it."""
        await self._pane.mount(self, after=self._pane.transcript)
        self.focus(scroll_visible=False)

    @on(Input.Changed)
    def find(self, message: Input.Changed) -> None:
        """Show the first place at once."""
        message.stop()
        if message.value.strip():
            self._pane.transcript.find(message.value)
        else:
            self._pane.transcript.end_search()

    @on(Input.Submitted)
    async def send(self, message: Input.Submitted) -> None:
        """Back to the pane, where keys step through what was found."""
        message.stop()
        await self._leave()

    async def action_give_up(self) -> None:
        """Nothing is looked for any more."""
        self._pane.transcript.end_search()
        await self._leave()

    def action_step(self, by: int) -> None:
        """Another place, while one still types."""
        self._pane.transcript.find_next(by)

    async def on_blur(self) -> None:
        """Something else was clicked; a terminal that loses the focus comes back to it."""
        if self.app.app_focus and self.is_attached:
            await self.remove()

    async def _leave(self) -> None:
        self.screen.set_focus(self._pane, scroll_visible=False)
        await self.remove()
