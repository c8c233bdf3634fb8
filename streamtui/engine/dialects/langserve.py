"""LangServe: `POST {runnable}/stream`, `/stream_events` and `/stream_log`.

Source: https://github.com/langchain-ai/langserve, `langserve/api_handler.py`.
"""

from typing import Any

from streamtui.config import Endpoint
from streamtui.engine.dialects.base import (
    Dialect,
    Request,
    as_dict,
    as_text,
    as_words,
)
from streamtui.engine.dialects.langchain_messages import (
    LangChainDecoder,
    event_name,
    find_answer,
    is_answer,
    texts_of,
)
from streamtui.engine.dialects.requests import post
from streamtui.errors import RunError
from streamtui.events import Delta, Message, TextDelta

METHODS = ("stream", "stream_events", "stream_log")

_OURS = frozenset({"input", "method"})
_TYPES = {"user": "human", "assistant": "ai", "system": "system"}


class LangServeDecoder(LangChainDecoder):
    """Reads what all three methods send; a frame shows by its shape which of them it is from."""

    def __init__(self) -> None:
        super().__init__()
        self._keyed: dict[str, str] = {}

    def close(self) -> list[Delta]:
        """The messages under keys, one after the other, when they were all that came."""
        if self._keyed:
            self._answer = "\n\n".join(filter(None, self._keyed.values()))
        return super().close()

    def _read(self, value: Any, event: str) -> list[Delta] | None:
        if event == "metadata":
            return self._announce_run(value)
        fields = as_dict(value)
        if event_name(fields):
            return self._read_event(fields)
        if isinstance(fields.get("ops"), list):
            return self._read_patch(fields["ops"])
        return self._read_chunk(value)

    def _read_document(self, document: object) -> list[Delta] | None:
        """The answer of `/invoke`."""
        output = as_dict(document).get("output")
        return self._read_chunk(find_answer(output) or output)

    def _read_patch(self, operations: list[Any]) -> list[Delta] | None:
        """JSON Patch, of which only what the root puts out is applied."""
        deltas: list[Delta] = []
        for operation in map(as_dict, operations):
            path, value = operation.get("path"), operation.get("value")
            if operation.get("op") == "add" and path == "/streamed_output/-":
                deltas += self._read_chunk(value) or []
            elif path == "/final_output":
                self._remember(value)
        return deltas or None

    def _read_chunk(self, chunk: object) -> list[Delta] | None:
        deltas = self._read_output(chunk, "")
        return self._read_keyed(as_dict(chunk)) if deltas is None else deltas

    def _read_keyed(self, fields: dict[str, Any]) -> list[Delta] | None:
        """What a RunnableParallel says, key by key, if that is text."""
        if not fields or {"content", "type"} <= fields.keys():
            return None
        if all(isinstance(value, str) for value in fields.values()):
            said = ((as_words(key), as_text(value)) for key, value in fields.items())
            return [delta for key, text in said for delta in self._say(key, TextDelta, text)]
        for key, value in fields.items():
            message = as_dict(value)
            if is_answer(message):
                self._keyed[key] = self._keyed.get(key, "") + texts_of(message)[TextDelta]
            else:
                # What a node of a graph adds to its state.
                self._remember(message)
        self._remember(fields)
        return None


class LangServe(Dialect):
    """A prompt as text, or a conversation as messages.

    Of `params` are ours `method`, one of METHODS, and `input`: `messages` when the runnable takes a
    list of them also for a single prompt, any other word as the key that it wants the prompt under;
    what is no word is sent as it is, in place of all turns.
    """

    name = "langserve"

    def decoder(self) -> LangServeDecoder:
        """A decoder for one response."""
        return LangServeDecoder()

    def build_request(self, endpoint: Endpoint, messages: tuple[Message, ...]) -> Request:
        """The turns as the runnable takes them; raises RunError for a method that is none."""
        method = endpoint.params.get("method", METHODS[0])
        if method not in METHODS:
            hint = f"Use one of: {', '.join(METHODS)}"
            raise RunError("params.method is no method of LangServe", kind="usage", hint=hint)
        body: dict[str, object] = {
            "input": _input(endpoint.params.get("input", ""), messages),
            # Without it some versions send the whole log again with every operation.
            **({"diff": True} if method == "stream_log" else {}),
            **{name: value for name, value in endpoint.params.items() if name not in _OURS},
        }
        return post(endpoint, f"/{method}", body, auth="bearer")


def _input(shape: object, messages: tuple[Message, ...]) -> object:
    if not isinstance(shape, str):
        return shape
    if shape and shape != "messages":
        return {shape: messages[-1].content}
    if len(messages) == 1 and not shape:
        return messages[0].content
    return [{"type": _TYPES[turn.role], "content": turn.content} for turn in messages]
