"""Proxy programs that others wrote, as their users start them, each on a free port of loopback.

What a program prints goes to a file beside its configuration, and into the failure of a test when
it does not start.
"""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import trustme
from msgspec import Struct

from streamtui.config import Proxy
from streamtui.events import ErrorKind
from streamtui.redact import Secret
from tests.loopback import free_port

USER, PASSWORD = "me", "open-sesame"
START_SECONDS = 20
END_SECONDS = 10
ENDPOINT_CA = "endpoint-ca.pem"
ENDPOINT_AUTHORITY = trustme.CA()
"""Signs for the endpoints behind the proxies; each proxy finds it in its folder."""
# Its own main program asks for an event loop where uvloop and Python 3.14 have none.
PPROXY_PROGRAM = """
import asyncio, sys, pproxy
async def main():
    server = pproxy.Server(sys.argv[1])
    await server.start_server({"rserver": [], "verbose": print})
    await asyncio.get_running_loop().create_future()
asyncio.run(main())
"""


class ProxyProgram(Struct, frozen=True):
    """A program and how it is started."""

    name: str
    command: Callable[[int, Path], list[str]]
    """What to run, given a port and a folder for its files; skips the test if it is not there."""
    scheme: str = "http"
    login_wanted: bool = True
    """Whoever sends no username and no password is refused."""
    refusal: ErrorKind | None = "proxy-auth"
    """What a wrong password comes to: some hang up and say no more, one never looks at it."""
    dead_end: ErrorKind = "proxy"
    """What a dead endpoint comes to: some say yes before they have tried to reach it."""
    trusted: str = ENDPOINT_CA
    """Whoever signs for the endpoints behind it: a program that reads what is in TLS does."""
    end: signal.Signals = signal.SIGKILL
    """What ends it at once and leaves nothing behind."""


class RunningProxy:
    """A process, and how an endpoint is told of it."""

    def __init__(
        self, program: ProxyProgram, process: subprocess.Popen[bytes], port: int, folder: Path
    ) -> None:
        self.program = program
        self.port = port
        self.endpoint_ca_file = str(folder / ENDPOINT_CA)
        self.ca_file = str(folder / program.trusted)
        self._process = process

    @property
    def words(self) -> str:
        """The proxy as every text about it names it."""
        return f"proxy office (127.0.0.1:{self.port})"

    def settings(self, password: str = PASSWORD) -> Proxy:
        """The proxy for an endpoint, which is on loopback too; no password, no username."""
        url = f"{self.program.scheme}://127.0.0.1:{self.port}"
        if not password:
            return Proxy("office", url, loopback=True)
        return Proxy("office", url, USER, Secret(password), loopback=True)

    def login(self) -> Proxy:
        """The proxy with what it wants to let someone through."""
        return self.settings(PASSWORD if self.program.login_wanted else "")

    def kill(self) -> None:
        """End the program and its helpers, and all their connections."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, self.program.end)
        self._process.wait(END_SECONDS)


@contextmanager
def running(program: ProxyProgram) -> Iterator[RunningProxy]:
    """The program on a port that accepts connections."""
    with TemporaryDirectory(prefix="streamtui-") as folder:
        yield from _running(program, Path(folder))


def _running(program: ProxyProgram, folder: Path) -> Iterator[RunningProxy]:
    port = free_port()
    ENDPOINT_AUTHORITY.cert_pem.write_to_path(folder / ENDPOINT_CA)
    command = program.command(port, folder)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    proxy = RunningProxy(program, process, port, folder)
    try:
        if not _accepts(port, process):
            pytest.fail(f"{program.name} does not start:\n{(folder / 'log').read_text()}")
        yield proxy
    finally:
        proxy.kill()


def _accepts(port: int, process: subprocess.Popen[bytes]) -> bool:
    """Whether it ever does; few of the programs say when they are ready."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return True
    return False


def _find(program: str, package: str) -> str:
    """The path of a program. Some distributions keep servers where only root looks."""
    places = f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin"
    found = shutil.which(program, path=places)
    if found is None:
        pytest.skip(f"{program} is not installed: apt-get install {package}")
    return found


def _written(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def _proxy_py(port: int, _: Path) -> list[str]:
    options = ["--hostname", "127.0.0.1", "--port", str(port), "--log-level", "CRITICAL"]
    options += ["--num-workers", "1", "--num-acceptors", "1"]
    return [sys.executable, "-m", "proxy", *options, "--basic-auth", f"{USER}:{PASSWORD}"]


def _pproxy(scheme: str, port: int, _: Path) -> list[str]:
    address = f"{scheme}://127.0.0.1:{port}#{USER}:{PASSWORD}"
    return [sys.executable, "-c", PPROXY_PROGRAM, address]


def _tinyproxy(port: int, folder: Path) -> list[str]:
    program = _find("tinyproxy", "tinyproxy")
    text = f"Listen 127.0.0.1\nPort {port}\nTimeout 60\nBasicAuth {USER} {PASSWORD}\n"
    return [program, "-d", "-c", _written(folder, "tinyproxy.conf", text)]


def _microsocks(port: int, _: Path) -> list[str]:
    program = _find("microsocks", "microsocks")
    return [program, "-i", "127.0.0.1", "-p", str(port), "-u", USER, "-P", PASSWORD]


def _danted(port: int, folder: Path) -> list[str]:
    """Its passwords are those of the system: whoever sends one is refused, the others pass."""
    program = _find("danted", "dante-server")
    text = (
        f"logoutput: stderr\ninternal: 127.0.0.1 port = {port}\nexternal: 127.0.0.1\n"
        "clientmethod: none\nsocksmethod: username none\n"
        "client pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }\n"
        "socks pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }\n"
    )
    pid_file = str(folder / "danted.pid")
    return [program, "-f", _written(folder, "danted.conf", text), "-p", pid_file]


def _squid(port: int, folder: Path) -> list[str]:
    program = _find("squid", "squid")
    # The protocol of its helpers: a line with both words in, a line with the verdict out.
    helper = _written(
        folder,
        "passwords.sh",
        f'while read -r login; do\n  [ "$login" = "{USER} {PASSWORD}" ] && echo OK || echo ERR\ndone',
    )
    text = (
        f"http_port 127.0.0.1:{port}\nvisible_hostname squid\ncache deny all\ncache_mem 0\n"
        f"auth_param basic program /bin/sh {helper}\nauth_param basic children 1 startup=1\n"
        "acl known proxy_auth REQUIRED\nhttp_access allow known\nhttp_access deny all\n"
        "access_log none\ncache_log /dev/null\npid_filename none\npinger_enable off\n"
        "shutdown_lifetime 0 seconds\n"
    )
    # Root's squid reads it as a user of its own.
    folder.chmod(0o755)
    # The name keeps the shared memory of several apart.
    service = ["-n", f"tests{port}"]
    return [program, "-N", "-d", "1", *service, "-f", _written(folder, "squid.conf", text)]


def _ssh(port: int, folder: Path) -> list[str]:
    """The client, and in place of a connection the server, which it starts for itself."""
    client, server = _find("ssh", "openssh-client"), _find("sshd", "openssh-server")
    if os.geteuid() == 0 and not Path("/run/sshd").exists():
        pytest.skip("sshd started by root needs a folder: mkdir /run/sshd")
    for key in ("host", "user"):
        generate = [_find("ssh-keygen", "openssh-client"), "-q", "-t", "ed25519", "-N", ""]
        subprocess.run([*generate, "-f", str(folder / key)], check=True)
    text = (
        f"HostKey {folder}/host\nAuthorizedKeysFile {folder}/user.pub\nStrictModes no\n"
        "UsePAM no\nPermitRootLogin yes\nPidFile none\n"
    )
    options = [
        *("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "IdentitiesOnly=yes"),
        f"ProxyCommand={server} -i -f {_written(folder, 'sshd_config', text)}",
    ]
    flags = [flag for option in options for flag in ("-o", option)]
    address = f"{getpass.getuser()}@localhost"
    keys = ["-F", "none", "-i", str(folder / "user")]
    return [client, *keys, *flags, "-N", "-D", f"127.0.0.1:{port}", address]


PROXY_PY = ProxyProgram("proxy.py", _proxy_py)
PPROXY_HTTP = ProxyProgram("pproxy-http", partial(_pproxy, "http"))
PPROXY_SOCKS = ProxyProgram(
    "pproxy-socks5",
    partial(_pproxy, "socks5"),
    "socks5h",
    refusal="proxy",
    dead_end="connection-lost",
)
TINYPROXY = ProxyProgram("tinyproxy", _tinyproxy)
MICROSOCKS = ProxyProgram("microsocks", _microsocks, "socks5h")
DANTED = ProxyProgram("danted", _danted, "socks5h", login_wanted=False)
# Killed outright it leaves its shared memory behind.
SQUID = ProxyProgram("squid", _squid, end=signal.SIGTERM)
SSH = ProxyProgram("ssh", _ssh, "socks5h", login_wanted=False, refusal=None)
