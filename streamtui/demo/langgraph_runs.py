"""Threads that remember, and runs that go on while nobody watches. No I/O.

A run has no task: it knows when its steps are due, and whoever looks at it first makes it catch up.
"""

import math
import re
import time
from collections import deque
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Literal

from streamtui.demo.dialect import Refusal
from streamtui.demo.langgraph import GraphWriter, RunForm, assistant_id, error_object
from streamtui.demo.pacing import schedule
from streamtui.demo.question import Question
from streamtui.demo.scripts import Ending, Script
from streamtui.ids import new_id

_KEPT_THREADS = 1_000
_KEPT_RUNS = 20
"""Of one thread."""
_KEPT_MESSAGES = 200
_KEPT_BYTES = 4 * 1024**2
"""Of one run, when its frames are kept for those who come back."""

_EVENT_ID = re.compile(r"\d+-(\d{1,12})")
_FRAME_END = b"\r\n\r\n"

Status = Literal["running", "success", "error", "interrupted"]


class Log:
    """The newest frames of a run, each with its place; the oldest ones are forgotten."""

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque()
        self._forgotten = 0
        self._size = 0

    @property
    def end(self) -> int:
        """The place of the frame that comes next."""
        return self._forgotten + len(self._frames)

    def append(self, frame: bytes) -> None:
        self._frames.append(frame)
        self._size += len(frame)
        while self._size > _KEPT_BYTES and len(self._frames) > 1:
            self._size -= len(self._frames.popleft())
            self._forgotten += 1

    def between(self, start: int, stop: int) -> bytes:
        """The frames of these places that are still known."""
        known = (max(0, place - self._forgotten) for place in (start, stop))
        return b"".join(islice(self._frames, *known))


class Thread:
    """A conversation, and its newest runs."""

    def __init__(self, thread_id: str, metadata: dict[str, Any] | None = None) -> None:
        self.thread_id = thread_id
        self.messages: list[dict[str, Any]] = []
        self.runs: dict[str, Run] = {}
        self._metadata = metadata or {}
        self._created_at = _now()

    def add(self, messages: list[dict[str, Any]]) -> None:
        """The oldest messages are forgotten."""
        self.messages = [*self.messages, *messages][-_KEPT_MESSAGES:]

    def add_run(self, run: "Run") -> None:
        self.runs[run.run_id] = run
        while len(self.runs) > _KEPT_RUNS:
            del self.runs[next(iter(self.runs))]

    def run(self, run_id: str) -> "Run":
        """Raises `Refusal` (404)."""
        if run_id not in self.runs:
            raise Refusal(404, f"Run with ID {run_id} not found")
        return self.runs[run_id]

    def as_object(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "thread_id": self.thread_id,
            "created_at": self._created_at,
            "updated_at": self._created_at,
            "metadata": self._metadata,
            "status": self._status(),
            "config": {},
            "values": self._values(),
            "interrupts": {},
        }

    def state(self) -> dict[str, Any]:
        """What it holds, as a checkpoint."""
        return {
            "values": self._values() or {},
            "next": [],
            "tasks": [],
            "metadata": self._metadata,
            "created_at": self._created_at,
            "checkpoint": {"thread_id": self.thread_id, "checkpoint_ns": "", "checkpoint_id": None},
            "parent_checkpoint": None,
            "interrupts": [],
        }

    def _values(self) -> dict[str, Any] | None:
        return {"messages": self.messages} if self.messages else None

    def _status(self) -> str:
        states = [run.status for run in self.runs.values()]
        if "running" in states:
            return "busy"
        return "error" if states[-1:] == ["error"] else "idle"


class Threads:
    """All threads of a server; the oldest ones are forgotten."""

    def __init__(self) -> None:
        self._threads: dict[str, Thread] = {}

    def create(self, thread_id: str | None, metadata: dict[str, Any] | None) -> Thread:
        """The one of that name, if there is one."""
        name = thread_id or new_id()
        thread = self._threads.setdefault(name, Thread(name, metadata))
        while len(self._threads) > _KEPT_THREADS:
            del self._threads[next(iter(self._threads))]
        return thread

    def get(self, thread_id: str) -> Thread:
        """Raises `Refusal` (404)."""
        if thread_id not in self._threads:
            raise Refusal(404, f"Thread with ID {thread_id} not found")
        return self._threads[thread_id]

    def __contains__(self, thread_id: object) -> bool:
        return thread_id in self._threads


class Run:
    """One answer, and the frames of it so far."""

    def __init__(
        self,
        run_id: str,
        thread: Thread,
        question: Question,
        script: Script,
        now: float,
        pace: float,
    ) -> None:
        self.run_id = run_id
        self.log = Log()
        self.status: Status = "running"
        self.is_resumable = question.can_come_back
        self.ends_with_client = question.form.ends_with_client
        self.cut_at: int | None = None
        """The place before which the connection is to be cut, once."""
        self._thread = thread
        self._form: RunForm = question.form
        self._script = script
        self._steps = script.steps()
        self._played = 0
        self._times = schedule(script, pace, now)
        self._began = time.time_ns() // 1_000_000
        self._writer = GraphWriter(question.model, question.form, run_id)
        self._keep(self._writer.opening())

    @property
    def is_over(self) -> bool:
        return self.status != "running"

    @property
    def is_lost(self) -> bool:
        """Whether nothing more comes of it, though it came to no end."""
        return self.status == "error" and self._script.ending is Ending.DROP

    @property
    def due_at(self) -> float:
        """When something happens next, on the loop's clock; never, if the model stalls."""
        stalls = self._script.ending is Ending.STALL and self._played == self._script.length
        return math.inf if stalls or self.is_over else self._times.due_at(self._played)

    def advance(self, now: float) -> bool:
        """Plays a batch of what is due; says whether there was anything."""
        if now < self.due_at or self.is_over:
            return False
        batch = list(islice(self._steps, self._times.steps_due(now, self._played)))
        for step in batch:
            self._keep(self._writer.frame(step))
            self._played += 1
            if self._played == self._script.cut_after:
                self.cut_at = self.log.end
        if not batch:
            self._end()
        return True

    def cancel(self) -> None:
        if not self.is_over:
            self.status = "interrupted"

    def place_after(self, event_id: str | None) -> int:
        """Where somebody goes on who saw that event last; who saw none misses what was."""
        if event_id is None or not self.is_resumable:
            return self.log.end
        found = _EVENT_ID.fullmatch(event_id)
        return int(found[1]) + 1 if found else 0

    def outcome(self) -> dict[str, Any]:
        """What those get who wait for the end: the state, or the error."""
        if self.status == "error":
            return {"__error__": error_object(self._script.failure)}
        return {"messages": self._thread.messages}

    def as_object(self) -> dict[str, Any]:
        """As the API shows it."""
        began = datetime.fromtimestamp(self._began / 1_000, UTC).isoformat()
        return {
            "run_id": self.run_id,
            "thread_id": self._thread.thread_id,
            "assistant_id": assistant_id(self._form.assistant),
            "created_at": began,
            "updated_at": began,
            "status": self.status,
            "metadata": self._form.metadata,
            "multitask_strategy": "enqueue",
        }

    def _end(self) -> None:
        match self._script.ending:
            case Ending.ERROR:
                self._keep(self._writer.failure(self._script.failure))
                self.status = "error"
            case Ending.DROP | Ending.CUT:
                self.status = "error"
            case ending:
                self._keep(self._writer.closing(ending, self._script.usage))
                self._thread.add([self._writer.answer(ending, self._script.usage)])
                self.status = "success"

    def _keep(self, frames: bytes) -> None:
        for frame in frames.split(_FRAME_END)[:-1]:
            name = f"\r\nid: {self._began}-{self.log.end}".encode() if self.is_resumable else b""
            self.log.append(frame + name + _FRAME_END)


def _now() -> str:
    return datetime.now(UTC).isoformat()
