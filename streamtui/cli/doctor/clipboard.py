"""The ways that a copied text may take. None is tried: the clipboard is the user's."""

from collections.abc import Iterator
from pathlib import Path

from streamtui.cli.doctor.facts import Facts
from streamtui.cli.doctor.files import check_writable
from streamtui.cli.doctor.findings import Finding, Findings, note, ok, shown_path
from streamtui.cli.doctor.tmux import Tmux

_DISPLAYS = {"WAYLAND_DISPLAY": "wl-copy", "DISPLAY": "xclip or xsel"}


def check_clipboard(facts: Facts, tmux: Tmux | None, tool: tuple[str, ...], file: Path) -> Findings:
    """`tool` is the command that would be fed, `file` where a copy is always kept."""
    if facts.in_tmux:
        yield from _check_inside_tmux(tmux, tool)
    else:
        yield from _check_direct(facts, tool)
    always = ok(f"always into {shown_path(file, facts.home)} too")
    yield check_writable(file.parent, "XDG_CACHE_HOME") or always


def _check_direct(facts: Facts, tool: tuple[str, ...]) -> Iterator[Finding]:
    if facts.in_screen:
        yield note("screen passes no copied text on to the terminal outside")
    else:
        yield ok("OSC 52 is sent; no terminal says whether it takes that")
    if tool:
        yield ok(f"{tool[0]} is used too")
        return
    for variable, names in _DISPLAYS.items():
        if facts.environ.get(variable):
            yield note(f"{variable} is set, and there is no {names} to copy with: install it")
            return


def _check_inside_tmux(tmux: Tmux | None, tool: tuple[str, ...]) -> Iterator[Finding]:
    if not tool:
        yield note("inside tmux, and no program `tmux` is found: only OSC 52 is sent")
        return
    if tmux is None:
        yield ok("`tmux load-buffer -w` and OSC 52 are used")
        return
    passes_on = tmux["set-clipboard"]
    switch = tmux.line("set -s set-clipboard on")
    if passes_on == "off":
        yield note("set-clipboard is off: a copied text stays inside tmux", switch)
    elif passes_on == "on":
        yield ok("OSC 52 and `tmux load-buffer -w` both arrive (set-clipboard on)")
    elif tmux.has_features:
        words = "`tmux load-buffer -w` arrives; OSC 52 from inside does not"
        yield ok(f"{words} (set-clipboard external)")
    else:
        yield note("set-clipboard is external: OSC 52 from inside tmux does not arrive", switch)
    if tmux.features and "clipboard" not in tmux.features:
        words = f"tmux does not know that {tmux['client_termname']} outside has a clipboard"
        yield note(words, tmux.feature_line("clipboard"))
