import msgspec
from hypothesis import given
from hypothesis import strategies as st

from streamtui.engine.surrogates import SurrogateMender
from streamtui.events import (
    Delta,
    Finish,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
)

HIGH, LOW, WHOLE, LOST = "\ud83d", "\ude00", "\N{GRINNING FACE}", "\N{REPLACEMENT CHARACTER}"


def mended(*deltas: Delta) -> list[Delta]:
    mender = SurrogateMender()
    return [*(d for delta in deltas for d in mender.mend([delta])), *mender.close()]


def test_halves_of_every_kind_are_joined() -> None:
    for kind in (TextDelta, ReasoningDelta, RefusalDelta):
        assert mended(kind(f"a{HIGH}"), kind(f"{LOW}b")) == [kind("a"), kind(f"{WHOLE}b")]


def test_halves_in_the_arguments_of_two_calls_are_told_apart() -> None:
    assert mended(
        ToolCallDelta(0, f"a{HIGH}", "id", "name"),
        ToolCallDelta(1, "x"),
        ToolCallDelta(0, f"{LOW}b"),
    ) == [
        ToolCallDelta(0, "a", "id", "name"),
        ToolCallDelta(1, "x"),
        ToolCallDelta(0, f"{WHOLE}b"),
    ]


def test_a_half_that_stays_alone_is_shown_as_lost() -> None:
    assert mended(TextDelta(f"a{HIGH}"), Finish("stop"))[-1] == TextDelta(LOST)
    assert mended(TextDelta(f"a{LOW}b")) == [TextDelta(f"a{LOST}b")]


@given(st.lists(st.text(st.characters(), max_size=4), max_size=6))
def test_what_comes_out_can_be_encoded_and_nothing_is_lost(pieces: list[str]) -> None:
    deltas = mended(*map(TextDelta, pieces))
    msgspec.json.encode(deltas)
    text = "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
    joined = "".join(pieces).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert text == joined
