"""The library: `LLM` streams an endpoint's answers as text or as LangChain's events.

Decides which endpoint is asked and what; `streams` does the asking. Nothing here knows a terminal.
"""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, TypedDict, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

from msgspec import Struct, structs

from streamtui.config import Config, Endpoint, Proxy, load_config, proxy_from_url, values
from streamtui.config.env_proxy import env_proxy
from streamtui.config.known import KNOWN_ENDPOINTS
from streamtui.engine.doors import Doors, RunContext
from streamtui.errors import ConfigError
from streamtui.events import Message, Role
from streamtui.langchain import EventFilter, EventTranslator, StreamEvent
from streamtui.streams import SHARED_ENGINE, AsyncStream, Call, Question, TextReader, TextStream

Prompt = str | Sequence[Message | Mapping[str, str] | tuple[str, str]]
"""A text, or the turns of a conversation: `{"role": ..., "content": ...}` or `(role, content)`."""

In = TypeVar("In")
Out = TypeVar("Out")


class RunConfig(TypedDict, total=False):
    """What a caller says about a run, in LangChain's words; its other keys are passed over."""

    run_id: UUID | str
    run_name: str
    tags: list[str]
    metadata: dict[str, Any]


class LLM:
    """A model behind an endpoint. Cheap to make; threads and event loops may share it.

    Each call is a run of its own: an answer never becomes part of the next question.
    """

    def __init__(
        self,
        endpoint: str = "",
        *,
        model: str = "",
        base_url: str = "",
        dialect: str = "",
        api_key: str = "",
        proxy: str = "",
        config: Config | None = None,
        doors: Doors | None = None,
        **params: object,
    ) -> None:
        """`endpoint` is a configured name or `NAME/MODEL`; without one the default is used.

        The keywords take the place of what is configured; with `base_url` alone nothing has to
        be. `proxy` is a configured name, a URL, `env` or `direct`. `params` are sent as they are.
        The configuration is read from its files unless `config` is given.

        Raises ConfigError for an unknown endpoint, and for values that cannot be used.
        """
        wish = _Wish(endpoint, model, base_url, dialect, api_key, proxy, params, config)
        self.endpoint = wish.endpoint()
        self._doors = doors

    def __repr__(self) -> str:
        return f"LLM({self.endpoint.name!r}, model={self.endpoint.model!r})"

    def stream(self, prompt: Prompt) -> TextStream:
        """The text of the answer in pieces; blocks, and works where an event loop is running.

        A completions endpoint gives a piece for each chunk of the wire, the last one empty, as
        LangChain's `OpenAI` does; a chat endpoint only pieces that hold text. A caller that falls
        far behind gets several in one; nothing is lost.

        The iterator raises the classes of `streamtui.errors`, after all that was received before
        the error. Leaving the loop ends the run and closes its connection at once.
        """
        return TextStream(self._caller(prompt, RunContext()), TextReader)

    def astream(self, prompt: Prompt) -> AsyncStream[str]:
        """`stream` for `async for`."""
        return AsyncStream(self._caller(prompt, RunContext()), TextReader)

    def astream_events(
        self,
        prompt: Prompt,
        config: RunConfig | None = None,
        *,
        version: str = "v2",
        include_names: Collection[str] | None = None,
        include_types: Collection[str] | None = None,
        include_tags: Collection[str] | None = None,
        exclude_names: Collection[str] | None = None,
        exclude_types: Collection[str] | None = None,
        exclude_tags: Collection[str] | None = None,
    ) -> AsyncStream[StreamEvent]:
        """The run as the dictionaries of LangChain's `astream_events`, `v1` or `v2`.

        Errors and leaving the loop as in `stream`; another version raises NotImplementedError at
        the first step. https://reference.langchain.com/python/langchain_core/runnables/
        """
        config = config or {}
        run_id = str(config.get("run_id") or "")
        event_filter = EventFilter(
            include_names, include_types, include_tags, exclude_names, exclude_types, exclude_tags
        )
        context = RunContext(
            name=config.get("run_name") or "",
            tags=tuple(config.get("tags") or ()),
            metadata=dict(config.get("metadata") or {}),
        )
        return AsyncStream(
            self._caller(prompt, context),
            lambda: EventTranslator(
                version, run_input=prompt, run_id=run_id, event_filter=event_filter
            ),
        )

    def _caller(self, prompt: Prompt, context: RunContext) -> Callable[[], Call]:
        earlier, text = _turns(prompt)
        if earlier and self.endpoint.dialect == "openai-completions":
            raise ValueError("a completions endpoint takes one text, not the turns of a chat")
        question = Question(self.endpoint, earlier, text, context)
        return lambda: Call(self._doors or SHARED_ENGINE.doors(), question)


# They exist on /completions alone; asked on /chat/completions, OpenAI answers 404 "This is not a
# chat model". https://platform.openai.com/docs/models/gpt-3.5-turbo-instruct
_COMPLETIONS_MODELS = frozenset(
    {"babbage-002", "davinci-002", "gpt-3.5-turbo-instruct", "gpt-3.5-turbo-instruct-0914"}
)


class _Wish(Struct, frozen=True):
    """What a caller says of an endpoint; empty where nothing is said."""

    spec: str
    model: str
    base_url: str
    dialect: str
    api_key: str
    proxy: str
    params: dict[str, object]
    config: Config | None

    def endpoint(self) -> Endpoint:
        endpoint = self._configured()
        given: dict[str, Any] = {"params": endpoint.params | self.params}
        if self.dialect:
            given["dialect"] = _checked("dialect", values.check_dialect, self.dialect)
        elif endpoint.dialect == "openai-chat" and self._asks_for_completions(endpoint.model):
            given["dialect"] = "openai-completions"
        if self.base_url:
            given["base_url"] = _checked("base_url", values.check_base_url, self.base_url)
        if self.api_key:
            given["api_key"] = _checked("api_key", values.check_key, self.api_key)
            given["key_source"] = "argument api_key"
        if self.proxy:
            given["proxy"] = self._proxy(given.get("base_url", endpoint.base_url))
        return structs.replace(endpoint, **given)

    def _configured(self) -> Endpoint:
        if self.base_url and not self.spec:
            url = _checked("base_url", values.check_base_url, self.base_url)
            return Endpoint(urlsplit(url).hostname or url, "openai-chat", url, self.model)
        config = self._config()
        spec = self.spec or config.default_endpoint
        return config.endpoint(f"{spec.partition('/')[0]}/{self.model}" if self.model else spec)

    def _asks_for_completions(self, model: str) -> bool:
        """A model that the caller names; one in a file has its dialect beside it."""
        return model in _COMPLETIONS_MODELS and bool(self.model or "/" in self.spec)

    def _config(self) -> Config:
        if self.config is not None:
            return self.config
        name = self.spec.partition("/")[0]
        row = next((row for row in KNOWN_ENDPOINTS if row.name == name and row.key_env), None)
        if row is None or not self.api_key:
            return load_config()
        # A known endpoint is there as soon as its key is, whoever brings it.
        return load_config(environ={**os.environ, row.key_env: self.api_key})

    def _proxy(self, base_url: str) -> Proxy | None:
        if self.proxy == "direct":
            return None
        if self.proxy == "env":
            return _checked("proxy", partial(env_proxy, os.environ), base_url)
        if "://" in self.proxy:
            return _checked("proxy", proxy_from_url, self.proxy)
        proxies = self._config().proxies
        if self.proxy not in proxies:
            # Its text is not repeated: `user:password@host` comes here too.
            names = ", ".join([*proxies, "env", "direct"])
            raise ConfigError(f"expected a URL or one of {names}", key="proxy")
        return proxies[self.proxy]


def _checked(key: str, check: Callable[[In], Out], value: In) -> Out:
    try:
        return check(value)
    except ValueError as error:
        raise ConfigError(str(error), key=key) from None


_ROLES: dict[str, Role] = {
    "system": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
}


def _turns(prompt: Prompt) -> tuple[tuple[Message, ...], str]:
    """The turns that came before, and the question itself."""
    if isinstance(prompt, str):
        return (), prompt
    turns = tuple(map(_message, prompt))
    if not turns or turns[-1].role != "user":
        raise ValueError("the last message has to be the user's")
    return turns[:-1], turns[-1].content


def _message(turn: Message | Mapping[str, str] | tuple[str, str]) -> Message:
    if isinstance(turn, Message):
        return turn
    role, content = (turn["role"], turn["content"]) if isinstance(turn, Mapping) else turn
    if role not in _ROLES:
        raise ValueError(f"unknown role {role!r}; expected one of {', '.join(_ROLES)}")
    if not isinstance(content, str):
        raise TypeError(f"the content of a message is a str, not {type(content).__name__}")
    return Message(_ROLES[role], content)
