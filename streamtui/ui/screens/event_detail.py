"""One event as JSON, made safe to draw; nothing in it is followed or opened."""

import json
import re
from collections.abc import Callable, Iterator
from typing import ClassVar

import msgspec
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from streamtui.events import Event
from streamtui.safe_text import safe_line
from streamtui.ui.rows import Span, drawable
from streamtui.ui.screens.paper import Paper, PaperDialog, Paragraph

MOST_CHARS = 200_000
"""Wrapping more takes longer than one waits for a key; the rest is left out, and that is said."""

_TOKEN = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*")(?=:)|(?P<string>"(?:[^"\\]|\\.)*")|(?P<other>[^\s",\[\]{}:]+)'
)
_ROLES = {"key": "log-event", "string": "foreground", "other": "target-marked"}


class EventDetail(PaperDialog):
    """Everything that an event says."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,enter", "close", "Close", show=False),
        Binding("y", "copy", "Copy", show=False),
    ]
    KEYS = (("↑↓ pgup pgdn", "scroll"), ("y", "copy"), ("esc", "close"))

    def __init__(self, event: Event, copy: Callable[[str], None]) -> None:
        super().__init__()
        self._copy = copy
        self._json = event_json(event)
        self.TITLE_WORDS = safe_line(f"event {event.seq} {type(event.body).__name__}")

    def body(self) -> ComposeResult:
        """The JSON."""
        yield Paper(list(json_paragraphs(self._json)))

    def action_copy(self) -> None:
        """The JSON as it is; only what is drawn is made safe."""
        self._copy(self._json)


def event_json(event: Event) -> str:
    """An event as indented JSON, with the name of its body."""
    return json.dumps(msgspec.to_builtins(event), ensure_ascii=False, indent=2, default=str)


def json_paragraphs(text: str) -> Iterator[Paragraph]:
    """JSON with its keys, strings and other values told apart."""
    for line in text[:MOST_CHARS].split("\n"):
        yield _paragraph(drawable(line))
    if len(text) > MOST_CHARS:
        yield Paragraph([Span(f"… {len(text) - MOST_CHARS:,} characters are left out", "muted")])


def _paragraph(line: str) -> Paragraph:
    body = line.lstrip(" ")
    indent = Span(line[: len(line) - len(body)])
    spans, end = [], 0
    for match in _TOKEN.finditer(body):
        spans += [Span(body[end : match.start()], "muted")]
        spans += [Span(match[0], _ROLES[match.lastgroup or "other"])]
        end = match.end()
    spans.append(Span(body[end:], "muted"))
    return Paragraph(spans, (indent,), (Span(indent.text + "  "),))
