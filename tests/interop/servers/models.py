"""Chat models that say always the same, chunk by chunk as langchain-openai's models do."""

from collections.abc import Iterator
from time import sleep
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models.chat_models import BaseChatModel, generate_from_stream
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult


class ScriptedModel(BaseChatModel):
    chunks: list[AIMessageChunk]
    breaks: bool = False
    """Whether an exception comes after the last chunk."""
    pause: float = 0
    """Seconds before each chunk."""

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for message in self.chunks:
            sleep(self.pause)
            chunk = ChatGenerationChunk(message=message.model_copy())
            if run_manager is not None:
                run_manager.on_llm_new_token(message.text, chunk=chunk)
            yield chunk
        if self.breaks:
            complaint = "the model broke"
            raise ValueError(complaint)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return generate_from_stream(self._stream(messages, stop, run_manager))


def _said(*texts: str) -> list[AIMessageChunk]:
    return [AIMessageChunk(content=text) for text in texts]


def _thought(*texts: str) -> list[AIMessageChunk]:
    return [
        AIMessageChunk(content="", additional_kwargs={"reasoning_content": text}) for text in texts
    ]


def _called(index: int, call_id: str, name: str, *fragments: str) -> list[AIMessageChunk]:
    first = tool_call_chunk(name=name, args="", id=call_id, index=index)
    rest = [tool_call_chunk(args=fragment, index=index) for fragment in fragments]
    return [AIMessageChunk(content="", tool_call_chunks=[piece]) for piece in (first, *rest)]


def _ended(reason: str, *counts: int) -> list[AIMessageChunk]:
    tokens_in, tokens_out, reasoning = counts
    return [
        AIMessageChunk(
            content="",
            response_metadata={"finish_reason": reason, "model_name": "scripted-1"},
            usage_metadata={
                "input_tokens": tokens_in,
                "output_tokens": tokens_out,
                "total_tokens": tokens_in + tokens_out,
                "output_token_details": {"reasoning": reasoning},
            },
        )
    ]


TALKER = ScriptedModel(
    chunks=[*_said("Hello", ", ", "你好 👩‍💻", "\n", "cafe\u0301!"), *_ended("stop", 7, 5, 0)]
)
THINKER = ScriptedModel(
    chunks=[
        *_thought("First ", "this, ", "then that."),
        *_said("So", " be it."),
        *_ended("stop", 3, 9, 4),
    ]
)
BLOCKS = ScriptedModel(
    # As langchain-anthropic's models say it.
    chunks=[
        AIMessageChunk(content=[{"type": "thinking", "thinking": "Hm, ", "index": 0}]),
        AIMessageChunk(content=[{"type": "thinking", "thinking": "yes.", "index": 0}]),
        AIMessageChunk(content=[{"type": "text", "text": "It ", "index": 1}]),
        AIMessageChunk(content=[{"type": "text", "text": "is.", "index": 1}]),
        *_ended("end_turn", 2, 3, 1),
    ]
)
CALLER = ScriptedModel(
    chunks=[
        *_said("Let me", " look."),
        *_called(0, "call_1", "get_weather", '{"city": ', '"Lisbon"}'),
        *_called(1, "call_2", "get_time", "{}"),
        *_ended("tool_calls", 11, 8, 0),
    ]
)
BREAKING = ScriptedModel(chunks=_said("Half an", " answer"), breaks=True)
# What ends a line to Python, and to nobody else.
SEPARATOR = ScriptedModel(chunks=_said("one\u2028two", "\u0085three", "\x0b\x0cfour"))
# LangGraph gives events of the same millisecond the same id, and forgets the second of them for
# those who come back after the first.
SLOW = ScriptedModel(
    chunks=[*_said(*(f"{number} " for number in range(20))), *_ended("stop", 1, 20, 0)], pause=0.01
)
