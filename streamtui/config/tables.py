"""The tables of the configuration files, checked: what a user may write, and where a mistake is.

Knows no environment and builds nothing; what comes out is still what was written.
"""

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec
from msgspec import Struct, field

from streamtui.config import values
from streamtui.config.toml_lines import KeyPath, TomlFile, dotted, shortened
from streamtui.config.values import nearest
from streamtui.errors import ConfigError

In = TypeVar("In")
Out = TypeVar("Out")
Table = TypeVar("Table", bound=Struct)

HISTORY_KEEPS = ("disk", "memory", "off")
RESERVED_PROXY_NAMES = ("direct", "env")
DEFAULT_RESPONSE_BYTES = 64 * 1024**2


class Timeouts(Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of one attempt, in seconds."""

    connect: float = 20.0
    """Name lookup, TCP, proxy and TLS together."""
    first_token: float = 300.0
    """From the request until the model's first event."""
    idle: float = 120.0
    """The longest silence inside an answer."""
    total: float | None = None
    """The whole attempt; None for no limit."""


class Price(Struct, frozen=True, forbid_unknown_fields=True):
    """Cost per million tokens, in the currency of the user's choice, shown as `$`."""

    input: float = 0.0
    output: float = 0.0


class Tls(Struct, frozen=True, forbid_unknown_fields=True):
    """How a secure connection is made. Paths of files in PEM; in a Config they are absolute."""

    ca_file: str = ""
    """Authorities that are trusted beside those of the system."""
    client_cert: str = ""
    client_key: str = ""
    """Empty when `client_cert` holds the key too."""
    verify: bool = True


class DefaultsTable(Struct, frozen=True, forbid_unknown_fields=True):
    endpoint: str = ""
    theme: str = "night"


class ProxyTable(Struct, frozen=True, forbid_unknown_fields=True):
    url: str
    username: str = ""
    password_env: str = ""
    no_proxy: tuple[str, ...] = ()
    loopback: bool = False


class EndpointTable(Struct, frozen=True, forbid_unknown_fields=True):
    dialect: str
    base_url: str
    model: str = ""
    api_key: str = ""
    api_key_command: tuple[str, ...] = ()
    api_key_env: str = ""
    api_key_file: str = ""
    api_version: str = ""
    auth: str = ""
    proxy: str = ""
    """The name of a proxy, a URL, `env` or `direct`; empty when the key is not there."""
    tls: Tls | None = None
    params: dict[str, object] = {}
    headers: dict[str, object] = {}
    """Values are text, once they are checked."""
    timeouts: Timeouts = field(default_factory=Timeouts)
    retries: int = 2
    max_concurrent: int | None = None
    max_response_bytes: int = DEFAULT_RESPONSE_BYTES
    fallbacks: tuple[str, ...] = ()
    """Names of endpoints."""
    price: Price | None = None


class HistoryTable(Struct, frozen=True, forbid_unknown_fields=True):
    keep: str = "disk"


class StepTable(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    endpoint: str | tuple[str, ...]
    prompt: str


class PipelineTable(Struct, frozen=True, forbid_unknown_fields=True):
    steps: tuple[StepTable, ...]


class ConfigTables(Struct, frozen=True):
    """Everything that stands in the files."""

    defaults: DefaultsTable = DefaultsTable()
    proxies: dict[str, ProxyTable] = {}
    endpoints: dict[str, EndpointTable] = {}
    history: HistoryTable = HistoryTable()


_SECTIONS = ("defaults", "proxies", "endpoints", "history", "pipelines", "keys")
_INNER_TABLES: dict[str, type[Struct]] = {
    "timeouts": Timeouts,
    "price": Price,
    "steps": StepTable,
    "tls": Tls,
}


class Place:
    """A key of the configuration, for the error about it: path, file and line.

    `files` come in the order in which they win. A place in several is where most of its path is.
    """

    def __init__(self, files: tuple[TomlFile, ...], path: KeyPath = ()) -> None:
        self.files = files
        self.path = path

    def inside(self, *path: str | int) -> "Place":
        return Place(self.files, (*self.path, *path))

    def file(self) -> TomlFile:
        """The file that says most about this place."""
        return max(self.files, key=lambda file: file.find(self.path)[0])

    def error(self, reason: str) -> ConfigError:
        file = self.file()
        line = file.find(self.path)[1]
        return ConfigError(reason, file=file.name, line=line, key=dotted(self.path))

    def check(self, check: Callable[[In], Out], value: In) -> Out:
        """What `check` makes of a value; its ValueError becomes the error of this place."""
        try:
            return check(value)
        except ValueError as error:
            raise self.error(str(error)) from None


def read_tables(root: Place) -> ConfigTables:
    """Merge the files and check every table. Raises ConfigError for the first mistake."""
    merged: dict[str, object] = {}
    for file in root.files:
        merged = _merge(merged, file.table, 3)
    for name in merged:
        if name not in _SECTIONS:
            known = ", ".join(_SECTIONS)
            hint = nearest(name, _SECTIONS)
            raise root.inside(name).error(f"unknown table{hint}; expected one of {known}")
    _refuse_later_sections(root, merged)
    return ConfigTables(
        defaults=_read_defaults(root.inside("defaults"), merged.get("defaults", {})),
        proxies=_named(root.inside("proxies"), merged, _read_proxy),
        endpoints=_named(root.inside("endpoints"), merged, _read_endpoint),
        history=_read_history(root.inside("history"), merged.get("history", {})),
    )


def _merge(
    over: Mapping[str, object], under: Mapping[str, object], depth: int
) -> dict[str, object]:
    """Both tables, key by key down to `[endpoints.NAME] key`; below that a value is one whole."""
    merged = dict(over)
    for key, value in under.items():
        present = merged.setdefault(key, value)
        if depth > 1 and isinstance(present, dict) and isinstance(value, dict):
            merged[key] = _merge(present, value, depth - 1)
    return merged


def _refuse_later_sections(root: Place, merged: Mapping[str, object]) -> None:
    for name in _table(root.inside("keys"), merged.get("keys", {})):
        raise root.inside("keys", name).error("not yet: other keys than those in the help")
    for name in _named(root.inside("pipelines"), merged, _read_pipeline):
        raise root.inside("pipelines", name).error("not yet: pipelines")


def _named(
    place: Place, merged: Mapping[str, object], read: Callable[[Place, object], Out]
) -> dict[str, Out]:
    """The tables of `[section.NAME]`, read one by one."""
    section = _table(place, merged.get(str(place.path[-1]), {}))
    for name in section:
        place.inside(name).check(values.check_name, name)
    return {name: read(place.inside(name), table) for name, table in section.items()}


def _read_defaults(place: Place, table: object) -> DefaultsTable:
    defaults = _convert(place, table, DefaultsTable)
    for name in _table(place, table):
        place.inside(name).check(values.check_name, getattr(defaults, name))
    return defaults


def _read_history(place: Place, table: object) -> HistoryTable:
    history = _convert(place, table, HistoryTable)
    if history.keep not in HISTORY_KEEPS:
        hint = nearest(history.keep, HISTORY_KEEPS)
        raise place.inside("keep").error(f"expected disk, memory or off{hint}")
    return history


def _read_pipeline(place: Place, table: object) -> PipelineTable:
    pipeline = _convert(place, table, PipelineTable)
    if not pipeline.steps:
        raise place.inside("steps").error("expected at least one step")
    return pipeline


def _read_proxy(place: Place, table: object) -> ProxyTable:
    proxy = _convert(place, table, ProxyTable)
    if place.path[-1] in RESERVED_PROXY_NAMES:
        raise place.error("this name has a meaning of its own; choose another")
    place.inside("url").check(values.check_proxy_url, proxy.url)
    place.inside("username").check(values.check_username, proxy.username)
    if "password_env" in _table(place, table):
        place.inside("password_env").check(values.check_variable, proxy.password_env)
    for index, pattern in enumerate(proxy.no_proxy):
        place.inside("no_proxy", index).check(values.check_no_proxy, pattern)
    return proxy


def _read_endpoint(place: Place, table: object) -> EndpointTable:
    endpoint = _convert(place, table, EndpointTable)
    place.inside("dialect").check(values.check_dialect, endpoint.dialect)
    place.inside("base_url").check(values.check_base_url, endpoint.base_url)
    place.inside("retries").check(values.check_retries, endpoint.retries)
    if endpoint.max_concurrent is not None:
        place.inside("max_concurrent").check(values.check_count, endpoint.max_concurrent)
    place.inside("max_response_bytes").check(values.check_count, endpoint.max_response_bytes)
    _check_key(place, _table(place, table), endpoint)
    place.inside("auth").check(values.check_auth, endpoint.auth)
    place.inside("api_version").check(values.check_api_version, endpoint.api_version)
    if "proxy" in _table(place, table) and not endpoint.proxy:
        raise place.inside("proxy").error('expected a name, a URL, "env" or "direct"')
    if endpoint.tls and endpoint.tls.client_key and not endpoint.tls.client_cert:
        raise place.inside("tls", "client_key").error("needs a client_cert beside it")
    _check_numbers(place.inside("timeouts"), endpoint.timeouts, values.check_positive)
    if endpoint.price:
        _check_numbers(place.inside("price"), endpoint.price, values.check_price)
    _check_headers(place.inside("headers"), endpoint.headers)
    _check_params(place.inside("params"), endpoint.params)
    return endpoint


KEY_SOURCES = ("api_key", "api_key_command", "api_key_env", "api_key_file")


def _check_key(place: Place, table: Mapping[str, object], endpoint: EndpointTable) -> None:
    given = [name for name in KEY_SOURCES if name in table]
    if len(given) > 1:
        reason = f"there is {given[0]} too; a key comes from one of them"
        raise place.inside(given[1]).error(reason)
    for name in given:
        if name == "api_key_env":
            place.inside(name).check(values.check_variable, endpoint.api_key_env)
        elif not getattr(endpoint, name) or not getattr(endpoint, name)[0]:
            raise place.inside(name).error("expected more than nothing")


def _check_numbers(place: Place, table: Struct, check: Callable[[float], float]) -> None:
    for name in table.__struct_fields__:
        number = getattr(table, name)
        if number is not None:
            place.inside(name).check(check, number)


def _check_headers(place: Place, headers: Mapping[str, object]) -> None:
    for name, value in headers.items():
        place.inside(name).check(values.check_header_name, name)
        place.inside(name).check(values.check_header_value, value)


def _check_params(place: Place, value: object) -> None:
    place.check(values.check_param, value)
    if isinstance(value, dict):
        for name, inner in value.items():
            _check_params(place.inside(name), inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _check_params(place.inside(index), inner)


# From tables to structs


def _table(place: Place, table: object) -> dict[str, object]:
    if not isinstance(table, dict):
        raise place.error(f"expected a table, found {_kind_of(table)}")
    return table


def _convert(place: Place, table: object, kind: type[Table]) -> Table:
    """A table as a struct."""
    _refuse_unknown(place, _table(place, table), kind.__struct_fields__)
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        raise _conversion_error(place, str(error)) from None


def _refuse_unknown(place: Place, table: Mapping[str, object], names: tuple[str, ...]) -> None:
    for key, value in table.items():
        if key not in names:
            hint = nearest(key, names) or f"; expected one of {', '.join(names)}"
            raise place.inside(key).error(f"unknown key{hint}")
        if key in _INNER_TABLES:
            _refuse_unknown_inside(place.inside(key), value, _INNER_TABLES[key].__struct_fields__)


def _refuse_unknown_inside(place: Place, value: object, names: tuple[str, ...]) -> None:
    if isinstance(value, dict):
        _refuse_unknown(place, value, names)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _refuse_unknown_inside(place.inside(index), inner, names)


_WORDS = {
    "array": "a list",
    "bool": "true or false",
    "date": "a date",
    "datetime": "a date with a time",
    "float": "a number",
    "int": "a whole number",
    "object": "a table",
    "str": "text in quotes",
    "time": "a time",
}


def _kind_of(value: object) -> str:
    names = {"list": "array", "dict": "object"}
    name = type(value).__name__
    return _WORDS.get(names.get(name, name), name)


def _conversion_error(place: Place, words: str) -> ConfigError:
    """The error of msgspec, such as ``Expected `float`, got `str` - at `$.timeouts.idle` ``."""
    what, _, where = words.partition(" - at ")
    # Names of our own fields only: tables with names of the user are checked one by one.
    for name, index in re.findall(r"\.(\w+)|\[(\d+)\]", where):
        place = place.inside(name or int(index))
    types = re.findall(r"`([^`]+)`", what)
    if "missing required" in what:
        return place.inside(types[0]).error("is missing here")
    if what.startswith("Expected ") and len(types) == 2:
        expected = [_WORDS.get(name, name) for name in types[0].split(" | ") if name != "null"]
        found = _WORDS.get(types[1], types[1])
        return place.error(f"expected {' or '.join(expected)}, found {found}")
    return place.error(shortened(what.lower()))
