"""Endpoints that the program writes: checked like any other before the file is replaced."""

import stat
from pathlib import Path

import pytest

from streamtui.config import Config, load_config
from streamtui.config.managed import put_endpoint, remove_endpoint, written_endpoints
from streamtui.errors import ConfigError
from tests.config.loading import OWN

TABLE: dict[str, object] = {"dialect": "openai-chat", "base_url": "https://added.example/v1"}


class Files:
    """Both files in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.user = folder / "config.toml"
        self.managed = folder / "managed.toml"

    def load(self) -> Config:
        return load_config(self.user, environ={})

    def put(self, name: str, table: dict[str, object], *, instead_of: str = "") -> Config:
        put_endpoint(self.load(), name, table, instead_of=instead_of, environ={})
        return self.load()

    def refuse(self, name: str, table: dict[str, object], *, instead_of: str = "") -> ConfigError:
        before = self.managed.read_bytes() if self.managed.exists() else None
        with pytest.raises(ConfigError) as caught:
            self.put(name, table, instead_of=instead_of)
        assert (self.managed.read_bytes() if self.managed.exists() else None) == before
        return caught.value


@pytest.fixture
def files(tmp_path: Path) -> Files:
    files = Files(tmp_path)
    files.user.write_text(OWN)
    return files


def test_an_endpoint_that_is_put_is_loaded(files: Files) -> None:
    added = files.put("added", TABLE | {"model": "m", "proxy": "direct"}).endpoints["added"]
    assert (added.base_url, added.model, added.proxy) == ("https://added.example/v1", "m", None)
    assert stat.S_IMODE(files.managed.stat().st_mode) == 0o600


def test_everything_else_in_the_file_stays(files: Files) -> None:
    files.managed.write_text(f'[defaults]\ntheme = "day"\n{OWN.replace("own", "first")}')
    config = files.put("second", TABLE)
    assert config.theme == "day"
    assert list(config.endpoints) == ["own", "first", "second", "demo"]


def test_an_endpoint_is_replaced_in_its_place_under_another_name(files: Files) -> None:
    files.put("first", TABLE)
    files.put("second", TABLE)
    config = files.put("renamed", TABLE | {"model": "m"}, instead_of="first")
    assert list(config.endpoints) == ["own", "renamed", "second", "demo"]
    assert config.endpoints["renamed"].model == "m"


@pytest.mark.parametrize(
    ("wrong", "key", "words"),
    [
        ({"base_url": "ftp://host"}, "base_url", "expected a URL such as https://host/v1"),
        ({"dialect": "openai"}, "dialect", "unknown dialect 'openai'"),
        ({"proxy": "offce"}, "proxy", "did you mean office?"),
        ({"api_key_env": "sk-not-a-name"}, "api_key_env", "takes the NAME"),
        ({"api_key_file": "none"}, "api_key_file", "cannot be read: No such file"),
        ({"tls": {"verify": "no"}}, "tls.verify", "expected true or false"),
        ({"models": "x"}, "models", "did you mean model?"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_written(
    files: Files, wrong: dict[str, object], key: str, words: str
) -> None:
    files.user.write_text(OWN + '[proxies.office]\nurl = "http://proxy.example.com:3128"\n')
    error = files.refuse("added", TABLE | wrong)
    assert error.key == f"endpoints.added.{key}"
    assert words in error.reason
    assert error.file == str(files.managed)


def test_a_name_that_is_taken_is_refused(files: Files) -> None:
    files.put("added", TABLE)
    assert "already" in files.refuse("added", TABLE).reason
    taken = files.refuse("own", TABLE)
    assert (taken.file, taken.line) == (str(files.user), 1)
    assert files.refuse("own", TABLE, instead_of="added").key == "endpoints.own"


def test_a_name_that_others_still_use_cannot_be_changed_or_removed(files: Files) -> None:
    files.put("added", TABLE)
    files.user.write_text(OWN + 'fallbacks = ["added"]\n')
    assert files.refuse("other", TABLE, instead_of="added").key == "endpoints.own.fallbacks[0]"
    with pytest.raises(ConfigError, match=r"fallbacks\[0\]: unknown endpoint 'added'"):
        remove_endpoint(files.load(), "added", environ={})
    assert "added" in files.load().endpoints


def test_an_endpoint_is_removed_and_what_it_hid_is_back(files: Files) -> None:
    config = files.put("demo", TABLE)
    assert config.endpoints["demo"].base_url == "https://added.example/v1"
    remove_endpoint(config, "demo", environ={})
    assert files.load().endpoints["demo"].base_url == "demo:"
    assert "endpoints" not in files.managed.read_text()


def test_the_users_file_need_not_be_there(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.user.unlink()
    monkeypatch.setattr("streamtui.config.default_config_path", lambda: files.user)
    config = load_config(environ={})
    assert config.path == ""
    put_endpoint(config, "added", TABLE, environ={})
    assert "added" in load_config(environ={}).endpoints
    assert not files.user.exists()


def test_where_an_endpoint_is_written_is_known(files: Files) -> None:
    config = files.put("added", TABLE | {"model": "m"})
    written = written_endpoints(config)
    assert list(written.own) == ["own"]
    assert written.managed == {"added": TABLE | {"model": "m"}}


def test_a_users_file_that_was_broken_since_is_named(files: Files) -> None:
    config = files.load()
    files.user.write_text("a = ")
    with pytest.raises(ConfigError, match=r"config\.toml:1: not valid TOML"):
        put_endpoint(config, "added", TABLE, environ={})
    assert not files.managed.exists()
