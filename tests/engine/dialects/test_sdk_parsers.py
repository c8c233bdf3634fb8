"""The recordings read by the official SDKs, where they are installed: the same answer as ours.

Only answers that ended well: what an SDK does with the others is told in no common words.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.engine.test_reader import EXPECTED, FIXTURES, head_and_body, shown

pytestmark = pytest.mark.filterwarnings("ignore")

# The SDK knows neither the name that aimock gives to thoughts nor an answer without `alt=sse`.
NOT_READ_BY_SDK = {"ollama/aimock-ollamachat-reason", "gemini/own-gemini-array-no-alt-sse"}
TURNS = [{"role": "user", "content": "hi"}]


class Answer:
    """What an SDK hands out, gathered as `expected.json` tells it."""

    def __init__(self) -> None:
        self.text = self.reasoning = ""
        self.finish: str | None = None
        self.calls: dict[int, list[str | None]] = {}

    def open_call(self, index: int, call_id: str | None, name: str, arguments: str = "") -> None:
        self.calls[index] = [call_id, name, arguments]

    def add_arguments(self, index: int, arguments: str) -> None:
        self.calls[index][2] = (self.calls[index][2] or "") + arguments

    def result(self) -> dict[str, Any]:
        parts = {"text": self.text, "reasoning": self.reasoning, "finish": self.finish}
        return shown(parts) | {"tool_calls": list(self.calls.values())}


def ask_anthropic(url: str, answer: Answer) -> None:
    anthropic: Any = pytest.importorskip("anthropic")
    client = anthropic.Anthropic(api_key="KEY", base_url=url, max_retries=0)
    for event in client.messages.create(model="m", max_tokens=9, messages=TURNS, stream=True):
        if event.type == "content_block_start" and event.content_block.type == "tool_use":
            answer.open_call(event.index, event.content_block.id, event.content_block.name)
        elif event.type == "content_block_delta":
            answer.text += getattr(event.delta, "text", "")
            answer.reasoning += getattr(event.delta, "thinking", "")
            if event.delta.type == "input_json_delta":
                answer.add_arguments(event.index, event.delta.partial_json)
        elif event.type == "message_delta":
            answer.finish = event.delta.stop_reason


def ask_openai_responses(url: str, answer: Answer) -> None:
    openai: Any = pytest.importorskip("openai")
    client = openai.OpenAI(api_key="KEY", base_url=url, max_retries=0)
    for event in client.responses.create(model="m", input="hi", stream=True):
        match event.type:
            case "response.output_text.delta":
                answer.text += event.delta
            case "response.reasoning_text.delta" | "response.reasoning_summary_text.delta":
                answer.reasoning += event.delta
            case "response.output_item.added" if event.item.type == "function_call":
                answer.open_call(event.output_index, event.item.call_id, event.item.name)
            case "response.function_call_arguments.delta":
                answer.add_arguments(event.output_index, event.delta)
            case "response.completed":
                answer.finish = event.response.status
            case "response.incomplete":
                answer.finish = event.response.incomplete_details.reason


def ask_gemini(url: str, answer: Answer) -> None:
    genai: Any = pytest.importorskip("google.genai")
    client = genai.Client(api_key="KEY", http_options={"base_url": url})
    for chunk in client.models.generate_content_stream(model="m", contents="hi"):
        for part in chunk.parts or []:
            if call := part.function_call:
                answer.open_call(len(answer.calls), call.id, call.name, compact(call.args))
            elif part.thought:
                answer.reasoning += part.text
            else:
                answer.text += part.text
        reason = chunk.candidates[0].finish_reason
        answer.finish = reason.value if reason else None


def ask_ollama(url: str, answer: Answer) -> None:
    ollama: Any = pytest.importorskip("ollama")
    for line in ollama.Client(host=url).chat(model="m", messages=TURNS, stream=True):
        answer.text += line.message.content or ""
        answer.reasoning += line.message.thinking or ""
        answer.finish = line.done_reason
        for call in line.message.tool_calls or []:
            function = call.function
            answer.open_call(len(answer.calls), None, function.name, compact(function.arguments))


def ask_ollama_to_generate(url: str, answer: Answer) -> None:
    ollama: Any = pytest.importorskip("ollama")
    for line in ollama.Client(host=url).generate(model="m", prompt="hi", stream=True):
        answer.text += line.response
        answer.finish = line.done_reason


def compact(arguments: object) -> str:
    return json.dumps(arguments, ensure_ascii=False, separators=(",", ":"))


ASK = {
    "anthropic": ask_anthropic,
    "gemini": ask_gemini,
    "ollama": ask_ollama,
    "openai-responses": ask_openai_responses,
}
WHOLE = [
    name
    for name, expected in EXPECTED.items()
    if name.partition("/")[0] in ASK
    and expected.get("error", "") is None
    and name not in NOT_READ_BY_SDK
]


@contextmanager
def serving(path: Path) -> Iterator[str]:
    """The URL of a server that answers everything with a recording."""
    _, body = head_and_body(path)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("name", WHOLE)
def test_sdk_reads_the_same_answer_from_a_recording(name: str) -> None:
    dialect = name.partition("/")[0]
    ask = ask_ollama_to_generate if "generate" in name else ASK[dialect]
    answer = Answer()
    with serving(FIXTURES / f"{name}.http") as url:
        ask(url, answer)
    expected = EXPECTED[name]
    assert answer.result() == {key: expected[key] for key in answer.result()}
