"""What an ssh connection has on its way, from the kernel, and what it says of the line."""

import math
import socket
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from streamtui.ui import ssh_link
from streamtui.ui.line_speed import LineSpeed
from streamtui.ui.ssh_link import Queue, SshLink, connection_of, link_of, read_answer

SPEED = 32_768
STEP = 0.05


class Link:
    """A link of some speed, looked at twenty times a second."""

    def __init__(self, *, speed: float, round_trip: float = 0.02) -> None:
        self.now = 100.0
        self.line = LineSpeed(self.clock)
        self._link = SshLink(self.line, self, self.clock)
        self._speed = speed
        self._round_trip = round_trip
        self._acked = 0.0
        self._waiting = 0.0

    def clock(self) -> float:
        return self.now

    def ask(self) -> Queue:
        return Queue(int(self._acked), int(self._waiting), self._round_trip)

    def close(self) -> None:
        pass

    def send(self, size: int) -> None:
        self._waiting += size
        self.line.wrote(size)

    def pass_by(self, seconds: float) -> None:
        for _ in range(round(seconds / STEP)):
            self.now += STEP
            arrived = min(self._waiting, self._speed * STEP)
            self._waiting -= arrived
            self._acked += arrived
            self._link.look()


def test_a_link_that_carries_all_is_not_slow() -> None:
    link = Link(speed=1e6)
    for _ in range(100):
        link.send(2_000)
        link.pass_by(STEP)
        assert link.line.room() == math.inf


def test_a_link_far_away_is_not_slow() -> None:
    link = Link(speed=math.inf, round_trip=0.4)
    link._speed = 30_000 / 0.4
    for _ in range(100):
        link.send(int(link._speed * STEP))
        link.pass_by(STEP)
    assert link.line.room() == math.inf


def test_a_link_on_which_things_wait_has_the_speed_at_which_they_arrive() -> None:
    link = Link(speed=SPEED)
    link.send(100_000)
    link.pass_by(1.0)
    assert link.line.speed == pytest.approx(SPEED, rel=0.02)
    assert link.line.room() < 0
    link.pass_by(3.0)
    assert 0 < link.line.room() < SPEED


@pytest.fixture
def connection() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a connection on loopback, nothing of which is read."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
        with near, far:
            yield near, far


def ends(near: socket.socket, far: socket.socket) -> str:
    """As sshd tells them, who is `far`."""
    client, port = near.getsockname()
    server, server_port = far.getsockname()
    return f"{client} {port} {server} {server_port}"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what waits in a connection")
def test_the_kernel_tells_what_waits(connection: tuple[socket.socket, socket.socket]) -> None:
    near, far = connection
    known = ssh_link._KnownConnection(ends(near, far))
    with closing(known):
        before = known.ask()
        assert before is not None
        assert before.waiting == 0
        far.setblocking(False)
        sent = 0
        with suppress(BlockingIOError):
            while True:
                sent += far.send(bytes(65536))
        after = known.ask()
        assert after is not None
        assert after.waiting > 0
        assert after.acked - before.acked + after.waiting == sent


@pytest.mark.parametrize("connection", ["", "a b c d", "1 2 3", "::1 1 ::g 22", "::1 1 ::1 70000"])
def test_without_a_connection_there_is_no_link(connection: str) -> None:
    assert link_of(LineSpeed(), connection) is None


def test_a_connection_that_is_gone_is_no_link(
    connection: tuple[socket.socket, socket.socket],
) -> None:
    assert link_of(LineSpeed(), ends(*connection).replace("127.0.0.1", "127.0.0.9")) is None


def test_the_connection_is_that_of_the_shell() -> None:
    assert connection_of({"SSH_CONNECTION": "1.2.3.4 5 6.7.8.9 22"}) == "1.2.3.4 5 6.7.8.9 22"
    assert connection_of({}) == ""


def test_inside_tmux_it_is_that_of_the_client_and_not_the_one_of_long_ago(tmp_path: Path) -> None:
    """There is no such server, so nobody is attached to it."""
    environ = {"TMUX": f"{tmp_path}/none,1,0", "SSH_CONNECTION": "1.2.3.4 5 6.7.8.9 22"}
    assert connection_of(environ) == ""


@pytest.mark.parametrize("answer", [b"", bytes(16), bytes(400), b"\xff" * 400])
def test_an_answer_of_another_kind_is_none(answer: bytes) -> None:
    assert read_answer(answer) is None
