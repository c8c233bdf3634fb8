"""The table of keys against terminals, and against what tmux keeps for itself."""

import pytest

from streamtui.cli.doctor.keys import bound_keys, check_keys, tmux_key
from streamtui.cli.doctor.tmux import Tmux
from tests.cli.doctor.reading import about, fix_lines, states

ROOT_KEYS = """\
bind-key    -T root C-l                  if-shell true "send-keys C-l" "select-pane -R"
bind-key    -T root C-\\\\                 select-pane -l
bind-key    -T root MouseDown1Pane       select-pane -t = \\; send-keys -M
bind-key -r -T root M-Left               select-pane -L
bind-key    -T root M-1                  select-window -t 1
"""


def test_all_keys_of_the_console_arrive_everywhere() -> None:
    (finding,) = check_keys(bound_keys(), None)
    assert finding.state == "ok"
    assert f"all {len(bound_keys())} keys" in finding.words


@pytest.mark.parametrize(
    "key", ["ctrl+s", "ctrl+i", "shift+enter", "alt+enter", "alt+1", "ctrl+tab", "ctrl+shift+t"]
)
def test_a_key_without_bytes_of_its_own_would_be_told(key: str) -> None:
    (finding,) = check_keys({key: "Something"}, None)
    assert finding.state == "note"
    assert key in finding.words


def test_the_usual_prefix_hides_nothing() -> None:
    findings = list(check_keys(bound_keys(), Tmux({"prefix": "C-b", "prefix2": "None"})))
    assert states(findings) == ["ok", "ok"]


def test_a_prefix_that_hides_a_key_has_the_line_that_changes_it() -> None:
    findings = list(check_keys(bound_keys(), Tmux({"prefix": "C-t", "prefix2": "C-q"})))
    first, second = about(findings, "ctrl+t"), about(findings, "ctrl+q")
    assert (first.state, second.state) == ("note", "note")
    assert "Change whom the prompt speaks to" in first.words
    assert fix_lines(first) == ("set -g prefix C-b",)
    assert fix_lines(second) == ("set -g prefix2 None",)


def test_keys_that_tmux_takes_without_its_prefix_can_be_given_back() -> None:
    findings = check_keys(bound_keys(), Tmux(root_keys=ROOT_KEYS))
    finding = about(findings, "without its prefix")
    assert finding.state == "note"
    assert fix_lines(finding) == ("unbind -n 'C-\\'", "unbind -n M-Left", "unbind -n C-l")
    assert "alt+←" in finding.words


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("ctrl+t", "C-t"),
        ("alt+left", "M-Left"),
        ("shift+tab", "BTab"),
        ("f5", "F5"),
        ("f", "f"),
        ("G", "G"),
        ("pageup", "PPage"),
        ("ctrl+]", "C-]"),
        ("-", "-"),
        ("space", "Space"),
    ],
)
def test_keys_in_the_words_of_tmux(key: str, name: str) -> None:
    assert tmux_key(key) == name
