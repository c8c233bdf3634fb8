"""LangGraph's API, the server's side: runs of an assistant in, events of stream modes out. No I/O.

Source: https://docs.langchain.com/langsmith/streaming. Every assistant is a graph with one node,
`model`, which is one of ours; tools are called and not run.
"""

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal

from msgspec import Raw, Struct, json

from streamtui.demo.dialect import (
    EVENT_STREAM,
    AtLeastOne,
    Refusal,
    checked,
    put_together,
    stop_sequences,
)
from streamtui.demo.langchain_messages import (
    answer_object,
    crlf_event,
    end_chunks,
    event_object,
    read_messages,
    step_chunk,
    turn_of,
)
from streamtui.demo.question import Overrides, Question
from streamtui.demo.scripts import MODELS, CallArguments, CallStarted, Ending, Step, Usage
from streamtui.ids import new_id

DEFAULT_ASSISTANT = "agent"
ASSISTANTS = {DEFAULT_ASSISTANT: "demo/verse"} | {name: name for name in MODELS}
"""Models by the names of the assistants that speak for them."""
NODE = "model"

_SHORT = 4_000

Mode = Literal[
    "values",
    "updates",
    "messages",
    "messages-tuple",
    "custom",
    "events",
    "debug",
    "tasks",
    "checkpoints",
]


class _Configurable(Struct):
    model: str | None = None
    max_tokens: AtLeastOne | None = None
    stop: str | list[str] | None = None


class _RunConfig(Struct):
    configurable: _Configurable | None = None
    tags: list[str] | None = None
    metadata: dict[str, Any] | None = None


class _RunRequest(Struct, kw_only=True):
    assistant_id: str
    thread_id: str | None = None
    remembered: list[dict[str, Any]] = []
    """What the thread holds already; nothing that a client could say."""
    input: Any = None
    stream_mode: Mode | list[Mode] | None = None
    stream_resumable: bool | None = None
    on_disconnect: Literal["cancel", "continue"] | None = None
    config: _RunConfig | None = None
    demo: Overrides | None = None

    def modes(self) -> frozenset[Mode]:
        asked = self.stream_mode or "values"
        return frozenset([asked] if isinstance(asked, str) else asked)


class RunForm(Struct, frozen=True):
    """What the writer needs of the request."""

    assistant: str
    thread_id: str | None
    modes: frozenset[Mode]
    input: Any
    messages: list[dict[str, Any]]
    """The state before the answer."""
    tags: list[str]
    metadata: dict[str, Any]
    ends_with_client: bool
    """Whether the run is cancelled when the client that asked for it leaves."""


class LangGraph:
    """`POST /runs/stream` and `/runs/wait`, also in a thread: `/threads/THREAD/runs/…`."""

    path = "/runs/{method:stream|wait}"

    def read(self, fields: dict[str, Any]) -> Question:
        asked = checked(fields, _RunRequest)
        config = asked.config or _RunConfig()
        configurable = config.configurable or _Configurable()
        assistant = name_of_assistant(asked.assistant_id)
        messages = [*asked.remembered, *read_messages(asked.input)]
        return Question(
            model=configurable.model or ASSISTANTS.get(assistant, assistant),
            turns=tuple(map(turn_of, messages)),
            stream=fields.get("method") != "wait",
            max_tokens=configurable.max_tokens,
            stop=stop_sequences(configurable.stop),
            can_come_back=bool(asked.thread_id and asked.stream_resumable),
            form=RunForm(
                assistant=assistant,
                thread_id=asked.thread_id,
                modes=asked.modes(),
                input=asked.input,
                messages=messages,
                tags=config.tags or [],
                metadata=config.metadata or {},
                ends_with_client=asked.on_disconnect == "cancel",
            ),
            overrides=asked.demo or Overrides(),
        )

    def writer(self, question: Question, request_id: str) -> "GraphWriter":
        return GraphWriter(question.model, question.form, request_id)

    def error_body(self, refusal: Refusal, _request_id: str) -> bytes:
        return json.encode({"detail": refusal.message})


class GraphWriter:
    """One run in the events of its modes; `messages` yields to `messages-tuple`, as over there."""

    stream_type = EVENT_STREAM

    def __init__(self, model: str, form: RunForm, run_id: str) -> None:
        self._model = model
        self._form = form
        self._modes = form.modes
        self._run_id = run_id
        self._step = _GraphStep(form, run_id, model)
        self._message_id = f"lc_run--{self._step.model_run_id}"
        self._steps: list[Step] = []
        self._partial_length = 0
        self._said_length = 0

    def opening(self) -> bytes:
        """Sent at once, unlike that of other dialects."""
        return b"".join(
            [
                crlf_event("metadata", {"run_id": self._run_id, "attempt": 1}),
                self._in_mode("values", self._state()),
                self._checkpoints(self._form.messages, step=0, following=[NODE]),
                self._tasks("task", self._step.task(self._state())),
                self._in_mode("custom", {"progress": f"asking {self._model}"}),
                *(self._in_mode("events", event) for event in self._step.start_events()),
                self._in_mode("messages/metadata", self._step.message_metadata(self._message_id)),
            ]
        )

    def frame(self, step: Step) -> bytes:
        self._steps.append(step)
        self._said_length += _length(step)
        return self._chunk(step_chunk(self._message_id, step)) + self._partial()

    def closing(self, ending: Ending, usage: Usage) -> bytes:
        chunks = end_chunks(self._message_id, ending, usage, self._model)
        answer = self.answer(ending, usage)
        messages = [*self._form.messages, answer]
        update = {"messages": [answer]}
        return b"".join(
            [
                *map(self._chunk, chunks),
                self._in_mode("messages/partial", [answer]),
                *(self._in_mode("events", event) for event in self._step.end_events(answer)),
                self._in_mode("updates", {NODE: update}),
                self._tasks("task_result", self._step.result(update)),
                self._in_mode("values", {"messages": messages}),
                self._checkpoints(messages, step=1, following=[]),
            ]
        )

    def failure(self, message: str) -> bytes:
        error = error_object(message)
        return self._tasks("task_result", self._step.result({}, error)) + crlf_event("error", error)

    def whole(self, steps: Iterable[Step], ending: Ending, usage: Usage) -> bytes:
        self._steps = list(steps)
        return json.encode({"messages": [*self._form.messages, self.answer(ending, usage)]})

    def answer(self, ending: Ending, usage: Usage) -> dict[str, Any]:
        """The message that the run adds to its thread."""
        return answer_object(
            self._message_id, put_together(self._steps), (ending, usage), self._model
        )

    def _state(self) -> dict[str, Any]:
        return {"messages": self._form.messages}

    def _chunk(self, chunk: dict[str, Any]) -> bytes:
        event = self._step.model_event("stream", chunk=chunk)
        as_tuple = [chunk, self._step.metadata]
        return self._in_mode("messages-tuple", as_tuple) + self._in_mode("events", event)

    def _partial(self) -> bytes:
        """All that was said so far; less often as that grows, or it would be gigabytes."""
        if not self._wants("messages"):
            return b""
        grown = self._said_length - self._partial_length
        if self._said_length > _SHORT and grown < self._said_length // 50:
            return b""
        self._partial_length = self._said_length
        message = answer_object(self._message_id, put_together(self._steps), None, self._model)
        return self._in_mode("messages/partial", [message])

    def _tasks(self, kind: str, task: dict[str, Any]) -> bytes:
        return self._debug(kind, 1, task) + self._in_mode("tasks", task)

    def _checkpoints(
        self, messages: list[dict[str, Any]], *, step: int, following: list[str]
    ) -> bytes:
        """Only threads have them."""
        if self._form.thread_id is None:
            return b""
        place = {"checkpoint_id": new_id(), "thread_id": self._form.thread_id, "checkpoint_ns": ""}
        checkpoint = {
            "config": {"configurable": place},
            "parent_config": None,
            "values": {"messages": messages},
            "metadata": {"source": "loop", "step": step, "parents": {}},
            "next": following,
            "tasks": [],
        }
        named = checkpoint | {"checkpoint": place, "parent_checkpoint": None}
        return self._debug("checkpoint", step, named) + self._in_mode("checkpoints", checkpoint)

    def _debug(self, kind: str, step: int, payload: dict[str, Any]) -> bytes:
        now = datetime.now(UTC).isoformat()
        entry = {"step": step, "timestamp": now, "type": kind, "payload": payload}
        return self._in_mode("debug", entry)

    def _in_mode(self, name: str, value: Any) -> bytes:
        """The event, if its mode was asked for."""
        if not self._wants(name.partition("/")[0]):
            return b""
        return crlf_event("messages" if name == "messages-tuple" else name, value)

    def _wants(self, mode: str) -> bool:
        return mode in self._modes and not (mode == "messages" and "messages-tuple" in self._modes)


class _GraphStep:
    """The one step of a run: its node and the model in it, each a run of its own in the events."""

    def __init__(self, form: RunForm, run_id: str, model: str) -> None:
        self._form = form
        self._input = {"messages": form.messages}
        self._task_id = new_id()
        self._run_id = run_id
        self._node_run_id = new_id()
        self.model_run_id = new_id()
        about_run = {
            "created_by": "system",
            "run_attempt": 1,
            "run_id": run_id,
            "graph_id": form.assistant,
            "assistant_id": assistant_id(form.assistant),
            "thread_id": form.thread_id,
            **form.metadata,
        }
        about_node = about_run | {
            "langgraph_step": 1,
            "langgraph_node": NODE,
            "langgraph_triggers": [f"branch:to:{NODE}"],
            "langgraph_path": ["__pregel_pull", NODE],
            "langgraph_checkpoint_ns": f"{NODE}:{self._task_id}",
        }
        about_model = about_node | {
            "ls_provider": "streamtui-demo",
            "ls_model_type": "chat",
            "ls_model_name": model,
        }
        # Encoded once, for it goes with every piece.
        self.metadata = Raw(json.encode(about_model))
        tags = form.tags
        self._root = _run(form.assistant, run_id, tags, Raw(json.encode(about_run)))
        step_tags = ["graph:step:1", *tags]
        self._node = _run(NODE, self._node_run_id, step_tags, Raw(json.encode(about_node)))
        self._model = _run(model, self.model_run_id, ["seq:step:1", *tags], self.metadata)

    def message_metadata(self, message_id: str) -> dict[str, Any]:
        return {message_id: {"metadata": self.metadata}}

    def task(self, state: dict[str, Any]) -> dict[str, Any]:
        triggers = [f"branch:to:{NODE}"]
        return {"id": self._task_id, "name": NODE, "input": state, "triggers": triggers}

    def result(self, update: dict[str, Any], error: dict[str, str] | None = None) -> dict[str, Any]:
        task = {"id": self._task_id, "name": NODE, "error": error, "result": update}
        return task | {"interrupts": []}

    def start_events(self) -> list[dict[str, Any]]:
        return [
            event_object("on_chain_start", self._root, input=self._form.input),
            event_object("on_chain_start", self._node, [self._run_id], input=self._input),
            self.model_event("start", input=self._asked()),
        ]

    def end_events(self, answer: dict[str, Any]) -> list[dict[str, Any]]:
        update, parents = {"messages": [answer]}, [self._run_id]
        state = {"messages": [*self._form.messages, answer]}
        return [
            self.model_event("end", output=answer, input=self._asked()),
            event_object("on_chain_stream", self._node, parents, chunk=update),
            event_object("on_chain_end", self._node, parents, output=update, input=self._input),
            event_object("on_chain_end", self._root, output=state),
        ]

    def model_event(self, moment: str, **data: Any) -> dict[str, Any]:
        parents = [self._run_id, self._node_run_id]
        return event_object(f"on_chat_model_{moment}", self._model, parents, **data)

    def _asked(self) -> dict[str, Any]:
        return {"messages": [self._form.messages]}


def assistant_id(name: str) -> str:
    """The same for ever; clients may use name or id."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"streamtui-demo:{name}"))


def name_of_assistant(given: str) -> str:
    """The assistant's name, which stands for itself."""
    return _NAMES.get(given, given)


_NAMES = {assistant_id(name): name for name in ASSISTANTS}


def _run(name: str, run_id: str, tags: list[str], metadata: Raw) -> dict[str, Any]:
    return {"name": name, "run_id": run_id, "tags": tags, "metadata": metadata}


def _length(step: Step) -> int:
    match step:
        case CallStarted(_, name):
            return len(name)
        case CallArguments(fragment):
            return len(fragment)
        case _:
            return len(step.text)


def error_object(message: str) -> dict[str, str]:
    """An exception as LangGraph tells it."""
    return {"error": "DemoError", "message": message}
