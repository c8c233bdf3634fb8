"""A piece of a chat model's answer as LangChain shapes it, and how pieces are joined. Pure."""

import json
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, Literal

import msgspec
from msgspec import Struct


class AIMessageChunk(Struct):
    """A piece of a chat model's answer; `+` joins pieces. The fields are LangChain's.

    `tool_calls` and `invalid_tool_calls` follow from `tool_call_chunks`.
    https://reference.langchain.com/python/langchain_core/messages/#langchain_core.messages.AIMessageChunk
    """

    content: str
    additional_kwargs: dict[str, Any] = {}
    """`reasoning_content` and `refusal`, where the model says such things."""
    response_metadata: dict[str, Any] = {}
    type: str = "AIMessageChunk"
    name: str | None = None
    id: str | None = None
    """`lc_run--` and the run's id."""
    tool_calls: list[dict[str, Any]] = []
    """`name`, `args` (as far as they have come), `id`, `type`."""
    invalid_tool_calls: list[dict[str, Any]] = []
    """Those whose `args` are no beginning of a JSON object; `args` is their text."""
    usage_metadata: dict[str, Any] | None = None
    """`input_tokens`, `output_tokens`, `total_tokens` and the details of the first two."""
    tool_call_chunks: list[dict[str, Any]] = []
    """`name`, `args` (text), `id`, `index`, `type`, as they came."""
    chunk_position: Literal["last"] | None = None

    def __post_init__(self) -> None:
        if self.tool_call_chunks:
            self.tool_calls, self.invalid_tool_calls = _read_tool_calls(self.tool_call_chunks)

    @property
    def text(self) -> str:
        """The same as `content`."""
        return self.content

    def __add__(self, other: "AIMessageChunk | Sequence[AIMessageChunk]") -> "AIMessageChunk":
        others = [other] if isinstance(other, AIMessageChunk) else other
        return join_messages([self, *others])

    def to_dict(self) -> dict[str, Any]:
        """The fields in LangChain's order, as its `model_dump()` gives them."""
        return msgspec.structs.asdict(self)


def tool_call_chunk(
    name: str | None, args: str | None, call_id: str | None, index: int | None
) -> dict[str, Any]:
    return {"name": name, "args": args, "id": call_id, "index": index, "type": "tool_call_chunk"}


def join_messages(messages: Sequence[AIMessageChunk]) -> AIMessageChunk:
    calls, *more_calls = (m.tool_call_chunks for m in messages)
    usage = [m.usage_metadata for m in messages if m.usage_metadata is not None]
    return AIMessageChunk(
        "".join(m.content for m in messages),
        additional_kwargs=_join_dicts(m.additional_kwargs for m in messages),
        response_metadata=_join_dicts(m.response_metadata for m in messages),
        id=min((m.id for m in messages if m.id), key=_rank_id, default=None),
        usage_metadata=_join_dicts(usage) if usage else None,
        tool_call_chunks=join_tool_calls(calls, chain.from_iterable(more_calls)),
        chunk_position="last" if any(m.chunk_position == "last" for m in messages) else None,
    )


def _rank_id(message_id: str) -> int:
    """An id of the provider's before that of the run, and that before any other of LangChain's."""
    if message_id.startswith("lc_run-"):
        return 1
    return 2 if message_id.startswith("lc_") else 0


def _join_dicts(dictionaries: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """LangChain's rule: texts are joined, numbers added, dictionaries joined in turn."""
    joined: dict[str, Any] = {}
    for key, value in chain.from_iterable(d.items() for d in dictionaries):
        joined[key] = _join_values(key, joined.get(key), value)
    return joined


def _join_values(key: str, left: Any, right: Any) -> Any:
    if left is None or right is None:
        return right if left is None else left
    if isinstance(left, dict):
        return _join_dicts((left, right))
    if key == "model_provider":
        return left
    return left + right


def joined(left: str | None, right: str | None) -> str | None:
    return (left or "") + (right or "") if left is not None or right is not None else None


def join_tool_calls(
    calls: Sequence[dict[str, Any]], pieces: Iterable[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Each piece added to the first call of its index, unless their ids contradict each other."""
    joined = list(calls)
    for piece in pieces:
        at = next((at for at, call in enumerate(joined) if _belongs(piece, call)), None)
        if at is None:
            joined.append(piece)
        else:
            joined[at] = _join_tool_call(joined[at], piece)
    return joined


def _belongs(piece: dict[str, Any], call: dict[str, Any]) -> bool:
    same_index = piece["index"] is not None and piece["index"] == call["index"]
    return same_index and (not piece["id"] or not call["id"] or piece["id"] == call["id"])


def _join_tool_call(call: dict[str, Any], piece: dict[str, Any]) -> dict[str, Any]:
    return tool_call_chunk(
        joined(call["name"], piece["name"]),
        joined(call["args"], piece["args"]),
        call["id"] or piece["id"],
        call["index"],
    )


_MAX_REPAIRS = 100
"""The beginning of a good object needs a handful; hostile text would need one per character."""


def _read_tool_calls(
    chunks: Sequence[dict[str, Any]],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Tool calls whose arguments begin an object, and those whose arguments do not."""
    good, bad = [], []
    for chunk in chunks:
        call = {"name": chunk["name"], "args": chunk["args"], "id": chunk["id"]}
        args = _begun_object(chunk["args"] or "{}")
        if args is None:
            bad.append(call | {"error": None, "type": "invalid_tool_call"})
        else:
            good.append(call | {"name": call["name"] or "", "args": args, "type": "tool_call"})
    return good, bad


def _begun_object(text: str) -> dict[str, Any] | None:
    """What is known of an object while its JSON arrives; None when this is no object's JSON."""
    try:
        found = _parse_begun(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _parse_begun(text: str) -> object:
    """Closes what is open, and cuts the end off until the rest can be read."""
    try:
        return json.loads(text, strict=False)
    except json.JSONDecodeError:
        begun, closers = _close(text)
    for _ in range(_MAX_REPAIRS):
        try:
            return json.loads(begun + closers, strict=False)
        except json.JSONDecodeError as error:
            # What stands at the error stays wrong, however much is cut behind it.
            begun = begun[: min(len(begun) - 1, error.pos)].rstrip()
        if not begun:
            break
    raise ValueError("not the beginning of JSON")


def _close(text: str) -> tuple[str, str]:
    """The text with its last string closed, and the brackets that it lacks.

    Raises ValueError for a closing bracket that does not match.
    """
    closers: list[str] = []
    in_string = escaped = False
    for character in text:
        if in_string:
            in_string = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            in_string = True
        elif character in "{[":
            closers.append("}" if character == "{" else "]")
        elif character in "}]" and (not closers or closers.pop() != character):
            raise ValueError("a bracket closes what was not opened")
    if in_string:
        text = (text[:-1] if escaped else text) + '"'
    return text, "".join(reversed(closers))
