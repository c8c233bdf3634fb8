"""All checks in their order, each with what it has to know."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from platformdirs import user_cache_path

from streamtui.cli import common
from streamtui.cli.doctor.clipboard import check_clipboard
from streamtui.cli.doctor.config_lines import ConfigLines
from streamtui.cli.doctor.configuration import check_configuration, check_error
from streamtui.cli.doctor.facts import Facts
from streamtui.cli.doctor.files import check_files, read_places
from streamtui.cli.doctor.findings import Finding, Findings, note
from streamtui.cli.doctor.keys import bound_keys, check_keys
from streamtui.cli.doctor.network import ask_endpoints, can_be_asked
from streamtui.cli.doctor.program import check_program, read_program
from streamtui.cli.doctor.terminal import check_terminal
from streamtui.cli.doctor.tmux import check_tmux, read_tmux
from streamtui.config import Config, default_config_path
from streamtui.errors import ConfigError
from streamtui.ui.clipboard import FILE_NAME, find_tool


class Examination:
    """One look at everything. A configuration that cannot be read is a finding among others."""

    NETWORK = "Network"

    def __init__(self, facts: Facts, config: Path | None, specs: Sequence[str] = ()) -> None:
        """`config` is what `--config` says, `specs` are endpoints in the form of `-e`.

        Raises ConfigError for an endpoint that is not there.
        """
        self._facts = facts
        self._file = config or default_config_path()
        self._config = _load(config)
        self._endpoints = []
        if isinstance(self._config, Config):
            chosen = [self._config.endpoint(spec) for spec in specs]
            self._endpoints = chosen or list(self._config.endpoints.values())

    def local(self) -> Iterator[tuple[str, Findings]]:
        """Everything that needs no connection, under its headings."""
        facts = self._facts
        tmux = read_tmux(facts)
        copies = user_cache_path("streamtui") / FILE_NAME
        yield "Program", check_program(read_program(), facts.environ)
        yield "Terminal", check_terminal(facts)
        yield "tmux", check_tmux(facts, tmux)
        yield "Keys", check_keys(bound_keys(), tmux)
        yield "Clipboard", check_clipboard(facts, tmux, find_tool(facts.environ), copies)
        yield "Files", check_files(read_places(self._file), facts)
        yield "Configuration", self._check_configuration()

    def ask(self, tell: Callable[[Finding], None]) -> None:
        """One question to each endpoint that has its key."""
        if isinstance(self._config, ConfigError):
            tell(note("no endpoint is asked while the configuration cannot be read"))
            return
        able = [endpoint for endpoint in self._endpoints if can_be_asked(endpoint)]
        if not able:
            tell(note("no endpoint is asked: none of them has its key"))
            return
        lines = self._lines(self._config)
        with common.open_engine() as doors:
            asyncio.run(ask_endpoints(doors, able, lines, tell, self._facts.environ))

    def _check_configuration(self) -> Findings:
        if isinstance(self._config, ConfigError):
            return [check_error(self._config, self._file)]
        return check_configuration(self._config, self._lines(self._config))

    def _lines(self, config: Config) -> ConfigLines:
        return ConfigLines(config, self._file, self._facts.home)


def _load(path: Path | None) -> Config | ConfigError:
    """The configuration, or the mistake in it."""
    try:
        return common.load(path)
    except ConfigError as error:
        return error
