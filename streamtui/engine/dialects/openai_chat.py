"""OpenAI's chat completions: `POST {base}/chat/completions`, and the servers that imitate it.

Source: https://platform.openai.com/docs/api-reference/chat.
"""

from typing import Any

from streamtui.config import Endpoint
from streamtui.engine.dialects.base import (
    Request,
    as_count,
    as_dict,
    as_list,
    as_text,
    as_words,
)
from streamtui.engine.dialects.openai_wire import OpenAIDecoder, OpenAIDialect, build_request
from streamtui.engine.dialects.requests import as_objects
from streamtui.events import (
    Delta,
    Message,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
)


class ChatDecoder(OpenAIDecoder):
    """Reads `choices[0].delta`, or `.message` of an answer that came in one piece."""

    def _read_choice(self, choice: dict[str, Any]) -> list[Delta]:
        delta = as_dict(choice.get("delta") or choice.get("message"))
        deltas: list[Delta] = []
        if reasoning := _read_reasoning(delta):
            deltas.append(ReasoningDelta(reasoning))
        deltas += _read_content(delta.get("content"))
        if refusal := as_text(delta.get("refusal")):
            deltas.append(RefusalDelta(refusal))
        deltas += _read_tool_calls(delta)
        # A chunk that only names the role still is a chunk: callers count and forward it.
        return deltas or [TextDelta("")]


def _read_reasoning(delta: dict[str, Any]) -> str:
    """`reasoning_content` of DeepSeek and llama.cpp, `reasoning` of vLLM, Groq and OpenRouter."""
    return as_text(delta.get("reasoning_content")) or as_text(delta.get("reasoning"))


def _read_content(content: object) -> list[Delta]:
    if isinstance(content, str):
        return [TextDelta(content)] if content else []
    return [part for item in as_list(content) for part in _read_part(as_dict(item))]


def _read_part(part: dict[str, Any]) -> list[Delta]:
    """Mistral's content parts: text, or thinking that is itself a list of parts."""
    if part.get("type") == "thinking":
        thoughts = map(as_dict, as_list(part.get("thinking")))
        return [ReasoningDelta("".join(as_text(thought.get("text")) for thought in thoughts))]
    text = as_text(part.get("text"))
    return [TextDelta(text)] if text else []


def _read_tool_calls(delta: dict[str, Any]) -> list[Delta]:
    calls = [
        _read_tool_call(call, position)
        for position, call in enumerate(map(as_dict, as_list(delta.get("tool_calls"))))
    ]
    if function_call := as_dict(delta.get("function_call")):
        calls.append(_read_tool_call({"function": function_call}, 0))
    return list(calls)


def _read_tool_call(call: dict[str, Any], position: int) -> ToolCallDelta:
    index = as_count(call.get("index"))
    function = as_dict(call.get("function"))
    return ToolCallDelta(
        index=position if index is None else index,
        arguments=as_text(function.get("arguments")),
        id=as_words(call.get("id")) or None,
        name=as_words(function.get("name")) or None,
    )


class OpenAIChat(OpenAIDialect):
    """A conversation of roles and contents."""

    name = "openai-chat"

    def decoder(self) -> ChatDecoder:
        """A decoder for one response."""
        return ChatDecoder()

    def build_request(self, endpoint: Endpoint, messages: tuple[Message, ...]) -> Request:
        """The turns as they are."""
        return build_request(endpoint, "/chat/completions", {"messages": as_objects(messages)})
