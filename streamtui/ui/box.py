"""A container whose border carries words at both ends of its top and its bottom line.

Textual's own border titles take markup and one piece of text; these take safe segments and roles.
"""

from textual.containers import Container
from textual.geometry import Region
from textual.strip import Strip

from streamtui.ui.paint import Painted
from streamtui.ui.shortcut import paint
from streamtui.ui.words import Words, width_of

Line = tuple[Words, Words]
"""What stands at the left and at the right of a border line, blanks around it included."""

FOCUS_ROLE = "pane-border-focus"
EMPTY: Line = ([], [])


class Box(Container, Painted):
    """The border's sides and room are Textual's; its top and bottom line are drawn here."""

    DEFAULT_CSS = """
    Box {
        border: round $pane-border;
    }
    """

    border_role = "pane-border"
    """The role of the border's own lines; the style sheet gives its sides the same colour."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._top: Line = EMPTY
        self._bottom: Line = EMPTY
        self._strips: dict[tuple[str, int, str], Strip] = {}
        self.framed = True
        """Whether lines go all round; else there is only the one above."""

    def set_framed(self, *, framed: bool) -> None:
        """Draw a frame, or where room is short a line above and nothing else."""
        if framed != self.framed:
            self.framed = framed
            self.set_class(not framed, "-ruled")
            self._strips.clear()

    def set_top(self, line: Line) -> None:
        """Say something else in the top line; redraws nothing when it is the same."""
        if line != self._top:
            self._top = line
            self._strips.clear()
            self._refresh_row(0)

    def set_bottom(self, line: Line) -> None:
        """Say something else in the bottom line."""
        if line != self._bottom:
            self._bottom = line
            self._strips.clear()
            self._refresh_row(self.outer_size.height - 1)

    def _refresh_row(self, y: int) -> None:
        if paint(self, y, self._strip(self._part(y))):
            return
        # Textual counts a region to be drawn again from the content's corner, inside the border.
        row = Region(0, y, self.outer_size.width, 1)
        self.refresh(row.translate(-self.content_offset))

    @property
    def line_width(self) -> int:
        """Cells for the words of one line: corners and one stroke beside each are taken off."""
        return max(0, self.outer_size.width - (4 if self.framed else 2))

    def render_lines(self, crop: Region) -> list[Strip]:
        """The frame, and blanks where children are. Textual's own way costs ten times as much."""
        return [self._strip(self._part(y)).crop(crop.x, crop.right) for y in crop.line_range]

    def _part(self, y: int) -> str:
        if y == 0:
            return "top" if self.framed else "rule"
        if not self.framed:
            return "blank"
        return "bottom" if y == self.outer_size.height - 1 else "side"

    def notify_style_update(self) -> None:
        """The theme may have changed, or the class that gives the border its colour."""
        super().notify_style_update()
        self._strips.clear()

    def _strip(self, kind: str) -> Strip:
        # Textual asks for all lines whenever anything near changes, so the strips are kept.
        key = (kind, self.outer_size.width, self.border_role)
        strip = self._strips.get(key)
        if strip is None:
            strip = self._strips[key] = self._draw(kind)
        return strip

    def _draw(self, kind: str) -> Strip:
        match kind:
            case "top":
                words = self._line(self._top, "╭─", "─╮")
            case "rule":
                words = self._rule()
            case "bottom":
                words = self._line(self._bottom, "╰─", "─╯")
            case "blank":
                words = []
            case _:
                blank = " " * (self.outer_size.width - 2)
                words = [("│", self.border_role), (blank, ""), ("│", self.border_role)]
        strip = self.paint(words, self.outer_size.width)
        for line_filter in self.get_line_filters():
            strip = strip.apply_filter(line_filter, self.background_colors[1])
        return strip

    def _rule(self) -> Words:
        """The line above where there is no frame: a bar; of strokes in sixteen colours, of which
        none is a quiet ground."""
        left, right = self._top
        fill = " " * max(0, self.outer_size.width - 2 - width_of(left) - width_of(right))
        role = self.border_role
        if self.app.native_ansi_color:
            return [("─", role), *left, (fill.replace(" ", "─"), role), *right]
        bar = [(" ", role), *left, (fill, role), *right]
        if role == FOCUS_ROLE:
            return [*((text, f"background bold on-{role}") for text, _style in bar), (" ", "")]
        return [*((text, f"{style} on-panel") for text, style in bar), (" ", "")]

    def _line(self, line: Line, start: str, end: str) -> Words:
        left, right = line
        width = self.line_width
        if width_of(left) + width_of(right) > width:
            right = []
        fill = "─" * (width - width_of(left) - width_of(right))
        role = self.border_role
        return [(start, role), *left, (fill, role), *right, (end, role)]
