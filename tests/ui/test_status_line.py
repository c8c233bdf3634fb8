"""What the top line says of the terminal."""

from streamtui.ui.clock import Clock
from streamtui.ui.state import AppState
from streamtui.ui.status_line import summary_groups
from tests.ui.script import Script


def words(state: AppState, written: float) -> str:
    groups = summary_groups(state, 1, Clock(), host="", layout="", written=written)
    return "".join(text for group in groups for text, _role in group)


def test_what_is_written_to_the_terminal_is_told_while_something_is_live() -> None:
    script = Script().open().start().connect().receive("so")
    assert "41 KiB/s" in words(script.state, 41.2 * 1024)
    script.finish()
    assert "KiB/s" not in words(script.state, 41.2 * 1024)


def test_where_there_is_no_line_nothing_is_told_of_it() -> None:
    script = Script().open().start().connect().receive("so")
    assert "KiB/s" not in words(script.state, 0.0)
