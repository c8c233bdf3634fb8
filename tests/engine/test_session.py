"""Sessions over a scripted network: bytes in, events out."""

import asyncio
import json

import msgspec
import pytest

from streamtui.config import Endpoint, Timeouts
from streamtui.engine.doors import Cancel, CancelAll, CloseSession, OpenSession, Retry, Send
from streamtui.errors import TransportError
from streamtui.events import (
    AttemptFailed,
    AttemptStarted,
    Chunk,
    Message,
    RequestSent,
    ResponseStarted,
    RetryScheduled,
    RunCancelled,
    RunCompleted,
    RunCutOff,
    RunFailed,
    RunQueued,
    RunStarted,
    SessionClosed,
    SessionOpened,
    TextDelta,
    Usage,
)
from streamtui.redact import Secret
from tests.scripted import EngineUnderTest, ScriptedResponse, ScriptedTransport

ENDPOINT = Endpoint(
    "mock", "openai-chat", "http://mock.invalid/v1", "m", timeouts=Timeouts(20, 300, 120)
)
DONE = b"data: [DONE]\n\n"


def text_chunk(text: str) -> bytes:
    chunk = {"choices": [{"index": 0, "delta": {"content": text}}]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


FINISH = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n'


def answer(*texts: str) -> ScriptedResponse:
    return ScriptedResponse(*map(text_chunk, texts), FINISH, USAGE, DONE)


def shown_text(bodies: list[Chunk]) -> str:
    return "".join(
        delta.text for body in bodies for delta in body.deltas if isinstance(delta, TextDelta)
    )


def open_and_send(test: EngineUnderTest, *prompts: str, endpoint: Endpoint = ENDPOINT) -> None:
    test.engine.execute(OpenSession("s", endpoint))
    for number, prompt in enumerate(prompts):
        test.engine.execute(Send("s", f"r{number}", prompt))


async def test_a_run_tells_every_step_in_order() -> None:
    async with EngineUnderTest(ScriptedTransport(answer("Hel", "lo"))) as test:
        open_and_send(test, "hi")
        await test.listener.run_ends()
        assert [type(body) for body in test.listener.bodies()] == [
            SessionOpened,
            RunStarted,
            AttemptStarted,
            RequestSent,
            ResponseStarted,
            Chunk,
            Chunk,
            Chunk,
            Chunk,
            RunCompleted,
        ]
        [end] = test.listener.bodies(RunCompleted)
        assert end.finish_reason == "stop"
        assert end.metrics.text_chars == 5
        assert end.metrics.chunks == 2
        assert end.metrics.usage == Usage(3, 2)
        assert shown_text(test.listener.bodies(Chunk)) == "Hello"


async def test_prompts_sent_meanwhile_are_queued_and_say_so() -> None:
    async with EngineUnderTest(ScriptedTransport(answer("a"), answer("b"), answer("c"))) as test:
        open_and_send(test, "one", "two", "three")
        await test.listener.run_ends(3)
        assert [(b.prompt, b.ahead) for b in test.listener.bodies(RunQueued)] == [
            ("two", 1),
            ("three", 2),
        ]
        assert [body.prompt for body in test.listener.bodies(RunStarted)] == ["one", "two", "three"]


async def test_a_conversation_sends_what_was_said_before() -> None:
    transport = ScriptedTransport(answer("Hello"), answer("Fine"))
    async with EngineUnderTest(transport) as test:
        open_and_send(test, "hi", "how are you?")
        await test.listener.run_ends(2)
        assert json.loads(transport.requests[1].body)["messages"] == [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "Hello"},
            {"role": "user", "content": "how are you?"},
        ]
        assert len(await test.transcript("s")) == 4


async def test_a_reopened_conversation_goes_on_where_it_was() -> None:
    transport = ScriptedTransport(answer("Fine"))
    earlier = (Message("user", "hi"), Message("assistant", "Hello"))
    async with EngineUnderTest(transport) as test:
        test.engine.execute(OpenSession("s", ENDPOINT, earlier))
        test.engine.execute(Send("s", "r", "and now?"))
        await test.listener.run_ends()
        assert len(json.loads(transport.requests[0].body)["messages"]) == 3


async def test_retry_asks_the_last_prompt_again_without_its_former_answer() -> None:
    transport = ScriptedTransport(answer("first"), answer("second"))
    async with EngineUnderTest(transport) as test:
        open_and_send(test, "hi")
        await test.listener.run_ends()
        test.engine.execute(Retry("s", "again"))
        await test.listener.run_ends(2)
        assert json.loads(transport.requests[1].body)["messages"] == [
            {"role": "user", "content": "hi"}
        ]
        assert [m.content for m in await test.transcript("s")] == ["hi", "second"]


async def test_cancel_keeps_the_text_and_leaves_the_connection() -> None:
    transport = ScriptedTransport(ScriptedResponse(text_chunk("half"), asyncio.Event()))
    async with EngineUnderTest(transport) as test:
        open_and_send(test, "hi")
        await test.listener.until(lambda event: isinstance(event.body, Chunk))
        test.engine.execute(Cancel("s"))
        await test.listener.run_ends()
        [end] = test.listener.bodies(RunCancelled)
        assert end.metrics.text_chars == 4
        assert transport.open_now == 0
        assert (await test.transcript("s"))[-1] == Message("assistant", "half")


async def test_cancel_before_the_first_step_still_ends_the_run() -> None:
    async with EngineUnderTest(ScriptedTransport()) as test:
        open_and_send(test, "hi")
        test.engine.execute(Cancel("s"))
        await test.listener.run_ends()
        assert test.listener.bodies(RunCancelled)


async def test_after_a_cancel_the_next_prompt_takes_its_turn() -> None:
    transport = ScriptedTransport(ScriptedResponse(asyncio.Event()), answer("ok"))
    async with EngineUnderTest(transport) as test:
        open_and_send(test, "one", "two")
        await test.listener.until(lambda event: isinstance(event.body, ResponseStarted))
        test.engine.execute(Cancel("s"))
        await test.listener.run_ends(2)
        assert test.listener.bodies(RunCompleted)


async def test_cancel_all_ends_what_waits_too() -> None:
    transport = ScriptedTransport(ScriptedResponse(asyncio.Event()))
    async with EngineUnderTest(transport) as test:
        open_and_send(test, "one", "two", "three")
        await test.listener.until(lambda event: isinstance(event.body, ResponseStarted))
        test.engine.execute(CancelAll())
        await test.listener.run_ends(3)
        assert len(test.listener.bodies(RunCancelled)) == 3


async def test_closing_a_session_ends_its_run_first() -> None:
    transport = ScriptedTransport(ScriptedResponse(text_chunk("x"), asyncio.Event()))
    async with EngineUnderTest(transport) as test:
        open_and_send(test, "one")
        await test.listener.until(lambda event: isinstance(event.body, Chunk))
        test.engine.execute(CloseSession("s"))
        await test.listener.until(lambda event: isinstance(event.body, SessionClosed))
        assert [type(b) for b in test.listener.bodies()[-2:]] == [RunCancelled, SessionClosed]


async def test_retries_come_before_the_first_visible_delta_and_say_so() -> None:
    lost = TransportError("lost", kind="connection-lost", retryable=True)
    transport = ScriptedTransport(
        lost,
        ScriptedResponse(b"x", status=503, headers={"retry-after": "0.001"}),
        answer("ok"),
    )
    async with EngineUnderTest(transport) as test:
        open_and_send(test, "hi", endpoint=msgspec.structs.replace(ENDPOINT, retries=2))
        await test.listener.run_ends()
        assert [body.attempt for body in test.listener.bodies(AttemptFailed)] == [1, 2]
        assert [b.attempt for b in test.listener.bodies(RetryScheduled)] == [2, 3]
        [end] = test.listener.bodies(RunCompleted)
        assert end.metrics.attempts == 3
        keys = {request.headers["Idempotency-Key"] for request in transport.requests}
        assert keys == {"r0"}


async def test_nothing_is_retried_after_the_first_visible_delta() -> None:
    lost = TransportError("the connection was lost", kind="connection-lost", retryable=True)
    transport = ScriptedTransport(ScriptedResponse(text_chunk("tok1 "), lost), answer("never"))
    async with EngineUnderTest(transport) as test:
        open_and_send(test, "hi")
        await test.listener.run_ends()
        [end] = test.listener.bodies(RunCutOff)
        assert end.error.kind == "connection-lost"
        assert end.metrics.text_chars == 5
        assert len(transport.requests) == 1


async def test_a_stream_without_its_end_marker_is_cut_off() -> None:
    async with EngineUnderTest(ScriptedTransport(ScriptedResponse(text_chunk("half")))) as test:
        open_and_send(test, "hi")
        await test.listener.run_ends()
        [end] = test.listener.bodies(RunCutOff)
        assert end.error.message == "the answer ended without its end marker"
        assert end.error.kind == "truncated"


async def test_after_the_end_marker_nothing_makes_success_a_failure() -> None:
    lost = TransportError("lost", kind="connection-lost")
    transport = ScriptedTransport(ScriptedResponse(text_chunk("all"), FINISH, lost))
    async with EngineUnderTest(transport) as test:
        open_and_send(test, "hi")
        await test.listener.run_ends()
        assert test.listener.bodies(RunCompleted)


async def test_an_error_in_mid_stream_fails_and_keeps_the_text() -> None:
    boom = b'data: {"error":{"message":"boom","type":"server_error"}}\n\n'
    transport = ScriptedTransport(ScriptedResponse(text_chunk("tok1 "), boom, DONE))
    async with EngineUnderTest(transport) as test:
        open_and_send(test, "hi")
        await test.listener.run_ends()
        [end] = test.listener.bodies(RunFailed)
        assert end.error.kind == "error-midstream"
        assert (end.error.message, end.error.hint) == ("boom", "Ask again")
        assert end.metrics.text_chars == 5


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("insufficient_quota", "Check the plan and billing of the account"),
        ("invalid_api_key", "Check environment variable MY_KEY"),
        ("overloaded_error", "Try again later"),
    ],
)
async def test_an_error_in_the_stream_says_what_to_do_as_one_before_it_does(
    code: str, hint: str
) -> None:
    boom = json.dumps({"error": {"message": "boom", "code": code}}).encode()
    transport = ScriptedTransport(ScriptedResponse(b"data: " + boom + b"\n\n"))
    endpoint = msgspec.structs.replace(
        ENDPOINT, api_key=Secret("k-1"), key_source="environment variable MY_KEY", retries=0
    )
    async with EngineUnderTest(transport) as test:
        open_and_send(test, "hi", endpoint=endpoint)
        await test.listener.run_ends()
        [end] = test.listener.bodies(RunFailed)
        assert end.error.hint == hint


async def test_text_and_error_in_one_piece_keep_the_text() -> None:
    boom = b'data: {"error":{"message":"boom"}}\n\n'
    transport = ScriptedTransport(ScriptedResponse(text_chunk("tok1 ") + boom))
    async with EngineUnderTest(transport) as test:
        open_and_send(test, "hi")
        await test.listener.run_ends()
        assert shown_text(test.listener.bodies(Chunk)) == "tok1 "


async def test_a_missing_key_is_named_and_nothing_is_sent() -> None:
    transport = ScriptedTransport()
    endpoint = msgspec.structs.replace(ENDPOINT, key_source="environment variable MY_KEY")
    async with EngineUnderTest(transport) as test:
        open_and_send(test, "hi", endpoint=endpoint)
        await test.listener.run_ends()
        [end] = test.listener.bodies(RunFailed)
        assert end.error.kind == "no-key"
        assert "MY_KEY" in end.error.message
        assert transport.requests == []


async def test_the_key_goes_into_its_header_and_into_no_event() -> None:
    transport = ScriptedTransport(answer("ok"))
    endpoint = msgspec.structs.replace(ENDPOINT, api_key=Secret("sk-very-secret"))
    async with EngineUnderTest(transport) as test:
        open_and_send(test, "hi", endpoint=endpoint)
        await test.listener.run_ends()
        assert transport.requests[0].headers["Authorization"] == "Bearer sk-very-secret"
        assert "sk-very-secret" not in repr(test.listener.events)


@pytest.mark.parametrize(
    "headers", [{"X-Api-Key": "secret\r\nHost: evil"}, {"Authorization": "a\0b"}, {"X Team": "x"}]
)
async def test_a_header_that_is_none_ends_the_run_and_sends_nothing(
    headers: dict[str, str],
) -> None:
    transport = ScriptedTransport()
    endpoint = msgspec.structs.replace(ENDPOINT, headers=headers)
    async with EngineUnderTest(transport) as test:
        open_and_send(test, "hi", endpoint=endpoint)
        await test.listener.run_ends()
        [end] = test.listener.bodies(RunFailed)
        assert end.error.kind == "usage"
        [name] = headers
        assert f"the header '{name}' cannot be sent: expected" in end.error.message
        assert "secret" not in end.error.message
        assert transport.requests == []


async def test_a_prompt_with_half_a_character_is_sent_all_the_same() -> None:
    transport = ScriptedTransport(answer("ok"))
    async with EngineUnderTest(transport) as test:
        open_and_send(test, "a\ud83d b")
        await test.listener.run_ends()
        assert test.listener.bodies(RunCompleted)


async def test_a_bug_ends_one_run_and_not_the_engine() -> None:
    transport = ScriptedTransport(answer("ok"))
    broken = msgspec.structs.replace(ENDPOINT, params={"temperature": object()})
    async with EngineUnderTest(transport) as test:
        open_and_send(test, "hi", endpoint=broken)
        await test.listener.run_ends()
        [end] = test.listener.bodies(RunFailed)
        assert end.error.kind == "bug"
        test.engine.execute(OpenSession("t", ENDPOINT))
        test.engine.execute(Send("t", "again", "hi"))
        await test.listener.run_ends(2)
        assert test.listener.bodies(RunCompleted)


async def test_params_are_sent_as_they_are() -> None:
    transport = ScriptedTransport(answer("ok"))
    endpoint = msgspec.structs.replace(
        ENDPOINT, params={"temperature": 0, "stream_options": {}}, headers={"X-Team": "console"}
    )
    async with EngineUnderTest(transport) as test:
        open_and_send(test, "hi", endpoint=endpoint)
        await test.listener.run_ends()
        body = json.loads(transport.requests[0].body)
        assert body["temperature"] == 0
        assert body["stream"] is True
        assert "stream_options" not in body
        assert transport.requests[0].headers["X-Team"] == "console"


async def test_stopping_the_engine_ends_every_run() -> None:
    transport = ScriptedTransport(ScriptedResponse(asyncio.Event()))
    async with EngineUnderTest(transport) as test:
        open_and_send(test, "one", "two")
        await test.listener.until(lambda event: isinstance(event.body, ResponseStarted))
    await test.listener.run_ends(2)
    assert transport.open_now == 0


async def test_a_retry_that_fails_leaves_the_former_answer_in_place() -> None:
    transport = ScriptedTransport(answer("good"), ScriptedResponse(b"no", status=400))
    async with EngineUnderTest(transport) as test:
        open_and_send(test, "hi")
        await test.listener.run_ends()
        test.engine.execute(Retry("s", "again"))
        await test.listener.run_ends(2)
        assert [m.content for m in await test.transcript("s")] == ["hi", "good"]


async def test_a_retry_while_an_answer_streams_is_refused_and_says_so() -> None:
    transport = ScriptedTransport(answer("one"), ScriptedResponse(asyncio.Event()))
    async with EngineUnderTest(transport) as test:
        open_and_send(test, "first", "second")
        await test.listener.until(lambda event: isinstance(event.body, ResponseStarted), 2)
        test.engine.execute(Retry("s", "again"))
        await test.listener.until(lambda event: event.run_id == "again")
        [refused] = test.listener.bodies(RunFailed)
        assert refused.error.kind == "usage"
        assert len(await test.transcript("s")) == 2


async def test_the_last_turn_of_a_reopened_conversation_can_be_asked_again() -> None:
    transport = ScriptedTransport(answer("Better"))
    earlier = (Message("system", "Be brief."), Message("user", "hi"), Message("assistant", "Hello"))
    async with EngineUnderTest(transport) as test:
        test.engine.execute(OpenSession("s", ENDPOINT, earlier))
        test.engine.execute(Retry("s", "again"))
        await test.listener.run_ends()
        assert [m["content"] for m in json.loads(transport.requests[0].body)["messages"]] == [
            "Be brief.",
            "hi",
        ]
        assert [m.content for m in await test.transcript("s")] == ["Be brief.", "hi", "Better"]


async def test_what_is_asked_of_a_closed_session_ends_with_words() -> None:
    async with EngineUnderTest(ScriptedTransport()) as test:
        test.engine.execute(Send("nobody", "r", "hi"))
        test.engine.execute(Retry("nobody", "r2"))
        await test.listener.run_ends(2)
        assert {body.error.message for body in test.listener.bodies(RunFailed)} == {
            "the session is closed"
        }


async def test_after_all_were_cancelled_the_last_prompt_is_the_one_to_ask_again() -> None:
    transport = ScriptedTransport(ScriptedResponse(asyncio.Event()), answer("ok"))
    async with EngineUnderTest(transport) as test:
        open_and_send(test, "one", "two", "three")
        await test.listener.until(lambda event: isinstance(event.body, ResponseStarted))
        test.engine.execute(CancelAll())
        await test.listener.run_ends(3)
        test.engine.execute(Retry("s", "again"))
        await test.listener.run_ends(4)
        assert test.listener.bodies(RunStarted)[-1].prompt == "three"


async def test_what_came_before_a_broken_connection_is_kept_to_the_last_byte() -> None:
    lost = TransportError("the connection was lost", kind="connection-lost")
    open_frame = text_chunk("tok2").removesuffix(b"\n")
    transport = ScriptedTransport(ScriptedResponse(text_chunk("tok1 "), open_frame, lost))
    async with EngineUnderTest(transport) as test:
        open_and_send(test, "hi")
        await test.listener.run_ends()
        assert shown_text(test.listener.bodies(Chunk)) == "tok1 tok2"
        [end] = test.listener.bodies(RunCutOff)
        assert end.error.kind == "connection-lost"
        assert end.metrics.text_chars == 9


async def test_an_end_marker_without_its_blank_line_counts_when_the_connection_breaks() -> None:
    lost = TransportError("the connection was lost", kind="connection-lost")
    transport = ScriptedTransport(ScriptedResponse(text_chunk("all"), b"data: [DONE]\n", lost))
    async with EngineUnderTest(transport) as test:
        open_and_send(test, "hi")
        await test.listener.run_ends()
        assert test.listener.bodies(RunCompleted)


async def test_a_cancel_after_the_end_marker_finds_a_finished_answer() -> None:
    transport = ScriptedTransport(ScriptedResponse(text_chunk("all"), FINISH, asyncio.Event()))
    async with EngineUnderTest(transport) as test:
        open_and_send(test, "hi")
        await test.listener.until(lambda event: isinstance(event.body, Chunk), 2)
        test.engine.execute(Cancel("s"))
        await test.listener.run_ends()
        assert test.listener.bodies(RunCompleted)


async def test_what_a_failed_attempt_said_is_not_said_of_the_next() -> None:
    failing = ScriptedResponse(USAGE, b'data: {"error":{"message":"busy","type":"overloaded"}}\n\n')
    transport = ScriptedTransport(failing, ScriptedResponse(text_chunk("ok"), FINISH, DONE))
    async with EngineUnderTest(transport) as test:
        open_and_send(test, "hi")
        await test.listener.run_ends()
        [end] = test.listener.bodies(RunCompleted)
        assert end.metrics.attempts == 2
        assert end.metrics.usage is None


async def test_a_delay_that_an_error_in_the_stream_asks_for_is_kept() -> None:
    error = {
        "error": {
            "message": "later",
            "status": "RESOURCE_EXHAUSTED",
            "details": [{"retryDelay": "0.2s"}],
        }
    }
    failing = ScriptedResponse(b"data: " + json.dumps(error).encode() + b"\n\n")
    async with EngineUnderTest(ScriptedTransport(failing, answer("ok"))) as test:
        open_and_send(test, "hi")
        await test.listener.run_ends()
        [retry] = test.listener.bodies(RetryScheduled)
        assert retry.delay == 0.2
