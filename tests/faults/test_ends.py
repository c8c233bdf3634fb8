"""Answers that end too early, too late or not at all: what is kept, and what is said of it."""

from typing import Any

import pytest

from streamtui.config import Timeouts
from streamtui.events import AttemptFailed, RetryScheduled, RunCompleted, RunCutOff, RunFailed
from tests.cli.conftest import Program
from tests.faults.live import live_console
from tests.faults.outcome import ANSWER, IMPATIENT, LAST_CHUNK, TOKEN, endpoint_at, play
from tests.faultserver import SCENARIOS, fault_server
from tests.raw_http import whole_answer

WITHOUT_END_MARKER: list[Any] = [["head"], TOKEN, LAST_CHUNK]
COMMENTS_FOR_EVER: list[Any] = [
    ["head"],
    ["repeat", -1, [["chunk", ": OPENROUTER PROCESSING\n\n"], ["sleep", 0.02]]],
]
COMMENTS_ONLY: list[Any] = [["head"], ["chunk", ": OPENROUTER PROCESSING\n\n"], LAST_CHUNK]


def scenario(name: str) -> Any:
    return SCENARIOS[name]["steps"]


async def test_a_clean_end_without_end_marker_is_cut_off_and_kept() -> None:
    outcome = await play(WITHOUT_END_MARKER)
    assert outcome.pane.phase == "cut off"
    assert outcome.turn.text == "tok1 "
    assert "ended without its end marker. 5 characters kept." in outcome.toast
    assert outcome.bodies(RunCutOff)
    assert outcome.hits == 1


async def test_a_clean_end_without_end_marker_is_no_success_of_run(program: Program) -> None:
    async with fault_server(WITHOUT_END_MARKER) as server:
        program.add_endpoint("mirror", server.base_url)
        ended = await program.run("run", "hi")
        summary = await program.run("run", "hi", "--json")
    assert (ended.code, ended.out) == (6, "tok1 \n")
    assert "ended without its end marker" in ended.err
    assert '"state": "cut_off"' in summary.out


async def test_a_bad_chunk_size_in_mid_answer_cuts_it_off_in_time_and_the_console_lives() -> None:
    limits = Timeouts(connect=5, first_token=20, idle=0.8)
    async with (
        fault_server(scenario("bad-chunk-size-later")) as server,
        live_console(endpoint_at(server.base_url, timeouts=limits)) as c,
    ):
        await c.until_shown("tok1")
        last_data = c.panes[0].state.last_data
        assert last_data is not None
        c.type("still here")
        await c.until_shown("still here")
        await c.until(lambda: c.panes[0].state.phase == "cut off", "cut off")
        ended = c.panes[0].state.run_ended
        assert ended is not None
        assert ended - last_data <= limits.idle + 1
        await c.until_shown("Answer cut off")
        assert "broken HTTP. 5 characters kept." in str(c.toasts())
        assert "tok1" in c.screen_text()
        assert server.hits == 1


async def test_silence_in_mid_answer_is_shown_as_stalled_and_then_ended_once() -> None:
    assert Timeouts().idle == 120
    outcome = await play(scenario("stall-mid"), timeouts=IMPATIENT)
    assert outcome.phases[-3:] == ["streaming", "stalled", "cut off"]
    assert f"stalled: no data for {IMPATIENT.idle} s. 5 characters kept." in outcome.toast
    assert outcome.turn.text == "tok1 "
    assert outcome.hits == 1


async def test_comments_alone_are_shown_as_queueing_until_the_first_token_is_due() -> None:
    limits = Timeouts(connect=5, first_token=1, idle=0.2)
    async with (
        fault_server(COMMENTS_FOR_EVER) as server,
        live_console(endpoint_at(server.base_url, timeouts=limits, retries=0)) as c,
    ):
        await c.until_shown("queueing")
        await c.until(lambda: c.panes[0].state.phase == "failed", "the limit for the first token")
        [toast] = c.toasts()
        assert "keeps the line open but nothing came from the model for 1 s" in toast
        assert "Nothing received." in toast
        assert server.hits == 1


async def test_a_first_token_that_is_late_is_waited_for_once_more_although_comments_come() -> None:
    outcome = await play(COMMENTS_FOR_EVER, timeouts=IMPATIENT)
    assert [failed.error.kind for failed in outcome.bodies(AttemptFailed)] == [
        "timeout-first-token"
    ] * 2
    assert outcome.pane.phase == "failed"
    assert outcome.hits == 2


async def test_a_reset_in_mid_answer_keeps_the_text_and_is_not_tried_again() -> None:
    outcome = await play(scenario("rst-mid"))
    assert outcome.pane.phase == "cut off"
    assert "connection was lost. 5 characters kept." in outcome.toast
    assert outcome.turn.text == "tok1 "
    assert not outcome.bodies(RetryScheduled)
    assert outcome.hits == 1


async def test_an_error_object_in_mid_answer_fails_it_whatever_end_marker_follows() -> None:
    outcome = await play(scenario("error-mid"))
    assert outcome.pane.phase == "failed"
    assert "boom. 5 characters kept. Ask again." in outcome.toast
    assert outcome.turn.text == "tok1 "
    assert not outcome.bodies(RunCompleted, RetryScheduled)
    assert outcome.hits == 1


async def test_an_answer_in_one_piece_of_json_is_an_answer() -> None:
    outcome = await play(scenario("json-200"))
    assert outcome.pane.phase == "done"
    assert outcome.turn.text == "Hello"
    assert not outcome.toasts


async def test_an_error_object_in_place_of_a_stream_is_told() -> None:
    body = '{"error":{"message":"model is not loaded","type":"invalid_request_error"}}'
    answer = whole_answer("200 OK", "Content-Type: application/json", body=body)
    outcome = await play([["send", answer]])
    assert outcome.pane.phase == "failed"
    assert "model is not loaded" in outcome.toast


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(scenario("empty-200"), id="empty-200"),
        pytest.param(scenario("204"), id="204"),
        pytest.param(COMMENTS_ONLY, id="comments-only"),
    ],
)
async def test_an_empty_answer_is_asked_for_once_more_and_then_told(steps: list[Any]) -> None:
    outcome = await play(steps)
    assert outcome.hits == 2
    assert outcome.pane.phase == "failed"
    assert outcome.bodies(RunFailed)
    assert "empty answer" in outcome.toast
    assert "Nothing received." in outcome.toast
    assert any(row.startswith("✗ failed: empty answer") for row in outcome.rows())


async def test_an_end_marker_alone_is_a_whole_answer_that_is_said_to_be_empty() -> None:
    outcome = await play([["head"], ["chunk", "data: [DONE]\n\n"], LAST_CHUNK])
    assert outcome.pane.phase == "done"
    assert outcome.hits == 1
    assert outcome.rows()[-1] == "▪ the answer is empty"


async def test_an_empty_answer_may_be_followed_by_a_good_one() -> None:
    outcome = await play({"1": scenario("empty-200"), "*": ANSWER})
    assert outcome.hits == 2
    assert outcome.turn.text == "tok1 "
    assert outcome.pane.phase == "done"
