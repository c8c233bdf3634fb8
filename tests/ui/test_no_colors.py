"""Attributes in place of colours."""

from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from streamtui.ui.no_colors import NoColors


def drawn(style: str) -> Style:
    [(text, found, _)] = NoColors().apply([Segment("x", Style.parse(style))], Color(0, 0, 0))
    assert text == "x"
    assert found is not None
    return found


def has_no_colors(style: Style) -> bool:
    return all(color is None or color.is_default for color in (style.color, style.bgcolor))


def test_no_colour_is_left() -> None:
    for style in ("red", "bright_blue on cyan", "#123456 on #654321", "default", "color(200)"):
        assert has_no_colors(drawn(style))


def test_what_went_wrong_and_what_has_the_focus_is_bold() -> None:
    assert drawn("red").bold
    assert drawn("bright_blue").bold
    assert not drawn("green").bold


def test_what_is_looked_up_and_not_read_is_dim() -> None:
    assert drawn("bright_black").dim
    assert not drawn("default").dim


def test_what_has_a_background_of_its_own_is_reversed() -> None:
    assert drawn("black on cyan").reverse
    assert not drawn("cyan on default").reverse


def test_attributes_stay() -> None:
    assert drawn("italic underline green").italic
    assert drawn("bold green").bold
