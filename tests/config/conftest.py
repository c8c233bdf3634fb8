from pathlib import Path

import pytest

from streamtui.config import Config, load_config
from tests.config.loading import Load


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load a file that only its owner can read, with nothing in the environment but `env`."""

    def load(text: str = "", *, env: dict[str, str] | None = None) -> Config:
        path = tmp_path / "config.toml"
        path.touch(mode=0o600)
        path.write_text(text)
        return load_config(path, environ=env or {})

    return load
