"""A real sshd on loopback for the user of the test alone, and a wire to it that can be cut."""

import os
import pwd
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.lifetimes.home import DEADLINE, until
from tests.loopback import free_port

_CONFIG = """\
ListenAddress {address}
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/key.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
PermitUserRC no
LoginGraceTime 120
LogLevel DEBUG
"""
_OPTIONS = (
    "BatchMode=yes",
    "IdentitiesOnly=yes",
    "IdentityAgent=none",
    "LogLevel=ERROR",
    "PreferredAuthentications=publickey",
    "StrictHostKeyChecking=no",
    "UserKnownHostsFile=/dev/null",
)
_LET_IN = "you are in"


class Wire:
    """Carries bytes between those who connect to `port` and a server."""

    def __init__(self, server: int) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._ends: list[socket.socket] = []
        self._silent = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def fall_silent(self) -> None:
        """Nothing arrives any more, and nobody is told."""
        self._silent.set()

    def break_down(self) -> None:
        """Both sides are told."""
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._silent.set()
        self.break_down()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._server))
                self._ends += near, far
                for here, there in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(here, there), daemon=True).start()

    def _carry(self, here: socket.socket, there: socket.socket) -> None:
        with suppress(OSError):
            while data := here.recv(65536):
                if not self._silent.is_set():
                    there.sendall(data)
            there.shutdown(socket.SHUT_WR)


class SshServer:
    """`command` is how a program is run over it."""

    def __init__(self, port: int, folder: Path, address: str) -> None:
        self.port = port
        self.log = folder / "log"
        self._folder = folder
        self._address = address

    def command(self, port: int, words: str) -> list[str]:
        settings = [part for option in _OPTIONS for part in ("-o", option)]
        key = str(self._folder / "key")
        there = f"{pwd.getpwuid(os.getuid()).pw_name}@{self._address}"
        return ["ssh", "-tt", "-F", "none", *settings, "-i", key, "-p", str(port), there, words]

    @contextmanager
    def wire(self) -> Iterator[Wire]:
        wire = Wire(self.port)
        try:
            yield wire
        finally:
            wire.close()


@contextmanager
def ssh_server(
    folder: Path, *, address: str = "127.0.0.1", inside: Sequence[str] = ()
) -> Iterator[SshServer]:
    """Skips the test where there is none, or none that lets us in.

    `inside` is a command that runs others somewhere else, with an address of its own.
    """
    program = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
    if not (program and shutil.which("ssh") and shutil.which("ssh-keygen")):
        pytest.skip("no openssh-server is installed")
    folder.mkdir(mode=0o700)
    for name in ("host_key", "key"):
        make_key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(make_key, check=True, stdout=subprocess.DEVNULL)
    port = free_port()
    config = folder / "sshd_config"
    config.write_text(_CONFIG.format(address=address, port=port, folder=folder))
    server = SshServer(port, folder, address)
    serve = [*inside, program, "-D", "-f", str(config), "-E", str(server.log)]
    with subprocess.Popen(serve) as process:
        try:
            until(lambda: process.poll() is not None or _listens(server.log), "sshd listens")
            _skip_unless_let_in(server)
            yield server
        finally:
            process.terminate()


def _skip_unless_let_in(server: SshServer) -> None:
    """What a login shell says besides is nobody's fault."""
    try:
        answer = subprocess.run(
            server.command(server.port, f"echo {_LET_IN}"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=DEADLINE,
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"sshd lets nobody in: {server.log.read_text()[-2_000:]}")
    if answer.returncode or _LET_IN not in answer.stdout:
        pytest.skip(f"sshd does not let us in: {answer.stderr}{server.log.read_text()[-2_000:]}")


def _listens(log: Path) -> bool:
    """Whoever only tried to connect might be kept out for a while."""
    return log.exists() and "Server listening on" in log.read_text(errors="replace")
