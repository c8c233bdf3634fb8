"""Every cell of the README's table of dialects, a test each.

What a dialect has is played by the demo server over HTTP, and as other software sent it where that
was recorded. What a dialect lacks is held out to it, and is not found.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

import pytest

from streamtui.config import Endpoint
from streamtui.demo.scripts import FAILURE, MODELS
from streamtui.demo.server import DemoServer
from streamtui.engine.dialects import DIALECTS
from streamtui.engine.doors import ListModels, OpenSession, Send
from streamtui.engine.reports import ModelList
from streamtui.errors import RunError
from streamtui.events import Chunk, Delta, ErrorInfo, RunFailed
from tests.engine.test_reader import FIXTURES, head_and_body, outcome, read_deltas
from tests.scripted import EngineUnderTest

TEXT, REASONING, CALLS, USAGE = "text", "reasoning", "tool calls", "usage"
ERRORS, LIST = "errors in mid-stream", "model list"
FEATURES = (TEXT, REASONING, CALLS, USAGE, ERRORS, LIST)

PLAYED = {
    TEXT: ("demo/verse", "tiny"),
    REASONING: ("demo/thinker", "The question is"),
    CALLS: ("demo/tools", "'get_weather', '{\"city\":"),
    USAGE: ("demo/verse", "[12, 77]"),
    ERRORS: ("demo/error", FAILURE.rstrip(".")),
}
"""The model of the demo server that has it, and some of what then arrives."""
PROMPT = "Write me a 1 verse song about sparkling water."

API_VERSION = "2024-10-21"
AZURE = "azure"
PLACES = {
    "anthropic": "",
    "gemini": "",
    "langgraph": "",
    "langserve": "/langserve/{model}",
    "ollama": "",
    "openai-chat": "/v1",
    "openai-completions": "/v1",
    "openai-responses": "/v1",
    "sse": "/v1/completions",
}
"""Where the demo server speaks a dialect."""


class Has(NamedTuple):
    """A ✓, with a recording of the dialect and words of it."""

    recording: str = ""
    words: str = ""


class Lacks(NamedTuple):
    """A –, with a recording in which another dialect has it."""

    recording: str = ""


class Heard(NamedTuple):
    """What one answer added, and what was wrong with it."""

    deltas: list[Delta]
    error: ErrorInfo | RunError | None

    def of(self, feature: str) -> str:
        """What typed deltas say of it, empty when there are none."""
        said = outcome(self.deltas, None)
        said[CALLS] = said["tool_calls"]
        said[ERRORS] = self.error.message if self.error else ""
        return str(said[feature] or "")


CELLS: dict[str, dict[str, Has | Lacks]] = {
    "openai-chat": {
        TEXT: Has("openai-chat/aimock-chat-hello", "Hello! How can I help you today?"),
        REASONING: Has("openai-chat/aimock-chat-reason", "First I think."),
        CALLS: Has("openai-chat/aimock-chat-tool", "'get_time', '{\"tz\":\"UTC\"}'"),
        USAGE: Has("openai-chat/llamaserver-chat-usage", "[65, 10]"),
        ERRORS: Has("openai-chat/own-openrouter-midstream-error", "Provider disconnected"),
        LIST: Has(),
    },
    "openai-completions": {
        TEXT: Has("openai-completions/llamaserver-completions-usage", " now"),
        REASONING: Lacks("openai-chat/aimock-chat-reason"),
        CALLS: Lacks("openai-chat/aimock-chat-tool"),
        USAGE: Has("openai-completions/llamaserver-completions-usage", "[4, 4]"),
        ERRORS: Has("openai-completions/own-mock-completions-err-mid", "The server had an error"),
        LIST: Has(),
    },
    "openai-responses": {
        TEXT: Has("openai-responses/aimock-responses-hello", "Hello! How can I help you today?"),
        REASONING: Has("openai-responses/aimock-responses-reason", "First I think."),
        CALLS: Has("openai-responses/aimock-responses-tool", "'get_time', '{\"tz\":\"UTC\"}'"),
        USAGE: Has("openai-responses/llamaserver-responses-normal", "[24, 16]"),
        ERRORS: Has("openai-responses/own-responses-failed", "slow down"),
        LIST: Has(),
    },
    "anthropic": {
        TEXT: Has("anthropic/aimock-messages-hello", "Hello! How can I help you today?"),
        REASONING: Has("anthropic/aimock-messages-reason", "First I think."),
        CALLS: Has("anthropic/aimock-messages-tool", "'get_time', '{\"tz\":\"UTC\"}'"),
        USAGE: Has("anthropic/llamaserver-messages-normal", "[24, 16]"),
        ERRORS: Has("anthropic/own-anthropic-ping-overloaded", "Overloaded"),
        LIST: Has(),
    },
    "gemini": {
        TEXT: Has("gemini/aimock-gemini-hello", "Hello! How can I help you today?"),
        REASONING: Has("gemini/aimock-gemini-reason", "First I think."),
        CALLS: Has("gemini/aimock-gemini-tool", "'get_time', '{\"tz\":\"UTC\"}'"),
        USAGE: Has(),
        ERRORS: Has("gemini/own-gemini-bare-json-error", "The model is overloaded"),
        LIST: Has(),
    },
    "ollama": {
        TEXT: Has("ollama/aimock-ollamachat-hello", "Hello! How can I help you today?"),
        REASONING: Has("ollama/aimock-ollamachat-reason", "First I think."),
        CALLS: Has("ollama/aimock-ollamachat-tool", "'get_time', '{\"tz\":\"UTC\"}'"),
        USAGE: Has("ollama/own-ollama-thinking", "[3, 2]"),
        ERRORS: Has("ollama/own-ollama-midstream-error", "an error was encountered"),
        LIST: Has(),
    },
    "langserve": {
        TEXT: Has("langserve/langserve-chat-stream", "Hello from LangServe"),
        REASONING: Has(),
        CALLS: Has(),
        USAGE: Has(),
        ERRORS: Has("langserve/langserve-boom-stream", "Internal Server Error"),
        LIST: Lacks(),
    },
    "langgraph": {
        TEXT: Has("langgraph/langgraph-runs_stream-messages-tuple", "Final answer."),
        REASONING: Has(),
        CALLS: Has(),
        USAGE: Has(),
        ERRORS: Has("langgraph/langgraph-runs_stream-error", "ValueError: boom in node"),
        LIST: Lacks(),
    },
    "sse": {
        TEXT: Has("sse/own-named-events", 'progress: {"done": 3, "of": 7}'),
        REASONING: Lacks("openai-chat/aimock-chat-reason"),
        CALLS: Lacks("openai-chat/aimock-chat-tool"),
        USAGE: Lacks("openai-chat/llamaserver-chat-usage"),
        ERRORS: Lacks("openai-chat/own-openrouter-midstream-error"),
        LIST: Lacks(),
    },
    AZURE: {
        TEXT: Has("openai-chat/aimock-azure-hello", "Hello! How can I help you today?"),
        REASONING: Has(),
        CALLS: Has(),
        USAGE: Has(),
        ERRORS: Has(),
        LIST: Has(),
    },
}
"""Row by row, as in the README. Azure speaks OpenAI's three dialects at other paths."""


def cells() -> Iterator[Any]:
    for row, features in CELLS.items():
        for feature in features:
            yield pytest.param(row, feature, id=f"{row}-{feature.replace(' ', '-')}")


@pytest.fixture
async def server() -> AsyncIterator[DemoServer]:
    server = DemoServer(pace=0.01)
    await server.start()
    yield server
    await server.aclose()


@pytest.mark.parametrize(("row", "feature"), cells())
async def test_cell(row: str, feature: str, server: DemoServer) -> None:
    if feature == LIST:
        await check_list(row, server)
        return
    model, words = PLAYED[feature]
    cell = CELLS[row][feature]
    for dialect in spoken(row, feature):
        heard = await ask(endpoint_at(server, row, dialect, model))
        assert heard.of(TEXT)
        check(heard, feature, words if isinstance(cell, Has) else "")
    match cell:
        case Has(recording, words) if recording:
            check(recorded(recording, recording.partition("/")[0]), feature, words)
        case Lacks(recording):
            check(recorded(recording, row), feature, "")


def spoken(row: str, feature: str) -> list[str]:
    """The dialects of a row; Azure adds nothing to what they have."""
    if row != AZURE:
        return [row]
    openai = (name for name in CELLS if name.startswith("openai-"))
    return [name for name in openai if isinstance(CELLS[name][feature], Has)]


def endpoint_at(server: DemoServer, row: str, dialect: str, model: str) -> Endpoint:
    base_url = server.root_url + ("" if row == AZURE else PLACES[dialect].format(model=model))
    params: dict[str, object] = {}
    if dialect == "langgraph":
        params = {"assistant_id": model}
    if dialect == "sse":
        asked = {"model": model, "stream": True, "stream_options": {"include_usage": True}}
        params = {"prompt_param": "prompt", **asked}
    version = API_VERSION if row == AZURE else ""
    return Endpoint("e", dialect, base_url, model, params=params, api_version=version)


async def ask(endpoint: Endpoint) -> Heard:
    """A run in a real engine, over a real connection."""
    async with EngineUnderTest() as test:
        test.engine.execute(OpenSession("s", endpoint))
        test.engine.execute(Send("s", "r", PROMPT))
        await test.listener.run_ends()
    deltas = [delta for chunk in test.listener.bodies(Chunk) for delta in chunk.deltas]
    failures = test.listener.bodies(RunFailed)
    return Heard(deltas, failures[0].error if failures else None)


def recorded(recording: str, dialect: str) -> Heard:
    status, body = head_and_body(FIXTURES / f"{recording}.http")
    assert status == 200
    return Heard(*read_deltas(DIALECTS[dialect], [body]))


def check(heard: Heard, feature: str, said: str) -> None:
    """Whether typed deltas say this; nothing of the feature when it is empty."""
    if said:
        assert said in heard.of(feature)
    else:
        assert heard.of(feature) == ""
        assert heard.deltas
    if feature != ERRORS:
        assert heard.error is None


async def check_list(row: str, server: DemoServer) -> None:
    for dialect in spoken(row, LIST):
        async with EngineUnderTest() as test:
            found = await test.ask(ListModels(endpoint_at(server, row, dialect, "demo/verse")))
        assert isinstance(found, ModelList)
        if isinstance(CELLS[row][LIST], Has):
            assert found == ModelList(tuple(MODELS))
        else:
            assert found.error is not None
            assert found.error.message == f"the dialect “{dialect}” has no list of models"


def test_the_table_has_every_dialect_and_every_feature() -> None:
    assert set(CELLS) == {*DIALECTS, AZURE}
    assert all(tuple(features) == FEATURES for features in CELLS.values())
