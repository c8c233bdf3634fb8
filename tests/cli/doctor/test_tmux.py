"""The options of tmux: told apart by what they do to the console, and asked in one go."""

from collections.abc import Sequence

import pytest

from streamtui.cli.doctor.facts import Facts
from streamtui.cli.doctor.findings import Finding
from streamtui.cli.doctor.tmux import Tmux, check_tmux, read_tmux
from tests.cli.doctor.reading import about, fix_lines, states, where

INSIDE = {"TMUX": "/tmp/tmux-1/default,1,0", "TERM": "tmux-256color", "HOME": "/home/me"}
GOOD = {
    "version": "3.4",
    "escape-time": "10",
    "set-clipboard": "on",
    "prefix": "C-b",
    "mouse": "0",
    "focus-events": "1",
    "default-terminal": "tmux-256color",
    "client_termname": "xterm-256color",
    "client_termfeatures": "256,clipboard,title",
    "client_utf8": "1",
    "config_files": "/etc/tmux.conf,/home/me/.config/tmux/tmux.conf",
}


def findings(environ: dict[str, str] | None = None, **changed: str) -> list[Finding]:
    values = GOOD | {name.replace("__", "-"): value for name, value in changed.items()}
    return list(check_tmux(Facts(environ or INSIDE), Tmux(values, home="/home/me")))


def test_a_tmux_that_is_set_up_has_nothing_against_it() -> None:
    found = findings()
    assert set(states(found)) == {"ok"}
    about(found, "mouse off and focus-events on")


@pytest.mark.parametrize(("milliseconds", "state"), [("50", "ok"), ("51", "note"), ("500", "note")])
def test_a_slow_escape_is_a_note(milliseconds: str, state: str) -> None:
    finding = about(findings(escape__time=milliseconds), f"{milliseconds} ms")
    assert finding.state == state


def test_lines_go_into_the_file_that_tmux_read() -> None:
    finding = about(findings(escape__time="500"), "500 ms")
    assert fix_lines(finding) == ("set -sg escape-time 10",)
    assert where(finding) == "~/.config/tmux/tmux.conf"
    usual = about(findings(escape__time="500", config_files="/etc/tmux.conf"), "500 ms")
    assert where(usual) == "~/.tmux.conf"


def test_a_client_without_utf_8_is_a_problem() -> None:
    finding = about(findings(client_utf8="0"), "without UTF-8")
    assert finding.state == "problem"
    assert fix_lines(finding) == ("tmux detach", "tmux -u attach")


def test_colours_that_tmux_takes_away_are_told_of() -> None:
    finding = about(findings(INSIDE | {"COLORTERM": "truecolor"}), "tmux makes 256")
    assert fix_lines(finding) == ("set -as terminal-features ',xterm-256color:RGB'",)


def test_colours_that_nobody_inside_knows_of_are_told_of() -> None:
    finding = about(findings(client_termfeatures="256,RGB"), "nothing inside tmux says so")
    assert fix_lines(finding) == ("set-environment -g COLORTERM truecolor",)


def test_nothing_is_said_of_colours_that_both_know() -> None:
    both = findings(INSIDE | {"COLORTERM": "truecolor"}, client_termfeatures="RGB")
    assert set(states(both)) == {"ok"}


def test_a_term_that_is_not_tmuxs_is_told_of() -> None:
    changed = about(findings(INSIDE | {"TERM": "xterm"}), "TERM=xterm inside tmux")
    assert fix_lines(changed) == ("export TERM=tmux-256color",)
    option = about(findings(INSIDE | {"TERM": "xterm"}, default__terminal="xterm"), "which tmux is")
    assert fix_lines(option) == ('set -g default-terminal "tmux-256color"',)


def test_without_tmux_there_is_nothing_to_say() -> None:
    assert list(check_tmux(Facts({"TERM": "xterm"}), None)) == []


def test_a_tmux_that_does_not_answer_is_a_note() -> None:
    facts = Facts(INSIDE)
    assert read_tmux(facts) is None
    assert states(check_tmux(facts, None)) == ["note"]


def test_a_tmux_at_the_near_end_of_ssh_is_told_of() -> None:
    facts = Facts({"TERM": "tmux-256color", "SSH_CONNECTION": "x"})
    (finding,) = check_tmux(facts, None)
    assert finding.state == "note"
    assert "set -s set-clipboard on" in fix_lines(finding)
    assert where(finding) == "~/.tmux.conf there"


def test_the_server_is_only_asked() -> None:
    asked: list[Sequence[str]] = []

    def run(command: Sequence[str]) -> str:
        asked.append(command)
        return "3.4\n20\n" if "display-message" in command else "bind-key -T root M-Left x\n"

    tmux = read_tmux(Facts(INSIDE, run=run))
    assert tmux is not None
    assert (tmux["version"], tmux["escape-time"], tmux["mouse"]) == ("3.4", "20", "")
    assert tmux.root_keys.startswith("bind-key")
    assert {word for command in asked for word in command if "-" in word[1:]} == {
        "display-message",
        "list-keys",
    } | {f"#{{{name}}}" for name in ("escape-time", "set-clipboard", "focus-events")} | {
        "#{default-terminal}"
    }


@pytest.mark.parametrize(
    ("version", "known"), [("3.1c", False), ("3.2", True), ("next-3.6", True), ("", False)]
)
def test_features_are_known_from_the_version_that_has_them(version: str, known: bool) -> None:
    assert Tmux({"version": version}).has_features == known
