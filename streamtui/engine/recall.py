"""What happened in the sessions that are open, in as few events as say it: for a face that comes
later. Pure; used on the engine's loop only.
"""

from collections.abc import Collection

from msgspec import structs

from streamtui.engine.merge import Pile
from streamtui.events import (
    Chunk,
    Event,
    JournalResumed,
    JournalStopped,
    KeepAliveReceived,
    RunStarted,
    SessionClosed,
)

_Kept = Event | Pile


class Recall:
    """Takes every event once, in order."""

    def __init__(self) -> None:
        self._sessions: dict[str, list[_Kept]] = {}
        self._journal: Event | None = None
        """That nothing can be saved, while that is so."""

    def note(self, event: Event) -> None:
        """Remember an event, or forget a session that was closed."""
        if not event.session_id:
            self._note_journal(event)
            return
        if isinstance(event.body, SessionClosed):
            self._sessions.pop(event.session_id, None)
            return
        kept = self._sessions.setdefault(event.session_id, [])
        match event.body:
            case KeepAliveReceived():
                pass
            case Chunk() as chunk:
                newest = kept[-1] if kept else None
                # A session has one run at a time: nothing of another one comes between.
                if isinstance(newest, Pile) and newest.run_id == event.run_id:
                    newest.add(chunk)
                else:
                    kept.append(Pile(event, chunk))
            case RunStarted() as started if any(_starts(earlier) for earlier in kept):
                # What came before it is remembered as the runs that it came in.
                alone = structs.replace(started, messages=started.messages[-1:])
                kept.append(structs.replace(event, body=alone))
            case _:
                kept.append(event)

    def _note_journal(self, event: Event) -> None:
        match event.body:
            case JournalStopped():
                self._journal = event
            case JournalResumed():
                self._journal = None

    def events(self, session_ids: Collection[str] | None = None) -> list[Event]:
        """All that is remembered, of some sessions only if they are named, in its order."""
        chosen = self._sessions if session_ids is None else session_ids
        found = [_event(kept) for name in chosen for kept in self._sessions.get(name, ())]
        if self._journal is not None and session_ids is None:
            found.append(self._journal)
        return sorted(found, key=lambda event: event.seq)


def _starts(kept: _Kept) -> bool:
    return isinstance(kept, Event) and isinstance(kept.body, RunStarted)


def _event(kept: _Kept) -> Event:
    return kept.event() if isinstance(kept, Pile) else kept
