"""What `streamtui watch` prints: events, one a line. What was printed is forgotten."""

from collections.abc import Callable, Iterator

from streamtui.cli.outcome import Answer
from streamtui.cli.output import Output, json_line
from streamtui.engine.dialects.base import parse_json
from streamtui.engine.dialects.sse import event_text
from streamtui.events import Body, Chunk, Event, RunEnd, ServerEvent, TextDelta
from streamtui.safe_text import safe_line

Lines = Callable[[Output, Chunk], Iterator[str]]
"""What an output gets of a chunk, each line with its end."""


class Listener(Answer):
    """An answer of which nothing is kept: a stream of events may never end."""

    def apply(self, body: Body) -> str:
        if isinstance(body, RunEnd):
            self.end = body
        return ""


class LinePrinter:
    """Lines as their chunks come, up to a limit."""

    def __init__(self, output: Output, lines: Lines, limit: int | None) -> None:
        self._output = output
        self._lines = lines
        self._left = limit

    def feed(self, answer: Answer, event: Event, text: str) -> None:  # noqa: ARG002
        if answer.enough or not isinstance(event.body, Chunk):
            return
        for line in self._lines(self._output, event.body):
            self._output.put(line)
            if self._left is not None:
                self._left -= 1
                if not self._left:
                    answer.enough = True
                    return


def shown_events(output: Output, chunk: Chunk) -> Iterator[str]:
    """Each event as its type and data. On a terminal on one line, else with its own line ends."""
    texts = [event_text(event.event, event.data) for event in _events(chunk)]
    if not texts:
        # What is no event is something else that the server sent in its place.
        texts = [d.text.removesuffix("\n") for d in chunk.deltas if isinstance(d, TextDelta)]
    for text in texts:
        yield (safe_line(text) if output.is_terminal else text) + "\n"


def json_events(output: Output, chunk: Chunk) -> Iterator[str]:
    """Each event as an object."""
    for event in _events(chunk):
        fields = {"event": event.event, "id": event.id, "data": event.data}
        yield json_line(fields, is_terminal=output.is_terminal)


def own_events(output: Output, chunk: Chunk) -> Iterator[str]:
    """Each event of LangChain as the dictionary that it is."""
    for event in _events(chunk):
        yield json_line(parse_json(event.data), is_terminal=output.is_terminal)


def _events(chunk: Chunk) -> list[ServerEvent]:
    return [delta for delta in chunk.deltas if isinstance(delta, ServerEvent)]
