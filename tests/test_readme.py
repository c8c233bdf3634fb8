"""What README.md says is so. Its examples run as printed, against the demo endpoint by configuration
alone; its tables, commands and files are those of the program.
"""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import unquote

import click
import pytest

from streamtui.cli import program
from streamtui.ui.commands import COMMANDS
from tests.test_dialect_table import CELLS, FEATURES, Has

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")

KEY_ROWS = {
    "send, newline": ("send", "newline", "type"),
    "cancel this run, all runs": ("cancel", "cancel-all"),
    "new pane, close, reopen": ("new", "close", "reopen"),
    "new private pane": ("new-private",),
    "move, zoom, layout": ("left", "down", "up", "right", "number", "zoom", "layout"),
    "mark, mark all, none": ("mark", "mark-all", "mark-none"),
    "events, errors": ("events", "errors"),
    "history": ("history",),
    "endpoints, details of the pane": ("endpoints", "details"),
    "retry, edit in a fork": ("retry", "edit"),
    "follow, top": ("follow", "top"),
    "find, next, previous": ("find", "find-next", "find-previous"),
    "copy answer, code, all": ("copy-answer", "copy-code", "copy-all"),
    "palette, help": ("palette", "help"),
    "quit, detach": ("quit", "quit-letter", "detach"),
}
"""The commands that a row of the table of keys is about."""


def block_after(marker: str, language: str) -> str:
    """The first fenced block of a language after a line of the README."""
    fenced = re.compile(rf"```{language}\n(.*?)```", re.DOTALL)
    found = fenced.search(README, README.index(marker))
    assert found is not None
    return found[1]


def table_after(head: str) -> list[list[str]]:
    """The rows of the table that begins with this line, without the line itself."""
    _, *lines = README[README.index(head) :].partition("\n\n")[0].splitlines()[1:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def keys_in(cell: str) -> set[str]:
    quoted = re.sub(r"\bF(?=\d)", "f", " ".join(re.findall(r"`([^`]+)`", cell)))
    arrows = " ".join(f"alt+{way}" for way in ("left", "right", "up", "down"))
    return set(quoted.replace("alt+arrows", arrows).split())


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


def test_the_table_of_dialects_has_the_cells_that_are_tested() -> None:
    head = f"| dialect | {' | '.join(FEATURES)} |"
    said = {name.strip("`").lower(): cells for name, *cells in table_after(head)}
    tested = {
        row: ["✓" if isinstance(cell, Has) else "–" for cell in cells.values()]
        for row, cells in CELLS.items()
    }
    assert {row: [cell[:1] for cell in cells] for row, cells in said.items()} == tested


def test_each_key_of_the_table_does_what_its_row_says() -> None:
    rows = {what: (typing, pane) for what, typing, pane in table_after("| | typing | in a pane |")}
    assert rows.keys() == KEY_ROWS.keys()
    for what, names in KEY_ROWS.items():
        typing, pane = map(keys_in, rows[what])
        assert typing | pane
        assert typing <= {key for name in names for key in COMMANDS[name].typing}
        assert pane <= {key for name in names for key in COMMANDS[name].command}


def commands_of_the_readme() -> list[str]:
    lines = re.findall(r"(?m)^    (?:.*[ /])?streamtui( .*|)$", README)
    return [line.partition("  #")[0].strip() for line in lines]


@pytest.mark.parametrize("line", commands_of_the_readme())
def test_each_command_of_the_readme_is_there_with_its_options(line: str) -> None:
    words = line.replace("&&", "").split()
    command: click.Command = program
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(click.Context(command), words[0])
        assert found is not None
        command, words = found, words[1:]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if re.fullmatch(r"--?[a-z]+", word)} <= known


def test_the_files_of_the_readme_are_there() -> None:
    [diagram] = re.findall(r"```\n( socket.*?)```", README, re.DOTALL)
    for place in re.findall(r"(?:engine|ui)/[\w/*.]*", diagram):
        assert list((ROOT / "streamtui").glob(place)), place
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", README):
        assert (ROOT / unquote(link)).exists(), link
