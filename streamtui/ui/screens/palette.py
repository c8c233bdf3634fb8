"""Finds a command, a pane or a theme by its name.

Own list instead of Textual's palette: that one reads help as markup, and gathers its rows so late
that a quick enter is lost.
"""

from collections.abc import Iterable, Mapping

from textual.content import Content

from streamtui.safe_text import safe_line
from streamtui.ui.commands import COMMANDS, Command, shown_keys
from streamtui.ui.screens.chooser import Choice, Chooser

TITLE_CELLS = 34
KEY_CELLS = 14


class Palette(Chooser):
    """Answers `command:ID`, `pane:SESSION` or `theme:NAME`."""

    TITLE_WORDS = "palette"
    PLACEHOLDER = "what do you want to do?"
    KEYS = (("↑↓", "choose"), ("enter", "do it"), ("esc", "close"))

    def __init__(self, panes: Mapping[str, str], themes: Iterable[str]) -> None:
        rows = [_command_choice(row) for row in COMMANDS.values() if row.listed]
        rows += [
            _choice(f"Go to pane {number}: {safe_line(name, limit=60)}", "", f"pane:{session_id}")
            for number, (session_id, name) in enumerate(panes.items(), 1)
        ]
        rows += [_choice(f"Theme: {safe_line(name)}", "", f"theme:{name}") for name in themes]
        super().__init__(rows)


def _command_choice(row: Command) -> Choice:
    return _choice(row.title, shown_keys(row.keys), f"command:{row.id}", row.group)


def _choice(title: str, keys: str, value: str, group: str = "") -> Choice:
    label = Content.assemble(
        f"{title:<{TITLE_CELLS}} ", (f"{keys:<{KEY_CELLS}} ", "$primary"), (group, "$muted")
    )
    return Choice(label, f"{title} {group}".lower(), value)
