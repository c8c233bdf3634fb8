"""Queries about what was: what the journal is asked, and in what words it cannot answer."""

from typing import TYPE_CHECKING

from streamtui.engine.doors import (
    DeleteRuns,
    FindRuns,
    GetRun,
    GetSession,
    GetWorkspace,
    PurgeHistory,
    SaveWorkspace,
)
from streamtui.engine.reports import Answer, Done, NotFound
from streamtui.errors import JournalError, RunError

if TYPE_CHECKING:
    # Where nothing is kept, as in `streamtui run`, its import is time for nothing.
    from streamtui.engine.journal import Journal

PastQuery = (
    FindRuns | GetRun | GetSession | GetWorkspace | SaveWorkspace | DeleteRuns | PurgeHistory
)


async def look_up(query: PastQuery, journal: "Journal | None") -> Answer:
    """The journal's answer; NotFound with an error where there is no journal to ask."""
    if journal is None:
        return _none('no history is kept: history.keep = "off"')
    try:
        return await _look_up(query, journal)
    except JournalError as error:
        return _none(str(error))


async def _look_up(query: PastQuery, journal: "Journal") -> Answer:
    match query:
        case FindRuns(text=text, limit=limit, before=before):
            return await journal.read(lambda history: history.runs(text, limit, before))
        case GetRun(run_id=run_id):
            return await journal.read(lambda history: history.run(run_id)) or NotFound()
        case GetSession(session_id=session_id):
            return await journal.read(lambda history: history.session(session_id)) or NotFound()
        case GetWorkspace(name=name):
            return await journal.read(lambda history: history.workspace(name))
        case SaveWorkspace(name=name, desk=desk):
            await journal.save_workspace(name, desk)
        case DeleteRuns(run_ids=run_ids):
            await journal.delete(run_ids)
        case PurgeHistory():
            await journal.purge()
    return Done()


def _none(reason: str) -> NotFound:
    return NotFound(RunError(reason, kind="usage").info())
