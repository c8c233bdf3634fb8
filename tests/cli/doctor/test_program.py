"""Versions that are too old or too new, the parser, and SQLite."""

from dataclasses import replace

import pytest

from streamtui import __version__
from streamtui.cli.doctor.program import ProgramFacts, check_program, read_program
from tests.cli.doctor.reading import about, fix_lines, states

GOOD = ProgramFacts(
    version="1.0",
    python="3.12.1",
    executable="/my venv/bin/python",
    folder="/home/me/streamtui",
    requirements=("aiohttp>=3.14.4", "textual<9,>=8.2"),
    versions={"aiohttp": "3.14.5", "textual": "8.2.8"},
    http_parser="aiohttp._http_parser",
    sqlite="3.51.3",
)


def test_what_is_right_is_told_without_a_note() -> None:
    findings = list(check_program(GOOD, {"HOME": "/home/me"}))
    assert set(states(findings)) == {"ok"}
    assert findings[0].words == "streamtui 1.0, Python 3.12.1, in ~/streamtui"


@pytest.mark.parametrize(
    ("versions", "requirement", "words"),
    [
        ({"aiohttp": "3.14.3", "textual": "8.2"}, "aiohttp>=3.14.4", "here it is 3.14.3"),
        ({"aiohttp": "3.9.12", "textual": "8.2"}, "aiohttp>=3.14.4", "here it is 3.9.12"),
        ({"aiohttp": "3.14.5", "textual": "9.0a1"}, "'textual<9,>=8.2'", "here it is 9.0a1"),
        ({"aiohttp": "3.14.5", "textual": "8.1.9"}, "'textual<9,>=8.2'", "here it is 8.1.9"),
        ({"aiohttp": "3.14.5"}, "'textual<9,>=8.2'", "here it is not installed"),
    ],
)
def test_a_library_out_of_range_has_the_command_that_installs_another(
    versions: dict[str, str], requirement: str, words: str
) -> None:
    finding = about(check_program(replace(GOOD, versions=versions), {}), "is needed")
    assert finding.state == "problem"
    assert words in finding.words
    (command,) = fix_lines(finding)
    assert command.startswith("'/my venv/bin/python' -m pip install -U ")
    assert requirement.strip("'") in command


def test_without_an_installation_versions_are_a_note() -> None:
    finding = about(check_program(replace(GOOD, requirements=()), {}), "not an installation")
    assert finding.state == "note"


def test_the_slow_parser_is_a_note_with_its_cause() -> None:
    slow = replace(GOOD, http_parser="aiohttp.http_parser")
    installed = about(check_program(slow, {}), "parser in Python")
    assert installed.state == "note"
    assert "--force-reinstall" in fix_lines(installed)[0]
    wanted = about(check_program(slow, {"AIOHTTP_NO_EXTENSIONS": "1"}), "parser in Python")
    assert fix_lines(wanted) == ("unset AIOHTTP_NO_EXTENSIONS",)


@pytest.mark.parametrize(
    ("version", "state"),
    [
        ("3.6.23", "ok"),
        ("3.7.0", "note"),
        ("3.44.5", "note"),
        ("3.44.6", "ok"),
        ("3.50.4", "note"),
        ("3.50.7", "ok"),
        ("3.51.2", "note"),
        ("3.51.3", "ok"),
        ("3.53.0", "ok"),
    ],
)
def test_sqlite_is_a_note_in_the_versions_that_can_damage_a_file(version: str, state: str) -> None:
    assert about(check_program(replace(GOOD, sqlite=version), {}), "SQLite").state == state


def test_this_process_has_what_it_needs() -> None:
    facts = read_program()
    assert facts.version == __version__
    assert "problem" not in states(check_program(facts))
    about(check_program(facts), "its parser in C")
