"""All endpoints in a table: tested stage by stage, opened, added, changed and taken away.

Below the table stands everything about the marked one. What is asked of an endpoint, and what is
written down, is the business of EndpointActions.
"""

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.timer import Timer
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from streamtui.config import Endpoint
from streamtui.safe_text import safe_line
from streamtui.ui.endpoint_draft import Form
from streamtui.ui.endpoint_words import (
    cells_of,
    column_widths,
    facts_of,
    head_of,
    outcome_words,
    rule_of,
    stage_rows,
    trial_words,
)
from streamtui.ui.rows import Span
from streamtui.ui.screens.chooser import label_of, mark_another
from streamtui.ui.screens.dialog import Dialog, Question
from streamtui.ui.screens.endpoint_form import EndpointForm
from streamtui.ui.screens.models import Models
from streamtui.ui.screens.paper import Paper, Paragraph, labelled
from streamtui.ui.status_line import Line
from streamtui.ui.words import Words, fitted, row_of

if TYPE_CHECKING:
    from streamtui.ui.endpoint_actions import EndpointActions

LABEL_CELLS = 10
DETAIL_ROWS = 13
"""For everything about one endpoint: four facts, six stages, what came of them."""
TICK_SECONDS = 0.25
ROOMY = 100
"""Columns from which there is room for all words about keys."""
BLANK = Paragraph([])
NOT_TESTED = "not tested yet: t asks one short question and times the way to its first token"


class EndpointList(Dialog[str]):
    """Answers `NAME` or `NAME/MODEL`, to be opened in a pane."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "move(-10)", show=False),
        Binding("pagedown", "move(10)", show=False),
        Binding("enter", "open", show=False),
        Binding("t", "test", show=False),
        Binding("T", "test_all", show=False),
        Binding("m", "models", show=False),
        Binding("a", "add", show=False),
        Binding("e", "edit", show=False),
        Binding("delete", "remove", show=False),
        Binding("q,f6", "close", show=False),
    ]
    TITLE_WORDS = "endpoints"

    def __init__(self, actions: "EndpointActions") -> None:
        super().__init__()
        self._actions = actions
        self._shown: list[Endpoint] = []
        self._head, self._rule = Line(), Line()
        self._options = OptionList(markup=False, compact=True)
        self._options.can_focus = False
        self._about = Paper([])
        self._about.can_focus = False
        self._ticking: Timer | None = None

    def body(self) -> ComposeResult:
        """The table, and below a line everything about the marked row."""
        yield self._head
        yield self._options
        yield self._rule
        yield self._about

    def on_mount(self) -> None:
        """The first row is marked."""
        super().on_mount()
        self._ticking = self.set_interval(TICK_SECONDS, self.show_again, pause=True)
        self.call_after_refresh(self.show_again)

    def on_resize(self) -> None:
        """Columns and rows have another room."""
        super().on_resize()
        self.call_after_refresh(self.show_again)

    def keys(self) -> tuple[tuple[str, str], ...]:
        """Only those that do something to the marked endpoint."""
        removable = self._marked is not None and self._actions.is_managed(self._marked.name)
        change = (("e", "edit"), ("del", "remove")) if removable else (("e", "edit"),)
        return (
            ("enter", "open"),
            ("t", "test"),
            ("T", "all"),
            ("m", "models"),
            ("a", "add"),
            *change,
            ("esc", "close" if self.size.width >= ROOMY else ""),
        )

    def show_again(self) -> None:
        """Bring everything up to date; the marked endpoint stays marked."""
        marked = self._marked.name if self._marked else ""
        self._shown = list(self._actions.endpoints.values())
        self._show_rows(marked)
        self._show_marked()
        self.say(self.TITLE_WORDS, self._count_words())
        if self._ticking is not None:
            self._ticking.resume() if self._under_way else self._ticking.pause()

    @on(OptionList.OptionHighlighted)
    def show_another(self) -> None:
        """Another row is marked."""
        self.show_again()

    def action_open(self) -> None:
        """A pane on the marked endpoint."""
        if self._marked is not None:
            self.dismiss(self._marked.name)

    def action_move(self, by: int) -> None:
        """Mark another row."""
        mark_another(self._options, by)

    def action_test(self) -> None:
        """Test the marked endpoint."""
        if self._marked is not None:
            self._test(self._marked)

    def action_test_all(self) -> None:
        """Test all of them at once."""
        for endpoint in self._shown:
            self._test(endpoint)

    def action_models(self) -> None:
        """The models of the marked endpoint; the chosen one is opened."""
        if self._marked is not None:
            self.app.push_screen(Models(self._marked, self._actions.models), self._open_model)

    def action_add(self) -> None:
        """A form with nothing in it."""
        self._fill_in(self._actions.blank())

    def action_edit(self) -> None:
        """A form with what the marked endpoint has."""
        if self._marked is not None:
            self._fill_in(self._actions.form_of(self._marked))

    def action_remove(self) -> None:
        """Ask, and take it out of the managed file; what stands elsewhere is not ours."""
        if self._marked is None:
            return
        name = self._marked.name
        if not self._actions.is_managed(name):
            words = f"{name} is not written by the console: {self._actions.where(self._marked)}."
            self._actions.notice(words)
            return

        async def remove(yes: bool | None) -> None:  # noqa: FBT001 - the answer of a screen
            if yes:
                await self._actions.remove(name)
                self.show_again()

        self.app.push_screen(RemoveQuestion(name), remove)

    def _fill_in(self, form: Form) -> None:
        def take(name: str | None) -> None:
            self.show_again()
            if name is not None:
                self._mark(name)

        self.app.push_screen(EndpointForm(form, self._actions.save), take)

    def _open_model(self, spec: str | None) -> None:
        if spec is not None:
            self.dismiss(spec)

    def _test(self, endpoint: Endpoint) -> None:
        if not self._actions.is_under_way(endpoint):
            # Ends with this screen; the endpoint is asked no second time because of that.
            self.run_worker(self._actions.test(endpoint, self.show_again), group="tests")

    @property
    def _marked(self) -> Endpoint | None:
        index = self._options.highlighted
        return None if index is None or index >= len(self._shown) else self._shown[index]

    @property
    def _under_way(self) -> bool:
        return any(map(self._actions.is_under_way, self._shown))

    def _mark(self, name: str, place: int = 0) -> None:
        """Mark an endpoint; where it is gone, the one that took its place."""
        names = [endpoint.name for endpoint in self._shown]
        self._options.highlighted = names.index(name) if name in names else place % len(names)

    def _show_rows(self, marked: str) -> None:
        now = self._actions.now
        cells = [cells_of(each, self._actions.trial(each), now) for each in self._shown]
        # A list that is longer than its place has a bar.
        room = max(0, self._head.size.width - 1)
        widths = column_widths(cells, room)
        self._head.show(head_of(widths))
        rows = [fitted(row_of(row, widths), room) for row in cells]
        few_colors = self.app.native_ansi_color
        labels = [
            label_of(row, plain=few_colors and each.name == marked)
            for row, each in zip(rows, self._shown, strict=True)
        ]
        place = self._options.highlighted or 0
        if len(labels) == self._options.option_count:
            for index, label in enumerate(labels):
                self._options.replace_option_prompt_at_index(index, label)
        else:
            self._options.clear_options()
            self._options.add_options(map(Option, labels))
        self._mark(marked, place)

    def _show_marked(self) -> None:
        endpoint = self._marked
        if endpoint is None or not self._about.size.width:
            return
        self._rule.show(rule_of(endpoint, self._head.size.width))
        self._about.put(self._paragraphs(endpoint))
        others = 2 + self._head.size.height + self._rule.size.height
        about = max(DETAIL_ROWS, self._about.row_count)
        self._options.styles.max_height = max(3, self.size.height - others - about)

    def _paragraphs(self, endpoint: Endpoint) -> list[Paragraph]:
        facts = facts_of(endpoint, self._actions.where(endpoint))
        told = [labelled(fact.label, fact.words, LABEL_CELLS) for fact in facts]
        trial = self._actions.trial(endpoint)
        if trial is None:
            return [*told, BLANK, _paragraph([(NOT_TESTED, "muted")])]
        if trial.report is None:
            return [*told, BLANK, _paragraph(trial_words(trial, self._actions.now))]
        stages = stage_rows(trial.report, self._about.size.width)
        outcome = outcome_words(trial.report)
        return [*told, BLANK, *map(_paragraph, stages), _paragraph(outcome)]

    def _count_words(self) -> str:
        trials = [trial for each in self._shown if (trial := self._actions.trial(each))]
        reports = [trial.report for trial in trials if trial.report]
        failed = sum(report.error is not None for report in reports)
        counts = {
            "ok": len(reports) - failed,
            "failed": failed,
            "being tested": len(trials) - len(reports),
        }
        said = [f"{count} {word}" for word, count in counts.items() if count]
        return " · ".join([str(len(self._shown)), *said])


class RemoveQuestion(Question):
    """Answers True for taking it away, None for leaving it."""

    TITLE_WORDS = "remove?"
    KEYS = (("y", "remove"), ("n", "keep"))

    def __init__(self, name: str) -> None:
        super().__init__()
        self._endpoint = name

    def body(self) -> ComposeResult:
        """What goes, and what does not."""
        name = safe_line(self._endpoint, 60)
        words = f"Remove the endpoint {name} from managed.toml?\nPanes that are open on it go on."
        yield Static(Content(words))


def _paragraph(words: Words) -> Paragraph:
    return Paragraph([Span(*word) for word in words])
