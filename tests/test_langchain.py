"""Typed events in, LangChain's dictionaries out: equal to recordings of langchain-core 1.7.2."""

import json
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtui.events import (
    AttemptFailed,
    Body,
    Chunk,
    Delta,
    ErrorInfo,
    Event,
    Finish,
    KeepAliveReceived,
    MalformedFrame,
    Metrics,
    ReasoningDelta,
    RefusalDelta,
    ResponseInfo,
    RunCompleted,
    RunCutOff,
    RunFailed,
    RunStarted,
    TextDelta,
    ToolCallDelta,
    UnknownFrame,
    Usage,
)
from streamtui.langchain import (
    EventFilter,
    EventTranslator,
    StreamEvent,
    text_pieces,
    to_plain,
)
from streamtui.message_chunk import AIMessageChunk

RECORDINGS = Path(__file__).parent / "events"
HELLO = ("Hello", " from", " the", " mock", " 你好", " 👩‍💻", " e\u0301", ".")
LLM_PARAMS: dict[str, object] = {"temperature": 0.7, "max_tokens": 256}
FAILED = RunFailed(ErrorInfo("error-midstream", "The server had an error"), Metrics())
COMPLETED = RunCompleted("stop", Metrics())


# --- bytes in, events out: what the engine says of the recordings' wire ----------------------


def events(bodies: Iterable[Body]) -> Iterator[Event]:
    for seq, body in zip(count(1), bodies, strict=False):
        yield Event(seq, 0.0, 0.0, "session", "01a2027a", body)


def llm_run(
    *pieces: str, prompt: str = "hi", model: str = "gpt-3.5-turbo-instruct", end: Body = FAILED
) -> list[Body]:
    """A run of a completions endpoint; a good end comes with its own empty chunk."""
    started = RunStarted(prompt, (), "openai", model, "openai-completions", LLM_PARAMS)
    bodies: list[Body] = [started, *(chunk(TextDelta(piece)) for piece in pieces)]
    if end is COMPLETED:
        bodies.append(chunk(TextDelta(""), Finish("stop")))
    return [*bodies, end]


def chat_run(
    *deltas: Delta, prompt: str, model: str = "gpt-4o-mini", end: Body = COMPLETED
) -> list[Body]:
    started = RunStarted(prompt, (), "openai", model, "openai-chat")
    role = chunk(ResponseInfo("chatcmpl-1", model), TextDelta(""))
    return [started, role, *map(chunk, deltas), end]


def chunk(*deltas: Delta) -> Chunk:
    return Chunk(deltas)


def texts(*pieces: str) -> list[Delta]:
    return [TextDelta(piece) for piece in pieces]


def finish(reason: str = "stop") -> Chunk:
    return chunk(TextDelta(""), Finish(reason))


def finished(bodies: list[Body]) -> list[Body]:
    """With the chunk that carries the finish reason, before the end."""
    return [*bodies[:-1], finish(), bodies[-1]]


HELLO_CHAT = chat_run(*texts(*HELLO), prompt="Tell me a joke")
THOUGHTS: list[Delta] = [ReasoningDelta(piece) for piece in HELLO[:3]]
USAGE = chunk(Usage(5, 8))

RUNS: dict[str, list[Body]] = {
    "openai_llm": llm_run(*HELLO, prompt="Tell me a joke", end=COMPLETED),
    "openai_chat": finished(HELLO_CHAT),
    "openai_chat_usage": [*finished(HELLO_CHAT)[:-1], USAGE, COMPLETED],
    "openai_chat_reason": finished(
        chat_run(*THOUGHTS, *texts(*HELLO[3:]), prompt="why?", model="reason")
    ),
    "error_err-mid_llm": llm_run(*HELLO[:3], model="err-mid"),
    "error_drop-mid_llm": llm_run(
        *HELLO[:3],
        model="drop-mid",
        end=RunCutOff(ErrorInfo("connection-lost", "the connection was lost"), Metrics()),
    ),
    "error_http-429_llm": llm_run(model="http-429"),
    "error_err-mid_chat": chat_run(*texts(*HELLO[:3]), prompt="hi", model="err-mid", end=FAILED),
    "early_break_llm": llm_run("w0 ", "w1 ", "w2 ", "w3 ", model="slow")[:-1],
}


def recorded(name: str) -> tuple[list[Any], Any]:
    """The events of a recording, and its outcome."""
    *lines, outcome = map(json.loads, (RECORDINGS / f"{name}.jsonl").read_text().splitlines())
    return [line["event"] for line in lines], outcome


def translate(bodies: list[Body], version: str, **options: Any) -> list[StreamEvent]:
    translator = EventTranslator(version, **options)
    return [said for event in events(bodies) for said in translator.feed(event)]


def comparable(event: Any) -> str:
    """An event as JSON, keys in their order, without what differs from run to run."""
    text = json.dumps(event, ensure_ascii=False).replace(event["run_id"], "RUN")
    event = json.loads(text)
    event["metadata"].pop("lc_versions", None)
    for value in event["data"].values():
        if isinstance(value, dict):
            value.pop("__type__", None)
    return json.dumps(event, ensure_ascii=False, indent=1)


def without_additions(event: StreamEvent) -> dict[str, Any]:
    """Without the reasoning, which LangChain's OpenAI models drop."""
    plain = to_plain(event)
    for value in plain["data"].values():
        if isinstance(value, dict) and "additional_kwargs" in value:
            value["additional_kwargs"] = {}
    return plain


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("name", RUNS)
def test_events_are_those_that_langchain_makes_of_the_same_wire(name: str, version: str) -> None:
    expected, _ = recorded(f"{name}_{version}")

    said = [without_additions(event) for event in translate(RUNS[name], version)]

    assert list(map(comparable, said)) == list(map(comparable, expected))


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_callers_name_tags_metadata_and_run_id_are_carried(version: str) -> None:
    started = RunStarted(
        "hi",
        (),
        "openai",
        "gpt-3.5-turbo-instruct",
        "openai-completions",
        LLM_PARAMS,
        name="named",
        tags=("t1",),
        metadata={"m": 1},
    )
    bodies = [started, *llm_run(*HELLO, end=COMPLETED)[1:]]
    run_id = "00000000-0000-0000-0000-000000000007"
    expected, _ = recorded(f"config_run_id_tags_metadata_{version}")

    said = translate(bodies, version, run_id=run_id)

    assert {event["run_id"] for event in said} == {run_id}
    assert list(map(comparable, said)) == list(map(comparable, expected))


# --- filters --------------------------------------------------------------------------------

FILTER_CASES = sorted(
    path.stem for path in RECORDINGS.glob("filter_*.jsonl") if "_none_" not in path.stem
)


@pytest.mark.parametrize("case", FILTER_CASES)
def test_filters_let_through_what_langchains_do(case: str) -> None:
    """Over the events of a whole chain: prompt, chat model, parser."""
    everything, _ = recorded(f"filter_none_{case[-2:]}")
    expected, outcome = recorded(case)
    event_filter = EventFilter(**outcome["kw"])

    seen = [
        (event["event"], event["name"])
        for event in everything
        if event_filter.lets_through(
            event["name"], event["event"][3:].rpartition("_")[0], event["tags"]
        )
    ]

    assert seen == [(event["event"], event["name"]) for event in expected]


def test_includes_are_alternatives_and_every_exclude_counts() -> None:
    either = EventFilter(include_names=["other"], include_types=["llm"])
    both = EventFilter(include_types=["llm"], exclude_tags=["secret"])

    assert either.lets_through("OpenAI", "llm", [])
    assert not both.lets_through("OpenAI", "llm", ["public", "secret"])
    assert not EventFilter(include_names=[]).lets_through("OpenAI", "llm", [])


def test_a_run_that_is_filtered_out_says_nothing() -> None:
    hidden = EventFilter(exclude_types=["chat_model"])

    assert translate(RUNS["openai_chat"], "v2", event_filter=hidden) == []


# --- the rest of the stream -----------------------------------------------------------------


def test_an_unknown_version_is_refused_in_langchains_words() -> None:
    with pytest.raises(NotImplementedError, match="Unsupported version: 'v9'"):
        EventTranslator("v9")


def test_what_came_before_the_answer_and_between_its_chunks_has_no_event() -> None:
    lost = AttemptFailed(1, ErrorInfo("connect", "no connection"))
    started, *rest = RUNS["openai_llm"]
    noisy = [
        started,
        lost,
        KeepAliveReceived("ping"),
        chunk(MalformedFrame("not JSON", "{")),
        chunk(UnknownFrame("", "{}")),
        *rest,
    ]

    assert translate(noisy, "v2") == translate(RUNS["openai_llm"], "v2")


def test_the_input_is_what_the_caller_passed() -> None:
    turns = [("user", "hi")]

    first, *_ = translate(RUNS["openai_chat"], "v2", run_input=turns)

    assert first["data"] == {"input": turns}


def test_reasoning_and_refusals_are_kept_where_other_langchain_models_put_them() -> None:
    bodies = chat_run(ReasoningDelta("hm"), RefusalDelta("no"), prompt="why?")

    *_, end = translate(finished(bodies), "v2")

    assert end["data"]["output"].additional_kwargs == {"reasoning_content": "hm", "refusal": "no"}


def test_a_merged_chunk_is_one_event_with_everything_in_it() -> None:
    deltas: tuple[Delta, ...] = (
        ResponseInfo("id", "m", "fp"),
        TextDelta("all at once"),
        ToolCallDelta(0, '{"a"', "call", "f"),
        TextDelta("!"),
        ToolCallDelta(0, ": 1}"),
        Finish("stop"),
        Usage(1, 2, 3, 4),
    )
    started = RunStarted("hi", (), "openai", "m", "openai-chat")

    _, piece, last, end = translate([started, Chunk(deltas, 7), COMPLETED], "v2")

    message = piece["data"]["chunk"]
    assert message.text == message.content == "all at once!"
    assert message.tool_calls == [
        {"name": "f", "args": {"a": 1}, "id": "call", "type": "tool_call"}
    ]
    assert message.response_metadata == {
        "finish_reason": "stop",
        "model_name": "m",
        "system_fingerprint": "fp",
        "model_provider": "openai",
    }
    assert message.usage_metadata == {
        "input_tokens": 1,
        "output_tokens": 2,
        "total_tokens": 3,
        "input_token_details": {"cache_read": 3},
        "output_token_details": {"reasoning": 4},
    }
    assert last["data"]["chunk"].chunk_position == "last"
    assert end["data"]["output"] == message


def test_counts_that_replace_each_other_add_up_to_the_last() -> None:
    """Gemini sends all counts again with each chunk, Anthropic those of the answer."""
    counts: tuple[Delta, ...] = (Usage(9, 1, 4), Usage(9, 5), Usage(9, 7, 4, 2))
    bodies = chat_run(*counts, prompt="hi")

    *_, end = translate(bodies, "v2")

    assert end["data"]["output"].usage_metadata == {
        "input_tokens": 9,
        "output_tokens": 7,
        "total_tokens": 16,
        "input_token_details": {"cache_read": 4},
        "output_token_details": {"reasoning": 2},
    }


def test_other_dialects_carry_the_names_of_langchains_models() -> None:
    started = RunStarted("hi", (), "claude", "sonnet", "anthropic")

    first, *_ = translate([started], "v2")

    assert first["name"] == "ChatAnthropic"
    assert first["metadata"]["ls_provider"] == "anthropic"


def test_chat_metadata_tells_the_limits_that_were_asked_for() -> None:
    params: dict[str, object] = {"temperature": 0, "max_completion_tokens": 9, "stop": ["\n"]}
    started = RunStarted("hi", (), "openai", "m", "openai-chat", params)

    first, *_ = translate([started], "v2")

    metadata = first["metadata"]
    assert list(metadata)[3:7] == ["ls_temperature", "ls_max_tokens", "ls_stop", "ls_integration"]
    assert (metadata["ls_temperature"], metadata["ls_max_tokens"]) == (0, 9)


def test_usage_is_a_piece_of_a_completion_only_if_the_caller_asked_for_it() -> None:
    """The engine asks for usage by itself; LangChain's `OpenAI` yields "" for it when told to."""
    plain = RunStarted("hi", (), "openai", "m", "openai-completions")
    asked = RunStarted(
        "hi", (), "openai", "m", "openai-completions", {"stream_options": {"include_usage": True}}
    )

    assert text_pieces(plain, USAGE) == []
    assert text_pieces(asked, USAGE) == [""]


# --- message chunks -------------------------------------------------------------------------


def test_chunks_add_up_one_by_one_and_all_at_once() -> None:
    messages = [
        event["data"]["chunk"] for event in translate(RUNS["openai_chat_usage"], "v1")[1:-1]
    ]

    one_by_one = messages[0]
    for message in messages[1:]:
        one_by_one += message

    assert one_by_one == messages[0] + messages[1:]
    assert one_by_one == translate(RUNS["openai_chat_usage"], "v1")[-1]["data"]["output"]


def test_an_id_of_the_providers_wins_over_those_of_the_run() -> None:
    ours, theirs = AIMessageChunk("", id="lc_run--1"), AIMessageChunk("", id="msg_1")

    assert (ours + theirs).id == "msg_1"
    assert (AIMessageChunk("", id="lc_1") + ours).id == "lc_run--1"


@pytest.mark.parametrize("args", ["[1]", '{"a": }}', "no JSON", '{"a"]', "9" * 5000])
def test_arguments_that_begin_no_object_make_an_invalid_call(args: str) -> None:
    piece = {"name": "f", "args": args, "id": "1", "index": 0, "type": "tool_call_chunk"}

    message = AIMessageChunk("", tool_call_chunks=[piece])

    assert message.tool_calls == []
    assert message.invalid_tool_calls == [
        {"name": "f", "args": args, "id": "1", "error": None, "type": "invalid_tool_call"}
    ]


HOSTILE = {
    "colons": '{"a": 1' + ":" * 200_000,
    "brackets": "[" * 200_000,
    "blanks": '{"a"' + " " * 200_000,
    "no prefix parses": '{"a": [' + "1," * 100_000 + "x{",
}


@pytest.mark.parametrize("args", HOSTILE.values(), ids=HOSTILE)
def test_hostile_arguments_are_read_in_reasonable_time(args: str) -> None:
    piece = {"name": "f", "args": args, "id": "1", "index": 0, "type": "tool_call_chunk"}

    AIMessageChunk("", tool_call_chunks=[piece])  # the timeout of the test is the assertion


# --- against the library itself -------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


def fragments() -> st.SearchStrategy[str]:
    """Beginnings, middles and ends of JSON, and what only looks like it."""
    json_text = st.builds(json.dumps, VALUES, ensure_ascii=st.booleans())
    cut = st.tuples(json_text, st.integers(0, 20), st.integers(0, 60)).map(
        lambda parts: parts[0][parts[1] % (len(parts[0]) + 1) :][: parts[2]]
    )
    return cut | json_text | st.text('{}[]":,\\ \n1eE-.tnulfI', max_size=30)


@given(fragments())
def test_arguments_are_read_as_langchain_reads_them(args: str) -> None:
    messages = pytest.importorskip("langchain_core.messages")
    piece = {"name": "f", "args": args, "id": "1", "index": 0, "type": "tool_call_chunk"}

    ours = AIMessageChunk("", tool_call_chunks=[dict(piece)])
    theirs = messages.AIMessageChunk(content="", tool_call_chunks=[dict(piece)])

    assert json.dumps(ours.to_dict()) == json.dumps(theirs.model_dump())


PIECES: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict,
    name=st.none() | st.just("f"),
    args=st.sampled_from(["", '{"a"', ': "b', '"}', "x"]),
    id=st.none() | st.sampled_from(["1", "2"]),
    index=st.none() | st.integers(0, 2),
    type=st.just("tool_call_chunk"),
)


@given(st.lists(st.lists(PIECES, max_size=3), min_size=1, max_size=5))
def test_tool_calls_are_joined_as_langchain_joins_them(answer: list[list[dict[str, Any]]]) -> None:
    messages = pytest.importorskip("langchain_core.messages")

    ours = [AIMessageChunk("x", tool_call_chunks=[dict(p) for p in pieces]) for pieces in answer]
    theirs = [
        messages.AIMessageChunk(content="x", tool_call_chunks=[dict(p) for p in pieces])
        for pieces in answer
    ]

    assert (ours[0] + ours[1:]).to_dict() == (theirs[0] + theirs[1:]).model_dump()
