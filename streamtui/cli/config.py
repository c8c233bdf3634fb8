"""`streamtui config`: where the configuration is, whether it is right, and what is in force."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streamtui.cli import common
from streamtui.cli.codes import USAGE
from streamtui.cli.output import Trouble, emit

if TYPE_CHECKING:
    from streamtui.config import Config

_EXAMPLE = "config.example.toml"


@click.group("config")
def group() -> None:
    """Show, check or begin the configuration."""


@group.command("path")
@common.config_option
@click.pass_context
def print_path(context: click.Context) -> int:
    """Print where the configuration file is, or would be."""
    emit(str(_path(context)))
    return 0


@group.command("init")
@common.config_option
@click.pass_context
def init(context: click.Context) -> int:
    """Write a commented example, if there is no file yet."""
    path = _path(context)
    example = _read_example()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_new(path, example)
    except OSError as error:
        raise Trouble(f"cannot write {path}: {error.strerror}.") from error
    emit(str(path))
    return 0


@group.command("check")
@common.config_option
@click.pass_context
def check(context: click.Context) -> int:
    """Say what is wrong with the configuration."""
    from streamtui.errors import ConfigError

    try:
        config = common.load(common.config_path(context))
    except ConfigError as error:
        emit(str(error))
        return USAGE
    for finding in _findings(config):
        emit(f"{config.path or 'environment'}: {finding}.")
    state = "can be used" if config.path else "not there; what is built in is used"
    names = ", ".join(config.endpoints)
    emit(f"{_path(context)}: {state}. Endpoints: {names}. Default: {config.default_endpoint}.")
    return 0


@group.command("show")
@common.config_option
@click.pass_context
def show(context: click.Context) -> int:
    """Print the configuration in force, without keys."""
    from streamtui.config import show_config

    config = common.load(common.config_path(context))
    common.warn(config)
    emit(show_config(config).rstrip("\n"))
    return 0


def _findings(config: "Config") -> Iterator[str]:
    yield from config.warnings
    for endpoint in config.endpoints.values():
        if endpoint.key_source and endpoint.api_key is None:
            yield f"the endpoint {endpoint.name} has no key: the {endpoint.key_source} is not set"


def _path(context: click.Context) -> Path:
    from streamtui.config import default_config_path

    return common.config_path(context) or default_config_path()


def _read_example() -> bytes:
    """From the package, where a wheel has it, or from the top of a checkout."""
    package = Path(__file__).parents[1]
    for folder in (package, package.parent):
        try:
            return (folder / _EXAMPLE).read_bytes()
        except FileNotFoundError:
            continue
    raise Trouble(f"{_EXAMPLE} is missing from this installation.")


def _write_new(path: Path, data: bytes) -> None:
    from streamtui.private_files import write_new

    try:
        write_new(path, data)
    except FileExistsError:
        raise Trouble(f"{path} is there already and stays as it is.") from None
