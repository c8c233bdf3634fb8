"""The main loop of `run`, with scripted doors and a pipe for a reader."""

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from threading import Thread

import pytest

from streamtui.cli import relay
from streamtui.cli.codes import ANSWERED, BROKEN, CANCELLED
from streamtui.cli.outcome import Answer
from streamtui.cli.output import Output
from streamtui.cli.printers import TextPrinter
from streamtui.cli.relay import ChunkInbox, Inbox, notice
from streamtui.cli.run import stream
from streamtui.config import Endpoint
from streamtui.engine.doors import Cancel, CancelAll, Command, Send
from streamtui.events import (
    AttemptFailed,
    Body,
    ErrorInfo,
    Metrics,
    ReconnectScheduled,
    RetryScheduled,
    RunCancelled,
    RunCompleted,
    RunCutOff,
    RunFailed,
    StreamStalled,
)
from tests.cli.conftest import Pipe
from tests.cli.scripted_doors import ScriptedDoors, done
from tests.stored_runs import text

LOST = ErrorInfo("connection-lost", "the connection was lost", "Ask again")


class Run:
    """One `run` of scripted endpoints into a pipe."""

    def __init__(self, scripts: Mapping[str, Sequence[Body]], *, limit: int | None = None) -> None:
        self.doors = ScriptedDoors(scripts)
        self.answers = [
            Answer(Endpoint(name, "openai-chat", "http://127.0.0.1:9/v1"), limit=limit)
            for name in scripts
        ]

    def into(self, output: Output) -> int:
        """The exit code."""
        printer = TextPrinter(output, self.answers)
        return stream("hi", self.answers, output, printer, engine=closing(self.doors))


def test_the_answer_reaches_the_reader(pipe: Pipe) -> None:
    assert Run({"a": done("one", " two")}).into(pipe.output()) == ANSWERED
    assert pipe.read() == b"one two\n"


def test_an_empty_answer_is_said_to_be_one(pipe: Pipe, capsys: pytest.CaptureFixture[str]) -> None:
    scripts = {"a": done(), "b": done("there"), "c": [RunFailed(LOST, Metrics())]}
    Run(scripts).into(pipe.output())  # type: ignore[arg-type]
    assert pipe.read() == b"## a\n\n\n## b\n\nthere\n\n## c\n\n"
    assert "a: the answer is empty.\n" in capsys.readouterr().err.splitlines(keepends=True)


def test_later_answers_wait_for_their_turn(pipe: Pipe) -> None:
    scripts = {"a": done("1", "2"), "b": done("3"), "c": done()}
    assert Run(scripts).into(pipe.output()) == ANSWERED
    assert pipe.read() == b"## a\n\n12\n\n## b\n\n3\n\n## c\n\n"


def test_a_limit_cancels_only_what_is_over(pipe: Pipe) -> None:
    run = Run({"a": text("1", "2", "3"), "b": done("4")}, limit=2)
    assert run.into(pipe.output()) == ANSWERED
    assert pipe.read() == b"## a\n\n12\n\n## b\n\n4\n"
    cancelled = [c.session_id for c in run.doors.commands if isinstance(c, Cancel)]
    assert cancelled == [run.answers[0].session_id]


def test_a_failure_behind_the_limit_is_of_no_interest(
    pipe: Pipe, capsys: pytest.CaptureFixture[str]
) -> None:
    failing = [*text("1", "2"), RunFailed(LOST, Metrics(chunks=2))]
    assert Run({"a": failing}, limit=1).into(pipe.output()) == ANSWERED
    assert (pipe.read(), capsys.readouterr().err) == (b"1\n", "")


def test_a_reader_who_left_cancels_everything(
    pipe: Pipe, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run({"a": text("1"), "b": text("2")})
    pipe.leave()
    assert run.into(pipe.output()) == ANSWERED
    assert [c for c in run.doors.commands if isinstance(c, CancelAll)] == [CancelAll()]
    assert capsys.readouterr().err == ""


def test_a_failure_before_the_reader_left_still_counts(pipe: Pipe) -> None:
    failed = [RunFailed(LOST, Metrics(chunks=1))]
    run = Run({"a": failed, "b": text("1")})
    output = pipe.output()

    class LeavesAfterAFailure(TextPrinter):
        def feed(self, *args: object) -> None:
            super().feed(*args)  # type: ignore[arg-type]
            if run.answers[0].end:
                output.reader_gone = True

    printer = LeavesAfterAFailure(output, run.answers)
    assert stream("hi", run.answers, output, printer, engine=closing(run.doors)) == BROKEN


def test_words_come_with_the_name_after_the_text(
    pipe: Pipe, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = [*text("half"), RunCutOff(LOST, Metrics(chunks=1, text_chars=4))]
    assert Run({"a": cut}).into(pipe.output()) == BROKEN
    assert pipe.read() == b"half\n"
    words = "a: the connection was lost. 4 characters kept. Ask again.\n"
    assert capsys.readouterr().err == words


def test_a_signal_ends_everything_although_nobody_reads(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(relay, "LAST_WRITE_SECONDS", 0.0)
    pipe.fill()
    run = Run({"a": text("1")})
    send = run.doors.send

    def send_and_interrupt(session_id: str, prompt: str) -> str:
        run_id = send(session_id, prompt)
        os.kill(os.getpid(), signal.SIGINT)
        return run_id

    monkeypatch.setattr(run.doors, "send", send_and_interrupt)
    assert run.into(pipe.output()) == CANCELLED
    assert capsys.readouterr().err == "a: cancelled, nothing received.\n"


def test_what_nobody_reads_is_given_up_and_not_kept_without_end(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(relay, "MOST_WAITING_BYTES", 2 * 1024**2)
    run = Run({"a": text(*["x" * 1024**2] * 4), "b": done("over already")})
    execute = run.doors.execute
    read: list[bytes] = []

    def read_all() -> None:
        while not b"".join(read).endswith(b"over already\n"):
            read.append(pipe.read())

    reader = Thread(target=read_all)
    endless: list[Command] = []

    def execute_and_read(command: Command) -> None:
        if isinstance(command, Send) and not endless:
            endless.append(command)
            return
        execute(command)
        if isinstance(command, Send):
            run.doors.played.wait()
            execute(endless[0])
        if isinstance(command, CancelAll):
            reader.start()

    monkeypatch.setattr(run.doors, "execute", execute_and_read)
    assert run.into(pipe.output()) == BROKEN
    reader.join()
    assert [answer.exit_code for answer in run.answers] == [BROKEN, ANSWERED]
    assert capsys.readouterr().err == (
        "streamtui: stopped: 2 MiB wait for whoever reads the output. Have it read faster,"
        " or --limit it.\na: cancelled, nothing received.\n"
    )


@pytest.mark.parametrize(("inbox", "expected"), [(Inbox, 512), (ChunkInbox, 2_000)])
def test_chunks_are_merged_only_where_they_do_not_matter(
    inbox: Callable[..., Inbox], expected: int
) -> None:
    woken: list[bool] = []
    doors = ScriptedDoors({"a": text(*["x"] * 2_000)})
    box = inbox(doors, lambda: woken.append(True))
    session_id = doors.open_session(Endpoint("a", "openai-chat", "http://127.0.0.1:9/v1"))
    doors.send(session_id, "hi")
    assert doors.played.wait(5)
    events = list(box.take())
    assert len(events) - 1 == expected - (inbox is Inbox)
    assert woken == [True]
    box.close()
    doors.close()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            RetryScheduled(2, 3, 1.5, ErrorInfo("overloaded", "overloaded")),
            "overloaded. Trying again in 1.5 s, attempt 2 of 3.",
        ),
        (
            ReconnectScheduled(2, 5, 1.5, "7", LOST),
            "the connection was lost. Reconnecting in 1.5 s, 2 of 5.",
        ),
        (StreamStalled(10.0, 120.0), "no data for 10 s, the limit is 120 s."),
        (RunFailed(LOST, Metrics()), "the connection was lost. Nothing received. Ask again."),
        (RunCancelled(Metrics(text_chars=1)), "cancelled, 1 character kept."),
        (
            RunCompleted("stop", Metrics(malformed=2)),
            "2 parts of the stream could not be read, passed over. The rest is kept.",
        ),
        (RunCompleted("stop", Metrics()), ""),
        (AttemptFailed(1, LOST), ""),
        (*text("a"), ""),
    ],
)
def test_notices_use_the_words_of_the_console(body: Body, words: str) -> None:
    assert notice(body) == words
