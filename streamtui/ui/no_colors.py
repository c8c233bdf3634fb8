"""What stands for colours where there are to be none: attributes, which every terminal has."""

from functools import lru_cache

from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

_BOLD = frozenset((1, 4, 12))
"""Red and both blues: what went wrong, and where the keys go."""
_DIM = 8
"""Bright black: what is looked up and not read."""
_DEFAULT = Style(color="default", bgcolor="default")


class NoColors(LineFilter):
    """Takes the colours of the terminal's own palette away; a background of its own is reversed."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002
        """The same text."""
        return [
            Segment(text, _without_colors(style) if style else None, control)
            for text, style, control in segments
        ]


@lru_cache(1024)
def _without_colors(style: Style) -> Style:
    number = _number(style.color)
    added = Style(
        bold=True if number in _BOLD else None,
        dim=True if number == _DIM else None,
        reverse=True if _number(style.bgcolor) is not None else None,
    )
    return style + added + _DEFAULT


def _number(color: RichColor | None) -> int | None:
    return None if color is None or color.is_default else color.number
