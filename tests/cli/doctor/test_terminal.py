"""TERM, colours, size and locale, from facts alone."""

from collections.abc import Mapping

import pytest

from streamtui.cli.doctor.facts import Facts
from streamtui.cli.doctor.findings import Finding
from streamtui.cli.doctor.terminal import check_terminal
from tests.cli.doctor.reading import about, fix_lines, states, where

XTERM = {"TERM": "xterm-256color", "LANG": "C.UTF-8"}


def findings(
    environ: Mapping[str, str] = XTERM,
    size: tuple[int, int] = (100, 30),
    encoding: str = "UTF-8",
    terminals: tuple[str, ...] = ("standard input", "standard output", "standard error"),
) -> list[Finding]:
    return list(check_terminal(Facts(environ, terminals, size, encoding)))


def test_a_usual_terminal_has_nothing_against_it() -> None:
    found = findings()
    assert set(states(found)) == {"ok"}
    about(found, "256 colours")
    about(found, "100×30")


def test_without_any_terminal_only_the_locale_is_looked_at() -> None:
    found = findings({"LANG": "C.UTF-8"}, terminals=())
    assert states(found) == ["note", "ok"]
    assert "`streamtui run`" in found[0].words


def test_a_redirected_stream_is_told_of() -> None:
    found = findings(terminals=("standard input", "standard error"))
    assert found[0].words == "TERM=xterm-256color, standard output redirected"


@pytest.mark.parametrize(
    ("more", "line", "place"),
    [
        ({}, "export TERM=xterm-256color", ""),
        ({"TMUX": "x"}, 'set -g default-terminal "tmux-256color"', "~/.tmux.conf"),
        ({"STY": "x"}, "term screen-256color", "~/.screenrc"),
    ],
)
@pytest.mark.parametrize(
    ("term", "state", "words"),
    [("dumb", "problem", "TERM=dumb"), ("screen", "note", "16 colours"), ("", "note", "TERM is")],
)
def test_a_poor_terminal_has_the_line_for_a_better_one(
    term: str, state: str, words: str, more: dict[str, str], line: str, place: str
) -> None:
    finding = about(findings({"TERM": term, "LANG": "C.UTF-8"} | more), words)
    assert finding.state == state
    assert fix_lines(finding) == (line,)
    assert where(finding) == place


@pytest.mark.parametrize("value", ["truecolor", "24bit"])
def test_colorterm_is_believed(value: str) -> None:
    about(findings({"TERM": "xterm", "COLORTERM": value}), "16 million colours")


def test_over_ssh_256_colours_are_explained() -> None:
    found = findings(XTERM | {"SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22"})
    assert "COLORTERM is not forwarded" in about(found, "256 colours").words
    assert "over SSH" in found[0].words
    assert "note" not in states(found)


def test_no_color_is_a_note_also_when_it_is_empty() -> None:
    finding = about(findings(XTERM | {"NO_COLOR": ""}), "NO_COLOR")
    assert (finding.state, fix_lines(finding)) == ("note", ("unset NO_COLOR",))


@pytest.mark.parametrize("size", [(79, 24), (80, 23)])
def test_a_small_terminal_is_a_note(size: tuple[int, int]) -> None:
    finding = about(findings(size=size), "shown as tabs")
    assert finding.state == "note"
    assert finding.fix is None
    inside = about(findings(XTERM | {"TMUX": "x"}, size=size), "shown as tabs")
    assert fix_lines(inside) == ("tmux resize-pane -Z",)


def test_a_size_in_the_environment_that_is_not_the_real_one_is_told_of() -> None:
    exported = XTERM | {"COLUMNS": "80", "LINES": "30"}
    finding = about(findings(exported), "hides the size")
    assert fix_lines(finding) == ("unset COLUMNS",)
    assert "ok" in states(findings(exported, size=(80, 30)))
    assert not [f for f in findings(exported, size=(80, 30)) if "hides" in f.words]


@pytest.mark.parametrize(
    ("environ", "words", "line"),
    [
        ({}, "(no LANG)", "export LANG=C.UTF-8"),
        ({"LANG": "C"}, "(LANG=C)", "export LANG=C.UTF-8"),
        ({"LANG": "C.UTF-8", "LC_ALL": "POSIX"}, "(LC_ALL=POSIX)", "export LC_ALL=C.UTF-8"),
        ({"LC_CTYPE": "de_DE.UTF-8"}, "not installed here", "export LC_CTYPE=C.UTF-8"),
    ],
)
def test_a_locale_without_utf_8_names_the_variable_that_counts(
    environ: dict[str, str], words: str, line: str
) -> None:
    finding = findings({"TERM": "xterm-256color"} | environ, encoding="ANSI_X3.4-1968")[-1]
    assert finding.state == "problem"
    assert words in finding.words
    assert fix_lines(finding) == (line,)
