"""The engine of a console: a process of its own, or where there can be none, a thread of ours."""

import os
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from streamtui.cli import common
from streamtui.cli.output import Trouble, say

if TYPE_CHECKING:
    from streamtui.engine.doors import Doors


class ConsoleEngine:
    """Entered before the screen is drawn. `keep` says where a new engine keeps its history.

    With STREAMTUI_ENGINE=thread the engine lives and ends with the console.
    """

    def __init__(self, keep: str) -> None:
        self._keep = keep
        self.outlives_us = os.environ.get("STREAMTUI_ENGINE") != "thread"
        self.on_lost: Callable[[], None] = lambda: None
        """Called from a thread when the engine's process is gone."""

    def __enter__(self) -> Self:
        from streamtui.engine.host.client import EngineMismatchError
        from streamtui.errors import RunError

        try:
            self.doors = self.reattach() if self.outlives_us else self._thread()
        except EngineMismatchError as error:
            raise Trouble(f"{error}; {error.live} sessions stream there. {error.hint}.") from error
        except RunError as error:
            say(f"streamtui: {error}. What streams ends with this console.")
            self.outlives_us = False
            self.doors = self._thread()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # The app has left already, unless it failed: then nobody meant the answers.
        self.doors.leave(keep_runs=True)

    def reattach(self) -> "Doors":
        """The doors of the user's engine, which is started if need be. Raises RunError."""
        from streamtui.engine.host.client import AttachedEngine
        from streamtui.engine.host.process import attach

        def tell() -> None:
            self.on_lost()

        self.doors = AttachedEngine(attach(self._keep), on_lost=tell)
        return self.doors

    def _thread(self) -> "Doors":
        return common.engine_in_thread()
