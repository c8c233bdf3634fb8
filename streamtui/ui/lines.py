"""The widget that draws rows by Textual's line API, and the colours that it draws them in.

Only rows that differ from what is on screen are repainted.
"""

from functools import lru_cache

from rich.cells import cell_len
from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.color import Color, ColorParseError
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from streamtui.ui.rows import BLANK, Row, Span
from streamtui.ui.shortcut import paint

ATTRIBUTES = frozenset(("bold", "dim", "italic", "underline", "strike", "reverse"))

# Stand-ins, for themes that are not ours and lack the console's own colours.
_FALLBACKS = {
    "muted": "foreground-muted",
    "reasoning": "foreground-muted",
    "prompt-text": "primary",
    "code-background": "surface",
    "log-time": "foreground-muted",
    "log-event": "secondary",
    "state-streaming": "primary",
    "state-done": "success",
    "state-stalled": "warning",
    "state-retry": "warning",
    "state-cut-off": "warning",
    "state-failed": "error",
}


class Palette:
    """Roles into styles, by the variables of a theme.

    A role is words: a colour's name, `on-` and a name for the background, attributes.
    """

    def __init__(self, variables: dict[str, str], *, ansi: bool = False) -> None:
        self._variables = variables
        self._ansi = ansi
        self._styles: dict[str, Style] = {}

    def style(self, role: str) -> Style:
        """What a role adds to the style of the widget; unknown words add nothing."""
        found = self._styles.get(role)
        if found is None:
            found = self._styles[role] = self._compose(role)
        return found

    def _compose(self, role: str) -> Style:
        style = Style()
        for word in role.split():
            if word in ATTRIBUTES:
                style += Style.parse(word)
            elif word.startswith("on-"):
                style += Style(bgcolor=self._color(word.removeprefix("on-")))
            else:
                style += Style(color=self._color(word))
            if word == "reasoning" and self._ansi:
                # Sixteen colours have no grey that is sure to be readable.
                style += Style(dim=True)
        return style

    def _color(self, name: str) -> RichColor | None:
        value = self._variables.get(name) or self._variables.get(_FALLBACKS.get(name, ""))
        color = _parse_color(value) if value else None
        if color is None or color.ansi is not None:
            return color.rich_color if color else None
        background = _parse_color(self._variables.get("background", "")) or color
        return (background + color).rich_color


@lru_cache(256)
def _parse_color(value: str) -> Color | None:
    """A colour of a theme; None for what is no colour by itself, such as `auto 60%`."""
    try:
        return Color.parse(value)
    except ColorParseError:
        return None


def _width_of(span: Span) -> int:
    return len(span.text) if span.text.isascii() else cell_len(span.text)


class LineView(Widget, can_focus=True):
    """A widget that shows rows. Subclasses say which; `show_rows` repaints those that changed."""

    ALLOW_SELECT = False
    WHEEL_ROWS = 3
    PAGE_OVERLAP = 2
    """Rows of one page that are still seen on the next."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._shown: list[Row] = []
        self._drawn: list[Strip] = []
        """The rows as they were drawn last, for `_crop`."""
        self._crop = Region()
        self._stale: set[int] = set()
        """Those of them that have changed since."""
        self._palette: Palette | None = None
        self._base: Style | None = None
        self._styles: dict[str, Style] = {}

    def show_rows(self, rows: list[Row]) -> None:
        """Put rows on screen, from the top; what is already there is left alone."""
        before, self._shown = self._shown, rows
        changed = [
            y
            for y in range(max(len(before), len(rows)))
            if y >= len(before) or y >= len(rows) or before[y] != rows[y]
        ]
        if changed:
            width = self.size.width
            self._stale.update(changed)
            left = [y for y in changed if not self._paint_row(y)]
            if left:
                self.refresh(*(Region(0, y, width, 1) for y in left))

    def _paint_row(self, y: int) -> bool:
        if self._crop != self.size.region or y not in self._crop.line_range:
            return False
        self._stale.discard(y)
        self._drawn[y] = self._draw(y)
        return paint(self, y, self._drawn[y])

    def render_lines(self, crop: Region) -> list[Strip]:
        """Rows as they are drawn; Textual asks for all of them if one in the screen changes, and
        its own way looks at every style of the widget for each."""
        if crop != self._crop:
            self._crop = crop
            self._drawn = [self._draw(y) for y in crop.line_range]
        else:
            for y in self._stale.intersection(crop.line_range):
                self._drawn[y - crop.y] = self._draw(y)
        self._stale.clear()
        return self._drawn

    def _draw(self, y: int) -> Strip:
        return self.render_line(y).crop(self._crop.x, self._crop.right)

    def render_line(self, y: int) -> Strip:
        """A row as it goes to the screen."""
        # A strip costs more to make than its text to put together, so there is but one.
        row = self._shown[y] if y < len(self._shown) else BLANK
        return Strip(self._cells_of(row), self.size.width)

    def _cells_of(self, row: Row) -> list[Segment]:
        """A row as wide as the widget."""
        width = self.size.width
        cells = [Segment(span.text, self._style(span.role)) for span in row.spans if span.text]
        room = width - sum(map(_width_of, row.spans))
        if room < 0:
            return list(Strip(cells).crop(0, width))
        return [*cells, Segment(" " * room, self._style(row.fill))] if room else cells

    def _style(self, role: str) -> Style:
        found = self._styles.get(role)
        if found is None:
            # Textual goes through all ancestors for it; it only changes with the style sheet.
            base = self._base = self._base or self.visual_style.rich_style
            found = self._styles[role] = self._filtered(base + self.palette.style(role))
        return found

    def _filtered(self, style: Style) -> Style:
        """What Textual's filters, which look at nothing but styles, make of it."""
        cells = [Segment(" ", style)]
        for line_filter in self.get_line_filters():
            cells = line_filter.apply(cells, self.background_colors[1])
        return cells[0].style or style

    @property
    def palette(self) -> Palette:
        if self._palette is None:
            self._palette = Palette(self.app.theme_variables, ansi=self.app.native_ansi_color)
        return self._palette

    def notify_style_update(self) -> None:
        """The theme may have changed: the same rows are drawn in its colours."""
        super().notify_style_update()
        self._palette = self._base = None
        self._styles.clear()
        self._crop = Region()

    def scroll_rows(self, delta: int) -> None:
        """Move the view; down is positive."""
        raise NotImplementedError

    def page_up(self) -> None:
        self.scroll_rows(-self._page_rows)

    def page_down(self) -> None:
        self.scroll_rows(self._page_rows)

    @property
    def _page_rows(self) -> int:
        return max(self.size.height - self.PAGE_OVERLAP, 1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        event.prevent_default()
        self.scroll_rows(self.WHEEL_ROWS)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        event.prevent_default()
        self.scroll_rows(-self.WHEEL_ROWS)
