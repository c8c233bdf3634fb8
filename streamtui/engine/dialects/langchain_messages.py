"""LangChain's messages and events, as LangServe and LangGraph send them.

Sources: https://reference.langchain.com/python/langchain_core/messages/ and, for the events,
https://reference.langchain.com/python/langchain_core/runnables/ under `astream_events`.
"""

from abc import abstractmethod
from typing import Any

from streamtui.engine.dialects.base import (
    ServerError,
    add_counts,
    as_count,
    as_dict,
    as_list,
    as_text,
    as_words,
    json_text,
    malformed,
    parse_json,
)
from streamtui.engine.dialects.json_decoder import JSONDecoder
from streamtui.engine.dialects.provider_errors import provider_error
from streamtui.engine.framing import EmptyBlock, Frame, Framed
from streamtui.errors import ProviderError
from streamtui.events import (
    Delta,
    Finish,
    ReasoningDelta,
    RefusalDelta,
    ServerEvent,
    TextDelta,
    ToolCallDelta,
    UnknownFrame,
    Usage,
)

_PIECE = "AIMessageChunk"
# LangGraph sends a message under one of the other names when it holds all that was said so far.
_ANSWERS = frozenset({"ai", "AIMessage", _PIECE})
_MODEL_STREAMS = frozenset({"on_chat_model_stream", "on_llm_stream"})
_MODEL_ENDS = frozenset({"on_chat_model_end", "on_llm_end"})

Worded = type[TextDelta | ReasoningDelta | RefusalDelta]


def event_name(value: object) -> str:
    """The name of an event of `astream_events`; empty for everything else."""
    fields = as_dict(value)
    name = as_words(fields.get("event"))
    return name if name.startswith("on_") and {"data", "run_id"} <= fields.keys() else ""


def is_answer(value: object) -> bool:
    """Whether a value is a message of the model's, and of nobody else."""
    fields = as_dict(value)
    return as_text(fields.get("type")) in _ANSWERS and "content" in fields


def find_answer(value: object) -> object:
    """What a model or a chain said in the end: a text or a message; None when it is neither.

    A state holds the whole conversation; what was said before the last question is no answer.
    """
    if isinstance(value, str) or is_answer(value):
        return value
    fields = as_dict(value)
    if "generations" in fields:
        return _first_generation(fields["generations"])
    for message in reversed(_messages_of(fields)):
        if is_answer(message):
            return message
        if as_text(as_dict(message).get("type")) in {"human", "HumanMessage"}:
            break
    return None


def _messages_of(state: dict[str, Any]) -> list[Any]:
    messages = state.get("messages")
    return [messages] if isinstance(messages, dict) else as_list(messages)


def _first_generation(generations: object) -> object:
    """The first of an LLMResult's, which holds a list for each prompt."""
    first = next(iter(as_list(generations)), None)
    generation = as_dict(next(iter(as_list(first)), None))
    message = generation.get("message")
    return message if is_answer(message) else generation.get("text")


def texts_of(message: dict[str, Any]) -> dict[Worded, str]:
    """What a message says, by kind."""
    texts: dict[Worded, str] = {ReasoningDelta: "", TextDelta: "", RefusalDelta: ""}
    content = message.get("content")
    for part in [content] if isinstance(content, str) else as_list(content):
        kind, text = _read_part(part)
        texts[kind] += text
    extra = as_dict(message.get("additional_kwargs"))
    texts[ReasoningDelta] = texts[ReasoningDelta] or as_text(extra.get("reasoning_content"))
    texts[RefusalDelta] = texts[RefusalDelta] or as_text(extra.get("refusal"))
    return texts


def _read_part(part: object) -> tuple[Worded, str]:
    if isinstance(part, str):
        return TextDelta, part
    fields = as_dict(part)
    match fields.get("type"):
        case "text":
            return TextDelta, as_text(fields.get("text"))
        case "thinking":
            return ReasoningDelta, as_text(fields.get("thinking"))
        case "reasoning":
            summary = map(as_dict, as_list(fields.get("summary")))
            words = "".join(as_text(item.get("text")) for item in summary)
            return ReasoningDelta, as_text(fields.get("reasoning")) or words
        case "refusal":
            return RefusalDelta, as_text(fields.get("refusal"))
        case _:
            # Among them the pieces of tool calls, which a message lists once more by themselves.
            return TextDelta, ""


def _read_counts(counts: dict[str, Any]) -> Usage:
    return Usage(
        input=as_count(counts.get("input_tokens")),
        output=as_count(counts.get("output_tokens")),
        cached=as_count(as_dict(counts.get("input_token_details")).get("cache_read")),
        reasoning=as_count(as_dict(counts.get("output_token_details")).get("reasoning")),
    )


def _sum(usages: list[Usage]) -> Usage:
    return Usage(
        add_counts(*(usage.input for usage in usages)),
        add_counts(*(usage.output for usage in usages)),
        add_counts(*(usage.cached for usage in usages)),
        add_counts(*(usage.reasoning for usage in usages)),
    )


def _read_error(data: str) -> ServerError:
    """LangServe sends a status and a message, LangGraph the name of an exception and a message."""
    try:
        fields = as_dict(parse_json(data))
    except ValueError:
        return ServerError(as_words(data.strip()))
    name, status = as_words(fields.get("error")), as_count(fields.get("status_code"))
    words = as_words(fields.get("message")) or as_words(fields.get("detail"))
    said = ": ".join(filter(None, (name, words)))
    return ServerError(said, name, "" if status is None else str(status))


def _error(data: str) -> ProviderError:
    """The exception for an error that ended a run: mostly one of the chain or graph, not of the
    server. Another run would do once more what the steps before it have done."""
    error = provider_error(_read_error(data))
    error.retryable = False
    if error.kind == "server":
        error.kind = "error-midstream"
    return error


def _without_half(text: str) -> str:
    """The text without half a character at its end, whose other half comes the next time."""
    return text[:-1] if "\ud800" <= text[-1:] <= "\udbff" else text


class LangChainDecoder(JSONDecoder):
    """Reads messages and events; a dialect says which of its frames hold what.

    What users let a chain or a graph send may look like anything, an error too: here only frames
    of that name are errors.
    """

    def __init__(self) -> None:
        super().__init__()
        self._sent: dict[tuple[str, Worded], int] = {}
        self._calls: dict[tuple[str, int | str], int] = {}
        self._whole_calls: dict[str, dict[str, Any]] = {}
        self._call_ids: set[str] = set()
        self._usages: dict[str, Usage] = {}
        self._root = ""
        self._source = ""
        self._answer: object = None

    def feed(self, framed: Framed) -> list[Delta]:
        """What a frame adds to the answer; raises ProviderError for an error."""
        if isinstance(framed, Frame | EmptyBlock) and not self.ended:
            if framed.event == "end":
                self.complete = self.ended = True
                return []
            if framed.event == "error":
                raise _error(framed.data if isinstance(framed, Frame) else "")
        return super().feed(framed)

    def close(self) -> list[Delta]:
        """The answer as a whole when none of it was streamed, and tool calls that came whole."""
        streamed = bool(self._sent or self._calls)
        deltas = [] if streamed else self._read_output(self._answer, "")
        calls = (call for key, call in self._whole_calls.items() if key not in self._call_ids)
        return [*(deltas or []), *map(self._open_call, calls)]

    @abstractmethod
    def _read(self, value: Any, event: str) -> list[Delta] | None:
        """What the value in a frame adds, of any shape; None when it says nothing that we know."""

    def _feed_frame(self, frame: Frame) -> list[Delta]:
        try:
            value = parse_json(frame.data)
        except ValueError as error:
            return [malformed(str(error), frame.data)]
        deltas = self._read(value, frame.event)
        if name := event_name(value):
            return [ServerEvent(name, frame.data, frame.id), *(deltas or [])]
        return [UnknownFrame(frame.event, frame.data)] if deltas is None else deltas

    def _announce_run(self, metadata: object) -> list[Delta]:
        return self._announce(as_words(as_dict(metadata).get("run_id")), "")

    # Events

    def _read_event(self, event: dict[str, Any]) -> list[Delta] | None:
        """The text of an event; None for one without."""
        name, data = event_name(event), as_dict(event.get("data"))
        run_id = as_words(event.get("run_id"))
        self._root = self._root or run_id
        is_root = run_id == self._root and not event.get("parent_ids")
        if name in _MODEL_ENDS or (is_root and name == "on_chain_end"):
            self._remember(data.get("output"))
        if name in _MODEL_STREAMS:
            return self._read_from("model", data.get("chunk"), run_id)
        if is_root and name == "on_chain_stream":
            return self._read_from("root", data.get("chunk"), run_id)
        return None

    def _read_from(self, source: str, chunk: object, run_id: str) -> list[Delta] | None:
        """The root streams once more what models streamed, so whoever speaks first is heard.

        A model's pieces come before those that a chain makes of them. Where only the root streams,
        the model is one that LangChain shows no pieces of.
        """
        if self._source not in {"", source}:
            return None
        deltas = self._read_output(chunk, run_id)
        if deltas:
            self._source = source
        return deltas or None

    def _remember(self, output: object) -> None:
        """An answer in one piece; the last one counts, if nothing is streamed."""
        answer = find_answer(output)
        if answer is not None:
            self._answer = answer

    # Messages

    def _read_output(self, value: object, run_id: str) -> list[Delta] | None:
        """A text, a message or a generation; None for anything else."""
        if isinstance(value, str):
            return self._say(run_id, TextDelta, value)
        fields = as_dict(value)
        if is_answer(fields):
            return self._read_message(fields)
        if as_text(fields.get("type")).startswith("Generation"):
            return self._say(run_id, TextDelta, as_text(fields.get("text")))
        return None

    def _read_message(self, message: dict[str, Any]) -> list[Delta]:
        key, whole = as_words(message.get("id")), message["type"] != _PIECE
        deltas: list[Delta] = []
        for kind, text in texts_of(message).items():
            deltas += self._say(key, kind, text, whole=whole)
        about = as_dict(message.get("response_metadata"))
        reason = about.get("finish_reason") or about.get("stop_reason") or about.get("done_reason")
        return [
            *deltas,
            *self._read_calls(key, message, whole=whole),
            *self._read_usage(key, as_dict(message.get("usage_metadata")), whole=whole),
            *self._read_reason(as_words(reason)),
        ]

    def _say(self, key: str, kind: Worded, text: str, *, whole: bool = False) -> list[Delta]:
        """A piece of a message, or of a whole one what was not sent yet.

        Messages are paragraphs, and nothing on the wire stands between them.
        """
        sent = self._sent.get((key, kind), 0)
        if whole:
            sent = sent if key else 0
            text = _without_half(text)[sent:]
        if not text:
            return []
        follows = not sent and any(other is kind for _, other in self._sent)
        self._sent[key, kind] = sent + len(text)
        return [kind(f"\n\n{text}" if follows else text)]

    def _read_reason(self, reason: str) -> list[Delta]:
        """Why a model stopped. The run may go on with another, so it marks no end."""
        if not reason or reason == self._finish_reason:
            return []
        self._finish_reason = reason
        return [Finish(reason)]

    def _read_usage(self, key: str, counts: dict[str, Any], *, whole: bool) -> list[Delta]:
        """The counts of all messages of the run; those of pieces are to be added up."""
        if not counts:
            return []
        usage = _read_counts(counts)
        before = self._usages.get(key)
        self._usages[key] = usage if whole or before is None else _sum([before, usage])
        return self._count(_sum(list(self._usages.values())))

    def _read_calls(self, key: str, message: dict[str, Any], *, whole: bool) -> list[Delta]:
        """Pieces of tool calls. Whole ones wait: they come again and again while they grow."""
        if not whole:
            pieces = map(as_dict, as_list(message.get("tool_call_chunks")))
            return [self._read_call(key, piece) for piece in pieces]
        for call in map(as_dict, as_list(message.get("tool_calls"))):
            self._whole_calls[as_words(call.get("id")) or as_words(call.get("name"))] = call
        return []

    def _read_call(self, key: str, piece: dict[str, Any]) -> Delta:
        """A piece of a call. Indices begin anew with each message."""
        place, call_id = piece.get("index"), as_words(piece.get("id"))
        self._call_ids.add(call_id)
        named = place if isinstance(place, int | str) else call_id
        last = max(0, len(self._calls) - 1)
        index = last if named == "" else self._calls.setdefault((key, named), len(self._calls))
        name = as_words(piece.get("name")) or None
        return ToolCallDelta(index, as_text(piece.get("args")), call_id or None, name)

    def _open_call(self, call: dict[str, Any]) -> Delta:
        call_id, name = as_words(call.get("id")), as_words(call.get("name"))
        index = self._calls.setdefault(("", f"whole {call_id or name}"), len(self._calls))
        return ToolCallDelta(index, json_text(as_dict(call.get("args"))), call_id or None, name)
