"""The output items of OpenAI's Responses, and the events that each is written with. No I/O.

Source: https://platform.openai.com/docs/api-reference/responses-streaming. Numbers are added, and
bytes made of them, in `openai_responses`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

from streamtui.demo.scripts import CallStarted

Event = tuple[str, dict[str, Any]]
"""The type of an event, and its fields but the type and the number."""


class Item(ABC):
    """One item while it is being written: what precedes, carries and follows its pieces."""

    _prefix: ClassVar[str]
    _pieces_event: ClassVar[str]
    """What the events of its pieces begin with."""

    def __init__(self, index: int, answer_id: str) -> None:
        self._index = index
        self._id = f"{self._prefix}_{answer_id}"  # an answer has no two items of a kind
        self._pieces: list[str] = []

    def opening(self) -> Iterator[Event]:
        """Before the first piece."""
        yield "response.output_item.added", self._as_field("in_progress")

    def delta(self, piece: str) -> Event:
        """One piece."""
        self._pieces.append(piece)
        return f"{self._pieces_event}.delta", self._where() | {"delta": piece}

    def closing(self, status: str) -> Iterator[Event]:
        """After the last piece: everything once more, whole."""
        yield f"{self._pieces_event}.done", self._where() | self._whole()
        yield "response.output_item.done", self._as_field(status)

    @abstractmethod
    def as_object(self, status: str) -> dict[str, Any]:
        """The item itself, with what was written so far."""

    @abstractmethod
    def _whole(self) -> dict[str, Any]:
        """All pieces as one, in the field of this kind of item."""

    def _joined(self) -> str:
        return "".join(self._pieces)

    def _where(self) -> dict[str, Any]:
        return {"item_id": self._id, "output_index": self._index}

    def _as_field(self, status: str) -> dict[str, Any]:
        return {"output_index": self._index, "item": self.as_object(status)}


class _PartItem(Item):
    """An item of one part of text."""

    _part_event: ClassVar[str]

    def opening(self) -> Iterator[Event]:
        yield from super().opening()
        yield f"{self._part_event}.added", self._where() | {"part": self._part()}

    def closing(self, status: str) -> Iterator[Event]:
        pieces_done, item_done = super().closing(status)
        yield pieces_done
        yield f"{self._part_event}.done", self._where() | {"part": self._part()}
        yield item_done

    def _whole(self) -> dict[str, Any]:
        return {"text": self._joined()}

    def _parts(self) -> list[dict[str, Any]]:
        """None until there is something in it."""
        return [self._part()] if self._pieces else []

    @abstractmethod
    def _part(self) -> dict[str, Any]:
        """The part, with what was written so far."""


class ReasoningItem(_PartItem):
    """Reasoning, as a summary of one part."""

    _prefix = "rs"
    _pieces_event = "response.reasoning_summary_text"
    _part_event = "response.reasoning_summary_part"

    def as_object(self, status: str) -> dict[str, Any]:
        return {"type": "reasoning", "id": self._id, "status": status, "summary": self._parts()}

    def _part(self) -> dict[str, Any]:
        return {"type": "summary_text", "text": self._joined()}

    def _where(self) -> dict[str, Any]:
        return super()._where() | {"summary_index": 0}


class MessageItem(_PartItem):
    """The answer itself."""

    _prefix = "msg"
    _pieces_event = "response.output_text"
    _part_event = "response.content_part"

    def delta(self, piece: str) -> Event:
        kind, fields = super().delta(piece)
        return kind, fields | {"logprobs": []}

    def as_object(self, status: str) -> dict[str, Any]:
        return {
            "type": "message",
            "id": self._id,
            "status": status,
            "role": "assistant",
            "content": self._parts(),
        }

    def _whole(self) -> dict[str, Any]:
        return super()._whole() | {"logprobs": []}

    def _part(self) -> dict[str, Any]:
        return {
            "type": "output_text",
            "annotations": [],
            "logprobs": [],
            "text": self._joined(),
        }

    def _where(self) -> dict[str, Any]:
        return super()._where() | {"content_index": 0}


class CallItem(Item):
    """A tool call, whose pieces are the JSON text of its arguments."""

    _prefix = "fc"
    _pieces_event = "response.function_call_arguments"

    def __init__(self, index: int, answer_id: str, call: CallStarted) -> None:
        super().__init__(index, answer_id)
        self._call = call

    def as_object(self, status: str) -> dict[str, Any]:
        return {
            "type": "function_call",
            "id": self._id,
            "call_id": self._call.call_id,
            "name": self._call.name,
            "arguments": self._joined(),
            "status": status,
        }

    def _whole(self) -> dict[str, Any]:
        return {"name": self._call.name, "arguments": self._joined()}
