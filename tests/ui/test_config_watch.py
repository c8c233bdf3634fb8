"""A configuration file that is saved while the console runs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from streamtui.config import Config, load_config
from streamtui.ui import config_watch
from streamtui.ui.config_watch import ConfigWatch
from tests.ui.harness import console

MIRROR = """
[endpoints.mirror]
dialect = "openai-chat"
base_url = "https://api.example.com/v1"
model = "{model}"
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(config_watch, "LOOK_SECONDS", 0.02)
    path = tmp_path / "config.toml"
    path.write_text(MIRROR.format(model="first"))
    return path


def loader(path: Path) -> Callable[[], Config]:
    return lambda: load_config(path, environ={})


async def test_a_saved_file_is_read_again_and_what_changed_is_told(path: Path) -> None:
    load = loader(path)
    async with console(1, config=load(), load=load) as c:
        path.write_text(MIRROR.format(model="second"))
        await c.until(lambda: "endpoint mirror: model" in str(c.toasts()), "the toast")
        assert c.app.config.endpoints["mirror"].model == "second"


async def test_a_broken_file_leaves_the_running_configuration_in_force(path: Path) -> None:
    load = loader(path)
    async with console(1, config=load(), load=load) as c:
        path.write_text(MIRROR.format(model="x") + "modle = 1\n")
        await c.until(lambda: "What was in force stays" in str(c.toasts()), "the toast")
        assert "modle" in str(c.toasts())
        assert c.app.config.endpoints["mirror"].model == "first"


async def test_another_theme_in_the_file_is_put_on(path: Path) -> None:
    load = loader(path)
    async with console(1, config=load(), load=load) as c:
        path.write_text('[defaults]\ntheme = "paper"\n' + MIRROR.format(model="first"))
        await c.until(lambda: c.app.theme == "paper", "the theme")


def test_a_file_that_comes_or_goes_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    watch = ConfigWatch(path)
    assert not watch.changed()
    path.write_text("")
    assert watch.changed()
    path.unlink()
    assert watch.changed()
    assert not watch.changed()
