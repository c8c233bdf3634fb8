"""Requests as the official SDKs send them to the same endpoints, and what a user may change."""

from typing import Any

import pytest

from streamtui.events import Message
from tests.engine.dialects.speaking import TURNS, ask

SPOKEN = [
    {"role": "user", "content": "hi"},
    {"role": "assistant", "content": "Hello"},
    {"role": "user", "content": "again"},
]
CONTENTS = [
    {"role": "user", "parts": [{"text": "hi"}]},
    {"role": "model", "parts": [{"text": "Hello"}]},
    {"role": "user", "parts": [{"text": "again"}]},
]
SYSTEM = {"role": "system", "content": "Be brief"}
V = "2024-10-21"

PATHS_AND_BODIES: list[Any] = [
    pytest.param(
        "openai-chat",
        "/chat/completions",
        {
            "model": "m",
            "messages": [SYSTEM, *SPOKEN],
            "stream": True,
            "stream_options": {"include_usage": True},
        },
        id="openai-chat",
    ),
    pytest.param(
        "openai-completions",
        "/completions",
        {
            "model": "m",
            "prompt": "Be brief\n\nhi\n\nHello\n\nagain",
            "stream": True,
            "stream_options": {"include_usage": True},
        },
        id="openai-completions",
    ),
    pytest.param(
        "openai-responses",
        "/responses",
        {"model": "m", "instructions": "Be brief", "input": SPOKEN, "stream": True},
        id="openai-responses",
    ),
    pytest.param(
        "anthropic",
        "/v1/messages",
        {
            "model": "m",
            "max_tokens": 4096,
            "system": "Be brief",
            "messages": SPOKEN,
            "stream": True,
        },
        id="anthropic",
    ),
    pytest.param(
        "gemini",
        "/v1beta/models/m:streamGenerateContent?alt=sse",
        {"contents": CONTENTS, "systemInstruction": {"parts": [{"text": "Be brief"}]}},
        id="gemini",
    ),
    pytest.param(
        "ollama",
        "/api/chat",
        {"model": "m", "messages": [SYSTEM, *SPOKEN], "stream": True},
        id="ollama",
    ),
    pytest.param(
        "langserve",
        "/stream",
        {
            "input": [
                {"type": "system", "content": "Be brief"},
                {"type": "human", "content": "hi"},
                {"type": "ai", "content": "Hello"},
                {"type": "human", "content": "again"},
            ]
        },
        id="langserve",
    ),
    pytest.param(
        "langgraph",
        "/runs/stream",
        {
            "assistant_id": "agent",
            "input": {"messages": [SYSTEM, *SPOKEN]},
            "stream_mode": ["messages-tuple"],
        },
        id="langgraph",
    ),
    pytest.param("sse", "", {"input": "again"}, id="sse"),
]


@pytest.mark.parametrize(("dialect", "path", "body"), PATHS_AND_BODIES)
def test_request_has_the_path_and_body_of_its_dialect(
    dialect: str, path: str, body: dict[str, Any]
) -> None:
    request = ask(dialect)
    assert request["path"] == path
    assert request["body"] == body
    assert request["headers"]["content-type"] == "application/json"


BEARER = {"authorization": "Bearer KEY"}
KEY_HEADERS = ("authorization", "x-api-key", "api-key", "x-goog-api-key")


@pytest.mark.parametrize(
    ("dialect", "settings", "sent"),
    [
        ("openai-chat", {}, BEARER),
        ("openai-completions", {}, BEARER),
        ("openai-responses", {}, BEARER),
        ("openai-chat", {"api_version": V}, {"api-key": "KEY"}),
        ("openai-responses", {"api_version": V}, {"api-key": "KEY"}),
        ("openai-chat", {"api_version": V, "auth": "bearer"}, BEARER),
        ("anthropic", {}, {"x-api-key": "KEY"}),
        ("anthropic", {"auth": "bearer"}, BEARER),
        ("gemini", {}, {"x-goog-api-key": "KEY"}),
        ("gemini", {"auth": "none"}, {}),
        ("ollama", {}, BEARER),
        ("ollama", {"api_key": None}, {}),
        ("langserve", {}, BEARER),
        ("langgraph", {}, {"x-api-key": "KEY"}),
        ("sse", {}, BEARER),
        (
            "openai-chat",
            {"headers": {"authorization": "Basic dTpw"}},
            {"authorization": "Basic dTpw"},
        ),
    ],
)
def test_key_is_sent_as_the_dialect_or_the_endpoint_says(
    dialect: str, settings: dict[str, Any], sent: dict[str, str]
) -> None:
    headers = ask(dialect, **settings)["headers"]
    assert {name: headers[name] for name in KEY_HEADERS if name in headers} == sent


def test_key_never_stands_in_a_path() -> None:
    assert "KEY" not in ask("gemini")["path"]


@pytest.mark.parametrize("name", ["anthropic-version", "Anthropic-Version"])
def test_header_of_the_endpoint_takes_the_place_of_ours_whatever_its_case(name: str) -> None:
    request = ask("anthropic", headers={name: "2026-10-21"})
    assert request["headers"]["anthropic-version"] == "2026-10-21"


@pytest.mark.parametrize(("setting", "sent"), [("", "2023-06-01"), ("2026-10-21", "2026-10-21")])
def test_anthropic_version_is_a_header(setting: str, sent: str) -> None:
    assert ask("anthropic", api_version=setting)["headers"]["anthropic-version"] == sent


@pytest.mark.parametrize(
    ("dialect", "base_url", "path"),
    [
        ("anthropic", "https://api.anthropic.com", "/v1/messages"),
        ("anthropic", "https://openrouter.ai/api/v1", "/messages"),
        ("anthropic", "https://gateway.example/v1/account/anthropic", "/v1/messages"),
        ("gemini", "https://host/v1", "/models/m:streamGenerateContent?alt=sse"),
        (
            "gemini",
            "https://aiplatform.example/v1beta1/projects/p/locations/l/publishers/google",
            "/models/m:streamGenerateContent?alt=sse",
        ),
        ("ollama", "http://127.0.0.1:11434/api", "/chat"),
    ],
)
def test_what_the_base_url_ends_with_is_not_said_twice(
    dialect: str, base_url: str, path: str
) -> None:
    assert ask(dialect, base_url=base_url)["path"] == path


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({"api_version": "v1"}, "/v1/models/m:streamGenerateContent?alt=sse"),
        ({"model": "tunedModels/x"}, "/v1beta/tunedModels/x:streamGenerateContent?alt=sse"),
        ({"model": "demo/verse"}, "/v1beta/models/demo/verse:streamGenerateContent?alt=sse"),
        ({"model": "a?b c"}, "/v1beta/models/a%3Fb%20c:streamGenerateContent?alt=sse"),
    ],
)
def test_gemini_names_version_and_model_in_the_path(settings: dict[str, Any], path: str) -> None:
    assert ask("gemini", **settings)["path"] == path


@pytest.mark.parametrize(
    ("dialect", "settings", "path"),
    [
        ("openai-chat", {}, f"/openai/deployments/m/chat/completions?api-version={V}"),
        ("openai-completions", {}, f"/openai/deployments/m/completions?api-version={V}"),
        ("openai-responses", {}, f"/openai/responses?api-version={V}"),
        (
            "openai-chat",
            {"model": "my dep/1"},
            f"/openai/deployments/my%20dep%2F1/chat/completions?api-version={V}",
        ),
        (
            "openai-chat",
            {"base_url": "https://n.openai.azure.com/openai"},
            f"/deployments/m/chat/completions?api-version={V}",
        ),
        (
            "openai-chat",
            {"base_url": "https://n.openai.azure.com/openai/deployments/d"},
            f"/chat/completions?api-version={V}",
        ),
        (
            "openai-responses",
            {"base_url": "https://n.openai.azure.com/openai/v1", "api_version": "preview"},
            "/responses?api-version=preview",
        ),
    ],
)
def test_azure_names_version_and_deployment_in_the_path(
    dialect: str, settings: dict[str, Any], path: str
) -> None:
    assert ask(dialect, **{"api_version": V} | settings)["path"] == path


# Parameters


def test_parameters_stand_beside_the_turns_and_over_what_we_say() -> None:
    params = {"max_tokens": 9, "thinking": {"type": "enabled", "budget_tokens": 5}}
    body = ask("anthropic", params=params)["body"]
    assert body["max_tokens"] == 9
    assert body["thinking"] == params["thinking"]


def test_empty_stream_options_are_left_out() -> None:
    assert "stream_options" not in ask("openai-chat", params={"stream_options": {}})["body"]


def test_gemini_sorts_parameters_into_the_request_and_its_configuration() -> None:
    safety = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]
    params = {
        "temperature": 0,
        "safetySettings": safety,
        "generationConfig": {"maxOutputTokens": 9},
    }
    body = ask("gemini", TURNS[1:2], params=params)["body"]
    assert body == {
        "contents": CONTENTS[:1],
        "generationConfig": {"temperature": 0, "maxOutputTokens": 9},
        "safetySettings": safety,
    }


def test_ollama_sorts_parameters_into_the_request_and_its_options() -> None:
    params = {"temperature": 0, "options": {"seed": 1}, "think": True, "keep_alive": "5m"}
    body = ask("ollama", TURNS[1:2], params=params)["body"]
    assert body == {
        "model": "m",
        "messages": SPOKEN[:1],
        "stream": True,
        "options": {"temperature": 0, "seed": 1},
        "think": True,
        "keep_alive": "5m",
    }


@pytest.mark.parametrize(
    ("params", "asked"),
    [
        ({"raw": True}, {"prompt": "Be brief\n\nhi", "raw": True}),
        ({"raw": False}, {"prompt": "hi", "system": "Be brief", "raw": False}),
        ({"context": [1, 2]}, {"prompt": "hi", "system": "Be brief", "context": [1, 2]}),
    ],
)
def test_ollama_is_asked_to_generate_with_what_only_generate_knows(
    params: dict[str, Any], asked: dict[str, Any]
) -> None:
    request = ask("ollama", TURNS[:2], params=params)
    assert request["path"] == "/api/generate"
    assert request["body"] == {"model": "m", "stream": True, **asked}


# System prompts


@pytest.mark.parametrize(
    ("dialect", "key", "value"),
    [
        ("anthropic", "system", "One\n\nTwo"),
        ("openai-responses", "instructions", "One\n\nTwo"),
        ("gemini", "systemInstruction", {"parts": [{"text": "One\n\nTwo"}]}),
    ],
)
def test_system_prompts_are_one_and_absent_where_there_is_none(
    dialect: str, key: str, value: object
) -> None:
    turns = (Message("system", "One"), Message("user", "hi"), Message("system", "Two"))
    assert ask(dialect, turns)["body"][key] == value
    assert key not in ask(dialect, turns[1:2])["body"]
