"""The examples of README.md run as printed, against the demo endpoint by configuration alone."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def block_after(marker: str, language: str) -> str:
    """The first fenced block of a language after a line of the README."""
    fenced = re.compile(rf"```{language}\n(.*?)```", re.DOTALL)
    found = fenced.search(README, README.index(marker))
    assert found is not None
    return found[1]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    folder = tmp_path / "streamtui"
    folder.mkdir()
    config = block_after("the name `openai` mean the demo endpoint", "toml")
    (folder / "config.toml").write_text(config, encoding="utf-8")
    return {**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "PYTHONUTF8": "1"}


def run_example(name: str, environ: dict[str, str]) -> str:
    code = block_after(f"<!-- example: {name} -->", "python")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=environ,
        check=True,
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("name", ["stream", "astream"])
def test_chunk_by_chunk_with_a_separator(name: str, environ: dict[str, str]) -> None:
    printed = run_example(name, environ)
    chunks = printed.split("|")
    assert len(chunks) > 20
    assert "sparkling water" in "".join(chunks)


def test_event_by_event_until_the_fifth(environ: dict[str, str]) -> None:
    lines = run_example("astream_events", environ).splitlines()
    assert len(lines) == 5
    assert lines[0].startswith("{'event': 'on_llm_start'")
    assert all("'event': 'on_llm_stream'" in line for line in lines[1:4])
    assert lines[4] == "...Truncated"


def test_every_configuration_in_the_readme_is_valid_toml() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    assert blocks
    for block in blocks:
        assert tomllib.loads(block)


def test_the_readme_names_every_exit_code() -> None:
    said = README[README.index("The exit code says") :].partition("\n\n")[0]
    assert {int(code) for code in re.findall(r"\b\d+\b", said)} == {0, 2, 3, 4, 5, 6, 130}
