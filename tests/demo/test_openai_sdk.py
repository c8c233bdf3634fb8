"""The official client reads our streams as it reads OpenAI's."""

import json
from collections.abc import AsyncIterator

import openai
import pytest
from openai import AsyncOpenAI

from streamtui.demo.server import DemoServer

PROMPT = "Write me a 1 verse song about sparkling water."


@pytest.fixture
async def client(server: DemoServer) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key="none", base_url=server.base_url, max_retries=0) as client:
        yield client


async def test_a_chat_stream_says_what_the_whole_answer_says(client: AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="demo/markdown",
        messages=[{"role": "user", "content": PROMPT}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    whole = await client.chat.completions.create(
        model="demo/markdown", messages=[{"role": "user", "content": PROMPT}]
    )
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage == whole.usage
    assert chunks[-2].choices[0].finish_reason == whole.choices[0].finish_reason == "stop"


async def test_a_completion_stream_says_what_the_whole_answer_says(client: AsyncOpenAI) -> None:
    stream = await client.completions.create(
        model="demo/verse",
        prompt=PROMPT,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]
    text = "".join(chunk.choices[0].text for chunk in chunks if chunk.choices)
    whole = await client.completions.create(model="demo/verse", prompt=PROMPT)
    assert text == whole.choices[0].text
    assert "Oh sparkling water" in text
    assert chunks[-1].usage == whole.usage


async def test_a_tool_call_is_put_together(client: AsyncOpenAI) -> None:
    async with client.chat.completions.stream(
        model="demo/tools", messages=[{"role": "user", "content": "Weather?"}]
    ) as stream:
        answer = await stream.get_final_completion()
    [call] = answer.choices[0].message.tool_calls or []
    assert call.function.name == "get_weather"
    assert json.loads(call.function.arguments) == {"city": "Lisbon", "unit": "celsius"}
    assert answer.choices[0].finish_reason == "tool_calls"


async def test_reasoning_is_there_for_those_who_look(client: AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="demo/thinker", messages=[{"role": "user", "content": PROMPT}], stream=True
    )
    extras = [chunk.choices[0].delta.model_extra or {} async for chunk in stream]
    reasoning = "".join(extra.get("reasoning_content", "") for extra in extras)
    assert reasoning.startswith("The question is “Write me a 1 verse song…”")


async def test_an_error_in_the_stream_is_raised(client: AsyncOpenAI) -> None:
    stream = await client.completions.create(model="demo/error", prompt=PROMPT, stream=True)
    with pytest.raises(openai.APIError, match="failed on purpose"):
        [chunk async for chunk in stream]


async def test_a_dropped_connection_is_raised(client: AsyncOpenAI) -> None:
    stream = await client.completions.create(model="demo/drop", prompt=PROMPT, stream=True)
    with pytest.raises(openai.APIConnectionError):
        [chunk async for chunk in stream]


async def test_refusals_are_the_client_s_own_errors(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.RateLimitError) as limited:
        await client.completions.create(model="demo/flaky", prompt=PROMPT)
    assert limited.value.response.headers["retry-after"] == "3"
    with pytest.raises(openai.NotFoundError, match="demo/verse"):
        await client.completions.create(model="demo/nobody", prompt=PROMPT)


async def test_the_models_are_listed(client: AsyncOpenAI) -> None:
    assert "demo/thinker" in [model.id async for model in client.models.list()]
