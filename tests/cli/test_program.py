"""The program around its commands: help, start-up, mistakes, bugs and shell completion."""

import os
import subprocess
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from streamtui import __version__, cli
from streamtui.cli import program as group
from streamtui.errors import ConfigError
from tests.cli.conftest import Program, finish

HEAVY = ("aiohttp", "textual", "msgspec", "asyncio", "streamtui.config", "streamtui.engine.doors")


def imported_by(program: Program, *args: str) -> set[str]:
    """The modules that a command has loaded when it ends."""
    code = (
        "import sys\nfrom streamtui.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit:\n"
        "    print('\\n'.join(sys.modules), file=sys.stderr)"
    )
    ended = subprocess.run(  # noqa: PLW1510
        [program.python, "-c", code, *args],
        env=program.environ,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    return set(ended.stderr.split())


def test_the_version_is_told() -> None:
    result = CliRunner().invoke(group, ["--version"])
    assert (result.exit_code, result.output) == (0, f"streamtui {__version__}\n")


def test_help_names_all_commands_and_shell_completion() -> None:
    result = CliRunner().invoke(group, ["-h"])
    assert result.exit_code == 0
    for word in ("config", "demo", "endpoints", "run", "serve", "_STREAMTUI_COMPLETE=bash_source"):
        assert word in result.output


def test_commands_of_later_releases_are_not_there() -> None:
    context = click.Context(group)
    assert group.list_commands(context) == [
        *("config", "demo", "doctor", "endpoints", "history", "run", "serve", "sessions", "watch"),
    ]
    assert group.get_command(context, "pipeline") is None


@pytest.mark.parametrize(
    "args", [["--version"], ["--help"], ["run", "--help"], ["watch", "--help"]]
)
def test_help_and_version_import_nothing_heavy(program: Program, args: list[str]) -> None:
    loaded = imported_by(program, *args)
    assert "streamtui.cli" in loaded
    assert not loaded.intersection(HEAVY)


def test_run_never_imports_textual(program: Program) -> None:
    loaded = imported_by(program, "run", "hi", "--limit", "1")
    assert "aiohttp" in loaded
    assert not {name for name in loaded if name.partition(".")[0] in {"textual", "rich"}}


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["wach"], "No such command"),
        (["--nonsense"], "No such option"),
        (["--resume", "config"], "for the console"),
        (["-e", "demo", "run", "hi"], "for the console"),
        (["-p", "hi", "serve"], "for the console"),
        (["run", "--config", "/nowhere/config.toml", "hi"], "/nowhere/config.toml"),
        (["run", "-e", "demoo", "hi"], "unknown endpoint 'demoo'"),
    ],
)
async def test_mistakes_have_words_and_a_code(
    program: Program, args: list[str], words: str
) -> None:
    ended = await program.run(*args)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err


@pytest.mark.parametrize(
    ("stream", "name"),
    [("stdin", "standard input"), ("stdout", "standard output"), ("stderr", "standard error")],
)
async def test_without_a_terminal_the_console_points_to_run(
    program: Program, stream: str, name: str
) -> None:
    master, slave = os.openpty()
    streams = {"stdin": slave, "stdout": slave, "stderr": slave}
    del streams[stream]
    process = await program.start(**streams)
    os.close(slave)
    words = await finish(process)
    seen = words.err or os.read(master, 4096).decode()
    os.close(master)
    assert words.code == 2
    assert f"{name} is none." in seen
    assert "`streamtui run PROMPT`" in " ".join(seen.split())


async def test_a_mistake_in_the_file_is_told_with_its_place(program: Program) -> None:
    program.configure('[defaults]\nendpont = "x\\u001b[2J"\n')
    ended = await program.run("run", "hi")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"{program.config}:2: defaults.endpont: ")
    assert "\x1b" not in ended.err


@pytest.mark.parametrize("place", [["--config", "PATH", "run"], ["run", "--config", "PATH"]])
async def test_a_configuration_can_be_given_before_and_after_the_command(
    program: Program, tmp_path: Path, place: list[str]
) -> None:
    other = tmp_path / "other.toml"
    other.write_text('[defaults]\nendpoint = "nowhere"\n')
    ended = await program.run(*(str(other) if word == "PATH" else word for word in place), "hi")
    assert ended.code == 2
    assert ended.err.startswith(f"{other}:2: ")


async def test_warnings_go_to_standard_error(program: Program) -> None:
    program.environ["OPENAI_BASE_URL"] = "ftp://x"
    program.environ["OPENAI_API_KEY"] = "sk-secretsecretsecret1"
    ended = await program.run("run", "hi", "-e", "demo", "--limit", "1")
    assert ended.code == 0
    assert ended.err.startswith("streamtui: the endpoint openai is left out: ")
    assert "secret" not in ended.err


def explained(error: BaseException) -> int:
    def fail() -> None:
        raise error

    return cli._exit_code(fail)


def test_a_bug_is_a_line_without_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert explained(ValueError("sk-secret")) == 1
    words = capsys.readouterr().err
    assert words.startswith("streamtui: a bug in streamtui: ValueError in test_program.py:")
    assert words.count("\n") == 1
    assert "secret" not in words


def test_a_bug_has_its_traceback_on_request(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMTUI_DEBUG", "1")
    assert explained(ValueError("why")) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ConfigError("why", file="f", line=3, key="a.b"), 2, "f:3: a.b: why\n"),
        (ConfigError("why\x1b"), 2, "streamtui: why␛\n"),
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(), 0, ""),
        (
            OSError(28, "No space left on device"),
            2,
            "streamtui: cannot write: No space left on device\n",
        ),
    ],
)
def test_what_is_no_bug_has_its_own_code(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int, words: str
) -> None:
    assert explained(error) == code
    assert capsys.readouterr().err == words


async def test_help_into_a_closed_pipe_ends_quietly(program: Program) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = await program.start("--help", stdout=writing)
    os.close(writing)
    ended = await finish(process)
    assert (ended.code, ended.err) == (0, "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
async def test_each_shell_gets_its_completion_script(program: Program, shell: str) -> None:
    program.environ["_STREAMTUI_COMPLETE"] = f"{shell}_source"
    # Without bash on the PATH, click would only warn.
    ended = await program.run()
    assert ended.code == 0
    assert "_STREAMTUI_COMPLETE" in ended.out


async def complete(program: Program, *words: str) -> list[str]:
    """What the shell would be offered for the last of these words."""
    program.environ |= {
        "_STREAMTUI_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(["streamtui", *words]),
        "COMP_CWORD": str(len(words)),
    }
    ended = await program.run()
    assert (ended.code, ended.err) == (0, "")
    return [line.removeprefix("plain,") for line in ended.out.splitlines() if line]


async def test_commands_and_options_are_completed(program: Program) -> None:
    assert await complete(program, "r") == ["run"]
    assert "--events" in await complete(program, "run", "--ev")


async def test_endpoints_are_completed(program: Program) -> None:
    program.add_endpoint("denver", "http://127.0.0.1:9/v1")
    assert await complete(program, "run", "-e", "de") == ["denver", "demo"]


async def test_completing_runs_no_command_for_a_key(program: Program, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    more = f'api_key_command = ["touch", "{asked}"]'
    program.add_endpoint("denver", "http://127.0.0.1:9/v1", more)
    assert await complete(program, "run", "-e", "de") == ["denver", "demo"]
    assert not asked.exists()


async def test_a_broken_file_completes_nothing(program: Program) -> None:
    program.configure("[[[")
    assert await complete(program, "run", "-e", "de") == []
