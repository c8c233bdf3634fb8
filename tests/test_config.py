"""Files and an environment in, a Config or one exact error out."""

import os
import re
import stat
import subprocess
import sys
import time
import tomllib
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from streamtui.config import (
    EMBEDDED_DEMO_URL,
    Config,
    Endpoint,
    Price,
    Proxy,
    Timeouts,
    bypasses_proxy,
    changed_keys,
    default_config_path,
    load_config,
    show_config,
)
from streamtui.config.known import KNOWN_ENDPOINTS, KnownEndpoint
from streamtui.config.managed import set_managed, write_managed
from streamtui.config.tables import KEY_SOURCES
from streamtui.config.toml_lines import MAX_BYTES, KeyPath, parse_toml
from streamtui.errors import ConfigError
from streamtui.redact import Secret

EXAMPLE = Path(__file__).parent.parent / "config.example.toml"
KEY = "sk-literal-key-0123456789"
OWN = '[endpoints.own]\ndialect = "openai-chat"\nbase_url = "https://host.example/v1"\n'
OFFICE = '[proxies.office]\nurl = "http://proxy.example.com:3128"\n'


class Load(Protocol):
    def __call__(
        self, text: str | bytes = "", *, managed: str = "", env: dict[str, str] | None = None
    ) -> Config: ...


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Write the files and load them, with nothing in the environment unless it is given."""

    def load(
        text: str | bytes = "", *, managed: str = "", env: dict[str, str] | None = None
    ) -> Config:
        path = tmp_path / "config.toml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        (tmp_path / "managed.toml").write_text(managed)
        return load_config(path, environ=env or {})

    return load


def refuse(load: Load, text: str | bytes, **files_and_env: Any) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(text, **files_and_env)
    assert caught.value.file
    return caught.value


# --- Where the files are ----------------------------------------------------------------------


def test_a_given_file_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "none.toml", environ={})
    assert caught.value.reason == "there is no such file"
    assert caught.value.file == str(tmp_path / "none.toml")


def test_the_default_file_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_config_path", lambda name: tmp_path / name)
    config = load_config(environ={})
    assert list(config.endpoints) == ["demo"]
    assert not config.path
    assert config.managed_path == str(tmp_path / "streamtui" / "managed.toml")


def test_the_default_file_is_in_the_platforms_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platformdirs.user_config_path", lambda name: tmp_path / name)
    assert default_config_path() == tmp_path / "streamtui" / "config.toml"
    default_config_path().parent.mkdir()
    default_config_path().write_text(OWN)
    assert "own" in load_config(environ={}).endpoints


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path, environ={})


def test_path_and_managed_path_are_kept(load: Load, tmp_path: Path) -> None:
    config = load(OWN)
    assert config.path == str(tmp_path / "config.toml")
    assert config.managed_path == str(tmp_path / "managed.toml")


# --- Everything that can be said --------------------------------------------------------------


def test_every_key_of_an_endpoint_and_a_proxy_is_read(load: Load) -> None:
    config = load(
        """
        [proxies.office]
        url = "http://proxy.example.com:3128"
        username = "me"
        password_env = "PROXY_PASSWORD"
        no_proxy = ["*.corp.example"]
        loopback = true
        [endpoints.own]
        dialect = "openai-completions"
        base_url = "https://host.example/v1/"
        model = "m"
        api_key_env = "OWN_KEY"
        proxy = "office"
        params = { temperature = 0, stop = ["a", { b = [1.5, true] }] }
        headers = { "X-Team" = "console" }
        timeouts = { connect = 1, first_token = 2.5, idle = 3, total = 4 }
        retries = 10
        price = { input = 0.15, output = 0 }
        """,
        env={"OWN_KEY": " key \n", "PROXY_PASSWORD": "pass word\n"},
    )
    assert config.endpoints["own"] == Endpoint(
        name="own",
        dialect="openai-completions",
        base_url="https://host.example/v1",
        model="m",
        api_key=Secret("key"),
        key_source="environment variable OWN_KEY",
        proxy=Proxy(
            name="office",
            url="http://proxy.example.com:3128",
            username="me",
            password=Secret("pass word"),
            no_proxy=("*.corp.example",),
            loopback=True,
        ),
        params={"temperature": 0, "stop": ["a", {"b": [1.5, True]}]},
        headers={"X-Team": "console"},
        timeouts=Timeouts(1, 2.5, 3, 4),
        retries=10,
        price=Price(0.15, 0),
    )
    assert config.proxies == {"office": config.endpoints["own"].proxy}


def test_what_is_not_said_has_its_default(load: Load) -> None:
    own = load(OWN).endpoints["own"]
    assert own == Endpoint("own", "openai-chat", "https://host.example/v1")
    assert own.timeouts == Timeouts(connect=20, first_token=300, idle=120, total=None)


def test_defaults_and_history_are_read(load: Load) -> None:
    config = load(f'[defaults]\nendpoint = "demo"\ntheme = "day"\n[history]\nkeep="memory"\n{OWN}')
    assert (config.default_endpoint, config.theme, config.history) == ("demo", "day", "memory")


def test_control_characters_in_values_are_data(load: Load) -> None:
    assert load(OWN + 'model = "a\\u001bb"').endpoints["own"].model == "a\x1bb"


# --- The demo and the known endpoints ---------------------------------------------------------


def test_the_demo_endpoint_is_always_there(load: Load) -> None:
    demo = load(OWN).endpoints["demo"]
    assert demo == Endpoint("demo", "openai-chat", EMBEDDED_DEMO_URL, "demo/verse")


def test_a_demo_endpoint_of_the_user_wins(load: Load) -> None:
    config = load(OWN.replace("own", "demo"))
    assert config.endpoints["demo"].base_url == "https://host.example/v1"


WITH_A_KEY = [row for row in KNOWN_ENDPOINTS if row.key_env]


@pytest.mark.parametrize("row", WITH_A_KEY, ids=lambda row: row.name)
def test_a_known_endpoint_is_there_with_its_key(load: Load, row: KnownEndpoint) -> None:
    assert row.name not in load().endpoints
    source = f"environment variable {row.key_env}"
    assert load(env={row.key_env: "x"}).endpoints[row.name] == Endpoint(
        row.name, row.dialect, row.base_url, row.model, Secret("x"), source
    )


def test_the_table_of_known_endpoints_has_those_of_the_manual() -> None:
    assert " ".join(row.name for row in KNOWN_ENDPOINTS) == (
        "openai anthropic gemini openrouter deepseek groq mistral ollama"
    )


def test_an_endpoint_of_the_user_takes_the_place_of_a_known_one(load: Load) -> None:
    config = load(OWN.replace("own", "openai"), env={"OPENAI_API_KEY": "k"})
    assert config.endpoints["openai"].base_url == "https://host.example/v1"
    assert config.endpoints["openai"].api_key is None


def test_openai_base_url_is_honoured(load: Load) -> None:
    env = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1/"}
    assert load(env=env).endpoints["openai"].base_url == "http://127.0.0.1:9/v1"


def test_a_bad_openai_base_url_never_sends_the_key_to_the_usual_host(load: Load) -> None:
    config = load(env={"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "host.example"})
    assert "openai" not in config.endpoints
    assert "openai is left out" in config.warnings[0]
    assert "OPENAI_BASE_URL" in config.warnings[0]


def test_a_bad_base_url_is_no_matter_without_the_key(load: Load) -> None:
    assert load(env={"OPENAI_BASE_URL": "host.example"}).warnings == []


def test_a_default_that_was_left_out_says_why(load: Load) -> None:
    env = {"OPENAI_API_KEY": "two words"}
    error = refuse(load, '[defaults]\nendpoint = "openai"', env=env)
    assert error.line == 2
    assert "OPENAI_API_KEY holds white space" in error.reason


def test_a_default_that_is_known_is_there_without_its_key(load: Load) -> None:
    openai = load('[defaults]\nendpoint = "openai"').endpoint("openai")
    assert (openai.api_key, openai.key_source) == (None, "environment variable OPENAI_API_KEY")


# --- Which endpoint -----------------------------------------------------------------------------


def test_the_default_endpoint_is_the_users_then_known_then_demo(load: Load) -> None:
    env = {"GROQ_API_KEY": "k", "MISTRAL_API_KEY": "k"}
    second = OWN.replace("own", "second")
    assert load(f'[defaults]\nendpoint = "second"\n{OWN}{second}', env=env).default_endpoint == (
        "second"
    )
    assert load(OWN + second, env=env).default_endpoint == "own"
    assert load(env=env).default_endpoint == "groq"
    assert load().default_endpoint == "demo"


@pytest.mark.parametrize(
    ("spec", "name", "model"),
    [
        ("own", "own", ""),
        ("own/gpt", "own", "gpt"),
        ("own/org/gpt", "own", "org/gpt"),
        ("demo", "demo", "demo/verse"),
        ("demo/drop", "demo", "demo/drop"),
        ("demo/demo/drop", "demo", "demo/drop"),
        ("demo/gpt-4o-mini", "demo", "gpt-4o-mini"),
        ("demo/absent", "demo", "demo/absent"),
    ],
)
def test_a_spec_names_endpoint_and_model(load: Load, spec: str, name: str, model: str) -> None:
    endpoint = load(OWN).endpoint(spec)
    assert (endpoint.name, endpoint.model) == (name, model)


def test_the_models_of_a_users_own_demo_stay_as_they_are(load: Load) -> None:
    assert load(OWN.replace("own", "demo")).endpoint("demo/drop").model == "drop"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("owm/x", "unknown endpoint 'owm'; did you mean own?; there are own, demo"),
        ("zzzzzz", "unknown endpoint 'zzzzzz'; there are own, demo"),
        ("", "unknown endpoint ''"),
        ("own/", "found no model after own/"),
        ("mistral", "needs its key in the environment variable MISTRAL_API_KEY"),
        ("gemini/x", "needs its key in the environment variable GEMINI_API_KEY"),
    ],
)
def test_a_spec_that_names_nothing_is_an_error(load: Load, spec: str, words: str) -> None:
    config = load(OWN)
    with pytest.raises(ConfigError, match=re.escape(words)):
        config.endpoint(spec)


# --- Keys ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("env", [{}, {"OWN_KEY": ""}, {"OWN_KEY": " \n"}])
def test_without_a_key_in_the_environment_its_source_is_kept(
    load: Load, env: dict[str, str]
) -> None:
    own = load(OWN + 'api_key_env = "OWN_KEY"', env=env).endpoints["own"]
    assert own.api_key is None
    assert own.key_source == "environment variable OWN_KEY"


@pytest.mark.parametrize(
    "value",
    [
        KEY,
        "",
        "MY KEY",
        "1KEY",
        "gsk_0123456789abcdefABCDEF",
        "AIzaSyA0123456789abcdefghijklmnopqrstuv",
        "0123456789abcdef0123456789abcdef",
        "a0B1c2D3e4F5g6H7i8J9k0L1m2N3o4P5",
    ],
)
def test_a_key_in_place_of_a_variable_is_refused_and_not_shown(load: Load, value: str) -> None:
    error = refuse(load, f'{OWN}api_key_env = "{value}"')
    assert error.reason == "takes the NAME of an environment variable, not its value"
    assert (error.line, error.key) == (4, "endpoints.own.api_key_env")
    assert not value or value not in str(error)


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "key", "_K2", "MY_COMPANY_GATEWAY_PROD_KEY_2"])
def test_usual_names_of_variables_are_taken(load: Load, name: str) -> None:
    config = load(f'{OWN}api_key_env = "{name}"', env={name: "k"})
    assert config.endpoints["own"].api_key == Secret("k")


@pytest.mark.parametrize("value", ["sk-a\nb", "sk-a b", "sk-a\x00b", "sk-ä", "sk-\u200b", "\udc80"])
def test_a_value_that_no_header_takes_is_refused_and_not_shown(load: Load, value: str) -> None:
    error = refuse(load, OWN + 'api_key_env = "OWN_KEY"', env={"OWN_KEY": value})
    assert "OWN_KEY holds" in error.reason
    assert value not in str(error)


# --- Mistakes -----------------------------------------------------------------------------------

# fmt: off
MISTAKES = [
    ("endpoint = 1", 1, "endpoint", "unknown table; did you mean endpoints?"),
    ("[zzz]", 1, "zzz", "expected one of defaults, proxies, endpoints"),
    ("defaults = 1", 1, "defaults", "expected a table, found a whole number"),
    ("\nendpoints = []", 2, "endpoints", "expected a table, found a list"),
    ("[endpoints]\nown = 'x'", 2, "endpoints.own", "expected a table, found text in quotes"),
    ("[defaults]\nteme = 'x'", 2, "defaults.teme", "unknown key; did you mean theme?"),
    ("[defaults]\ntheme = '../x'", 2, "defaults.theme", "expected a name"),
    ("[defaults]\ntheme = 1", 2, "defaults.theme", "expected text in quotes, found a whole number"),
    ("[defaults]\nendpoint = ''", 2, "defaults.endpoint", "expected a name"),
    ("[defaults]\nendpoint = 'demi'", 2, "defaults.endpoint", "did you mean demo?"),
    ("[history]\nkeep = 'disc'", 2, "history.keep", "expected disk, memory or off; did you mean d"),
    ("[endpoints.x]\nmodel = 'm'", 1, "endpoints.x.dialect", "is missing here"),
    ("[proxies.x]", 1, "proxies.x.url", "is missing here"),
    ("[proxies.direct]\nurl = 'http://h:1'", 1, "proxies.direct", "a meaning of its own"),
    ("[proxies.x]\nurl = 'http://h:1'\nport = 1", 3, "proxies.x.port", "unknown key"),
    ("[proxies.x]\nurl = 1", 2, "proxies.x.url", "expected text in quotes"),
    ("[proxies.x]\nurl = 'h:3128'", 2, "proxies.x.url", "such as http://host:port"),
    ("[proxies.x]\nurl = 'socks9://h:1'", 2, "proxies.x.url", "such as http://host:port"),
    ("[proxies.x]\nurl = 'http://h:1/a'", 2, "proxies.x.url", "nothing after it"),
    ("[proxies.x]\nurl = 'http://h:1?a'", 2, "proxies.x.url", "nothing after it"),
    (OFFICE + "username = 'a:b'", 3, "proxies.office.username", "without ':'"),
    (OFFICE + "password_env = 'a-b'", 3, "proxies.office.password_env", "takes the NAME"),
    (OFFICE + "password_env = 'PW'", 3, "proxies.office.password_env", "needs a username"),
    (OFFICE + "username = 'a'\npassword_env = 'PW'", 4, "proxies.office.password_env", "PW is not set"),
    (OFFICE + "loopback = 1", 3, "proxies.office.loopback", "expected true or false"),
    (OFFICE + "no_proxy = 'a'", 3, "proxies.office.no_proxy", "expected a list"),
    (OFFICE + "no_proxy = [\n'a',\n1]", 5, "proxies.office.no_proxy[1]", "expected text"),
    (OFFICE + "no_proxy = ['a', 'b c']", 3, "proxies.office.no_proxy[1]", "expected a host"),
    (OFFICE + "no_proxy = ['10.0.0.0/99']", 3, "proxies.office.no_proxy[0]", "expected a host"),
    (OFFICE + "no_proxy = ['a.*.b']", 3, "proxies.office.no_proxy[0]", "only at the beginning"),
    (OFFICE + "no_proxy = ['']", 3, "proxies.office.no_proxy[0]", "expected a host"),
    (OWN + "retries = 11", 4, "endpoints.own.retries", "from 0 to 10"),
    (OWN + "retries = -1", 4, "endpoints.own.retries", "from 0 to 10"),
    (OWN + "retries = 1.5", 4, "endpoints.own.retries", "a whole number, found a number"),
    (OWN + "retries = true", 4, "endpoints.own.retries", "a whole number, found true or false"),
    (OWN + "retrys = 1", 4, "endpoints.own.retrys", "unknown key; did you mean retries?"),
    (OWN + "api_key_comand = []", 4, "endpoints.own.api_key_comand", "mean api_key_command?"),
    (OWN + "timeouts = 3", 4, "endpoints.own.timeouts", "expected a table"),
    (OWN + "timeouts.idle = 0", 4, "endpoints.own.timeouts.idle", "above 0, found 0"),
    (OWN + "timeouts.idle = nan", 4, "endpoints.own.timeouts.idle", "above 0, found nan"),
    (OWN + "timeouts.total = inf", 4, "endpoints.own.timeouts.total", "above 0, found inf"),
    (OWN + "timeouts.total = '9'", 4, "endpoints.own.timeouts.total", "a number, found text"),
    (OWN + "timeouts.conect = 1", 4, "endpoints.own.timeouts.conect", "did you mean connect?"),
    (OWN + "[endpoints.own.price]\ninput = -1", 5, "endpoints.own.price.input", "0 or more"),
    (OWN + "price = {cached = 1}", 4, "endpoints.own.price.cached", "one of input, output"),
    (OWN + "params = 1", 4, "endpoints.own.params", "expected a table"),
    (OWN + "params.t = nan", 4, "endpoints.own.params.t", "neither inf nor nan"),
    (OWN + "params.t = 9223372036854775808", 4, "endpoints.own.params.t", "at most 64 bits"),
    (OWN + "params.a.b = [\n1, [2020-01-01]]", 5, "endpoints.own.params.a.b[1][0]", "what JSON has"),
    (OWN + "headers.X = 1", 4, "endpoints.own.headers.X", "expected text in quotes"),
    (OWN + 'headers.X = "a\\r\\nB: c"', 4, "endpoints.own.headers.X", "without line breaks"),
    (OWN + 'headers.X = "a\\u0000"', 4, "endpoints.own.headers.X", "without line breaks"),
    (OWN + 'headers."X: a" = "a"', 4, "endpoints.own.headers.'X: a'", "name of an HTTP header"),
    (OWN + "proxy = ''", 4, "endpoints.own.proxy", 'a name, a URL, "env" or'),
    (OWN + "proxy = 'offic'\n" + OFFICE, 4, "endpoints.own.proxy", "did you mean office?"),
    (OWN + "proxy = 'http://'", 4, "endpoints.own.proxy", "it has no host"),
    ("[endpoints.'a/b']", 1, "endpoints.'a/b'", "expected a name"),
    ('[endpoints."\\u001b]0;pwn"]', 1, "endpoints.'\\x1b]0;pwn'", "expected a name"),
    ("[pipelines.a]", 1, "pipelines.a.steps", "is missing here"),
    ("[pipelines.a]\nsteps = []", 2, "pipelines.a.steps", "at least one step"),
    ("[pipelines.a]\nsteps = [{name = 1}]", 2, "pipelines.a.steps[0].name", "expected text"),
    ("[pipelines.a]\nsteps = [\n{nme = ''}]", 3, "pipelines.a.steps[0].nme", "did you mean name?"),
    ("[[pipelines.a.steps]]\n[[pipelines.a.steps]]\nx = 1", 3, "pipelines.a.steps[1].x", "one of"),
]
# fmt: on


@pytest.mark.parametrize(("text", "line", "key", "words"), MISTAKES)
def test_a_mistake_names_line_key_and_what_was_expected(
    load: Load, text: str, line: int, key: str, words: str
) -> None:
    error = refuse(load, text)
    assert words in error.reason
    assert (error.line, error.key) == (line, key)
    assert str(error) == f"{error.file}:{line}: {key}: {error.reason}"


def endpoint_with(key: str, value: str) -> str:
    return re.sub(rf'(?m)^{key} = ".*"$', lambda _: f'{key} = "{value}"', OWN)


@pytest.mark.parametrize(
    ("dialect", "words"),
    [
        ("openai-cat", "unknown dialect 'openai-cat'; did you mean openai-chat?; expected one of"),
        ("OPENAI", "unknown dialect 'OPENAI'; expected one of openai-chat, openai-completions"),
    ],
)
def test_a_dialect_is_unknown_or_not_yet(load: Load, dialect: str, words: str) -> None:
    error = refuse(load, endpoint_with("dialect", dialect))
    assert error.reason.startswith(words)
    assert (error.line, error.key) == (2, "endpoints.own.dialect")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host.example/v1",
        "localhost:8080",
        "ftp://host",
        "https://",
        "https:///v1",
        "https:/host",
        "https://host:x/",
        "https://host:99999/",
        "https://host:0/",
        "https://[::1/",
        "https://ho st/",
        "https://host\\\\@other/",
        "https://host\\n.example/",
        "https://u:hunter2@host/",
        "https://host/v1?key=hunter2",
        "https://host/v1#hunter2",
        "demo",
    ],
)
def test_a_base_url_has_a_scheme_and_a_host_and_no_secret(load: Load, url: str) -> None:
    error = refuse(load, endpoint_with("base_url", url))
    assert error.reason.startswith("expected a URL")
    assert (error.line, error.key) == (3, "endpoints.own.base_url")
    assert "hunter2" not in str(error)


@pytest.mark.parametrize("url", ["http://[::1]:80/v1", "HTTPS://HOST", "demo:", "http://1.2.3.4"])
def test_good_base_urls_are_taken(load: Load, url: str) -> None:
    assert load(endpoint_with("base_url", url)).endpoints["own"].base_url == url


def test_an_error_of_the_managed_file_names_that_file(load: Load, tmp_path: Path) -> None:
    error = refuse(load, OWN, managed="\n[defaults]\ntheme = 3")
    assert (error.file, error.line) == (str(tmp_path / "managed.toml"), 3)


def test_a_mistake_in_a_table_of_both_files_names_the_file_with_the_key(load: Load) -> None:
    error = refuse(load, OWN, managed="[endpoints.own]\n\nretries = 99")
    assert (Path(error.file).name, error.line) == ("managed.toml", 3)
    error = refuse(load, OWN + "retries = 99", managed="[endpoints.own]\nretries = 1")
    assert (Path(error.file).name, error.line) == ("config.toml", 4)


# --- Hostile files ------------------------------------------------------------------------------

HOSTILE = [
    pytest.param(".".join("a" * 20_000) + " = 1", 1, "more than 8 dots", id="40 KB dotted key"),
    pytest.param(
        " . ".join('"b"' * 1) + "\n[" + ".".join("c" * 10) + "]", 1, "TOML", id="no value"
    ),
    pytest.param("\n[" + ".".join("c" * 10) + "]", 2, "more than 8 dots", id="dotted header"),
    pytest.param("a = " + "[" * 100_000, 1, "more than 32 arrays", id="100 k ["),
    pytest.param("a = " + "{a = " * 50_000, 1, "more than 32 arrays", id="50 k {"),
    pytest.param("a = [\n" + "1," * 100_000 + "]", 2, "more than 10,000", id="100 k numbers"),
    pytest.param("\n".join(f"k{i} = 1" for i in range(20_000)), 10_001, "10,000", id="20 k keys"),
    pytest.param("\n".join(f'"\\t{i}" = 1' for i in range(15_000)), 10_001, "10,000", id="escapes"),
    pytest.param("\na = " + "9" * 5_000, 2, "more than 100 characters", id="5000 digits"),
    pytest.param('a = "' + '\\"' * 100_000, 1, "Unterminated string", id="open string"),
    pytest.param('a = """' + '"" ' * 80_000, 1, "Unterminated string", id="open long string"),
    pytest.param(b"a = 1\nb = '\xff'", 2, "not UTF-8: byte 0xff", id="bad UTF-8"),
    pytest.param("a = 1".encode("utf-16"), 1, "not UTF-8", id="UTF-16"),
    pytest.param(b"\xef\xbb\xbfa = 1", 1, "byte order mark (BOM)", id="BOM"),
    pytest.param("a = 1\nb = '\x1b[2J'", 2, "not valid TOML", id="raw escape"),
    pytest.param('[endpoints."\\u001b"]', 1, "expected a name", id="escape in a name"),
]


@pytest.mark.parametrize(("text", "line", "words"), HOSTILE)
def test_a_hostile_file_is_refused_in_no_time(
    load: Load, text: str | bytes, line: int, words: str
) -> None:
    start = time.process_time()
    error = refuse(load, text)
    # The limit is 0.2 s; without the guards these take seconds, so that a busy machine passes.
    assert time.process_time() - start < 0.6
    assert words in error.reason
    assert error.line == line
    assert "\x1b" not in str(error)
    assert len(error.key) < 100


def test_a_file_that_is_too_large_is_not_read(load: Load) -> None:
    tracemalloc.start()
    error = refuse(load, b"#" * 10_000_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert error.reason == "larger than 256 KiB: not read"
    assert peak < 20_000_000


def test_a_dotted_key_of_40_kb_costs_little_memory(load: Load) -> None:
    tracemalloc.start()
    refuse(load, ".".join("a" * 20_000) + " = 1")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


def test_a_file_of_the_largest_size_is_read(load: Load) -> None:
    assert "own" in load(OWN + "#" * (MAX_BYTES - len(OWN))).endpoints


def test_the_key_of_a_limit_is_named(load: Load) -> None:
    assert refuse(load, "\nmy.key = " + "[" * 40).key.startswith("my.key[0][0]")
    assert refuse(load, "a.b.c.d.e.f.g.h.i.j = 1").key == "a.b.c.d.e.f.g.h.i.j"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = 1\nb = ", 2),
        ("a = 1\nb = \n\n\n", 2),
        ("a = 1\na = 2\n", 2),
        ("[a]\nb = 1\n[a]\n", 3),
        ("\na = '''\n\n", 2),
        ("\r\n\r\na == 1", 3),
        ("a = 1\n= 2", 2),
        ('a = 1\n"\\q" = 2', 2),
        ("a = 1\nb = {c = 1; d = 2}", 2),
    ],
)
def test_a_syntax_error_names_its_line(load: Load, text: str, line: int) -> None:
    error = refuse(load, text)
    assert error.reason.startswith("not valid TOML: ")
    assert "at line" not in error.reason
    assert error.line == line


# --- Lines --------------------------------------------------------------------------------------

LINES = """
# [not.a.table] = 1
a = 1
b.c = { d = 1, "e f" = [1, { g = 2 }] } # b.x = 1
[ t . "u.v" ]
w = \"\"\"
x = 1
[y]\\\"\"\"\"
x = '''
z = ''1'''
z = [ # [q]
  1,
  [ 2, "]" ],
  { k = 1979-05-27 07:32:00 },
]
'l"' = '# = "'
"\\u0041" = "\\" ="
[[t.list]]
n = 1
[t.list.sub]
n = 2
[[t.list]]
[t.list.sub]
n = 3
[[t.list.deep]]
n = 4
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("a",), 3),
        (("b",), 4),
        (("b", "c", "e f", 1, "g"), 4),
        (("t",), 5),
        (("t", "u.v"), 5),
        (("t", "u.v", "w"), 6),
        (("t", "u.v", "x"), 9),
        (("t", "u.v", "z"), 11),
        (("t", "u.v", "z", 0), 12),
        (("t", "u.v", "z", 1, 1), 13),
        (("t", "u.v", "z", 2, "k"), 14),
        (("t", "u.v", 'l"'), 16),
        (("t", "u.v", "A"), 17),
        (("t", "list", 0, "n"), 19),
        (("t", "list", 0, "sub"), 20),
        (("t", "list", 0, "sub", "n"), 21),
        (("t", "list", 1), 22),
        (("t", "list", 1, "sub", "n"), 24),
        (("t", "list", 1, "deep", 0, "n"), 26),
    ],
)
def test_the_line_of_every_kind_of_key_is_found(path: KeyPath, line: int) -> None:
    assert parse_toml(LINES).find(path) == (len(path), line)


def test_a_key_that_is_not_there_has_the_line_of_what_contains_it() -> None:
    assert parse_toml(LINES).find(("t", "u.v", "none", "x")) == (2, 5)
    assert parse_toml(LINES).find(("none",)) == (0, None)


VALUES: st.SearchStrategy[object] = st.recursive(
    st.booleans() | st.integers(-99, 99) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)


def paths_of(value: object, path: KeyPath = ()) -> Iterator[KeyPath]:
    pairs: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list):
        pairs = list(enumerate(value))
    for key, inner in pairs:
        yield (*path, key)
        yield from paths_of(inner, (*path, key))


@given(st.dictionaries(st.text(max_size=4), VALUES, max_size=5))
def test_whatever_tomllib_reads_has_a_line(table: dict[str, object]) -> None:
    file = parse_toml(tomli_w.dumps(table, multiline_strings=True))
    lines = [file.find(path) for path in paths_of(file.table)]
    assert [length for length, _ in lines] == [len(path) for path in paths_of(file.table)]


@given(st.text("ab.=[]{}\"'\\#,\n\t 1-\x1b\ufeff", max_size=60))
def test_any_text_is_read_or_refused_as_tomllib_does(text: str) -> None:
    try:
        expected = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        with pytest.raises(ConfigError):
            parse_toml(text)
        return
    file = parse_toml(text)
    assert file.table == expected
    assert all(file.find(path)[0] == len(path) for path in paths_of(expected))


# --- Proxies ------------------------------------------------------------------------------------


def proxy_of(load: Load, text: str, **more: Any) -> Proxy | None:
    return load(f'{OWN}proxy = "{text}"\n{OFFICE}', **more).endpoints["own"].proxy


def test_a_proxy_is_a_name_a_url_or_direct(load: Load) -> None:
    office = Proxy("office", "http://proxy.example.com:3128")
    assert proxy_of(load, "office") == office
    assert proxy_of(load, "http://other:8080/") == Proxy("other:8080", "http://other:8080")
    assert proxy_of(load, "direct") is None
    assert load(OWN + OFFICE).endpoints["own"].proxy is None


def test_user_and_password_are_taken_out_of_a_url(load: Load) -> None:
    proxy = proxy_of(load, "http://me:p%40ss@host:3128")
    assert proxy == Proxy("host:3128", "http://host:3128", "me", Secret("p@ss"))
    text = '[proxies.x]\nurl = "http://me:p%40ss@host:3128"'
    assert load(text).proxies["x"] == Proxy("x", "http://host:3128", "me", Secret("p@ss"))


@pytest.mark.parametrize(
    ("url", "host_port"),
    [
        ("http://proxy.example.com:3128", "proxy.example.com:3128"),
        ("http://Proxy.Example.com", "proxy.example.com:80"),
        ("http://[::1]:3128", "[::1]:3128"),
        ("http://[::1]", "[::1]:80"),
    ],
)
def test_host_port_of_a_proxy(load: Load, url: str, host_port: str) -> None:
    proxy = proxy_of(load, url)
    assert proxy
    assert proxy.host_port == proxy.name == host_port
    assert proxy.url == f"http://{host_port}"


@pytest.mark.parametrize(
    ("scheme", "port"), [("http", 80), ("https", 443), ("socks5", 1080), ("socks5h", 1080)]
)
def test_every_kind_of_proxy_has_its_usual_port(load: Load, scheme: str, port: int) -> None:
    proxy = proxy_of(load, f"{scheme.upper()}://me:pw@h")
    assert proxy == Proxy(f"h:{port}", f"{scheme}://h:{port}", "me", Secret("pw"))
    assert proxy.scheme == scheme
    assert proxy.is_socks == scheme.startswith("socks")


@pytest.mark.parametrize(
    ("lines", "key", "words"),
    [
        ('url = "socks5://me@h"', "url", "only with a password"),
        ('url = "socks5://h"\nusername = "me"', "username", "only with a password"),
        ('url = "socks5://me:p%C3%A4ss@h"', "url", "ASCII"),
        (f'url = "socks5h://me:{"p" * 256}@h"', "url", "up to 255"),
        ('url = "socks4://h"', "url", "such as http://host:port"),
    ],
)
def test_what_socks_cannot_say_is_refused(load: Load, lines: str, key: str, words: str) -> None:
    error = refuse(load, f"[proxies.x]\n{lines}")
    assert error.key == f"proxies.x.{key}"
    assert words in error.reason
    assert "ppp" not in str(error)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('url = "http://a:hunter2@h:1"\nusername = "b"', "write it once"),
        ('url = "http://a:hunter2@h:1"\npassword_env = "PW"', "write it once"),
        ('url = "http://a:hunter2%0a@h:1"', "one line"),
        ('url = "http://a%3ab:hunter2@h:1"', "without ':'"),
        ('url = "http://a:hunter2@h:port"', "cannot be read"),
        ('url = "http://:hunter2@h:1"', "expected a user"),
    ],
)
def test_a_password_in_a_url_is_never_shown(load: Load, text: str, words: str) -> None:
    error = refuse(load, f"[proxies.x]\n{text}", env={"PW": "x"})
    assert words in error.reason
    assert "hunter2" not in str(error)


def test_a_url_without_its_beginning_is_not_repeated(load: Load) -> None:
    error = refuse(load, OWN + 'proxy = "me:hunter2@host:3128"')
    assert "such as http://host:port" in error.reason
    assert "hunter2" not in str(error)


@pytest.mark.parametrize(
    ("host", "direct"),
    [
        ("localhost", True),
        ("LOCALHOST.", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("[::1]", True),
        ("::ffff:127.0.0.1", True),
        ("128.0.0.1", False),
        ("localhost.example", False),
        ("127.0.0.1.example", False),
    ],
)
def test_loopback_is_direct_unless_the_proxy_is_for_it(host: str, *, direct: bool) -> None:
    assert bypasses_proxy(Proxy("p", "http://p:1"), host, 80) is direct
    assert bypasses_proxy(Proxy("p", "http://p:1", loopback=True), host, 80) is False


@pytest.mark.parametrize(
    ("pattern", "host", "direct"),
    [
        ("git.example", "git.example", True),
        ("git.example", "GIT.Example.", True),
        ("git.example", "x.git.example", False),
        ("*.example", "a.b.example", True),
        ("*.example", "example", False),
        ("*.example", "notexample", False),
        (".example", "a.example", True),
        (".example", "example", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.0/8", "10.example", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("fd00::/8", "[fd00::1]", True),
        ("fd00::/8", "10.1.2.3", False),
        ("fd00::1", "FD00:0::1", True),
        ("git.example:443", "git.example", True),
        ("git.example:80", "git.example", False),
        ("*.example:443", "a.example", True),
        ("[fd00::1]:443", "fd00::1", True),
        ("[fd00::1]:80", "fd00::1", False),
        ("localhost", "localhost", True),
        ("*", "any.example", True),
    ],
)
def test_no_proxy_patterns(load: Load, pattern: str, host: str, *, direct: bool) -> None:
    text = f'{OFFICE}loopback = true\nno_proxy = ["none.example", "{pattern}"]'
    assert bypasses_proxy(load(text).proxies["office"], host, 443) is direct


# --- Warnings -----------------------------------------------------------------------------------


def test_a_key_over_plain_http_is_warned_of(load: Load) -> None:
    text = endpoint_with("base_url", "http://host.example/v1") + 'api_key_env = "OWN_KEY"'
    assert "own sends its key over http://" in load(text, env={"OWN_KEY": "k"}).warnings[0]


@pytest.mark.parametrize(
    ("url", "env"),
    [
        ("http://host.example/v1", {}),
        ("https://host.example/v1", {"OWN_KEY": "k"}),
        ("http://127.0.0.1:8080/v1", {"OWN_KEY": "k"}),
        ("http://[::1]:8080/v1", {"OWN_KEY": "k"}),
        ("demo:", {"OWN_KEY": "k"}),
    ],
)
def test_without_a_key_or_a_way_outside_there_is_no_warning(
    load: Load, url: str, env: dict[str, str]
) -> None:
    assert load(endpoint_with("base_url", url) + 'api_key_env = "OWN_KEY"', env=env).warnings == []


def test_a_proxy_of_the_environment_that_is_not_used_is_warned_of(load: Load) -> None:
    config = load(OWN, env={"https_proxy": "http://u:hunter2@p:1"})
    assert config.env_proxy == "https_proxy"
    assert "https_proxy is set and not used: own" in config.warnings[0]
    assert "hunter2" not in config.warnings[0]


def test_who_says_direct_is_not_warned(load: Load) -> None:
    env = {"ALL_PROXY": "http://p:1"}
    assert load(OWN + 'proxy = "direct"', env=env).warnings == []
    assert load(env=env).warnings == []


def test_a_password_in_a_file_that_others_can_read_is_warned_of(load: Load, tmp_path: Path) -> None:
    text = '[proxies.x]\nurl = "http://me:hunter2@host:3128"'
    path = tmp_path / "config.toml"
    path.touch()
    path.chmod(0o644)
    assert load(text).warnings == [
        f"{path} holds the password of a proxy and others can read it; run: chmod 600 {path}"
    ]
    path.chmod(0o600)
    assert load(text).warnings == []


# --- The managed file ---------------------------------------------------------------------------


def test_the_users_file_wins_key_by_key(load: Load) -> None:
    config = load(
        OWN + "params = { a = 1 }",
        managed='[defaults]\ntheme = "day"\n[endpoints.own]\nmodel = "m"\nparams = { b = 1 }\n'
        'base_url = "https://managed.example"\n'
        '[endpoints.added]\ndialect = "openai-chat"\nbase_url = "https://added.example"',
    )
    own = config.endpoints["own"]
    assert (own.base_url, own.model, own.params) == ("https://host.example/v1", "m", {"a": 1})
    assert config.theme == "day"
    assert list(config.endpoints) == ["own", "added", "demo"]


def test_a_value_that_is_set_is_loaded_and_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "new" / "managed.toml"
    set_managed(path, "defaults", "endpoint", "demo")
    set_managed(path, "defaults", "theme", "day")
    path.with_name("config.toml").write_text("")
    config = load_config(path.with_name("config.toml"), environ={})
    assert (config.default_endpoint, config.theme) == ("demo", "day")


def test_the_managed_file_is_for_the_user_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "managed.toml"
    mask = os.umask(0o022)
    try:
        set_managed(path, "defaults", "theme", "day")
    finally:
        os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_failed_write_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "managed.toml"
    write_managed(path, {"defaults": {"theme": "night"}})
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ConfigError, match="cannot be written: No space left on device"):
        set_managed(path, "defaults", "theme", "day")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_in_place_of_the_managed_file_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("")
    path = tmp_path / "managed.toml"
    path.symlink_to(target)
    set_managed(path, "defaults", "theme", "day")
    assert target.read_text() == ""
    assert not path.is_symlink()


def test_a_broken_managed_file_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "managed.toml"
    path.write_text("a = ")
    with pytest.raises(ConfigError, match="not valid TOML"):
        set_managed(path, "defaults", "theme", "day")
    assert path.read_text() == "a = "


# --- Reload and show ----------------------------------------------------------------------------


def test_nothing_changed_has_no_words(load: Load) -> None:
    assert changed_keys(load(OWN), load("# the same\n" + OWN)) == []


def test_what_changed_is_named(load: Load) -> None:
    through = OWN + 'proxy = "office"\napi_key_env = "OWN_KEY"\n'
    old = load(through + OFFICE, env={"OWN_KEY": "a"})
    new = load(
        through.replace("v1", "v2") + OFFICE.replace("3128", "3129"),
        managed='[defaults]\ntheme = "day"\nendpoint = "demo"',
        env={"OWN_KEY": "b", "GROQ_API_KEY": "k"},
    )
    assert changed_keys(old, new) == [
        "endpoint own: base_url, key",
        "endpoint groq: added",
        "proxy office: url",
        "default endpoint",
        "theme",
    ]
    assert changed_keys(new, old)[1] == "endpoint groq: removed"
    assert changed_keys(load(through + OFFICE), load(OWN + OFFICE)) == ["endpoint own: key, proxy"]


def test_show_masks_every_secret(load: Load) -> None:
    text = show_config(
        load(
            OWN + 'api_key_env = "OWN_KEY"\nproxy = "office"\nprice = { input = 1 }\n'
            'headers = { Authorization = "Bearer hunter2", X-Team = "console" }\n'
            '[proxies.office]\nurl = "http://me:hunter3@host:3128"',
            env={"OWN_KEY": KEY},
        )
    )
    assert not re.search(r"hunter|sk-", text)
    shown = tomllib.loads(text)
    assert shown["proxies"]["office"]["password"] == "***"
    assert shown["endpoints"]["own"] == {
        "dialect": "openai-chat",
        "base_url": "https://host.example/v1",
        "model": "",
        "api_key": "***",
        "key_source": "environment variable OWN_KEY",
        "proxy": "office",
        "retries": 2,
        "headers": {"Authorization": "***", "X-Team": "console"},
        "timeouts": {"connect": 20, "first_token": 300, "idle": 120},
        "price": {"input": 1, "output": 0},
    }


def test_show_says_where_no_key_was_found(load: Load) -> None:
    shown = tomllib.loads(show_config(load(OWN + 'api_key_env = "OWN_KEY"')))
    assert shown["endpoints"]["own"]["api_key"] == "not found"


def test_no_secret_in_the_repr_of_a_config(load: Load) -> None:
    config = load(OWN + 'api_key_env = "OWN_KEY"', env={"OWN_KEY": KEY})
    assert KEY not in repr(config)


# --- The example --------------------------------------------------------------------------------

OPTIONAL = re.compile(r"# (\[[\w.]+\]$|[\w.]+ = )")
NOT_YET = "# not yet: "
OR = "# or: "


def uncommented(text: str) -> list[str]:
    """The lines of the example with every optional key in force."""
    return [line[2:] if OPTIONAL.match(line) else line for line in text.splitlines()]


def alternatives() -> list[str]:
    return [line for line in EXAMPLE.read_text().splitlines() if line.startswith(OR)]


def key_of(line: str) -> str:
    return line.partition(" = ")[0]


def without_repeated_keys(lines: list[str]) -> str:
    """What is said again in the same table replaces what was said before it."""
    kept: list[str] = []
    start = 0
    for line in lines:
        if line.startswith("["):
            start = len(kept)
        elif " = " in line and not line.startswith(("#", " ")):
            kept[start:] = [other for other in kept[start:] if key_of(other) != key_of(line)]
        kept.append(line)
    return "\n".join(kept)


def later_lines() -> list[str]:
    return [line for line in EXAMPLE.read_text().splitlines() if line.startswith(NOT_YET)]


def in_force(later: str) -> str:
    """The example with one more line in force, and with what continues it."""
    lines = uncommented(EXAMPLE.read_text())
    at = lines.index(later)
    text = later.removeprefix(NOT_YET)
    while not reads(text):
        at += 1
        text += "\n" + lines[at].removeprefix("# ")
    ends = (i for i in range(at, len(lines)) if lines[i].startswith("["))
    lines.insert(next(ends, len(lines)), text)
    return without_repeated_keys("\n".join(lines).splitlines())


def reads(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def test_the_example_loads_as_it_is(load: Load) -> None:
    config = load(EXAMPLE.read_bytes())
    assert list(config.endpoints) == ["openai", "local", "mirror", "demo"]
    assert config.warnings == []


def test_the_example_loads_with_every_optional_line(load: Load) -> None:
    text = without_repeated_keys(uncommented(EXAMPLE.read_text()))
    config = load(text, env={"PROXY_PASSWORD": "pw", "OPENAI_API_KEY": "k"})
    openai = config.endpoints["openai"]
    assert openai.proxy
    assert openai.proxy.name == "office"
    assert openai.proxy.loopback
    assert openai.timeouts.total == 600
    assert openai.price == Price(0.15, 0.60)
    assert openai.headers == {"X-Team": "console"}


def test_the_example_has_every_key() -> None:
    text = EXAMPLE.read_text().replace(NOT_YET, "# ").replace(OR, "# ")
    keys = (
        "endpoint theme url username password_env no_proxy loopback dialect base_url model"
        " api_key api_key_command api_key_env api_key_file proxy fallbacks params headers timeouts"
        " retries max_concurrent tls price keep auth api_version"
    )
    assert [key for key in keys.split() if not re.search(rf"(?m)^(# )?{key} = ", text)] == []
    assert all(word in text for word in ("first_token", "total", "review.steps"))


@pytest.mark.parametrize("line", alternatives())
def test_each_alternative_of_the_example_can_be_said(load: Load, tmp_path: Path, line: str) -> None:
    """With the files and commands that there are here in place of those of the example."""
    (tmp_path / "key").touch(mode=0o600)
    (tmp_path / "key").write_text("k")
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----")
    (tmp_path / "config.toml").touch(mode=0o600)
    text = line.removeprefix(OR)
    for there, here in (
        ("~/.openai-key", "key"),
        ("/etc/ssl/corp.pem", "ca.pem"),
        ('"pass", "show"', f'"{sys.executable}", "-c", "print(1)"'),
    ):
        text = text.replace(there, here)
    lines = uncommented(EXAMPLE.read_text())
    lines.insert(lines.index(line), text)
    if key_of(text) in KEY_SOURCES:
        # A key comes from one of them.
        lines = [one for one in lines if key_of(one) != "api_key_env"]
    config = load(without_repeated_keys(lines), env={"PROXY_PASSWORD": "pw", "OPENAI_API_KEY": "k"})
    assert "openai" in config.endpoints


@pytest.mark.parametrize("line", later_lines())
def test_each_line_of_the_example_that_is_not_yet_is_refused_by_name(load: Load, line: str) -> None:
    error = refuse(load, in_force(line), env={"PROXY_PASSWORD": "pw"})
    assert error.reason.startswith("not yet")
    assert key_of(line.removeprefix(NOT_YET)).partition(".")[0] in error.key
    assert error.line


def test_all_that_is_not_yet_is_in_the_example() -> None:
    assert {key_of(line.removeprefix(NOT_YET)) for line in later_lines()} == {
        *("review.steps", "quit"),
    }


# --- Cost ---------------------------------------------------------------------------------------


def test_importing_config_brings_nothing_heavy() -> None:
    code = "import sys, streamtui.config; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    heavy = {"aiohttp", "click", "difflib", "platformdirs", "rich", "textual", "tomli_w"}
    assert heavy & set(output.split()) == set()
    assert "msgspec" in output.split()
