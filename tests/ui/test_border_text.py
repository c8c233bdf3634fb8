"""What a border or a tile says where there is little room for it."""

import pytest
from rich.cells import cell_len

from streamtui.events import (
    AttemptStarted,
    Metrics,
    RetryScheduled,
    RunCutOff,
    SessionOpened,
    StreamStalled,
)
from streamtui.ui.border_text import (
    BorderText,
    border_subtitle,
    border_title,
    tile_lines,
)
from tests.ui.script import LOST, OVERLOADED, Script


def streaming() -> Script:
    script = Script().open().at(100).start().connect().at(101).receive("La")
    script.at(102.5).receive("la", merged=35)
    return script


def retrying() -> Script:
    script = Script().open().at(100).start().connect()
    script.say(RetryScheduled(2, 3, 14.0, OVERLOADED))
    return script


def cut_off() -> Script:
    script = streaming()
    script.say(RunCutOff(LOST, Metrics()))
    return script


def words(text: BorderText) -> str:
    """A border line as it would be drawn, its fill left out."""
    return "".join(part for part, _ in text.left) + "─" + "".join(part for part, _ in text.right)


def title(script: Script, width: int, *, with_rate: bool = False) -> str:
    return words(border_title(script.pane, 12, 103, width, with_rate=with_rate))


def tile(script: Script, width: int, lines: int = 1, *, with_endpoint: bool = True) -> list[str]:
    found = tile_lines(script.pane, "12", 103, width, lines, with_endpoint=with_endpoint)
    return ["".join(text for text, _ in line) for line in found]


@pytest.mark.parametrize("width", range(1, 70))
def test_borders_fit_and_keep_number_and_glyph(width: int) -> None:
    script = Script().open("天空 mirror", "gpt-4o-mini-2024-07-18 天地玄黄").at(100).start()
    script.connect().at(101).receive("La")
    for with_rate in (False, True):
        line = title(script, width, with_rate=with_rate)
        assert cell_len(line) <= width or width < 6
        assert line.startswith("12 ● ")
    below = words(border_subtitle(script.pane, 103, width))
    assert cell_len(below) - 1 <= width


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (60, "12 ● openai gpt-4o-mini ─ streaming 3.0s "),
        (36, "12 ● openai gpt-4… ─ streaming 3.0s "),
        (33, "12 ● openai gpt-4o-mini ─ 3.0s "),
        (24, "12 ● openai gpt… ─ 3.0s "),
        (21, "12 ● openai ─ 3.0s "),
        (17, "12 ● ope… ─ 3.0s "),
        (13, "12 ● openai ─"),
        (9, "12 ● ─"),
    ],
)
def test_of_a_state_as_it_should_be_the_word_goes_before_the_names(
    width: int, expected: str
) -> None:
    assert title(streaming(), width) == expected


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (44, "12 ↻ openai gpt-4o-mini ─ retry 2/3 in 11s "),
        (33, "12 ↻ openai ─ retry 2/3 in 11s "),
        (27, "12 ↻ openai ─ retry 2/3 "),
        (22, "12 ↻ ope… ─ retry 2/3 "),
        (20, "12 ↻ open… ─ in 11s "),
        (13, "12 ↻ openai ─"),
        (9, "12 ↻ ─"),
    ],
)
def test_of_trouble_the_word_stays_longer_than_the_model(width: int, expected: str) -> None:
    assert title(retrying(), width) == expected


def test_a_bad_end_is_told_before_the_model() -> None:
    assert title(cut_off(), 24) == "12 ↯ openai ─ cut off "
    assert title(cut_off(), 21) == "12 ↯ open… ─ cut off "


def test_a_stall_keeps_its_age() -> None:
    script = streaming()
    script.at(103).say(StreamStalled(0.5, 120.0))
    assert title(script, 30) == "12 ‖ openai gpt… ─ stalled 0s "
    assert title(script, 25) == "12 ‖ openai ─ stalled 0s "


def test_a_pane_without_a_lower_border_tells_its_rate_above() -> None:
    assert title(streaming(), 60, with_rate=True).endswith("─ streaming 3.0s 20/s ")
    assert title(streaming(), 34, with_rate=True).endswith("─ 3.0s 20/s ")
    assert title(streaming(), 24, with_rate=True).endswith("─ 3.0s ")


def test_marks_stay_until_only_number_and_glyph_have_room() -> None:
    script = Script()
    script.say(SessionOpened("lab", "m", "openai-chat", insecure=True), run_id="")
    script.start().say(AttemptStarted(1, 1, "direct", "lab", "m", insecure=True))
    assert title(script, 16).startswith("12 TLS! ◔ lab")
    assert title(script, 10) == "12 TLS! ◔ ─"
    assert title(script, 6) == "12 ◔ ─"


def test_a_tile_fills_its_cells_whatever_it_can_say() -> None:
    for script in (streaming(), retrying(), cut_off(), Script().open()):
        for width in range(8, 50):
            for lines in (1, 2):
                found = tile(script, width, lines)
                assert [cell_len(line) for line in found] == [width] * lines


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (33, "12 ● openai gpt-4o-mini  3s  20/s"),
        (21, "12 ● openai  3s  20/s"),
        (20, "12 ● openai gpt…  3s"),
        (15, "12 ● openai  3s"),
        (12, "12 ● openai "),
        (9, "12 ● ope…"),
    ],
)
def test_a_tile_gives_up_rate_and_age_before_its_name(width: int, expected: str) -> None:
    [line] = tile(streaming(), width)
    assert line == expected


def test_tiles_say_what_is_wrong() -> None:
    assert tile(cut_off(), 19) == ["12 ↯ openai cut off"]
    assert tile(retrying(), 28) == ["12 ↻ openai retry 2/3 in 11s"]
    assert tile(Script().open(), 16) == ["12 ○ openai idle"]


def test_a_tile_of_two_rows_has_its_figures_below() -> None:
    assert tile(streaming(), 30, 2) == [
        "12 ● openai gpt-4o-mini       ",
        "     streaming 3.0s  20 tok/s ",
    ]
    assert tile(streaming(), 16, 2)[1] == "     3.0s 20/s  "


def test_where_all_have_one_endpoint_a_tile_goes_by_its_model() -> None:
    assert tile(streaming(), 16, 1, with_endpoint=False) == ["12 ● gpt-4o…  3s"]
