"""LangChain's messages and events as JSON, the server's side: for LangServe and LangGraph. No I/O.

Source: https://reference.langchain.com/python/langchain_core/messages/.
"""

from collections.abc import Iterable
from typing import Any, Literal, assert_never

from msgspec import json

from streamtui.demo.dialect import Answer, Refusal, arguments_object
from streamtui.demo.question import Turn
from streamtui.demo.scripts import CallArguments, CallStarted, Ending, Said, Step, Thought, Usage
from streamtui.ids import new_id

_KINDS = {
    "human": "human",
    "user": "human",
    "ai": "ai",
    "assistant": "ai",
    "system": "system",
    "developer": "system",
    "tool": "tool",
}
_ROLES = {"human": "user", "ai": "assistant", "system": "system", "tool": "tool"}


def crlf_event(kind: str, value: Any = None) -> bytes:
    """One event as sse-starlette writes it; without a value it has no data."""
    data = b"" if value is None else b"data: %b\r\n" % json.encode(value)
    return b"event: %b\r\n%b\r\n" % (kind.encode(), data)


# What comes in


def read_messages(given: Any) -> list[dict[str, Any]]:
    """The messages in an input of any usual shape; raises `Refusal` (400).

    A text, one message, a list of messages, a state with `messages`, or the variables of a prompt,
    of which the first text is taken for the question.
    """
    match given:
        case None:
            return []
        case {"messages": messages}:
            return read_messages(messages)
        case list():
            return [_read_message(message) for message in given]
        case dict() if "content" not in given:
            return [_read_message(_first_text(given))]
        case _:
            return [_read_message(given)]


def turn_of(message: dict[str, Any]) -> Turn:
    """What a message says, to a script."""
    parts = message["content"]
    text = parts if isinstance(parts, str) else "".join(map(_part_text, parts))
    return Turn(_ROLES[message["type"]], text)


def _read_message(given: Any) -> dict[str, Any]:
    word, content = _word_and_content(given)
    kind = _KINDS.get(word.lower().removesuffix("chunk").removesuffix("message"))
    if kind is None:
        raise _no_message(f"of the unknown kind {word!r}")
    if not isinstance(content, str | list | None):
        raise _no_message("of a content that is neither a text nor a list")
    more = given if isinstance(given, dict) else {}
    answered = {"tool_call_id": more.get("tool_call_id")} if kind == "tool" else {}
    return message_object(kind, content or "", more.get("id") or new_id(), **answered)


def _word_and_content(given: Any) -> tuple[str, Any]:
    match given:
        case str():
            return "human", given
        case [str() as word, content]:
            return word, content
        case {"type": str() as word, "content": content}:
            return word, content
        case {"role": str() as word, "content": content}:
            return word, content
        case _:
            raise _no_message("neither a text nor a kind and a content")


def _no_message(complaint: str) -> Refusal:
    return Refusal(400, f"Invalid request: a message is {complaint}.", param="input")


def _first_text(variables: dict[str, Any]) -> str:
    text = next((value for value in variables.values() if isinstance(value, str)), None)
    if text is None:
        raise Refusal(400, "Invalid request: nothing in the input is a text.", param="input")
    return text


def _part_text(part: Any) -> str:
    text = part.get("text") if isinstance(part, dict) else part
    return text if isinstance(text, str) else ""


# What goes out


def message_object(
    kind: str, content: str | list[Any], message_id: str, /, **fields: Any
) -> dict[str, Any]:
    """What all messages have, and what this one has besides."""
    empty: dict[str, Any] = {"additional_kwargs": {}, "response_metadata": {}}
    return {"content": content} | empty | {"type": kind, "name": None, "id": message_id} | fields


def chunk_object(message_id: str, **fields: Any) -> dict[str, Any]:
    """An AIMessageChunk, empty but for the fields."""
    empty = _NOTHING_CALLED | {"tool_call_chunks": [], "chunk_position": None}
    return message_object("AIMessageChunk", "", message_id, **empty | fields)


_NOTHING_CALLED: dict[str, Any] = {
    "tool_calls": [],
    "invalid_tool_calls": [],
    "usage_metadata": None,
}


def step_chunk(message_id: str, step: Step) -> dict[str, Any]:
    """One step as a chunk."""
    match step:
        case Thought(text):
            return chunk_object(message_id, additional_kwargs={"reasoning_content": text})
        case Said(text):
            return chunk_object(message_id, content=text)
        case CallStarted(call_id, name):
            # LangChain reads each piece as if it were all: this one as a call without arguments.
            called = _tool_call(call_id, name, {})
            return _call_chunk(message_id, "", call_id, name) | {"tool_calls": [called]}
        case CallArguments(fragment):
            return _call_chunk(message_id, fragment)
        case _:
            assert_never(step)


def end_chunks(message_id: str, ending: Ending, usage: Usage, model: str) -> list[dict[str, Any]]:
    """What follows the last step: reason and counts, and an empty chunk that is marked the last."""
    return [
        chunk_object(message_id, **_end_fields(ending, usage, model)),
        chunk_object(message_id, chunk_position="last"),
    ]


def answer_object(
    message_id: str, answer: Answer, end: tuple[Ending, Usage] | None, model: str
) -> dict[str, Any]:
    """The whole answer as an AIMessage; what there is of it, when it has no end yet."""
    thoughts = {"reasoning_content": answer.thoughts} if answer.thoughts else {}
    called = _called(answer, is_whole=end is not None)
    fields = _NOTHING_CALLED | called | (_end_fields(*end, model) if end else {})
    return message_object("ai", answer.text, message_id, additional_kwargs=thoughts, **fields)


def _end_fields(ending: Ending, usage: Usage, model: str) -> dict[str, Any]:
    return {
        "response_metadata": {"finish_reason": ending.value, "model_name": model},
        "usage_metadata": {
            "input_tokens": usage.input,
            "output_tokens": usage.output,
            "total_tokens": usage.input + usage.output,
            "output_token_details": {"reasoning": usage.reasoning},
        },
    }


def _call_chunk(
    message_id: str, fragment: str, call_id: str | None = None, name: str | None = None
) -> dict[str, Any]:
    piece = {"name": name, "args": fragment, "id": call_id, "index": 0, "type": "tool_call_chunk"}
    return chunk_object(message_id, tool_call_chunks=[piece])


def _called(answer: Answer, *, is_whole: bool) -> dict[str, Any]:
    """The call; while it grows without arguments, and among the invalid ones if it stays cut."""
    if answer.call is None:
        return {}
    call_id, name = answer.call.call_id, answer.call.name
    arguments = arguments_object(answer.arguments)
    if is_whole and arguments is None:
        cut = {"name": name, "args": answer.arguments, "id": call_id, "error": None}
        return {"invalid_tool_calls": [cut | {"type": "invalid_tool_call"}]}
    return {"tool_calls": [_tool_call(call_id, name, arguments or {})]}


def _tool_call(call_id: str, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "args": arguments, "id": call_id, "type": "tool_call"}


# Events of `astream_events`

RunKind = Literal["llm", "chat_model", "chain"]


def event_object(
    name: str, run: dict[str, Any], parents: Iterable[str] = (), **data: Any
) -> dict[str, Any]:
    """One event; the run's dictionary holds name, run_id, tags and metadata."""
    return {"event": name, "data": data, **run, "parent_ids": list(parents)}
