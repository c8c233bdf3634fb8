"""What `streamtui serve` offers, and in what words: where each recording is to be asked for."""

import json
import shlex
from collections.abc import Sequence
from typing import NamedTuple

from streamtui.cli.recordings import Recorded
from streamtui.cli.tables import aligned
from streamtui.demo.replay_script import RecordedRun, recorded_run
from streamtui.demo.replay_server import PREFIX, Served, names_for
from streamtui.events import Chunk, Event
from streamtui.export import turns_of

_COLUMNS = ("MODEL", "DIALECT", "BASE URL", "RECORDED")


class Place(NamedTuple):
    """Where a dialect is asked. `{model}` stands for `replay/NAME`."""

    base_url: str
    """What follows the server's root in the `base_url` of an endpoint."""
    path: str
    """What follows it in the URL of a request for a stream."""


_PLACES = {
    "openai-chat": Place("/v1", "/v1/chat/completions"),
    "openai-completions": Place("/v1", "/v1/completions"),
    "openai-responses": Place("/v1", "/v1/responses"),
    "anthropic": Place("", "/v1/messages"),
    "gemini": Place("", "/v1beta/models/{model}:streamGenerateContent?alt=sse"),
    "ollama": Place("", "/api/chat"),
    "langserve": Place("/langserve/{model}", "/langserve/{model}/stream"),
    "langgraph": Place("", "/runs/stream"),
    "sse": Place("/{model}", "/{model}"),
}


class Offer(NamedTuple):
    """A recording under the name by which clients know it."""

    name: str
    served: Served
    dialect: str
    """The one that it was recorded in."""
    events: Sequence[Event]

    @property
    def model(self) -> str:
        return PREFIX + self.name

    @property
    def is_response(self) -> bool:
        """Whether it is bytes, that only one dialect reads."""
        return not isinstance(self.served, RecordedRun)

    @property
    def place(self) -> Place:
        """Where it is best asked for."""
        place = _PLACES.get(self.dialect if self.is_response else "openai-chat")
        place = place or _PLACES["openai-chat"]
        return Place(*(part.format(model=self.model) for part in place))


def offers_of(recorded: Sequence[Recorded]) -> list[Offer]:
    """Recordings as they are served. Raises ValueError for one that cannot be, with its name."""
    names = names_for([each.name.removesuffix(".http") for each in recorded])
    return [
        Offer(name, _served(each), each.dialect, each.events)
        for name, each in zip(names, recorded, strict=True)
    ]


def demo_curl(base_url: str) -> str:
    """A question to the demo server that can be pasted."""
    prompt = "A verse about sparkling water"
    return _curl(f"{base_url}/chat/completions", _question("demo/verse", prompt))


def replay_curl(offer: Offer, root_url: str) -> str:
    """The same for a recording."""
    url = root_url + offer.place.path
    if offer.dialect == "sse":
        return f"curl -N {url}"
    return _curl(url, _question(offer.model, "hi"))


def usage_lines(offers: Sequence[Offer], root_url: str) -> list[str]:
    """What is served, under which name and where; nothing where nothing was recorded."""
    if not offers:
        return []
    rows = [
        (offer.model, _dialect_words(offer), root_url + offer.place.base_url, _state_words(offer))
        for offer in offers
    ]
    return [*aligned([_COLUMNS, *rows]), *_settings(offers[0], root_url), *_turns(offers)]


def _served(recorded: Recorded) -> Served:
    if recorded.response is not None:
        return recorded.response
    try:
        return recorded_run(recorded.events)
    except ValueError as error:
        raise ValueError(f"{recorded.name} cannot be served: {error}") from error


def _question(model: str, prompt: str) -> str:
    messages = [{"role": "user", "content": prompt}]
    return json.dumps({"model": model, "stream": True, "messages": messages})


def _curl(url: str, body: str) -> str:
    return f"curl -N {shlex.quote(url)} -H 'Content-Type: application/json' -d {shlex.quote(body)}"


def _dialect_words(offer: Offer) -> str:
    return offer.dialect if offer.is_response else "any dialect"


def _state_words(offer: Offer) -> str:
    turn = turns_of(offer.events)[-1]
    chunks = sum(isinstance(event.body, Chunk) for event in offer.events)
    words = f"{turn.state}, {chunks} chunk{'' if chunks == 1 else 's'}"
    if offer.is_response:
        return words
    return f"{words} in {offer.events[-1].mono - offer.events[0].mono:.1f} s"


def _settings(offer: Offer, root_url: str) -> list[str]:
    """The first of them as an endpoint of a configuration."""
    dialect = offer.dialect if offer.is_response else "openai-chat"
    return [
        "As an endpoint of streamtui:",
        "  [endpoints.replay]",
        f'  dialect = "{dialect}"',
        f'  base_url = "{root_url}{offer.place.base_url}"',
        f'  model = "{offer.model}"',
    ]


def _turns(offers: Sequence[Offer]) -> list[str]:
    if len(offers) == 1:
        return ["Any other model gets it, too."]
    return [f"Any other model gets the {len(offers)} of them in turn."]
