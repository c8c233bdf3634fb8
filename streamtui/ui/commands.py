"""Everything a user can do, one row each: its keys, its words, its method.

The rows stand in `pane_commands` and `view_commands`. Bindings, help screen, palette and key hints
are all made from them; nothing is done here.
"""

from collections.abc import Iterator

from textual.binding import Binding

from streamtui.ui import pane_commands, view_commands
from streamtui.ui.command import DIGITS, Command, Where

__all__ = [
    "COMMANDS",
    "HINTS",
    "NEVER_BOUND",
    "Command",
    "Where",
    "bindings_for",
    "hints_for",
    "shown_key",
    "shown_keys",
]

NEVER_BOUND = frozenset(
    {"ctrl+a", "ctrl+b", "ctrl+s", "ctrl+i", "ctrl+m", "ctrl+h", "ctrl+[", "ctrl+@"}
)
"""Prefixes of tmux and screen, flow control, bytes that are tab, enter, backspace, escape."""

COMMANDS: dict[str, Command] = {row.id: row for row in (*pane_commands.ROWS, *view_commands.ROWS)}

HINTS: dict[str, tuple[str, ...]] = {
    "typing": (
        "send",
        "newline",
        "target",
        "new",
        "zoom",
        "events",
        "focus-next",
        "palette",
        "help",
    ),
    "typing-live": ("send", "cancel", "newline", "target", "new", "zoom", "events", "help"),
    "panes": ("type", "zoom", "mark", "copy-answer", "retry", "new", "close", "layout", "help"),
    "panes-live": ("type", "cancel", "zoom", "mark", "copy-answer", "new", "layout", "help"),
    "search": ("find-next", "find-previous", "find-end", "find", "type", "copy-answer", "help"),
    "replay": (
        "replay-pause",
        "replay-slower",
        "replay-faster",
        "replay-step",
        "replay-end",
        "edit",
        "close",
        "help",
    ),
    "log": ("type", "open-event", "filter", "pause", "follow", "events", "help"),
}
"""What the line of key hints says in each state, the most useful first."""

_TEXTUAL_KEYS = {"ctrl+]": "ctrl+right_square_bracket", "ctrl+\\": "ctrl+backslash"}
_SHOWN = {
    "alt+left": "alt+←",
    "alt+right": "alt+→",
    "alt+up": "alt+↑",
    "alt+down": "alt+↓",
    "up": "↑",
    "down": "↓",
    "pageup": "pgup",
    "pagedown": "pgdn",
    "escape": "esc",
}


def shown_key(key: str) -> str:
    """A key as people write it."""
    if key.startswith("f") and key[1:].isdigit():
        return key.upper()
    return _SHOWN.get(key, key)


def shown_keys(keys: tuple[str, ...]) -> str:
    """Keys as people write them; the nine digits as a range."""
    if keys == DIGITS:
        return "1–9"
    return " ".join(shown_key(key) for key in keys)


def bindings_for(*places: Where) -> Iterator[Binding]:
    """Textual's bindings for the parts of the screen named."""
    for row in COMMANDS.values():
        if row.where in places:
            for key in row.keys:
                yield _binding(row, key)


def hints_for(state: str) -> list[tuple[str, str]]:
    """Pairs of key and words for the line of key hints; `state` is a key of HINTS."""
    first = 0 if state.startswith("typing") else -1
    rows = [COMMANDS[name] for name in HINTS[state]]
    return [(_hint_key(row, first), row.short) for row in rows]


def _hint_key(row: Command, index: int) -> str:
    if index == 0:
        return shown_key("escape" if "escape" in row.typing else row.keys[0])
    return shown_key(row.command[0] if row.command else row.typing[0])


def _binding(row: Command, key: str) -> Binding:
    argument = f", {key!r}" if row.argument else ""
    return Binding(
        _TEXTUAL_KEYS.get(key, key),
        f"app.command({row.id!r}{argument})",
        row.title,
        show=False,
        priority=row.where is Where.APP,
    )
