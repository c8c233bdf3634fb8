"""The form of an endpoint. It stays as it is until what it says has been written down.

Checks nothing itself and never asks for a key.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar, cast

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.strip import Strip
from textual.widgets import Input, Label, Static

from streamtui.config import DIALECTS
from streamtui.safe_text import safe_line
from streamtui.ui.endpoint_draft import KEY_FROM, Draft, Form, KeyFrom, Problem
from streamtui.ui.line_input import LineInput
from streamtui.ui.paint import Painted
from streamtui.ui.screens.dialog import Dialog

Save = Callable[[Form, Draft], Awaitable[Problem | None]]
"""Writes a form down and returns None, or says why that cannot be."""

CHECKED = ("checked", "not checked: anybody on the way can read the key")
_LABELS = {
    "name": "name",
    "dialect": "dialect",
    "base_url": "base URL",
    "model": "model",
    "key_from": "key from",
    "proxy": "proxy",
    "verify": "certificates",
}
_HELP = {
    "name": "letters, digits, '.', '_' and '-'; panes and the command line call it by this name",
    "dialect": "how it is asked and how its stream is read",
    "base_url": "without the path of the dialect; an API proxy service is another base URL",
    "model": "the one that is asked when no other is named; may stay empty",
    "key_from": "where the key is kept; the key itself is never typed here",
    "key": "the name of what holds the key, not the key",
    "proxy": "a name in [proxies], a URL such as http://host:port, env or direct; empty is direct",
    "verify": "switch this off only where you know who is on the way",
}
_SOURCES: dict[KeyFrom, tuple[str, str]] = {
    "environment variable": ("its name", "such as OPENAI_API_KEY"),
    "file": ("its path", "such as ~/.openai-key"),
    "command": ("its words", "such as pass show openai"),
    "none": ("", "none is sent"),
}
"""What the field below is called, and an example for it."""
_EXAMPLES = {
    "name": "such as mirror",
    "base_url": "such as https://api.example.com/v1",
    "model": "such as gpt-4o-mini",
    "proxy": "direct",
}


class Picker(Painted, can_focus=True):
    """One of a few values, changed by left and right. Textual's own takes enter for itself."""

    DEFAULT_CSS = """
    Picker {
        height: 1;
        width: 1fr;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,space", "step(1)", show=False),
        Binding("left", "step(-1)", show=False),
    ]

    class Changed(Message):
        """Another value is chosen."""

    def __init__(self, values: Sequence[str], value: str, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._values = tuple(values)
        self.value = value

    def action_step(self, by: int) -> None:
        """The next value, round the end."""
        place = self._values.index(self.value) if self.value in self._values else -by
        self.value = self._values[(place + by) % len(self._values)]
        self.refresh()
        self.post_message(self.Changed())

    def on_focus(self) -> None:
        """The arrows say that it can be changed."""
        self.refresh()

    def on_blur(self) -> None:
        """The arrows step back."""
        self.refresh()

    def render_line(self, y: int) -> Strip:  # noqa: ARG002
        """`‹ value ›`, and with the focus the place among the others."""
        arrow, value = ("primary bold", "bold") if self.has_focus else ("muted", "foreground")
        words = [("‹ ", arrow), (safe_line(self.value, 80), value), (" ›", arrow)]
        if self.has_focus and self.value in self._values:
            place = self._values.index(self.value) + 1
            words.append((f"  {place} of {len(self._values)}", "muted"))
        return self.paint(words, self.size.width)


class EndpointForm(Dialog[str]):
    """Answers the name under which the endpoint was written."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "save", show=False),
        Binding("down", "app.focus_next", show=False),
        Binding("up", "app.focus_previous", show=False),
        Binding("tab", "app.focus_next", show=False),
        Binding("shift+tab", "app.focus_previous", show=False),
    ]
    KEYS = (("tab", "next"), ("←→", "choose"), ("enter", "save"), ("esc", "close"))

    def __init__(self, form: Form, save: Save) -> None:
        super().__init__()
        self._form = form
        self._save = save
        self._saving = False
        self.TITLE_WORDS = safe_line(form.title, 60)
        draft = form.draft
        self._key = _line("key", draft.key)
        self._source = Label(markup=False)
        self._fields: dict[str, LineInput | Picker] = {
            "name": _line("name", draft.name),
            "dialect": Picker(DIALECTS, draft.dialect, id="dialect"),
            "base_url": _line("base_url", draft.base_url),
            "model": _line("model", draft.model),
            "key_from": Picker(KEY_FROM, draft.key_from, id="key_from"),
            "key": self._key,
            "proxy": _line("proxy", draft.proxy),
            "verify": Picker(CHECKED, CHECKED[0 if draft.verify else 1], id="verify"),
        }

    def body(self) -> ComposeResult:
        """A row for each field, then what is wrong, then what the field is."""
        if self._form.note:
            yield Static(Content(safe_line(self._form.note, 400)), classes="note")
        for name, field in self._fields.items():
            with Horizontal(classes="field"):
                yield self._source if name == "key" else Label(_LABELS[name], markup=False)
                yield field
        yield Static(classes="problem")
        yield Static(classes="help")

    def on_mount(self) -> None:
        """The first field is what is typed into."""
        super().on_mount()
        self._show_source()
        self._fields["name"].focus()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Which field it is, and what belongs there."""
        self.query_one(".help", Static).update(Content(_HELP.get(event.widget.id or "", "")))
        for row in self.query(".field"):
            row.set_class(row is event.widget.parent, "-current")

    @on(Picker.Changed)
    def show_consequences(self) -> None:
        """Other examples, other colours."""
        self._show_source()

    @on(Input.Submitted)
    def action_save(self) -> None:
        """Have it written down; when that cannot be, everything stays as it was typed."""
        if not self._saving:
            self._saving = True
            self.say(self.TITLE_WORDS, "checking …", role="state-waiting")
            # Of the app, not of this screen: what was begun is finished, whatever is closed.
            self.app.run_worker(self._write_down(self.draft()), group="endpoint form")

    def draft(self) -> Draft:
        """What the fields say."""
        texts = {name: field.value for name, field in self._fields.items()}
        return Draft(
            name=texts["name"].strip(),
            dialect=texts["dialect"],
            base_url=texts["base_url"],
            model=texts["model"],
            key_from=cast("KeyFrom", texts["key_from"]),
            key=texts["key"],
            proxy=texts["proxy"],
            verify=texts["verify"] == CHECKED[0],
            rest=self._form.draft.rest,
        )

    async def _write_down(self, draft: Draft) -> None:
        problem = await self._save(self._form, draft)
        self._saving = False
        if not self.is_current:
            return
        if problem is None:
            self.dismiss(draft.name)
            return
        self.say(self.TITLE_WORDS, "not saved", role="state-failed")
        place = self.query_one(".problem", Static)
        place.update(Content.styled(f"✗ {safe_line(problem.words, 600)}.", "$state-failed"))
        place.display = True
        if problem.field:
            self._fields[problem.field].focus()

    def _show_source(self) -> None:
        chosen = cast("KeyFrom", self._fields["key_from"].value)
        label, self._key.placeholder = _SOURCES[chosen]
        self._source.update(label)
        self._key.disabled = chosen == "none"


def _line(name: str, text: str) -> LineInput:
    field = LineInput(_EXAMPLES.get(name, ""), id=name)
    field.value = text
    return field
