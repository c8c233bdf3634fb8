"""tmux around us: its options that matter here, read and never set.

Formats of tmux name options too: https://man.openbsd.org/tmux.1#FORMATS
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from streamtui.cli.doctor.facts import Facts
from streamtui.cli.doctor.findings import Finding, Findings, Fix, lines_in, note, ok, problem, run

SLOW_ESCAPE_MS = 50
_GOOD_ESCAPE_MS = 10
_FORMATS = (
    "version",
    "escape-time",
    "set-clipboard",
    "prefix",
    "prefix2",
    "mouse",
    "focus-events",
    "default-terminal",
    "client_termname",
    "client_termfeatures",
    "client_utf8",
    "config_files",
)
_USUAL_FILE = "~/.tmux.conf"
# terminal-features, and `load-buffer -w`. https://github.com/tmux/tmux/blob/master/CHANGES
_WITH_FEATURES = (3, 2)


@dataclass(frozen=True, slots=True)
class Tmux:
    """What the tmux server said; what it does not know is empty."""

    values: Mapping[str, str] = field(default_factory=dict)
    """By the names of formats."""
    root_keys: str = ""
    """The keys that it takes without its prefix, as `list-keys` prints them."""
    home: str = ""

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "")

    @property
    def has_features(self) -> bool:
        """Whether it is new enough to keep features of terminals, and to pass a buffer on."""
        numbers = re.findall(r"\d+", self["version"])
        return tuple(map(int, numbers[:2])) >= _WITH_FEATURES

    @property
    def features(self) -> list[str]:
        """What the terminal outside can, as far as tmux knows; none when nobody is attached."""
        return self["client_termfeatures"].split(",") if self["client_termfeatures"] else []

    @property
    def file(self) -> str:
        """The user's configuration of tmux."""
        own = [name for name in self["config_files"].split(",") if name.startswith(f"{self.home}/")]
        return f"~{own[-1].removeprefix(self.home)}" if self.home and own else _USUAL_FILE

    def line(self, *lines: str) -> Fix:
        return lines_in(self.file, *lines)

    def feature_line(self, name: str) -> Fix:
        """The line that tells tmux what the terminal outside can."""
        return self.line(f"set -as terminal-features ',{self['client_termname']}:{name}'")


def read_tmux(facts: Facts) -> Tmux | None:
    """Ask the server; None outside tmux, or when it does not answer."""
    if not facts.in_tmux:
        return None
    command = ["tmux"]
    for name in _FORMATS:
        # One message each: what separates values in one message could stand in a value.
        command += ["display-message", "-p", f"#{{{name}}}", ";"]
    said = facts.run(command[:-1])
    if said is None:
        return None
    keys = facts.run(("tmux", "list-keys", "-T", "root"))
    return Tmux(dict(zip(_FORMATS, said.split("\n"), strict=False)), keys or "", facts.home)


def check_tmux(facts: Facts, tmux: Tmux | None) -> Findings:
    """The options that matter; nothing where there is no tmux."""
    if tmux is None:
        yield from _check_absent(facts)
        return
    yield ok(f"tmux {tmux['version']}, its settings are read from {tmux.file}")
    yield from _check_escape_time(tmux)
    yield from _check_term(facts, tmux)
    yield from _check_client(facts, tmux)
    if tmux["mouse"] and tmux["focus-events"]:
        mouse, focus = _switch(tmux["mouse"]), _switch(tmux["focus-events"])
        yield ok(f"mouse {mouse} and focus-events {focus}: the console works with either")


def _check_absent(facts: Facts) -> Iterator[Finding]:
    if facts.in_tmux:
        yield note("tmux does not answer: its options are not known", run("tmux -V"))
    elif facts.over_ssh and facts.term.startswith("tmux"):
        words = "tmux runs at the near end of SSH: its options there slow escape and stop copies"
        lines = (f"set -sg escape-time {_GOOD_ESCAPE_MS}", "set -s set-clipboard on")
        yield note(words, lines_in(f"{_USUAL_FILE} there", *lines))


def _check_escape_time(tmux: Tmux) -> Iterator[Finding]:
    text = tmux["escape-time"]
    if not text.isdecimal():
        return
    if int(text) > SLOW_ESCAPE_MS:
        words = f"escape comes {text} ms late: tmux waits so long for the rest of a key"
        yield note(words, tmux.line(f"set -sg escape-time {_GOOD_ESCAPE_MS}"))
    else:
        yield ok(f"escape-time {text} ms")


def _check_term(facts: Facts, tmux: Tmux) -> Iterator[Finding]:
    default = tmux["default-terminal"]
    if not default or facts.term.startswith(("tmux", "screen")):
        return
    if not default.startswith(("tmux", "screen")):
        line = 'set -g default-terminal "tmux-256color"'
        yield note(f"default-terminal is {default}, which tmux is not", tmux.line(line))
    else:
        words = f"TERM={facts.term} inside tmux, which is {default}; a start-up file sets it"
        yield note(words, run(f"export TERM={default}"))


def _check_client(facts: Facts, tmux: Tmux) -> Iterator[Finding]:
    """What tmux makes of what is drawn, on its way to the terminal outside."""
    if tmux["client_utf8"] == "0":
        words = "tmux takes the terminal outside for one without UTF-8, and draws _ instead"
        yield problem(words, run("tmux detach", "tmux -u attach"))
    if not tmux.features:
        return
    outside = "RGB" in tmux.features
    inside = facts.environ.get("COLORTERM", "").lower() in {"truecolor", "24bit"}
    if inside and not outside:
        words = "COLORTERM promises 16 million colours, and tmux makes 256 of them"
        yield note(words, tmux.feature_line("RGB"))
    if outside and not inside:
        words = "the terminal outside has 16 million colours, and nothing inside tmux says so"
        yield note(words, tmux.line("set-environment -g COLORTERM truecolor"))


def _switch(value: str) -> str:
    return {"0": "off", "1": "on"}.get(value, value)
