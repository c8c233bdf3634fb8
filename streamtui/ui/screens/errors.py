"""All errors and warnings of this console, newest first."""

import time
from collections.abc import Mapping, Sequence

from textual.content import Content

from streamtui.event_words import describe
from streamtui.events import Event
from streamtui.safe_text import safe_line
from streamtui.ui.screens.chooser import Choice, Chooser

_GLYPHS = {"error": ("✗", "$state-failed"), "warning": ("↻", "$state-retry")}


class Errors(Chooser):
    """Answers the event's number, to be opened."""

    TITLE_WORDS = "errors"
    PLACEHOLDER = "type to narrow the list"
    KEYS = (("↑↓", "choose"), ("enter", "open as JSON"), ("esc", "close"))

    def __init__(self, events: Sequence[Event], names: Mapping[str, str]) -> None:
        super().__init__([_choice(event, names) for event in reversed(events)])

    def on_mount(self) -> None:
        """How many there are."""
        super().on_mount()
        self.say(self.TITLE_WORDS, str(len(self._choices)) if self._choices else "none so far")


def _choice(event: Event, names: Mapping[str, str]) -> Choice:
    description = describe(event.body)
    glyph, colour = _GLYPHS.get(description.severity, ("·", "$muted"))
    at = time.strftime("%H:%M:%S", time.localtime(event.time))
    name = safe_line(names.get(event.session_id, "closed"), limit=30)
    words = safe_line(description.words, limit=400)
    label = Content.assemble(
        (f"{at} ", "$log-time"), (f"{glyph} ", colour), (f"{name}  ", "bold"), words
    )
    return Choice(label, f"{name} {words}".lower(), str(event.seq))
