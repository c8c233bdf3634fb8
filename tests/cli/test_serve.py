"""`streamtui serve`: the demo server as a process of its own."""

import shlex
import signal
import socket
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from shutil import which

import pytest

from tests.cli.conftest import Program, finish
from tests.cli.test_run import PROMPT, answer


async def serving(program: Program, *options: str) -> tuple[Process, str, str]:
    """A server that listens, with the two lines that it prints."""
    process = await program.start("serve", *options)
    assert process.stdout is not None
    base_url = (await process.stdout.readline()).decode().strip()
    curl = (await process.stdout.readline()).decode().strip()
    return process, base_url, curl


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_answers_until_it_is_told_to_end(program: Program, number: signal.Signals) -> None:
    process, base_url, _ = await serving(program)
    program.add_endpoint("served", base_url, model="demo/verse")
    ended = await program.run("run", PROMPT)
    assert ended == (0, answer("demo/verse") + "\n", "")
    process.send_signal(number)
    assert (await finish(process)).code == 0


@pytest.mark.skipif(which("curl") is None, reason="needs curl")
async def test_the_curl_line_can_be_pasted(program: Program) -> None:
    _, _, curl = await serving(program)
    asking = await create_subprocess_exec(*shlex.split(curl), "-s", stdout=PIPE)
    out, _ = await asking.communicate()
    assert asking.returncode == 0
    assert out.startswith(b"data: ")
    assert out.endswith(b"data: [DONE]\n\n")


async def test_it_ends_although_somebody_still_listens(program: Program) -> None:
    process, base_url, _ = await serving(program)
    program.add_endpoint("served", base_url, model="demo/stall")
    asking = await program.start("run", PROMPT)
    assert asking.stdout is not None
    await asking.stdout.readexactly(10)
    process.send_signal(signal.SIGTERM)
    assert (await finish(process)).code == 0
    assert (await finish(asking)).code == 6


@pytest.mark.parametrize("host", ["0.0.0.0", "example.com", "192.168.0.1"])
async def test_only_loopback_is_served(program: Program, host: str) -> None:
    ended = await program.run("serve", "--host", host)
    assert (ended.code, ended.out) == (2, "")
    assert "loopback" in ended.err


async def test_a_taken_port_is_told(program: Program) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = await program.run("serve", "--port", str(port))
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == f"streamtui: cannot listen on 127.0.0.1:{port}: Address already in use.\n"
