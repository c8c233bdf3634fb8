"""The gate of an endpoint: the rule by itself, and many sessions before a crowded server."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from streamtui.config import Endpoint
from streamtui.engine.dialects.base import Request
from streamtui.engine.doors import Cancel, OpenSession, Send
from streamtui.engine.gate import CLOSED, IN_TURN, PROBED, Gate, Ticket, Wait
from streamtui.engine.transport import AiohttpTransport, Response
from streamtui.event_words import describe
from streamtui.events import (
    AttemptFailed,
    AttemptStarted,
    RequestSent,
    RetryScheduled,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunWaiting,
)
from tests.faultserver import SCENARIOS, fault_server
from tests.scripted import EngineUnderTest, ScriptedResponse, ScriptedTransport

SESSIONS = 50
OK = [
    ["head"],
    ["chunk", 'data: {"choices":[{"index":0,"delta":{"content":"ok"}}]}\n\n'],
    ["chunk", 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'],
    ["chunk", "data: [DONE]\n\n"],
    ["chunk", ""],
]
OK_BYTES = b"".join(text.encode() for _, text in OK[1:4])


def too_many(retry_after: str, code: str = "") -> str:
    body = json.dumps({"error": {"message": "slow down", "code": code}})
    return (
        "HTTP/1.1 429 Too Many\r\nContent-Type: application/json\r\nConnection: close\r\n"
        f"Content-Length: {len(body)}\r\n{retry_after}\r\n{body}"
    )


# The rule


def gate_with(count: int, jitter: float = 0.0) -> tuple[Gate, list[Ticket]]:
    """A gate that was closed at 0 for 10 seconds, and those who wait there."""
    gate = Gate(lambda: jitter)
    first = Ticket()
    gate.arrive(first, 0.0)
    assert gate.wait(first, 0.0) is None
    gate.refused(first, 0.0, 10.0)
    tickets = [Ticket() for _ in range(count)]
    for ticket in tickets:
        gate.arrive(ticket, 1.0)
    return gate, tickets


def test_an_open_gate_lets_everybody_pass() -> None:
    gate = Gate(lambda: 0.0)
    for _ in range(100):
        ticket = Ticket()
        gate.arrive(ticket, 0.0)
        assert gate.wait(ticket, 0.0) is None


def test_a_closed_gate_says_until_when() -> None:
    gate, [ticket] = gate_with(1)
    assert gate.wait(ticket, 9.9) == Wait(CLOSED, 10.0)
    assert gate.closed_for(4.0) == 6.0
    assert gate.wait(ticket, 10.0) is None


def test_one_probe_goes_first_and_the_others_wait_for_it() -> None:
    gate, tickets = gate_with(3)
    assert gate.wait(tickets[1], 10.0) == Wait(PROBED)
    assert gate.wait(tickets[0], 10.0) is None
    assert [gate.wait(ticket, 100.0) for ticket in tickets[1:]] == [Wait(PROBED)] * 2


@pytest.mark.parametrize("jitter", [0.0, 0.5, 0.999])
def test_after_a_good_probe_they_follow_spread_over_more_than_a_second(jitter: float) -> None:
    gate, tickets = gate_with(50, jitter)
    gate.wait(tickets[0], 10.0)
    assert gate.answered(tickets[0], 10.5)
    moments = [ticket.not_before for ticket in tickets[1:]]
    assert moments == sorted(moments)
    assert 1.0 <= moments[-1] - 10.0 <= 3.0
    assert gate.wait(tickets[-1], 10.6) == Wait(IN_TURN, moments[-1])
    assert gate.wait(tickets[-1], moments[-1]) is None


def test_the_spread_grows_with_those_who_wait() -> None:
    gate, tickets = gate_with(1001)
    gate.wait(tickets[0], 10.0)
    gate.answered(tickets[0], 10.0)
    assert tickets[-1].not_before - 10.0 > 20


def test_who_comes_while_others_go_in_turn_goes_after_them() -> None:
    gate, tickets = gate_with(10)
    gate.wait(tickets[0], 10.0)
    gate.answered(tickets[0], 10.0)
    late = Ticket()
    gate.arrive(late, 10.1)
    assert late.not_before > tickets[-1].not_before


def test_a_refused_probe_closes_the_gate_again_for_longer_each_time() -> None:
    gate, tickets = gate_with(4)
    now, pauses = 10.0, []
    for ticket in tickets:
        assert gate.wait(ticket, now) is None
        gate.refused(ticket, now, None)
        pauses.append(gate.closed_for(now))
        now += pauses[-1]
    assert pauses == [1.0, 2.0, 4.0, 8.0]


def test_refusals_of_one_moment_count_once() -> None:
    gate = Gate(lambda: 0.0)
    tickets = [Ticket() for _ in range(50)]
    for ticket in tickets:
        gate.arrive(ticket, 0.0)
        gate.wait(ticket, 0.0)
    for ticket in tickets:
        gate.refused(ticket, 0.0, None)
    assert gate.closed_for(0.0) == 0.5


def test_a_probe_that_goes_away_makes_room_for_the_next() -> None:
    gate, tickets = gate_with(2)
    gate.wait(tickets[0], 10.0)
    assert gate.leave(tickets[0])
    assert gate.wait(tickets[1], 10.0) is None


def test_who_gives_up_before_its_turn_holds_up_nobody() -> None:
    gate, tickets = gate_with(2)
    gate.leave(tickets[0])
    assert gate.wait(tickets[1], 10.0) is None


def test_an_answer_to_an_attempt_from_before_opens_nothing() -> None:
    gate = Gate(lambda: 0.0)
    early, refused, waiting = Ticket(), Ticket(), Ticket()
    for ticket in (early, refused):
        gate.arrive(ticket, 0.0)
        gate.wait(ticket, 0.0)
    gate.refused(refused, 0.0, 10.0)
    gate.arrive(waiting, 0.0)
    assert not gate.answered(early, 1.0)
    assert gate.wait(waiting, 1.0) == Wait(CLOSED, 10.0)


def test_a_long_wait_of_one_holds_up_no_other() -> None:
    gate = Gate(lambda: 0.0)
    gate.arrive(Ticket(60.0), 0.0)
    other = Ticket()
    gate.arrive(other, 0.0)
    assert gate.wait(other, 0.0) is None


# Sessions


def open_and_ask(test: EngineUnderTest, endpoint: Endpoint, count: int) -> None:
    for number in range(count):
        test.engine.execute(OpenSession(f"s{number}", endpoint))
        test.engine.execute(Send(f"s{number}", f"r{number}", f"question {number}"))


def moments(test: EngineUnderTest, kind: type, attempt: int = 0) -> list[float]:
    """When events of a kind came, those of one attempt if it is given."""
    return [
        event.mono
        for event in test.listener.events
        if isinstance(event.body, kind) and attempt in {0, getattr(event.body, "attempt", 0)}
    ]


async def test_fifty_sessions_that_meet_429_come_back_behind_one_probe() -> None:
    """At most one probe in flight, the retries spread over a second, all finish."""
    refusal = [["wait", SESSIONS], ["send", too_many("Retry-After: 1\r\n")], ["fin"]]
    probe = [["sleep", 0.3], *OK]
    steps: dict[str, list[Any]] = {str(hit): refusal for hit in range(1, SESSIONS + 1)}
    steps |= {str(SESSIONS + 1): probe, "*": OK}
    async with fault_server(steps) as server, EngineUnderTest(AiohttpTransport()) as test:
        open_and_ask(test, Endpoint("mirror", "openai-chat", server.base_url, "m"), SESSIONS)
        events = await test.listener.run_ends(SESSIONS)
    assert len(test.listener.bodies(RunCompleted)) == SESSIONS
    assert server.hits == 2 * SESSIONS

    refused, retried = moments(test, AttemptFailed), moments(test, AttemptStarted, 2)
    assert len(refused) == len(retried) == SESSIONS
    assert retried[0] - min(refused) >= 0.99
    assert retried[1] - retried[0] >= 0.3, "a second one while the probe was in flight"
    assert 1.0 <= retried[-1] - retried[0] <= 4.0
    assert all(retry.delay >= 0.99 for retry in test.listener.bodies(RetryScheduled))

    waiting = {event.session_id for event in events if isinstance(event.body, RunWaiting)}
    assert len(waiting) == SESSIONS - 1, "who waits for the probe must say so"


async def test_a_probe_that_is_refused_is_followed_by_one_other() -> None:
    refusal = [["wait", 10], ["send", too_many("retry-after-ms: 300\r\n")], ["fin"]]
    again = [["sleep", 0.1], ["send", too_many("retry-after-ms: 300\r\n")], ["fin"]]
    steps: dict[str, list[Any]] = {str(hit): refusal for hit in range(1, 11)}
    steps |= {"11": again, "12": again, "13": [["sleep", 0.1], *OK], "*": OK}
    async with fault_server(steps) as server, EngineUnderTest(AiohttpTransport()) as test:
        open_and_ask(test, Endpoint("mirror", "openai-chat", server.base_url, "m"), 10)
        await test.listener.run_ends(10)
    assert len(test.listener.bodies(RunCompleted)) == 10
    later = moments(test, RequestSent)[10:14]
    assert all(after - before >= 0.1 for before, after in pairwise(later))


async def test_a_new_question_waits_for_a_closed_endpoint_and_says_so() -> None:
    transport = ScriptedTransport(
        ScriptedResponse(b"", status=429, headers={"retry-after": "60"}), ScriptedResponse(OK_BYTES)
    )
    endpoint = Endpoint("mock", "openai-chat", "http://mock.invalid/v1", "m")
    async with EngineUnderTest(transport) as test:
        test.engine.execute(OpenSession("first", endpoint))
        test.engine.execute(Send("first", "r1", "hi"))
        await test.listener.until(lambda event: isinstance(event.body, RetryScheduled))
        test.engine.execute(OpenSession("second", endpoint))
        test.engine.execute(Send("second", "r2", "hi"))
        await test.listener.until(lambda event: isinstance(event.body, RunWaiting))
        [waiting] = test.listener.bodies(RunWaiting)
        assert waiting.reason == CLOSED
        assert waiting.delay == pytest.approx(60, abs=1)
        assert "queued for" in describe(waiting).words
        test.engine.execute(Cancel("second"))
        await test.listener.run_ends()
        assert test.listener.bodies(RunCancelled)
        assert len(transport.requests) == 1


async def test_another_endpoint_does_not_wait() -> None:
    transport = ScriptedTransport(
        ScriptedResponse(b"", status=529, headers={"retry-after": "60"}), ScriptedResponse(OK_BYTES)
    )
    endpoint = Endpoint("mock", "openai-chat", "http://mock.invalid/v1", "m")
    other = msgspec.structs.replace(endpoint, name="other", base_url="http://other.invalid/v1")
    async with EngineUnderTest(transport) as test:
        test.engine.execute(OpenSession("first", endpoint))
        test.engine.execute(Send("first", "r1", "hi"))
        await test.listener.until(lambda event: isinstance(event.body, RetryScheduled))
        test.engine.execute(OpenSession("second", other))
        test.engine.execute(Send("second", "r2", "hi"))
        await test.listener.run_ends()
        assert test.listener.bodies(RunCompleted)


async def test_a_cancelled_probe_hands_over_to_the_next_session() -> None:
    transport = _HangsOnce(
        2,
        ScriptedResponse(b"", status=429, headers={"retry-after-ms": "20"}),
        ScriptedResponse(OK_BYTES),
    )
    endpoint = Endpoint("mock", "openai-chat", "http://mock.invalid/v1", "m")
    async with EngineUnderTest(transport) as test:
        open_and_ask(test, endpoint, 2)
        await test.listener.until(lambda event: isinstance(event.body, AttemptStarted), 2)
        probe = [e for e in test.listener.events if isinstance(e.body, AttemptStarted)][1]
        test.engine.execute(Cancel(probe.session_id))
        await test.listener.run_ends(2)
        assert len(test.listener.bodies(RunCompleted)) == 1
        assert len(test.listener.bodies(RunCancelled)) == 1


class _HangsOnce(ScriptedTransport):
    """No head ever comes for one of its requests."""

    def __init__(self, at: int, *answers: ScriptedResponse) -> None:
        super().__init__(*answers)
        self._at = at

    @asynccontextmanager
    async def open(
        self, endpoint: Endpoint, request: Request, on_sent: Callable[[], None]
    ) -> AsyncIterator[Response]:
        if len(self.requests) + 1 == self._at:
            self.requests.append(request)
            await asyncio.Event().wait()
        async with super().open(endpoint, request, on_sent) as response:
            yield response


# Rows 15, 17, 18, 19


@pytest.mark.parametrize(
    ("name", "waits"),
    [
        ("retry-after-seconds", 2.0),
        ("retry-after-ms", 1.5),
        ("retry-after-float", 0.5),
        ("retry-after-negative", 0.5),
        ("retry-after-garbage", 0.5),
    ],
)
async def test_the_wait_that_is_told_is_the_wait_that_is_kept(name: str, waits: float) -> None:
    async with (
        fault_server(SCENARIOS[name]["steps"]) as server,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        open_and_ask(test, Endpoint("mirror", "openai-chat", server.base_url, "m"), 1)
        await test.listener.run_ends()
    [retry] = test.listener.bodies(RetryScheduled)
    assert retry.delay == pytest.approx(waits, rel=0.1)
    [scheduled], [started] = moments(test, RetryScheduled), moments(test, AttemptStarted, 2)
    assert started - scheduled == pytest.approx(waits, rel=0.1, abs=0.1)
    assert test.listener.bodies(RunCompleted)


async def test_an_endpoint_that_asks_for_a_day_is_not_waited_for() -> None:
    steps = SCENARIOS["retry-after-huge"]["steps"]
    async with fault_server(steps) as server, EngineUnderTest(AiohttpTransport()) as test:
        open_and_ask(test, Endpoint("mirror", "openai-chat", server.base_url, "m"), 1)
        await test.listener.run_ends()
    assert not test.listener.bodies(RetryScheduled)
    [end] = test.listener.bodies(RunFailed)
    assert "429" in describe(end).words
    assert server.hits == 1


async def test_overloaded_is_called_server_side_and_tried_again() -> None:
    steps = {"1": SCENARIOS["status-529"]["steps"], "*": OK}
    async with fault_server(steps) as server, EngineUnderTest(AiohttpTransport()) as test:
        open_and_ask(test, Endpoint("mirror", "openai-chat", server.base_url, "m"), 1)
        await test.listener.run_ends()
    [retry] = test.listener.bodies(RetryScheduled)
    words = describe(retry).words
    assert all(part in words for part in ("overloaded", "server-side", "attempt 2 of 3", " s,"))
    assert test.listener.bodies(RunCompleted)


async def test_a_quota_that_is_used_up_is_not_tried_again_and_closes_no_gate() -> None:
    quota = [["send", too_many("", "insufficient_quota")], ["fin"]]
    async with (
        fault_server({"1": quota, "*": OK}) as server,
        EngineUnderTest(AiohttpTransport()) as test,
    ):
        endpoint = Endpoint("mirror", "openai-chat", server.base_url, "m")
        open_and_ask(test, endpoint, 1)
        await test.listener.run_ends()
        [end] = test.listener.bodies(RunFailed)
        assert "quota" in describe(end).words
        assert server.hits == 1
        test.engine.execute(Send("s0", "again", "hi"))
        await test.listener.run_ends(2)
    assert test.listener.bodies(RunCompleted)
    assert not test.listener.bodies(RunWaiting)
