"""Our `LLM` and langchain-openai's models, asked the same by the same server: equal, event by event."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from functools import partial
from typing import Any

import pytest

pytest.importorskip("langchain_openai")

from langchain_openai import ChatOpenAI, OpenAI
from openai import DefaultAsyncHttpxClient, DefaultHttpxClient

from streamtui import LLM, ProviderError, StatusError, TransportError
from streamtui.config import Config
from streamtui.demo.scripts import MODELS
from streamtui.demo.server import DemoServer
from streamtui.engine.host import EngineThread
from streamtui.langchain import to_plain
from streamtui.llm import RunConfig
from tests.interop.answers import received

pytestmark = pytest.mark.filterwarnings(
    # v1 is deprecated over there, and an early end leaves its httpx clients to the collector.
    "ignore::langchain_core._api.deprecation.LangChainDeprecationWarning",
)

PROMPT = "Write me a 1 verse song about sparkling water."
PARAMS: dict[str, Any] = {"temperature": 0, "max_tokens": 512}


Ask = Callable[..., LLM]


@pytest.fixture
def ask(server: DemoServer, doors: EngineThread) -> Ask:
    """Our model behind the server."""

    def ask(dialect: str, model: str, **params: Any) -> LLM:
        return LLM(
            base_url=server.base_url,
            dialect=dialect,
            model=model,
            config=Config(),
            doors=doors,
            **PARAMS,
            **params,
        )

    return ask


@pytest.fixture
async def theirs(server: DemoServer) -> AsyncIterator[Callable[..., Any]]:
    """LangChain's models behind the same server, with clients that are closed in the end."""
    blocking, asynchronous = DefaultHttpxClient(), DefaultAsyncHttpxClient()

    def make(model_class: type[Any], model: str, **options: Any) -> Any:
        return model_class(
            model=model,
            base_url=server.base_url,
            api_key="none",
            max_retries=0,
            http_client=blocking,
            http_async_client=asynchronous,
            **PARAMS,
            **options,
        )

    yield make
    blocking.close()
    await asynchronous.aclose()


Theirs = Callable[..., Any]


def comparable(event: Any) -> str:
    """An event as JSON, keys in their order, without run ids and versions."""
    plain = json.dumps(event, ensure_ascii=False, indent=1, default=lambda o: o.model_dump())
    event = json.loads(plain.replace(event["run_id"], "RUN"))
    event["metadata"].pop("lc_versions", None)
    for value in event["data"].values():
        if isinstance(value, dict):
            value.get("additional_kwargs", {}).pop("reasoning_content", None)  # see langchain.py
    return json.dumps(event, ensure_ascii=False, indent=1)


def ours_comparable(event: Any) -> str:
    return comparable(to_plain(event))


# --- text -----------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["demo/verse", "demo/markdown", "demo/tools"])
async def test_completions_give_the_same_pieces(theirs: Theirs, ask: Ask, model: str) -> None:
    llm = ask("openai-completions", model)
    their_llm = theirs(OpenAI, model)

    expected = await asyncio.to_thread(lambda: list(their_llm.stream(PROMPT)))

    assert expected[-1] == ""
    assert await asyncio.to_thread(lambda: list(llm.stream(PROMPT))) == expected
    assert [piece async for piece in llm.astream(PROMPT)] == expected
    assert [piece async for piece in their_llm.astream(PROMPT)] == expected


async def test_completions_with_usage_give_the_same_pieces(theirs: Theirs, ask: Ask) -> None:
    usage = {"stream_options": {"include_usage": True}}
    llm = ask("openai-completions", "demo/verse", **usage)
    their_llm = theirs(OpenAI, "demo/verse", model_kwargs=usage)

    expected = [piece async for piece in their_llm.astream(PROMPT)]

    assert expected[-2:] == ["", ""]
    assert [piece async for piece in llm.astream(PROMPT)] == expected


async def test_chat_gives_the_same_text(theirs: Theirs, ask: Ask) -> None:
    llm = ask("openai-chat", "demo/markdown")
    messages = [message async for message in theirs(ChatOpenAI, "demo/markdown").astream(PROMPT)]

    pieces = [piece async for piece in llm.astream(PROMPT)]

    assert pieces == [message.content for message in messages if message.content]


# --- events ---------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("model", ["demo/verse", "demo/tools", "demo/error", "demo/drop"])
async def test_completions_have_the_same_events(
    theirs: Theirs, ask: Ask, model: str, version: str
) -> None:
    llm, their_llm = ask("openai-completions", model), theirs(OpenAI, model)

    expected, their_error = await received(their_llm.astream_events(PROMPT, version=version))
    events, error = await received(llm.astream_events(PROMPT, version=version))

    assert list(map(ours_comparable, events)) == list(map(comparable, expected))
    assert (error is None) == (their_error is None) == (model not in {"demo/error", "demo/drop"})


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("with_usage", [True, False])
@pytest.mark.parametrize(
    "model", ["demo/verse", "demo/tools", "demo/thinker", "demo/error", "demo/drop"]
)
async def test_chat_has_the_same_events(
    theirs: Theirs, ask: Ask, model: str, with_usage: bool, version: str
) -> None:
    llm = ask("openai-chat", model, **({} if with_usage else {"stream_options": {}}))
    their_llm = theirs(ChatOpenAI, model, stream_usage=with_usage)

    expected, their_error = await received(their_llm.astream_events(PROMPT, version=version))
    events, error = await received(llm.astream_events(PROMPT, version=version))

    assert list(map(ours_comparable, events)) == list(map(comparable, expected))
    assert (error is None) == (their_error is None) == (model not in {"demo/error", "demo/drop"})


async def test_reasoning_is_kept_that_chat_openai_drops(ask: Ask) -> None:
    *_, end = [e async for e in ask("openai-chat", "demo/thinker").astream_events(PROMPT)]

    assert "I cannot think" in end["data"]["output"].additional_kwargs["reasoning_content"]


CONFIG: RunConfig = {"run_name": "named", "tags": ["t1", "t2"], "metadata": {"m": {"deep": 1}}}

FILTERS: dict[str, dict[str, Any]] = {
    "none": {},
    "the name": {"include_names": ["named"]},
    "another name": {"include_names": ["OpenAI"]},
    "type or name": {"include_types": ["llm", "chat_model"], "include_names": ["other"]},
    "no type": {"include_types": []},
    "one of two tags": {"include_tags": ["t2", "t9"]},
    "excluded tag": {"include_names": ["named"], "exclude_tags": ["t1"]},
    "excluded name": {"exclude_names": ["named"]},
    "excluded type": {"exclude_types": ["llm"]},
}


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("filters", FILTERS.values(), ids=FILTERS)
@pytest.mark.parametrize(
    ("dialect", "model_class"), [("openai-completions", OpenAI), ("openai-chat", ChatOpenAI)]
)
async def test_config_and_filters_have_the_same_effect(
    theirs: Theirs,
    ask: Ask,
    dialect: str,
    model_class: type[Any],
    filters: dict[str, Any],
    version: str,
) -> None:
    llm = ask(dialect, "demo/verse", stream_options={})
    their_llm = theirs(model_class, "demo/verse")

    expected, _ = await received(
        their_llm.astream_events(PROMPT, CONFIG, version=version, **filters)
    )
    events, _ = await received(llm.astream_events(PROMPT, CONFIG, version=version, **filters))

    assert list(map(ours_comparable, events)) == list(map(comparable, expected))


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_turns_are_asked_and_told_alike(
    server: DemoServer, theirs: Theirs, ask: Ask, version: str
) -> None:
    turns = [("system", "Sing."), ("human", "Hi"), ("ai", "Hello"), ("user", "Now a goldfish")]
    their_llm = theirs(ChatOpenAI, "demo/verse", stream_usage=True)

    expected, _ = await received(their_llm.astream_events(turns, version=version))
    events, _ = await received(
        ask("openai-chat", "demo/verse").astream_events(turns, version=version)
    )

    asked, asked_by_us = (record.body["messages"] for record in server.requests[-2:])
    assert asked == asked_by_us
    assert list(map(ours_comparable, events)) == list(map(comparable, expected))


async def test_a_model_that_does_not_exist_has_a_start_and_an_error(
    theirs: Theirs, ask: Ask
) -> None:
    expected, _ = await received(theirs(OpenAI, "demo/none").astream_events(PROMPT))
    events, error = await received(ask("openai-completions", "demo/none").astream_events(PROMPT))

    assert list(map(ours_comparable, events)) == list(map(comparable, expected))
    assert isinstance(error, StatusError)
    assert error.status == 404


async def test_an_unknown_version_is_refused_alike(theirs: Theirs, ask: Ask) -> None:
    _, theirs_error = await received(
        theirs(OpenAI, "demo/verse").astream_events(PROMPT, version="v9")
    )
    _, error = await received(ask("openai-chat", "demo/verse").astream_events(PROMPT, version="v9"))

    assert type(error) is type(theirs_error) is NotImplementedError


# --- bad ends -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "expected"), [("demo/error", ProviderError), ("demo/drop", TransportError)]
)
async def test_all_text_comes_before_the_error(
    server: DemoServer, theirs: Theirs, ask: Ask, model: str, expected: type[Exception]
) -> None:
    their_pieces, _ = await received(theirs(OpenAI, model).astream(PROMPT))

    pieces, error = await received(ask("openai-completions", model).astream(PROMPT))

    assert pieces == their_pieces
    assert isinstance(error, expected)


# --- leaving early --------------------------------------------------------------------------

DISCONNECT_SECONDS = 0.1
EARLY_MODEL = "demo/slow"
UNHURRIED: dict[str, Any] = {"demo": {"rate": 100, "tokens": 100_000, "delay": 0}}
"""Goes on for a quarter of an hour, unless the client leaves."""


@pytest.fixture
async def slow_server() -> AsyncIterator[DemoServer]:
    server = DemoServer()
    await server.start()
    yield server
    await server.aclose()


@pytest.fixture
def endless(slow_server: DemoServer, doors: EngineThread) -> LLM:
    return LLM(
        base_url=slow_server.base_url,
        dialect="openai-completions",
        model=EARLY_MODEL,
        config=Config(),
        doors=doors,
        **UNHURRIED,
    )


async def seconds_until_gone(server: DemoServer, left_at: float) -> float:
    """From leaving until the server saw that the client had left."""
    record = server.requests[-1]
    async with asyncio.timeout(5):
        await record.closed.wait()
    assert record.disconnected_at is not None
    return record.disconnected_at - left_at


async def leave_after_four(stream: AsyncIterator[Any]) -> float:
    count = 0
    async for _ in stream:
        count += 1
        if count == 4:
            break
    return time.monotonic()


async def test_leaving_after_four_events_reaches_the_server(
    slow_server: DemoServer, endless: LLM
) -> None:
    for version in ("v1", "v2"):
        left_at = await leave_after_four(endless.astream_events("hi", version=version))
        assert await seconds_until_gone(slow_server, left_at) < DISCONNECT_SECONDS


async def test_leaving_after_four_pieces_reaches_the_server(
    slow_server: DemoServer, endless: LLM
) -> None:
    left_at = await leave_after_four(endless.astream("hi"))

    assert await seconds_until_gone(slow_server, left_at) < DISCONNECT_SECONDS


async def test_leaving_a_stream_that_is_kept_reaches_the_server(
    slow_server: DemoServer, endless: LLM
) -> None:
    kept = endless.astream_events("hi", version="v1")

    left_at = await leave_after_four(kept)

    assert await seconds_until_gone(slow_server, left_at) < DISCONNECT_SECONDS


async def test_closing_reaches_the_server(slow_server: DemoServer, endless: LLM) -> None:
    async with aclosing(endless.astream("hi")) as stream:
        await anext(stream)
    left_at = time.monotonic()

    assert await seconds_until_gone(slow_server, left_at) < DISCONNECT_SECONDS


async def test_cancelling_a_task_reaches_the_server(slow_server: DemoServer, endless: LLM) -> None:
    begun = asyncio.Event()

    async def listen() -> None:
        async for _ in endless.astream("hi"):
            begun.set()

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(listen())
        await begun.wait()
        task.cancel()
        left_at = time.monotonic()

    assert await seconds_until_gone(slow_server, left_at) < DISCONNECT_SECONDS


async def test_leaving_a_blocking_loop_reaches_the_server(
    slow_server: DemoServer, endless: LLM
) -> None:
    def leave() -> float:
        for count, _ in enumerate(endless.stream("hi"), 1):
            if count == 4:
                break
        return time.monotonic()

    left_at = await asyncio.to_thread(leave)

    assert await seconds_until_gone(slow_server, left_at) < DISCONNECT_SECONDS


# --- the article ----------------------------------------------------------------------------

SYNCHRONOUS = """
llm = OpenAI(model="gpt-3.5-turbo-instruct", temperature=0, max_tokens=512)
for chunk in llm.stream("Write me a 1 verse song about sparkling water."):
    print(chunk, end="|", flush=True) # 使用|作为分隔符
"""

ASYNCHRONOUS = """
llm = OpenAI(model="gpt-3.5-turbo-instruct", temperature=0, max_tokens=512)
async def main():
    async for chunk in llm.astream("Write me a 1 verse song about sparkling water."):
        print(chunk, end="|", flush=True) # 使用|作为分隔符
"""

EVENTS = """
llm = OpenAI(model="gpt-3.5-turbo-instruct", temperature=0, max_tokens=512)
async def main():
    idx = 0
    async for event in llm.astream_events(
        "Write me a 1 verse song about goldfish on the moon", version="v1"
    ):
        idx += 1
        if idx >= 5: # Truncate the output
            print("...Truncated")
            break
        print(event)
"""


@pytest.fixture
def article_server(
    server: DemoServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> DemoServer:
    """Stands for OpenAI, as the environment tells both libraries."""
    monkeypatch.setitem(MODELS, "gpt-3.5-turbo-instruct", MODELS["demo/verse"])
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-article")
    monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
    return server


async def printed(example: str, model_class: Any, capsys: pytest.CaptureFixture[str]) -> str:
    """What an example prints with another class under the name that it uses."""
    names: dict[str, Any] = {"OpenAI": model_class}
    await asyncio.to_thread(exec, compile(example, "article", "exec"), names)
    if "main" in names:
        await names["main"]()
    return capsys.readouterr().out


@pytest.mark.usefixtures("article_server")
@pytest.mark.parametrize("example", [SYNCHRONOUS, ASYNCHRONOUS], ids=["stream", "astream"])
async def test_the_articles_text_examples_print_the_same(
    example: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = await printed(example, LLM, capsys)

    with DefaultHttpxClient() as blocking:
        async with DefaultAsyncHttpxClient() as asynchronous:
            clients: Any = {"http_client": blocking, "http_async_client": asynchronous}
            assert ours == await printed(example, partial(OpenAI, **clients), capsys)
    assert ours.endswith(")||")


async def test_the_articles_event_example_prints_four_events(
    article_server: DemoServer, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = await printed(EVENTS, LLM, capsys)

    *events, truncated = ours.splitlines()
    assert truncated == "...Truncated"
    assert [event.split("'")[3] for event in events] == ["on_llm_start", *["on_llm_stream"] * 3]
    async with asyncio.timeout(5):
        await article_server.requests[-1].closed.wait()
