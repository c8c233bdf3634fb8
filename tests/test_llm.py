"""The library over scripted doors: what is asked, what comes out, and when the run is ended."""

import asyncio
import gc
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, closing
from typing import Any, TypeVar
from uuid import UUID

import pytest

from streamtui import LLM
from streamtui.config import Config, Endpoint, Proxy, load_config
from streamtui.engine.doors import Cancel, CloseSession, Command, Doors, OpenSession, Send
from streamtui.errors import (
    ConfigError,
    ProtocolError,
    ProviderError,
    StatusError,
    TransportError,
)
from streamtui.events import (
    Body,
    Chunk,
    ErrorInfo,
    Finish,
    Message,
    Metrics,
    RunCancelled,
    RunCompleted,
    RunCutOff,
    RunFailed,
    RunStarted,
    SessionClosed,
    SessionOpened,
    TextDelta,
    Usage,
)
from streamtui.redact import Secret
from streamtui.streams import AsyncStream
from tests.scripted import BusDoors

MIRROR = Endpoint("mirror", "openai-chat", "http://127.0.0.1:9/v1", "m", params={"temperature": 1})
LEGACY = Endpoint("legacy", "openai-completions", "http://127.0.0.1:9/v1", "m")
OFFICE = Proxy("office", "http://proxy.example.com:3128")
CONFIG = Config(
    {"mirror": MIRROR, "legacy": LEGACY}, default_endpoint="mirror", proxies={"office": OFFICE}
)

T = TypeVar("T")

DONE = RunCompleted("stop", Metrics())


def said(text: str) -> Chunk:
    return Chunk((TextDelta(text),))


class ScriptedDoors(BusDoors):
    """Answers each prompt with the same bodies, at once; `say` adds to the newest run."""

    def __init__(self, *answer: Body) -> None:
        super().__init__()
        self.on_send: Callable[[], object] = lambda: None
        self._answer = answer
        self._endpoint = MIRROR

    def execute(self, command: Command) -> None:
        super().execute(command)
        match command:
            case OpenSession():
                self._endpoint = command.endpoint
                opened = SessionOpened(MIRROR.name, MIRROR.model, MIRROR.dialect)
                self.bus.publish(command.session_id, "", opened)
            case Send():
                self.say(self._started(command), *self._answer)
                self.on_send()

    def say(self, *bodies: Body) -> None:
        send = self.sent()
        for body in bodies:
            self.bus.publish(send.session_id, send.run_id, body)

    def sent(self) -> Send:
        return self.of(Send)[-1]

    def of(self, kind: type[T]) -> list[T]:
        return [command for command in self.commands if isinstance(command, kind)]

    def is_closed(self) -> bool:
        """Whether the newest session was closed."""
        return CloseSession(self.sent().session_id) in self.commands

    def listeners(self) -> int:
        return len(self.bus._subscribers)

    def _started(self, send: Send) -> RunStarted:
        endpoint, context = self._endpoint, send.context
        return RunStarted(
            send.prompt,
            (),
            endpoint.name,
            endpoint.model,
            endpoint.dialect,
            endpoint.params,
            context.name,
            context.tags,
            context.metadata,
        )


def llm_on(doors: Doors, endpoint: str = "mirror", **options: Any) -> LLM:
    return LLM(endpoint, config=CONFIG, doors=doors, **options)


async def collected(stream: AsyncIterator[Any], into: list[Any] | None = None) -> list[Any]:
    items = [] if into is None else into
    async for item in stream:
        items.append(item)
    return items


# --- pieces ---------------------------------------------------------------------------------

ANSWER = (
    said(""),
    said("Hel"),
    said("lo"),
    Chunk((TextDelta(""), Finish("stop"))),
    Chunk((Usage(1, 2),)),
    DONE,
)


async def test_a_chat_endpoint_gives_the_pieces_that_hold_text() -> None:
    assert list(llm_on(ScriptedDoors(*ANSWER)).stream("hi")) == ["Hel", "lo"]
    assert await collected(llm_on(ScriptedDoors(*ANSWER)).astream("hi")) == ["Hel", "lo"]


async def test_a_completions_endpoint_gives_empty_pieces_too_as_langchain_does() -> None:
    llm = llm_on(ScriptedDoors(*ANSWER), "legacy")

    assert list(llm.stream("hi")) == ["", "Hel", "lo", ""]
    assert await collected(llm.astream("hi")) == ["", "Hel", "lo", ""]


def test_nothing_is_lost_when_the_consumer_lags() -> None:
    pieces = [f"{number} " for number in range(2000)]
    doors = ScriptedDoors(*map(said, pieces), DONE)

    received = list(llm_on(doors).stream("count"))

    assert len(received) < len(pieces)
    assert "".join(received) == "".join(pieces)


async def test_events_come_in_langchains_shape() -> None:
    doors = ScriptedDoors(*ANSWER)

    events = await collected(llm_on(doors, "legacy").astream_events("hi", version="v1"))

    assert [event["event"] for event in events] == [
        "on_llm_start",
        *["on_llm_stream"] * 4,
        "on_llm_end",
    ]
    assert events[-1]["data"] == {"output": "Hello"}


async def test_stream_works_where_a_loop_is_running() -> None:
    """The answer comes from another thread while this loop stands still."""
    doors = ScriptedDoors()
    doors.on_send = threading.Thread(target=lambda: doors.say(*ANSWER)).start

    assert list(llm_on(doors).stream("hi")) == ["Hel", "lo"]


async def test_streams_of_one_llm_do_not_mix() -> None:
    doors = ScriptedDoors()
    asked = asyncio.Semaphore(0)
    doors.on_send = asked.release
    llm = llm_on(doors)
    async with asyncio.TaskGroup() as tasks:
        streams = [llm.astream("one"), llm.astream("two")]
        waiting = [tasks.create_task(collected(stream)) for stream in streams]
        for _ in streams:
            await asked.acquire()
        for send in doors.of(Send):
            doors.bus.publish(send.session_id, send.run_id, said(f"to {send.prompt}"))
            doors.bus.publish(send.session_id, send.run_id, DONE)

    assert [task.result() for task in waiting] == [["to one"], ["to two"]]


async def test_nothing_is_asked_before_the_first_step() -> None:
    doors = ScriptedDoors(*ANSWER)
    llm = llm_on(doors)

    llm.stream("hi")
    llm.astream("hi")
    llm.astream_events("hi")

    assert doors.commands == []


async def test_a_call_that_ended_leaves_nothing_behind() -> None:
    doors = ScriptedDoors(*ANSWER)
    llm = llm_on(doors)

    list(llm.stream("hi"))
    await collected(llm.astream("hi"))
    await collected(llm.astream_events("hi"))

    assert len(doors.of(OpenSession)) == len(doors.of(CloseSession)) == 3
    assert doors.listeners() == 0


def test_an_answer_that_ended_stays_ended() -> None:
    stream = llm_on(ScriptedDoors(*ANSWER)).stream("hi")

    assert list(stream) == ["Hel", "lo"]
    assert list(stream) == []
    assert next(stream, None) is None


# --- bad ends -------------------------------------------------------------------------------

BAD_ENDS: dict[str, tuple[Body, type[Exception]]] = {
    "error object": (
        RunFailed(ErrorInfo("error-midstream", "overloaded"), Metrics(attempts=2)),
        ProviderError,
    ),
    "status": (RunFailed(ErrorInfo("rate-limit", "slow down", status=429), Metrics()), StatusError),
    "cut off": (RunCutOff(ErrorInfo("truncated", "no end marker"), Metrics()), ProtocolError),
    "lost": (RunCutOff(ErrorInfo("connection-lost", "lost"), Metrics()), TransportError),
    "cancelled by others": (RunCancelled(Metrics()), TransportError),
    "session closed by others": (SessionClosed(), TransportError),
}


@pytest.mark.parametrize(("end", "error"), BAD_ENDS.values(), ids=BAD_ENDS)
async def test_errors_are_raised_after_all_that_came_before(
    end: Body, error: type[Exception]
) -> None:
    doors = ScriptedDoors(said("Hel"), said("lo"), end)
    llm = llm_on(doors)
    pieces: list[Any] = []
    later_pieces: list[Any] = []
    events: list[Any] = []

    with pytest.raises(error):
        pieces.extend(llm.stream("hi"))
    with pytest.raises(error):
        await collected(llm.astream("hi"), into=later_pieces)
    with pytest.raises(error):
        await collected(llm.astream_events("hi"), into=events)

    assert pieces == later_pieces == ["Hel", "lo"]
    assert [event["event"] for event in events] == [
        "on_chat_model_start",
        "on_chat_model_stream",
        "on_chat_model_stream",
    ]
    assert doors.listeners() == 0


def test_an_error_tells_endpoint_and_attempt() -> None:
    end, _ = BAD_ENDS["error object"]

    with pytest.raises(ProviderError, match="overloaded") as caught:
        list(llm_on(ScriptedDoors(end)).stream("hi"))

    assert (caught.value.endpoint, caught.value.attempt) == ("mirror", 2)


# --- leaving early --------------------------------------------------------------------------

STREAMING = (said("one"), said("two"))
"""An answer that goes on."""


def test_leaving_a_loop_closes_the_session_at_once() -> None:
    doors = ScriptedDoors(*STREAMING)

    for _ in llm_on(doors).stream("hi"):
        assert not doors.is_closed()
        break

    assert doors.is_closed()


async def test_leaving_an_asynchronous_loop_closes_the_session_at_once() -> None:
    doors = ScriptedDoors(*STREAMING)

    async for _ in llm_on(doors).astream("hi"):
        assert not doors.is_closed()
        break
    first_is_closed = doors.is_closed()
    async for _ in llm_on(doors).astream_events("hi"):
        break

    assert first_is_closed
    assert doors.is_closed()


async def test_leaving_a_loop_ends_a_stream_that_is_kept() -> None:
    """LangChain's goes on in the background; see `break, keep reference` in its recordings."""
    doors = ScriptedDoors(*STREAMING)
    kept, kept_async = llm_on(doors).stream("hi"), llm_on(doors).astream("hi")

    for _ in kept:
        break
    first_is_closed = doors.is_closed()
    async for _ in kept_async:
        break

    assert first_is_closed
    assert doors.is_closed()
    assert list(kept) == await collected(kept_async) == []


def test_an_error_in_the_loop_ends_the_run() -> None:
    doors = ScriptedDoors(*STREAMING)

    def divide() -> None:
        for _ in llm_on(doors).stream("hi"):
            print(1 // 0)

    with pytest.raises(ZeroDivisionError):
        divide()

    assert doors.is_closed()


async def test_closing_ends_the_run() -> None:
    doors = ScriptedDoors(*STREAMING)
    with closing(llm_on(doors).stream("hi")) as stream:
        next(stream)
    assert doors.is_closed()

    async with aclosing(llm_on(doors).astream("hi")) as pieces:
        await anext(pieces)
    assert doors.is_closed()

    with llm_on(doors).stream("hi") as stream:
        next(stream)
    assert doors.is_closed()

    async with llm_on(doors).astream_events("hi") as events:
        await anext(events)
    assert doors.is_closed()
    assert doors.listeners() == 0


async def test_a_stream_that_is_dropped_ends_its_run() -> None:
    doors = ScriptedDoors(*STREAMING)
    stream: Any = llm_on(doors).stream("hi")
    next(stream)
    del stream
    assert doors.is_closed()

    pieces: Any = llm_on(doors).astream("hi")
    await anext(pieces)
    del pieces
    assert doors.is_closed()


def test_a_stream_in_a_cycle_ends_its_run_and_the_next_call_sweeps_up() -> None:
    doors = ScriptedDoors(*STREAMING)
    cycle: list[Any] = [llm_on(doors).stream("hi")]
    cycle.append(cycle)
    next(cycle[0])
    del cycle

    gc.collect()

    assert doors.is_closed()
    with llm_on(doors).stream("again") as stream:
        next(stream)
    assert doors.listeners() == 0


async def test_cancelling_the_task_ends_the_run() -> None:
    doors = ScriptedDoors()
    asked = asyncio.Event()
    doors.on_send = asked.set

    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(collected(llm_on(doors).astream("hi")))
        await asked.wait()
        waiting.cancel()

    assert waiting.cancelled()
    assert Cancel(doors.sent().session_id) in doors.commands
    assert doors.is_closed()
    assert doors.listeners() == 0


def test_an_interrupt_ends_the_run() -> None:
    doors = ScriptedDoors()
    main = threading.main_thread().ident
    assert main is not None
    interrupt = threading.Thread(target=signal.pthread_kill, args=(main, signal.SIGINT))
    doors.on_send = interrupt.start

    with pytest.raises(KeyboardInterrupt):
        list(llm_on(doors).stream("hi"))

    assert doors.is_closed()


def test_an_interrupt_while_asking_ends_the_run() -> None:
    doors = ScriptedDoors()
    doors.on_send = lambda: signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        next(llm_on(doors).stream("hi"))

    assert doors.is_closed()


def test_events_after_the_callers_loop_was_closed_harm_nobody() -> None:
    doors = ScriptedDoors(*STREAMING)
    kept: list[AsyncStream[str]] = []

    async def leave_open() -> None:
        kept.append(llm_on(doors).astream("hi"))
        await anext(kept[0])

    asyncio.run(leave_open())
    doors.say(*ANSWER)

    kept[0].close()
    assert doors.is_closed()


# --- what is asked --------------------------------------------------------------------------


async def test_the_run_carries_what_the_caller_says_about_it() -> None:
    doors = ScriptedDoors(*ANSWER)
    run_id = UUID(int=7)

    events = await collected(
        llm_on(doors).astream_events(
            "hi",
            {"run_id": run_id, "run_name": "named", "tags": ["t1"], "metadata": {"m": 1}},
            version="v1",
        )
    )

    assert {event["run_id"] for event in events} == {str(run_id)}
    assert events[0]["name"] == "named"
    assert (events[0]["tags"], events[0]["metadata"]) == (["t1"], {"m": 1})
    context = doors.sent().context
    assert (context.name, context.tags, context.metadata) == ("named", ("t1",), {"m": 1})


async def test_filters_leave_events_out() -> None:
    llm = llm_on(ScriptedDoors(*ANSWER))

    assert await collected(llm.astream_events("hi", include_names=["other"])) == []
    assert await collected(llm.astream_events("hi", exclude_types=["chat_model"])) == []
    assert await collected(llm.astream_events("hi", include_types=["chat_model"])) != []


async def test_an_unknown_version_is_refused_at_the_first_step_and_nothing_is_asked() -> None:
    doors = ScriptedDoors(*ANSWER)
    events = llm_on(doors).astream_events("hi", version="v9")

    with pytest.raises(NotImplementedError, match="Unsupported version: 'v9'"):
        await anext(events)

    assert doors.commands == []


def test_turns_go_into_the_session_and_the_last_one_is_asked() -> None:
    doors = ScriptedDoors(*ANSWER)

    list(
        llm_on(doors).stream(
            [
                ("system", "Be brief."),
                {"role": "human", "content": "Hi"},
                ("ai", "Hello"),
                Message("user", "Sing"),
            ]
        )
    )

    assert doors.of(OpenSession)[0].messages == (
        Message("system", "Be brief."),
        Message("user", "Hi"),
        Message("assistant", "Hello"),
    )
    assert doors.sent().prompt == "Sing"


async def test_the_input_of_an_event_is_the_prompt_as_it_was_passed() -> None:
    turns = [("user", "hi")]

    first = await anext(llm_on(ScriptedDoors(*ANSWER)).astream_events(turns))

    assert first["data"]["input"] is turns


@pytest.mark.parametrize(
    ("prompt", "error"),
    [
        ([], ValueError),
        ([("assistant", "hi")], ValueError),
        ([("narrator", "hi")], ValueError),
        ([("user", ["hi"])], TypeError),
    ],
)
def test_turns_that_cannot_be_asked_are_refused_at_the_call(
    prompt: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        llm_on(ScriptedDoors()).stream(prompt)


def test_a_completions_endpoint_takes_no_turns() -> None:
    turns = [("system", "Be brief."), ("user", "hi")]

    with pytest.raises(ValueError, match="completions"):
        llm_on(ScriptedDoors(), "legacy").stream(turns)


# --- which endpoint -------------------------------------------------------------------------


def test_keywords_take_the_place_of_what_is_configured() -> None:
    llm = LLM("mirror", model="other", api_key="k-1", proxy="office", max_tokens=5, config=CONFIG)

    endpoint = llm.endpoint
    assert (endpoint.base_url, endpoint.dialect, endpoint.model) == (
        MIRROR.base_url,
        "openai-chat",
        "other",
    )
    assert endpoint.params == {"temperature": 1, "max_tokens": 5}
    assert endpoint.api_key == Secret("k-1")
    assert endpoint.proxy == OFFICE
    assert MIRROR.params == {"temperature": 1}


def test_without_a_name_the_default_endpoint_is_asked() -> None:
    assert LLM(config=CONFIG).endpoint == MIRROR
    assert LLM("legacy/big", config=CONFIG).endpoint.model == "big"


def test_a_base_url_needs_no_configuration() -> None:
    llm = LLM(base_url="http://127.0.0.1:8080/v1/", model="m", proxy="http://me:pw@localhost:3128")

    endpoint = llm.endpoint
    assert (endpoint.name, endpoint.base_url) == ("127.0.0.1", "http://127.0.0.1:8080/v1")
    assert (endpoint.dialect, endpoint.api_key) == ("openai-chat", None)
    assert endpoint.proxy is not None
    assert endpoint.proxy.url == "http://localhost:3128"
    assert (endpoint.proxy.username, endpoint.proxy.password) == ("me", Secret("pw"))


def test_proxy_env_is_what_the_environment_names_for_the_url(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert LLM("mirror", proxy="env", config=CONFIG).endpoint.proxy is None
    monkeypatch.setenv("https_proxy", "http://me:pw@proxy.example.com:3128")
    proxy = LLM(base_url="https://api.example.com/v1", model="m", proxy="env").endpoint.proxy
    assert proxy is not None
    assert (proxy.name, proxy.url) == ("env https_proxy", "http://proxy.example.com:3128")
    assert LLM("mirror", proxy="env", config=CONFIG).endpoint.proxy is None
    monkeypatch.setenv("https_proxy", "ftp://hunter2@proxy")
    with pytest.raises(
        ConfigError, match="the environment variable https_proxy: expected"
    ) as error:
        LLM("mirror", base_url="https://api.example.com", proxy="env", config=CONFIG)
    assert "hunter2" not in str(error.value)


def test_proxy_direct_goes_past_the_configured_proxy() -> None:
    behind = Config({"mirror": MIRROR}, default_endpoint="mirror")
    assert LLM("mirror", proxy="direct", config=behind).endpoint.proxy is None


@pytest.mark.parametrize("model", ["gpt-3.5-turbo-instruct", "davinci-002"])
def test_models_that_only_complete_are_asked_in_their_dialect(model: str) -> None:
    assert LLM("mirror", model=model, config=CONFIG).endpoint.dialect == "openai-completions"
    assert LLM(f"mirror/{model}", config=CONFIG).endpoint.dialect == "openai-completions"
    chosen = LLM("mirror", model=model, dialect="openai-chat", config=CONFIG)
    assert chosen.endpoint.dialect == "openai-chat"


MISTAKES: dict[str, dict[str, Any]] = {
    "endpoint": {"endpoint": "mirrow"},
    "dialect": {"endpoint": "mirror", "dialect": "smoke-signals"},
    "base_url": {"base_url": "ftp://host"},
    "api_key": {"endpoint": "mirror", "api_key": "two words"},
    "proxy": {"endpoint": "mirror", "proxy": "user:hunter2@host"},
    "proxy URL": {"endpoint": "mirror", "proxy": "ftp://user:hunter2@host"},
}


@pytest.mark.parametrize("arguments", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_a_config_error_without_secrets(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        LLM(config=CONFIG, **arguments)

    assert "hunter2" not in str(caught.value)
    assert "two words" not in str(caught.value)


@pytest.fixture
def no_user_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for variable in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.usefixtures("no_user_configuration")
def test_the_configuration_is_loaded_when_none_is_given() -> None:
    assert LLM().endpoint == load_config().endpoint(load_config().default_endpoint)


@pytest.mark.usefixtures("no_user_configuration")
def test_a_known_endpoint_is_there_as_soon_as_its_key_is() -> None:
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        LLM("openai")

    llm = LLM("openai", api_key="sk-secret-123", model="gpt-3.5-turbo-instruct", temperature=0)

    assert llm.endpoint.base_url == "https://api.openai.com/v1"
    assert llm.endpoint.dialect == "openai-completions"
    assert llm.endpoint.params == {"temperature": 0}
    assert "secret" not in repr(llm)


# --- the process ----------------------------------------------------------------------------


def run_script(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_importing_the_library_loads_neither_screen_nor_network() -> None:
    script = """
import sys
import streamtui.llm
print(sorted({"aiohttp", "textual", "rich", "langchain_core"} & sys.modules.keys()))
"""
    assert run_script(script) == "[]\n"


SHARED = """
import asyncio, os, sys
from streamtui import LLM
from streamtui.config import EMBEDDED_DEMO_URL, Config, Endpoint
demo = Endpoint("demo", "openai-chat", EMBEDDED_DEMO_URL, "demo/fast", params={"demo": {"tokens": 3}})
llm = LLM(config=Config({"demo": demo}))
"""


def test_one_engine_serves_the_process_and_ends_with_it() -> None:
    script = f"""{SHARED}
import threading
assert len("".join(llm.stream("hi"))) > 3
async def main():
    assert [event async for event in llm.astream_events("hi")]
asyncio.run(main())
names = [thread.name for thread in threading.enumerate()]
print(names.count("streamtui engine"), "textual" in sys.modules)
kept = LLM(config=Config({{"demo": demo}}), model="demo/slow").stream("an answer that goes on")
"""
    assert run_script(script) == "1 False\n"


def test_a_process_may_end_in_the_middle_of_an_answer() -> None:
    script = f"""{SHARED}
kept = LLM(config=Config({{"demo": demo}}), model="demo/verse").stream("hi")
print(next(kept) != "")
"""
    assert run_script(script) == "True\n"


def test_a_forked_child_has_an_engine_of_its_own() -> None:
    script = f"""{SHARED}
import warnings
warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 warns of forks beside threads
whole = "".join(llm.stream("hi"))
if (child := os.fork()) == 0:
    os._exit(0 if "".join(llm.stream("hi")) == whole else 1)
print(os.waitpid(child, 0)[1])
"""
    assert run_script(script) == "0\n"
