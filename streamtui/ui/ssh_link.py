"""What waits in the connection of an ssh server on its way to the terminal, as the kernel tells it.

sshd takes megabytes before it lets a program wait, so on a thin link nothing but the connection
itself shows that what is written now will be seen much later. Only Linux tells it (sock_diag(7)),
to everybody, without anything being sent to the terminal.
"""

import socket
import struct
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from streamtui.ui.line_speed import LineSpeed

LATE = 0.1
"""Seconds over the link's own delay after which what was sent counts as waiting."""
LINK_SECONDS = 15.0
"""How often somebody asks who is attached."""

_SOCK_DIAG, _BY_FAMILY, _REQUEST = 4, 20, 1
_ALL_STATES, _INFO = 0xFFFFFFFF, 2
_HEADER = struct.Struct("=IHHII")
_ASKED = struct.Struct("=BBBBI")
_WAITING_AT = 16 + 60
"""`idiag_wqueue` in `struct inet_diag_msg`, behind the header of the message."""
_ATTRIBUTES_AT = 16 + 72
_ACKED_AT, _MIN_RTT_AT = 120, 148
"""`tcpi_bytes_acked` and `tcpi_min_rtt` in `struct tcp_info`, which only ever grows at its end."""


class Queue(NamedTuple):
    """What a connection has on its way."""

    acked: int
    """Bytes that have arrived, since the beginning."""
    waiting: int
    """Bytes that have not, as far as anybody knows."""
    round_trip: float
    """The shortest there was, in seconds."""


class Connection(Protocol):
    """One of sshd's, to whoever sits in front of the terminal."""

    def ask(self) -> Queue | None:
        """Its state; None where that cannot be known any more."""

    def close(self) -> None:
        """Nobody asks again."""


class SshLink:
    """Tells a line's speed when more is on its way than arrives; `look` is called often."""

    def __init__(
        self,
        line: LineSpeed,
        connection: Connection,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._line = line
        self._connection = connection
        self._clock = clock
        self._sent: deque[tuple[float, int]] = deque()
        """When so many bytes in all had been sent."""
        self._before: tuple[float, Queue] | None = None

    def look(self) -> None:
        """See how far the connection is."""
        queue = self._connection.ask()
        if queue is None:
            return
        now = self._clock()
        sent = queue.acked + queue.waiting
        if not self._sent or sent > self._sent[-1][1]:
            self._sent.append((now, sent))
        while self._sent and self._sent[0][1] <= queue.acked:
            self._sent.popleft()
        before, self._before = self._before, (now, queue)
        late = self._sent and now - self._sent[0][0] > LATE + 2 * queue.round_trip
        if late and before is not None and now > before[0]:
            arrived = queue.acked - before[1].acked
            self._line.was_full(arrived, now - before[0], queue.waiting)

    def close(self) -> None:
        """Look no more."""
        self._connection.close()


def connection_of(environ: Mapping[str, str]) -> str:
    """What sshd says of the connection at whose end we are, as in its SSH_CONNECTION; else empty.

    Inside tmux our own environment may be of a connection long gone: there it is that of the client
    which is attached now. Takes a moment.
    """
    if "TMUX" not in environ:
        return environ.get("SSH_CONNECTION", "")
    asked = ["tmux", "display-message", "-p", "-t", environ.get("TMUX_PANE", ""), "#{client_pid}"]
    try:
        answer = subprocess.run(  # noqa: S603
            asked, capture_output=True, text=True, check=False, timeout=2, env=dict(environ)
        )
        client = Path(f"/proc/{int(answer.stdout)}/environ").read_bytes()
    except (OSError, ValueError, subprocess.SubprocessError):
        return ""
    found = (each for each in client.split(b"\0") if each.startswith(b"SSH_CONNECTION="))
    return next(found, b"=").partition(b"=")[2].decode(errors="replace")


def link_of(line: LineSpeed, connection: str) -> SshLink | None:
    """The link of a connection in the words of sshd; None where there is none, or nobody tells."""
    try:
        known = _KnownConnection(connection)
    except (AttributeError, ValueError, OSError, struct.error):
        return None
    if known.ask() is None:
        known.close()
        return None
    return SshLink(line, known)


class _KnownConnection:
    """Raises ValueError or struct.error for words of another kind; OSError or AttributeError where
    the system does not tell."""

    def __init__(self, connection: str) -> None:
        self._question = _question(connection)
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        self._door = socket.socket(socket.AF_NETLINK, kind, _SOCK_DIAG)

    def ask(self) -> Queue | None:
        try:
            self._door.sendto(self._question, (0, 0))
            return read_answer(self._door.recv(1 << 14))
        except OSError:
            return None

    def close(self) -> None:
        self._door.close()


def _question(connection: str) -> bytes:
    """`struct inet_diag_req_v2` for `client port server port`; we are at the server's end."""
    there, there_port, here, port = connection.split()
    family = socket.AF_INET6 if ":" in here else socket.AF_INET
    source, target = (_address(family, address) for address in (here, there))
    no_cookie = b"\xff" * 8
    ends = struct.pack("!HH", int(port), int(there_port)) + source + target + bytes(4) + no_cookie
    asked = _ASKED.pack(family, socket.IPPROTO_TCP, 1 << (_INFO - 1), 0, _ALL_STATES) + ends
    return _HEADER.pack(_HEADER.size + len(asked), _BY_FAMILY, _REQUEST, 0, 0) + asked


def _address(family: int, address: str) -> bytes:
    return socket.inet_pton(family, address.partition("%")[0]).ljust(16, b"\0")


def read_answer(answer: bytes) -> Queue | None:
    """The message of the kernel; None for one that says something else."""
    if len(answer) < _ATTRIBUTES_AT or _HEADER.unpack_from(answer)[1] != _BY_FAMILY:
        return None
    (waiting,) = struct.unpack_from("=I", answer, _WAITING_AT)
    at = _ATTRIBUTES_AT
    while at + 4 <= len(answer):
        length, kind = struct.unpack_from("=HH", answer, at)
        if kind == _INFO and length >= 4 + _MIN_RTT_AT + 4:
            (acked,) = struct.unpack_from("=Q", answer, at + 4 + _ACKED_AT)
            (microseconds,) = struct.unpack_from("=I", answer, at + 4 + _MIN_RTT_AT)
            return Queue(acked, waiting, microseconds / 1e6)
        at += (max(length, 4) + 3) & ~3
    return None
