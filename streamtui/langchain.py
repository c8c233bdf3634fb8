"""Typed events of one run -> the dictionaries of LangChain's `astream_events`, v1 and v2.

Pure: no I/O, no clock, and no LangChain. Keys, values and both orders are those of langchain-core
1.7 with langchain-openai 1.7. One addition: what ChatOpenAI drops (reasoning, refusals) is kept in
`additional_kwargs`, where LangChain's other models put it.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Literal, TypedDict, cast

from msgspec import Struct, structs

from streamtui import __version__
from streamtui.events import (
    VISIBLE_DELTAS,
    Chunk,
    Delta,
    Event,
    Finish,
    ReasoningDelta,
    RefusalDelta,
    ResponseInfo,
    RunCompleted,
    RunStarted,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from streamtui.message_chunk import (
    AIMessageChunk,
    join_messages,
    join_tool_calls,
    joined,
    tool_call_chunk,
)

RunType = Literal["llm", "chat_model"]
_Phase = Literal["start", "stream", "end"]


class StreamEvent(TypedDict):
    """One event; https://docs.langchain.com/oss/python/langchain/streaming shows them at work."""

    event: str
    """`on_llm_start`, `on_llm_stream`, `on_llm_end`, or the same with `chat_model`."""
    run_id: str
    name: str
    tags: list[str]
    metadata: dict[str, Any]
    data: dict[str, Any]
    """`input` in a start, `chunk` in a stream (str or AIMessageChunk), `output` in an end."""
    parent_ids: list[str]
    """The runs above this one, the root first; always empty in v1."""


class EventFilter(Struct, frozen=True):
    """Which events come through: any of the includes, and then none of the excludes.

    Types are `llm` and `chat_model`. None says nothing; an empty collection includes nothing.
    """

    include_names: Collection[str] | None = None
    include_types: Collection[str] | None = None
    include_tags: Collection[str] | None = None
    exclude_names: Collection[str] | None = None
    exclude_types: Collection[str] | None = None
    exclude_tags: Collection[str] | None = None

    def lets_through(self, name: str, run_type: str, tags: Collection[str]) -> bool:
        """Whether a run of this name, type and tags is to be seen."""
        includes = _matches(
            (self.include_names, self.include_types, self.include_tags), name, run_type, tags
        )
        excludes = _matches(
            (self.exclude_names, self.exclude_types, self.exclude_tags), name, run_type, tags
        )
        return (not includes or any(includes)) and not any(excludes)


_Wanted = tuple[Collection[str] | None, Collection[str] | None, Collection[str] | None]


def _matches(wanted: _Wanted, name: str, run_type: str, tags: Collection[str]) -> list[bool]:
    """One answer for each of names, types and tags that is asked for."""
    names, types, wanted_tags = wanted
    answers = []
    if names is not None:
        answers.append(name in names)
    if types is not None:
        answers.append(run_type in types)
    if wanted_tags is not None:
        answers.append(any(tag in wanted_tags for tag in tags))
    return answers


class _Model(Struct, frozen=True):
    """What LangChain calls the model behind a dialect."""

    run_type: RunType
    name: str
    provider: str


_MODELS = {
    "openai-completions": _Model("llm", "OpenAI", "openai"),
    "openai-chat": _Model("chat_model", "ChatOpenAI", "openai"),
    "openai-responses": _Model("chat_model", "ChatOpenAI", "openai"),
    "anthropic": _Model("chat_model", "ChatAnthropic", "anthropic"),
    "gemini": _Model("chat_model", "ChatGoogleGenerativeAI", "google_genai"),
    "ollama": _Model("chat_model", "ChatOllama", "ollama"),
}


def _model_of(run: RunStarted) -> _Model:
    return _MODELS.get(run.dialect) or _Model("chat_model", run.endpoint, run.dialect)


# LangChain builds each kind of event at a different place, and each writes its keys in its own way.
_KEY_ORDER: dict[str, dict[_Phase, str]] = {
    "v1": {
        "start": "event run_id name tags metadata data parent_ids",
        "stream": "event run_id tags metadata name data parent_ids",
        "end": "event name run_id tags metadata data parent_ids",
    },
    "v2": {
        "start": "event data name tags run_id metadata parent_ids",
        "stream": "event run_id name tags metadata data parent_ids",
        "end": "event data run_id name tags metadata parent_ids",
    },
}


class EventTranslator:
    """Turns the events of one run, in order, into LangChain's for a model called by itself.

    A run that fails has no end event: whoever feeds this raises the error, as LangChain does.
    """

    def __init__(
        self,
        version: str = "v2",
        *,
        run_input: object = None,
        run_id: str = "",
        event_filter: EventFilter | None = None,
    ) -> None:
        """`run_input` and `run_id` take the place of the prompt and the id that the events carry.

        Raises NotImplementedError for a version that is neither `v1` nor `v2`.
        """
        if version not in _KEY_ORDER:
            raise NotImplementedError(f"Unsupported version: {version!r}. Expected 'v1' or 'v2'.")
        self._version = version
        self._input = run_input
        self._run_id = run_id
        self._filter = event_filter or EventFilter()
        self._answer: _TextAnswer | _ChatAnswer | None = None
        self._visible = False
        self._type: RunType = "llm"
        self._common: dict[str, Any] = {}

    def feed(self, event: Event) -> list[StreamEvent]:
        """What LangChain would say of this event; often nothing."""
        match event.body:
            case RunStarted() as run:
                return self._start(event.run_id, run)
            case Chunk() as chunk if self._answer is not None:
                return self._events("stream", ({"chunk": c} for c in self._answer.feed(chunk)))
            case RunCompleted() if self._answer is not None:
                last = self._events("stream", ({"chunk": c} for c in self._answer.last()))
                output = self._answer.output(self._version)
                return last + self._events("end", [{"output": output}])
            case _:
                return []

    def _start(self, run_id: str, run: RunStarted) -> list[StreamEvent]:
        model = _model_of(run)
        run_id = self._run_id or run_id
        self._type = model.run_type
        self._common = {
            "run_id": run_id,
            "name": run.name or model.name,
            "tags": list(run.tags),
            "metadata": self._metadata(run, model),
            "parent_ids": list(run.parent_ids) if self._version == "v2" else [],
        }
        self._visible = self._filter.lets_through(self._common["name"], model.run_type, run.tags)
        if model.run_type == "llm":
            self._answer = _TextAnswer(run)
        else:
            self._answer = _ChatAnswer(run_id, model.provider)
        run_input = run.prompt if self._input is None else self._input
        return self._events("start", [{"input": run_input}])

    def _metadata(self, run: RunStarted, model: _Model) -> dict[str, Any]:
        """In v1 a root run says nothing of its model."""
        if self._version == "v1":
            return dict(run.metadata)
        describe = _describe_llm if model.run_type == "llm" else _describe_chat_model
        return run.metadata | describe(run, model) | {"lc_versions": {"streamtui": __version__}}

    def _events(self, phase: _Phase, payloads: Iterable[dict[str, Any]]) -> list[StreamEvent]:
        events = [self._event(phase, data) for data in payloads]
        return events if self._visible else []

    def _event(self, phase: _Phase, data: dict[str, Any]) -> StreamEvent:
        fields = {"event": f"on_{self._type}_{phase}", "data": data, **self._common}
        keys = _KEY_ORDER[self._version][phase].split()
        return cast("StreamEvent", {key: fields[key] for key in keys})


def to_plain(event: StreamEvent) -> dict[str, Any]:
    """The event with its message chunks as dictionaries, ready to be written as JSON."""
    data = {
        key: value.to_dict() if isinstance(value, AIMessageChunk) else value
        for key, value in event["data"].items()
    }
    return {**event, "data": data}


def _describe_llm(run: RunStarted, model: _Model) -> dict[str, Any]:
    described: dict[str, Any] = {
        "ls_provider": model.provider,
        "ls_model_type": "llm",
        "ls_model_name": run.model,
    }
    if (temperature := _temperature(run)) is not None:
        described["ls_temperature"] = temperature
    if isinstance(limit := run.params.get("max_tokens"), int):
        described["ls_max_tokens"] = limit
    return described


def _describe_chat_model(run: RunStarted, model: _Model) -> dict[str, Any]:
    described: dict[str, Any] = {
        "ls_provider": model.provider,
        "ls_model_name": run.model,
        "ls_model_type": "chat",
        "ls_temperature": _temperature(run),
    }
    if limit := run.params.get("max_tokens") or run.params.get("max_completion_tokens"):
        described["ls_max_tokens"] = limit
    if stop := run.params.get("stop"):
        described["ls_stop"] = stop
    return described | {"ls_integration": "langchain_chat_model"}


def _temperature(run: RunStarted) -> float | None:
    temperature = run.params.get("temperature")
    return float(temperature) if isinstance(temperature, int | float) else None


def text_pieces(run: RunStarted, chunk: Chunk) -> list[str]:
    """The text of a chunk as LangChain's `stream()` yields it: one piece, or none.

    A completions model has a piece for each chunk of the wire, at least the last of them empty; a
    chat model only where there is text. Usage that we asked for on our own account has none.
    """
    texts = [delta.text for delta in chunk.deltas if isinstance(delta, TextDelta)]
    if _model_of(run).run_type == "chat_model":
        return ["".join(texts)] if any(texts) else []
    counts = any(isinstance(delta, Usage) for delta in chunk.deltas)
    if texts or (counts and run.params.get("stream_options")):
        return ["".join(texts)]
    return []


class _TextAnswer:
    """Chunks are strings."""

    def __init__(self, run: RunStarted) -> None:
        self._run = run
        self._pieces: list[str] = []
        self._finish_reason: str | None = None

    def feed(self, chunk: Chunk) -> list[str]:
        for delta in chunk.deltas:
            if isinstance(delta, Finish):
                self._finish_reason = joined(self._finish_reason, delta.reason)
        pieces = text_pieces(self._run, chunk)
        self._pieces += pieces
        return pieces

    def last(self) -> list[str]:
        """Nothing: a completions model ends with its own empty chunk."""
        return []

    def output(self, version: str) -> object:
        text = "".join(self._pieces)
        if version == "v1":
            return text
        info = {"finish_reason": self._finish_reason, "logprobs": None}
        generation = {"text": text, "generation_info": info, "type": "Generation"}
        return {"generations": [[generation]], "llm_output": None}


class _ChatAnswer:
    """Chunks are messages."""

    def __init__(self, run_id: str, provider: str) -> None:
        self._id = f"lc_run--{run_id}"
        self._provider = provider
        self._about = ResponseInfo()
        self._usage = Usage()
        self._messages: list[AIMessageChunk] = []

    def feed(self, chunk: Chunk) -> list[AIMessageChunk]:
        for delta in chunk.deltas:
            if isinstance(delta, ResponseInfo):
                self._about = delta
        if not any(isinstance(delta, (*VISIBLE_DELTAS, Finish, Usage)) for delta in chunk.deltas):
            return []
        message = AIMessageChunk(
            "".join(delta.text for delta in chunk.deltas if isinstance(delta, TextDelta)),
            additional_kwargs=_additions(chunk.deltas),
            response_metadata=self._metadata(chunk.deltas),
            id=self._id,
            usage_metadata=self._count_tokens(chunk.deltas),
            tool_call_chunks=_tool_call_chunks(chunk.deltas),
        )
        self._messages.append(message)
        return [message]

    def last(self) -> list[AIMessageChunk]:
        """The empty chunk that tells the end, unless nothing came."""
        if not self._messages:
            return []
        return [AIMessageChunk("", id=self._id, chunk_position="last")]

    def output(self, version: str) -> object:
        # v1 sums up what it yielded, v2 what the model gave: the closing chunk is not of it.
        last = self.last() if version == "v1" else []
        return join_messages([*self._messages, *last] or [AIMessageChunk("", id=self._id)])

    def _count_tokens(self, deltas: Sequence[Delta]) -> dict[str, Any] | None:
        """What the counts grew by: those of an answer replace each other, LangChain's add up."""
        usage = next((delta for delta in reversed(deltas) if isinstance(delta, Usage)), None)
        if usage is None:
            return None
        counts = list(zip(structs.astuple(self._usage), structs.astuple(usage), strict=True))
        self._usage = Usage(*(before if now is None else now for before, now in counts))
        return _usage_metadata(Usage(*(_growth(before, now) for before, now in counts)))

    def _metadata(self, deltas: Sequence[Delta]) -> dict[str, Any]:
        if not any(isinstance(delta, (*VISIBLE_DELTAS, Finish)) for delta in deltas):
            return {}
        metadata: dict[str, Any] = {}
        for delta in deltas:
            if isinstance(delta, Finish):
                metadata["finish_reason"] = joined(metadata.get("finish_reason"), delta.reason)
                metadata |= _non_empty(
                    model_name=self._about.model, system_fingerprint=self._about.fingerprint
                )
        return metadata | {"model_provider": self._provider}


def _additions(deltas: Sequence[Delta]) -> dict[str, Any]:
    return _non_empty(
        reasoning_content="".join(d.text for d in deltas if isinstance(d, ReasoningDelta)),
        refusal="".join(d.text for d in deltas if isinstance(d, RefusalDelta)),
    )


def _non_empty(**texts: str) -> dict[str, Any]:
    return {key: text for key, text in texts.items() if text}


def _growth(before: int | None, now: int | None) -> int | None:
    return None if now is None else now - (before or 0)


def _usage_metadata(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input or 0,
        "output_tokens": usage.output or 0,
        "total_tokens": (usage.input or 0) + (usage.output or 0),
        "input_token_details": {} if usage.cached is None else {"cache_read": usage.cached},
        "output_token_details": {} if usage.reasoning is None else {"reasoning": usage.reasoning},
    }


def _tool_call_chunks(deltas: Sequence[Delta]) -> list[dict[str, Any]]:
    calls = [delta for delta in deltas if isinstance(delta, ToolCallDelta)]
    pieces = (tool_call_chunk(c.name, c.arguments, c.id, c.index) for c in calls)
    return join_tool_calls([], pieces)
