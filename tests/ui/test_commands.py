"""The table of commands: every key means one thing, and everything is made from the rows."""

from collections import Counter
from itertools import chain

import pytest
from textual.binding import BindingsMap
from textual.dom import DOMNode

from streamtui.ui.app import StreamTUIApp
from streamtui.ui.commands import (
    COMMANDS,
    HINTS,
    NEVER_BOUND,
    Command,
    Where,
    bindings_for,
    hints_for,
    shown_key,
    shown_keys,
)
from streamtui.ui.line_input import LineInput
from streamtui.ui.log_box import FilterField, LogBox
from streamtui.ui.pane import Pane
from streamtui.ui.prompt_bar import Prompt
from streamtui.ui.screens.chooser import Chooser
from streamtui.ui.screens.console import Console
from streamtui.ui.screens.dialog import Dialog
from streamtui.ui.screens.event_detail import EventDetail
from streamtui.ui.screens.help import Help, help_paragraphs
from streamtui.ui.screens.palette import Palette
from streamtui.ui.screens.paper import Paper
from streamtui.ui.screens.quit import QuitQuestion
from tests.ui.harness import console

BOUND_CLASSES: tuple[type[DOMNode], ...] = (
    StreamTUIApp,
    Console,
    Prompt,
    LineInput,
    FilterField,
    LogBox,
    Pane,
    Dialog,
    Chooser,
    Paper,
    Help,
    EventDetail,
    QuitQuestion,
)
NEVER_ARRIVES = ("shift+enter", "ctrl+enter", "alt+enter", "ctrl+tab", "ctrl+shift+", "super+")

# What the manual promises of keys.
PROMISED = {
    "send": ("enter",),
    "newline": ("ctrl+j",),
    "type": ("i", "enter"),
    "editor": ("ctrl+g", "E"),
    "cancel": ("ctrl+c", "escape", "x"),
    "cancel-all": ("X",),
    "new": ("ctrl+n", "n"),
    "close": ("alt+w", "D"),
    "reopen": ("u",),
    "left": ("alt+left", "h"),
    "down": ("alt+down", "j"),
    "up": ("alt+up", "k"),
    "right": ("alt+right", "l"),
    "next": ("ctrl+]",),
    "previous": ("ctrl+\\",),
    "focus-next": ("tab",),
    "number": tuple("123456789"),
    "zoom": ("alt+z", "z"),
    "layout": ("alt+l", "-"),
    "target": ("ctrl+t",),
    "mark": ("space",),
    "mark-all": ("a",),
    "mark-none": ("A",),
    "follow": ("f", "G"),
    "top": ("g",),
    "page-up": ("pageup",),
    "page-down": ("pagedown",),
    "copy-answer": ("alt+y", "y"),
    "copy-code": ("c",),
    "copy-all": ("Y",),
    "find": ("/",),
    "find-next": ("n",),
    "find-previous": ("N",),
    "find-end": ("escape",),
    "retry": ("r",),
    "edit": ("e",),
    "events": ("f3", "v"),
    "errors": ("f5", "!"),
    "palette": ("ctrl+p", "f2", ":"),
    "help": ("f1", "?"),
    "redraw": ("ctrl+l",),
    "suspend": ("ctrl+z",),
    "quit": ("ctrl+q",),
    "quit-letter": ("q",),
    "filter": ("/",),
    "pause": ("p",),
}


def rows(*places: Where) -> list[Command]:
    return [row for row in COMMANDS.values() if row.where in places]


@pytest.mark.parametrize(("name", "keys"), PROMISED.items())
def test_keys_are_those_that_were_promised(name: str, keys: tuple[str, ...]) -> None:
    assert set(keys) <= set(COMMANDS[name].keys)


@pytest.mark.parametrize(
    "places",
    [(Where.APP, Where.CONSOLE), (Where.APP, Where.CONSOLE, Where.LOG)],
    ids=["console", "log"],
)
def test_a_key_means_one_thing(places: tuple[Where, ...]) -> None:
    keys = Counter(chain.from_iterable(row.keys for row in rows(*places)))
    # In the log, enter opens an event instead of going to the prompt, and / filters it.
    assert {key for key, count in keys.items() if count > 1} <= {"enter", "/"}


def test_a_letter_is_never_taken_while_typing() -> None:
    assert [row.id for row in COMMANDS.values() if any(len(key) == 1 for key in row.typing)] == []


@pytest.mark.parametrize("bound", BOUND_CLASSES, ids=lambda bound: bound.__name__)
def test_keys_of_tmux_and_the_terminal_are_left_alone(bound: type[DOMNode]) -> None:
    keys = set(_all_bindings(bound).key_to_bindings)
    taken = {key.replace("left_square_bracket", "[") for key in keys} & NEVER_BOUND
    assert taken == set()


@pytest.mark.parametrize("bound", [Console, Prompt, LineInput], ids=lambda bound: bound.__name__)
def test_only_keys_that_a_terminal_sends_are_bound(bound: type[DOMNode]) -> None:
    keys = _all_bindings(bound).key_to_bindings
    assert [key for key in keys if key.startswith(NEVER_ARRIVES)] == []


async def test_every_row_has_its_method() -> None:
    async with console(1) as c:
        for row in COMMANDS.values():
            owner, _, method = row.method.partition(".")
            assert callable(getattr(c.app._owners[owner], method)), row.id


def test_help_shows_every_row() -> None:
    text = "\n".join(
        "".join(span.text for span in (*paragraph.first, *paragraph.spans))
        for paragraph in help_paragraphs()
    )
    for row in COMMANDS.values():
        assert row.title in text
        assert shown_keys(row.typing) in text


def test_the_palette_shows_every_listed_row_with_its_keys() -> None:
    labels = [choice.label.plain for choice in Palette({}, [])._choices]
    listed = [row for row in COMMANDS.values() if row.listed]
    assert len(labels) == len(listed)
    for label, row in zip(labels, listed, strict=True):
        assert row.title in label
        assert shown_keys(row.keys) in label


def test_hints_name_rows_that_have_words() -> None:
    for name in chain.from_iterable(HINTS.values()):
        assert COMMANDS[name].short, name


@pytest.mark.parametrize("state", HINTS)
def test_hints_say_keys_that_work_in_their_state(state: str) -> None:
    typing = state.startswith("typing")
    for (key, _label), name in zip(hints_for(state), HINTS[state], strict=True):
        row = COMMANDS[name]
        works = row.typing if typing else row.keys
        assert key in {shown_key(each) for each in works}


def test_every_binding_carries_out_a_row() -> None:
    for binding in bindings_for(*Where):
        assert binding.action.startswith("app.command(")


def _all_bindings(bound: type[DOMNode]) -> BindingsMap:
    merged = bound._merge_bindings()
    assert isinstance(merged, BindingsMap)
    return merged
