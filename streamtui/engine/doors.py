"""The three doors of the engine: commands, queries and one subscription.

All that a face (console, command line, library) can see. A command is a struct, so that it can
cross a thread or a socket; a face never learns which of the two it did.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from typing import Protocol, TypeVar

from msgspec import Struct

from streamtui.config import Endpoint
from streamtui.engine.reports import (
    Answer,
    ModelList,
    NotFound,
    ProbeReport,
    Transcript,
    Unanswered,
)
from streamtui.errors import RunError
from streamtui.events import ErrorInfo, Event, Message
from streamtui.ids import new_id


class RunContext(Struct, frozen=True):
    """What a caller says about a run: it is carried in RunStarted and never sent anywhere."""

    name: str = ""
    tags: tuple[str, ...] = ()
    metadata: dict[str, object] = {}
    parent_ids: tuple[str, ...] = ()


class OpenSession(Struct, frozen=True, tag=True):
    session_id: str
    endpoint: Endpoint
    messages: tuple[Message, ...] = ()
    """Turns that came before: a conversation that is reopened or forked goes on from here."""
    private: bool = False
    """Nothing of it is kept on disk."""


class Send(Struct, frozen=True, tag=True):
    session_id: str
    run_id: str
    prompt: str
    context: RunContext = RunContext()


class Retry(Struct, frozen=True, tag=True):
    """Ask the last prompt of a session again, without the answer that it got."""

    session_id: str
    run_id: str


class Cancel(Struct, frozen=True, tag=True):
    """End the run in progress; prompts queued behind it then take their turn."""

    session_id: str


class CancelAll(Struct, frozen=True, tag=True):
    """End all runs of all sessions, queued ones too."""


class CloseSession(Struct, frozen=True, tag=True):
    session_id: str


Command = OpenSession | Send | Retry | Cancel | CancelAll | CloseSession


class GetTranscript(Struct, frozen=True, tag=True):
    session_id: str


class ListModels(Struct, frozen=True, tag=True):
    endpoint: Endpoint


class Probe(Struct, frozen=True, tag=True):
    endpoint: Endpoint


class ListSessions(Struct, frozen=True, tag=True):
    """The sessions that are open now, whoever opened them."""


class EndSessions(Struct, frozen=True, tag=True):
    """End sessions and what runs in them; answered once they are closed."""

    session_ids: tuple[str, ...]


class FindRuns(Struct, frozen=True, tag=True):
    """A page of the history: runs that hold all words of `text`, newest first."""

    text: str = ""
    limit: int = 50
    before: int | None = None
    """The key of the last run of the page before."""


class GetRun(Struct, frozen=True, tag=True):
    run_id: str
    """Or its beginning."""


class GetSession(Struct, frozen=True, tag=True):
    session_id: str


class GetWorkspace(Struct, frozen=True, tag=True):
    name: str


class SaveWorkspace(Struct, frozen=True, tag=True):
    """Keep what a console shows, in its own words, in the place of what was kept before."""

    name: str
    desk: bytes


class DeleteRuns(Struct, frozen=True, tag=True):
    run_ids: tuple[str, ...]


class PurgeHistory(Struct, frozen=True, tag=True):
    """Delete all that does not stream any more, from the file itself."""


Query = (
    GetTranscript
    | ListModels
    | Probe
    | ListSessions
    | EndSessions
    | FindRuns
    | GetRun
    | GetSession
    | GetWorkspace
    | SaveWorkspace
    | DeleteRuns
    | PurgeHistory
)

AnswerT = TypeVar("AnswerT", bound=Answer)


def engine_ended(why: str = "") -> ErrorInfo:
    """What they are told who wait for an engine that is gone; `why` where that is known."""
    words, hint = "the engine has ended", "Start streamtui again"
    if why:
        words, hint = f"{words}: {why}", f"{hint}; if it stays so, its log says more"
    return RunError(words, kind="bug", hint=hint).info()


class Subscription(Protocol):
    """Events on their way to one subscriber. Bounded: chunks of a run are merged, never lost."""

    merged: int
    """How many chunks were merged into others because the subscriber lagged."""

    def drain(self) -> list[Event]:
        """All events that came since the last call, in order; callable from any thread."""

    def close(self) -> None:
        """Stop listening."""


class Doors(ABC):
    """The engine as its faces see it. Commands return at once, from any thread."""

    @abstractmethod
    def execute(self, command: Command) -> None:
        """Hand a command over. What comes of it arrives as events; commands keep their order."""

    @abstractmethod
    def subscribe(
        self,
        wake: Callable[[], object],
        *,
        session_ids: Collection[str] | None = None,
        from_start: bool = False,
    ) -> Subscription:
        """Listen to all events, or to those of some sessions, from this moment on.

        With `from_start` the events come first that made the open sessions what they are; chunks
        among them are merged.

        `wake` is called from the engine's thread when events wait, once until the next `drain`; it
        must return at once.
        """

    @abstractmethod
    async def ask(self, query: Query) -> Answer:
        """Find something out; the answer fits the query, or is Unanswered."""

    @abstractmethod
    def close(self) -> None:
        """End all runs and wait until their connections are closed."""

    def leave(self, *, keep_runs: bool) -> None:  # noqa: ARG002 - only some engines outlive us
        """Go; what runs goes on if it is to be kept and the engine can. Blocks for a moment."""
        self.close()

    def open_session(self, endpoint: Endpoint, messages: tuple[Message, ...] = ()) -> str:
        """Start a conversation with an endpoint; returns the session's id."""
        session_id = new_id()
        self.execute(OpenSession(session_id, endpoint, messages))
        return session_id

    def send(self, session_id: str, prompt: str, context: RunContext | None = None) -> str:
        """Ask; a prompt sent while an answer streams is queued. Returns the run's id."""
        run_id = new_id()
        self.execute(Send(session_id, run_id, prompt, context or RunContext()))
        return run_id

    def retry(self, session_id: str) -> str:
        """Ask the last prompt again; returns the new run's id."""
        run_id = new_id()
        self.execute(Retry(session_id, run_id))
        return run_id

    def cancel(self, session_id: str) -> None:
        """End the run in progress of a session; what it received is kept."""
        self.execute(Cancel(session_id))

    def cancel_all(self) -> None:
        """End all runs of all sessions."""
        self.execute(CancelAll())

    def close_session(self, session_id: str) -> None:
        """End a session and its runs."""
        self.execute(CloseSession(session_id))

    async def transcript(self, session_id: str) -> tuple[Message, ...]:
        """The turns of a session that would be sent with its next prompt; none if it is gone."""
        answer = await self.ask(GetTranscript(session_id))
        return answer.messages if isinstance(answer, Transcript) else ()

    async def find(self, query: Query, kind: type[AnswerT]) -> AnswerT | None:
        """The answer to a query, of the kind that fits it, or None where there is none.

        Raises RunError when the engine cannot answer.
        """
        answer = await self.ask(query)
        if isinstance(answer, NotFound) and answer.error is None:
            return None
        return _expected(answer, kind)

    async def models(self, endpoint: Endpoint) -> ModelList:
        """The models that an endpoint lists. Raises RunError when the engine cannot answer."""
        return _expected(await self.ask(ListModels(endpoint)), ModelList)

    async def probe(self, endpoint: Endpoint) -> ProbeReport:
        """Go the way to an endpoint once, up to its first token, and time each stage.

        Costs a few tokens at the endpoint. Nothing of it appears in the subscription. Raises
        RunError when the engine cannot answer.
        """
        return _expected(await self.ask(Probe(endpoint)), ProbeReport)


def _expected(answer: Answer, kind: type[AnswerT]) -> AnswerT:
    if isinstance(answer, kind):
        return answer
    error = answer.error if isinstance(answer, Unanswered | NotFound) else None
    if error is None:
        raise RunError("a bug in streamtui", kind="bug")
    raise RunError(error.message, kind=error.kind, hint=error.hint)
