"""mitmproxy, which reads what is in TLS, in a virtual environment of its own.

Among the packages of the tests it would put older ones in the place of h11 and cryptography. The
environment, some 130 MB, stays in the user's cache for the next time.
"""

import fcntl
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import platformdirs
import pytest

from tests.interop.proxies import ENDPOINT_CA, PASSWORD, USER, ProxyProgram

REQUIREMENT = "mitmproxy>=11,<13"
INSTALL_SECONDS = 120

# Without this it keeps an answer to itself until the answer has ended. Its own option for that,
# stream_large_bodies, keeps it from refusing a wrong password of a request with a body.
STREAMS = """
def responseheaders(flow):
    flow.response.stream = flow.response.headers.get("content-type") == "text/event-stream"
"""


def _mitmdump(port: int, folder: Path) -> list[str]:
    environment = _environment()
    if reason := _why_missing(environment):
        pytest.skip(reason)
    options = ["-q", "--listen-host", "127.0.0.1", "-p", str(port)]
    options += ["--proxyauth", f"{USER}:{PASSWORD}", "--set", f"confdir={folder}"]
    options += ["--set", f"ssl_verify_upstream_trusted_ca={folder / ENDPOINT_CA}"]
    (folder / "streams.py").write_text(STREAMS)
    options += ["-s", str(folder / "streams.py")]
    return [str(environment / "bin" / "mitmdump"), *options]


MITMDUMP = ProxyProgram("mitmdump", _mitmdump, trusted="mitmproxy-ca-cert.pem")


def _environment() -> Path:
    version = "{}.{}".format(*sys.version_info)
    return platformdirs.user_cache_path("streamtui-tests") / f"mitmproxy-python-{version}"


@cache
def _why_missing(environment: Path) -> str:
    """Empty once it is installed; several test processes may want that at once."""
    environment.parent.mkdir(parents=True, exist_ok=True)
    whole = environment / REQUIREMENT
    with _locked(environment.with_name(f"{environment.name}.lock")):
        # The interpreter is a link, whose target may have been removed since.
        if whole.exists() and (environment / "bin" / "python").exists():
            return ""
        shutil.rmtree(environment, ignore_errors=True)
        if reason := _install(environment):
            return reason
        whole.touch()
        return ""


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _install(environment: Path) -> str:
    """Why that failed; empty when it did not."""
    pip = [str(environment / "bin" / "python"), "-m", "pip", "install", "-q", "--retries", "1"]
    for command in ([sys.executable, "-m", "venv", str(environment)], [*pip, REQUIREMENT]):
        try:
            subprocess.run(command, capture_output=True, check=True, timeout=INSTALL_SECONDS)
        except subprocess.TimeoutExpired:
            return f"{REQUIREMENT} could not be installed within {INSTALL_SECONDS} s"
        except subprocess.CalledProcessError as error:
            said = (error.stderr or error.stdout).decode(errors="replace").strip()
            return f"{REQUIREMENT} could not be installed: {said.rpartition('ERROR: ')[2]}"
    return ""
