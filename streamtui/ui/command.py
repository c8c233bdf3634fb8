"""What a row of the table of commands says, and where its keys work."""

from dataclasses import dataclass
from enum import StrEnum

DIGITS = tuple("123456789")


class Where(StrEnum):
    """Which part of the screen has to have the focus for a row's keys to work."""

    APP = "app"
    """Everywhere, over questions and lists too."""
    CONSOLE = "console"
    """Everywhere on the console; `command` keys only outside the prompt, which takes letters."""
    PROMPT = "prompt"
    LOG = "log"
    SEARCH = "search"
    """While a pane has it in which words are looked for."""
    REPLAY = "replay"
    """While a pane has it that plays a stored run."""


@dataclass(frozen=True, slots=True)
class Command:
    """One row. `method` is found on the object that owns it: `runs.cancel`."""

    id: str
    title: str
    method: str
    group: str
    typing: tuple[str, ...] = ()
    """Keys that work while the prompt has the focus, and elsewhere too."""
    command: tuple[str, ...] = ()
    """Keys that work while a pane or the event log has the focus."""
    where: Where = Where.CONSOLE
    short: str = ""
    """One or two words for the key hints."""
    help: str = ""
    """What the title does not say."""
    argument: bool = False
    """Whether the method is given the key that was pressed."""
    listed: bool = True
    """Whether the palette shows it: moving about is left to keys."""

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys, those of the typing state first."""
        return self.typing + self.command
