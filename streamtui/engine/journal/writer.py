"""The thread that writes the journal: everything that happens, at most a tick later.

Never holds up who publishes. Where the disk refuses, what is to be written waits in memory. Only
closing ends it: what fails, even through a bug, is told and tried again.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from streamtui.engine.bus import Bus
from streamtui.engine.journal.backlog import Backlog
from streamtui.engine.journal.files import WriterLock
from streamtui.engine.journal.intake import Arrivals, Intake
from streamtui.engine.journal.ledger import Ledger, Recorded
from streamtui.engine.journal.reader import Reader
from streamtui.engine.journal.refusals import words_for
from streamtui.engine.journal.store import Damage, Store, is_damage, open_store
from streamtui.errors import JournalError
from streamtui.events import Body, JournalReplaced, JournalResumed, JournalStopped

TICK_SECONDS = 0.1
"""The longest that something waits to be written; a killed process loses no more than that."""
SLOW_TICK_SECONDS = 1.0
"""The same while nothing can be written: what waits takes less memory in larger pieces."""
SYNC_SECONDS = 5.0
"""The longest that something written waits to survive a power failure too."""
RETRY_SECONDS = 5.0

logger = logging.getLogger(__name__)


class _Job(NamedTuple):
    work: Callable[[Store], Any]
    done: "Future[Any]"


class Writer:
    """Used by the Journal. `tell` takes what is to be known of it; called from its thread.

    `path` None keeps everything in memory.
    """

    def __init__(self, path: Path | None, bus: Bus, tell: Callable[[Body], None]) -> None:
        self._path = path
        self._bus = bus
        self._tell_anybody = tell
        self._lock = WriterLock(path) if path else None
        self._store: Store | None = None
        self._ledger = Ledger()
        self._backlog = Backlog()
        self._rescued: list[Recorded] = []
        self._failure: JournalStopped | None = None
        self._damage = ""
        self._not_before = self._pack_not_before = 0.0
        self._synced = self._turned = time.monotonic()
        self._dirty = False
        self._saved = False
        self._changed = threading.Condition()
        self._woken = self._urgent = self._closing = False
        self._suspected: tuple[Reader, sqlite3.Error] | None = None
        self._barriers: list[Future[bool]] = []
        self._jobs: list[_Job] = []
        self._intake = Intake(self._wake)
        bus.attach(self._intake)
        self._thread = threading.Thread(target=self._work, name="streamtui journal", daemon=True)
        self._thread.start()

    @property
    def is_failing(self) -> bool:
        """Whether something waits that cannot be written."""
        return self._failure is not None

    @property
    def reader(self) -> Reader | None:
        """For asking what is in the file; None while there is none, or none that is ours."""
        store = self._store
        return store.reader if store else None

    def when_durable(self) -> "Future[bool]":
        """Whether all that was published before is on disk for good; False where it cannot be."""
        saved: Future[bool] = Future()
        with self._changed:
            if self._closing or self._failure:
                saved.set_result(False)
                return saved
            self._barriers.append(saved)
            self._urgent = True
            self._changed.notify()
        return saved

    def submit(self, work: Callable[[Store], Any]) -> "Future[Any]":
        """Do something with the database, after what was published before.

        The future raises JournalError where there is no database, else what the work raises.
        """
        job = _Job(work, Future())
        with self._changed:
            if self._closing:
                job.done.set_exception(JournalError("the journal is closed"))
                return job.done
            self._jobs.append(job)
            self._urgent = True
            self._changed.notify()
        return job.done

    def suspect(self, reader: Reader, error: sqlite3.Error) -> None:
        """Somebody who read found damage."""
        with self._changed:
            self._suspected = reader, error
            self._urgent = True
            self._changed.notify()

    def close(self, seconds: float) -> bool:
        """Write what waits and leave the file; waits for it so long. Whether all is saved."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(seconds)
        return self._saved

    def _wake(self) -> None:
        with self._changed:
            self._woken = True
            self._changed.notify()

    # What follows runs on the writer's own thread.

    def _work(self) -> None:
        try:
            while not self._closing:
                self._turn()
                self._rest()
            self._turn()
        except Exception as bug:  # noqa: BLE001
            self._fail_through(bug)
        finally:
            self._leave()

    def _turn(self) -> None:
        """Take what came, write it, answer who waits for it, and use what time is left."""
        self._turned = time.monotonic()
        with self._changed:
            # Who comes after this has published what is not taken below.
            barriers, self._barriers = self._barriers, []
            jobs, self._jobs = self._jobs, []
        saved = False
        try:
            self._take()
            self._write_all(durably=bool(barriers) or self._closing)
            saved = self._failure is None
        except Exception as bug:  # noqa: BLE001
            self._fail_through(bug)
        for barrier in barriers:
            _settle(barrier, saved)
        try:
            for job in jobs:
                self._do(job)
            self._pack()
        except Exception as bug:  # noqa: BLE001
            self._fail_through(bug)
        for job in jobs:
            _refuse(job, JournalError("a bug in streamtui"))

    def _leave(self) -> None:
        with self._changed:
            self._closing = True
        self._bus.detach(self._intake)
        for barrier in self._barriers:
            _settle(barrier, False)
        for job in self._jobs:
            _refuse(job, JournalError("the journal is closed"))
        self._saved = not (self._backlog or self._backlog.lost)
        try:
            if self._store is not None:
                self._store.close()
        finally:
            if self._lock is not None:
                self._lock.free()

    def _rest(self) -> None:
        """Until something came and the tick is over, or something else is due."""
        tick = min(SLOW_TICK_SECONDS, RETRY_SECONDS) if self._failure else TICK_SECONDS
        with self._changed:
            self._changed.wait_for(lambda: self._woken or self._urgent or self._closing, self._due)
            pause = self._turned + tick - time.monotonic()
            if pause > 0:
                self._changed.wait_for(lambda: self._urgent or self._closing, pause)
            self._woken = self._urgent = False

    @property
    def _due(self) -> float | None:
        """Seconds until there is something to do although nothing comes; None for never."""
        if self._failure or self._store is None:
            return max(0.0, self._not_before - time.monotonic())
        packing = self._store.packing.due_in()
        waits = [] if packing is None else [max(packing, self._pack_not_before - time.monotonic())]
        if self._dirty:
            waits.append(self._synced + SYNC_SECONDS - time.monotonic())
        return max(0.0, min(waits)) if waits else None

    def _take(self) -> None:
        arrivals = self._intake.drain()
        self._backlog.lost += arrivals.lost
        if arrivals.values:
            self._enter(arrivals)
        stopped = self._failure
        if stopped and self._backlog.lost > 2 * stopped.lost:
            self._stopped(stopped.reason, stopped.hint)

    def _enter(self, arrivals: Arrivals) -> None:
        try:
            tick = self._ledger.tick(arrivals)
        except Exception:
            self._backlog.lost += arrivals.size()
            raise
        if tick.facts or tick.events:
            self._backlog.add(tick)

    def _write_all(self, *, durably: bool) -> None:
        if self._turned < self._not_before and not self._closing:
            return
        # A damaged file is put aside, and a new one is begun at once.
        if not (self._try_to_write(durably=durably) or self._try_to_write(durably=durably)):
            self._fail("one file after the other is damaged", "Check the disk")

    def _try_to_write(self, *, durably: bool) -> bool:
        """Whether the file is no worse for it, written or not."""
        try:
            self._look_after_file()
            store = self._store or self._open()
            if store is not None:
                self._write(store, durably=durably)
                self._recover()
        except (JournalError, OSError, sqlite3.Error, MemoryError) as error:
            return self._take_refusal(error)
        return True

    def _write(self, store: Store, *, durably: bool) -> None:
        durably = durably or self._backlog.promised
        while self._backlog:
            batch = self._backlog.batch()
            self._backlog.lost += store.write(batch, durably=durably)
            self._backlog.drop(len(batch))
            self._dirty = True
            if durably:
                self._note_sync()
        self._ledger.settle()
        if self._dirty and (durably or time.monotonic() - self._synced >= SYNC_SECONDS):
            store.make_durable()
            self._note_sync()

    def _note_sync(self) -> None:
        self._dirty, self._synced = False, time.monotonic()

    def _do(self, job: _Job) -> None:
        if not job.done.set_running_or_notify_cancel():
            return
        if self._store is None:
            _refuse(job, JournalError(self._failure.reason if self._failure else self._damage))
            return
        try:
            job.done.set_result(job.work(self._store))
        except Exception as error:  # noqa: BLE001
            _refuse(job, error)
            self._take_if_damage(error)

    def _pack(self) -> None:
        store = self._store
        if store is None or self._failure or self._turned < self._pack_not_before:
            return
        try:
            store.packing.work()
        except (sqlite3.Error, MemoryError) as error:
            # All of it is saved, only not put in order.
            logger.warning("the journal cannot be packed for now: %s", error)
            self._pack_not_before = time.monotonic() + RETRY_SECONDS
            self._take_if_damage(error)

    def _open(self) -> Store | None:
        """The database, if it can be had now, told of all that is under way."""
        if not self._is_ours():
            self._fail("another streamtui writes to it", "It is tried again")
            return None
        store = self._opened()
        self._damage = ""
        under_way = self._ledger.unsettled()._replace(recorded=self._rescued)
        if under_way.facts:
            self._backlog.put_first(under_way)
        self._rescued = []
        self._store = store
        return store

    def _opened(self) -> Store:
        if self._path is None or self._lock is None:
            return Store(None)
        return open_store(
            self._path,
            on_damage=self._tell_damage,
            same_boot=self._lock.same_boot,
            damaged=self._damage,
        )

    def _is_ours(self) -> bool:
        if self._lock is None or self._path is None:
            return True
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self._lock.take()

    def _look_after_file(self) -> None:
        """Raises sqlite3.Error where somebody found damage in it."""
        with self._changed:
            suspected, self._suspected = self._suspected, None
        if self._store is None:
            return
        if suspected and suspected[0] is self._store.reader:
            raise suspected[1]
        if self._store.is_in_place():
            return
        # Nobody will find what is written to a file that was moved away or removed.
        self._fail("its file was taken away", "A new one is begun")
        self._give_up()
        if self._lock is not None:
            self._lock.free()

    def _give_up(self) -> None:
        """Leave the file as it is; what it has of what goes on is for the next one."""
        if self._store is not None:
            store, self._store = self._store, None
            self._rescued = store.rescue(self._ledger.numbers())
            store.abandon()

    def _take_if_damage(self, error: Exception) -> None:
        if is_damage(error):
            self._take_refusal(error)

    def _take_refusal(self, error: Exception) -> bool:
        """Whether it can be left at that for now."""
        if is_damage(error):
            logger.error("the journal is damaged: %s", error)
            self._damage = str(error)
            self._give_up()
            return False
        self._fail(*words_for(error))
        return True

    def _tell_damage(self, damage: Damage) -> None:
        self._damage = ""
        self._tell(JournalReplaced(damage.reason, damage.kept_as))

    def _fail_through(self, bug: Exception) -> None:
        logger.error("a bug in the journal, which goes on", exc_info=bug)
        self._fail("a bug in streamtui", "Please report it")

    def _fail(self, reason: str, hint: str) -> None:
        """Tell it, once for each reason, and try again later."""
        self._not_before = time.monotonic() + RETRY_SECONDS
        if self._failure is None or self._failure.reason != reason:
            self._stopped(reason, hint)

    def _stopped(self, reason: str, hint: str) -> None:
        self._failure = JournalStopped(reason, hint, self._backlog.lost)
        self._tell(self._failure)

    def _recover(self) -> None:
        if self._failure or self._backlog.lost:
            lost, self._backlog.lost = self._backlog.lost, 0
            self._failure, self._not_before = None, 0.0
            self._tell(JournalResumed(lost))

    def _tell(self, body: Body) -> None:
        try:
            self._tell_anybody(body)
        except Exception:
            # Nobody who listens any more must not cost what is still to be saved.
            logger.exception("it could not be told: %r", body)


def _settle(barrier: "Future[bool]", saved: bool) -> None:  # noqa: FBT001
    with suppress(InvalidStateError):
        barrier.set_result(saved)


def _refuse(job: _Job, error: Exception) -> None:
    with suppress(InvalidStateError):
        job.done.set_exception(error)
