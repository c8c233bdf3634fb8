"""Doors with a real bus and no engine: every question is answered by a script, at once."""

import itertools
import threading
from collections.abc import Callable, Mapping, Sequence

from streamtui.config import Endpoint
from streamtui.engine.doors import Cancel, CancelAll, Command, OpenSession, Send
from streamtui.events import RUN_ENDS, Body, Metrics, RunCancelled, RunCompleted, RunStarted
from tests.scripted import BusDoors
from tests.stored_runs import text


def done(*pieces: str) -> list[Body]:
    """A good answer, from the first chunk to the end."""
    chars = sum(map(len, pieces))
    end = RunCompleted("stop", Metrics(chunks=len(pieces), text_chars=chars))
    return [*text(*pieces), end]


class ScriptedDoors(BusDoors):
    """Plays `scripts[endpoint name]` on a thread, as the engine would; a script without an end
    goes on until it is cancelled."""

    def __init__(self, scripts: Mapping[str, Sequence[Body]]) -> None:
        super().__init__()
        self.played = threading.Event()
        """All that was asked for has been emitted."""
        self._scripts = scripts
        self._endpoints: dict[str, Endpoint] = {}
        self._live: dict[str, str] = {}
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def execute(self, command: Command) -> None:
        super().execute(command)
        match command:
            case OpenSession():
                self._endpoints[command.session_id] = command.endpoint
            case Send():
                self._in_thread(lambda: self._play(command))
            case Cancel():
                self._in_thread(lambda: self._cancel([command.session_id]))
            case CancelAll():
                self._in_thread(lambda: self._cancel(list(self._live)))
            case _:
                raise AssertionError(command)

    def close(self) -> None:
        for thread in self._threads:
            thread.join()

    def _in_thread(self, work: Callable[[], None]) -> None:
        def locked() -> None:
            with self._lock:  # the engine is one thread
                work()

        thread = threading.Thread(target=locked)
        self._threads.append(thread)
        thread.start()

    def _play(self, send: Send) -> None:
        endpoint = self._endpoints[send.session_id]
        self._live[send.session_id] = send.run_id
        start = RunStarted(send.prompt, (), endpoint.name, endpoint.model, endpoint.dialect)
        for body in itertools.chain([start], self._scripts[endpoint.name]):
            self._emit(send.session_id, send.run_id, body)
        self.played.set()

    def _cancel(self, session_ids: list[str]) -> None:
        for session_id in session_ids:
            if run_id := self._live.get(session_id):
                self._emit(session_id, run_id, RunCancelled(Metrics()))

    def _emit(self, session_id: str, run_id: str, body: Body) -> None:
        if isinstance(body, RUN_ENDS):
            del self._live[session_id]
        self.bus.publish(session_id, run_id, body)
