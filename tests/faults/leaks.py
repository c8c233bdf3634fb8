"""Secrets of an endpoint, and the ways in which a server can send them back."""

import json
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import quote

from msgspec import Struct

from streamtui.config import Proxy
from streamtui.redact import Secret
from tests.faults.outcome import LAST_CHUNK, TOKEN
from tests.faultserver import FaultServer, fault_server
from tests.raw_http import whole_answer

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "cases" / "security_cases.json").read_text(encoding="utf-8")
)["redaction"]


class Leak(Struct, frozen=True):
    """A text that quotes a secret, and the configuration of the endpoint that has this secret."""

    id: str
    text: str
    secrets: tuple[str, ...]
    changes: dict[str, Any]


def _proxy(username: str, password: str) -> Proxy:
    # Loopback is reached directly: the endpoint has a proxy, and its tests need none.
    return Proxy("office", "http://127.0.0.1:9", username, Secret(password))


_HOLDERS: dict[str, dict[str, Any]] = {
    "proxy-userinfo": {"proxy": _proxy("u", "PWSECRET")},
    "socks-userinfo": {"proxy": _proxy("bob", "hunter2!")},
    "basic": {"proxy": _proxy("u", "PWSECRET")},
    "cookie": {"headers": {"Cookie": "session=abcdef; x=1"}},
    "known-value-partial": {"api_key": Secret("sk-abcd0123456789wxyz")},
}


def _leak(case: dict[str, Any]) -> Leak:
    held = _HOLDERS.get(case["id"]) or {"api_key": Secret(case["secrets"][0])}
    return Leak(case["id"], case["text"], tuple(case["secrets"]), held)


LEAKS = [_leak(case) for case in CASES if case["secrets"]]


def found_in(shown: str, leak: Leak) -> list[str]:
    """The secrets that a text shows, as they are or as one would write them in JSON or a URL."""
    spellings = {
        spelling
        for secret in leak.secrets
        for spelling in (
            secret,
            quote(secret, safe=""),
            json.dumps(secret)[1:-1],
            b64encode(secret.encode()).decode(),
        )
    }
    return sorted(spelling for spelling in spellings if spelling in shown)


def _whole(status: str, body: str, *headers: str) -> list[Any]:
    return [["send", whole_answer(status, *headers, body=body)]]


def _stream(*frames: str) -> list[Any]:
    return [["head"], *(["chunk", frame] for frame in frames), LAST_CHUNK]


def _error(text: str) -> str:
    return json.dumps({"error": {"message": text, "type": "server_error", "code": text}})


def ways(text: str) -> dict[str, list[Any]]:
    """What a server does that sends a text back, by the name of the way."""
    in_url = quote(text, safe="=&?:/@")
    return {
        "message of a refusal": _whole("401 U", _error(text), "Content-Type: application/json"),
        "body of a failure": _whole("500 ISE", text, "Content-Type: text/plain"),
        "reason of a failure": _whole(f"500 {text}", ""),
        "headers": _whole("429 T", "", f"x-request-id: {text}", f"x-ratelimit-reset: {text}"),
        "title of a web page": _whole("200 OK", f"<html><title>{text}</title></html>"),
        "body that is no stream": _whole("200 OK", text, "Content-Type: text/plain"),
        "JSON that breaks off": _whole("200 OK", f'{{"error": "{text}'),
        "error before the answer": _stream(f"data: {_error(text)}\n\n"),
        "error in mid-answer": [["head"], TOKEN, *_stream(f"data: {_error(text)}\n\n")[1:]],
        "frame that cannot be read": _stream(f"data: {{oops {text}\n\n"),
        "frame of an unknown kind": _stream(f"event: {text}\ndata: {json.dumps({'x': text})}\n\n"),
        "sign of life": _stream(f": {text}\n\n"),
        "redirect": _whole("307 T", "", f"Location: http://{in_url}@localhost:9/?key={in_url}"),
        "no HTTP": [["send", f"{text}\r\n\r\n"]],
    }


WAYS = list(ways(""))


@asynccontextmanager
async def leaking_servers() -> AsyncIterator[list[tuple[FaultServer, Leak]]]:
    """A server for each way, and the secret that each sends back."""
    async with AsyncExitStack() as stack:
        servers = []
        for way, leak in zip(WAYS, cycle(LEAKS), strict=False):
            server = await stack.enter_async_context(fault_server(ways(leak.text)[way]))
            servers.append((server, leak))
        yield servers
