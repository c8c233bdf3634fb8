"""LangGraph's API: `POST {server}/runs/stream`, and `/threads/{id}/runs/stream` in a thread.

Source: https://docs.langchain.com/langsmith/streaming.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from streamtui.config import Endpoint
from streamtui.engine.dialects.base import (
    Dialect,
    Request,
    Resumption,
    as_dict,
    as_list,
    as_text,
)
from streamtui.engine.dialects.langchain_messages import (
    LangChainDecoder,
    find_answer,
    is_answer,
)
from streamtui.engine.dialects.requests import Auth, as_objects, get_stream, post
from streamtui.engine.framing import Position
from streamtui.events import Delta, Message

DEFAULT_ASSISTANT = "agent"
DEFAULT_MODE = "messages-tuple"
MOST_REJOINS = 5
"""As many as LangGraph's own client makes."""

_AUTH: Auth = "x-api-key"
# The whole of it, so that it is a path below the base URL and leads to no other host.
_RUN_PATH = re.compile(r"/threads/[\w-]+/runs/[\w-]+/stream", re.ASCII)
_OURS = frozenset({"assistant_id", "stream_mode", "thread_id"})


class LangGraphDecoder(LangChainDecoder):
    """Reads frames by their event, which is the mode; subgraphs add `|` and their name to it.

    There is no end marker: a body that ends cleanly after its `metadata` is whole.
    """

    def _read(self, value: Any, event: str) -> list[Delta] | None:
        match event.partition("|")[0]:
            case "metadata":
                self.ends_with_body = True
                return self._announce_run(value)
            case "messages":
                # With what is known about the message beside it.
                return self._read_messages(as_list(value)[:1])
            case "messages/partial" | "messages/complete":
                return self._read_messages(as_list(value))
            case "events":
                return self._read_event(as_dict(value))
        if event == "values":
            self._remember(as_dict(value))
        elif event == "updates":
            for update in as_dict(value).values():
                self._remember(as_dict(update))
        return None

    def _read_document(self, document: object) -> list[Delta] | None:
        """The last state, which `/runs/wait` answers with."""
        return self._read_output(find_answer(as_dict(document)), "")

    def _read_messages(self, messages: list[Any]) -> list[Delta] | None:
        """What the model says; None when only others, such as tools, say something."""
        answers = list(map(as_dict, filter(is_answer, messages)))
        deltas = [delta for answer in answers for delta in self._read_message(answer)]
        return deltas if answers else None


class LangGraph(Dialect):
    """A conversation of roles and contents for an assistant.

    Of `params` are ours `assistant_id`, `stream_mode`, one or a list, and `thread_id`. With
    `stream_resumable`, which is sent, a run of a thread is joined again after a broken connection.
    """

    name = "langgraph"

    def decoder(self) -> LangGraphDecoder:
        """A decoder for one response."""
        return LangGraphDecoder()

    def build_request(self, endpoint: Endpoint, messages: tuple[Message, ...]) -> Request:
        """All turns, or in a thread, which remembers the others, those since the last answer."""
        params = endpoint.params
        mode, thread = params.get("stream_mode", DEFAULT_MODE), as_text(params.get("thread_id"))
        body: dict[str, object] = {
            "assistant_id": params.get("assistant_id", DEFAULT_ASSISTANT),
            "input": {"messages": as_objects(_since_answer(messages) if thread else messages)},
            "stream_mode": [mode] if isinstance(mode, str) else mode,
            **{name: value for name, value in params.items() if name not in _OURS},
        }
        path = f"/threads/{quote(thread, safe='')}/runs/stream" if thread else "/runs/stream"
        return post(endpoint, path, body, auth=_AUTH)

    def resumption(
        self,
        endpoint: Endpoint,
        request: Request,
        headers: Mapping[str, str],
        position: Position,
    ) -> Resumption | None:
        """The run joined again where its stream broke off, when its events are kept for that.

        They are with `stream_resumable`, in a thread; then each has an id.
        """
        path = request.path if request.method == "GET" else headers.get("location", "")
        kept = endpoint.params.get("stream_resumable") is True and position.last_event_id
        if not (kept and _RUN_PATH.fullmatch(path)):
            return None
        place = position.last_event_id
        joining = get_stream(endpoint, path, auth=_AUTH, last_event_id=place)
        return Resumption(joining, (position.retry_ms or 0) / 1000, MOST_REJOINS)


def _since_answer(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    answers = [place for place, turn in enumerate(messages) if turn.role == "assistant"]
    return messages[answers[-1] + 1 :] if answers else messages
