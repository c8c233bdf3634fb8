"""Every way to ask the demo server, and how each is read: one loop tests all of them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest

from streamtui.demo.anthropic import Anthropic
from streamtui.demo.azure import AzureOpenAI
from streamtui.demo.dialect import Dialect
from streamtui.demo.gemini import Gemini
from streamtui.demo.langgraph import LangGraph
from streamtui.demo.langserve import LangServeChat, LangServeText
from streamtui.demo.ollama import OllamaChat, OllamaGenerate
from streamtui.demo.openai_chat import OpenAIChat
from streamtui.demo.openai_completions import OpenAICompletions
from streamtui.demo.openai_responses import OpenAIResponses

PROMPT = "Tell me something."


@dataclass(frozen=True)
class Way:
    """One path of the server; `{model}` in it is filled in."""

    name: str
    dialect: Dialect
    path: str
    ask: Callable[[str], dict[str, Any]]
    """The fields of a prompt."""
    frames: Callable[[bytes], list[Any]]
    """The JSON of all frames that are there completely."""
    piece: Callable[[Any], str | None]
    """The text of the answer in one frame."""
    whole_text: Callable[[Any], str]
    """The same in an answer that is one document."""
    finish: Callable[[Any], str | None]
    """Why the answer ended, in one frame or in the whole."""
    error: Callable[[Any], str | None]
    """What went wrong, in one frame or in the body of an error status."""
    model_field: str = "model"
    """Where the body names the model; empty when only the path does."""
    method: str = "streamGenerateContent"
    """What the path asks for, where it does."""
    hangs_up: bool = False
    """Whether the connection is cut after an error."""
    failure_status: int = 500
    """Of an answer in one document that is an error."""
    stream: tuple[str, ...] = ("stream",)
    """Where the body says so, if it does."""
    whole_path: str = ""

    def request(
        self, model: str, prompt: str = PROMPT, *, stream: bool = True
    ) -> tuple[str, dict[str, Any]]:
        """Path and body."""
        path = self.path if stream or not self.whole_path else self.whole_path
        body = self.ask(prompt) | ({self.model_field: model} if self.model_field else {})
        return path.format(model=quote(model)), body | dict.fromkeys(self.stream, stream)

    def fields(self, model: str) -> dict[str, Any]:
        """What the dialect reads, were it asked on this path."""
        parts = {"model": model, "deployment": model, "method": self.method}
        return parts | self.request(model)[1]


def events(body: bytes) -> list[Any]:
    """The data of all events, except for the end marker."""
    blocks = [block.split(b"\n") for block in body.split(b"\n\n")[:-1]]
    data = [line.removeprefix(b"data: ") for lines in blocks for line in lines[-1:]]
    return [json.loads(payload) for payload in data if payload != b"[DONE]"]


def lines(body: bytes) -> list[Any]:
    return [json.loads(line) for line in body.split(b"\n")[:-1]]


def elements(body: bytes) -> list[Any]:
    """Those of an array that may lack its end."""
    text, found, at = body.decode(), [], 1
    while at < len(text) and text[at] != "]":
        try:
            element, at = json.JSONDecoder().raw_decode(text, at)
        except json.JSONDecodeError:
            break
        found.append(element)
        at += len(",\r\n") if text.startswith(",", at) else 0
    return found


def _messages(prompt: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": prompt}]}


def _error_message(frame: Any) -> str | None:
    return (frame.get("error") or {}).get("message")


def _choice(frame: Any) -> dict[str, Any]:
    choices: list[dict[str, Any]] = frame.get("choices") or [{}]
    return choices[0]


def _chat(name: str, dialect: Dialect, path: str) -> Way:
    return Way(
        name=name,
        dialect=dialect,
        path=path,
        ask=_messages,
        frames=events,
        piece=lambda frame: _choice(frame).get("delta", {}).get("content"),
        whole_text=lambda answer: answer["choices"][0]["message"]["content"],
        finish=lambda frame: _choice(frame).get("finish_reason"),
        error=_error_message,
    )


def _completions(name: str, dialect: Dialect, path: str) -> Way:
    return Way(
        name=name,
        dialect=dialect,
        path=path,
        ask=lambda prompt: {"prompt": prompt},
        frames=events,
        piece=lambda frame: _choice(frame).get("text"),
        whole_text=lambda answer: answer["choices"][0]["text"],
        finish=lambda frame: _choice(frame).get("finish_reason"),
        error=_error_message,
    )


def _responses(name: str, path: str) -> Way:
    return Way(
        name=name,
        dialect=OpenAIResponses(),
        path=path,
        ask=lambda prompt: {"input": prompt},
        frames=events,
        piece=_output_text,
        whole_text=lambda response: response["output"][-1]["content"][0]["text"],
        finish=_response_status,
        error=lambda event: _error_message(event.get("response", event)),
    )


def _output_text(event: Any) -> str | None:
    return event["delta"] if event["type"] == "response.output_text.delta" else None


def _response_status(event: Any) -> str | None:
    status = event.get("response", event).get("status")
    return None if status in {"in_progress", "failed"} else status


def _parts(chunk: Any) -> list[Any]:
    candidates: list[Any] = chunk.get("candidates") or [{"content": {"parts": []}}]
    parts: list[Any] = candidates[0]["content"]["parts"]
    return [part for part in parts if not part.get("thought")]


def _gemini(name: str, query: str, frames: Callable[[bytes], list[Any]]) -> Way:
    return Way(
        name=name,
        dialect=Gemini(),
        path="/v1beta/models/{model}:streamGenerateContent" + query,
        whole_path="/v1beta/models/{model}:generateContent",
        ask=lambda prompt: {"contents": [{"role": "user", "parts": [{"text": prompt}]}]},
        frames=frames,
        piece=lambda chunk: "".join(part.get("text", "") for part in _parts(chunk)),
        whole_text=lambda answer: "".join(part.get("text", "") for part in _parts(answer)),
        finish=lambda chunk: chunk.get("candidates", [{}])[0].get("finishReason"),
        error=_error_message,
        model_field="",
        stream=(),
    )


def _block_text(event: Any) -> str | None:
    text: str | None = event.get("delta", {}).get("text")
    return text


def named_events(body: bytes) -> list[Any]:
    """All events whose lines end as on Windows, by name; data is None for one without."""
    found = []
    for block in body.decode().split("\r\n\r\n")[:-1]:
        fields = dict(line.partition(": ")[::2] for line in block.split("\r\n"))
        if "event" in fields:
            found.append({"event": fields["event"], "data": json.loads(fields.get("data", "null"))})
    return found


def _langserve(name: str, dialect: Dialect, path: str, piece: Callable[[Any], Any]) -> Way:
    return Way(
        name=name,
        dialect=dialect,
        path=f"{path}/stream",
        whole_path=f"{path}/invoke",
        ask=lambda prompt: {"input": prompt},
        frames=named_events,
        piece=lambda frame: piece(frame["data"]) if frame["event"] == "data" else None,
        whole_text=lambda answer: piece(answer["output"]),
        finish=lambda frame: "end" if "output" in frame or frame["event"] == "end" else None,
        error=_langserve_error,
        model_field="",
        stream=(),
        method="stream",
        hangs_up=True,
    )


def _langserve_error(frame: Any) -> str | None:
    if "event" not in frame:
        return _text(frame["detail"])
    return _text(frame["data"]["message"]) if frame["event"] == "error" else None


def _langgraph_piece(frame: Any) -> str | None:
    return _text(frame["data"][0]["content"]) if frame["event"] == "messages" else None


def _langgraph_finish(frame: Any) -> str | None:
    messages = [frame["data"][0]] if frame.get("event") == "messages" else frame.get("messages")
    about = messages[-1]["response_metadata"] if messages else {}
    return about.get("finish_reason")


def _langgraph_error(frame: Any) -> str | None:
    if frame.get("event") == "error":
        return _text(frame["data"]["message"])
    message: str | None = frame.get("detail") or frame.get("__error__", {}).get("message")
    return message


def _text(value: Any) -> str:
    assert isinstance(value, str)
    return value


WAYS = (
    _chat("chat", OpenAIChat(), "/v1/chat/completions"),
    _completions("completions", OpenAICompletions(), "/v1/completions"),
    _responses("responses", "/v1/responses"),
    _chat(
        "azure-chat",
        AzureOpenAI(OpenAIChat(), "chat/completions"),
        "/openai/deployments/{model}/chat/completions?api-version=2024-10-21",
    ),
    _completions(
        "azure-completions",
        AzureOpenAI(OpenAICompletions(), "completions"),
        "/openai/deployments/{model}/completions?api-version=2024-10-21",
    ),
    _responses("azure-responses", "/openai/responses?api-version=2024-10-21"),
    Way(
        name="anthropic",
        dialect=Anthropic(),
        path="/v1/messages",
        ask=lambda prompt: _messages(prompt) | {"max_tokens": 1_000_000},
        frames=events,
        piece=_block_text,
        whole_text=lambda message: message["content"][-1]["text"],
        finish=lambda event: event.get("delta", event).get("stop_reason"),
        error=_error_message,
    ),
    _gemini("gemini", "?alt=sse", events),
    _gemini("gemini-array", "", elements),
    Way(
        name="ollama-chat",
        dialect=OllamaChat(),
        path="/api/chat",
        ask=_messages,
        frames=lines,
        piece=lambda line: line.get("message", {}).get("content"),
        whole_text=lambda line: line["message"]["content"],
        finish=lambda line: line.get("done_reason"),
        error=lambda line: line.get("error"),
    ),
    Way(
        name="ollama-generate",
        dialect=OllamaGenerate(),
        path="/api/generate",
        ask=lambda prompt: {"prompt": prompt},
        frames=lines,
        piece=lambda line: line.get("response"),
        whole_text=lambda line: line["response"],
        finish=lambda line: line.get("done_reason"),
        error=lambda line: line.get("error"),
    ),
    _langserve(
        "langserve", LangServeChat(), "/langserve/{model}", lambda message: message["content"]
    ),
    _langserve("langserve-text", LangServeText(), "/langserve/text/{model}", lambda text: text),
    Way(
        name="langgraph",
        dialect=LangGraph(),
        path="/runs/stream",
        whole_path="/runs/wait",
        ask=lambda prompt: {
            "input": {"messages": [{"role": "user", "content": prompt}]},
            "stream_mode": "messages-tuple",
        },
        frames=named_events,
        piece=_langgraph_piece,
        whole_text=lambda state: state["messages"][-1]["content"],
        finish=_langgraph_finish,
        error=_langgraph_error,
        model_field="assistant_id",
        stream=(),
        method="stream",
        failure_status=200,
    ),
)

IN_EVERY_WAY = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)


def way(name: str) -> Way:
    return next(way for way in WAYS if way.name == name)
