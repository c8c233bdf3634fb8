"""Ways to ask the demo server and to read its streams, for the tests here."""

import asyncio
from typing import Any, Literal
from urllib.parse import urlsplit

import aiohttp
import pytest
from msgspec import json

from streamtui.demo.server import DemoServer

DialectName = Literal["chat", "completions"]
DIALECTS: tuple[DialectName, ...] = ("chat", "completions")

PATHS: dict[DialectName, str] = {"chat": "/chat/completions", "completions": "/completions"}


def request_body(
    dialect: DialectName, model: str, prompt: str = "Tell me something.", **fields: Any
) -> dict[str, Any]:
    """A request for a stream, unless the fields say otherwise."""
    question = (
        {"messages": [{"role": "user", "content": prompt}]}
        if dialect == "chat"
        else {"prompt": prompt}
    )
    return {"model": model, "stream": True, **question, **fields}


def ask(
    http: aiohttp.ClientSession,
    server: DemoServer,
    body: dict[str, Any],
    headers: dict[str, str] | None = None,
) -> "aiohttp.client._RequestContextManager":
    path = PATHS["chat" if "messages" in body else "completions"]
    return http.post(server.base_url + path, json=body, headers=headers)


async def stream(
    http: aiohttp.ClientSession, server: DemoServer, body: dict[str, Any]
) -> list[Any]:
    """The JSON of all events of a good stream, which ends with `[DONE]`."""
    async with ask(http, server, body) as response:
        assert response.status == 200, await response.text()
        events = events_in(await response.read())
    assert events.pop() == "[DONE]"
    return events


def events_in(body: bytes) -> list[Any]:
    """Decoded data of each event; `[DONE]` stays a string, half an event is left out."""
    frames = body.split(b"\n\n")[:-1]
    assert all(frame.startswith(b"data: ") and b"\n" not in frame for frame in frames)
    payloads = [frame.removeprefix(b"data: ").decode() for frame in frames]
    return [payload if payload == "[DONE]" else json.decode(payload) for payload in payloads]


def pieces(events: list[Any]) -> list[str]:
    """The text of the answer, chunk by chunk, in either dialect."""
    choices = [choice for event in events for choice in event.get("choices", ())]
    texts = [choice.get("text") or choice.get("delta", {}).get("content") for choice in choices]
    return [text for text in texts if text]


def finish_reasons(events: list[Any]) -> list[str]:
    choices = [choice for event in events for choice in event.get("choices", ())]
    return [choice["finish_reason"] for choice in choices if choice["finish_reason"]]


async def until_the_cut(response: aiohttp.ClientResponse) -> bytes:
    """What is received before the connection breaks, which it must."""
    received = b""
    try:
        async for data in response.content.iter_any():
            received += data
    except aiohttp.ClientPayloadError:
        return received
    pytest.fail("the stream came to a good end")


async def exchange(server: DemoServer, request: bytes) -> bytes:
    """Everything that comes back on a fresh connection until the server closes it."""
    address = urlsplit(server.base_url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        writer.write(request)
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


def http_request(body: dict[str, Any]) -> bytes:
    """The request of `ask` as bytes, on a connection that is closed afterwards."""
    content = json.encode(body)
    path = PATHS["chat" if "messages" in body else "completions"]
    head = (
        f"POST /v1{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content
