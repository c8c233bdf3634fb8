"""Which ways a copy would take, from facts: no clipboard is touched."""

from pathlib import Path

import pytest

from streamtui.cli.doctor.clipboard import check_clipboard
from streamtui.cli.doctor.facts import Facts
from streamtui.cli.doctor.findings import Finding
from streamtui.cli.doctor.tmux import Tmux
from tests.cli.doctor.reading import about, fix_lines, states

TMUX = ("tmux", "load-buffer", "-w", "-")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "clipboard.txt"


def inside(file: Path, **values: str) -> list[Finding]:
    tmux = Tmux({"version": "3.4"} | {n.replace("__", "-"): v for n, v in values.items()})
    return list(check_clipboard(Facts({"TMUX": "x"}), tmux, TMUX, file))


def test_a_terminal_alone_gets_osc_52_and_a_file(file: Path, tmp_path: Path) -> None:
    facts = Facts({"HOME": str(tmp_path)})
    osc_52, always = check_clipboard(facts, None, (), file)
    assert (osc_52.state, always.state) == ("ok", "ok")
    assert "OSC 52" in osc_52.words
    assert "~/cache/clipboard.txt" in always.words


def test_a_native_tool_is_named(file: Path) -> None:
    findings = check_clipboard(Facts({"DISPLAY": ":0"}), None, ("xclip", "-i"), file)
    assert about(findings, "xclip").state == "ok"


@pytest.mark.parametrize("variable", ["DISPLAY", "WAYLAND_DISPLAY"])
def test_a_display_without_a_tool_is_a_note(variable: str, file: Path) -> None:
    findings = check_clipboard(Facts({variable: ":0"}), None, (), file)
    assert about(findings, variable).state == "note"


def test_screen_passes_nothing_on(file: Path) -> None:
    assert (
        about(check_clipboard(Facts({"STY": "x"}), None, (), file), "screen passes").state == "note"
    )


@pytest.mark.parametrize(
    ("option", "version", "state"),
    [
        ("on", "3.4", "ok"),
        ("external", "3.4", "ok"),
        ("external", "3.1", "note"),
        ("off", "3.4", "note"),
    ],
)
def test_inside_tmux_its_option_decides(option: str, version: str, state: str, file: Path) -> None:
    findings = inside(file, set__clipboard=option, version=version)
    finding = about(findings, "set-clipboard")
    assert finding.state == state
    if state == "note":
        assert fix_lines(finding) == ("set -s set-clipboard on",)


def test_a_terminal_that_tmux_knows_too_little_of_is_a_note(file: Path) -> None:
    values = {"client_termname": "foot", "client_termfeatures": "256,title"}
    finding = about(inside(file, set__clipboard="on", **values), "foot")
    assert fix_lines(finding) == ("set -as terminal-features ',foot:clipboard'",)


def test_inside_a_tmux_that_is_not_found_there_is_a_note(file: Path) -> None:
    assert states(check_clipboard(Facts({"TMUX": "x"}), None, (), file)) == ["note", "ok"]


def test_a_file_that_cannot_be_written_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    findings = list(check_clipboard(Facts(), None, (), tmp_path / "cache" / "clipboard.txt"))
    assert findings[-1].state == "problem"
    assert fix_lines(findings[-1]) == (f"mv {tmp_path}/cache {tmp_path}/cache.old",)
