"""A field of one line. Textual's own binds ctrl+a and lets what is pasted draw anything."""

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.widgets import Input

from streamtui.safe_text import safe_line

_EDITING = {
    "left": "cursor_left",
    "right": "cursor_right",
    "shift+left": "cursor_left(True)",
    "shift+right": "cursor_right(True)",
    "ctrl+left": "cursor_left_word",
    "ctrl+right": "cursor_right_word",
    "home": "home",
    "end,ctrl+e": "end",
    "backspace": "delete_left",
    "delete,ctrl+d": "delete_right",
    "ctrl+w,alt+backspace": "delete_left_word",
    "ctrl+u": "delete_left_all",
    "ctrl+k": "delete_right_all",
    "ctrl+v": "paste",
    "enter": "submit",
}
FIELD_BINDINGS: list[BindingType] = [
    Binding(keys, action, show=False) for keys, action in _EDITING.items()
]


def is_chord(event: events.Key) -> bool:
    """Whether a key is a command: Textual reports alt+z with the character z, as if typed."""
    return event.key.startswith(("alt+", "ctrl+"))


class LineInput(Input, inherit_bindings=False):
    """A field for a filter or a name."""

    BINDINGS: ClassVar[list[BindingType]] = FIELD_BINDINGS

    def __init__(self, placeholder: str, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(placeholder=placeholder, id=id, compact=True, select_on_focus=False)
        self.cursor_blink = False

    async def _on_key(self, event: events.Key) -> None:
        if is_chord(event):
            event.prevent_default()

    def _on_paste(self, event: events.Paste) -> None:
        event.prevent_default()
        event.stop()
        self.insert_text_at_cursor(safe_line(event.text.strip()))

    def action_paste(self) -> None:
        """Textual's own clipboard may hold an answer."""
        self.insert_text_at_cursor(safe_line(self.app.clipboard.strip()))
