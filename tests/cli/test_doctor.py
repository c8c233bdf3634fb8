"""`streamtui doctor` as a program: in a pipe, in a terminal, inside a real tmux."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from streamtui import cli
from streamtui.demo.server import DemoServer
from tests.cli.conftest import Program, finish
from tests.cli.test_program import HEAVY, imported_by
from tests.faultserver import fault_server
from tests.ui.pty_driver import PtyProgram, program_in_pty

SUBJECTS = ["Program", "Terminal", "Keys", "Clipboard", "Files", "Configuration", "Network"]
SECRET = "sk-secretsecretsecret1"


def findings(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


async def test_everything_is_looked_at_and_nothing_is_wrong(
    program: Program, tmp_path: Path
) -> None:
    program.environ["LANG"] = "C.UTF-8"
    ended = await program.run("doctor")
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert [line for line in lines if line in SUBJECTS] == SUBJECTS
    assert any("demo/verse: first token after" in line for line in lines)
    assert lines[-1].startswith("No problems")
    assert max(len(line) for line in lines if "/" not in line) <= 80
    assert "\x1b" not in ended.out


async def test_programs_read_the_same_as_json(program: Program) -> None:
    ended = await program.run("doctor", "--json")
    assert (ended.code, ended.err) == (0, "")
    found = findings(ended.out)
    assert list(dict.fromkeys(each["subject"] for each in found)) == SUBJECTS
    assert {each["state"] for each in found} <= {"ok", "note"}
    assert all(set(each) == {"subject", "state", "words", "fix", "where"} for each in found)


async def test_offline_asks_nobody_and_leaves_no_file(
    program: Program, server: DemoServer, tmp_path: Path
) -> None:
    program.add_endpoint("far", server.base_url, model="demo/verse")
    before = sorted(tmp_path.rglob("*"))
    ended = await program.run("doctor", "--offline")
    assert ended.code == 0
    assert "Network" not in ended.out
    assert sorted(tmp_path.rglob("*")) == before
    assert server.requests == []


async def test_one_endpoint_can_be_asked_alone(far: Program, server: DemoServer) -> None:
    ended = await far.run("doctor", "--json", "-e", "far/demo/fast")
    network = [each for each in findings(ended.out) if each["subject"] == "Network"]
    assert [each["words"].partition(":")[0] for each in network] == ["far/demo/fast"]
    assert network[0]["state"] == "ok"


async def test_an_endpoint_that_nobody_answers_for_is_a_problem_of_the_network(
    program: Program,
) -> None:
    program.add_endpoint("far", "http://127.0.0.1:9/v1")
    ended = await program.run("doctor", "-e", "far")
    assert ended.code == 5
    assert "✗ problem  far/m: nothing listens on 127.0.0.1:9" in ended.out
    assert ended.out.splitlines()[-1].startswith("1 problem")


async def test_a_mistake_in_the_file_is_one_finding_among_the_others(program: Program) -> None:
    program.configure('[defaults]\ntheme = "night"\nendpont = "x"\n')
    ended = await program.run("doctor", "--json")
    assert (ended.code, ended.err) == (2, "")
    (wrong,) = [each for each in findings(ended.out) if each["state"] == "problem"]
    assert wrong["subject"] == "Configuration"
    assert wrong["fix"] == f"${{EDITOR:-vi}} +3 {program.config}"
    assert findings(ended.out)[-1]["subject"] == "Network"


async def test_without_a_key_nothing_is_asked_and_the_command_is_told(program: Program) -> None:
    program.add_endpoint("far", "http://127.0.0.1:9/v1", 'api_key_env = "FAR_KEY"')
    ended = await program.run("doctor", "-e", "far")
    assert ended.code == 2
    assert "run:  export FAR_KEY=…" in ended.out
    assert "nothing listens" not in ended.out


async def test_a_locale_without_utf_8_ends_with_the_code_for_problems(program: Program) -> None:
    program.environ["LC_ALL"] = "C"
    ended = await program.run("doctor", "--offline")
    assert ended.code == 2
    assert "run:  export LC_ALL=C.UTF-8" in ended.out


async def test_neither_keys_nor_passwords_are_told(program: Program) -> None:
    program.configure('[proxies.p]\nurl = "http://me:hidden-word@127.0.0.1:9"\nloopback = true\n')
    program.add_endpoint("far", "http://127.0.0.1:9/v1", 'api_key_env = "FAR_KEY"\nproxy = "p"')
    program.environ |= {
        "FAR_KEY": SECRET,
        "HTTPS_PROXY": "http://me:hidden-word@proxy.example:3128",
        "OPENAI_BASE_URL": "ftp://x",
        "OPENAI_API_KEY": SECRET,
    }
    for form in ((), ("--json",)):
        ended = await program.run("doctor", *form)
        assert "far/m: cannot reach proxy p (127.0.0.1:9)" in " ".join(ended.out.split())
        assert SECRET not in ended.out + ended.err
        assert "hidden-word" not in ended.out + ended.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupt_ends_it_while_an_endpoint_is_silent(
    number: int, program: Program
) -> None:
    async with fault_server([["stall"]]) as mute:
        program.add_endpoint("far", mute.base_url)
        process = await program.start("doctor", "-e", "far")
        await mute.reached(1)
        process.send_signal(number)
        ended = await finish(process)
    assert (ended.code, ended.err) == (130, "")
    assert "Configuration" in ended.out


async def test_an_unknown_name_is_a_mistake_of_usage(program: Program) -> None:
    ended = await program.run("doctor", "-e", "dmo")
    assert (ended.code, ended.out) == (2, "")
    assert "did you mean demo?" in ended.err


def test_offline_and_an_endpoint_contradict_each_other() -> None:
    result = CliRunner().invoke(cli.program, ["doctor", "--offline", "-e", "demo"])
    assert result.exit_code == 2
    assert "choose one of them" in result.output


async def test_a_reader_that_wants_one_line_only_ends_it_quietly(program: Program) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = await program.start("doctor", stdout=writing)
    os.close(writing)
    ended = await finish(process)
    assert (ended.code, ended.err) == (0, "")


def test_help_imports_nothing_heavy(program: Program) -> None:
    assert not imported_by(program, "doctor", "--help").intersection(HEAVY)


def test_help_tells_the_price_and_the_codes() -> None:
    result = CliRunner().invoke(cli.program, ["doctor", "--help"])
    assert result.exit_code == 0
    assert "a few tokens" in " ".join(result.output.split())
    assert "Exit codes" in result.output


def be_the_doctor(home: Path, *args: str, **environ: str) -> None:
    """In the child of a terminal: the real program, with an environment of its own."""
    kept = {name: os.environ[name] for name in ("PATH", "TERM", "COLORTERM")}
    kept |= {"HOME": str(home), "PYTHONPATH": str(Path(__file__).parents[2]), "LANG": "C.UTF-8"}
    os.execvpe(
        sys.executable,
        [sys.executable, "-m", "streamtui", "doctor", "--offline", *args],
        kept | environ,
    )


def test_in_a_terminal_it_is_told_what_the_terminal_can(tmp_path: Path) -> None:
    with program_in_pty(lambda: be_the_doctor(tmp_path), columns=80, rows=60) as terminal:
        text = terminal.wait_for_text("No problems")
        assert terminal.wait_for_exit() == 0
        written = bytes(terminal.received)
    assert "TERM=xterm-256color" in text
    assert "16 million colours" in text
    assert "80×60" in text
    assert b"\x1b[32m" in written
    # Nothing is asked of the terminal, whose answer would be read as typed.
    assert set(_final_bytes(written)) == {"m"}


def _final_bytes(written: bytes) -> Iterator[str]:
    """The last character of each escape sequence; all are such as begin with CSI."""
    for piece in written.decode().split("\x1b")[1:]:
        assert piece.startswith("[")
        yield next(character for character in piece[1:] if character.isalpha())


def test_no_color_is_obeyed(tmp_path: Path) -> None:
    with program_in_pty(
        lambda: be_the_doctor(tmp_path, NO_COLOR="1"), columns=80, rows=60
    ) as terminal:
        terminal.wait_for_text("No problems")
        assert b"\x1b" not in terminal.received


@pytest.fixture
def tmux_socket(tmp_path: Path) -> Iterator[Path]:
    """The socket of a tmux server of this test's own, which ends with it."""
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not on this machine")
    socket = tmp_path / "tmux.sock"
    yield socket
    subprocess.run(  # noqa: PLW1510 - it may have ended
        ["tmux", "-S", str(socket), "kill-server"],
        capture_output=True,
    )


def be_tmux(home: Path, socket: Path, config: str) -> None:
    """In the child of a terminal: tmux, and the doctor in its first window."""
    (home / ".tmux.conf").write_text(f"set -g status off\nset -g remain-on-exit on\n{config}")
    doctor = f"{sys.executable} -m streamtui doctor --offline"
    environ = {name: os.environ[name] for name in ("PATH", "TERM")}
    environ |= {"HOME": str(home), "LANG": "C.UTF-8"}
    environ["PYTHONPATH"] = str(Path(__file__).parents[2])
    os.execvpe("tmux", ["tmux", "-S", str(socket), "new-session", doctor], environ)


def in_tmux(home: Path, socket: Path, config: str) -> str:
    """What the doctor says inside a tmux with such a configuration."""

    def show(terminal: PtyProgram) -> str:
        return terminal.wait_for(lambda text: "problem" in text and "note" in text, "a summary")

    with program_in_pty(lambda: be_tmux(home, socket, config), columns=90, rows=90) as terminal:
        terminal.wait_for_text("Configuration")
        return show(terminal)


def test_inside_tmux_as_it_comes_its_slow_escape_is_told(tmp_path: Path, tmux_socket: Path) -> None:
    text = in_tmux(tmp_path, tmux_socket, "")
    assert "inside tmux" in text
    assert "escape comes 500 ms late" in text
    assert "in ~/.tmux.conf:  set -sg escape-time 10" in text
    assert "the prefix of tmux, C-b, hides none of them" in text
    assert "set-clipboard external" in text
    options = subprocess.run(
        ["tmux", "-S", str(tmux_socket), "show", "-gv", "escape-time"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert options.stdout == "500\n"


def test_inside_a_tmux_that_is_set_up_other_things_are_found(
    tmp_path: Path, tmux_socket: Path
) -> None:
    config = "set -sg escape-time 10\nset -g prefix C-t\nbind -n M-Left previous-window\n"
    text = in_tmux(tmp_path, tmux_socket, f"{config}set -s set-clipboard off\n")
    assert "escape-time 10 ms" in text
    assert "set -g prefix C-b" in text
    assert "unbind -n M-Left" in text
    assert "set -s set-clipboard on" in text
