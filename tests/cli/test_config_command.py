"""`streamtui config`: path, init, check and show."""

import os
import stat
import tomllib
from pathlib import Path

import pytest

from tests.cli.conftest import Program

EXAMPLE = (Path(__file__).parents[2] / "config.example.toml").read_text(encoding="utf-8")


async def test_the_path_is_told_whether_or_not_the_file_is_there(program: Program) -> None:
    assert await program.run("config", "path") == (0, f"{program.config}\n", "")


async def test_init_writes_the_example_for_the_user_only(program: Program) -> None:
    before = os.umask(0o022)
    try:
        ended = await program.run("config", "init")
    finally:
        os.umask(before)
    assert ended == (0, f"{program.config}\n", "")
    assert program.config.read_text(encoding="utf-8") == EXAMPLE
    assert stat.S_IMODE(program.config.stat().st_mode) == 0o600
    assert stat.S_IMODE(program.config.parent.stat().st_mode) == 0o700


async def test_what_init_writes_can_be_used(program: Program) -> None:
    await program.run("config", "init")
    program.environ["OPENAI_API_KEY"] = "sk-secretsecretsecret1"
    ended = await program.run("config", "check")
    assert ended.code == 0
    assert f"{program.config}: can be used." in ended.out


async def test_init_never_writes_over_a_file(program: Program) -> None:
    program.configure("# mine\n")
    ended = await program.run("config", "init")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == f"streamtui: {program.config} is there already and stays as it is.\n"
    assert program.config.read_text() == "# mine\n"


async def test_init_follows_no_link(program: Program, tmp_path: Path) -> None:
    program.config.parent.mkdir(parents=True)
    program.config.symlink_to(tmp_path / "elsewhere")
    assert (await program.run("config", "init")).code == 2
    assert not (tmp_path / "elsewhere").exists()


async def test_init_where_nothing_can_be_written_says_so(program: Program, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = await program.run("config", "init", "--config", str(tmp_path / "file" / "c.toml"))
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"streamtui: cannot write {tmp_path}/file/c.toml: ")


async def test_check_without_a_file_tells_what_is_in_force(program: Program) -> None:
    ended = await program.run("config", "check")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == (
        f"{program.config}: not there; what is built in is used. Endpoints: demo. Default: demo.\n"
    )


async def test_check_tells_the_place_of_a_mistake(program: Program) -> None:
    program.configure('[defaults]\ntheme = "night"\nendpont = "demo"\n')
    ended = await program.run("config", "check")
    assert (ended.code, ended.err) == (2, "")
    assert ended.out.startswith(f"{program.config}:3: defaults.endpont: ")


async def test_check_tells_of_missing_keys(program: Program) -> None:
    program.add_endpoint("far", "https://far.example/v1", 'api_key_env = "FAR_KEY"')
    ended = await program.run("config", "check")
    assert ended.code == 0
    finding, verdict = ended.out.splitlines()
    assert finding == (
        f"{program.config}: the endpoint far has no key: the environment variable FAR_KEY is not set."
    )
    assert verdict == f"{program.config}: can be used. Endpoints: far, demo. Default: far."


async def test_show_prints_toml_without_keys(program: Program) -> None:
    program.add_endpoint("far", "https://far.example/v1", 'api_key_env = "FAR_KEY"')
    program.environ["FAR_KEY"] = "sk-secretsecretsecret1"
    ended = await program.run("config", "show")
    assert (ended.code, ended.err) == (0, "")
    shown = tomllib.loads(ended.out)
    assert shown["endpoints"]["far"]["base_url"] == "https://far.example/v1"
    assert "secret" not in ended.out


@pytest.mark.parametrize("command", ["check", "show"])
async def test_a_file_that_is_given_must_be_there(program: Program, command: str) -> None:
    ended = await program.run("config", command, "--config", "/nowhere/c.toml")
    assert ended.code == 2
    assert "/nowhere/c.toml" in ended.out + ended.err
