"""What is drawn where the terminal knows no UTF-8."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from streamtui.safe_text import safe_text
from streamtui.ui.ascii_text import ascii_text, needs_ascii
from streamtui.ui.pane_state import ASCII_GLYPHS, GLYPHS


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("╭─1 ● demo ─╮", f"+-1 {ASCII_GLYPHS['streaming']} demo -+"),
        ("│ crème brûlée │", "| creme brulee |"),
        ("“so” — 12→34…", '"so" - 12>34~'),
        ("水 is 2 cells", "?? is 2 cells"),
        ("e\u0301te\u0301", "ete"),
        ("👩\u200d💻 and 1\ufe0f\u20e3", "?? and ??"),
        ("\x1b[1;31m×\x1b[0m", "\x1b[1;31mx\x1b[0m"),
        ("½ ﬁ", "? ?"),
    ],
)
def test_signs_have_stand_ins_of_their_width(text: str, plain: str) -> None:
    assert ascii_text(text) == plain


def test_states_can_be_told_apart() -> None:
    plain = [ascii_text(glyph) for glyph in GLYPHS.values()]
    assert all(each.isascii() and len(each) == 1 for each in plain)
    assert len(set(plain)) == len(plain)


@given(st.text())
def test_any_text_keeps_its_width(text: str) -> None:
    text = safe_text(text)
    plain = ascii_text(text)
    assert plain.isascii()
    lines = zip(text.split("\n"), plain.split("\n"), strict=True)
    assert all(cell_len(one) == cell_len(other) for one, other in lines)


@pytest.mark.parametrize(
    ("environ", "needed"),
    [
        ({"LANG": "C"}, True),
        ({"LC_ALL": "POSIX", "LANG": "en_US.UTF-8"}, True),
        ({"LC_CTYPE": "de_DE.ISO-8859-1", "LANG": "en_US.UTF-8"}, True),
        ({"LANG": "de_DE"}, True),
        ({"LANG": "de_DE.utf8"}, False),
        ({"LC_ALL": "", "LANG": "C.UTF-8"}, False),
        ({"LC_ALL": "C.UTF-8", "LANG": "C"}, False),
        ({}, False),
    ],
)
def test_the_locale_says_what_the_terminal_knows(environ: dict[str, str], needed: bool) -> None:
    assert needs_ascii(environ) is needed


def test_what_python_itself_puts_into_the_environment_says_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    coerced = {"LANG": "C", "LC_CTYPE": "C.UTF-8"}
    given = tmp_path / "environ"
    monkeypatch.setattr("streamtui.ui.ascii_text.GIVEN", given)
    given.write_bytes(b"LANG=C\0")
    assert needs_ascii(coerced)
    given.write_bytes(b"LANG=C\0LC_CTYPE=C.UTF-8\0")
    assert not needs_ascii(coerced)
