"""What `streamtui watch` listens to: an address, a configured endpoint or an object, made ready to
be asked. Pure, but for the import of an object.
"""

import os
import re
import sys
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from urllib.parse import unquote, urlsplit

from msgspec.structs import replace

from streamtui.cli.output import Trouble
from streamtui.config import Endpoint
from streamtui.config.tables import DEFAULT_RESPONSE_BYTES
from streamtui.config.values import check_base_url

if TYPE_CHECKING:
    from streamtui.runnables import Runnable

Form = Literal["sse", "langserve", "langgraph"]

NO_LIMIT = 2**62
"""Bytes of a stream that has no end, where nobody set another limit."""

_LANGSERVE = re.compile(r"(?P<base>.*)/(?P<method>stream|stream_events|stream_log)/?")
_LANGGRAPH = re.compile(r"(?P<base>.*?)(?:/threads/(?P<thread>[^/]+))?/runs/stream/?")


class Input(NamedTuple):
    """What `--input` says."""

    text: str
    value: object
    """What the text says as JSON; the text itself where it is none."""

    @property
    def is_text(self) -> bool:
        return isinstance(self.value, str)

    @property
    def prompt(self) -> str:
        return self.value if isinstance(self.value, str) else self.text


def is_object(target: str) -> bool:
    """Whether a target is `module:object`; `localhost:8000` is not."""
    module, colon, path = target.partition(":")
    names = [*module.split("."), *path.split(".")]
    return bool(colon) and all(map(str.isidentifier, names))


# Addresses


def endpoint_at(url: str, form: Form | None, *, with_input: bool) -> Endpoint:
    """The endpoint that a URL is, in the form that it shows if none is given.

    Raises ValueError for what is no URL that can be listened to.
    """
    address, mark, query = url.partition("?")
    if "#" in query:
        raise ValueError("expected a URL without '#'")
    check_base_url(address)
    form = form or _form_of(address, with_input=with_input)
    if form == "sse":
        return _named(address, "sse", url)
    if mark:
        raise ValueError(f"expected a URL without '?' for {form}")
    return _langserve(address) if form == "langserve" else _langgraph(address)


def _form_of(address: str, *, with_input: bool) -> Form:
    """Without an input it is a stream of events, whatever it is called."""
    if not with_input:
        return "sse"
    if _LANGGRAPH.fullmatch(address):
        return "langgraph"
    return "langserve" if _LANGSERVE.fullmatch(address) else "sse"


def _langserve(address: str) -> Endpoint:
    found = _LANGSERVE.fullmatch(address)
    if found is None:
        return _named(address, "langserve", address)
    return _named(address, "langserve", found["base"], method=found["method"])


def _langgraph(address: str) -> Endpoint:
    found = _LANGGRAPH.fullmatch(address)
    if found is None:
        return _named(address, "langgraph", address)
    thread = {"thread_id": unquote(found["thread"])} if found["thread"] else {}
    return _named(address, "langgraph", found["base"], **thread)


def _named(address: str, dialect: Form, base_url: str, **params: object) -> Endpoint:
    return Endpoint(urlsplit(address).netloc, dialect, base_url, params=params)


# Asking


def asking(endpoint: Endpoint, given: Input | None, *, events: bool) -> Endpoint:
    """The endpoint with its parameters as the input wants them, and its events if they are wanted.

    What is text is sent as a prompt, as the dialect does it; all else as it is.
    """
    params = endpoint.params
    match endpoint.dialect:
        case "sse":
            return _asking_for_events(endpoint, given)
        case "langserve":
            params = params | ({"method": "stream_events"} if events else {})
        case "langgraph":
            params = params | ({"stream_mode": ["events"]} if events else {})
        case _:
            return endpoint
    if given and not given.is_text:
        params = params | {"input": given.value}
    return replace(endpoint, params=params)


def _asking_for_events(endpoint: Endpoint, given: Input | None) -> Endpoint:
    params = endpoint.params
    if given is None:
        params = {"http_method": "GET"} | params
    elif isinstance(given.value, dict):
        params = params | given.value | {"prompt_param": ""}
    elif not given.is_text:
        name = str(params.get("prompt_param") or "input")
        params = params | {name: given.value, "prompt_param": ""}
    limit = endpoint.max_response_bytes
    if limit == DEFAULT_RESPONSE_BYTES and params.get("http_method") == "GET":
        limit = NO_LIMIT
    return replace(endpoint, params=params, max_response_bytes=limit)


# Objects


def import_runnable(target: str) -> "Runnable":
    """The runnable that `module:object` names, looked for in the current folder first.

    Raises Trouble when it is not there, cannot be imported or is something else.
    """
    name, _, path = target.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    module = _import(name)
    try:
        found = attrgetter(path)(module)
    except AttributeError as error:
        raise Trouble(f"{name} has no {path}: {error}.") from error
    if isinstance(found, type) or not hasattr(found, "astream_events"):
        raise Trouble(f"{target} is no runnable of LangChain: it has no astream_events.")
    runnable: Runnable = found
    return runnable


def _import(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing.partition(".")[0].startswith("lang"):
            package = missing.partition(".")[0].replace("_", "-")
            words = f"{name} needs {package}, which is not installed: pip install {package}"
            raise Trouble(words) from error
        raise Trouble(f"cannot import {name}: {error}.") from error
    except (Exception, SystemExit) as error:  # whatever the user's own code raises
        frame = extract_tb(error.__traceback__)[-1]
        where = f"{os.path.relpath(frame.filename)}:{frame.lineno}"
        words = ": ".join(filter(None, (type(error).__name__, str(error))))
        raise Trouble(f"cannot import {name}: {words} ({where}).") from error
