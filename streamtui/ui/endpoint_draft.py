"""What the form of an endpoint holds, as text, and the table of a configuration file that it means.

Pure: no Textual, no I/O. Refuses a key in any field before it goes anywhere; everything else is
checked by the configuration itself, in its own words.
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple, get_args

from streamtui.config import DIALECTS, Endpoint, proxy_from_url
from streamtui.config.known import KNOWN_ENDPOINTS
from streamtui.config.toml_lines import dotted
from streamtui.config.values import check_variable
from streamtui.errors import ConfigError
from streamtui.redact import Redactor

KeyFrom = Literal["environment variable", "file", "command", "none"]
KEY_FROM: tuple[KeyFrom, ...] = get_args(KeyFrom)
_KEY_OF_TABLE: dict[KeyFrom, str] = {
    "environment variable": "api_key_env",
    "file": "api_key_file",
    "command": "api_key_command",
}
_SHOWN = ("dialect", "base_url", "model", "proxy", "api_key", *_KEY_OF_TABLE.values())

KEYS_BELONG = (
    "A key belongs into an environment variable, a file that only you can read or a password"
    " store; name that at “key from”"
)
LOOKS_LIKE_A_KEY = f"this looks like a key itself, and none is typed here. {KEYS_BELONG}"
PASSWORDS_BELONG = (
    "a password is not kept here. Give the proxy a table [proxies.NAME] in config.toml, with"
    " username and password_env, and write its NAME here"
)
OPEN_QUOTE = "a quote in the command is not closed"
_LONG_WORD = re.compile(r"[^/.~\s]{20,}")
"""What is no path and no command that anybody types."""


class Problem(NamedTuple):
    """Why a form cannot be saved: the field, where it is one, and the words for people."""

    field: str
    words: str


@dataclass(frozen=True)
class Draft:
    """The fields of the form."""

    name: str = ""
    dialect: str = DIALECTS[0]
    base_url: str = ""
    model: str = ""
    key_from: KeyFrom = KEY_FROM[0]
    key: str = ""
    """The variable, the path, the command line; never the key."""
    proxy: str = ""
    verify: bool = True
    rest: Mapping[str, object] = field(default_factory=dict)
    """Keys of the table that the form does not show; they stay as they are."""


class Form(NamedTuple):
    """What a form begins with."""

    title: str
    draft: Draft = Draft()
    instead_of: str = ""
    """The endpoint whose table it replaces; empty when it makes another one."""
    note: str = ""
    """What has to be known before it is filled in."""


def draft_of_table(name: str, table: Mapping[str, object]) -> Draft:
    """The form for a table that stands in a file; a key that stands there too is left out."""
    rest = {key: value for key, value in table.items() if key not in _SHOWN}
    tls = table.get("tls")
    verify = not (isinstance(tls, dict) and tls.get("verify") is False)
    key_from, key = _key_of(table)
    return Draft(
        name,
        str(table.get("dialect", DIALECTS[0])),
        str(table.get("base_url", "")),
        str(table.get("model", "")),
        key_from,
        key,
        str(table.get("proxy", "")),
        verify,
        rest,
    )


def draft_of_known(endpoint: Endpoint) -> Draft:
    """The form for an endpoint that stands in no file."""
    variable = next((row.key_env for row in KNOWN_ENDPOINTS if row.name == endpoint.name), "")
    key_from: KeyFrom = "environment variable" if variable else "none"
    return Draft(
        endpoint.name, endpoint.dialect, endpoint.base_url, endpoint.model, key_from, variable
    )


def copy_of(draft: Draft, taken: Mapping[str, object]) -> Draft:
    """The same under a name that is free."""
    number = 2
    while f"{draft.name}-{number}" in taken:
        number += 1
    return replace(draft, name=f"{draft.name}-{number}")


def table_of(draft: Draft) -> dict[str, object]:
    """The table that the form means, without what is empty. Raises ValueError for open quotes."""
    table: dict[str, object] = {"dialect": draft.dialect, "base_url": draft.base_url.strip()}
    texts = {"model": draft.model.strip(), "proxy": draft.proxy.strip()}
    table |= {key: text for key, text in texts.items() if text}
    if draft.key_from != "none":
        text = draft.key.strip()
        words = shlex.split(text) if draft.key_from == "command" else text
        table[_KEY_OF_TABLE[draft.key_from]] = words
    table |= draft.rest
    if tls := _tls_of(draft):
        table["tls"] = tls
    else:
        table.pop("tls", None)
    return table


def problem_of(draft: Draft) -> Problem | None:
    """What the configuration would not say, or would say with the key among its words."""
    for name in ("name", "model"):
        if _holds_secret(getattr(draft, name)):
            return Problem(name, LOOKS_LIKE_A_KEY)
    return _problem_of_key(draft.key_from, draft.key.strip()) or _problem_of_proxy(draft.proxy)


def problem_of_error(error: ConfigError, name: str) -> Problem:
    """The same for a mistake that the configuration found, in this endpoint or elsewhere."""
    path = dotted(("endpoints", name))
    if error.key == path:
        return Problem("name", error.reason)
    key, _, deeper = error.key.removeprefix(f"{path}.").partition(".")
    if not error.key.startswith(f"{path}.") or key not in _FIELDS:
        return Problem("", str(error))
    return Problem(_FIELDS[key], f"{'.'.join(filter(None, (key, deeper)))}: {error.reason}")


_FIELDS = {
    "dialect": "dialect",
    "base_url": "base_url",
    "model": "model",
    "proxy": "proxy",
    "tls": "verify",
    **dict.fromkeys(_KEY_OF_TABLE.values(), "key"),
}
_EXPECTED: dict[KeyFrom, str] = {
    "environment variable": "expected the NAME of an environment variable",
    "file": "expected the path of a file that only you can read",
    "command": "expected a command that prints the key, such as: pass show openai",
}


def _problem_of_key(key_from: KeyFrom, text: str) -> Problem | None:
    if key_from == "none":
        return None
    if not text:
        return Problem("key", f"{_EXPECTED[key_from]}, or choose none")
    if _holds_secret(text) or (key_from != "environment variable" and _LONG_WORD.fullmatch(text)):
        return Problem("key", LOOKS_LIKE_A_KEY)
    try:
        if key_from == "environment variable":
            check_variable(text)
    except ValueError as error:
        return Problem("key", f"{error}. {KEYS_BELONG}")
    return Problem("key", OPEN_QUOTE) if key_from == "command" and not _splits(text) else None


def _splits(command: str) -> bool:
    try:
        return bool(shlex.split(command))
    except ValueError:
        return False


def _problem_of_proxy(text: str) -> Problem | None:
    if "@" not in text:
        return Problem("proxy", LOOKS_LIKE_A_KEY) if _holds_secret(text) else None
    try:
        without = proxy_from_url(text.strip()).password is None
    except ValueError:
        without = False  # What is no URL may still be `user:password@host`.
    return None if without else Problem("proxy", PASSWORDS_BELONG)


def _holds_secret(text: str) -> bool:
    return Redactor().redact(text) != text


def _key_of(table: Mapping[str, object]) -> tuple[KeyFrom, str]:
    for key_from, key in _KEY_OF_TABLE.items():
        value = table.get(key)
        if isinstance(value, list):
            return key_from, shlex.join(map(str, value))
        if value:
            return key_from, str(value)
    # A key that stood in the table is not lost without a word: the form asks where it is now.
    return ("environment variable" if "api_key" in table else "none"), ""


def _tls_of(draft: Draft) -> dict[str, object]:
    tls = draft.rest.get("tls")
    kept = dict(tls) if isinstance(tls, dict) else {}
    kept.pop("verify", None)
    return kept if draft.verify else kept | {"verify": False}
