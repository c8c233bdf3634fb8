"""Stored runs and conversations as documents: Markdown, JSON, JSON Lines; and files for them.

Text is written as it was received. No key is in it: the journal never had one.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from streamtui.engine.reports import SessionRecord, StoredRun
from streamtui.errors import StreamTUIError
from streamtui.events import (
    Chunk,
    Event,
    Message,
    ReasoningDelta,
    RefusalDelta,
    RunCancelled,
    RunCompleted,
    RunCutOff,
    RunFailed,
    RunStarted,
    TextDelta,
    ToolCallDelta,
    kept_words,
)

MAX_NAME_CHARS = 80
_STRANGE = re.compile(r"[^0-9A-Za-z_-]+")


class ExportError(StreamTUIError):
    """A file could not be written; `str()` says which, why and what to do."""


class Turn(msgspec.Struct):
    """One question and its answer, as an exported document shows them."""

    run_id: str
    prompt: str
    endpoint: str = ""
    model: str = ""
    started: float = 0.0
    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    tool_calls: list[dict[str, Any]] = []
    state: str = "interrupted"
    """`done`, `cut off`, `failed`, `cancelled`, or `interrupted` where no end is known."""
    error: str = ""
    replaced: bool = False
    """Asked again later: the answer is no part of the conversation any more."""


def turns_of(events: Sequence[Event]) -> list[Turn]:
    """The turns that events add up to, in their order."""
    turns: dict[str, Turn] = {}
    for event in events:
        if isinstance(event.body, RunStarted):
            turns[event.run_id] = _begun(event, event.body)
            if event.body.replaces in turns:
                turns[event.body.replaces].replaced = True
        elif event.run_id in turns:
            _add(turns[event.run_id], event)
    return list(turns.values())


def to_markdown(record: StoredRun | SessionRecord) -> str:
    """A conversation as people read it; an answer that is not whole says so."""
    preface = record.preface if isinstance(record, SessionRecord) else ()
    turns = turns_of(record.events)
    title = turns[0].prompt if turns else "Conversation"
    parts = [f"# {_one_line(title)}", *map(_message_markdown, preface)]
    for turn in turns:
        parts += _turn_markdown(turn)
    return "\n\n".join(parts) + "\n"


def to_json(record: StoredRun | SessionRecord) -> str:
    """A conversation as one JSON object: `session_id, preface, turns`."""
    if isinstance(record, SessionRecord):
        session_id, preface = record.session_id, record.preface
    else:
        session_id, preface = record.summary.session_id, ()
    document = {"session_id": session_id, "preface": preface, "turns": turns_of(record.events)}
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def to_jsonl(record: StoredRun | SessionRecord) -> str:
    """Every event as it happened, one JSON object a line, times in seconds since the epoch."""
    return "".join(msgspec.json.encode(event).decode() + "\n" for event in record.events)


FORMATS: dict[str, Callable[[StoredRun | SessionRecord], str]] = {
    "md": to_markdown,
    "json": to_json,
    "jsonl": to_jsonl,
}
"""What a document can be written as, by the ending of its file's name."""


def file_name(title: str, started: float, ending: str) -> str:
    """A name for an exported file, of letters, digits, `-` and `_` only."""
    words = _STRANGE.sub("-", title).strip("-")[:MAX_NAME_CHARS].strip("-").lower()
    day = datetime.fromtimestamp(started, UTC).strftime("%Y%m%d-%H%M%S")
    return f"{day}-{words or 'conversation'}.{ending}"


def write_new(path: Path, text: str, *, overwrite: bool = False) -> None:
    """Write a file for the user's eyes only; never through a symbolic link.

    Raises ExportError for one that is there, unless `overwrite` says that it may go, and for one
    that cannot be written.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    flags |= os.O_TRUNC if overwrite else os.O_EXCL
    try:
        descriptor = os.open(path, flags, 0o600)
    except FileExistsError:
        raise ExportError(f"{path} is there already and stays as it is") from None
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
    except OSError as error:
        if not overwrite:
            path.unlink(missing_ok=True)
        raise ExportError(f"{path} cannot be written: {error.strerror}") from error


def _begun(event: Event, body: RunStarted) -> Turn:
    return Turn(
        event.run_id,
        body.prompt,
        endpoint=body.endpoint,
        model=body.model,
        started=event.time,
        tool_calls=[],
    )


def _add(turn: Turn, event: Event) -> None:
    match event.body:
        case Chunk() as chunk:
            _add_chunk(turn, chunk)
        case RunCompleted():
            turn.state = "done"
        case RunCancelled():
            turn.state = "cancelled"
        case RunCutOff(error=error, metrics=metrics):
            turn.state = "interrupted" if error.kind == "interrupted" else "cut off"
            turn.error = f"{error.message}, {kept_words(metrics)}"
        case RunFailed(error=error):
            turn.state, turn.error = "failed", error.message


def _add_chunk(turn: Turn, chunk: Chunk) -> None:
    for delta in chunk.deltas:
        match delta:
            case TextDelta():
                turn.text += delta.text
            case ReasoningDelta():
                turn.reasoning += delta.text
            case RefusalDelta():
                turn.refusal += delta.text
            case ToolCallDelta():
                _add_call(turn.tool_calls, delta)


def _add_call(calls: list[dict[str, Any]], delta: ToolCallDelta) -> None:
    call = next((call for call in calls if call["index"] == delta.index), None)
    if call is None:
        call = {"index": delta.index, "id": "", "name": "", "arguments": ""}
        calls.append(call)
    call["id"] = delta.id or call["id"]
    call["name"] = delta.name or call["name"]
    call["arguments"] += delta.arguments


def _message_markdown(message: Message) -> str:
    return f"## {message.role.capitalize()}\n\n{message.content}"


def _turn_markdown(turn: Turn) -> Iterator[str]:
    whom = " ".join(filter(None, (turn.endpoint, turn.model)))
    moment = datetime.fromtimestamp(turn.started, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    yield f"## User\n\n{turn.prompt}"
    heading = f"## {whom}" if whom else "## Answer"
    yield f"{heading}{' (asked again later)' if turn.replaced else ''}\n\n*{moment}*"
    if turn.reasoning:
        yield "\n".join(f"> {line}".rstrip() for line in turn.reasoning.split("\n"))
    if turn.text or turn.refusal:
        yield turn.text or turn.refusal
    for call in turn.tool_calls:
        yield f"Tool call `{call['name']}`:\n\n{_fenced(call['arguments'], 'json')}"
    if turn.state != "done":
        reason = f": {_one_line(turn.error)}" if turn.error else ""
        yield f"**{turn.state.capitalize()}{reason}.** What is above is all that came."


def _fenced(text: str, language: str) -> str:
    """A code block whose fence is longer than any in the text."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _one_line(text: str) -> str:
    return " ".join(text.split())[:MAX_NAME_CHARS]
