"""The event log in its frame, with a field for its filter."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from streamtui.events import Event
from streamtui.ui.box import Box
from streamtui.ui.commands import Where, bindings_for
from streamtui.ui.event_log import EventLog
from streamtui.ui.line_input import FIELD_BINDINGS, LineInput


class FilterField(LineInput, inherit_bindings=False):
    """What the log is narrowed to, applied while it is typed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *FIELD_BINDINGS,
        Binding("escape,ctrl+c", "clear", show=False),
    ]

    def action_clear(self) -> None:
        """No filter."""
        self.value = ""
        self.post_message(self.Submitted(self, ""))


class LogBox(Box):
    """Every event of every session. Its keys work while the log itself has the focus."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(Where.LOG)]

    def __init__(self) -> None:
        super().__init__(id="log-box")
        self.log_view = EventLog()
        self.field = FilterField("text  session:2  event:on_llm_*  !not  ?mark", id="log-filter")
        self.field.display = False

    def compose(self) -> ComposeResult:
        """The field above the rows."""
        yield self.field
        yield self.log_view

    def append(self, events: Sequence[Event], numbers: Callable[[str], int | None]) -> None:
        """Add events; kept also while the log is hidden."""
        self.log_view.append(events, numbers)
        self.update_border()

    def update_border(self) -> None:
        """Filter and count in the border."""
        if self.display:
            text = self.log_view.border_text()
            self.set_top(([(" ", "muted"), *text.left], list(text.right)))

    def ask_filter(self) -> None:
        """Show the field and type into it."""
        self.field.display = True
        self.field.focus()

    @on(Input.Changed)
    def narrow(self, message: Input.Changed) -> None:
        """Show only what matches."""
        message.stop()
        self.log_view.set_filter(message.value)
        self.update_border()

    @on(Input.Submitted)
    def leave_field(self, message: Input.Submitted) -> None:
        """Back to the rows; the filter stays in the border."""
        message.stop()
        self.field.display = False
        self.log_view.focus()

    @on(EventLog.PositionChanged)
    def show_position(self, message: EventLog.PositionChanged) -> None:
        """The log was scrolled, paused or let go on."""
        message.stop()
        self.update_border()

    def on_descendant_focus(self) -> None:
        """The border shows where the keys go."""
        self.border_role = "pane-border-focus"
        self.set_class(True, "-current")
        self.refresh()

    def on_descendant_blur(self) -> None:
        """The keys go elsewhere."""
        self.border_role = "pane-border"
        self.set_class(False, "-current")
        self.refresh()

    def on_resize(self) -> None:
        """The border has another room."""
        self.update_border()
