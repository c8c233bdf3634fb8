"""One short question to an endpoint, with each stage of the way timed.

It goes through the code of a run, over a connection of its own: what it finds is what a run meets.
It tries once, follows no fallback and waits for no place.
"""

from msgspec.structs import replace

from streamtui.config import Endpoint
from streamtui.engine.attempt import Attempt, Tools
from streamtui.engine.confidential import Confidential
from streamtui.engine.dialects.base import Dialect, Request
from streamtui.engine.doors import RunContext
from streamtui.engine.reader import is_visible
from streamtui.engine.reports import ProbeReport, StageName
from streamtui.engine.routes import has_name, is_secure, lookups, proxy_for, route_words
from streamtui.engine.run import Run
from streamtui.engine.stages import Stages
from streamtui.engine.transport import AiohttpTransport
from streamtui.engine.tries import dialect_of, require_key
from streamtui.errors import RunError
from streamtui.events import (
    Body,
    Chunk,
    Delta,
    Message,
    ReasoningDelta,
    RefusalDelta,
    RequestSent,
    ResponseStarted,
    TextDelta,
    ToolCallDelta,
)
from streamtui.ids import new_id

QUESTION = "Say OK."
MAX_FIRST_TOKEN_SECONDS = 30.0
REPLY_CHARS = 200
_SHOWN_CHARS = 40
_STAGES: tuple[StageName, ...] = ("dns", "tcp", "proxy", "tls", "first byte", "first token")


async def probe(endpoint: Endpoint, tools: Tools) -> ProbeReport:
    """Go the way to an endpoint once, up to its first token."""
    return await _Walk(endpoint, tools).report()


class _Enough(Exception):  # noqa: N818 - it is no error
    """The first token has come; what follows it is of no interest."""


class _Walk:
    """Gone once."""

    def __init__(self, endpoint: Endpoint, tools: Tools) -> None:
        self._endpoint = self._located = endpoint
        self._tools = tools
        self._confidential = Confidential(endpoint)
        self._stages = Stages(tools.mono_clock, tools.wall_clock)
        self._run = Run(new_id(), QUESTION, RunContext())
        self._began = tools.mono_clock()
        self._reply = ""
        self._absent: dict[StageName, str] = {}

    async def report(self) -> ProbeReport:
        """Go, and say how it went."""
        error = None
        try:
            await self._go()
            self._absent["first token"] = self._silence_words()
        except _Enough:
            pass
        except RunError as caught:
            self._explain(caught)
            error = self._confidential.error_info(caught)
        seconds = self._tools.mono_clock() - self._began
        endpoint = self._endpoint
        return ProbeReport(
            endpoint.name,
            endpoint.model,
            endpoint.dialect,
            route_words(self._located),
            tuple(self._stages.stage(name, self._absent.get(name, "")) for name in _STAGES),
            error,
            self._reply[:REPLY_CHARS],
            seconds,
            self._stages.current if error else None,
        )

    async def _go(self) -> None:
        self._located = await self._tools.locate(self._endpoint)
        self._absent = _absent_stages(self._located)
        self._began = self._tools.mono_clock()
        dialect = dialect_of(self._located)
        require_key(self._located)
        request = dialect.build_request(self._located, (Message("user", QUESTION),))
        self._located = _in_haste(self._located, request)
        transport = AiohttpTransport(self._stages)
        try:
            await self._exchange(self._attempt(dialect, transport), request)
        finally:
            await transport.aclose()

    async def _exchange(self, attempt: Attempt, request: Request) -> None:
        try:
            await attempt.exchange(request)
        except RunError as error:
            # Where others speak when they like, silence is no fault.
            if not (
                request.subscribes and self._stages.current == "first token" and _is_late(error)
            ):
                attempt.conclude(error)
        else:
            attempt.conclude(None)

    def _attempt(self, dialect: Dialect, transport: AiohttpTransport) -> Attempt:
        self._run.begin_attempt()
        tools = replace(self._tools, transport=transport)
        return Attempt(self._run, self._located, dialect, tools, self._take, self._confidential)

    def _take(self, body: Body) -> None:
        match body:
            case RequestSent():
                self._stages.enter("first byte")
            case ResponseStarted():
                self._stages.leave()
                self._stages.say("first byte", _response_words(body))
                self._stages.enter("first token")
            case Chunk() if token := next(filter(is_visible, body.deltas), None):
                self._stages.leave()
                self._stages.say("first token", _token_words(token))
                self._reply = token.text if isinstance(token, TextDelta | RefusalDelta) else ""
                raise _Enough

    def _silence_words(self) -> str:
        """Why the way has no first token although it went well."""
        reason = self._run.finish_reason
        return f"nothing was said ({reason})" if reason else "nothing was said"

    def _explain(self, error: RunError) -> None:
        """The limit that passed may be ours and not the endpoint's."""
        allowed = self._endpoint.timeouts.first_token
        if error.kind == "timeout-first-token" and allowed > MAX_FIRST_TOKEN_SECONDS:
            error.hint = f"Try again, or ask it something: a run waits {allowed:g} s"


def _in_haste(endpoint: Endpoint, request: Request) -> Endpoint:
    """The endpoint with the limits of a test. Signs of life alone would keep a subscription open
    for ever."""
    limits = endpoint.timeouts
    limit = min(limits.first_token, MAX_FIRST_TOKEN_SECONDS)
    total = min(limit, limits.total or limit) if request.subscribes else limits.total
    return replace(endpoint, timeouts=replace(limits, first_token=limit, total=total))


def _is_late(error: RunError) -> bool:
    return error.kind in {"stopped-by-limit", "timeout-first-token", "timeout-idle"}


def _absent_stages(endpoint: Endpoint) -> dict[StageName, str]:
    """The stages that the way to an endpoint does not have, and why not."""
    proxy, secure = proxy_for(endpoint), is_secure(endpoint)
    absent: dict[StageName, str] = {}
    if not lookups(endpoint):
        absent["dns"] = "looked up by the proxy" if has_name(endpoint) else "not needed"
    if proxy is None:
        absent["proxy"] = "not needed"
    elif proxy.scheme == "http" and not secure:
        absent["proxy"] = f"no handshake: tcp goes to {proxy.host_port}, and so does the request"
    if not secure:
        absent["tls"] = "not needed"
    return absent


def _response_words(response: ResponseStarted) -> str:
    request = f", request {response.request_id}" if response.request_id else ""
    return f"HTTP {response.status}{request}"


def _token_words(token: Delta) -> str:
    """The first token as it is; whoever draws it makes it safe."""
    match token:
        case TextDelta():
            return _quoted(token.text)
        case ReasoningDelta():
            return f"reasoning: {_quoted(token.text)}"
        case RefusalDelta():
            return f"a refusal: {_quoted(token.text)}"
        case ToolCallDelta():
            return f"a call of the tool {token.name or '?'}"
        case _:
            return ""


def _quoted(text: str) -> str:
    shown = text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"
    return f"“{shown}”"
