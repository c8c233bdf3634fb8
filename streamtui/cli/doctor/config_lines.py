"""Lines for the user's configuration file, and where in it they belong."""

from collections.abc import Mapping
from pathlib import Path

from streamtui.cli.doctor.findings import Fix, lines_in, shown_path
from streamtui.config import Config, Endpoint, Proxy
from streamtui.config.known import DEMO_ENDPOINT
from streamtui.config.toml_lines import TomlFile, read_toml

_VARIABLE = "environment variable "


def toml_text(value: str) -> str:
    """A text as TOML writes it."""
    import tomli_w

    return tomli_w.dumps({"text": value}).removeprefix("text = ").rstrip("\n")


def key_variable(endpoint: Endpoint) -> str:
    """The environment variable that an endpoint's key comes from; empty for another source."""
    source = endpoint.key_source
    return source.removeprefix(_VARIABLE) if source.startswith(_VARIABLE) else ""


class ConfigLines:
    """Says where a line goes: into a table that is there, or with a table of its own."""

    def __init__(self, config: Config, path: Path, home: str = "") -> None:
        """`path` is the user's file, which need not be there. Raises ConfigError."""
        self._config = config
        self._file = read_toml(path, missing_ok=True)
        self._managed = read_toml(Path(config.managed_path or path), missing_ok=True)
        self._shown = shown_path(path, home)

    def is_named(self, proxy: Proxy) -> bool:
        """Whether a proxy has a table of its own."""
        return proxy.name in self._config.proxies

    def says(self, endpoint: Endpoint, key: str) -> bool:
        """Whether a key of an endpoint is written in a file."""
        path = ("endpoints", endpoint.name, key)
        return any(_has(file, path) for file in (self._file, self._managed))

    def for_endpoint(self, endpoint: Endpoint, key: str, value: str) -> Fix | None:
        """One key of an endpoint; `value` is TOML. None for the demo, which is not configured."""
        path = ("endpoints", endpoint.name)
        line = f"{key} = {value}"
        if _has(self._file, path) or _has(self._managed, path):
            return self._line(path, key, line)
        if endpoint.name == DEMO_ENDPOINT:
            return None
        # A known endpoint becomes the user's own with all that makes it one.
        table = [text for text in _known_table(endpoint) if not text.startswith(f"{key} = ")]
        return lines_in(self._shown, f"[endpoints.{endpoint.name}]", *table, line)

    def for_proxy(self, name: str, values: Mapping[str, str]) -> Fix:
        """Keys of a named proxy; the values are texts."""
        lines = (f"{key} = {toml_text(value)}" for key, value in values.items())
        return self._line(("proxies", name), "", *lines)

    def _line(self, path: tuple[str, ...], key: str, *lines: str) -> Fix:
        table = f"[{'.'.join(path)}]"
        length, number = self._file.find((*path, key) if key else path)
        if length > len(path):
            return lines_in(f"{self._shown}, line {number}", *lines)
        if length == len(path):
            return lines_in(f"{self._shown}, under {table} in line {number}", *lines)
        return lines_in(self._shown, table, *lines)


def _has(file: TomlFile, path: tuple[str, ...]) -> bool:
    return file.find(path)[0] == len(path)


def _known_table(endpoint: Endpoint) -> list[str]:
    values = {
        "dialect": endpoint.dialect,
        "base_url": endpoint.base_url,
        "model": endpoint.model,
        "api_key_env": key_variable(endpoint),
    }
    return [f"{key} = {toml_text(value)}" for key, value in values.items() if value]
