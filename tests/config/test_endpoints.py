"""What single endpoints have beside the rest: certificates, other ways to send a key, Ollama."""

from pathlib import Path

import pytest

from streamtui.config import DIALECTS as NAMES
from streamtui.config import Tls, show_config
from streamtui.config.known import KNOWN_ENDPOINTS
from streamtui.engine.dialects import DIALECTS
from streamtui.errors import ConfigError
from tests.config.loading import OWN, Load, refuse

PEM = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"
PEM_KEY = "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files of certificates beside the configuration."""
    (tmp_path / "ca.pem").write_text(PEM)
    (tmp_path / "me.pem").write_text(PEM)
    (tmp_path / "me.key").write_text(PEM_KEY)
    return tmp_path


# Certificates


def test_every_key_of_tls_is_read(load: Load, folder: Path) -> None:
    text = 'tls = { ca_file = "ca.pem", client_cert = "me.pem", client_key = "me.key" }'
    endpoint = load(OWN + text).endpoints["own"]
    assert endpoint.tls == Tls(
        str(folder / "ca.pem"), str(folder / "me.pem"), str(folder / "me.key")
    )
    assert not endpoint.insecure


def test_without_verification_there_is_a_warning(load: Load) -> None:
    config = load(OWN + "tls = { verify = false }")
    assert config.endpoints["own"].insecure
    assert len(config.warnings) == 1
    assert config.warnings[0].startswith("the endpoint own has tls.verify = false")
    assert "verify = false" in show_config(config)


@pytest.mark.parametrize(
    ("tls", "key", "words"),
    [
        ('{ ca_file = "none.pem" }', "ca_file", "cannot be read: No such file"),
        ('{ ca_file = "." }', "ca_file", "cannot be read: Is a directory"),
        ('{ ca_file = "me.key" }', "ca_file", "has no certificate in PEM"),
        ('{ client_cert = "none.pem" }', "client_cert", "cannot be read"),
        ('{ client_cert = "me.pem", client_key = "ca.pem" }', "client_key", "no private key"),
        ('{ client_key = "me.key" }', "client_key", "needs a client_cert"),
        ('{ cafile = "ca.pem" }', "cafile", "did you mean ca_file?"),
        ('{ verify = "no" }', "verify", "expected true or false"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_mistake_in_tls_is_named(load: Load, tls: str, key: str, words: str) -> None:
    error = refuse(load, f"{OWN}tls = {tls}")
    assert (error.line, error.key) == (4, f"endpoints.own.tls.{key}")
    assert words in error.reason


# How a key is sent


def test_auth_and_api_version_are_read(load: Load) -> None:
    config = load(OWN + 'auth = "api-key"\napi_version = "2024-10-21"')
    own = config.endpoints["own"]
    assert (own.auth, own.api_version) == ("api-key", "2024-10-21")
    assert 'auth = "api-key"' in show_config(config)
    assert 'api_version = "2024-10-21"' in show_config(config)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('auth = "bearr"', "one of bearer, x-api-key, api-key, x-goog-api-key, none; did you mean"),
        ('api_version = "a/b"', "expected a version"),
        ('api_version = "a\\nb"', "expected a version"),
    ],
)
def test_other_words_are_refused(load: Load, line: str, words: str) -> None:
    assert words in refuse(load, OWN + line).reason


# Known endpoints


def test_what_may_be_configured_is_spoken() -> None:
    assert set(NAMES) == set(DIALECTS)
    assert {row.dialect for row in KNOWN_ENDPOINTS} <= set(NAMES)


@pytest.mark.parametrize(
    ("said", "url"),
    [
        ("127.0.0.1:11434", "http://127.0.0.1:11434"),
        ("box.example", "http://box.example:11434"),
        ("box.example:80", "http://box.example:80"),
        (":8080", "http://127.0.0.1:8080"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:8080", "http://127.0.0.1:8080"),
        ("[::]:8080", "http://[::1]:8080"),
        ("::1", "http://[::1]:11434"),
        ("[::1]", "http://[::1]:11434"),
        ("https://box.example/", "https://box.example"),
    ],
)
def test_ollama_host_is_read_as_ollama_does(load: Load, said: str, url: str) -> None:
    ollama = load(env={"OLLAMA_HOST": said}).endpoints["ollama"]
    assert (ollama.dialect, ollama.base_url, ollama.api_key) == ("ollama", url, None)


def test_ollama_is_there_when_it_is_named(load: Load) -> None:
    assert "ollama" not in load().endpoints
    named = load('[defaults]\nendpoint = "ollama"')
    assert named.endpoints["ollama"].base_url == "http://127.0.0.1:11434"
    spoken = load().endpoint("ollama/llama3.2:1b")
    assert (spoken.name, spoken.model) == ("ollama", "llama3.2:1b")
    assert spoken.base_url == "http://127.0.0.1:11434"


def test_ollama_is_not_the_default_by_itself(load: Load) -> None:
    assert load(env={"OLLAMA_HOST": "127.0.0.1"}).default_endpoint == "demo"
    assert load(OWN, env={"OLLAMA_HOST": "127.0.0.1"}).default_endpoint == "own"


def test_a_bad_ollama_host_is_never_replaced_by_the_usual_one(load: Load) -> None:
    config = load(env={"OLLAMA_HOST": "two words"})
    assert "ollama is left out" in config.warnings[0]
    with pytest.raises(ConfigError, match="OLLAMA_HOST"):
        config.endpoint("ollama/m")
