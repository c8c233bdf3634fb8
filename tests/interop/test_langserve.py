"""LangServe on both sides: its client reads the demo server, ours an application of its own."""

from collections.abc import AsyncIterator, Callable, Iterator
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("langserve")
pytest.importorskip("uvicorn")

import httpx
from langchain_core.messages import AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langserve import RemoteRunnable

from streamtui import LLM, ProviderError, StatusError
from streamtui.config import Config
from streamtui.demo.scripts import FAILURE
from streamtui.demo.server import DemoServer
from streamtui.engine.host import EngineThread

from .answers import joined, our_message, received, said
from .program import run_all, said_in
from .servers import served

PROMPT = "Write me a 1 verse song about goldfish on the moon"
VERSE = "A goldfish packed her bowl one night"
ARGUMENTS = {"city": "Lisbon", "unit": "celsius"}
METHODS = ("stream", "stream_events", "stream_log")

Remote = Callable[[str], "RemoteRunnable[Any, Any]"]


@pytest.fixture
async def remote(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Remote]:
    """LangServe's client for a runnable of a URL."""
    # Whichever thread collects the garbage would wait for an event loop in yet another one.
    monkeypatch.setattr("langserve.client._close_clients", lambda *_clients: None)
    made: list[RemoteRunnable[Any, Any]] = []

    def make(url: str) -> RemoteRunnable[Any, Any]:
        made.append(RemoteRunnable(url))
        return made[-1]

    yield make
    for runnable in made:
        runnable.sync_client.close()
        await runnable.async_client.aclose()


async def whole(stream: AsyncIterator[Any]) -> Any:
    """All pieces, added up."""
    return reduce(add, [piece async for piece in stream])


def our_model(url: str, doors: EngineThread, **params: Any) -> LLM:
    return LLM(
        base_url=url,
        dialect="langserve",
        model="any",
        config=Config(),
        doors=doors,
        **params,
    )


class TestDemo:
    @pytest.fixture
    def runnable(self, server: DemoServer, remote: Remote) -> Remote:
        return lambda model: remote(f"{server.root_url}/langserve/{model}")

    async def test_a_stream_says_what_the_whole_answer_says(self, runnable: Remote) -> None:
        verse = runnable("demo/verse")
        pieces = [piece async for piece in verse.astream(PROMPT)]
        assert {type(piece) for piece in pieces} == {AIMessageChunk}
        streamed, answer = reduce(add, pieces), await verse.ainvoke(PROMPT)
        assert said(streamed) == said(answer)
        assert streamed.text.startswith(VERSE)
        assert streamed.response_metadata == answer.response_metadata
        assert streamed.response_metadata["finish_reason"] == "stop"
        assert pieces[-1].chunk_position == "last"

    async def test_text_models_say_strings(self, runnable: Remote) -> None:
        verse = runnable("text/demo/verse")
        pieces = [piece async for piece in verse.astream(PROMPT)]
        assert {type(piece) for piece in pieces} == {str}
        assert "".join(pieces) == await verse.ainvoke(PROMPT)
        assert pieces[0] == "A"

    @pytest.mark.parametrize(
        "asked",
        [
            [HumanMessage(PROMPT)],
            [SystemMessage("Sing."), HumanMessage(PROMPT)],
            [("human", PROMPT)],
            {"topic": PROMPT},
            {"messages": [{"role": "user", "content": PROMPT}]},
        ],
    )
    async def test_it_is_asked_in_all_of_langchains_ways(
        self, runnable: Remote, asked: Any
    ) -> None:
        assert (await whole(runnable("demo/verse").astream(asked))).text.startswith(VERSE)

    async def test_reasoning_is_kept_apart(self, runnable: Remote) -> None:
        answer = said(await whole(runnable("demo/thinker").astream(PROMPT)))
        assert answer.reasoning.startswith("The question is")
        assert answer.text.startswith("The reasoning above")
        assert answer.usage is not None
        assert 0 < answer.usage[2] < answer.usage[1]

    @pytest.mark.parametrize("method", METHODS)
    async def test_our_client_reads_the_same(
        self, runnable: Remote, server: DemoServer, doors: EngineThread, method: str
    ) -> None:
        for model in ("demo/verse", "demo/thinker", "demo/tools"):
            url = f"{server.root_url}/langserve/{model}"
            llm = our_model(url, doors, method=method)
            theirs = await whole(runnable(model).astream(PROMPT))
            assert said(await our_message(llm, PROMPT)) == said(theirs)

    async def test_a_tool_call_is_put_together_and_answered(self, runnable: Remote) -> None:
        tools = runnable("demo/tools")
        called = await whole(tools.astream(PROMPT))
        [(call_id, name, arguments)] = said(called).calls
        assert (name, arguments) == ("get_weather", ARGUMENTS)
        assert said(called) == said(await tools.ainvoke(PROMPT))
        result = ToolMessage("21 °C", tool_call_id=call_id)
        answer = await tools.ainvoke([HumanMessage(PROMPT), called, result])
        assert "21 °C" in answer.text

    async def test_events_are_those_of_one_model(self, runnable: Remote) -> None:
        events = [e async for e in runnable("demo/verse").astream_events(PROMPT)]
        first, *pieces, last = events
        assert first["event"] == "on_chat_model_start"
        assert first["data"]["input"][0].content == PROMPT
        assert {event["event"] for event in pieces} == {"on_chat_model_stream"}
        assert last["event"] == "on_chat_model_end"
        streamed = reduce(add, [event["data"]["chunk"] for event in pieces])
        assert said(last["data"]["output"]) == said(streamed)
        assert len({event["run_id"] for event in events}) == 1

    @pytest.mark.parametrize(
        ("filters", "passes"),
        [
            ({"include_types": ["chat_model"]}, True),
            ({"include_types": ["llm"], "include_names": ["/demo/verse"]}, True),
            ({"include_tags": ["mine"]}, True),
            ({"include_names": ["other"]}, False),
            ({"include_types": ["chat_model"], "exclude_tags": ["mine"]}, False),
        ],
    )
    async def test_events_can_be_filtered(
        self, runnable: Remote, filters: dict[str, Any], passes: bool
    ) -> None:
        stream = runnable("demo/verse").astream_events(PROMPT, {"tags": ["mine"]}, **filters)
        assert bool([event async for event in stream]) == passes

    async def test_the_log_adds_up_to_the_answer(self, runnable: Remote) -> None:
        log = (await whole(runnable("demo/verse").astream_log(PROMPT))).state
        assert log["type"] == "llm"
        assert said(reduce(add, log["streamed_output"])) == said(log["final_output"])

    async def test_a_batch_is_answered_in_order(self, runnable: Remote) -> None:
        asked = ["sparkling water", "goldfish on the moon"]
        water, goldfish = await runnable("demo/verse").abatch(asked)
        assert water.text.startswith("A thousand tiny lanterns")
        assert goldfish.text.startswith(VERSE)

    async def test_limits_are_the_keywords_of_a_call(self, runnable: Remote) -> None:
        answer = await whole(runnable("demo/verse").astream(PROMPT, max_tokens=5))
        assert answer.response_metadata["finish_reason"] == "length"
        assert answer.usage_metadata["output_tokens"] == 5

    @pytest.mark.parametrize("method", ["astream", "astream_events", "astream_log"])
    async def test_an_error_comes_after_what_was_said(
        self, runnable: Remote, server: DemoServer, method: str
    ) -> None:
        pieces, error = await received(getattr(runnable("demo/error"), method)(PROMPT))
        assert len(pieces) > 10
        assert isinstance(error, httpx.HTTPStatusError)
        assert str(error) == FAILURE
        assert error.response.status_code == 500
        await server.requests[-1].closed.wait()
        assert server.requests[-1].outcome == "dropped"

    async def test_faults(self, runnable: Remote) -> None:
        pieces, error = await received(runnable("demo/drop").astream(PROMPT))
        assert len(pieces) > 10
        assert isinstance(error, httpx.RemoteProtocolError)
        for model, status in (("demo/flaky", 429), ("demo/nobody", 404)):
            with pytest.raises(httpx.HTTPStatusError) as refused:
                await runnable(model).ainvoke(PROMPT)
            assert refused.value.response.status_code == status

    async def test_schemas_are_told(self, server: DemoServer) -> None:
        async with httpx.AsyncClient(base_url=f"{server.root_url}/langserve") as client:
            for name in ("input_schema", "output_schema", "config_schema"):
                for runnable in ("demo/verse", "text/demo/verse"):
                    answer = await client.get(f"/{runnable}/{name}")
                    assert "title" in answer.json()


Ask = Callable[..., LLM]


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served("langserve_app", tmp_path_factory.mktemp("langserve")) as url:
        yield url


@pytest.fixture
def ask(application: str, doors: EngineThread) -> Ask:
    """Our model of a runnable of the real application."""

    def ask(runnable: str, **params: Any) -> LLM:
        return our_model(f"{application}/{runnable}", doors, **params)

    return ask


class TestRealServer:
    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("model", ["talker", "thinker", "blocks", "caller"])
    async def test_a_chat_model_says_the_same_to_both(
        self, application: str, ask: Ask, remote: Remote, model: str, method: str
    ) -> None:
        theirs = await whole(remote(f"{application}/{model}").astream("hi"))
        ours = await our_message(ask(model, method=method))
        assert said(ours) == said(theirs)
        finish = theirs.response_metadata["finish_reason"]
        assert ours.response_metadata["finish_reason"] == finish

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize(
        ("runnable", "key"), [("llm", ""), ("chain", "topic"), ("separator", "")]
    )
    async def test_a_text_is_the_same_in_one_piece_and_in_many(
        self, application: str, ask: Ask, remote: Remote, runnable: str, key: str, method: str
    ) -> None:
        given = {key: "hi"} if key else "hi"
        theirs = await remote(f"{application}/{runnable}").ainvoke(given)
        pieces = [piece async for piece in ask(runnable, method=method, input=key).astream("hi")]
        assert "".join(pieces) == getattr(theirs, "text", theirs)

    async def test_all_turns_are_sent(self, ask: Ask) -> None:
        turns = [("system", "Be."), ("user", "One?"), ("assistant", "Two."), ("user", "Three?")]
        pieces = [piece async for piece in ask("echo").astream(turns)]
        assert "".join(pieces) == "system: Be. / human: One? / ai: Two. / human: Three?"

    async def test_messages_under_keys_are_paragraphs(
        self, application: str, ask: Ask, remote: Remote
    ) -> None:
        theirs = await whole(remote(f"{application}/messages").astream("hi"))
        ours = await our_message(ask("messages"))
        assert sorted(ours.text.split("\n\n")) == sorted(m.text for m in theirs.values())

    async def test_models_side_by_side_are_counted_together(
        self, application: str, ask: Ask, remote: Remote
    ) -> None:
        theirs = await whole(remote(f"{application}/messages").astream("hi"))
        ours = await our_message(ask("messages", method="stream_events"))
        assert said(ours).usage == joined(map(said, theirs.values())).usage
        assert sorted(ours.text) == sorted(joined(map(said, theirs.values())).text)

    @pytest.mark.parametrize("method", METHODS)
    async def test_an_error_comes_after_the_same_text(
        self, application: str, ask: Ask, remote: Remote, method: str
    ) -> None:
        theirs, their_error = await received(remote(f"{application}/breaking").astream("hi"))
        ours, error = await received(ask("breaking", method=method).astream("hi"))
        assert "".join(ours) == "".join(piece.text for piece in theirs) == "Half an answer"
        assert isinstance(error, ProviderError)
        assert isinstance(their_error, httpx.HTTPStatusError)
        assert error.message == str(their_error) == "Internal Server Error"

    async def test_the_program_prints_what_the_runnables_said(
        self, application: str, remote: Remote, tmp_path: Path
    ) -> None:
        names = ["talker", "thinker", "caller"]
        theirs = [await whole(remote(f"{application}/{name}").astream("hi")) for name in names]
        endpoints = {
            name: {"dialect": "langserve", "base_url": f"{application}/{name}", "model": name}
            for name in [*names, "breaking"]
        }
        code, [*summaries, broken] = await run_all(tmp_path, endpoints, "hi")
        assert [said_in(summary) for summary in summaries] == list(map(said, theirs))
        assert [summary["finish_reason"] for summary in summaries] == [
            message.response_metadata["finish_reason"] for message in theirs
        ]
        assert (code, broken["state"], broken["text"]) == (6, "failed", "Half an answer")

    async def test_refusals_are_told_in_the_servers_words(self, ask: Ask) -> None:
        with pytest.raises(StatusError, match="Not Found") as missing:
            await our_message(ask("nothing"))
        assert missing.value.status == 404
        with pytest.raises(StatusError, match="rejected: Input should be") as invalid:
            await our_message(ask("chain"))
        assert invalid.value.status == 422
