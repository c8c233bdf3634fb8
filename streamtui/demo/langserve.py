"""LangServe, the server's side: each model is a runnable with a URL of its own. No I/O.

Source: https://github.com/langchain-ai/langserve, `langserve/api_handler.py`. A runnable is a chat
model, or under `/langserve/text` a model of bare texts. After an error the connection is cut, as
over there; but the error is told, which LangServe keeps to itself.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, json

from streamtui.demo.dialect import (
    EVENT_STREAM,
    Answer,
    AtLeastOne,
    Refusal,
    checked,
    put_together,
    stop_sequences,
)
from streamtui.demo.langchain_messages import (
    RunKind,
    answer_object,
    chunk_object,
    crlf_event,
    end_chunks,
    event_object,
    read_messages,
    step_chunk,
    turn_of,
)
from streamtui.demo.question import Overrides, Question
from streamtui.demo.scripts import Ending, Said, Step, Usage

_METHODS = "invoke|stream|stream_events|stream_log"
_LARGEST_BATCH = 100


class _RunConfig(Struct):
    tags: list[str] | None = None
    metadata: dict[str, Any] | None = None
    run_name: str | None = None


class _Kwargs(Struct):
    max_tokens: AtLeastOne | None = None
    stop: str | list[str] | None = None


class Filters(Struct):
    """Which runs events are wanted of; those of a name are joined by or, and exclusion wins."""

    include_names: list[str] | None = None
    include_types: list[str] | None = None
    include_tags: list[str] | None = None
    exclude_names: list[str] | None = None
    exclude_types: list[str] | None = None
    exclude_tags: list[str] | None = None

    def let_pass(self, name: str, kind: str, tags: Sequence[str]) -> bool:
        """Whether events of such a run are sent."""
        included = (self.include_names, self.include_types, self.include_tags)
        excluded = (self.exclude_names, self.exclude_types, self.exclude_tags)
        is_included = all(wanted is None for wanted in included) or _matches(
            included, name, kind, tags
        )
        return is_included and not _matches(excluded, name, kind, tags)


def _matches(lists: Iterable[list[str] | None], name: str, kind: str, tags: Sequence[str]) -> bool:
    names, kinds, labels = (words or () for words in lists)
    return name in names or kind in kinds or any(tag in labels for tag in tags)


class _RunnableRequest(Filters, kw_only=True):
    model: str
    method: Literal["invoke", "stream", "stream_events", "stream_log"]
    input: Any
    config: _RunConfig | None = None
    kwargs: _Kwargs | None = None
    demo: Overrides | None = None


class _BatchRequest(Struct):
    inputs: Annotated[list[Any], Meta(max_length=_LARGEST_BATCH)]
    config: dict[str, Any] | list[dict[str, Any]] | None = None


class _Form(Struct, frozen=True):
    """What the writer needs of the request."""

    method: str
    input: Any
    run: dict[str, Any]
    """What all events say about the run."""
    is_wanted: bool
    """Whether events of the run pass the filters."""


class LangServe(ABC):
    """What runnables of both sorts have in common."""

    root: str
    """The path of a runnable."""
    kind: RunKind

    @property
    def path(self) -> str:
        return f"{self.root}/{{method:{_METHODS}}}"

    def read(self, fields: dict[str, Any]) -> Question:
        asked = checked(fields, _RunnableRequest)
        messages = read_messages(asked.input)
        kwargs = asked.kwargs or _Kwargs()
        return Question(
            model=asked.model,
            turns=tuple(map(turn_of, messages)),
            stream=asked.method != "invoke",
            max_tokens=kwargs.max_tokens,
            stop=stop_sequences(kwargs.stop),
            can_think=self.kind == "chat_model",
            can_call_tools=self.kind == "chat_model",
            hangs_up=True,
            form=self._form(asked, messages),
            overrides=asked.demo or Overrides(),
        )

    def read_batch(self, fields: dict[str, Any]) -> list[Question]:
        """The questions of `/batch`, which may have a configuration each; raises `Refusal`."""
        asked = checked(fields, _BatchRequest)
        configs = asked.config if isinstance(asked.config, list) else repeat(asked.config)
        return [
            self.read(fields | {"input": given, "config": config, "method": "invoke"})
            for given, config in zip(asked.inputs, configs, strict=False)
        ]

    def writer(self, question: Question, request_id: str) -> "_RunnableWriter":
        return _WRITERS[question.form.method](self._output(question, request_id), question.form)

    def error_body(self, refusal: Refusal, _request_id: str) -> bytes:
        return json.encode({"detail": refusal.message})

    def _form(self, asked: _RunnableRequest, messages: list[dict[str, Any]]) -> _Form:
        config = asked.config or _RunConfig()
        name, tags = config.run_name or f"/{asked.model}", config.tags or []
        about = {
            "ls_provider": "streamtui-demo",
            "ls_model_type": "chat" if self.kind == "chat_model" else "llm",
            "ls_model_name": asked.model,
        }
        run = {"name": name, "tags": tags, "metadata": about | (config.metadata or {})}
        given = messages if self.kind == "chat_model" else asked.input
        return _Form(asked.method, given, run, asked.let_pass(name, self.kind, tags))

    @abstractmethod
    def _output(self, question: Question, run_id: str) -> "_Output":
        """For one answer."""


class LangServeChat(LangServe):
    """`POST /langserve/MODEL/…`: a chat model, whose pieces are messages."""

    root = "/langserve/{model:.+}"
    kind = "chat_model"

    def _output(self, question: Question, run_id: str) -> "_Output":
        return _Messages(question.model, run_id)


class LangServeText(LangServe):
    """`POST /langserve/text/MODEL/…`: a model of bare texts, whose pieces are strings."""

    root = "/langserve/text/{model:.+}"
    kind = "llm"

    def _output(self, question: Question, run_id: str) -> "_Output":
        return _Texts(question.model, run_id)


class _Output(ABC):
    """What a runnable puts out, as JSON values."""

    kind: RunKind

    def __init__(self, model: str, run_id: str) -> None:
        self.run_id = run_id
        self._model = model

    @abstractmethod
    def pieces(self, step: Step) -> list[Any]:
        """What one step adds; nothing when there is no place for it."""

    @abstractmethod
    def end(self, ending: Ending, usage: Usage) -> list[Any]:
        """The pieces after the last step."""

    @abstractmethod
    def whole(self, answer: Answer, ending: Ending, usage: Usage) -> Any:
        """Everything at once."""

    @abstractmethod
    def final(self, answer: Answer, ending: Ending, usage: Usage) -> Any:
        """Everything at once, as the last event of the run has it."""


class _Messages(_Output):
    kind = "chat_model"

    def __init__(self, model: str, run_id: str) -> None:
        super().__init__(model, run_id)
        self._message_id = f"lc_run--{run_id}"

    def pieces(self, step: Step) -> list[Any]:
        return [step_chunk(self._message_id, step)]

    def end(self, ending: Ending, usage: Usage) -> list[Any]:
        return end_chunks(self._message_id, ending, usage, self._model)

    def whole(self, answer: Answer, ending: Ending, usage: Usage) -> Any:
        return answer_object(f"{self._message_id}-0", answer, (ending, usage), self._model)

    def final(self, answer: Answer, ending: Ending, usage: Usage) -> Any:
        whole = answer_object(self._message_id, answer, (ending, usage), self._model)
        return chunk_object(self._message_id, chunk_position="last") | whole | _CHUNK


class _Texts(_Output):
    kind = "llm"

    def pieces(self, step: Step) -> list[Any]:
        return [step.text] if isinstance(step, Said) else []

    def end(self, _ending: Ending, _usage: Usage) -> list[Any]:
        return []

    def whole(self, answer: Answer, _ending: Ending, _usage: Usage) -> Any:
        return answer.text

    def final(self, answer: Answer, ending: Ending, _usage: Usage) -> Any:
        about = {"finish_reason": ending.value}
        generation = {"text": answer.text, "generation_info": about, "type": "Generation"}
        return {"generations": [[generation]], "llm_output": None}


_CHUNK = {"type": "AIMessageChunk"}


class _RunnableWriter(ABC):
    """One answer in the frames of one method; it always ends with an event without data."""

    stream_type = EVENT_STREAM

    def __init__(self, output: _Output, form: _Form) -> None:
        self._output = output
        self._form = form
        self._steps: list[Step] = []

    @abstractmethod
    def opening(self) -> bytes:
        """What precedes the first piece."""

    def frame(self, step: Step) -> bytes:
        self._steps.append(step)
        return b"".join(map(self._piece, self._output.pieces(step)))

    def closing(self, ending: Ending, usage: Usage) -> bytes:
        pieces = b"".join(map(self._piece, self._output.end(ending, usage)))
        return pieces + self._final(ending, usage) + crlf_event("end")

    def failure(self, message: str) -> bytes:
        return crlf_event("error", {"status_code": 500, "message": message})

    def whole(self, steps: Iterable[Step], ending: Ending, usage: Usage) -> bytes:
        output = self._output.whole(put_together(steps), ending, usage)
        metadata = {"run_id": self._output.run_id, "feedback_tokens": []}
        return json.encode({"output": output, "metadata": metadata})

    @abstractmethod
    def _piece(self, piece: Any) -> bytes:
        """One piece of the output, as a frame."""

    def _final(self, _ending: Ending, _usage: Usage) -> bytes:
        """What precedes the end."""
        return b""


class _StreamWriter(_RunnableWriter):
    """`/stream`: the pieces as they are."""

    def opening(self) -> bytes:
        return crlf_event("metadata", {"run_id": self._output.run_id})

    def _piece(self, piece: Any) -> bytes:
        return crlf_event("data", piece)


class _EventsWriter(_RunnableWriter):
    """`/stream_events`: the events of version 2, of a chain of one model."""

    def opening(self) -> bytes:
        return self._event("start", input=self._form.input)

    def _piece(self, piece: Any) -> bytes:
        return self._event("stream", chunk=piece)

    def _final(self, ending: Ending, usage: Usage) -> bytes:
        output = self._output.final(put_together(self._steps), ending, usage)
        return self._event("end", output=output)

    def _event(self, moment: str, **data: Any) -> bytes:
        if not self._form.is_wanted:
            return b""
        run = {"run_id": self._output.run_id, **self._form.run}
        return crlf_event("data", event_object(f"on_{self._output.kind}_{moment}", run, **data))


class _LogWriter(_RunnableWriter):
    """`/stream_log`: JSON Patch of a log of the run."""

    def opening(self) -> bytes:
        about = {"id": self._output.run_id, "name": self._form.run["name"], "type": "llm"}
        log = about | {"streamed_output": [], "final_output": None, "logs": {}}
        return _patch({"op": "replace", "path": "", "value": log})

    def _piece(self, piece: Any) -> bytes:
        return _patch({"op": "add", "path": "/streamed_output/-", "value": piece})

    def _final(self, ending: Ending, usage: Usage) -> bytes:
        # LangServe sends it with each piece, and so the more the longer the answer already is.
        output = self._output.whole(put_together(self._steps), ending, usage)
        return _patch({"op": "replace", "path": "/final_output", "value": output})


def _patch(operation: dict[str, Any]) -> bytes:
    return crlf_event("data", {"ops": [operation]})


_WRITERS: dict[str, type[_RunnableWriter]] = {
    "invoke": _StreamWriter,
    "stream": _StreamWriter,
    "stream_events": _EventsWriter,
    "stream_log": _LogWriter,
}


def batch_document(answers: Iterable[bytes]) -> bytes:
    """The whole answers of `/batch`, as one."""
    read = [json.decode(answer) for answer in answers]
    metadata = {"responses": [answer["metadata"] for answer in read]}
    return json.encode({"output": [answer["output"] for answer in read], "metadata": metadata})


_TEXT = {"type": "string"}
_CONVERSATION = {"type": "array", "items": {"type": "object", "title": "Message"}}

SCHEMAS: dict[str, dict[str, Any]] = {
    "input_schema": {"title": "DemoInput", "anyOf": [_TEXT, _CONVERSATION]},
    "output_schema": {"title": "DemoOutput", "anyOf": [_TEXT, {"type": "object"}]},
    "config_schema": {"title": "DemoConfig", "type": "object", "properties": {}},
}
"""What is told of input, output and configuration of any runnable, by the end of the path."""
