import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtui.engine.framing import (
    MAX_LINE_BYTES,
    BareJSON,
    Comment,
    EmptyBlock,
    Frame,
    Framed,
    Framer,
    NDJSONFramer,
    Position,
    SSEFramer,
)
from streamtui.errors import ProtocolError

CASES = Path(__file__).parent.parent / "cases"
SSE = json.loads((CASES / "sse_cases.json").read_text())
NDJSON = json.loads((CASES / "ndjson_cases.json").read_text())
EXHAUSTIVE_SPLIT_BYTES = 4096


def by_id(cases: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(case, id=case["id"]) for case in cases]


def feed_all(framer: Framer, pieces: list[bytes]) -> list[Framed]:
    return [framed for piece in pieces for framed in framer.feed(piece)]


def two_way_splits(body: bytes) -> list[list[bytes]]:
    """Whole, byte by byte, and cut in two at every place (bodies are small)."""
    step = max(1, len(body) // EXHAUSTIVE_SPLIT_BYTES)
    cuts = [[body[:cut], body[cut:]] for cut in range(0, len(body) + 1, step)]
    return [[body], [body[i : i + 1] for i in range(len(body))], *cuts]


def dispatched(framed: list[Framed]) -> list[dict[str, str]]:
    return [
        {"type": frame.event, "data": frame.data, "id": frame.id}
        for frame in framed
        if isinstance(frame, Frame)
    ]


@pytest.mark.parametrize("case", by_id(SSE["cases"]))
def test_sse_case_holds_for_every_chunking(case: dict[str, Any]) -> None:
    body = case["body"].encode("latin-1")
    chunkings = two_way_splits(body)
    if "chunks" in case:
        chunkings.append([chunk.encode("latin-1") for chunk in case["chunks"]])
    for pieces in chunkings:
        framer = SSEFramer()
        framed = feed_all(framer, pieces)
        assert dispatched(framed) == case["events"]
        assert framer.retry_ms == case["retry"]
        assert framer.last_event_id == case["last_event_id"]
        tail = dispatched(list(framer.close()))
        assert tail == ([case["tail"]] if case["tail"] else [])


def test_sse_events_without_data_are_surfaced() -> None:
    framer = SSEFramer()
    assert list(framer.feed(b"event: end\r\n\r\n")) == [EmptyBlock("end")]


def test_sse_stream_that_goes_on_knows_where_it_was() -> None:
    first = SSEFramer()
    list(first.feed(b"retry: 20\nid: 7\ndata: a\n\nid: 8\ndata: ha"))
    assert first.position == Position("7", 20)
    second = SSEFramer(position=first.position)
    assert list(second.feed(b"data: b\n\n")) == [Frame("b", id="7")]
    assert second.position == Position("7", 20)
    list(second.feed(b"id\nretry: soon\n\n"))
    assert second.position == Position("", 20)


def test_sse_comments_are_surfaced_without_their_colon() -> None:
    framed = SSEFramer().feed(b": OPENROUTER PROCESSING\n\n")
    assert list(framed) == [Comment("OPENROUTER PROCESSING")]


def test_sse_bare_json_is_surfaced() -> None:
    assert list(SSEFramer().feed(b'{"error":"boom"}\n')) == [BareJSON('{"error":"boom"}')]


ERROR = '{\n  "error": {\n    "message": "} \\" ]"\n  }\n}'


@pytest.mark.parametrize(
    ("body", "framed"),
    [
        pytest.param(f"{ERROR}\n", [BareJSON(ERROR)], id="until its last bracket"),
        pytest.param("[{}\n,\n{}\n]\n", [BareJSON("[{}\n,\n{}\n]")], id="array"),
        pytest.param('{\n"a\n\nx\n', [BareJSON('{\n"a')], id="until a blank line"),
        pytest.param(
            "{\ndata: x\n\n{}\n", [BareJSON("{"), Frame("x"), BareJSON("{}")], id="until a field"
        ),
        pytest.param("{\n: k\n}\n", [Comment("k"), BareJSON("{\n}")], id="past a comment"),
        pytest.param('{\n"a": 1', [BareJSON('{\n"a": 1')], id="until the end of the body"),
    ],
)
def test_sse_bare_json_of_several_lines_is_one_document(body: str, framed: list[Framed]) -> None:
    framer = SSEFramer()
    assert [*framer.feed(body.encode()), *framer.close()] == framed


def test_sse_bare_json_is_surfaced_as_soon_as_it_is_whole() -> None:
    assert list(SSEFramer().feed(f"{ERROR}\n".encode())) == [BareJSON(ERROR)]


def test_endless_bare_json_is_refused_at_the_limit() -> None:
    framer = SSEFramer(max_event_bytes=1000)
    assert list(framer.feed(b"{\n" * 400)) == []
    with pytest.raises(ProtocolError, match="event too large"):
        list(framer.feed(b"{\n" * 400))


@pytest.mark.parametrize("size", [600_000, 10_000_000])
def test_sse_long_line_is_delivered(size: int) -> None:
    framer = SSEFramer()
    body = b"data: " + b"x" * size + b"\n\n"
    framed = feed_all(framer, [body[i : i + 65536] for i in range(0, len(body), 65536)])
    assert [len(frame.data) for frame in framed if isinstance(frame, Frame)] == [size]


@pytest.mark.parametrize("framer", [SSEFramer(), NDJSONFramer()])
def test_endless_line_is_refused_at_the_limit(framer: Framer) -> None:
    piece = b"x" * 65536
    for _ in range(MAX_LINE_BYTES // len(piece)):
        assert list(framer.feed(piece)) == []
    with pytest.raises(ProtocolError, match="16 MiB") as caught:
        list(framer.feed(piece))
    assert caught.value.kind == "frame-too-large"


def test_what_came_before_a_line_that_is_too_long_is_delivered() -> None:
    framed = SSEFramer(max_line_bytes=20).feed(b"data: first\n\ndata: " + b"x" * 30 + b"\n")
    assert next(framed) == Frame("first")
    with pytest.raises(ProtocolError):
        next(framed)


def test_endless_event_is_refused_at_the_limit() -> None:
    framer = SSEFramer(max_event_bytes=1000)
    assert list(framer.feed(b"data: x\n" * 500)) == []
    with pytest.raises(ProtocolError, match="event too large"):
        list(framer.feed(b"data: x\n"))


def test_endless_comments_leave_nothing_behind() -> None:
    framer = SSEFramer()
    for _ in range(1000):
        assert len(list(framer.feed(b": k\n" * 10))) == 10
    assert list(framer.close()) == []


def read_line(frame: Framed, number: int) -> dict[str, Any]:
    assert isinstance(frame, Frame)
    try:
        return {"ok": json.loads(frame.data)}
    except (ValueError, RecursionError):
        return {"error": "malformed-line", "line": number}


@pytest.mark.parametrize("case", by_id(NDJSON["cases"]))
def test_ndjson_case_holds_for_every_chunking(case: dict[str, Any]) -> None:
    body = case["body"].encode("latin-1")
    for pieces in two_way_splits(body):
        framer = NDJSONFramer()
        lines = [*feed_all(framer, pieces), *framer.close()]
        assert [read_line(line, n) for n, line in enumerate(lines, 1)] == case["want"]


@given(st.lists(st.binary(max_size=64), max_size=16))
def test_any_bytes_in_any_chunking_give_the_same_frames(pieces: list[bytes]) -> None:
    whole, split = SSEFramer(), SSEFramer()
    expected = [*whole.feed(b"".join(pieces)), *whole.close()]
    assert [*feed_all(split, pieces), *split.close()] == expected
