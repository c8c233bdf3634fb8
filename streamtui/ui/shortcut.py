"""Rows straight to the terminal, past Textual's compositor.

The compositor asks all widgets near a change for their rows and puts the screen together again. A
row on which nothing lies needs none of that. Only frames of streams take this way; where anything
is not as it should be, or about to change, the way is Textual's own. Both draw what the widget
holds, so that it does not matter which of them is later.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from textual._compositor import CompositorUpdate
from textual._context import active_app
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from textual.app import App
    from textual.screen import Screen

_PRIVATE = ("_compositor", "_layout_required", "_scroll_required", "_repaint_required")


class Rows(CompositorUpdate):
    """Rows of widgets, each with the column and the row where it begins."""

    def __init__(self, rows: list[tuple[int, int, Strip]]) -> None:
        self.rows = rows

    def render_segments(self, console: "Console") -> str:
        """Nothing: they are written through a shadow."""
        raise NotImplementedError


class Shortcut:
    """The way for the widgets of one screen."""

    def __init__(self, app: "App[None]", screen: "Screen[None]") -> None:
        self._app = app
        self._screen = screen
        self._is_open = False
        self._rows: list[tuple[int, int, Strip]] = []
        self._map: dict[Widget, tuple[Region, Region]] = {}
        self._ahead: list[tuple[Widget, Region]] = []
        self._places: dict[Widget, tuple[Region, frozenset[int]] | None] = {}

    @contextmanager
    def frame(self) -> Iterator[None]:
        """What is painted meanwhile may take this way, and is written at the end."""
        self._is_open = self._may_open()
        try:
            yield
        finally:
            self._is_open = False
            rows, self._rows = self._rows, []
            if rows:
                self._app._display(self._screen, cast("RenderableType", Rows(rows)))

    def take(self, widget: Widget, y: int, strip: Strip) -> bool:
        """Paint a widget's row; False if Textual has to."""
        if not self._is_open:
            return False
        place = self._place(widget)
        if place is None:
            return False
        region, clear = place
        if strip.cell_length != region.width or y not in clear:
            return False
        self._rows.append((region.y + y, region.x, strip))
        return True

    def _may_open(self) -> bool:
        app, screen = self._app, self._screen
        if app.screen is not screen or app._batch_count or screen._layout_required:
            return False
        if screen._scroll_required or screen._repaint_required:
            return False
        visible = screen._compositor.visible_widgets
        if visible is not self._map:
            # It is made anew whenever anything has moved.
            self._map = visible
            self._ahead = [
                (widget, region.intersection(clip)) for widget, (region, clip) in visible.items()
            ]
            self._places.clear()
        return True

    def _place(self, widget: Widget) -> tuple[Region, frozenset[int]] | None:
        """Where a widget is, and those of its rows that are wholly seen."""
        if widget not in self._places:
            self._places[widget] = self._look_up(widget)
        return self._places[widget]

    def _look_up(self, widget: Widget) -> tuple[Region, frozenset[int]] | None:
        if widget not in self._map:
            return None
        region, clip = self._map[widget]
        if not clip.contains_region(region) or region.size != widget.outer_size:
            return None
        covered: set[int] = set()
        for other, area in self._ahead:
            if other is widget:
                break
            if area.overlaps(region):
                covered.update(range(area.y - region.y, area.bottom - region.y))
        return region, frozenset(range(region.height)) - covered


def shortcut_for(app: "App[None]", screen: "Screen[None]") -> Shortcut | None:
    """A way for the widgets of a screen; None where Textual lacks the parts that it stands on."""
    usable = all(hasattr(screen, name) for name in _PRIVATE)
    usable = usable and hasattr(type(screen._compositor), "visible_widgets")
    return Shortcut(app, screen) if usable and hasattr(app, "_batch_count") else None


def paint(widget: Widget, y: int, strip: Strip) -> bool:
    """Paint a widget's row past the compositor; False if it has to be refreshed."""
    shortcut: Shortcut | None = getattr(active_app.get(None), "shortcut", None)
    return shortcut is not None and shortcut.take(widget, y, strip)
