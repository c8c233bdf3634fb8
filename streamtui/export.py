"""Stored runs and conversations as documents: Markdown, JSON, JSON Lines; and files for them.

Text is written as it was received. An answer that is not whole says so in each of the three. No key
is in them: the journal never had one.
"""

import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from streamtui import private_files
from streamtui.engine.reports import SessionRecord, StoredRun
from streamtui.errors import StreamTUIError
from streamtui.event_words import kept_words
from streamtui.events import (
    RUN_ENDS,
    Chunk,
    Delta,
    ErrorInfo,
    Event,
    Message,
    Metrics,
    ReasoningDelta,
    RefusalDelta,
    RunCancelled,
    RunCompleted,
    RunCutOff,
    RunEnd,
    RunFailed,
    RunQueued,
    RunStarted,
    TextDelta,
    ToolCallDelta,
)

MAX_NAME_BYTES = 100
_TITLE_CHARS = 80
_REASON_CHARS = 500
_STRANGE = re.compile(r"[\W_]+")
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})", re.MULTILINE)
_RAW = re.compile(r"<(pre|script|style|textarea)\b", re.IGNORECASE)
"""The elements in which Markdown takes no end but their own."""
_MOST_CLOSERS = 50
_CALL_KEYS = ("id", "name", "arguments")
_LINE_END = re.compile(r"\r\n|\r|\n")
_STILL_STREAMS = ErrorInfo(
    kind="interrupted", message="it still streamed when this was written", hint="Look again later"
)

Record = StoredRun | SessionRecord


class ExportError(StreamTUIError):
    """A file could not be written; `str()` says which and why."""


class TakenError(ExportError):
    """There is a file of that name already."""


class Turn(msgspec.Struct):
    """One question and its answer, as an exported document shows them."""

    run_id: str
    prompt: str
    endpoint: str = ""
    model: str = ""
    dialect: str = ""
    started: float = 0.0
    pieces: dict[type[Delta], list[str]] = {}
    """What was said, by kind, as it came."""
    tool_calls: list[dict[str, Any]] = []
    state: str = "queued"
    """`done`, `cut off`, `interrupted`, `failed` or `cancelled`; `queued` or `streaming` where no
    end has come."""
    error: str = ""
    """How it ended if not well, and what was kept."""
    replaced: bool = False
    """Asked again later: the answer is no part of the conversation any more."""
    end: RunEnd | None = None

    @property
    def text(self) -> str:
        return "".join(self.pieces.get(TextDelta, ()))

    @property
    def reasoning(self) -> str:
        return "".join(self.pieces.get(ReasoningDelta, ()))

    @property
    def answer(self) -> str:
        """What the user is told; a refusal is an answer too."""
        return self.text + "".join(self.pieces.get(RefusalDelta, ()))


def turns_of(events: Iterable[Event]) -> list[Turn]:
    """The turns that events add up to, in their order."""
    turns: dict[str, Turn] = {}
    for event in events:
        match event.body:
            case RunQueued(prompt=prompt):
                turns.setdefault(event.run_id, _begun(event, prompt))
            case RunStarted() as body:
                _start(turns.setdefault(event.run_id, _begun(event, body.prompt)), event, body)
                if body.replaces in turns:
                    turns[body.replaces].replaced = True
            case _ if event.run_id in turns:
                _add(turns[event.run_id], event)
    return list(turns.values())


def ended(events: Iterable[Event]) -> list[Event]:
    """The events of runs, each with an end: one that has none yet is cut off where it is."""
    open_runs: dict[str, Event] = {}
    found: list[Event] = []
    for event in events:
        found.append(event)
        if isinstance(event.body, RUN_ENDS):
            open_runs.pop(event.run_id, None)
        elif event.run_id:
            open_runs[event.run_id] = event
    return found + [_cut(found, last) for last in open_runs.values()]


def to_markdown(record: Record) -> str:
    """A conversation as people read it."""
    preface = record.preface if isinstance(record, SessionRecord) else ()
    turns = turns_of(record.events)
    title = _one_line(turns[0].prompt, _TITLE_CHARS) if turns else ""
    parts = [f"# {title or 'Conversation'}", *map(_message_markdown, preface)]
    for turn in turns:
        parts += _turn_markdown(turn)
    return "\n\n".join(parts) + "\n"


def to_json(record: Record) -> str:
    """A conversation as one JSON object: `session_id, preface, turns`.

    A turn has the keys of `run --json`, and `prompt, started, replaced` besides.
    """
    if isinstance(record, SessionRecord):
        session_id, preface = record.session_id, record.preface
    else:
        session_id, preface = record.summary.session_id, ()
    turns = [_turn_object(turn) for turn in turns_of(record.events)]
    document = {"session_id": session_id, "preface": preface, "turns": turns}
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def to_jsonl(record: Record) -> str:
    """Every event as it happened, one JSON object a line, times in seconds since the epoch."""
    lines = (msgspec.json.encode(event).decode() + "\n" for event in ended(record.events))
    return "".join(lines)


def read_jsonl(data: bytes) -> list[Event]:
    """The events that `to_jsonl` wrote. Raises ValueError that says which line is none."""
    events: list[Event] = []
    for number, line in enumerate(data.split(b"\n"), 1):
        if line.strip():
            try:
                events.append(_decoder.decode(line))
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise ValueError(f"line {number} is no event of streamtui: {error}") from error
    return events


FORMATS: dict[str, Callable[[Record], str]] = {
    "md": to_markdown,
    "json": to_json,
    "jsonl": to_jsonl,
}
"""What a document can be written as, by the ending of its file's name."""


def file_name(title: str, started: float, ending: str) -> str:
    """A name for an exported file, of letters and digits of any script and `-` only."""
    words = _STRANGE.sub("-", title[: 4 * MAX_NAME_BYTES]).lower()
    words = words.encode()[:MAX_NAME_BYTES].decode("utf-8", "ignore").strip("-")
    day = datetime.fromtimestamp(started, UTC).strftime("%Y%m%d-%H%M%S")
    return f"{day}-{words or 'conversation'}.{ending}"


def name_of(record: Record, ending: str) -> str:
    """A name for the file of a record, after its first prompt."""
    turns = turns_of(record.events)
    return file_name(turns[0].prompt, turns[0].started, ending) if turns else f"empty.{ending}"


def write_new(path: Path, text: str, *, overwrite: bool = False) -> None:
    """Write a file for the user's eyes only, all of it or nothing; never through a symbolic link.

    Raises TakenError for one that is there, unless `overwrite` says that it may go, and ExportError
    for what cannot be written or is no file.
    """
    data = text.encode("utf-8", "replace")
    try:
        if not overwrite:
            private_files.write_new(path, data)
            return
        _refuse_strange(path)
        private_files.replace(path, data)
    except FileExistsError:
        _refuse_strange(path)
        raise TakenError(f"{path} is there already") from None
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error.strerror}") from error


_decoder = msgspec.json.Decoder(Event)


def _refuse_strange(path: Path) -> None:
    """Raises ExportError where something else than a file stands."""
    try:
        found = path.lstat()
    except OSError:
        return
    if stat.S_ISLNK(found.st_mode):
        raise ExportError(f"{path} is a symbolic link; nothing is written through it")
    if not stat.S_ISREG(found.st_mode):
        raise ExportError(f"{path} is no ordinary file")


def _begun(event: Event, prompt: str) -> Turn:
    return Turn(event.run_id, prompt, started=event.time)


def _start(turn: Turn, event: Event, body: RunStarted) -> None:
    turn.endpoint, turn.model, turn.dialect = body.endpoint, body.model, body.dialect
    turn.started, turn.state = event.time, "streaming"


def _cut(events: Sequence[Event], last: Event) -> Event:
    """The end of a run that has none; its place is after all that is known of it."""
    answer = "".join(turn.text for turn in turns_of(e for e in events if e.run_id == last.run_id))
    body = RunCutOff(_STILL_STREAMS, Metrics(text_chars=len(answer)))
    return msgspec.structs.replace(last, seq=last.seq + 1, body=body)


def _add(turn: Turn, event: Event) -> None:
    match event.body:
        case Chunk() as chunk:
            _add_chunk(turn, chunk)
        case RunCompleted() | RunCancelled() | RunCutOff() | RunFailed() as end:
            turn.end = end
            turn.state, turn.error = _state_and_error(end)


def _state_and_error(end: RunEnd) -> tuple[str, str]:
    match end:
        case RunCompleted():
            return "done", ""
        case RunCancelled():
            return "cancelled", kept_words(end.metrics)
        case RunCutOff():
            state = "interrupted" if end.error.kind == "interrupted" else "cut off"
            message = end.error.message.removeprefix("interrupted: ")
            return state, f"{message}, {kept_words(end.metrics)}"
        case RunFailed():
            return "failed", end.error.message


def _add_chunk(turn: Turn, chunk: Chunk) -> None:
    for delta in chunk.deltas:
        match delta:
            case TextDelta() | ReasoningDelta() | RefusalDelta():
                turn.pieces.setdefault(type(delta), []).append(delta.text)
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


def _turn_object(turn: Turn) -> dict[str, Any]:
    end = turn.end
    metrics = end.metrics if end else None
    return {
        "run_id": turn.run_id,
        "prompt": turn.prompt,
        "started": turn.started,
        "endpoint": turn.endpoint,
        "model": turn.model,
        "dialect": turn.dialect,
        "state": turn.state.replace(" ", "_"),
        "replaced": turn.replaced,
        "text": turn.answer,
        "reasoning": turn.reasoning or None,
        "tool_calls": [{key: call[key] for key in _CALL_KEYS} for call in turn.tool_calls] or None,
        "finish_reason": end.finish_reason if isinstance(end, RunCompleted) else None,
        "usage": msgspec.structs.asdict(metrics.usage) if metrics and metrics.usage else None,
        "ttft_ms": _milliseconds(metrics.ttft) if metrics else None,
        "duration_ms": _milliseconds(metrics.duration) if metrics else None,
        "chunks": metrics.chunks if metrics else None,
        "attempts": metrics.attempts if metrics else None,
        "error": _error_object(end.error) if isinstance(end, RunCutOff | RunFailed) else None,
    }


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)


def _error_object(error: ErrorInfo) -> dict[str, Any]:
    return {"kind": error.kind, "message": error.message, "status": error.status}


def _message_markdown(message: Message) -> str:
    content = _closed(message.content) if message.role == "assistant" else _quoted(message.content)
    return f"## {message.role.capitalize()}\n\n{content}"


def _turn_markdown(turn: Turn) -> Iterator[str]:
    yield f"## User\n\n{_quoted(turn.prompt)}"
    whom = _one_line(" ".join(filter(None, (turn.endpoint, turn.model))), _TITLE_CHARS)
    yield f"## {whom or 'Answer'}{' (asked again later)' if turn.replaced else ''}"
    moment = datetime.fromtimestamp(turn.started, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    yield f"*{moment}*"
    if reasoning := turn.reasoning:
        yield f"*Reasoning:*\n\n{_quoted(reasoning)}"
    if answer := turn.answer:
        yield _closed(answer)
    for call in turn.tool_calls:
        name = _one_line(call["name"], _TITLE_CHARS).replace("`", "'")
        yield f"Tool call `{name or '?'}`:\n\n{_fenced(call['arguments'], 'json')}"
    if turn.state != "done":
        yield _ending(turn)


def _ending(turn: Turn) -> str:
    state = "still streaming" if turn.state == "streaming" else turn.state
    reason = f": {_one_line(turn.error, _REASON_CHARS)}" if turn.error else ""
    return f"**{state.capitalize()}{reason}.** What is above is all that came."


def _quoted(text: str) -> str:
    """Somebody's words as a block quote: nothing in it can reach beyond it."""
    return "\n".join(f"> {line}".rstrip() for line in _LINE_END.split(text))


def _closed(text: str) -> str:
    """Markdown with its last block ended: a cut leaves a fence or a comment open, and all that
    follows would be a part of it."""
    if _lets_follow(text):
        return text
    fences = reversed(_FENCE.findall(text))
    tags = (f"</{tag}>" for tag in reversed(_RAW.findall(text)))
    closers = dict.fromkeys(["-->", "?>", "]]>", ">", *tags, *fences])
    # One that opens what is open was the last of its kind, or near it.
    for closer in islice(closers, _MOST_CLOSERS):
        if _lets_follow(f"{text}\n{closer}"):
            return f"{text}\n{closer}"
    return _fenced(text, "")


_PROBE = "streamtui-probe"


def _lets_follow(text: str) -> bool:
    """Whether a heading after this Markdown is one. https://spec.commonmark.org/0.31.2/"""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark")
    parser.core.ruler.enableOnly(["normalize", "block"])
    last = parser.parse(f"{text}\n\n# {_PROBE}\n")[-3:]
    return last[0].type == "heading_open" and last[0].level == 0 and last[1].content == _PROBE


def _fenced(text: str, language: str) -> str:
    """A code block whose fence is longer than any in the text."""
    longest = max(map(len, re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _one_line(text: str, limit: int) -> str:
    return " ".join(text.split())[:limit]
