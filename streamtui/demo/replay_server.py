"""The demo server with recordings in the place of models: what was answered once is answered again.

A response that was recorded is answered byte for byte, to whatever is asked; a stored run in the
dialect that it is asked in, with the pauses that it had.
"""

import asyncio
import itertools
import re
from collections.abc import Collection, Mapping
from contextlib import aclosing
from typing import Any
from urllib.parse import unquote

from aiohttp import web
from aiohttp.typedefs import Handler
from multidict import CIMultiDict

from streamtui.demo.dialect import Refusal
from streamtui.demo.exchange import RECORD
from streamtui.demo.pacing import Schedule, in_time
from streamtui.demo.question import Question
from streamtui.demo.replay_script import RecordedRun
from streamtui.demo.scripts import Script
from streamtui.demo.server import DemoServer
from streamtui.recording import FRAMES_PER_SECOND, Recording, frames

PREFIX = "replay/"
"""Before the name of a recording, where a client names it as a model."""

Served = Recording | RecordedRun

_STRANGE = re.compile(r"[^0-9A-Za-z._-]+")
_NAMED = re.compile(r"(?<![^/])replay/([0-9A-Za-z._-]+)")
_NO_QUESTION = re.compile(r"/threads(/[^/]+/runs/[^/]+/cancel)?|/assistants/search")
"""What LangGraph's API is told with POST besides."""
_CHOSEN = web.RequestKey("chosen", RecordedRun)

_WITHOUT_BODY = frozenset({204, 205, 304})
# They are about the connection that was; ours has its own.
_OF_THE_CONNECTION = frozenset(
    {"connection", "content-length", "keep-alive", "transfer-encoding", "trailer", "upgrade"}
)


def names_for(names: Collection[str]) -> list[str]:
    """Names of recordings as parts of a URL and of a model's name, each different."""
    taken: list[str] = []
    for name in names:
        plain = _STRANGE.sub("-", name).strip("-.") or "recording"
        numbered = (f"{plain}-{number}" for number in itertools.count(2))
        taken.append(next(n for n in itertools.chain([plain], numbered) if n not in taken))
    return taken


class ReplayServer(DemoServer):
    """Answers with the recording that is named, as `replay/NAME`, or else with the next in turn."""

    def __init__(
        self,
        recordings: Mapping[str, Served],
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        pace: float = 1.0,
    ) -> None:
        super().__init__(host, port, pace=pace)
        self._recordings = dict(recordings)
        self._turns = itertools.cycle(self._recordings)

    @property
    def models(self) -> Collection[str]:
        return [PREFIX + name for name in self._recordings]

    @property
    def greeting(self) -> str:
        names = "\n".join(self.models)
        return f"streamtui: recordings, as answers to any question and any key.\n\n{names}\n"

    def _application(self) -> web.Application:
        app = super()._application()
        app.router.add_get("/replay/{name}", self._show)
        return app

    async def _respond(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method != "POST" or _NO_QUESTION.fullmatch(request.path):
            return await handler(request)
        chosen = self._recordings[self._choose(request)]
        if isinstance(chosen, Recording):
            return await self._send(request, chosen)
        request[_CHOSEN] = chosen
        return await handler(request)

    def _compose(self, request: web.Request, question: Question) -> Script:
        return request[_CHOSEN].script(question)

    def _choose(self, request: web.Request) -> str:
        """The recording that path or body name, or the next; raises `Refusal` (404)."""
        named = _named(request.path, request[RECORD].body)
        if named is None:
            return next(self._turns)
        if named not in self._recordings:
            raise self._unknown(named)
        return named

    def _unknown(self, name: str) -> Refusal:
        known = ", ".join(self.models)
        message = f"There is no recording {PREFIX}{name}. There are: {known}."
        return Refusal(404, message, param="model", code="model_not_found")

    async def _show(self, request: web.Request) -> web.StreamResponse:
        """A recorded response, to whoever listens to a stream with GET."""
        name = request.match_info["name"]
        chosen = self._recordings.get(name)
        if not isinstance(chosen, Recording):
            raise self._unknown(name)
        return await self._send(request, chosen)

    async def _send(self, request: web.Request, recording: Recording) -> web.StreamResponse:
        response = web.StreamResponse(
            status=recording.status,
            reason=recording.reason or None,
            headers=CIMultiDict(_headers(recording)),
        )
        await response.prepare(request)
        if recording.status not in _WITHOUT_BODY:
            now = asyncio.get_running_loop().time()
            times = Schedule(now, self._pace / FRAMES_PER_SECOND)
            async with aclosing(in_time(frames(recording), times)) as batches:
                async for lines in batches:
                    await response.write(b"".join(lines))
        return response


def _headers(recording: Recording) -> list[tuple[str, str]]:
    left_out = set(_OF_THE_CONNECTION)
    if _is_text(recording.body):
        # What `curl --compressed` unpacked still has the header of the package.
        left_out.add("content-encoding")
    return [
        (name, value)
        for name, value in recording.headers
        # Who may read it over there says nothing about here.
        if name.lower() not in left_out and not name.lower().startswith("access-control-")
    ]


def _is_text(body: bytes) -> bool:
    start = body[:64].decode("utf-8", "ignore")
    return all(char.isprintable() or char in "\ufeff\r\n\t" for char in start)


def _named(path: str, body: Mapping[str, Any]) -> str | None:
    """The name of a recording in what a client says, whatever its dialect."""
    config = body.get("config")
    configurable = config.get("configurable") if isinstance(config, dict) else None
    inner = configurable.get("model") if isinstance(configurable, dict) else None
    for said in (body.get("model"), body.get("assistant_id"), inner, unquote(path)):
        found = _NAMED.search(said) if isinstance(said, str) else None
        if found:
            return found[1]
    return None
