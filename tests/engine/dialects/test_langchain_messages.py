"""What LangServe and LangGraph have in common: messages, events, and what the end still adds."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamtui.engine.dialects import DIALECTS
from streamtui.engine.dialects.base import Decoder
from streamtui.events import (
    Delta,
    Finish,
    ReasoningDelta,
    RefusalDelta,
    ServerEvent,
    TextDelta,
    ToolCallDelta,
    UnknownFrame,
    Usage,
)
from tests.engine.dialects.speaking import feed
from tests.engine.test_reader import LEAVES, read_deltas, without_pieces


def chunk(content: object = "", *, key: str = "m", **rest: Any) -> dict[str, Any]:
    return {"type": "AIMessageChunk", "content": content, "id": key, **rest}


def event(name: str, *, run_id: str = "root", parents: tuple[str, ...] = (), **data: Any) -> Any:
    return {"event": name, "run_id": run_id, "parent_ids": list(parents), "data": data}


def langserve(*values: Any) -> list[Delta]:
    """What a stream of LangServe adds, its end included."""
    decoder = DIALECTS["langserve"].decoder()
    return [*feed(decoder, *values, event="data"), *decoder.close()]


def shown(deltas: list[Delta]) -> list[Delta]:
    return [delta for delta in deltas if not isinstance(delta, UnknownFrame | ServerEvent)]


# Messages


@pytest.mark.parametrize(
    ("content", "deltas"),
    [
        ("Hi", [TextDelta("Hi")]),
        (["a", {"type": "text", "text": "b"}], [TextDelta("ab")]),
        ([{"type": "thinking", "thinking": "hm"}], [ReasoningDelta("hm")]),
        ([{"type": "reasoning", "reasoning": "hm"}], [ReasoningDelta("hm")]),
        ([{"type": "reasoning", "summary": [{"text": "hm"}]}], [ReasoningDelta("hm")]),
        ([{"type": "refusal", "refusal": "No"}], [RefusalDelta("No")]),
        ([{"type": "input_json_delta", "partial_json": "{"}], []),
        (None, []),
    ],
)
def test_content_is_text_or_parts(content: object, deltas: list[Delta]) -> None:
    assert langserve(chunk(content)) == deltas


def test_reasoning_may_stand_beside_the_content() -> None:
    extra = {"reasoning_content": "hm", "refusal": "No"}
    assert langserve(chunk("Hi", additional_kwargs=extra)) == [
        ReasoningDelta("hm"),
        TextDelta("Hi"),
        RefusalDelta("No"),
    ]


def test_calls_of_two_messages_are_kept_apart() -> None:
    first = {"index": 0, "id": "c1", "name": "f", "args": ""}
    rest = {"index": 0, "id": None, "name": None, "args": '{"a":1}'}
    other = {"index": 0, "id": "c2", "name": "g", "args": "{}"}
    assert langserve(
        chunk(tool_call_chunks=[first]),
        chunk(tool_call_chunks=[rest]),
        chunk(key="n", tool_call_chunks=[other]),
    ) == [
        ToolCallDelta(0, "", "c1", "f"),
        ToolCallDelta(0, '{"a":1}'),
        ToolCallDelta(1, "{}", "c2", "g"),
    ]


def test_piece_of_a_call_without_a_place_belongs_to_the_last_one() -> None:
    first = {"index": None, "id": "c1", "name": "f", "args": "{"}
    rest = {"index": None, "id": None, "name": None, "args": "}"}
    assert langserve(chunk(tool_call_chunks=[first]), chunk(tool_call_chunks=[rest])) == [
        ToolCallDelta(0, "{", "c1", "f"),
        ToolCallDelta(0, "}"),
    ]


def test_counts_of_pieces_and_of_messages_are_added_up() -> None:
    asked = {"input_tokens": 9, "output_tokens": 0, "input_token_details": {"cache_read": 4}}
    said = {"input_tokens": 0, "output_tokens": 5, "output_token_details": {"reasoning": 2}}
    other = {"input_tokens": 1, "output_tokens": 1}
    assert langserve(
        chunk(usage_metadata=asked),
        chunk(usage_metadata=said),
        chunk(key="n", usage_metadata=other),
    ) == [
        Usage(9, 0, cached=4),
        Usage(9, 5, cached=4, reasoning=2),
        Usage(10, 6, cached=4, reasoning=2),
    ]


def test_reason_of_a_model_ends_no_run() -> None:
    decoder = DIALECTS["langserve"].decoder()
    about = {"finish_reason": "tool_calls"}
    assert feed(decoder, chunk(response_metadata=about), event="data") == [Finish("tool_calls")]
    assert not decoder.complete


def test_messages_are_paragraphs() -> None:
    said = langserve(chunk("One"), chunk(" more"), chunk("Two", key="n"), chunk("!"))
    assert said == [TextDelta("One"), TextDelta(" more"), TextDelta("\n\nTwo"), TextDelta("!")]


def test_messages_of_others_are_no_text() -> None:
    (delta,) = langserve({"type": "human", "content": "hi"})
    assert isinstance(delta, UnknownFrame)


# Events


def test_events_are_told_whole_before_their_text() -> None:
    events = [
        event("on_chain_start", input="hi" * 1000),
        event("on_chat_model_stream", run_id="x", parents=("root",), chunk=chunk("Hi")),
        {"event": "on_custom_event", "name": "progress", "data": 0.5, "run_id": "root"},
    ]
    start, stream, text, custom = langserve(*events)
    assert text == TextDelta("Hi")
    for told, sent in zip((start, stream, custom), events, strict=True):
        assert isinstance(told, ServerEvent)
        assert (told.event, json.loads(told.data)) == (sent["event"], sent)


@pytest.mark.parametrize("piece", ["Hi", {"type": "GenerationChunk", "text": "Hi"}])
def test_pieces_of_a_plain_model_are_texts_or_generations(piece: object) -> None:
    assert shown(langserve(event("on_llm_stream", chunk=piece))) == [TextDelta("Hi")]


def test_what_the_root_makes_of_a_model_is_not_said_twice() -> None:
    said = langserve(
        event("on_chain_start", input="hi"),
        event("on_chat_model_stream", run_id="x", parents=("root",), chunk=chunk("Hi")),
        event("on_chain_stream", chunk="Hi"),
        event("on_chain_end", output="Hi"),
    )
    assert shown(said) == [TextDelta("Hi")]


def test_root_is_heard_where_no_model_streams() -> None:
    said = langserve(
        event("on_chain_start", input="hi"),
        event("on_chain_stream", run_id="x", parents=("root",), chunk="a child"),
        event("on_chain_stream", chunk="He"),
        event("on_chain_stream", chunk="llo"),
        event("on_chain_end", output="Hello"),
    )
    assert shown(said) == [TextDelta("He"), TextDelta("llo")]


@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("on_chain_end", "Hello"),
        ("on_chat_model_end", {"type": "ai", "content": "Hello"}),
        ("on_llm_end", {"generations": [[{"text": "Hello"}]]}),
        ("on_llm_end", {"generations": [[{"message": chunk("Hello"), "text": "?"}]]}),
        ("on_chain_end", {"messages": [{"type": "human"}, {"type": "ai", "content": "Hello"}]}),
    ],
)
def test_answer_that_nobody_streamed_is_told_at_the_end(name: str, output: object) -> None:
    said = langserve(event("on_chain_start", input="hi"), event(name, output=output))
    assert shown(said) == [TextDelta("Hello")]


def test_end_of_a_step_is_no_answer() -> None:
    said = langserve(
        event("on_chain_start", input="hi"),
        event("on_prompt_end", run_id="x", parents=("root",), output={"text": "Say hi"}),
        event("on_chain_end", run_id="y", parents=("root",), output="half-way"),
    )
    assert shown(said) == []


# Anything

KEYS = """
    additional_kwargs args chunk content data event final_output generations id index
    input_token_details input_tokens message messages name op ops output output_token_details
    output_tokens parent_ids path reasoning response_metadata run_id summary text tool_call_chunks
    tool_calls type usage_metadata value
""".split()  # noqa: SIM905 - a list would fill the screen
WORDS = """
    AIMessageChunk Generation add ai human on_chain_end on_chain_stream on_chat_model_end
    on_chat_model_stream on_llm_end on_llm_stream reasoning refusal root text thinking
    /final_output /streamed_output/-
""".split()  # noqa: SIM905
FRAMES = """
    custom data error events messages messages/complete messages/partial metadata updates values
    values|sub
""".split()  # noqa: SIM905


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    members = st.dictionaries(st.sampled_from(KEYS), inner, max_size=5)
    message = st.builds(
        lambda rest, kind: {"content": "x", **rest, "type": kind},
        members,
        st.sampled_from(["ai", "AIMessageChunk"]),
    )
    named = st.builds(
        lambda data, name, rest: {**rest, "event": name, "data": data},
        members,
        st.sampled_from(WORDS),
        members,
    )
    return st.lists(inner, max_size=3) | members | message | named


@settings(max_examples=400)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(FRAMES),
            st.recursive(LEAVES | st.sampled_from(WORDS), objects, max_leaves=12),
        ),
        max_size=4,
    )
)
def test_arbitrary_frames_never_end_in_another_exception(frames: list[tuple[str, Any]]) -> None:
    body = "".join(f"event: {name}\r\ndata: {json.dumps(value)}\r\n\r\n" for name, value in frames)
    for dialect in ("langgraph", "langserve", "sse"):
        deltas, _ = read_deltas(DIALECTS[dialect], [body.encode()])
        msgspec.msgpack.encode([without_pieces(delta) for delta in deltas])


@pytest.mark.parametrize("frame", ["data", "events", "messages", "updates", "values"])
def test_nesting_of_any_depth_never_ends_in_another_exception(frame: str) -> None:
    for depth in (*range(850, 1000, 7), 5000):
        deep = "[" * depth + "]" * depth
        call = f'{{"name":"f","id":"c","index":{deep},"args":{{"a":{deep}}}}}'
        message = f'{{"type":"ai","content":{deep},"tool_calls":[{call}],"tool_call_chunks":[{call}],"response_metadata":{{"finish_reason":{deep}}}}}'
        for value in (message, f"[{message}]", f'{{"messages":[{message}]}}'):
            body = f"event: {frame}\ndata: {value}\n\n".encode()
            read_deltas(DIALECTS["langserve"], [body])
            read_deltas(DIALECTS["langgraph"], [body])


def test_decoders_that_have_no_end_marker_say_so() -> None:
    def decoder(name: str) -> Decoder:
        return DIALECTS[name].decoder()

    ends = {name for name in DIALECTS if decoder(name).ends_with_body}
    assert ends == {"sse"}
