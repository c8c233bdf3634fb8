"""`streamtui history replay`: a recording played to standard output, and how it ended.

It is played by the same loop that prints an answer that comes: what is printed, and with which exit
code it ends, is what `streamtui run` would have done.
"""

import os
import select
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

import click

from streamtui.cli import common
from streamtui.cli.codes import ANSWERED
from streamtui.cli.recordings import WHAT_HELP, dialect_option

if TYPE_CHECKING:
    from streamtui.cli.outcome import Answer
    from streamtui.cli.output import Output
    from streamtui.cli.printers import Printer
    from streamtui.cli.recordings import Recorded
    from streamtui.config import Endpoint
    from streamtui.events import Event
    from streamtui.replay import ReplayDoors, Step

_STDIN = 0
_STDOUT = 1
_VERSIONS = ("own", "v1", "v2")

_EPILOG = f"""\
{WHAT_HELP}
\b
Exit codes: those of `streamtui run`, for what was recorded.
  0    it was answered, or nobody wanted more (q, a closed pipe)
  2    there is no such recording
  3    refused by the endpoint (400, 401, 403, 404)
  4    rate limited or overloaded
  5    network, proxy or TLS
  6    cut off, unreadable, or failed in mid-answer
  130  cancelled, then or now
"""


@click.command("replay", cls=common.with_events(_VERSIONS, alone="own"), epilog=_EPILOG)
@click.argument("what")
@dialect_option
@common.speed_option
@click.option("--step", is_flag=True, help="Go on at each enter; q ends.")
@click.option("--sep", metavar="TEXT", default="", help="Print this after each chunk.")
@click.option(
    "--events",
    type=click.Choice(_VERSIONS),
    metavar="[v1|v2]",
    help="Print the events as they were, one JSON a line; with v1 or v2 those of LangChain.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a summary with metrics, as JSON.")
def command(
    what: str,
    dialect: str,
    speed: float,
    step: bool,
    sep: str,
    events: str | None,
    as_json: bool,
) -> int:
    """Play WHAT was recorded, as it came, faster, or step by step."""
    if sum(map(bool, (sep, events, as_json))) > 1:
        raise click.UsageError("--sep, --events and --json are three forms of output: choose one.")
    if step and speed != 1:
        raise click.UsageError("--step and --speed are two ways to play: choose one.")

    from streamtui.cli.outcome import Answer
    from streamtui.cli.output import Output, is_terminal
    from streamtui.cli.recordings import load

    recorded = load(what, dialect)
    answer = Answer(_endpoint(recorded))
    output = Output(_STDOUT, is_terminal=is_terminal(sys.stdout))
    printer = _printer(output, answer, sep, events, as_json)
    if step:
        return _play_in_steps(recorded, answer, output, printer, each_event=bool(events))

    from streamtui.replay import Clockwork, ReplayDoors

    return _play(ReplayDoors(recorded.events, Clockwork(speed)), answer, output, printer)


class Stepper:
    """Goes on at each enter or space; `q`, or the end of standard input, ends.

    Without `each_event` only what adds to the answer is waited for.
    """

    def __init__(self, *, each_event: bool) -> None:
        self.had_enough = False
        self._each_event = each_event
        self._ended, self._end = os.pipe()
        self._poll = select.poll()
        self._poll.register(self._ended, select.POLLIN)
        self._poll.register(_STDIN, select.POLLIN)

    def wait_for(self, step: "Step") -> bool:
        """Return when a key says so; whether the play goes on."""
        if not (self._each_event or step.text):
            return not select.select([self._ended], [], [], 0)[0]
        while True:
            ready = [descriptor for descriptor, _ in self._poll.poll()]
            if self._ended in ready:
                return False
            match _key():
                case b"\n" | b"\r" | b" ":
                    return True
                case b"q" | b"Q" | b"":
                    self.had_enough = True
                    return False

    def end(self) -> None:
        """Let nobody wait any more; callable from any thread."""
        os.write(self._end, b"\0")

    def close(self) -> None:
        os.close(self._ended)
        os.close(self._end)


def _play_in_steps(
    recorded: "Recorded",
    answer: "Answer",
    output: "Output",
    printer: "Printer",
    *,
    each_event: bool,
) -> int:
    from streamtui.cli.output import is_terminal, say
    from streamtui.replay import ReplayDoors

    with closing(Stepper(each_event=each_event)) as stepper, _single_keys():
        if is_terminal(sys.stdin):
            say("enter goes on · q ends")
        code = _play(ReplayDoors(recorded.events, stepper), answer, output, printer)
        return ANSWERED if stepper.had_enough else code


def _play(doors: "ReplayDoors", answer: "Answer", output: "Output", printer: "Printer") -> int:
    from streamtui.cli.run import stream

    return stream("", [answer], output, printer, by_chunk=True, engine=closing(doors))


def _key() -> bytes:
    """One byte of standard input; nothing at its end, or where the terminal is gone."""
    try:
        return os.read(_STDIN, 1)
    except OSError:
        return b""


@contextmanager
def _single_keys() -> Iterator[None]:
    """A terminal hands over each key, and does not write it between the words of the answer."""
    import termios
    import tty

    try:
        before = termios.tcgetattr(_STDIN)
    except termios.error:
        yield  # no terminal
        return
    try:
        tty.setcbreak(_STDIN, termios.TCSADRAIN)
        yield
    finally:
        with suppress(termios.error):
            termios.tcsetattr(_STDIN, termios.TCSADRAIN, before)


def _endpoint(recorded: "Recorded") -> "Endpoint":
    """Whom it was asked, as far as words need it."""
    from streamtui.config import Endpoint
    from streamtui.events import RunStarted

    for event in recorded.events:
        if isinstance(event.body, RunStarted) and event.body.endpoint:
            return Endpoint(event.body.endpoint, event.body.dialect, "", event.body.model)
    return Endpoint(recorded.name, recorded.dialect, "")


def _printer(
    output: "Output", answer: "Answer", sep: str, events: str | None, as_json: bool
) -> "Printer":
    from streamtui.cli.printers import EventPrinter, SummaryPrinter, TextPrinter

    if events == "own":
        return _OwnEvents(output)
    if events:
        return EventPrinter(output, [answer], events)
    return SummaryPrinter(output, [answer]) if as_json else TextPrinter(output, [answer], sep)


class _OwnEvents:
    """Every event as it is kept, one JSON object a line, as in an export."""

    def __init__(self, output: "Output") -> None:
        self._output = output

    def feed(self, answer: "Answer", event: "Event", text: str) -> None:  # noqa: ARG002
        from msgspec import to_builtins

        from streamtui.cli.output import json_line

        self._output.put(json_line(to_builtins(event), is_terminal=self._output.is_terminal))
