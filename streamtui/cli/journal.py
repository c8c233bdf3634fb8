"""The journal as commands use it: read beside an engine that runs, changed by that engine.

It is never held open while something is printed: whoever reads slowly would keep engines from it.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

from streamtui.cli.output import Trouble
from streamtui.safe_text import safe_line

if TYPE_CHECKING:
    from streamtui.engine.doors import DeleteRuns, PurgeHistory
    from streamtui.engine.journal.history import History
    from streamtui.engine.reports import RunList, RunSummary, SessionRecord, StoredRun

Found = TypeVar("Found")

BUSY_SECONDS = 5.0
"""How long another command, or an engine that just ends, may hold the journal."""
_RETRY_SECONDS = 0.05
_SHOWN_MATCHES = 5


def find_runs(text: str, limit: int) -> "RunList":
    """The newest runs that hold all words of `text`; none where nothing was ever kept."""
    from streamtui.engine.reports import RunList

    return _look_up(lambda history: history.runs(text, limit, None), RunList)


def find_summaries(beginnings: Sequence[str]) -> "list[RunSummary]":
    """The runs whose ids begin so, one for each. Raises Trouble for one that is not there."""
    return _look_up(
        lambda history: [_the_run(history, beginning) for beginning in beginnings],
        lambda: _refuse(beginnings[0]),
    )


def find_run(beginning: str) -> "StoredRun":
    """The run whose id begins so, as it happened."""
    return _look_up(lambda history: _stored(history, beginning), lambda: _refuse(beginning))


def find_conversation(beginning: str) -> "StoredRun | SessionRecord":
    """The session of a run up to that run; the run alone where nothing else is left."""
    return _look_up(
        lambda history: _conversation(history, _stored(history, beginning)),
        lambda: _refuse(beginning),
    )


def change(query: "DeleteRuns | PurgeHistory") -> None:
    """Remove runs, in the file and in the memory of an engine that keeps its history there."""
    deadline = time.monotonic() + BUSY_SECONDS
    while not _changed(query):
        if time.monotonic() > deadline:
            raise Trouble("another process writes to the history. Try again when it has ended.")
        time.sleep(_RETRY_SECONDS)


def _look_up(find: "Callable[[History], Found]", nothing: Callable[[], Found]) -> Found:
    """What `find` finds, or `nothing` where none was ever kept."""
    from streamtui.engine.journal import default_journal_path
    from streamtui.engine.journal.visit import reading
    from streamtui.errors import JournalError

    path = default_journal_path()
    try:
        if not path.exists():
            return nothing()
        with reading(path) as history:
            return find(history)
    except (JournalError, OSError) as error:
        raise _unusable(path, error) from error


def _the_run(history: "History", beginning: str) -> "RunSummary":
    found = history.beginning_with(beginning, _SHOWN_MATCHES + 1)
    if not found:
        raise _not_there(beginning)
    if len(found) > 1 and found[0].run_id != beginning:
        shown = ", ".join(run.run_id for run in found[:_SHOWN_MATCHES])
        more = ", …" if len(found) > _SHOWN_MATCHES else ""
        raise Trouble(
            f"several runs begin with “{safe_line(beginning, limit=40)}”: {shown}{more}. "
            "Give more of the id."
        )
    return found[0]


def _stored(history: "History", beginning: str) -> "StoredRun":
    run = history.run(_the_run(history, beginning).run_id)
    if run is None:
        raise _not_there(beginning)
    return run


def _conversation(history: "History", run: "StoredRun") -> "StoredRun | SessionRecord":
    session = history.session(run.summary.session_id)
    return (session and session.up_to(run.summary.run_id)) or run


def _refuse(beginning: str) -> NoReturn:
    raise _not_there(beginning)


def _not_there(beginning: str) -> Trouble:
    shown = safe_line(beginning, limit=40)
    return Trouble(f"no run begins with “{shown}”. `streamtui history` lists them.")


def _changed(query: "DeleteRuns | PurgeHistory") -> bool:
    """Whether it is done, here or by the engine."""
    from streamtui.cli.sessions import ask

    if _changed_here(query):
        # It may keep a history of its own; what it says of that is of no matter here.
        with suppress(Trouble):
            ask(query)
        return True
    return ask(query) is not None


def _changed_here(query: "DeleteRuns | PurgeHistory") -> bool:
    """Whether the file was ours to change, or is not there."""
    from streamtui.engine.doors import DeleteRuns
    from streamtui.engine.journal import default_journal_path
    from streamtui.engine.journal.visit import changing
    from streamtui.errors import JournalError

    path = default_journal_path()
    try:
        if not path.exists():
            return True
        with changing(path) as store:
            if store is None:
                return False
            if isinstance(query, DeleteRuns):
                store.delete_runs(query.run_ids)
            else:
                store.purge()
            return True
    except (JournalError, OSError) as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: Exception) -> Trouble:
    words = str(error)
    where = "" if str(path) in words else f"{path}: "
    return Trouble(f"the history cannot be used: {where}{words}.")
