"""LangGraph on both sides: its SDK reads the demo server, ours a server of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("langgraph_sdk")
pytest.importorskip("langgraph_api")

import httpx
from langchain_core.messages import AIMessage, AIMessageChunk, convert_to_messages
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import (
    ConflictError,
    NotFoundError,
    RateLimitError,
    UnprocessableEntityError,
)
from langgraph_sdk.schema import StreamMode

from streamtui import LLM, ProviderError, StatusError
from streamtui.config import Config
from streamtui.demo.scripts import FAILURE, MODELS
from streamtui.demo.server import DemoServer
from streamtui.engine.host import EngineThread
from tests.loopback import LoopbackServer, listening

from .answers import Said, joined, our_message, received, said
from .program import run_all, said_in
from .servers import served

PROMPT = "Write me a 1 verse song about goldfish on the moon"
VERSE = "A goldfish packed her bowl one night"
ARGUMENTS = {"city": "Lisbon", "unit": "celsius"}

Parts = list[Any]


def asking(prompt: str = PROMPT) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": prompt}]}


def messages_in(parts: Parts) -> list[Said]:
    """What models said in the deltas of `messages-tuple`, message by message."""
    messages: dict[str, AIMessageChunk] = {}
    for part in parts:
        piece = part.data[0] if part.event == "messages" else {}
        if piece.get("type") == "AIMessageChunk":
            chunk = AIMessageChunk(**piece)
            key = piece["id"]
            messages[key] = messages[key] + chunk if key in messages else chunk
    return [said(message) for message in messages.values()]


def last_message(values: Any) -> AIMessage:
    # Not `convert_to_messages`, which forgets the counts.
    return AIMessage(**values["messages"][-1])


def our_model(url: str, doors: EngineThread, assistant: str, **params: Any) -> LLM:
    return LLM(
        base_url=url,
        dialect="langgraph",
        model="any",
        config=Config(),
        doors=doors,
        assistant_id=assistant,
        **params,
    )


class TestDemo:
    @pytest.fixture
    async def client(self, server: DemoServer) -> AsyncIterator[LangGraphClient]:
        async with get_client(url=server.root_url, api_key=None) as client:
            yield client

    async def parts(
        self, client: LangGraphClient, model: str, mode: StreamMode | list[StreamMode], **more: Any
    ) -> Parts:
        stream = client.runs.stream(None, model, input=asking(), stream_mode=mode, **more)
        return [part async for part in stream]

    @pytest.mark.parametrize("model", ["demo/verse", "demo/thinker", "demo/tools"])
    async def test_every_mode_says_the_same(self, client: LangGraphClient, model: str) -> None:
        state = await client.runs.wait(None, model, input=asking())
        answer = said(last_message(state))

        [streamed] = messages_in(await self.parts(client, model, "messages-tuple"))
        *_, partial = await self.parts(client, model, "messages")
        *_, updates = await self.parts(client, model, "updates")
        *_, values = await self.parts(client, model, "values")
        *_, chain_end = await self.parts(client, model, "events")
        *_, task = await self.parts(client, model, "tasks")
        *_, debugged = await self.parts(client, model, "debug")

        assert streamed == answer
        assert partial.event == "messages/partial"
        assert said(last_message({"messages": partial.data})) == answer
        assert said(last_message(updates.data["model"])) == answer
        assert said(last_message(values.data)) == answer
        assert said(last_message(chain_end.data["data"]["output"])) == answer
        assert said(last_message(task.data["result"])) == answer
        assert said(last_message(debugged.data["payload"]["result"])) == answer

    @pytest.mark.parametrize("mode", ["messages-tuple", "messages", "events"])
    async def test_our_client_reads_the_same(
        self, client: LangGraphClient, server: DemoServer, doors: EngineThread, mode: StreamMode
    ) -> None:
        for model in ("demo/verse", "demo/thinker", "demo/tools"):
            [theirs] = messages_in(await self.parts(client, model, "messages-tuple"))
            llm = our_model(server.root_url, doors, model, stream_mode=mode)
            assert said(await our_message(llm, PROMPT)) == theirs

    async def test_our_client_joins_again_what_was_cut(
        self, client: LangGraphClient, server: DemoServer, doors: EngineThread
    ) -> None:
        thread_id = (await client.threads.create())["thread_id"]
        params = {"thread_id": thread_id, "stream_resumable": True}
        answer = await our_message(our_model(server.root_url, doors, "demo/drop", **params))
        assert answer.text.endswith("all of it arrived.")
        state: Any = await client.threads.get_state(thread_id)
        assert said(answer) == said(last_message(state["values"]))

    async def test_an_answer_has_text_calls_and_counts(self, client: LangGraphClient) -> None:
        [verse] = messages_in(await self.parts(client, "agent", "messages-tuple"))
        assert verse.text.startswith(VERSE)
        [thinker] = messages_in(await self.parts(client, "demo/thinker", "messages-tuple"))
        assert thinker.reasoning.startswith("The question is")
        assert thinker.usage is not None
        assert 0 < thinker.usage[2] < thinker.usage[1]
        [tools] = messages_in(await self.parts(client, "demo/tools", "messages-tuple"))
        assert [call[1:] for call in tools.calls] == [("get_weather", ARGUMENTS)]

    async def test_several_modes_come_in_one_stream(self, client: LangGraphClient) -> None:
        modes: list[StreamMode] = ["values", "messages-tuple", "custom", "updates"]
        names = [part.event for part in await self.parts(client, "agent", modes)]
        inner = [name for name in names if name != "messages"]
        assert inner == ["metadata", "values", "custom", "updates", "values"]
        assert names[3] == names[-3] == "messages"

    async def test_the_model_can_be_configured(self, client: LangGraphClient) -> None:
        config: Any = {"configurable": {"model": "demo/tools", "max_tokens": 3}}
        state = await client.runs.wait(None, "agent", input=asking(), config=config)
        answer = last_message(state)
        assert answer.response_metadata == {"finish_reason": "length", "model_name": "demo/tools"}
        assert answer.usage_metadata is not None
        assert answer.usage_metadata["output_tokens"] == 3

    async def test_a_thread_remembers(self, client: LangGraphClient) -> None:
        thread_id = (await client.threads.create(metadata={"mine": True}))["thread_id"]
        await client.runs.wait(thread_id, "agent", input=asking("One?"))
        stream = client.runs.stream(
            thread_id, "agent", input=asking("Two?"), stream_mode="messages-tuple"
        )
        [answer] = messages_in([part async for part in stream])
        assert "turn 2 of this conversation" in answer.text
        thread, state = (
            await client.threads.get(thread_id),
            await client.threads.get_state(thread_id),
        )
        assert thread["status"] == "idle"
        assert thread["metadata"] == {"mine": True}
        assert thread["values"] == state["values"]
        messages = convert_to_messages(thread["values"]["messages"])
        assert [message.type for message in messages] == ["human", "ai", "human", "ai"]
        assert [message.text for message in messages[::2]] == ["One?", "Two?"]
        assert [run["status"] for run in await client.runs.list(thread_id)] == ["success"] * 2

    async def test_a_tool_answers_in_its_thread(self, client: LangGraphClient) -> None:
        thread_id = (await client.threads.create())["thread_id"]
        state = await client.runs.wait(thread_id, "demo/tools", input=asking())
        [call] = last_message(state).tool_calls
        result = {"type": "tool", "content": "21 °C", "tool_call_id": call["id"]}
        answered: Any = {"messages": [result]}
        state = await client.runs.wait(thread_id, "demo/tools", input=answered)
        assert "21 °C" in last_message(state).text

    async def test_threads_are_found_or_made_as_asked(self, client: LangGraphClient) -> None:
        name = (await client.threads.create())["thread_id"]
        with pytest.raises(ConflictError):
            await client.threads.create(thread_id=name)
        again = await client.threads.create(thread_id=name, if_exists="do_nothing")
        assert again["thread_id"] == name
        with pytest.raises(httpx.HTTPStatusError, match="404"):
            await client.runs.wait("of-nobody", "agent", input=asking())
        state = await client.runs.wait("of-nobody", "agent", input=asking(), if_not_exists="create")
        assert last_message(state).text.startswith(VERSE)

    async def test_a_run_in_the_background_is_joined(self, client: LangGraphClient) -> None:
        thread_id = (await client.threads.create())["thread_id"]
        run = await client.runs.create(
            thread_id, "agent", input=asking(), stream_mode="messages-tuple", stream_resumable=True
        )
        state: Any = await client.runs.join(thread_id, run["run_id"])
        stream = client.runs.join_stream(thread_id, run["run_id"], last_event_id="-1")
        [answer] = messages_in([part async for part in stream])
        assert answer == said(last_message(state))
        assert (await client.runs.get(thread_id, run["run_id"]))["status"] == "success"

    async def test_a_stream_that_is_cut_is_joined_again(
        self, client: LangGraphClient, server: DemoServer
    ) -> None:
        thread_id = (await client.threads.create())["thread_id"]
        stream = client.runs.stream(
            thread_id,
            "demo/drop",
            input=asking(),
            stream_mode="messages-tuple",
            stream_resumable=True,
        )
        parts = [part async for part in stream]
        [answer] = messages_in(parts)
        assert answer.text.endswith("all of it arrived.")
        ids = [part.id for part in parts]
        assert len(set(ids)) == len(ids)
        cut, rejoined = server.requests[1:3]
        assert cut.outcome == "dropped"
        assert rejoined.method == "GET"
        assert rejoined.headers["Last-Event-ID"] in ids

    async def test_a_run_can_be_cancelled(self, client: LangGraphClient) -> None:
        thread_id = (await client.threads.create())["thread_id"]
        run = await client.runs.create(thread_id, "demo/stall", input=asking())
        assert (await client.threads.get(thread_id))["status"] == "busy"
        await client.runs.cancel(thread_id, run["run_id"])
        assert (await client.runs.get(thread_id, run["run_id"]))["status"] == "interrupted"
        assert (await client.threads.get(thread_id))["status"] == "idle"

    async def test_an_error_is_an_event_like_any_other(self, client: LangGraphClient) -> None:
        *parts, last = await self.parts(client, "demo/error", "messages-tuple")
        assert len(parts) > 10
        assert last.event == "error"
        assert last.data == {"error": "DemoError", "message": FAILURE}
        with pytest.raises(Exception, match="failed on purpose"):
            await client.runs.wait(None, "demo/error", input=asking())

    async def test_faults(self, client: LangGraphClient) -> None:
        with pytest.raises(RateLimitError, match="try again in 3 s") as limited:
            await self.parts(client, "demo/flaky", "values")
        assert limited.value.response.headers["retry-after"] == "3"
        with pytest.raises(NotFoundError, match="demo/verse"):
            await self.parts(client, "demo/nobody", "values")

    async def test_the_assistants_are_the_models(self, client: LangGraphClient) -> None:
        assistants = await client.assistants.search(limit=100)
        assert [assistant["name"] for assistant in assistants] == ["agent", *MODELS]
        page = await client.assistants.search(limit=2, offset=1)
        assert page == assistants[1:3]
        [verse] = await client.assistants.search(graph_id="demo/verse")
        assert await client.assistants.get(verse["assistant_id"]) == verse
        parts = await self.parts(client, verse["assistant_id"], "messages-tuple")
        assert messages_in(parts)[0].text.startswith(VERSE)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    # It would ask PyPI whether there is a newer one.
    environ = {"LANGSMITH_TRACING": "false", "LANGGRAPH_NO_VERSION_CHECK": "true"}
    with served("langgraph_app", tmp_path_factory.mktemp("langgraph"), **environ) as url:
        yield url


Ask = Callable[..., LLM]


@pytest.fixture
def ask(real: str, doors: EngineThread) -> Ask:
    """Our model of a graph of the real server."""

    def ask(graph: str, *, url: str = real, **params: Any) -> LLM:
        return our_model(url, doors, graph, **params)

    return ask


class CutOnce(LoopbackServer):
    """Passes everything on, and cuts the connection on which a text comes, the first time."""

    def __init__(self, url: str, text: bytes) -> None:
        super().__init__()
        self._host, _, self._port = url.removeprefix("http://").partition(":")
        self._text = text
        self.has_cut = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection(self._host, int(self._port))
        try:
            async with asyncio.TaskGroup() as tasks:
                requests = tasks.create_task(_pass_on(reader, to_server), name="requests")
                await self._answer(server, writer)
                requests.cancel()
        finally:
            to_server.close()
            with suppress(ConnectionError):
                await to_server.wait_closed()

    async def _answer(self, server: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await server.read(65_536):
            writer.write(data)
            await writer.drain()
            if self._text in data and not self.has_cut:
                self.has_cut = True
                return


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)


class TestRealServer:
    @pytest.fixture
    async def client(self, real: str) -> AsyncIterator[LangGraphClient]:
        async with get_client(url=real, api_key=None) as client:
            yield client

    async def parts(
        self, client: LangGraphClient, graph: str, mode: StreamMode = "messages-tuple"
    ) -> Parts:
        stream = client.runs.stream(None, graph, input=asking(), stream_mode=mode)
        return [part async for part in stream]

    @pytest.mark.parametrize("graph", ["talker", "thinker", "blocks", "agent"])
    async def test_a_graph_says_the_same_to_both(
        self, client: LangGraphClient, ask: Ask, graph: str
    ) -> None:
        modes = ("messages-tuple", "messages", "events", ["values", "messages-tuple", "debug"])
        parts, *ours = await asyncio.gather(
            self.parts(client, graph),
            *(our_message(ask(graph, stream_mode=mode), PROMPT) for mode in modes),
        )
        theirs = joined(messages_in(parts))
        assert theirs.text
        assert [said(message) for message in ours] == [theirs] * len(modes)

    async def test_what_is_not_streamed_is_told_at_the_end(
        self, client: LangGraphClient, ask: Ask
    ) -> None:
        modes = ("values", "updates")
        parts, *ours = await asyncio.gather(
            self.parts(client, "talker", "values"),
            *(our_message(ask("talker", stream_mode=mode), PROMPT) for mode in modes),
        )
        theirs = last_message(parts[-1].data)
        reason = theirs.response_metadata["finish_reason"]
        assert [said(message) for message in ours] == [said(theirs)] * len(modes)
        assert [m.response_metadata["finish_reason"] for m in ours] == [reason] * len(modes)

    async def test_an_error_comes_after_the_same_text(
        self, client: LangGraphClient, ask: Ask
    ) -> None:
        parts, (pieces, error) = await asyncio.gather(
            self.parts(client, "breaking"), received(ask("breaking").astream(PROMPT))
        )
        assert "".join(pieces) == joined(messages_in(parts)).text == "Half an answer"
        assert isinstance(error, ProviderError)
        assert parts[-1].event == "error"
        assert error.message == "{error}: {message}".format(**parts[-1].data)

    async def test_a_refusal_is_told_in_the_servers_words(
        self, client: LangGraphClient, ask: Ask
    ) -> None:
        with pytest.raises(UnprocessableEntityError):
            await self.parts(client, "nothing")
        with pytest.raises(StatusError, match="Invalid assistant: 'nothing'") as refused:
            await our_message(ask("nothing"))
        assert refused.value.status == 422

    async def test_the_program_prints_what_the_graphs_said(
        self, real: str, client: LangGraphClient, tmp_path: Path
    ) -> None:
        graphs = ["agent", "thinker"]
        endpoints = {
            graph: {
                "dialect": "langgraph",
                "base_url": real,
                "model": graph,
                "params": {"assistant_id": graph},
            }
            for graph in [*graphs, "breaking"]
        }
        (code, [*summaries, broken]), *streams = await asyncio.gather(
            run_all(tmp_path, endpoints, PROMPT), *(self.parts(client, graph) for graph in graphs)
        )
        assert [said_in(summary) for summary in summaries] == [
            joined(messages_in(parts)) for parts in streams
        ]
        assert [summary["finish_reason"] for summary in summaries] == ["stop", "stop"]
        assert (code, broken["state"], broken["text"]) == (6, "failed", "Half an answer")

    async def test_a_thread_remembers_what_was_said(
        self, client: LangGraphClient, ask: Ask
    ) -> None:
        thread_id = (await client.threads.create())["thread_id"]
        llm = ask("talker", thread_id=thread_id)
        first = await our_message(llm, "One?")
        await our_message(llm, [("user", "One?"), ("assistant", first.text), ("user", "Two?")])
        state: Any = await client.threads.get_state(thread_id)
        messages = convert_to_messages(state["values"]["messages"])
        assert [message.text for message in messages] == ["One?", first.text, "Two?", first.text]

    async def test_a_stream_that_is_cut_is_joined_again(
        self, real: str, client: LangGraphClient, ask: Ask
    ) -> None:
        thread_id = (await client.threads.create())["thread_id"]
        async with listening(CutOnce(real, b'"content":"9 "')) as proxy:
            llm = ask("slow", url=proxy.url, thread_id=thread_id, stream_resumable=True)
            answer = await our_message(llm)
        assert proxy.has_cut
        assert answer.text == "".join(f"{number} " for number in range(20))
        state: Any = await client.threads.get_state(thread_id)
        assert said(answer) == said(last_message(state["values"]))
