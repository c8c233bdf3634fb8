"""Our `LLM` and the official openai client, asked the same by the same server: the same answer."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

pytest.importorskip("openai")

import openai
from openai import AsyncOpenAI

from streamtui import LLM, ProviderError, StatusError, TransportError
from streamtui.config import Config
from streamtui.demo.server import DemoServer
from streamtui.engine.host import EngineThread
from tests.interop.answers import received

PROMPT = "Write me a 1 verse song about goldfish on the moon"

Ask = Callable[[str, str], LLM]


@pytest.fixture
async def client(server: DemoServer) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=server.base_url, api_key="sk-test", max_retries=0) as client:
        yield client


@pytest.fixture
def ask(server: DemoServer, doors: EngineThread) -> Ask:
    """Our model behind the server."""

    def ask(dialect: str, model: str) -> LLM:
        return LLM(
            base_url=server.base_url,
            dialect=dialect,
            model=model,
            api_key="sk-test",
            config=Config(),
            doors=doors,
        )

    return ask


async def completion(client: AsyncOpenAI, model: str) -> AsyncIterator[str]:
    stream = await client.completions.create(model=model, prompt=PROMPT, stream=True)
    async for chunk in stream:
        yield chunk.choices[0].text


async def chat(client: AsyncOpenAI, model: str) -> AsyncIterator[Any]:
    """The first choice's delta of each chunk."""
    stream = await client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": PROMPT}], stream=True
    )
    async for chunk in stream:
        yield chunk.choices[0].delta


@pytest.mark.parametrize("model", ["demo/verse", "demo/markdown"])
async def test_completions_give_the_same_pieces(client: AsyncOpenAI, ask: Ask, model: str) -> None:
    expected = [text async for text in completion(client, model)]
    llm = ask("openai-completions", model)

    assert [piece async for piece in llm.astream(PROMPT)] == expected
    assert await asyncio.to_thread(lambda: list(llm.stream(PROMPT))) == expected


@pytest.mark.parametrize("model", ["demo/verse", "demo/markdown", "demo/fast"])
async def test_chat_gives_the_same_text(client: AsyncOpenAI, ask: Ask, model: str) -> None:
    """Also where we lag behind, and pieces are joined."""
    expected = [delta.content async for delta in chat(client, model) if delta.content]

    pieces = [piece async for piece in ask("openai-chat", model).astream(PROMPT)]

    assert "".join(pieces) == "".join(expected)


async def test_reasoning_and_answer_are_told_apart_alike(client: AsyncOpenAI, ask: Ask) -> None:
    deltas = [delta async for delta in chat(client, "demo/thinker")]

    *_, end = [e async for e in ask("openai-chat", "demo/thinker").astream_events(PROMPT)]

    message = end["data"]["output"]
    assert message.content == "".join(delta.content or "" for delta in deltas)
    assert message.additional_kwargs["reasoning_content"] == "".join(
        getattr(delta, "reasoning_content", None) or "" for delta in deltas
    )


async def test_a_tool_call_is_put_together_alike(client: AsyncOpenAI, ask: Ask) -> None:
    pieces = [call async for delta in chat(client, "demo/tools") for call in delta.tool_calls or []]

    *_, end = [e async for e in ask("openai-chat", "demo/tools").astream_events(PROMPT)]

    (call,) = end["data"]["output"].tool_call_chunks
    assert call["args"] == "".join(piece.function.arguments for piece in pieces)
    assert (call["id"], call["name"]) == (pieces[0].id, pieces[0].function.name)


async def test_usage_is_counted_alike(client: AsyncOpenAI, ask: Ask) -> None:
    stream = await client.chat.completions.create(
        model="demo/thinker",
        messages=[{"role": "user", "content": PROMPT}],
        stream=True,
        stream_options={"include_usage": True},
    )
    usage = [chunk.usage async for chunk in stream][-1]
    assert usage is not None
    assert usage.completion_tokens_details is not None

    *_, end = [e async for e in ask("openai-chat", "demo/thinker").astream_events(PROMPT)]

    counted = end["data"]["output"].usage_metadata
    assert (counted["input_tokens"], counted["output_tokens"], counted["total_tokens"]) == (
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.total_tokens,
    )
    reasoning = counted["output_token_details"]["reasoning"]
    assert reasoning == usage.completion_tokens_details.reasoning_tokens


@pytest.mark.parametrize(
    ("model", "theirs", "ours"),
    [
        ("demo/error", openai.APIError, ProviderError),
        ("demo/drop", openai.APIConnectionError, TransportError),
        ("demo/none", openai.NotFoundError, StatusError),
    ],
)
async def test_the_same_text_comes_before_the_same_kind_of_error(
    client: AsyncOpenAI, ask: Ask, model: str, theirs: type[Exception], ours: type[Exception]
) -> None:
    expected, their_error = await received(completion(client, model))

    pieces, error = await received(ask("openai-completions", model).astream(PROMPT))

    assert pieces == expected
    assert isinstance(their_error, theirs)
    assert isinstance(error, ours)


async def test_both_send_key_model_and_prompt_alike(
    server: DemoServer, client: AsyncOpenAI, ask: Ask
) -> None:
    assert [delta async for delta in chat(client, "demo/verse")]
    assert [piece async for piece in ask("openai-chat", "demo/verse").astream(PROMPT)]

    theirs, ours = server.requests[-2:]
    assert ours.path == theirs.path
    assert ours.headers["Authorization"] == theirs.headers["Authorization"] == "Bearer sk-test"
    assert ours.body == theirs.body | {"stream_options": {"include_usage": True}}
