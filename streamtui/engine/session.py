"""One conversation: its transcript, its queue of prompts, and its runs.

The one place where a RunError becomes an event. Never draws, never stores, never opens a socket.
"""

import asyncio
import logging
from collections import deque
from functools import partial

from streamtui.engine.attempt import Tools
from streamtui.engine.confidential import Confidential
from streamtui.engine.doors import OpenSession, RunContext
from streamtui.engine.reports import SessionSummary
from streamtui.engine.run import Run, Turn, split_turns
from streamtui.engine.tries import Tries
from streamtui.errors import RunError
from streamtui.events import (
    Body,
    ErrorInfo,
    ErrorKind,
    Message,
    Metrics,
    RunCancelled,
    RunCompleted,
    RunCutOff,
    RunFailed,
    RunQueued,
    RunStarted,
    SessionClosed,
    SessionOpened,
)
from streamtui.safe_text import join_surrogates

SUMMARY_CHARS = 200

logger = logging.getLogger(__name__)

# Ends that leave a stream unfinished, as against those that say that the request failed.
_CUTS: frozenset[ErrorKind] = frozenset(
    {
        "connection-lost",
        "frame-too-large",
        "protocol-error",
        "stopped-by-limit",
        "timeout-first-token",
        "timeout-idle",
        "truncated",
    }
)


class Session:
    """Runs its prompts one after the other and keeps what was said."""

    def __init__(self, opening: OpenSession, tools: Tools) -> None:
        self.session_id = opening.session_id
        self._endpoint = opening.endpoint
        self._private = opening.private
        self._confidential = Confidential(opening.endpoint)
        self._tools = tools
        self._preface, self._turns = split_turns(opening.messages)
        self._last_prompt = ""
        self._accepted = 0
        self._queue: deque[Run] = deque()
        self._current: Run | None = None
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Say that the session is there."""
        endpoint = self._endpoint
        opened = SessionOpened(
            endpoint.name, endpoint.model, endpoint.dialect, endpoint.insecure, self._private
        )
        self._publish("", opened)

    @property
    def is_live(self) -> bool:
        """Whether an answer is under way or waits its turn."""
        return self._current is not None

    def summary(self) -> SessionSummary:
        """What a list of sessions says of it."""
        return SessionSummary(
            session_id=self.session_id,
            endpoint=self._endpoint.name,
            model=self._endpoint.model,
            live=self.is_live,
            runs=self._accepted,
            prompt=self._last_prompt[:SUMMARY_CHARS],
            private=self._private,
        )

    def send(self, run_id: str, prompt: str, context: RunContext) -> None:
        """Ask now, or after the runs that came before."""
        self._accept(Run(run_id, join_surrogates(prompt), context))

    def retry(self, run_id: str) -> None:
        """Ask the last prompt again, once nothing runs; its former answer leaves the context."""
        if self._current is not None:
            self._publish(run_id, refusal("an answer still streams", "Cancel it first"))
        elif not self._turns:
            self._publish(run_id, refusal("nothing was asked yet", "Type a prompt"))
        else:
            turn = self._turns[-1]
            self._accept(Run(run_id, turn.prompt, RunContext(), replaces=turn))

    def cancel(self) -> None:
        """End the run in progress."""
        if self._task is None or self._current is None:
            return
        # A task that is cancelled before its first step never runs, not even to say so.
        if self._current.began:
            self._task.cancel()
        else:
            self._current.cancelled = True

    def cancel_all(self) -> None:
        """End the run in progress and those that wait."""
        for run in self._queue:
            run.cancelled = True
        self.cancel()

    async def aclose(self) -> None:
        """End all runs, wait until their connections are closed, and say so."""
        self.cancel_all()
        while self._task is not None:
            await asyncio.wait([self._task])
        self._publish("", SessionClosed())

    def messages(self) -> tuple[Message, ...]:
        """The turns that the next prompt is sent with: those that got an answer."""
        return self._context_without(None)

    def _context_without(self, turn: Turn | None) -> tuple[Message, ...]:
        answered = (kept for kept in self._turns if kept.answer and kept is not turn)
        return self._preface + tuple(
            message
            for kept in answered
            for message in (Message("user", kept.prompt), Message("assistant", kept.answer))
        )

    def _context(self, run: Run) -> tuple[Message, ...]:
        return (*self._context_without(run.replaces), Message("user", run.prompt))

    def _publish(self, run_id: str, body: Body) -> None:
        self._tools.publish(self.session_id, run_id, body)

    def _accept(self, run: Run) -> None:
        self._accepted += 1
        self._last_prompt = run.prompt
        ahead = len(self._queue) + (self._current is not None)
        self._queue.append(run)
        if ahead:
            self._publish(run.run_id, RunQueued(run.prompt, ahead))
        else:
            self._start_next()

    def _start_next(self) -> None:
        self._task = None
        self._current = self._queue.popleft() if self._queue else None
        if self._current is not None:
            name = f"run {self._current.run_id}"
            self._task = self._tools.spawn(self._run_and_go_on(self._current), name)

    async def _run_and_go_on(self, run: Run) -> None:
        run.began = True
        run.started = self._tools.mono_clock()
        try:
            await self._run(run)
        finally:
            self._keep(run)
            self._start_next()

    def _keep(self, run: Run) -> None:
        """The turn takes its place in the transcript; an answer replaces the one before it."""
        answer = "".join(run.text)
        if run.replaces is not None:
            if not answer:
                return
            self._turns.remove(run.replaces)
        self._turns.append(Turn(run.prompt, answer, run.run_id))

    async def _run(self, run: Run) -> None:
        try:
            if run.cancelled:
                raise asyncio.CancelledError
            self._announce(run)
            # What was asked must not be lost with what happens from here on.
            await self._tools.make_safe()
            await self._tries(run).until_answered()
        except asyncio.CancelledError:
            self._publish(run.run_id, RunCancelled(self._metrics(run)))
        except RunError as error:
            self._publish(run.run_id, self._bad_end(run, error))
        except Exception:
            logger.exception("a run ended through a bug")
            bug = RunError("a bug in streamtui", kind="bug", hint="Please report it")
            self._publish(run.run_id, self._bad_end(run, bug))
        else:
            self._publish(run.run_id, RunCompleted(run.finish_reason, self._metrics(run)))

    def _announce(self, run: Run) -> None:
        endpoint = self._endpoint
        started = RunStarted(
            prompt=run.prompt,
            messages=self._context(run),
            endpoint=endpoint.name,
            model=endpoint.model,
            dialect=endpoint.dialect,
            params=endpoint.params,
            name=run.context.name,
            tags=run.context.tags,
            metadata=run.context.metadata,
            parent_ids=run.context.parent_ids,
            replaces=run.replaces.run_id if run.replaces else "",
        )
        self._publish(run.run_id, started)

    def _tries(self, run: Run) -> Tries:
        publish = partial(self._publish, run.run_id)
        context = self._context(run)
        return Tries(run, self._endpoint, context, self._tools, publish, self._confidential)

    def _metrics(self, run: Run) -> Metrics:
        return run.metrics(self._tools.mono_clock())

    def _bad_end(self, run: Run, error: RunError) -> RunCutOff | RunFailed:
        return bad_end(self._confidential.error_info(error), self._metrics(run))


def bad_end(error: ErrorInfo, metrics: Metrics) -> RunCutOff | RunFailed:
    """How a run ends that came to an error: what was received of a stream is an answer cut off."""
    if error.kind in _CUTS and (metrics.chunks or error.kind == "truncated"):
        return RunCutOff(error, metrics)
    return RunFailed(error, metrics)


def refusal(words: str, hint: str) -> RunFailed:
    """The end of a run that could not even begin."""
    return RunFailed(RunError(words, kind="usage", hint=hint).info(), Metrics(attempts=0))
