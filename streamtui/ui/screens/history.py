"""What was asked and answered: searched while one types, gone on from, played, exported, deleted.

Letters go into the field, so that all commands are chords. What is asked of the history, and what
is done with a run, is the business of HistoryActions.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from streamtui.engine.reports import RunList, RunSummary
from streamtui.errors import RunError
from streamtui.safe_text import safe_line
from streamtui.ui.history_words import rows_of, rule_of, texts_of, whom
from streamtui.ui.line_input import LineInput
from streamtui.ui.rows import Span
from streamtui.ui.screens.chooser import Choice, Chooser, label_of
from streamtui.ui.screens.dialog import SHARE, Dialog, Question
from streamtui.ui.screens.paper import Paper, Paragraph, labelled
from streamtui.ui.status_line import Line
from streamtui.ui.words import Words

if TYPE_CHECKING:
    from streamtui.ui.history_actions import HistoryActions, Plan

SEARCH_SECONDS = 0.2
"""After the last letter, before it is looked for."""
NEAR_END = 10
"""Rows from the last one at which the next page is asked for."""
LABEL_CELLS = 8
ROOMY_ROWS, ROOMY_CELLS = 36, 100
DETAIL_ROWS, MORE_DETAIL_ROWS = 5, 9
AROUND = 5
"""Rows of border, field, the blank below it, and the rule."""
NOTHING_KEPT = "Nothing was asked yet, or nothing of it is kept."
NOTHING_FOUND = "No run holds all of these words."

_Work = Callable[[RunSummary], Awaitable["Plan"]]


class HistoryList(Dialog["Plan"]):
    """Answers what is to be done with the chosen run."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,ctrl+p", "move(-1)", show=False),
        Binding("down,ctrl+n", "move(1)", show=False),
        Binding("pageup", "move(-10)", show=False),
        Binding("pagedown", "move(10)", show=False),
        Binding("ctrl+f", "fork", show=False),
        Binding("ctrl+r", "replay", show=False),
        Binding("ctrl+o", "export", show=False),
        Binding("ctrl+x", "delete", show=False),
        Binding("ctrl+y,alt+y", "copy", show=False),
    ]
    TITLE_WORDS = "history"

    def __init__(self, actions: "HistoryActions") -> None:
        super().__init__()
        self._actions = actions
        self._field = LineInput("words of prompts and answers")
        self._options = OptionList(markup=False, compact=True)
        self._options.can_focus = False
        self._rule = Line()
        self._detail = Paper([])
        self._detail.can_focus = False
        self._runs: list[RunSummary] = []
        self._found_for: str | None = None
        """What the rows were looked for with; None before the first answer."""
        self._more = False
        self._loading = False
        self._problem: RunError | None = None
        """Why what was asked last was not done."""
        self._drawn_for = ""
        """The run whose row was drawn as the marked one."""
        self._pause: Timer | None = None

    def body(self) -> ComposeResult:
        """The field, the list, and below a line everything about the marked row."""
        yield self._field
        yield self._options
        yield self._rule
        yield self._detail

    def on_mount(self) -> None:
        """The newest runs."""
        super().on_mount()
        self.watch(self._options, "scroll_y", self._look_for_end, init=False)
        self._search()

    def on_resize(self) -> None:
        """Rows and columns have another room."""
        super().on_resize()
        roomy = self.size.height >= ROOMY_ROWS
        height = int(self.size.height * SHARE) if roomy else self.size.height
        detail = MORE_DETAIL_ROWS if roomy else DETAIL_ROWS
        self._detail.styles.height = detail
        self._options.styles.height = max(3, height - AROUND - detail)
        self.call_after_refresh(self._fill)

    def keys(self) -> tuple[tuple[str, str], ...]:
        """All of them; with little room in the way in which they are told of elsewhere."""
        chord, go_on, close = "ctrl+", "continue", "close"
        if self.size.width < ROOMY_CELLS:
            chord, go_on, close = "^", "go on", ""
        return (
            ("enter", go_on),
            (f"{chord}f", "fork"),
            (f"{chord}r", "replay"),
            (f"{chord}o", "export"),
            (f"{chord}x", "delete"),
            (f"{chord}y", "copy"),
            ("esc", close),
        )

    @on(Input.Changed)
    def wait_for_more(self) -> None:
        """Look for what is typed once no more of it comes."""
        if self._pause is not None:
            self._pause.stop()
        self._pause = self.set_timer(SEARCH_SECONDS, self._search)

    @on(Input.Submitted)
    def go_on(self) -> None:
        """Its conversation, in another pane."""
        self._choose(self._actions.go_on)

    @on(OptionList.OptionHighlighted)
    def show_another(self) -> None:
        """Another row is marked."""
        self._draw_marked()
        self._look_for_end()

    @on(OptionList.OptionSelected)
    def take_clicked(self, message: OptionList.OptionSelected) -> None:
        """The row under the mouse."""
        self._options.highlighted = message.option_index
        self._choose(self._actions.go_on)

    def action_move(self, by: int) -> None:
        """Mark another row; the list has an end, not a ring: more of it may be to come."""
        if self._runs:
            place = (self._options.highlighted or 0) + by
            self._options.highlighted = min(max(place, 0), len(self._runs) - 1)

    def action_fork(self) -> None:
        """The conversation before it, and its prompt to be changed."""
        self._choose(self._actions.fork)

    def action_replay(self) -> None:
        """Play it as it came."""
        self._choose(self._actions.replay)

    def action_export(self) -> None:
        """Ask for the form, then write a file."""

        def export(form: str | None) -> None:
            if form is not None:
                self._work(lambda run: self._export(run, form))

        if self._marked is not None:
            self.app.push_screen(ExportForm(), export)

    def action_delete(self) -> None:
        """Ask, then remove it."""
        run = self._marked
        if run is None:
            return

        def delete(yes: bool | None) -> None:  # noqa: FBT001 - the answer of a screen
            if yes:
                self._work(self._delete)

        self.app.push_screen(DeleteQuestion(run), delete)

    def action_copy(self) -> None:
        """Its answer, into the clipboard."""
        self._work(self._copy)

    # Finding

    def _search(self) -> None:
        self.run_worker(self._find(), group="search", exclusive=True)

    async def _find(self) -> None:
        """Bring the list up to date with what is typed."""
        if self._pause is not None:
            self._pause.stop()
        text = self._field.value
        self.say(self.TITLE_WORDS, "searching …")
        page, self._problem = RunList(), None
        try:
            page = await self._actions.find(text, None)
        except RunError as error:
            self._problem = error
        self._found_for, self._runs, self._more = text, list(page.runs), page.more
        self._options.highlighted = None
        self._fill()

    def _look_for_end(self) -> None:
        """Ask for the next page before anybody comes to the end of this one."""
        last_seen = self._options.scroll_offset.y + self._options.size.height
        nearest = max(last_seen, self._options.highlighted or 0)
        is_near = bool(self._runs) and nearest + NEAR_END >= len(self._runs)
        if self._more and not self._loading and is_near:
            self._loading = True
            # Of the list as it is now: a search may end before the worker begins.
            more = self._find_more(self._found_for or "", self._runs[-1].key)
            self.run_worker(more, group="page")

    async def _find_more(self, text: str, before: int) -> None:
        try:
            page = await self._actions.find(text, before)
        except RunError as error:
            self._more, self._problem = False, error
            self._say_how_it_is()
            return
        finally:
            self._loading = False
        if text == self._found_for:
            self._runs += page.runs
            self._more = page.more
            self._fill()

    # Doing

    def _choose(self, plan_of: _Work) -> None:
        async def choose(run: RunSummary) -> None:
            self.dismiss(await plan_of(run))

        self._work(choose)

    def _work(self, work: Callable[[RunSummary], Awaitable[None]]) -> None:
        """Do something with the marked run; what is in the way is said in the border."""
        self.run_worker(self._do(work), group="work", exclusive=True)

    async def _do(self, work: Callable[[RunSummary], Awaitable[None]]) -> None:
        while self._found_for != self._field.value:
            # Whoever types and presses enter means what is found, not what is still on screen.
            await self._find()
        if self._marked is None:
            return
        self._problem = None
        try:
            await work(self._marked)
        except RunError as error:
            self._problem = error
        self._say_how_it_is()

    async def _export(self, run: RunSummary, form: str) -> None:
        self._actions.say_exported(await self._actions.export(run, form))

    async def _delete(self, run: RunSummary) -> None:
        await self._actions.delete(run)
        self._runs = [each for each in self._runs if each.key != run.key]
        self._fill()

    async def _copy(self, run: RunSummary) -> None:
        self._actions.copy(await self._actions.answer(run))

    # Drawing

    @property
    def _marked(self) -> RunSummary | None:
        index = self._options.highlighted
        return None if index is None or index >= len(self._runs) else self._runs[index]

    @property
    def _words(self) -> list[str]:
        return (self._found_for or "").split()

    def _fill(self) -> None:
        """All rows again; the mark stays at its place."""
        if self._found_for is None:
            return
        place = self._options.highlighted or 0
        rows = self._rows(self._runs)
        self._options.clear_options()
        self._options.add_options(Option(label_of(row, plain=False)) for row in rows)
        self._drawn_for = ""
        self._options.highlighted = min(place, len(rows) - 1) if rows else None
        self._draw_marked()
        self._say_how_it_is()

    def _rows(self, runs: Sequence[RunSummary]) -> list[Words]:
        # A list that is longer than its place has a bar.
        room = max(0, self._rule.size.width - 1)
        return rows_of(runs, self._words, self._actions.now, room)

    def _draw_marked(self) -> None:
        run = self._marked
        if run is None:
            self._rule.show([])
            self._detail.put([Paragraph([Span(*self._why_empty())])])
            return
        self._rule.show(rule_of(run, self._actions.now, self._rule.size.width))
        rows = 2 if self._detail.size.height > DETAIL_ROWS else 1
        room = rows * (self._rule.size.width - LABEL_CELLS)
        texts = texts_of(run, self._words, max(0, room))
        self._detail.put([labelled(label, words, LABEL_CELLS) for label, words in texts])
        if self.app.native_ansi_color:
            self._draw_rows_plainly(run)

    def _draw_rows_plainly(self, marked: RunSummary) -> None:
        """Let no row but the marked one be without its colours."""
        rows = self._rows(self._runs)
        for index, (run, row) in enumerate(zip(self._runs, rows, strict=True)):
            if run.run_id in {marked.run_id, self._drawn_for}:
                label = label_of(row, plain=run is marked)
                self._options.replace_option_prompt_at_index(index, label)
        self._drawn_for = marked.run_id

    def _why_empty(self) -> tuple[str, str]:
        """Why there is no row, with the role of these words."""
        if self._actions.nothing_kept:
            return "", "muted"
        if self._problem is not None:
            return safe_line(self._problem.info().words, 300), "state-failed"
        return NOTHING_FOUND if self._words else NOTHING_KEPT, "muted"

    def _say_how_it_is(self) -> None:
        """In the border: how many there are, or what went wrong."""
        if self._actions.nothing_kept and not self._runs:
            self.say(self.TITLE_WORDS, self._actions.nothing_kept, role="warning")
        elif self._problem is not None:
            self.say(self.TITLE_WORDS, safe_line(self._problem.message, 300), role="state-failed")
        else:
            self.say(self.TITLE_WORDS, self._count_words())

    def _count_words(self) -> str:
        count = len(self._runs)
        if not count:
            return "none"
        return f"{count}, and more" if self._more else f"{count} run{'' if count == 1 else 's'}"


class ExportForm(Chooser):
    """Answers the ending of the file's name."""

    TITLE_WORDS = "export the conversation"
    PLACEHOLDER = "as what?"
    KEYS = (("↑↓", "choose"), ("enter", "write it here"), ("esc", "close"))
    FORMS: ClassVar[dict[str, tuple[str, str]]] = {
        "md": ("Markdown", "as people read it"),
        "json": ("JSON", "one object, each turn with its figures"),
        "jsonl": ("JSON Lines", "every event as it happened, one a line"),
    }

    def __init__(self) -> None:
        super().__init__([_form(ending, *words) for ending, words in self.FORMS.items()])


def _form(ending: str, name: str, words: str) -> Choice:
    label = Content.assemble((f"{name:<12}", "bold"), (words, "$muted"))
    return Choice(label, f"{name} {words} {ending}".lower(), ending)


class DeleteQuestion(Question):
    """Answers True for removing a run, None for keeping it."""

    TITLE_WORDS = "delete?"
    KEYS = (("y", "delete"), ("n", "keep"))

    def __init__(self, run: RunSummary) -> None:
        super().__init__()
        self._run = run

    def body(self) -> ComposeResult:
        """What goes, and what does not."""
        name = f"{safe_line(whom(self._run), 50)}\n{safe_line(self._run.prompt, 50)}"
        rest = "A pane that shows it keeps it until it is closed."
        yield Static(Content(f"Delete this run from the history for good?\n\n{name}\n\n{rest}"))
