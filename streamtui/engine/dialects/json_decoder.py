"""Reading a stream of JSON objects: what all dialects share but the words inside the objects."""

from abc import ABC, abstractmethod
from typing import Any

from streamtui.engine.dialects.base import (
    as_dict,
    as_text,
    first_object,
    malformed,
    parse_json,
    read_error_object,
)
from streamtui.engine.dialects.provider_errors import no_answer, provider_error
from streamtui.engine.framing import BareJSON, Frame, Framed
from streamtui.events import (
    Delta,
    Finish,
    ReasoningDelta,
    RefusalDelta,
    ResponseInfo,
    TextDelta,
    UnknownFrame,
    Usage,
)


def piece(kind: type[TextDelta | ReasoningDelta | RefusalDelta], text: object) -> list[Delta]:
    """A piece of text as a delta; none where it is empty, or no text."""
    return [kind(text)] if isinstance(text, str) and text else []


class JSONDecoder(ABC):
    """The state of reading one response; subclasses read one object at a time."""

    def __init__(self) -> None:
        self.complete = False
        self.ended = False
        self.ends_with_body = False
        self._announced = False
        self._usage: Usage | None = None
        self._finish_reason = ""

    def feed(self, framed: Framed) -> list[Delta]:
        """What a frame adds to the answer; raises ProviderError for an error object."""
        match framed:
            case Frame() if not self.ended:
                return self._feed_frame(framed)
            case BareJSON():
                return self._feed_bare(framed.data)
            case _:
                return []

    def feed_document(self, document: object) -> list[Delta]:
        """What a whole answer holds that came in one piece."""
        self._raise_error_in(first_object(document))
        deltas = self._read_document(document)
        if deltas is None:
            raise no_answer(document)
        self.complete = self.ended = True
        return deltas

    def close(self) -> list[Delta]:
        """What can only be told when nothing more comes."""
        return []

    @abstractmethod
    def _read(self, fields: dict[str, Any], event: str) -> list[Delta] | None:
        """What an object adds; None when it says nothing that we know.

        `event` is the `type` in the object, or the name of the frame where there is none.
        """

    def _read_document(self, document: object) -> list[Delta] | None:
        """What a whole answer holds; None when it is none."""
        return self._read(as_dict(document), "")

    def _read_done(self) -> list[Delta]:
        """`[DONE]`, which marks the end in OpenAI's older dialects only; LiteLLM adds it to all."""
        return []

    def _error_in(self, fields: dict[str, Any]) -> object:
        """The error of an object: its `error`, or itself when it says that it is one."""
        if fields.get("error"):
            return fields["error"]
        is_error = fields.get("type") == "error" or fields.get("object") == "error"
        return fields if is_error else None

    def _feed_frame(self, frame: Frame) -> list[Delta]:
        data = frame.data.strip()
        if data.startswith("[DONE]"):
            return self._read_done()
        # Vertex AI keeps lines alive with comments inside data fields.
        if not data or data.startswith(":"):
            return []
        try:
            fields = parse_json(data)
        except ValueError as error:
            return [malformed(str(error), data)]
        if not isinstance(fields, dict):
            self._raise_error_in(first_object(fields))
            return [malformed("not a JSON object", data)]
        return self._feed_object(frame, fields)

    def _feed_object(self, frame: Frame, fields: dict[str, Any]) -> list[Delta]:
        if frame.event == "error" and not fields.get("error"):
            fields = {"error": fields}
        self._raise_error_in(fields)
        # Servers that imitate others leave the name of the event out, or send another.
        deltas = self._read(fields, as_text(fields.get("type")) or frame.event)
        return [UnknownFrame(frame.event, frame.data)] if deltas is None else deltas

    def _feed_bare(self, data: str) -> list[Delta]:
        """JSON outside any event: worth a look only because errors come so."""
        try:
            document = parse_json(data)
        except ValueError:
            return [malformed("a line outside any event", data)]
        self._raise_error_in(first_object(document))
        return [UnknownFrame("bare JSON", data)]

    def _raise_error_in(self, fields: dict[str, Any]) -> None:
        error = self._error_in(fields)
        if error and not self.complete:
            raise provider_error(read_error_object(error))

    def _announce(self, response_id: str, model: str, fingerprint: str = "") -> list[Delta]:
        if self._announced or not (response_id or model):
            return []
        self._announced = True
        return [ResponseInfo(response_id, model, fingerprint)]

    def _count(self, usage: Usage) -> list[Delta]:
        """Counts that are news; zeros are what servers fill in that do not count."""
        if not (usage.input or usage.output) or usage == self._usage:
            return []
        self._usage = usage
        return [usage]

    def _finish(self, reason: str) -> list[Delta]:
        """The mark of a whole answer. Some servers send it with every chunk."""
        if not reason:
            return []
        self.complete = True
        if reason == self._finish_reason:
            return []
        self._finish_reason = reason
        return [Finish(reason)]
