"""A run against a server that plays a fault, as its user sees it: state, notice, text, requests."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from streamtui.config import Endpoint, Timeouts
from streamtui.engine.doors import OpenSession, Send
from streamtui.engine.transport import AiohttpTransport
from streamtui.events import ErrorInfo, Event, RunCutOff, RunFailed
from streamtui.ui.document import Document
from streamtui.ui.state import AppState, PaneState, Phase, Toast, Turn, apply, toast_for
from tests import raw_http
from tests.faultserver import fault_server
from tests.scripted import EngineUnderTest

IMPATIENT = Timeouts(connect=5, first_token=0.4, idle=0.4)
"""For faults that are silence; everywhere else a busy machine would look like one."""
TOKEN = ["chunk", raw_http.TOKEN]
END = ["chunk", raw_http.END]
LAST_CHUNK = ["chunk", ""]
ANSWER: list[Any] = [["head"], TOKEN, END, LAST_CHUNK]

# Endpoint, cause, what was kept, and what to do if anything can be done.
_GRAMMAR = re.compile(
    r"(?s)(?P<endpoint>\S+): (?P<cause>.+)\."
    r" (?P<kept>[\d,]+ characters? kept|Nothing received)\.(?: (?P<action>.+)\.)?"
)
_CLASS_NAME = re.compile(r"\b\w+(?:Error|Exception|Disconnected|Warning)\b|Traceback")
_TOAST_CELLS = 3 * 72


class Outcome:
    """What the events of a session say to its user."""

    def __init__(
        self,
        events: Sequence[Event],
        *,
        hits: int = 0,
        port: int = 0,
        requests: Sequence[bytes] = (),
    ) -> None:
        self.events = list(events)
        self.hits = hits
        """How many requests the server saw."""
        self.port = port
        self.requests = list(requests)
        self.phases: list[Phase] = []
        self.toasts: list[Toast] = []
        self._state = AppState()
        for event in events:
            self._see(event)

    def _see(self, event: Event) -> None:
        apply(self._state, event)
        phase = self._state.panes[event.session_id].phase
        if not self.phases or self.phases[-1] != phase:
            self.phases.append(phase)
        toast = toast_for(event, self._state.panes[event.session_id])
        if toast is not None:
            self.toasts.append(toast)

    @property
    def pane(self) -> PaneState:
        [pane] = self._state.panes.values()
        return pane

    @property
    def turn(self) -> Turn:
        return self.pane.turns[-1]

    @property
    def error(self) -> ErrorInfo:
        end = self.events[-1].body
        assert isinstance(end, RunFailed | RunCutOff), end
        return end.error

    @property
    def toast(self) -> str:
        """The last notice; it says all that a notice about an end has to say, and no more."""
        message = self.toasts[-1].message
        check_grammar(message)
        return message

    def bodies(self, *kinds: type) -> list[Any]:
        """The bodies of the events of some kinds."""
        return [event.body for event in self.events if isinstance(event.body, kinds)]

    def rows(self, width: int = 160) -> list[str]:
        """The pane's text as it would be drawn."""
        return rows_of(self.pane, width)


def rows_of(pane: PaneState, width: int = 160) -> list[str]:
    """All rows of a session's document."""
    document = Document(pane)
    document.width = width
    document.sync(may_fold=True)
    return [row.text for row in document.rows_from(document.start(), 10_000)]


def check_grammar(message: str) -> None:
    """A notice names endpoint, cause, what was kept and what to do, in words for people."""
    match = _GRAMMAR.fullmatch(message)
    assert match, message
    assert match["endpoint"] == "mirror"
    assert match["cause"].strip()
    assert not _CLASS_NAME.search(message), message
    assert "?" not in match["cause"].partition("://")[2], message
    assert len(message) <= _TOAST_CELLS


def endpoint_at(base_url: str, **changes: Any) -> Endpoint:
    """An endpoint with the retries and limits that are usual."""
    return msgspec.structs.replace(Endpoint("mirror", "openai-chat", base_url, "m"), **changes)


async def ask(endpoint: Endpoint) -> list[Event]:
    """The events of one prompt over the real network, up to its end."""
    async with EngineUnderTest(AiohttpTransport()) as test:
        test.engine.execute(OpenSession("s", endpoint))
        test.engine.execute(Send("s", "r", "hi"))
        return list(await test.listener.run_ends())


async def play(
    steps: list[Any] | dict[str, list[Any]], *, keepalive: bool = False, **changes: Any
) -> Outcome:
    """One prompt to a server that plays these steps."""
    async with fault_server(steps, keepalive=keepalive) as server:
        events = await ask(endpoint_at(server.base_url, **changes))
        return Outcome(events, hits=server.hits, port=server.port, requests=server.requests)
