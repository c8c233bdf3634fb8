import json
from typing import Any

import pytest

from streamtui.config import Endpoint
from streamtui.engine.dialects import DIALECTS
from streamtui.engine.dialects.base import Resumption
from streamtui.engine.doors import OpenSession, Send
from streamtui.engine.framing import Position
from streamtui.engine.reader import AnswerReader
from streamtui.errors import ProviderError, TransportError
from streamtui.events import (
    Delta,
    RunCompleted,
    RunCutOff,
    RunFailed,
    TextDelta,
    ToolCallDelta,
    UnknownFrame,
)
from tests.engine.dialects.speaking import TURNS, ask, whole_answer
from tests.engine.test_reader import outcome, read_deltas
from tests.scripted import EngineUnderTest, ScriptedResponse, ScriptedTransport, Step

METADATA = ("metadata", {"run_id": "r", "attempt": 1})
HUMAN = {"type": "human", "content": "hi", "id": "h"}


def ai(content: str, *, key: str = "m", **rest: Any) -> dict[str, Any]:
    return {"type": "ai", "content": content, "id": key, **rest}


def body(*frames: tuple[str, object]) -> bytes:
    texts = (f"event: {name}\r\ndata: {json.dumps(data)}\r\n\r\n" for name, data in frames)
    return "".join(texts).encode()


def read(*frames: tuple[str, object]) -> dict[str, Any]:
    return outcome(*read_deltas(DIALECTS["langgraph"], [body(METADATA, *frames)]))


# Requests


@pytest.mark.parametrize(
    ("params", "changed"),
    [
        ({"assistant_id": "bot"}, {"assistant_id": "bot"}),
        ({"stream_mode": "values"}, {"stream_mode": ["values"]}),
        ({"stream_mode": ["values", "custom"]}, {"stream_mode": ["values", "custom"]}),
        ({"interrupt_before": ["tools"]}, {"interrupt_before": ["tools"]}),
    ],
)
def test_params_choose_assistant_and_modes_and_the_rest_is_sent(
    params: dict[str, object], changed: dict[str, object]
) -> None:
    turn = {"role": "user", "content": "hi"}
    usual = {
        "assistant_id": "agent",
        "input": {"messages": [turn]},
        "stream_mode": ["messages-tuple"],
    }
    assert ask("langgraph", TURNS[1:2], params=params)["body"] == usual | changed


def test_thread_remembers_what_was_said_before() -> None:
    request = ask("langgraph", params={"thread_id": "a/b"})
    assert request["path"] == "/threads/a%2Fb/runs/stream"
    assert request["body"]["input"] == {"messages": [{"role": "user", "content": "again"}]}
    assert "thread_id" not in request["body"]
    first = ask("langgraph", TURNS[:2], params={"thread_id": "t"})
    assert [turn["role"] for turn in first["body"]["input"]["messages"]] == ["system", "user"]


# Streams


def test_clean_end_is_the_end_marker_only_after_the_metadata() -> None:
    update = ("custom", {"progress": 1})
    assert read(update)["error"] is None
    _, error = read_deltas(DIALECTS["langgraph"], [body(update)])
    assert error is not None
    assert error.kind == "truncated"


def test_answer_is_not_complete_before_its_end() -> None:
    """So that a connection that breaks makes it a failure."""
    reader = AnswerReader(DIALECTS["langgraph"])
    list(reader.feed(body(METADATA, ("messages/partial", [ai("Hi")]))))
    assert not reader.complete
    list(reader.close())
    assert not reader.complete
    assert reader.verdict() is None


def test_partial_messages_add_only_what_is_new() -> None:
    partial = [("messages/partial", [ai(text)]) for text in ("He", "Hello", "Hello")]
    result = read(*partial, ("messages/complete", [ai("Hello!")]))
    assert result["text"] == "Hello!"


def test_half_a_character_waits_for_its_other_half() -> None:
    partial = [("messages/partial", [ai(text)]) for text in ("a\ud83d", "a\N{GRINNING FACE}b")]
    assert read(*partial)["text"] == "a\N{GRINNING FACE}b"


def test_whole_message_after_its_pieces_is_not_said_twice() -> None:
    piece = {"type": "AIMessageChunk", "content": "Hello", "id": "m"}
    assert read(("messages", [piece, {}]), ("messages", [ai("Hello"), {}]))["text"] == "Hello"


def test_calls_that_grow_are_told_once() -> None:
    calls = [[{"id": "c", "name": "f", "args": args}] for args in ({}, {"a": 1})]
    result = read(*[("messages/partial", [ai("", tool_calls=call)]) for call in calls])
    assert result["tool_calls"] == [["c", "f", '{"a":1}']]


def test_messages_of_tools_are_no_text() -> None:
    tool = {"type": "tool", "content": "42", "tool_call_id": "c"}
    assert read(("messages", [tool, {}]), ("messages", [ai("So, 42"), {}]))["text"] == "So, 42"


def test_subgraphs_speak_too_but_their_state_is_not_the_answer() -> None:
    said = read(("messages|sub:1", [ai("Hi"), {}]))
    assert said["text"] == "Hi"
    assert read(("values|sub:1", {"messages": [HUMAN, ai("Hi")]}))["text"] == ""


@pytest.mark.parametrize(
    "frames",
    [
        [("values", {"messages": [HUMAN]}), ("values", {"messages": [HUMAN, ai("Hi")]})],
        [("updates", {"a": {"messages": [ai("no")]}}), ("updates", {"b": {"messages": ai("Hi")}})],
        [("updates", {"a": {"messages": [ai("Hi")]}}), ("updates", {"b": None})],
        [("values", {"messages": [HUMAN, ai("Hi")]}), ("values", {"messages": [HUMAN]})],
    ],
)
def test_last_answer_of_the_state_is_text_when_none_was_streamed(
    frames: list[tuple[str, object]],
) -> None:
    assert read(*frames)["text"] == "Hi"


def test_answer_of_an_earlier_question_is_none() -> None:
    assert read(("values", {"messages": [ai("old"), HUMAN]}))["text"] == ""


def test_state_with_an_error_in_it_is_no_error() -> None:
    result = read(("values", {"error": "kept for later"}), ("tasks", {"error": "ValueError()"}))
    assert result["error"] is None


def test_error_names_its_exception() -> None:
    result = read(("error", {"error": "ValueError", "message": "boom in node"}))
    assert result["error"] == ["error-midstream", "ValueError: boom in node"]


def test_other_modes_are_told_by_name() -> None:
    deltas: list[Delta]
    deltas, _ = read_deltas(DIALECTS["langgraph"], [body(METADATA, ("debug", {}), ("custom", 5))])
    assert [delta.event for delta in deltas if isinstance(delta, UnknownFrame)] == [
        "debug",
        "custom",
    ]


# Runs

SAID = body(METADATA, ("messages/partial", [ai("Hi")]))
BROKEN = TransportError("connection lost", kind="connection-lost", retryable=True)


@pytest.mark.parametrize(
    ("dialect", "steps", "end", "kind"),
    [
        ("langgraph", [SAID], RunCompleted, None),
        ("langgraph", [SAID, BROKEN], RunCutOff, "connection-lost"),
        ("langserve", [b'data: "Hi"\n\nevent: end\n\n', BROKEN], RunCompleted, None),
        # LangServe kills the connection after it has sent an error.
        (
            "langserve",
            [b'data: "Hi"\n\nevent: error\ndata: {}\n\n', BROKEN],
            RunFailed,
            "error-midstream",
        ),
    ],
)
async def test_end_of_a_run(dialect: str, steps: list[Step], end: type, kind: str | None) -> None:
    transport = ScriptedTransport(ScriptedResponse(*steps))
    async with EngineUnderTest(transport) as test:
        test.engine.execute(OpenSession("s", Endpoint("e", dialect, "http://mock.invalid", "m")))
        test.engine.execute(Send("s", "r", "hi"))
        await test.listener.run_ends()
        (ended,) = (fact for fact in test.listener.bodies() if isinstance(fact, end))
    assert isinstance(ended, RunCompleted | RunCutOff | RunFailed)
    assert ended.metrics.text_chars == 2
    assert isinstance(ended, RunCompleted) or ended.error.kind == kind


async def test_error_of_a_node_is_not_tried_again() -> None:
    failed = body(METADATA, ("error", {"error": "ValueError", "message": "boom in node"}))
    transport = ScriptedTransport(ScriptedResponse(failed), ScriptedResponse(SAID))
    async with EngineUnderTest(transport) as test:
        fallback = Endpoint("other", "langgraph", "http://mock.invalid", "m")
        endpoint = Endpoint("e", "langgraph", "http://mock.invalid", "m", fallbacks=(fallback,))
        test.engine.execute(OpenSession("s", endpoint))
        test.engine.execute(Send("s", "r", "hi"))
        await test.listener.run_ends()
        [end] = test.listener.bodies(RunFailed)
        assert end.error.message == "ValueError: boom in node"
        assert len(transport.requests) == 1


# Joining again

THREAD = {"thread_id": "t", "stream_resumable": True}
LOCATION = "/threads/t-1/runs/r_2/stream"


def join_again(
    location: str = LOCATION, last_event_id: str = "1-0", **params: object
) -> Resumption | None:
    endpoint = Endpoint("e", "langgraph", "https://host/graph", params=THREAD | params)
    asked = DIALECTS["langgraph"].build_request(endpoint, TURNS)
    headers = {"location": location} if location else {}
    position = Position(last_event_id)
    return DIALECTS["langgraph"].resumption(endpoint, asked, headers, position)


def test_run_is_joined_again_where_its_stream_broke_off() -> None:
    joining = join_again()
    assert joining is not None
    assert (joining.request.method, joining.request.path) == ("GET", LOCATION)
    assert joining.request.headers["Last-Event-ID"] == "1-0"
    assert not joining.request.subscribes
    assert (joining.delay, joining.most_tries) == (0, 5)


def test_run_that_was_joined_again_keeps_its_path() -> None:
    joining = join_again()
    assert joining is not None
    endpoint = Endpoint("e", "langgraph", "https://host/graph", params=THREAD)
    position = Position("2-0")
    again = DIALECTS["langgraph"].resumption(endpoint, joining.request, {}, position)
    assert again is not None
    assert again.request.path == LOCATION
    assert again.request.headers["Last-Event-ID"] == "2-0"


@pytest.mark.parametrize(
    "location",
    [
        "",
        f"https://evil.example{LOCATION}",
        f"//evil.example{LOCATION}",
        f"@evil.example{LOCATION}",
        f".evil.example{LOCATION}",
        f"{LOCATION}?to=//evil.example",
        "/threads/../../runs/r/stream",
        "/threads/t/runs/r\u00e9/stream",
        "/runs/r/stream",
        f"{LOCATION}\n",
    ],
)
def test_keys_go_nowhere_but_to_the_path_of_a_run(location: str) -> None:
    assert join_again(location) is None


def test_run_is_not_joined_again_unless_its_events_are_kept() -> None:
    assert join_again(stream_resumable=False) is None
    assert join_again(last_event_id="") is None


# Whole answers


def test_state_in_one_piece_is_an_answer() -> None:
    call = {"id": "c", "name": "f", "args": {}}
    state = {"messages": [HUMAN, ai("Hi", tool_calls=[call])]}
    assert whole_answer("langgraph", state) == [TextDelta("Hi")]
    document = json.dumps(state).encode()
    deltas, error = read_deltas(DIALECTS["langgraph"], [document])
    assert error is None
    assert deltas == [TextDelta("Hi"), ToolCallDelta(0, "{}", "c", "f")]


def test_error_in_one_piece_is_one() -> None:
    with pytest.raises(ProviderError, match="boom"):
        whole_answer("langgraph", {"error": "boom"})
