"""Keys: whether each one that is bound can arrive, here and everywhere."""

import re
from collections.abc import Iterator, Mapping

from streamtui.cli.doctor.findings import Finding, Findings, note, ok
from streamtui.cli.doctor.tmux import Tmux

_NO_BYTES = re.compile(
    r"(?:ctrl|shift)\+enter|alt\+enter|alt\+\d|ctrl\+tab|ctrl\+shift\+.+|super\+.+"
)
"""A plain terminal has no bytes for these, or the bytes of another key."""

_ROOT_KEY = re.compile(r"^bind-key\s.*?-T root\s+(?P<key>\S+)", re.MULTILINE)

_TMUX_NAMES = {
    "backspace": "BSpace",
    "delete": "DC",
    "down": "Down",
    "end": "End",
    "enter": "Enter",
    "escape": "Escape",
    "home": "Home",
    "left": "Left",
    "pagedown": "NPage",
    "pageup": "PPage",
    "right": "Right",
    "space": "Space",
    "tab": "Tab",
    "up": "Up",
}


def bound_keys() -> dict[str, str]:
    """All keys of the console, each with the title of what it does."""
    from streamtui.ui.commands import COMMANDS

    return {key: row.title for row in COMMANDS.values() for key in row.keys}


def check_keys(keys: Mapping[str, str], tmux: Tmux | None) -> Findings:
    """Keys that no terminal sends, and those that tmux keeps for itself."""
    from streamtui.ui.commands import NEVER_BOUND, shown_key

    lost = [key for key in keys if key in NEVER_BOUND or _NO_BYTES.fullmatch(key)]
    for key in lost:
        yield note(f"{shown_key(key)} ({keys[key]}) does not arrive from every terminal")
    if not lost:
        yield ok(f"all {len(keys)} keys of the console are such that every terminal sends them")
    if tmux is not None:
        yield from _check_prefixes(keys, tmux)
        yield from _check_root_keys(keys, tmux)


def _check_prefixes(keys: Mapping[str, str], tmux: Tmux) -> Iterator[Finding]:
    by_tmux_name = {tmux_key(key): key for key in keys}
    for option in ("prefix", "prefix2"):
        taken = by_tmux_name.get(tmux[option])
        if taken:
            words = f"{taken} is the prefix of tmux, which hides “{keys[taken]}”"
            other = "C-b" if option == "prefix" else "None"
            yield note(words, tmux.line(f"set -g {option} {other}"))
        elif option == "prefix" and tmux[option]:
            yield ok(f"the prefix of tmux, {tmux[option]}, hides none of them")


def _check_root_keys(keys: Mapping[str, str], tmux: Tmux) -> Iterator[Finding]:
    from streamtui.ui.commands import shown_key

    taken = {_unescaped(name) for name in _ROOT_KEY.findall(tmux.root_keys)}
    hidden = [key for key in keys if tmux_key(key) in taken]
    if hidden:
        shown = " ".join(map(shown_key, hidden))
        titles = ", ".join(dict.fromkeys(keys[key] for key in hidden))
        lines = (f"unbind -n {_as_word(tmux_key(key))}" for key in hidden)
        yield note(f"tmux takes {shown} without its prefix: {titles}", tmux.line(*lines))


def tmux_key(key: str) -> str:
    """A key in the words of tmux: `alt+left` is `M-Left`, `shift+tab` is `BTab`."""
    if key == "shift+tab":
        return "BTab"
    *modifiers, name = key.split("+") if key != "+" else [key]
    if re.fullmatch(r"f\d+", name):
        name = name.upper()
    letters = {"ctrl": "C-", "alt": "M-", "shift": "S-"}
    return "".join(letters[word] for word in modifiers) + _TMUX_NAMES.get(name, name)


def _unescaped(name: str) -> str:
    return re.sub(r"\\(.)", r"\1", name)


def _as_word(name: str) -> str:
    return name if re.fullmatch(r"[\w-]+", name) else f"'{name}'"
