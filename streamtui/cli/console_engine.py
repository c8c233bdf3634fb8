"""The engine of a console: a process of its own, or where there can be none, a thread of ours."""

import os
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from streamtui.cli import common

if TYPE_CHECKING:
    from streamtui.engine.doors import Doors
    from streamtui.engine.host.client import EngineMismatchError
    from streamtui.errors import RunError


class Face(Protocol):
    """Who hears what becomes of the engine, from any thread."""

    def engine_lost(self) -> None:
        """It is gone."""

    def engine_is_ours(self, reason: "RunError") -> None:
        """There can be none that outlives us."""

    def engine_refused(self) -> None:
        """There is one that must be left alone: nothing can be done here."""


class ConsoleEngine:
    """Looks for the engine at once, and starts it if need be; nobody has to wait until it is there.

    `keep` says where a new engine keeps its history. With STREAMTUI_ENGINE=thread the engine lives
    and ends with the console.
    """

    def __init__(self, keep: str) -> None:
        self._keep = keep
        self._face: Future[Face] = Future()
        self._mismatch: EngineMismatchError | None = None
        self.outlives_us = os.environ.get("STREAMTUI_ENGINE") != "thread"
        """Whether it is to; there may be none that can."""
        self._late = self._begin_to_look() if self.outlives_us else None

    def __enter__(self) -> Self:
        self.doors = self._late or common.engine_in_thread()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # The app has left already, unless it failed: then nobody meant the answers.
        self.doors.leave(keep_runs=True)

    def report_to(self, face: Face) -> None:
        """Tell it what becomes of the engine, also what was before it listened."""
        self._face.set_result(face)

    def reattach(self) -> "Doors":
        """The doors of another engine, which is started if need be; blocks. Raises RunError."""
        self.doors = self._attached()
        return self.doors

    def raise_mismatch(self) -> None:
        """Raises Trouble where an engine of another version is in the way."""
        if self._mismatch is not None:
            raise common.in_the_way(self._mismatch)

    def _begin_to_look(self) -> "Doors":
        from streamtui.engine.host.late import LateDoors
        from streamtui.logs import default_log_path, log_to_file

        log_to_file(default_log_path())
        return LateDoors(self._find)

    def _find(self) -> "Doors":
        from streamtui.engine.host.client import EngineMismatchError
        from streamtui.errors import RunError

        try:
            return self._attached()
        except EngineMismatchError as error:
            self._mismatch = error
            self._tell(lambda face: face.engine_refused())
            raise
        except RunError as error:
            reason = error
            self._tell(lambda face: face.engine_is_ours(reason))
            return self._in_thread()

    def _attached(self) -> "Doors":
        from streamtui.engine.host.client import AttachedEngine
        from streamtui.engine.host.process import attach

        return AttachedEngine(
            attach(self._keep), on_lost=lambda: self._tell(lambda face: face.engine_lost())
        )

    def _in_thread(self) -> "Doors":
        from streamtui.demo import start_demo
        from streamtui.engine.host import EngineThread

        return EngineThread(start_demo)

    def _tell(self, news: Callable[[Face], None]) -> None:
        self._face.add_done_callback(lambda face: news(face.result()))
