"""The one place to type: several lines, a history, and a border that says whom it speaks to.

Never locked, never loses a text, and never sends anything itself.
"""

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import TextArea

from streamtui.safe_text import safe_text
from streamtui.ui.box import Box
from streamtui.ui.commands import Where, bindings_for
from streamtui.ui.line_input import is_chord
from streamtui.ui.words import Words

PASTE_GAP = 0.03
"""Seconds: enter that follows typed text faster was not pressed by a person."""
MOST_PROMPTS = 500
TYPE_HERE = "Type a prompt"
TYPE_THERE = "i goes here to type a prompt"

_EDITING = {
    "left": "cursor_left",
    "right": "cursor_right",
    "ctrl+left": "cursor_word_left",
    "ctrl+right": "cursor_word_right",
    "home": "cursor_line_start",
    "end,ctrl+e": "cursor_line_end",
    "shift+left": "cursor_left(True)",
    "shift+right": "cursor_right(True)",
    "shift+up": "cursor_up(True)",
    "shift+down": "cursor_down(True)",
    "shift+home": "cursor_line_start(True)",
    "shift+end": "cursor_line_end(True)",
    "backspace": "delete_left",
    "delete,ctrl+d": "delete_right",
    "ctrl+w,alt+backspace": "delete_word_left",
    "alt+d,alt+delete": "delete_word_right",
    "ctrl+u": "delete_to_start_of_line",
    "ctrl+k": "delete_to_end_of_line_or_delete_line",
    "ctrl+x": "cut",
    "ctrl+v": "paste",
    "ctrl+z": "undo",
    "ctrl+y": "redo",
}
"""Textual's own list binds ctrl+a, and ctrl+c to copying; both are taken."""

_BINDINGS = (
    *(Binding(keys, action, show=False) for keys, action in _EDITING.items()),
    *bindings_for(Where.PROMPT),
)
_ELSEWHERE = frozenset({"ctrl+z"})
"""Keys that mean something else in a pane: whether the focus goes there is only known later."""
_ACTIONS = {
    key: binding.action
    for binding in _BINDINGS
    for key in binding.key.split(",")
    if key not in _ELSEWHERE
}


class PromptHistory:
    """The prompts of before, walked with up and down; the text in hand waits at the end."""

    def __init__(self) -> None:
        self._prompts: list[str] = []
        self._private: set[str] = set()
        self._place = 0
        self._in_hand = ""

    @property
    def prompts(self) -> tuple[str, ...]:
        """The prompts that may be written down, oldest first."""
        return tuple(prompt for prompt in self._prompts if prompt not in self._private)

    def is_private(self, prompt: str) -> bool:
        """Whether a text was only ever meant for private sessions."""
        return prompt in self._private

    def add(self, prompt: str, *, private: bool = False) -> None:
        """Keep a prompt; what is kept twice in a row is kept once.

        A `private` one is never written down, unless somebody else is asked the same.
        """
        # It may come from another console, or from a file.
        prompt = safe_text(prompt)
        if prompt.strip() and self._prompts[-1:] != [prompt]:
            if not private:
                self._private.discard(prompt)
            elif prompt not in self._prompts:
                self._private.add(prompt)
            self._prompts.append(prompt)
            del self._prompts[:-MOST_PROMPTS]
        self._place = len(self._prompts)
        self._in_hand = ""

    def older(self, shown: str) -> str | None:
        """The prompt before the one shown; None where there is none."""
        if self._place == 0:
            return None
        self._leave(shown)
        self._place -= 1
        return self._prompts[self._place]

    def newer(self, shown: str) -> str | None:
        """The prompt after the one shown, at last the text that was in hand."""
        if self._place >= len(self._prompts):
            return None
        self._leave(shown)
        self._place += 1
        if self._place == len(self._prompts):
            return self._in_hand
        return self._prompts[self._place]

    def _leave(self, shown: str) -> None:
        # A prompt of the history that was changed on the way becomes the text in hand.
        at_end = self._place == len(self._prompts)
        if at_end or shown != self._prompts[self._place]:
            self._in_hand = shown


class Prompt(TextArea, inherit_bindings=False):
    """The text under way."""

    BINDINGS: ClassVar[list[BindingType]] = [*_BINDINGS]

    def __init__(self) -> None:
        super().__init__(
            id="prompt",
            compact=True,
            highlight_cursor_line=False,
            placeholder=TYPE_HERE,
        )
        # A blinking cursor would write to the terminal for ever.
        self.cursor_blink = False
        self._typed_at = float("-inf")
        self.history_of_prompts = PromptHistory()
        self.private = False
        """Whether what is typed is meant for private sessions only."""

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "enter" and self._take_enter(event):
            return
        if action := _ACTIONS.get(event.key):
            # Textual would look for a binding only once the key has come back to the app, after
            # letters that were typed behind it.
            event.stop()
            event.prevent_default()
            await self.run_action(action)
        elif is_chord(event):
            event.prevent_default()
        elif event.is_printable:
            self._typed_at = event.time

    def _take_enter(self, event: events.Key) -> bool:
        """Whether it was pasted: then it breaks the line."""
        event.prevent_default()
        # The key's own time: it was read in a thread, whatever the screen was busy with.
        if event.time - self._typed_at >= PASTE_GAP:
            return False
        event.stop()
        self._typed_at = event.time
        self.newline()
        return True

    async def _on_paste(self, event: events.Paste) -> None:
        """What is pasted is drawn, so it passes the gate; what is seen is what is sent."""
        event.prevent_default()
        event.stop()
        self.insert_text(event.text)

    def insert_text(self, text: str) -> None:
        """Put text where the cursor is."""
        text = safe_text(text.replace("\r\n", "\n").replace("\r", "\n"))
        if result := self._replace_via_keyboard(text, *self.selection):
            self.move_cursor(result.end_location)

    def newline(self) -> None:
        """Break the line at the cursor."""
        self._replace_via_keyboard("\n", *self.selection)

    def older(self) -> None:
        """One line up, in the first line one prompt back."""
        if not self.navigator.is_first_wrapped_line(self.cursor_location):
            self.action_cursor_up()
        elif (text := self.history_of_prompts.older(self.text)) is not None:
            self.load_text(text)
            # In the first line, so that another `up` goes on to the prompt before.
            self.move_cursor((0, len(self.document[0])))

    def newer(self) -> None:
        """One line down, in the last line one prompt on."""
        if not self.navigator.is_last_wrapped_line(self.cursor_location):
            self.action_cursor_down()
        elif (text := self.history_of_prompts.newer(self.text)) is not None:
            self.put(text)

    def take(self) -> str:
        """The text, which is then kept in the history; the prompt is empty after."""
        prompt = self.text
        self.history_of_prompts.add(prompt, private=self.private)
        self.load_text("")
        return prompt

    def put(self, text: str) -> None:
        """Show another text, with the cursor at its end."""
        self.load_text(safe_text(text))
        self.move_cursor(self.document.end)

    def action_paste(self) -> None:
        """Textual's own clipboard may hold an answer, which is as untrusted here as anywhere."""
        self.insert_text(self.app.clipboard)


class PromptBar(Box):
    """The prompt in its frame, which has its target's colour while one types."""

    def __init__(self) -> None:
        super().__init__(id="prompt-bar", classes="-this -typing")
        self.prompt = Prompt()
        self._kind = "this"
        self._typing = True
        self._covered = False

    def compose(self) -> ComposeResult:
        """The prompt alone."""
        yield self.prompt

    @property
    def border_role(self) -> str:  # type: ignore[override]
        """The colour of the frame."""
        return f"target-{self._kind}" if self._is_active else "pane-border"

    def show_target(self, words: str, kind: str, notes: Words) -> None:
        """Say whom the prompt speaks to; `kind` is `this`, `marked` or `all`."""
        if kind != self._kind:
            self._kind = kind
            self._recolour()
        self.set_top(([(" to: ", "muted"), (f"{words} › ", f"target-{kind} bold")], notes))

    def show_focus(self, *, typing: bool) -> None:
        """Say whether letters come here."""
        self._typing = typing
        self.prompt.placeholder = TYPE_HERE if typing else TYPE_THERE
        self._recolour()

    def show_cover(self, *, covered: bool) -> None:
        """Say whether a dialog has the keys meanwhile."""
        self._covered = covered
        self._recolour()

    @property
    def _is_active(self) -> bool:
        return self._typing and not self._covered

    def _recolour(self) -> None:
        for name in ("this", "marked", "all"):
            self.set_class(name == self._kind, f"-{name}")
        self.set_class(self._is_active, "-typing")
        self.refresh()
