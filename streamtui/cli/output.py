"""The two ways out of the command line: answers to standard output, all else to standard error.

Nothing here waits for a reader that does not read, and no text reaches a terminal unprepared.
"""

import errno
import json
import os
import select
import shutil
import sys
from contextlib import suppress
from typing import IO, Any

import click

from streamtui.cli.codes import USAGE
from streamtui.safe_text import join_surrogates, safe_line, safe_text

# As much as a writable pipe takes without blocking (POSIX, "Pipes and FIFOs").
_PIECE = select.PIPE_BUF
# A closed pipe; a terminal that was hung up.
_GONE = {errno.EPIPE, errno.EIO}


class Trouble(click.ClickException):
    """Something that the user can mend stands in the way; the words are shown, exit code 2."""

    exit_code = USAGE

    def show(self, file: IO[Any] | None = None) -> None:  # noqa: ARG002 - click's signature
        say(f"streamtui: {self.message}")


class Output:
    """A descriptor to which text is written as fast as the reader takes it, and no faster.

    Into a terminal goes safe text, into anything else the text as it is, in UTF-8.
    """

    def __init__(self, descriptor: int, *, is_terminal: bool) -> None:
        self.descriptor = descriptor
        self.is_terminal = is_terminal
        self.reader_gone = False
        self.at_line_start = True
        self._pending = bytearray()
        self._carriage_return = ""

    @property
    def pending(self) -> bool:
        """Whether text waits for the reader."""
        return bool(self._pending) and not self.reader_gone

    @property
    def waiting(self) -> int:
        """How many bytes wait for the reader."""
        return len(self._pending)

    def put(self, text: str) -> None:
        """Add text to what is to be written."""
        text = self._prepared(text)
        if text:
            self.at_line_start = text.endswith("\n")
            self._pending += join_surrogates(text).encode()

    def end_line(self) -> None:
        """Begin a new line, unless the last one is ended already."""
        carriage_return, self._carriage_return = self._carriage_return, ""
        self._pending += safe_text(carriage_return).encode()
        if carriage_return or not self.at_line_start:
            self._pending += b"\n"
        self.at_line_start = True

    def write(self) -> None:
        """Hand over what can be taken without waiting, as long as the reader takes it."""
        try:
            while self.pending and _is_writable(self.descriptor):
                written = os.write(self.descriptor, self._pending[:_PIECE])
                del self._pending[:written]
        except BlockingIOError:
            return  # the descriptor came to us as a non-blocking one
        except OSError as error:
            if error.errno not in _GONE:
                raise Trouble(f"cannot write to standard output: {error.strerror}") from error
            self.reader_gone = True

    def say(self, words: str) -> None:
        """One line to standard error, after what was written before it."""
        if self.is_terminal and is_terminal(sys.stderr):
            self.end_line()
        self.write()
        say(words)

    def _prepared(self, text: str) -> str:
        """For a terminal: safe, and a line end that came in two chunks is still one."""
        if not self.is_terminal:
            return text
        text = self._carriage_return + text
        self._carriage_return = "\r" if text.endswith("\r") else ""
        return safe_text(text.removesuffix("\r"))


def _is_writable(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(0))


def json_line(value: Any, *, is_terminal: bool) -> str:
    """A value as one line of JSON.

    For a terminal all that is not printable is escaped: the line means the same and does nothing.
    """
    line = json.dumps(value, ensure_ascii=False)
    if is_terminal and not line.isprintable():
        line = "".join(map(_escaped, line))
    return line + "\n"


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def is_terminal(stream: IO[Any] | None) -> bool:
    """Whether a standard stream is a terminal; one that is closed is none."""
    return stream is not None and not stream.closed and stream.isatty()


def emit_json(value: Any) -> None:
    """An answer for programs, a struct or what JSON knows: one line on standard output."""
    from msgspec import to_builtins

    click.echo(json_line(to_builtins(value), is_terminal=is_terminal(sys.stdout)), nl=False)


def emit(text: str) -> None:
    """The answer to a command: for a terminal made safe, for a pipe as it is."""
    # Without `color` click would take for a pipe what looks like a colour out of the text.
    click.echo(safe_text(text) if is_terminal(sys.stdout) else text, color=True)


def terminal_width() -> int | None:
    """The columns of the terminal; None for a pipe, whose lines are not broken."""
    return shutil.get_terminal_size().columns if is_terminal(sys.stdout) else None


def say(words: str) -> None:
    """One line to standard error, whoever reads it, if anybody does."""
    line = safe_line(words)
    with suppress(OSError, ValueError):
        click.echo(line, err=True)
