"""A configuration from a text, with all that the checks are told about it."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest

from streamtui.cli.doctor.config_lines import ConfigLines
from streamtui.config import Config, load_config


class Configured(NamedTuple):
    config: Config
    lines: ConfigLines
    path: Path


class Configure(Protocol):
    def __call__(
        self, text: str = "", *, managed: str = "", env: Mapping[str, str] = {}
    ) -> Configured: ...


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    """The user's file is shown as `~/config.toml`."""

    def configure(text: str = "", *, managed: str = "", env: Mapping[str, str] = {}) -> Configured:
        path = tmp_path / "config.toml"
        path.touch(mode=0o600)
        path.write_text(text)
        if managed:
            path.with_name("managed.toml").write_text(managed)
        config = load_config(path, environ=env)
        return Configured(config, ConfigLines(config, path, str(tmp_path)), path)

    return configure
