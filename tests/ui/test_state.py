"""Events in, words out; no Textual."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from streamtui.config import Price
from streamtui.events import (
    AttemptFailed,
    AttemptStarted,
    Chunk,
    ErrorInfo,
    KeepAliveReceived,
    MalformedFrame,
    Message,
    Metrics,
    ReasoningDelta,
    ReconnectScheduled,
    RefusalDelta,
    RequestSent,
    ResponseInfo,
    ResponseStarted,
    RetryScheduled,
    RunCancelled,
    RunCutOff,
    RunFailed,
    RunQueued,
    SessionClosed,
    SessionOpened,
    StreamStalled,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from streamtui.safe_text import safe_line
from streamtui.ui.attempts import Attempt
from streamtui.ui.state import (
    ASCII_GLYPHS,
    GLYPHS,
    AppState,
    BorderText,
    GrowingText,
    border_subtitle,
    border_title,
    cost,
    failed_count,
    is_live,
    live_count,
    messages,
    rate,
    toast_for,
    tokens,
    total_cost,
    total_rate,
    ttft,
    turns_of,
)
from tests.ui.script import LOST, OVERLOADED, Script

CASES = json.loads((Path(__file__).parents[1] / "cases" / "security_cases.json").read_text())


def words(text: BorderText) -> str:
    """A border line as it would be drawn, its fill left out."""
    return "".join(part for part, _ in text.left) + "─" + "".join(part for part, _ in text.right)


def title(script: Script, now: float, width: int = 60) -> str:
    return words(border_title(script.pane, 1, now, width))


def subtitle(script: Script, now: float, width: int = 60) -> str:
    return words(border_subtitle(script.pane, now, width))


def test_every_phase_has_its_own_glyph_of_one_cell() -> None:
    for glyphs in (GLYPHS, ASCII_GLYPHS):
        assert len(set(glyphs.values())) == len(glyphs)
        assert all(cell_len(glyph) == 1 for glyph in glyphs.values())
    assert all(glyph.isascii() for glyph in ASCII_GLYPHS.values())


def test_a_run_goes_through_its_phases() -> None:
    script = Script().open()
    seen = [script.pane.phase]

    def note() -> None:
        if seen[-1] != script.pane.phase:
            seen.append(script.pane.phase)

    script.say(RunQueued("Sing", 0), run_id="r1")
    note()
    script.start()
    note()
    script.say(AttemptStarted(1, 3, "direct"))
    script.say(RequestSent())
    note()
    script.receive(ReasoningDelta("Hmm"))
    note()
    script.receive("La")
    note()
    script.finish()
    note()
    assert seen == ["idle", "queued", "connecting", "waiting", "thinking", "streaming", "done"]
    assert not script.pane.queued
    assert script.pane.turns[-1].end == "done"


def test_the_border_shows_a_streaming_run_as_in_the_picture() -> None:
    script = Script(AppState(prices={"openai": Price(0.15, 0.60)})).open().at(100).start().connect()
    script.at(100.31).receive("La")
    for step in range(1, 240):
        script.at(100.31 + step * 0.0115).receive("la")
    assert title(script, 103.2) == "1 ● openai gpt-4o-mini ─ streaming 3.2s "
    line = subtitle(script, 103.07, 80)
    assert line.startswith(" ttft 0.31s · 87 tok/s ")
    assert line.endswith(" · ~240 tok · ~$0.0001 ─")


def test_unchecked_certificates_are_named_in_red_for_as_long_as_they_are() -> None:
    script = Script()
    script.say(SessionOpened("lab", "m", "openai-chat", insecure=True), run_id="")
    assert title(script, 0) == "1 TLS unchecked ○ lab m ─ idle "
    assert title(script, 0, 24) == "1 TLS! ○ lab m ─ idle "
    [_, warning, *_] = border_title(script.pane, 1, 0, 60).left
    assert warning == ("TLS unchecked ", "state-failed bold")
    script.at(1).start().say(AttemptStarted(1, 1, "direct", "lab", "m", insecure=True))
    assert "TLS unchecked" in title(script, 1)
    script.say(AttemptStarted(2, 2, "direct", "mirror", "m", insecure=False))
    assert "TLS" not in title(script, 1)


def test_a_finished_run_shows_what_the_endpoint_counted() -> None:
    script = Script(AppState(prices={"openai": Price(1000, 1000)})).open()
    script.at(100).start().connect().at(100.5).receive("La")
    script.at(108.1).finish(Usage(12, 318))
    assert title(script, 500) == "1 ✓ openai gpt-4o-mini ─ done 8.1s "
    assert subtitle(script, 500) == " ttft 0.50s · 42 tok/s · 12→318 tok · $0.3300 ─"


def test_stalled_shows_the_moving_age_of_the_last_data() -> None:
    script = Script().open().start().connect().at(110).receive("La")
    script.at(118).say(StreamStalled(8.0, 120.0))
    assert title(script, 118) == "1 ‖ openai gpt-4o-mini ─ stalled 8s "
    assert title(script, 122.9) == "1 ‖ openai gpt-4o-mini ─ stalled 12s "
    script.at(123).receive("la")
    assert script.pane.phase == "streaming"


def test_a_stall_in_the_reasoning_ends_there() -> None:
    script = Script().open().start().connect().receive(ReasoningDelta("Hmm"))
    script.say(StreamStalled(8.0, 120.0))
    script.receive(Usage(1, 1))
    assert script.pane.phase == "thinking"


def test_a_retry_counts_down_and_names_its_cause() -> None:
    script = Script().open().start().connect().at(110)
    script.say(AttemptFailed(1, OVERLOADED))
    script.say(RetryScheduled(2, 3, 4.0, OVERLOADED))
    assert title(script, 110) == "1 ↻ openai gpt-4o-mini ─ retry 2/3 in 4s "
    assert title(script, 112.5) == "1 ↻ openai gpt-4o-mini ─ retry 2/3 in 2s "
    assert title(script, 120) == "1 ↻ openai gpt-4o-mini ─ retry 2/3 in 0s "
    assert subtitle(script, 110) == " the server is overloaded ─"


def test_a_stream_that_goes_on_counts_down_and_is_no_retry() -> None:
    script = Script().open().start().connect().receive("La")
    script.at(110).say(ReconnectScheduled(1, None, 3.0, "7", LOST))
    assert title(script, 110) == "1 ↻ openai gpt-4o-mini ─ reconnecting in 3s "
    assert title(script, 112.5) == "1 ↻ openai gpt-4o-mini ─ reconnecting in 1s "
    assert toast_for(script.events[-1], script.pane) is None
    script.at(113).say(RequestSent())
    script.receive("la")
    assert script.pane.phase == "streaming"
    assert script.pane.turns[-1].text == "Lala"
    script.at(120).say(RetryScheduled(2, 3, 4.0, OVERLOADED))
    assert title(script, 120) == "1 ↻ openai gpt-4o-mini ─ retry 2/3 in 4s "


def test_waiting_says_the_route_and_that_the_server_queues() -> None:
    script = Script().open().at(100).start()
    script.say(AttemptStarted(1, 3, "via proxy office (proxy:3128)"))
    script.say(RequestSent())
    assert title(script, 102.1) == "1 ◌ openai gpt-4o-mini ─ waiting 2.1s "
    assert subtitle(script, 102.1) == " via proxy office (proxy:3128) ─"
    script.say(KeepAliveReceived("OPENROUTER PROCESSING"))
    assert title(script, 112) == "1 ◌ openai gpt-4o-mini ─ queueing 12s "


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (RunCutOff(LOST, Metrics()), "1 ↯ openai gpt-4o-mini ─ cut off "),
        (RunFailed(LOST, Metrics()), "1 ✗ openai gpt-4o-mini ─ failed "),
        (RunCancelled(Metrics()), "1 ⊘ openai gpt-4o-mini ─ cancelled "),
    ],
)
def test_bad_ends_have_a_word_and_a_glyph(
    body: RunCutOff | RunFailed | RunCancelled, expected: str
) -> None:
    script = Script().open().start().connect().receive("La")
    script.say(body)
    assert title(script, 200) == expected
    assert script.pane.turns[-1].text == "La"


def test_a_narrow_subtitle_keeps_the_rate() -> None:
    script = Script(AppState(prices={"openai": Price(1000, 1000)})).open().start().connect()
    script.at(101).receive("La").at(103).finish(Usage(12, 100))
    assert subtitle(script, 103, 40) == " ttft 1.00s · 50 tok/s · $0.1120 ─"
    assert subtitle(script, 103, 24) == " 50 tok/s · $0.1120 ─"
    assert subtitle(script, 103, 12) == " 50 tok/s ─"
    assert subtitle(script, 103, 3) == "─"


def test_rate_is_of_the_last_two_seconds_and_falls_when_nothing_comes() -> None:
    script = Script().open().start().connect()
    for step in range(400):
        script.at(101 + step / 100).receive("la")
    assert rate(script.pane, 105.0) == pytest.approx(100, abs=2)
    assert rate(script.pane, 108.0) == 0
    assert total_rate(script.state, 105.0) == rate(script.pane, 105.0)


def test_each_attempt_keeps_its_way_its_answer_and_its_error() -> None:
    script = Script().open().start()
    script.say(AttemptStarted(1, 2, "direct", "openai", "m"))
    script.say(ResponseStarted(529, "req_1", {"retry-after": "1"}))
    script.say(AttemptFailed(1, OVERLOADED))
    script.say(AttemptStarted(2, 2, "via proxy p (h:1)", "mirror", "n"))
    assert script.pane.turns[-1].attempts == [
        Attempt(1, 2, "direct", "openai", "m", 529, "req_1", {"retry-after": "1"}, OVERLOADED),
        Attempt(2, 2, "via proxy p (h:1)", "mirror", "n"),
    ]
    script.start(run_id="r2")
    assert script.pane.turns[-1].attempts == []


def test_an_answer_keeps_what_the_endpoint_calls_it() -> None:
    script = Script().open().start().connect()
    assert script.pane.turns[-1].response is None
    script.receive(ResponseInfo("id-1", "m-2024", "fp"), "Hello")
    assert script.pane.turns[-1].response == ResponseInfo("id-1", "m-2024", "fp")


def test_merged_chunks_count_as_many() -> None:
    script = Script().open().start().connect().receive("a" * 40, merged=10).receive("b")
    assert tokens(script.pane) == (None, 11, False)


def test_the_average_of_a_run_in_one_chunk_is_taken_over_the_whole_run() -> None:
    script = Script().open().at(100).start().connect().at(102).receive("La").finish(Usage(1, 100))
    assert rate(script.pane, 200) == 50


def test_usage_told_in_parts_is_merged() -> None:
    script = Script().open().start().connect()
    script.receive(Usage(input=12, output=1)).receive("a").receive("b").receive("c")
    assert tokens(script.pane) == (12, 3, False)
    script.receive(Usage(output=7)).finish()
    assert tokens(script.pane) == (12, 7, True)


def test_cost_is_that_of_the_run_and_the_total_that_of_all() -> None:
    state = AppState(prices={"openai": Price(1.0, 2.0)})
    script = Script(state).open().start().connect().receive("a").finish(Usage(1_000_000, 500_000))
    assert cost(script.pane) == 2.0
    script.start("Again", run_id="r2").connect().receive("b").finish(Usage(0, 500_000))
    assert cost(script.pane) == 1.0
    assert total_cost(state) == 3.0


def test_what_a_fallback_answers_costs_what_the_fallback_takes() -> None:
    state = AppState(prices={"openai": Price(1.0, 2.0), "mirror": Price(10.0, 20.0)})
    script = Script(state).open().start()
    script.say(AttemptStarted(1, 2, "direct", "openai", "m"))
    script.say(AttemptStarted(2, 2, "direct", "mirror", "n"))
    script.receive("a").finish(Usage(100_000, 100_000))
    assert cost(script.pane) == 3.0
    script.start("Again", run_id="r2").say(AttemptStarted(1, 2, "direct", "openai", "m"))
    script.receive("b").finish(Usage(100_000, 100_000))
    assert cost(script.pane) == pytest.approx(0.3)
    script.start("Again", run_id="r3").say(AttemptStarted(2, 2, "direct", "local", "l"))
    script.receive("c").finish(Usage(100_000, 100_000))
    assert cost(script.pane) is None
    assert total_cost(state) == pytest.approx(3.3)


def test_without_a_price_nothing_is_said_of_cost() -> None:
    script = Script().open().answer("La")
    assert cost(script.pane) is None
    assert "$" not in subtitle(script, 200)


def test_counts_of_the_header() -> None:
    state = AppState()
    live = Script(state, "s1").open().start().connect()
    failed = Script(state, "s2").open().start()
    failed.say(RunFailed(LOST, Metrics()))
    assert (live_count(state), failed_count(state)) == (1, 1)
    assert is_live(live.pane)
    failed.say(SessionClosed())
    assert failed_count(state) == 0
    assert state.events_seen == len(live.events) + len(failed.events)


def test_ttft_counts_from_the_start_to_the_first_visible_thing() -> None:
    script = Script().open().at(100).start().connect().at(100.2).receive(Usage(3, 0))
    assert ttft(script.pane) is None
    script.at(100.5).receive(ReasoningDelta("Hm")).at(101).receive("La")
    assert ttft(script.pane) == pytest.approx(0.5)


def test_tool_calls_and_refusals_are_gathered() -> None:
    script = Script().open().start().connect()
    script.receive(ToolCallDelta(0, "", id="c1", name="weather"))
    script.receive(ToolCallDelta(0, '{"city": '), ToolCallDelta(1, "{}", id="c2", name="time"))
    script.receive(ToolCallDelta(0, '"Bonn"}'), RefusalDelta("No"))
    calls = script.pane.turns[-1].tool_calls
    assert [(call.id, call.name, call.arguments) for call in calls] == [
        ("c1", "weather", '{"city": "Bonn"}'),
        ("c2", "time", "{}"),
    ]
    assert script.pane.turns[-1].refusal == "No"


def test_queued_prompts_wait_in_order_and_can_be_cancelled() -> None:
    script = Script().open().start()
    script.say(RunQueued("Second", 1), run_id="r2")
    script.say(RunQueued("Third", 2), run_id="r3")
    assert [queued.prompt for queued in script.pane.queued] == ["Second", "Third"]
    assert script.pane.phase == "connecting"
    script.say(RunCancelled(Metrics()), run_id="r2")
    assert [queued.prompt for queued in script.pane.queued] == ["Third"]
    assert len(script.pane.turns) == 1


def test_a_run_that_is_cancelled_in_the_queue_of_an_idle_session_leaves_it_idle() -> None:
    script = Script().open()
    phases = []
    for body in (RunQueued("Sing", 0), RunCancelled(Metrics())):
        script.say(body, run_id="r1")
        phases.append(script.pane.phase)
    assert phases == ["queued", "idle"]


def test_a_run_that_fails_before_it_starts_is_shown() -> None:
    script = Script().open()
    script.say(RunQueued("Sing", 0), run_id="r1")
    script.say(RunFailed(ErrorInfo("no-key", "there is no key"), Metrics()), run_id="r1")
    assert script.pane.phase == "failed"
    assert script.pane.turns[-1].prompt == "Sing"


def test_messages_are_the_turns_that_got_an_answer() -> None:
    script = Script().open().answer("La")
    script.start("Nothing", run_id="r2").say(RunFailed(LOST, Metrics()))
    script.start("Half", run_id="r3").connect().receive("ha").say(RunCutOff(LOST, Metrics()))
    assert messages(script.pane) == (
        Message("user", "Sing"),
        Message("assistant", "La"),
        Message("user", "Half"),
        Message("assistant", "ha"),
    )
    assert messages(script.pane) == tuple(
        message
        for turn in turns_of(messages(script.pane))
        for message in (Message("user", turn.prompt), Message("assistant", turn.text))
    )


def test_an_answer_asked_for_again_is_no_longer_part_of_the_conversation() -> None:
    script = Script().open().answer("La")
    script.start("Sing", run_id="r2", replaces="r1").connect().receive("Lo").finish()
    assert [turn.superseded for turn in script.pane.turns] == [True, False]
    assert messages(script.pane) == (Message("user", "Sing"), Message("assistant", "Lo"))


def test_the_same_prompt_once_more_supersedes_nothing() -> None:
    script = Script().open().answer("La")
    script.start("Sing", run_id="r2", past=messages(script.pane))
    assert not script.pane.turns[0].superseded


def test_a_session_first_seen_in_mid_life_shows_what_came_before() -> None:
    script = Script()
    past = (Message("system", "Be kind"), Message("user", "Hi"), Message("assistant", "Hello"))
    script.state.panes.clear()
    script.open()
    script.start("Sing", past=past)
    assert [(turn.prompt, turn.text) for turn in script.pane.turns] == [
        ("Hi", "Hello"),
        ("Sing", ""),
    ]


def test_chunks_of_an_unknown_session_are_counted_and_passed_over() -> None:
    script = Script()
    script.say(Chunk((TextDelta("La"),)), run_id="r1")
    assert script.state.events_seen == 1
    assert not script.state.panes


def test_each_event_bumps_the_revision() -> None:
    script = Script().open()
    before = script.pane.revision
    script.start().connect()
    assert script.pane.revision == before + 4


@given(st.lists(st.text(max_size=3), max_size=30), st.integers(0, 100))
def test_growing_text_gives_its_end_and_its_whole(pieces: list[str], offset: int) -> None:
    whole = "".join(pieces) * 40
    text = GrowingText()
    for piece in pieces * 40:
        text.append(piece)
    assert text.since(offset) == whole[offset:]
    assert len(text) == len(whole)
    assert str(text) == whole
    text.append("end")
    assert text.since(len(whole)) == "end"


def test_the_state_of_the_console_needs_no_textual() -> None:
    code = """
import sys
import streamtui.ui.document, streamtui.ui.log_store, streamtui.ui.state
assert not {"textual", "markdown_it", "pygments"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


# Toasts


def test_a_failed_run_is_a_toast_with_cause_what_was_kept_and_action() -> None:
    script = Script().open().start().connect().receive("La la")
    event = script.say(RunFailed(LOST, Metrics(text_chars=5)))
    toast = toast_for(event, script.pane)
    assert toast is not None
    assert toast.severity == "error"
    assert toast.message == ("openai: connection lost. 5 characters kept. Press r to ask again.")


def test_a_retry_is_a_warning_with_a_countdown() -> None:
    script = Script().open().start()
    toast = toast_for(script.say(RetryScheduled(2, 3, 4.0, OVERLOADED)), script.pane)
    assert toast is not None
    assert toast.severity == "warning"
    assert toast.message == (
        "openai: the server is overloaded. Trying again in 4.0 s, attempt 2 of 3."
    )


def test_cancelling_and_completing_are_no_toasts() -> None:
    script = Script().open().start().connect().receive("La")
    assert toast_for(script.say(RunCancelled(Metrics())), script.pane) is None
    assert all(toast_for(event, script.pane) is None for event in script.events)
    script = Script().open().answer("La")
    assert all(toast_for(event, script.pane) is None for event in script.events)


def test_only_the_first_malformed_frame_of_a_run_is_a_toast() -> None:
    script = Script().open().start().connect()
    first = script.say(Chunk((MalformedFrame("no JSON", "{"),)))
    second = script.say(Chunk((MalformedFrame("no JSON", "{"),)))
    toast = toast_for(first, script.pane)
    assert toast is not None
    assert toast.severity == "warning"
    assert toast.message.startswith("openai: ")
    assert toast_for(second, script.pane) is None


def test_a_toast_is_never_longer_than_three_lines() -> None:
    script = Script().open("天" * 100).start()
    error = ErrorInfo("server", "x [/foo] " * 200, hint="do something " * 50)
    toast = toast_for(script.say(RunFailed(error, Metrics())), script.pane)
    assert toast is not None
    assert "\n" not in toast.message
    assert cell_len(toast.message) <= 3 * 72
    assert "Nothing received." in toast.message


@pytest.mark.parametrize(
    "case", CASES["escape_payloads"] + CASES["markup"], ids=lambda case: case["id"]
)
def test_untrusted_text_is_safe_in_toasts_and_borders(case: dict[str, str]) -> None:
    hostile = case["text"]
    script = Script().open(hostile, hostile).start().connect()
    script.say(KeepAliveReceived(hostile))
    shown = [title(script, 101, 200), subtitle(script, 101, 200)]
    error = ErrorInfo("server", hostile, hint=hostile)
    toast = toast_for(script.say(RetryScheduled(2, 3, 1.0, error)), script.pane)
    assert toast is not None
    shown += [title(script, 101, 200), subtitle(script, 101, 200), toast.message]
    for text in shown:
        assert text == safe_line(text)
    assert toast_for(script.say(RunFailed(error, Metrics())), None) is not None


@pytest.mark.parametrize("case", CASES["markup"], ids=lambda case: case["id"])
def test_markup_in_an_error_is_shown_verbatim(case: dict[str, str]) -> None:
    script = Script().open().start()
    error = ErrorInfo("server", case["text"][:80])
    toast = toast_for(script.say(RunFailed(error, Metrics())), script.pane)
    assert toast is not None
    assert safe_line(case["text"][:80]) in toast.message
