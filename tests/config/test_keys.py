"""Keys from files, from commands and from the configuration itself; none is ever shown."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from streamtui.config import keys, show_config
from streamtui.config.toml_lines import shortened
from streamtui.redact import Secret
from tests.config.loading import OWN, Load, refuse

KEY = "sk-literal-key-0123456789"


def private(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text)
    return path


def command(*words: str) -> str:
    return f"{OWN}api_key_command = {[sys.executable, *words]!r}"


# From a file


@pytest.mark.parametrize("text", [KEY, f"{KEY}\n", f"  {KEY} \r\n"])
def test_a_key_is_read_from_a_file(load: Load, tmp_path: Path, text: str) -> None:
    path = private(tmp_path / "key", text)
    own = load(f'{OWN}api_key_file = "{path}"').endpoints["own"]
    assert own.api_key == Secret(KEY)
    assert own.key_source == f"file {path}"


def test_a_path_is_relative_to_the_configuration_file(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private(tmp_path / "key", KEY)
    monkeypatch.chdir("/")
    assert load(f'{OWN}api_key_file = "key"').endpoints["own"].api_key == Secret(KEY)


def test_a_tilde_is_the_home_folder(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private(tmp_path / "key", KEY)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load(f'{OWN}api_key_file = "~/key"').endpoints["own"].api_key == Secret(KEY)
    assert "cannot be read" in refuse(load, f'{OWN}api_key_file = "~nobody-here/key"').reason


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o777])
def test_a_file_that_others_can_use_is_refused_with_the_command_that_helps(
    load: Load, tmp_path: Path, mode: int
) -> None:
    path = private(tmp_path / "my key", KEY)
    path.chmod(mode)
    error = refuse(load, f'{OWN}api_key_file = "{path}"')
    assert error.reason == f"others can read {path}; run: chmod 600 '{path}'"
    assert (error.line, error.key) == (4, "endpoints.own.api_key_file")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "holds no key"),
        (b" \n", "holds no key"),
        (b"hunter2 hunter3", "holds white space"),
        (b"hunter2\nhunter3\n", "holds white space"),
        (b"hunter2\xff", "holds no text"),
    ],
)
def test_a_file_without_one_key_is_refused_and_not_shown(
    load: Load, tmp_path: Path, content: bytes, words: str
) -> None:
    path = private(tmp_path / "key", "")
    path.write_bytes(content)
    error = refuse(load, f'{OWN}api_key_file = "{path}"')
    assert words in error.reason
    assert "hunter" not in str(error)


def test_what_is_no_file_is_refused_and_not_waited_for(load: Load, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert "is not a file" in refuse(load, f'{OWN}api_key_file = "pipe"').reason
    assert "is not a file" in refuse(load, f'{OWN}api_key_file = "."').reason
    assert "No such file" in refuse(load, f'{OWN}api_key_file = "none"').reason
    assert "cannot be read" in refuse(load, OWN + 'api_key_file = "a\\u0000b"').reason


# From a command


def test_a_key_is_what_a_command_prints(load: Load) -> None:
    own = load(command("-c", f"print('{KEY}')")).endpoints["own"]
    assert own.api_key == Secret(KEY)
    assert own.key_source == f"command {shortened(sys.executable)} …"


def counting(folder: Path) -> tuple[str, ...]:
    """A command that prints how often it was run."""
    code = f"file = open({str(folder / 'runs')!r}, 'a+'); file.write('.'); print(file.tell())"
    return (sys.executable, "-c", code)


def test_a_command_is_run_once_for_readings_in_a_row_and_again_later(tmp_path: Path) -> None:
    now = 0.0
    commands = keys.KeyCommands(lambda: now)
    first, other = counting(tmp_path), (*counting(tmp_path), "other")
    assert commands.key(first) == commands.key(first) == Secret("1")
    assert commands.key(other) == Secret("2")
    now = keys.REMEMBERED_SECONDS - 0.1
    assert commands.key(first) == Secret("1")
    now = keys.REMEMBERED_SECONDS
    assert commands.key(first) == Secret("3")


def test_readings_at_once_run_a_command_once(tmp_path: Path) -> None:
    commands, command = keys.KeyCommands(), counting(tmp_path)
    with ThreadPoolExecutor() as threads:
        found = list(threads.map(lambda _: commands.key(command), range(4)))
    assert found == [Secret("1")] * 4


def test_a_command_that_failed_is_run_again(tmp_path: Path) -> None:
    commands, there = keys.KeyCommands(), tmp_path / "there"
    command = (sys.executable, "-c", f"print(open({str(there)!r}).read())")
    with pytest.raises(ValueError, match="ended with status 1"):
        commands.key(command)
    there.write_text(KEY)
    assert commands.key(command) == Secret(KEY)


def test_reading_the_files_again_runs_no_command_again(load: Load, tmp_path: Path) -> None:
    text = f"{OWN}api_key_command = {list(counting(tmp_path))!r}"
    assert [load(text).endpoints["own"].api_key for _ in range(2)] == [Secret("1")] * 2


def test_no_shell_reads_the_words_of_a_command(load: Load) -> None:
    own = load(command("-c", "import sys; print(sys.argv[1])", "$HOME;*")).endpoints["own"]
    assert own.api_key == Secret("$HOME;*")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("print('hunter2'); raise SystemExit(3)", "ended with status 3, without a key"),
        ("import sys; sys.stderr.write('hunter2')", "holds no key"),
        ("print('hunter2 hunter3')", "holds white space"),
        ("import os; os.kill(os.getpid(), 9)", "was ended by signal 9"),
        ("input()", "ended with status 1"),
    ],
)
def test_a_command_that_fails_is_told_without_its_output(
    load: Load, capfd: pytest.CaptureFixture[str], code: str, words: str
) -> None:
    error = refuse(load, command("-c", code))
    assert words in error.reason
    assert "hunter" not in str(error)
    assert (error.line, error.key) == (4, "endpoints.own.api_key_command")
    assert capfd.readouterr() == ("", "")


def test_a_command_that_is_not_there_is_named(load: Load) -> None:
    error = refuse(load, f'{OWN}api_key_command = ["/no/such/program", "hunter2"]')
    assert error.reason == "/no/such/program cannot be started: No such file or directory"


def test_a_command_that_takes_too_long_is_ended(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "COMMAND_SECONDS", 0.05)
    error = refuse(load, command("-c", "import time; time.sleep(60)"))
    assert "printed no key within 0.05 s" in error.reason


def test_only_the_commands_of_endpoints_that_name_them_run(load: Load, tmp_path: Path) -> None:
    load(OWN)
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


# In the configuration


def test_a_literal_key_stands_in_a_file_of_ones_own(load: Load) -> None:
    config = load(f'{OWN}api_key = "{KEY}"')
    assert config.endpoints["own"].api_key == Secret(KEY)
    assert config.endpoints["own"].key_source == "the configuration file"
    assert KEY not in show_config(config) + repr(config)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_literal_key_in_a_file_that_others_read_is_refused(
    load: Load, tmp_path: Path, mode: int
) -> None:
    path = tmp_path / "config.toml"
    path.touch()
    path.chmod(mode)
    error = refuse(load, f'{OWN}api_key = "{KEY}"')
    assert error.reason == f"others can read {path}; run: chmod 600 {path}"
    assert (error.line, error.key) == (4, "endpoints.own.api_key")
    assert KEY not in str(error)


def test_a_literal_key_in_a_file_of_someone_else_is_refused(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 12345)
    error = refuse(load, f'{OWN}api_key = "{KEY}"')
    assert "belongs to another user" in error.reason
    assert KEY not in str(error)


# All of them


@pytest.mark.parametrize(
    "line", ['api_key = ""', "api_key_command = []", 'api_key_command = [""]', 'api_key_file = ""']
)
def test_a_source_that_names_nothing_is_refused(load: Load, line: str) -> None:
    error = refuse(load, OWN + line)
    assert "more than nothing" in error.reason
    assert error.line == 4


def test_a_key_comes_from_one_source(load: Load) -> None:
    error = refuse(load, f'{OWN}api_key_env = "A"\napi_key = "{KEY}"')
    assert error.reason == "there is api_key too; a key comes from one of them"
    assert error.key == "endpoints.own.api_key_env"
    assert KEY not in str(error)
