"""The file that the program itself writes, `managed.toml`: whole, atomically, for the user only.

The user's own config.toml is never touched. Two writers do not mix; the later one wins.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from streamtui.config import config_of
from streamtui.config.toml_lines import TomlFile, dotted, parse_toml, read_toml
from streamtui.config.types import Config
from streamtui.errors import ConfigError
from streamtui.private_files import replace

_HEADING = "# Written by streamtui. Your own settings belong into config.toml, and win.\n"

Table = Mapping[str, object]


class WrittenEndpoints(Struct, frozen=True):
    """The tables `[endpoints.NAME]` of both files, as they stand there."""

    own: dict[str, Table] = {}
    """Those of the user's file, which wins."""
    managed: dict[str, Table] = {}


def written_endpoints(config: Config) -> WrittenEndpoints:
    """What stands in the files now. Raises ConfigError for one that cannot be read."""
    return WrittenEndpoints(
        _endpoints(_users_file(config).table), _endpoints(_managed_file(config).table)
    )


def put_endpoint(
    config: Config,
    name: str,
    table: Table,
    *,
    instead_of: str = "",
    environ: Mapping[str, str] = os.environ,
) -> None:
    """Write `[endpoints.NAME]`, in the place of `instead_of` where that is given.

    Both files are checked first, as if they had been loaded. Raises ConfigError for what would be
    wrong then, with the key, and for a name that is taken; nothing is written in that case.
    """
    managed = _managed_file(config)
    tables = _endpoints(managed.table)
    if name != instead_of:
        _refuse_taken(name, _users_file(config), managed)
    tables = {name if kept == instead_of else kept: each for kept, each in tables.items()}
    tables[name] = table
    _write_checked(config, {**managed.table, "endpoints": tables}, environ)


def remove_endpoint(config: Config, name: str, *, environ: Mapping[str, str] = os.environ) -> None:
    """Take `[endpoints.NAME]` out of the managed file.

    Raises ConfigError where something else still needs it; nothing is written then.
    """
    managed = dict(_managed_file(config).table)
    tables = {kept: table for kept, table in _endpoints(managed).items() if kept != name}
    managed.pop("endpoints", None)
    _write_checked(config, managed | ({"endpoints": tables} if tables else {}), environ)


def set_managed(path: Path, table: str, key: str, value: object) -> None:
    """Set one value and keep the others. Raises ConfigError for a file that cannot be used."""
    managed = dict(read_toml(path, missing_ok=True).table)
    section = managed.get(table)
    managed[table] = {**(section if isinstance(section, dict) else {}), key: value}
    write_managed(path, managed)


def write_managed(path: Path, table: Table) -> None:
    """Replace the file with `table`. Raises ConfigError; the old file then stays as it was."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace(path, _text_of(table).encode())
    except OSError as error:
        words = error.strerror or type(error).__name__
        raise ConfigError(f"cannot be written: {words}", file=str(path)) from error


def _write_checked(config: Config, managed: Table, environ: Mapping[str, str]) -> None:
    candidate = parse_toml(_text_of(managed), config.managed_path)
    config_of(_users_file(config), candidate, environ)
    write_managed(Path(config.managed_path), managed)


def _refuse_taken(name: str, *files: TomlFile) -> None:
    for file in files:
        if name in _endpoints(file.table):
            _, line = file.find(("endpoints", name))
            reason = "there is an endpoint of this name already; choose another"
            raise ConfigError(reason, file=file.name, line=line, key=dotted(("endpoints", name)))


def _users_file(config: Config) -> TomlFile:
    return read_toml(Path(config.path)) if config.path else TomlFile()


def _managed_file(config: Config) -> TomlFile:
    return read_toml(Path(config.managed_path), missing_ok=True)


def _endpoints(table: Table) -> dict[str, Table]:
    section = table.get("endpoints")
    return dict(section) if isinstance(section, dict) else {}


def _text_of(table: Table) -> str:
    import tomli_w

    return _HEADING + tomli_w.dumps(table)
