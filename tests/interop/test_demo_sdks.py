"""The official clients read the demo server as they read the services it imitates.

What they do about faults was seen with the versions named in `pyproject.toml`.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

pytest.importorskip("anthropic")
pytest.importorskip("google.genai")
pytest.importorskip("ollama")
pytest.importorskip("openai")

import anthropic
import httpx
import httpx2
import ollama
import openai
from anthropic import AsyncAnthropic
from google import genai
from google.genai import errors as google_errors
from google.genai.types import GenerateContentConfig, GenerateContentResponse, HttpOptions
from openai import AsyncAzureOpenAI, AsyncOpenAI

from streamtui.demo.scripts import MODELS
from streamtui.demo.server import DemoServer
from tests.interop.answers import received

PROMPT = "Write me a 1 verse song about goldfish on the moon"
MESSAGES: list[Any] = [{"role": "user", "content": PROMPT}]
VERSE = "A goldfish packed her bowl one night"
THOUGHT = "The question is “Write me a 1 verse song…”"
ARGUMENTS = {"city": "Lisbon", "unit": "celsius"}
FAILURE = "failed on purpose"


class TestOpenAIResponses:
    @pytest.fixture
    async def client(self, server: DemoServer) -> AsyncIterator[AsyncOpenAI]:
        async with AsyncOpenAI(base_url=server.base_url, api_key="sk", max_retries=0) as client:
            yield client

    async def events(self, client: AsyncOpenAI, model: str, **fields: Any) -> list[Any]:
        stream = await client.responses.create(model=model, input=PROMPT, stream=True, **fields)
        events, error = await received(stream)
        assert error is None
        return events

    async def test_a_stream_says_what_the_whole_answer_says(self, client: AsyncOpenAI) -> None:
        events = await self.events(client, "demo/verse")
        text = "".join(e.delta for e in events if e.type == "response.output_text.delta")
        whole = await client.responses.create(model="demo/verse", input=PROMPT)
        assert text == whole.output_text == events[-1].response.output_text
        assert text.startswith(VERSE)
        assert events[-1].response.usage == whole.usage
        assert events[-1].response.status == whole.status == "completed"
        assert [event.sequence_number for event in events] == list(range(len(events)))

    async def test_its_own_accumulator_agrees(self, client: AsyncOpenAI) -> None:
        async with client.responses.stream(model="demo/thinker", input=PROMPT) as stream:
            deltas = [e.delta async for e in stream if e.type == "response.output_text.delta"]
            final = await stream.get_final_response()
        reasoning, message = final.output
        assert reasoning.type == "reasoning"
        assert reasoning.summary[0].text.startswith(THOUGHT)
        assert message.type == "message"
        assert final.output_text == "".join(deltas)
        assert final.usage is not None
        assert 0 < final.usage.output_tokens_details.reasoning_tokens < final.usage.output_tokens

    async def test_a_tool_call_is_put_together_and_answered(self, client: AsyncOpenAI) -> None:
        async with client.responses.stream(model="demo/tools", input=PROMPT) as stream:
            _, call = (await stream.get_final_response()).output
        assert call.type == "function_call"
        assert json.loads(call.arguments) == ARGUMENTS
        assert call.name == "get_weather"
        output: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "21 °C"}
        called: Any = call.to_dict() | {"parsed_arguments": None}
        answer = await client.responses.create(
            model="demo/tools", input=[*MESSAGES, called, output]
        )
        assert "21 °C" in answer.output_text

    async def test_a_limit_makes_it_incomplete(self, client: AsyncOpenAI) -> None:
        last = (await self.events(client, "demo/verse", max_output_tokens=5))[-1]
        assert last.type == "response.incomplete"
        assert last.response.incomplete_details.reason == "max_output_tokens"
        assert last.response.usage.output_tokens == 5

    async def test_a_failure_is_an_event_like_any_other(self, client: AsyncOpenAI) -> None:
        *events, last = await self.events(client, "demo/error")
        assert any(event.type == "response.output_text.delta" for event in events)
        assert last.type == "response.failed"
        assert FAILURE in last.response.error.message

    async def test_faults(self, client: AsyncOpenAI) -> None:
        stream = await client.responses.create(model="demo/drop", input=PROMPT, stream=True)
        events, error = await received(stream)
        assert any(event.type == "response.output_text.delta" for event in events)
        assert isinstance(error, openai.APIConnectionError)
        with pytest.raises(openai.RateLimitError) as limited:
            await client.responses.create(model="demo/flaky", input=PROMPT)
        assert limited.value.response.headers["retry-after"] == "3"


class TestAzure:
    @pytest.fixture
    async def client(self, server: DemoServer) -> AsyncIterator[AsyncAzureOpenAI]:
        async with AsyncAzureOpenAI(
            azure_endpoint=server.root_url, api_key="sk", api_version="2024-10-21", max_retries=0
        ) as client:
            yield client

    async def test_chat_begins_with_what_the_filter_found(self, client: AsyncAzureOpenAI) -> None:
        stream = await client.chat.completions.create(
            model="demo/verse", messages=MESSAGES, stream=True
        )
        (first, *chunks), error = await received(stream)
        assert error is None
        assert first.choices == []
        assert first.model_extra["prompt_filter_results"][0]["prompt_index"] == 0
        assert "".join(c.choices[0].delta.content or "" for c in chunks).startswith(VERSE)
        assert chunks[-1].choices[0].finish_reason == "stop"

    async def test_completions(self, client: AsyncAzureOpenAI) -> None:
        stream = await client.completions.create(model="demo/verse", prompt=PROMPT, stream=True)
        (first, *chunks), _ = await received(stream)
        assert first.choices == []
        assert "".join(chunk.choices[0].text for chunk in chunks).startswith(VERSE)

    async def test_responses_have_no_deployment(
        self, client: AsyncAzureOpenAI, server: DemoServer
    ) -> None:
        answer = await client.responses.create(model="demo/verse", input=PROMPT)
        assert answer.output_text.startswith(VERSE)
        assert server.requests[-1].path == "/openai/responses"
        assert server.requests[-1].headers["api-key"] == "sk"

    async def test_a_deployment_may_have_a_name_of_its_own(self, server: DemoServer) -> None:
        async with AsyncAzureOpenAI(
            azure_endpoint=server.root_url,
            azure_deployment="mine",
            api_key="sk",
            api_version="2024-10-21",
        ) as client:
            answer = await client.chat.completions.create(model="demo/verse", messages=MESSAGES)
        assert (answer.choices[0].message.content or "").startswith(VERSE)
        assert server.requests[-1].path == "/openai/deployments/mine/chat/completions"

    async def test_faults(self, client: AsyncAzureOpenAI) -> None:
        stream = await client.chat.completions.create(
            model="demo/error", messages=MESSAGES, stream=True
        )
        _, error = await received(stream)
        assert isinstance(error, openai.APIError)
        assert FAILURE in str(error)
        with pytest.raises(openai.NotFoundError):
            await client.chat.completions.create(model="demo/nobody", messages=MESSAGES)

    async def test_the_models_are_listed(self, client: AsyncAzureOpenAI) -> None:
        assert [model.id async for model in client.models.list()] == list(MODELS)


class TestAnthropic:
    @pytest.fixture
    async def client(self, server: DemoServer) -> AsyncIterator[AsyncAnthropic]:
        async with AsyncAnthropic(base_url=server.root_url, api_key="sk", max_retries=0) as client:
            yield client

    async def events(
        self, client: AsyncAnthropic, model: str
    ) -> tuple[list[Any], Exception | None]:
        return await received(
            await client.messages.create(
                model=model, messages=MESSAGES, max_tokens=4_000, stream=True
            )
        )

    async def test_a_stream_says_what_the_whole_answer_says(self, client: AsyncAnthropic) -> None:
        events, error = await self.events(client, "demo/verse")
        assert error is None
        text = "".join(e.delta.text for e in events if e.type == "content_block_delta")
        whole = await client.messages.create(
            model="demo/verse", messages=MESSAGES, max_tokens=4_000
        )
        [block] = whole.content
        assert block.type == "text"
        assert text == block.text
        assert text.startswith(VERSE)
        [end] = [event for event in events if event.type == "message_delta"]
        assert end.delta.stop_reason == whole.stop_reason == "end_turn"
        assert end.usage.output_tokens == whole.usage.output_tokens
        assert events[0].message.usage.input_tokens == whole.usage.input_tokens
        assert whole._request_id is not None

    async def test_its_own_accumulator_agrees(self, client: AsyncAnthropic) -> None:
        async with client.messages.stream(
            model="demo/thinker", messages=MESSAGES, max_tokens=4_000
        ) as stream:
            pieces = [text async for text in stream.text_stream]
            message = await stream.get_final_message()
        thinking, text = message.content
        assert thinking.type == "thinking"
        assert thinking.thinking.startswith(THOUGHT)
        assert thinking.signature
        assert text.type == "text"
        assert text.text == "".join(pieces)
        details = message.usage.output_tokens_details
        assert details is not None
        assert 0 < details.thinking_tokens < message.usage.output_tokens

    async def test_a_tool_call_is_put_together_and_answered(self, client: AsyncAnthropic) -> None:
        async with client.messages.stream(
            model="demo/tools", messages=MESSAGES, max_tokens=4_000
        ) as stream:
            message = await stream.get_final_message()
        _, call = message.content
        assert call.type == "tool_use"
        assert (call.name, call.input) == ("get_weather", ARGUMENTS)
        assert message.stop_reason == "tool_use"
        result: Any = {"type": "tool_result", "tool_use_id": call.id, "content": "21 °C"}
        answer = await client.messages.create(
            model="demo/tools",
            max_tokens=4_000,
            messages=[*MESSAGES, message.to_param(), {"role": "user", "content": [result]}],
        )
        assert answer.content[0].type == "text"
        assert "21 °C" in answer.content[0].text

    async def test_a_limit_is_the_reason_to_stop(self, client: AsyncAnthropic) -> None:
        answer = await client.messages.create(model="demo/verse", messages=MESSAGES, max_tokens=5)
        assert answer.stop_reason == "max_tokens"
        assert answer.usage.output_tokens == 5

    async def test_an_error_in_the_stream_has_the_status_of_the_response(
        self, client: AsyncAnthropic
    ) -> None:
        events, error = await self.events(client, "demo/error")
        assert any(event.type == "content_block_delta" for event in events)
        assert isinstance(error, anthropic.APIStatusError)
        assert error.status_code == 200
        assert FAILURE in str(error)

    async def test_faults(self, client: AsyncAnthropic, server: DemoServer) -> None:
        events, error = await self.events(client, "demo/drop")
        assert any(event.type == "content_block_delta" for event in events)
        assert isinstance(error, httpx2.RemoteProtocolError)
        with pytest.raises(anthropic.RateLimitError) as limited:
            await self.events(client, "demo/flaky")
        assert limited.value.response.headers["retry-after"] == "3"
        with pytest.raises(anthropic.NotFoundError, match="demo/verse") as missing:
            await self.events(client, "demo/nobody")
        assert missing.value.request_id == server.requests[-1].request_id

    async def test_the_models_are_listed(self, client: AsyncAnthropic) -> None:
        assert [model.id async for model in client.models.list()] == list(MODELS)


class TestGemini:
    @pytest.fixture(params=["v1", "v1beta"])
    async def client(
        self, server: DemoServer, request: pytest.FixtureRequest
    ) -> AsyncIterator["genai.client.AsyncClient"]:
        # With aiohttp at hand the SDK would take that; its errors have other classes.
        async with httpx2.AsyncClient() as http:
            options = HttpOptions(
                base_url=server.root_url, api_version=request.param, httpx_async_client=http
            )
            client = genai.Client(api_key="sk", http_options=options)
            yield client.aio
            client.close()

    async def chunks(
        self, client: "genai.client.AsyncClient", model: str, **config: Any
    ) -> tuple[list[GenerateContentResponse], Exception | None]:
        return await received(
            await client.models.generate_content_stream(
                model=model, contents=PROMPT, config=GenerateContentConfig(**config)
            )
        )

    async def test_a_stream_says_what_the_whole_answer_says(
        self, client: "genai.client.AsyncClient"
    ) -> None:
        chunks, error = await self.chunks(client, "demo/verse")
        assert error is None
        text = "".join(chunk.text or "" for chunk in chunks)
        whole = await client.models.generate_content(model="demo/verse", contents=PROMPT)
        assert text == whole.text
        assert text.startswith(VERSE)
        assert chunks[-1].usage_metadata == whole.usage_metadata
        assert finish(chunks[-1]) == finish(whole) == "STOP"

    async def test_thoughts_are_parts_of_their_own(
        self, client: "genai.client.AsyncClient"
    ) -> None:
        chunks, _ = await self.chunks(client, "demo/thinker")
        parts = [part for chunk in chunks for part in chunk.parts or []]
        assert "".join(p.text or "" for p in parts if p.thought).startswith(THOUGHT)
        assert "".join(p.text or "" for p in parts if not p.thought).startswith("The reasoning")
        usage = chunks[-1].usage_metadata
        assert usage is not None
        assert usage.thoughts_token_count == sum(part.thought is True for part in parts)

    async def test_a_tool_call_comes_whole_and_is_answered(
        self, client: "genai.client.AsyncClient"
    ) -> None:
        chunks, _ = await self.chunks(client, "demo/tools")
        [call] = [call for chunk in chunks for call in chunk.function_calls or []]
        assert (call.name, call.args) == ("get_weather", ARGUMENTS)
        assert finish(chunks[-1]) == "STOP"
        response = genai.types.Part.from_function_response(
            name="get_weather", response={"result": "21 °C"}
        )
        contents: list[Any] = [PROMPT, response]
        answer = await client.models.generate_content(model="demo/tools", contents=contents)
        assert "21 °C" in (answer.text or "")

    async def test_a_limit_is_the_reason_to_stop(self, client: "genai.client.AsyncClient") -> None:
        chunks, _ = await self.chunks(client, "demo/verse", max_output_tokens=5)
        assert finish(chunks[-1]) == "MAX_TOKENS"
        usage = chunks[-1].usage_metadata
        assert usage is not None
        assert usage.candidates_token_count == 5

    async def test_an_error_in_the_stream_is_raised(
        self, client: "genai.client.AsyncClient"
    ) -> None:
        chunks, error = await self.chunks(client, "demo/error")
        assert any(chunk.text for chunk in chunks)
        assert isinstance(error, google_errors.ServerError)
        assert (error.code, error.status) == (500, "INTERNAL")
        assert FAILURE in (error.message or "")

    async def test_faults(self, client: "genai.client.AsyncClient") -> None:
        chunks, error = await self.chunks(client, "demo/drop")
        assert any(chunk.text for chunk in chunks)
        assert isinstance(error, httpx2.RemoteProtocolError)
        for model, expected in (
            ("demo/flaky", (429, "RESOURCE_EXHAUSTED")),
            ("demo/nobody", (404, "NOT_FOUND")),
        ):
            _, error = await self.chunks(client, model)
            assert isinstance(error, google_errors.ClientError)
            assert (error.code, error.status) == expected

    async def test_the_models_are_listed(self, client: "genai.client.AsyncClient") -> None:
        names = [model.name async for model in await client.models.list()]
        assert names == [f"models/{name}" for name in MODELS]


def finish(response: GenerateContentResponse) -> str | None:
    [candidate] = response.candidates or []
    return candidate.finish_reason.value if candidate.finish_reason else None


class TestOllama:
    @pytest.fixture
    async def client(self, server: DemoServer) -> AsyncIterator[ollama.AsyncClient]:
        client = ollama.AsyncClient(host=server.root_url)
        yield client
        await client.close()  # type: ignore[no-untyped-call]

    async def chat(
        self, client: ollama.AsyncClient, model: str, **fields: Any
    ) -> tuple[list[ollama.ChatResponse], Exception | None]:
        return await received(
            await client.chat(model=model, messages=MESSAGES, stream=True, **fields)
        )

    async def test_a_chat_stream_says_what_the_whole_answer_says(
        self, client: ollama.AsyncClient
    ) -> None:
        lines, error = await self.chat(client, "demo/verse")
        assert error is None
        text = "".join(line.message.content or "" for line in lines)
        whole = await client.chat(model="demo/verse", messages=MESSAGES)
        assert text == whole.message.content
        assert text.startswith(VERSE)
        last = lines[-1]
        assert (last.done, last.done_reason) == (whole.done, whole.done_reason) == (True, "stop")
        assert (last.prompt_eval_count, last.eval_count) == (
            whole.prompt_eval_count,
            whole.eval_count,
        )
        assert (last.total_duration or 0) >= (last.eval_duration or 0) > 0

    async def test_generate_says_the_same(self, client: ollama.AsyncClient) -> None:
        stream = await client.generate(model="demo/verse", prompt=PROMPT, stream=True)
        lines, error = await received(stream)
        assert error is None
        text = "".join(line.response for line in lines)
        whole = await client.generate(model="demo/verse", prompt=PROMPT)
        assert text == whole.response
        assert text.startswith(VERSE)

    async def test_thinking_has_a_field_of_its_own(self, client: ollama.AsyncClient) -> None:
        lines, _ = await self.chat(client, "demo/thinker", think=True)
        assert "".join(line.message.thinking or "" for line in lines).startswith(THOUGHT)
        assert "".join(line.message.content or "" for line in lines).startswith("The reasoning")
        lines, _ = await self.chat(client, "demo/thinker", think=False)
        assert not any(line.message.thinking for line in lines)

    async def test_a_tool_call_comes_whole_and_is_answered(
        self, client: ollama.AsyncClient
    ) -> None:
        lines, _ = await self.chat(client, "demo/tools")
        [call] = [call for line in lines for call in line.message.tool_calls or []]
        assert (call.function.name, call.function.arguments) == ("get_weather", ARGUMENTS)
        result = ollama.Message(role="tool", tool_name="get_weather", content="21 °C")
        answer = await client.chat(model="demo/tools", messages=[*MESSAGES, result])
        assert "21 °C" in (answer.message.content or "")

    async def test_a_limit_is_the_reason_to_stop(self, client: ollama.AsyncClient) -> None:
        lines, _ = await self.chat(client, "demo/verse", options={"num_predict": 5})
        assert lines[-1].done_reason == "length"
        assert lines[-1].eval_count == 5

    async def test_an_error_in_the_stream_has_no_status(self, client: ollama.AsyncClient) -> None:
        lines, error = await self.chat(client, "demo/error")
        assert any(line.message.content for line in lines)
        assert isinstance(error, ollama.ResponseError)
        assert error.status_code == -1
        assert FAILURE in error.error

    async def test_faults(self, client: ollama.AsyncClient) -> None:
        lines, error = await self.chat(client, "demo/drop")
        assert any(line.message.content for line in lines)
        assert isinstance(error, httpx.RemoteProtocolError)
        for model, status in (("demo/flaky", 429), ("demo/nobody", 404)):
            _, error = await self.chat(client, model)
            assert isinstance(error, ollama.ResponseError)
            assert error.status_code == status

    async def test_the_models_are_listed(self, client: ollama.AsyncClient) -> None:
        assert [model.model for model in (await client.list()).models] == list(MODELS)
