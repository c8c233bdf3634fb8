import asyncio
import time

import pytest

from streamtui.config import Timeouts
from streamtui.engine import watchdog
from streamtui.engine.transport import AiohttpTransport
from streamtui.engine.watchdog import Watch
from streamtui.errors import DeadlineError, ProtocolError
from streamtui.events import RunCompleted, RunFailed
from tests.engine.test_transport import ask, endpoint_at
from tests.faultserver import fault_server
from tests.raw_http import END, TOKEN
from tests.scripted import EngineUnderTest

LIMITS = Timeouts(connect=1, first_token=0.1, idle=0.1)


def watch(limits: Timeouts = LIMITS, *, lost: bool = False) -> Watch:
    return Watch(limits, on_stall=lambda _: None, is_lost=lambda: lost)


async def fall_silent(watching: Watch) -> None:
    watching.saw_bytes()
    watching.saw_model()
    await wait_for_ever()


async def wait_for_ever() -> None:
    await asyncio.get_running_loop().create_future()


async def test_silence_before_the_first_token_ends_the_attempt() -> None:
    with pytest.raises(DeadlineError, match="no answer") as caught:
        async with watch():
            await wait_for_ever()
    assert caught.value.phase == "first token"
    assert caught.value.retryable


async def test_silence_inside_an_answer_ends_it_as_idle() -> None:
    with pytest.raises(DeadlineError, match=r"stalled: no data for 0\.1 s"):
        async with watch() as watching:
            await fall_silent(watching)


async def test_a_connection_that_is_gone_unsaid_ends_the_attempt() -> None:
    with pytest.raises(ProtocolError, match="broken HTTP"):
        async with watch(Timeouts(1, 300, 300), lost=True):
            await wait_for_ever()


async def test_a_cancel_from_outside_wins_over_a_limit() -> None:
    async def watched() -> None:
        async with watch():
            await wait_for_ever()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(watched())
        await asyncio.sleep(0)
        task.cancel()
    assert task.cancelled()


async def test_what_ends_in_time_is_left_alone() -> None:
    async with watch() as watching:
        for _ in range(3):
            watching.saw_bytes()
            watching.saw_model()
    assert asyncio.current_task() is not None


async def test_time_in_which_the_process_stood_still_does_not_count() -> None:
    steps = [["head"], *[["chunk", TOKEN], ["sleep", 0.05]] * 30, ["chunk", END]]
    async with fault_server(steps) as server, EngineUnderTest(AiohttpTransport()) as test:
        # The loop of server and client stops for longer than the limits allow, as after a
        # SIGSTOP or on a suspended machine.
        asyncio.get_running_loop().call_later(0.4, time.sleep, 1.5)
        end = await ask(test, endpoint_at(server.base_url))
        assert isinstance(end, RunCompleted)


async def test_frames_that_say_nothing_do_not_count_as_an_answer() -> None:
    ping = 'event: ping\ndata: {"type":"ping"}\n\n'
    steps = [["head"], ["repeat", -1, [["chunk", ping], ["sleep", 0.03]]]]
    limits = Timeouts(connect=5, first_token=0.3, idle=0.3)
    async with fault_server(steps) as server, EngineUnderTest(AiohttpTransport()) as test:
        end = await ask(test, endpoint_at(server.base_url, timeouts=limits))
        assert isinstance(end, RunFailed)
        assert end.error.kind == "timeout-first-token"


async def test_a_role_alone_does_not_end_the_wait_for_the_first_token() -> None:
    role = 'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
    steps = [["head"], ["chunk", role], ["sleep", 0.5], ["chunk", TOKEN + END]]
    limits = Timeouts(connect=5, first_token=20, idle=0.2)
    async with fault_server(steps) as server, EngineUnderTest(AiohttpTransport()) as test:
        end = await ask(test, endpoint_at(server.base_url, timeouts=limits))
        assert isinstance(end, RunCompleted)


async def test_a_finished_answer_does_not_wait_while_comments_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watchdog, "WIND_DOWN_SECONDS", 0.1)
    finished = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    comments = ["repeat", -1, [["chunk", ": k\n\n"], ["sleep", 0.02]]]
    steps = [["head"], ["chunk", TOKEN + finished], comments]
    async with fault_server(steps) as server, EngineUnderTest(AiohttpTransport()) as test:
        assert isinstance(await ask(test, endpoint_at(server.base_url)), RunCompleted)


async def test_a_finished_answer_does_not_wait_for_its_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watchdog, "WIND_DOWN_SECONDS", 0.1)
    finished = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    steps = [["head"], ["chunk", TOKEN + finished], ["stall"]]
    async with fault_server(steps) as server, EngineUnderTest(AiohttpTransport()) as test:
        end = await ask(test, endpoint_at(server.base_url))
        assert isinstance(end, RunCompleted)
        assert end.finish_reason == "stop"
