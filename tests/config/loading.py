"""What the tests of single subjects share: a file to begin with, and how it is loaded."""

from typing import Any, Protocol

import pytest

from streamtui.config import Config
from streamtui.errors import ConfigError

OWN = '[endpoints.own]\ndialect = "openai-chat"\nbase_url = "https://host.example/v1"\n'


class Load(Protocol):
    def __call__(self, text: str = "", *, env: dict[str, str] | None = None) -> Config: ...


def refuse(load: Load, text: str, **env: Any) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(text, **env)
    assert caught.value.file
    return caught.value
