"""Everything a user can do, one row each: its keys, its words, its method.

Bindings, help screen, palette and key hints are all made from this table. Nothing is done here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from textual.binding import Binding

NEVER_BOUND = frozenset(
    {"ctrl+a", "ctrl+b", "ctrl+s", "ctrl+i", "ctrl+m", "ctrl+h", "ctrl+[", "ctrl+@"}
)
"""Prefixes of tmux and screen, flow control, bytes that are tab, enter, backspace, escape."""


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


SENDING = "Prompt"
PANES = "Panes"
READING = "Reading"
RUNS = "Runs"
LOG = "Event log"
REPLAY = "Replay"
PROGRAM = "Program"

_DIGITS = tuple("123456789")
_ROWS = (
    Command(
        "send",
        "Send the prompt",
        "runs.send",
        SENDING,
        typing=("enter",),
        where=Where.PROMPT,
        short="send",
        help="to the panes that the prompt's border names; queued where an answer still streams",
        listed=False,
    ),
    Command(
        "newline",
        "Start a new line",
        "prompt.newline",
        SENDING,
        typing=("ctrl+j",),
        where=Where.PROMPT,
        short="newline",
        help="enter within 30 ms of typed text does it too, so a paste stays one prompt",
        listed=False,
    ),
    Command(
        "target",
        "Change whom the prompt speaks to",
        "panes.cycle_target",
        SENDING,
        typing=("ctrl+t",),
        short="target",
        help="this pane, then the marked ones, then all; what is typed stays",
    ),
    Command(
        "type",
        "Go to the prompt",
        "panes.focus_prompt",
        SENDING,
        command=("i", "enter"),
        short="type",
        listed=False,
    ),
    Command(
        "editor",
        "Write the prompt in $EDITOR",
        "program.edit_prompt",
        SENDING,
        typing=("ctrl+g",),
        command=("E",),
        help="streams go on meanwhile",
    ),
    Command(
        "older",
        "Earlier prompt",
        "prompt.older",
        SENDING,
        typing=("up",),
        where=Where.PROMPT,
        help="in the first line",
        listed=False,
    ),
    Command(
        "newer",
        "Later prompt",
        "prompt.newer",
        SENDING,
        typing=("down",),
        where=Where.PROMPT,
        help="in the last line",
        listed=False,
    ),
    Command(
        "cancel",
        "Cancel this run",
        "runs.cancel",
        RUNS,
        typing=("ctrl+c", "escape"),
        command=("x",),
        short="cancel",
        help="what it received is kept; with none, toasts go; ctrl+c twice asks to quit",
        argument=True,
    ),
    Command(
        "cancel-all",
        "Cancel all runs",
        "runs.cancel_all",
        RUNS,
        command=("X",),
        help="queued prompts too",
    ),
    Command(
        "retry",
        "Ask the last prompt again",
        "runs.retry",
        RUNS,
        command=("r",),
        short="retry",
        help="without the answer that it got",
    ),
    Command(
        "edit",
        "Edit the last prompt in a fork",
        "runs.edit",
        RUNS,
        command=("e",),
        short="fork",
        help="a new pane with the conversation up to there; the prompt waits to be changed",
    ),
    Command(
        "new",
        "New pane…",
        "panes.new",
        PANES,
        typing=("ctrl+n",),
        command=("n",),
        short="new",
        help="choose an endpoint and a model; the first choice is this pane's own",
    ),
    Command(
        "new-private",
        "New private pane…",
        "panes.new_private",
        PANES,
        command=("P",),
        help="nothing that is said in it is written down",
    ),
    Command(
        "close",
        "Close this pane",
        "panes.close",
        PANES,
        typing=("alt+w",),
        command=("D",),
        short="close",
        help="a run in it is cancelled; its text is kept and comes back with u",
    ),
    Command(
        "reopen",
        "Reopen the pane closed last",
        "panes.reopen",
        PANES,
        typing=("alt+u",),
        command=("u",),
        help="with its whole conversation, which goes on from there",
    ),
    Command(
        "details",
        "Details of this pane",
        "endpoints.details",
        PANES,
        typing=("f7",),
        command=("d",),
        help="route, key, TLS, limits; attempts, identifiers and figures of its last run",
    ),
    Command(
        "next",
        "Next pane",
        "panes.next",
        PANES,
        typing=("ctrl+]",),
        listed=False,
    ),
    Command(
        "previous",
        "Previous pane",
        "panes.previous",
        PANES,
        typing=("ctrl+\\",),
        listed=False,
    ),
    Command(
        "focus-next",
        "Next part of the screen",
        "panes.focus_next",
        PANES,
        typing=("tab",),
        short="panes",
        help="from the prompt to the panes, where single letters are commands, and to the log",
        listed=False,
    ),
    Command(
        "focus-previous",
        "Previous part of the screen",
        "panes.focus_previous",
        PANES,
        typing=("shift+tab",),
        listed=False,
    ),
    Command("left", "Pane to the left", "panes.left", PANES, ("alt+left",), ("h",), listed=False),
    Command("down", "Pane below", "panes.down", PANES, ("alt+down",), ("j",), listed=False),
    Command("up", "Pane above", "panes.up", PANES, ("alt+up",), ("k",), listed=False),
    Command(
        "right", "Pane to the right", "panes.right", PANES, ("alt+right",), ("l",), listed=False
    ),
    Command(
        "number",
        "Pane by its number",
        "panes.number",
        PANES,
        command=_DIGITS,
        short="pane",
        argument=True,
        listed=False,
    ),
    Command(
        "zoom",
        "Zoom this pane",
        "panes.zoom",
        PANES,
        typing=("alt+z",),
        command=("z",),
        short="zoom",
        help="it fills the screen, the others become tabs; the same key goes back",
    ),
    Command(
        "layout",
        "Next layout",
        "panes.next_layout",
        PANES,
        typing=("alt+l",),
        command=("-",),
        short="layout",
        help="grid, columns, rows, main and stack, tabs; those without room are passed over",
    ),
    Command(
        "mark",
        "Mark this pane",
        "panes.mark",
        PANES,
        command=("space",),
        short="mark",
        help="the prompt can speak to all marked panes at once",
    ),
    Command("mark-all", "Mark all panes", "panes.mark_all", PANES, command=("a",)),
    Command("mark-none", "Mark no pane", "panes.mark_none", PANES, command=("A",)),
    Command(
        "page-up",
        "Page up",
        "reading.page_up",
        READING,
        typing=("pageup",),
        short="read",
        help="the view then stays where it is, whatever arrives",
        listed=False,
    ),
    Command(
        "page-down", "Page down", "reading.page_down", READING, typing=("pagedown",), listed=False
    ),
    Command(
        "row-up",
        "One line up",
        "reading.row_up",
        READING,
        command=("up",),
        listed=False,
    ),
    Command(
        "row-down",
        "One line down",
        "reading.row_down",
        READING,
        command=("down",),
        listed=False,
    ),
    Command(
        "follow",
        "Follow the newest line",
        "reading.follow",
        READING,
        typing=("alt+f",),
        command=("f", "G", "end"),
        short="follow",
    ),
    Command("top", "Go to the top", "reading.top", READING, command=("g", "home")),
    Command(
        "reasoning",
        "Fold or unfold reasoning",
        "reading.toggle_reasoning",
        READING,
        typing=("alt+r",),
        command=("t",),
    ),
    Command(
        "find",
        "Find in this pane",
        "reading.find",
        READING,
        command=("/",),
        short="find",
        help="in what is shown, folded reasoning too; capitals mean themselves; escape ends it",
    ),
    Command(
        "find-next",
        "Next place found",
        "reading.find_next",
        READING,
        command=("n",),
        where=Where.SEARCH,
        short="next",
        listed=False,
    ),
    Command(
        "find-previous",
        "Place found before",
        "reading.find_previous",
        READING,
        command=("N",),
        where=Where.SEARCH,
        short="previous",
        listed=False,
    ),
    Command(
        "find-end",
        "End the search",
        "reading.end_search",
        READING,
        command=("escape",),
        where=Where.SEARCH,
        short="end search",
        listed=False,
    ),
    Command(
        "copy-answer",
        "Copy the answer",
        "reading.copy_answer",
        READING,
        typing=("alt+y",),
        command=("y",),
        short="copy",
        help="the last one, or the one that is being read",
    ),
    Command(
        "copy-code",
        "Copy a code block",
        "reading.copy_code",
        READING,
        command=("c",),
        help="the one in view, or else one of a list; without its fences and its indent",
    ),
    Command("copy-all", "Copy the whole conversation", "reading.copy_all", READING, command=("Y",)),
    Command(
        "events",
        "Show or hide the event log",
        "log.toggle",
        LOG,
        typing=("f3",),
        command=("v",),
        short="events",
    ),
    Command(
        "filter",
        "Filter the event log",
        "log.filter",
        LOG,
        command=("/",),
        where=Where.LOG,
        short="filter",
        help="text, session:2, event:on_llm_*, name:, tag:, run:, ! inverts",
    ),
    Command(
        "pause",
        "Pause the event log",
        "log.pause",
        LOG,
        command=("p",),
        where=Where.LOG,
        short="pause",
    ),
    Command(
        "open-event",
        "Open the event as JSON",
        "log.open",
        LOG,
        command=("enter",),
        where=Where.LOG,
        short="open",
        listed=False,
    ),
    Command(
        "replay-pause",
        "Pause, or play on",
        "history.pause",
        REPLAY,
        command=("space",),
        where=Where.REPLAY,
        short="pause",
        listed=False,
    ),
    Command(
        "replay-faster",
        "Faster",
        "history.faster",
        REPLAY,
        command=(">",),
        where=Where.REPLAY,
        short="faster",
        listed=False,
    ),
    Command(
        "replay-slower",
        "Slower",
        "history.slower",
        REPLAY,
        command=("<",),
        where=Where.REPLAY,
        short="slower",
        listed=False,
    ),
    Command(
        "replay-step",
        "One event further",
        "history.step",
        REPLAY,
        command=(".",),
        where=Where.REPLAY,
        short="step",
        help="and pause there",
        listed=False,
    ),
    Command(
        "replay-end",
        "Go to the end",
        "history.finish",
        REPLAY,
        command=("end",),
        where=Where.REPLAY,
        short="finish",
        listed=False,
    ),
    Command(
        "history",
        "History…",
        "history.show",
        PROGRAM,
        typing=("ctrl+r",),
        short="history",
        help="what was asked and answered: find it, go on from it, play it, export it",
    ),
    Command(
        "errors",
        "List all errors",
        "program.errors",
        PROGRAM,
        typing=("f5",),
        command=("!",),
        short="errors",
    ),
    Command(
        "endpoints",
        "Endpoints…",
        "endpoints.show",
        PROGRAM,
        typing=("f6",),
        command=("o",),
        short="endpoints",
        help="open, test, add and edit them; list the models that each has",
    ),
    Command(
        "palette",
        "Find a command",
        "program.palette",
        PROGRAM,
        typing=("ctrl+p", "f2"),
        command=(":",),
        short="palette",
        listed=False,
    ),
    Command(
        "help",
        "Show all keys",
        "program.help",
        PROGRAM,
        typing=("f1",),
        command=("?",),
        short="help",
    ),
    Command("theme", "Next theme", "program.next_theme", PROGRAM, typing=("f9",)),
    Command(
        "redraw",
        "Draw the screen again",
        "program.redraw",
        PROGRAM,
        typing=("ctrl+l",),
        where=Where.APP,
    ),
    Command(
        "suspend",
        "Suspend to the shell",
        "program.suspend",
        PROGRAM,
        command=("ctrl+z",),
    ),
    Command(
        "quit",
        "Quit",
        "program.quit",
        PROGRAM,
        typing=("ctrl+q",),
        where=Where.APP,
        short="quit",
        help="asks only while something streams",
    ),
    Command(
        "detach",
        "Detach: leave, let all go on",
        "program.detach",
        PROGRAM,
        command=("Q",),
        help="streamtui attaches again and shows it where it is",
    ),
    Command(
        "reattach",
        "Attach to the engine again",
        "attachment.attach_again",
        PROGRAM,
        help="where it ended and no other one could be had; r does it too then",
    ),
    Command(
        "quit-letter",
        "Quit",
        "program.quit",
        PROGRAM,
        command=("q",),
        listed=False,
    ),
)

COMMANDS: dict[str, Command] = {row.id: row for row in _ROWS}

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
    if keys == _DIGITS:
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
