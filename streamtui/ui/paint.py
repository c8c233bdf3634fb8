"""Words with roles into one strip of cells, for borders, status and hints. No markup is read."""

from collections.abc import Iterable

from rich.segment import Segment as Cells
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from streamtui.ui.lines import Palette
from streamtui.ui.words import Segment


class Painted(Widget):
    """A widget that draws words with roles."""

    ALLOW_SELECT = False
    _palette: Palette | None = None
    _base: Style | None = None

    @property
    def palette(self) -> Palette:
        """The theme in force."""
        if self._palette is None:
            self._palette = Palette(self.app.theme_variables, ansi=self.app.native_ansi_color)
        return self._palette

    def notify_style_update(self) -> None:
        """The theme may have changed."""
        super().notify_style_update()
        self._palette = self._base = None

    def paint(self, words: Iterable[Segment], width: int) -> Strip:
        """One line of cells."""
        # Textual goes through all ancestors for it; it only changes with the style sheet.
        base = self._base = self._base or self.rich_style
        style = self.palette.style
        cells = [Cells(text, base + style(role)) for text, role in words if text]
        return Strip(cells).adjust_cell_length(width, base)
