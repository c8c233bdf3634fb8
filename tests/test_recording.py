"""Recorded responses: how a file of one is read, and what it means."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtui.errors import EXCERPT_CHARS
from streamtui.events import (
    Chunk,
    Event,
    ResponseStarted,
    RunCompleted,
    RunCutOff,
    RunFailed,
    RunStarted,
)
from streamtui.recording import Recording, events_of, frames, guess_dialect, read_recording
from tests.engine.test_reader import EXPECTED, FIXTURES, fixtures, outcome, shown

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
UNKNOWN = {
    # Objects of JSON that many vendors might have sent.
    "langserve/langserve-invoke",
    "openai-chat/own-200-json-error-not-sse",
    "openai-chat/own-invalid-utf8",
    "openai-chat/own-only-done",
    "sse/own-invalid-utf8",
}
COPIES = {"sse/own-bom-crlf", "sse/own-cr-only"}
"""Chat completions, read as what they are on the wire."""


def read(path: Path) -> Recording:
    return read_recording(path.read_bytes())


def meant(events: list[Event]) -> dict[str, Any]:
    """The outcome of events in the form of the expectations."""
    end = events[-1].body
    assert isinstance(end, RunCompleted | RunCutOff | RunFailed)
    error = None if isinstance(end, RunCompleted) else end.error
    if error and error.status is not None:
        return {"status": error.status, "error": error.excerpt}
    deltas = [d for e in events if isinstance(e.body, Chunk) for d in e.body.deltas]
    found = shown(outcome(deltas, None))
    return found | {"error": [error.kind, error.message] if error else None}


def expected_of(path: Path, events: list[Event]) -> dict[str, Any]:
    """What a run that ended so should have made of a fixture."""
    expected = dict(EXPECTED[f"{path.parent.name}/{path.stem}"])
    if "status" in expected:
        expected["error"] = _cut(expected["error"])
    elif expected["error"]:
        kind, message = expected["error"]
        # What the server failed of in mid-answer has that kind in a run, too.
        chunks = events[-1].body.metrics.chunks  # type: ignore[union-attr]
        kind = "error-midstream" if kind == "server" and chunks else kind
        expected["error"] = [kind, message.removesuffix(".")]
    return expected


def _cut(words: str) -> str:
    """As much as an error quotes."""
    return words if len(words) <= EXCERPT_CHARS else words[: EXCERPT_CHARS - 1] + "…"


# --- what a recording means ------------------------------------------------------------------


@pytest.mark.parametrize("path", fixtures())
def test_every_recording_means_what_its_dialect_makes_of_it(path: Path) -> None:
    events = events_of(read(path), path.parent.name, "x", 1_000.0)
    assert meant(events) == expected_of(path, events)


@pytest.mark.parametrize("path", fixtures())
def test_events_are_those_of_one_run_from_start_to_end(path: Path) -> None:
    events = events_of(read(path), path.parent.name, "x.http", 1_000.0)
    assert isinstance(events[0].body, RunStarted)
    assert events[0].body.endpoint == "x.http"
    assert isinstance(events[1].body, ResponseStarted)
    assert len({(event.session_id, event.run_id) for event in events}) == 1
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    moments = [event.mono for event in events]
    assert moments == sorted(set(moments))
    assert [event.time - 1_000.0 for event in events] == pytest.approx(moments)


def test_no_times_are_made_up() -> None:
    path = FIXTURES / "openai-chat" / "aimock-chat-hello.http"
    end = events_of(read(path), "openai-chat", "x", 0.0)[-1].body
    assert isinstance(end, RunCompleted)
    assert (end.metrics.ttft, end.metrics.duration) == (None, 0.0)
    assert (end.metrics.chunks, end.finish_reason) == (6, "stop")


def test_a_key_that_a_server_quotes_is_hidden() -> None:
    body = json.dumps({"error": {"message": "wrong key sk-abcdefghijklmnopqrstuvwxyz012345"}})
    recording = Recording(401, "", (), body.encode())
    end = events_of(recording, "openai-chat", "x", 0.0)[-1].body
    assert isinstance(end, RunFailed)
    assert "abcdefghijklmnop" not in end.error.message


# --- whose it is -----------------------------------------------------------------------------


@pytest.mark.parametrize("path", fixtures())
def test_who_speaks_is_seen_or_left_open(path: Path) -> None:
    recording, name = read(path), f"{path.parent.name}/{path.stem}"
    guess = guess_dialect(recording)
    if recording.status >= 300 or not recording.body.lstrip() or b"<html" in recording.body:
        assert guess == "openai-chat"  # as good as any other
    elif name in UNKNOWN:
        assert not guess
    else:
        assert guess == ("openai-chat" if name in COPIES else path.parent.name)


@pytest.mark.parametrize(
    ("body", "dialect"),
    [
        (b"data: plain words\n\n", "sse"),
        (b"retry: 3000\n\nid: 1\ndata: plain\n\n", "sse"),
        (b'event: tick\ndata: {"n": 1}\n\n', ""),
        (b": hello\n\n", "sse"),
    ],
)
def test_plain_events_are_plain_events(body: bytes, dialect: str) -> None:
    assert guess_dialect(read_recording(OK + body)) == dialect


# --- the file --------------------------------------------------------------------------------


def test_head_and_body_are_told_apart() -> None:
    found = read_recording(
        b"HTTP/1.1 429 Too Many Requests\r\nA: 1\r\na: 2\r\nB:\r\n\r\nx\r\n\r\ny"
    )
    assert found == Recording(
        429, "Too Many Requests", (("A", "1"), ("a", "2"), ("B", "")), b"x\r\n\r\ny"
    )
    assert found.lower_headers() == {"a": "1", "b": ""}


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/2 200 \r\nA: 1\r\n\r\nbody",
        b"HTTP/1.1 200\nA: 1\n\nbody",
        b"HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 200 OK\r\nA: 1\r\n\r\nbody",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nA: 1\r\n\r\nbody",
        b"HTTP/1.1 301 Moved\r\nLocation: /b\r\n\r\nHTTP/1.1 200 OK\r\nA: 1\r\n\r\nbody",
    ],
)
def test_what_curl_writes_is_understood(data: bytes) -> None:
    found = read_recording(data)
    assert (found.status, found.headers, found.body) == (200, (("A", "1"),), b"body")


@pytest.mark.parametrize("data", [b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 204\nA: 1\n"])
def test_a_head_alone_is_a_response(data: bytes) -> None:
    assert (read_recording(data).status, read_recording(data).body) == (204, b"")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "does not begin with a status line"),
        (b"data: x\n\n", "does not begin with a status line"),
        (b"HTTP/1.1 two hundred\r\n\r\n", "does not begin with a status line"),
        (b"HTTP/1.1 200 OK\r\ndata x\r\n\r\n", "“data x” is no header"),
        (b'HTTP/1.1 200 OK\r\n{"a": 1}\r\n\r\n', "is no header"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "the final one is missing"),
        (b"\x00\xff" * 100, "does not begin with a status line"),
    ],
)
def test_what_is_no_response_is_told(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_recording(data)


@given(st.binary(max_size=200))
def test_any_file_is_a_response_or_is_refused(data: bytes) -> None:
    try:
        found = read_recording(data)
    except ValueError:
        return
    assert data.endswith(found.body)


@given(st.binary(max_size=200))
def test_pieces_of_a_body_are_the_body(body: bytes) -> None:
    recording = Recording(200, "", (), body)
    pieces = list(frames(recording))
    assert b"".join(pieces) == body
    assert all(pieces)


def test_a_header_holds_nothing_that_could_be_another() -> None:
    found = read_recording(b"HTTP/1.1 200 OK\r\nA: b\x00\x1bc\r\n\r\n")
    assert found.headers == (("A", "bc"),)
