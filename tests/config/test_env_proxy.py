"""`proxy = "env"`: which variable counts, and for which hosts none does."""

import pytest

from streamtui.config import Proxy, bypasses_proxy, show_config
from streamtui.redact import Secret
from tests.config.loading import OWN, Load, refuse

ENV = OWN + 'proxy = "env"\n'
PLAIN = ENV.replace("https://", "http://")


def url_of(load: Load, text: str, env: dict[str, str]) -> str:
    proxy = load(text, env=env).endpoints["own"].proxy
    return proxy.url if proxy else "direct"


@pytest.mark.parametrize(
    ("env", "secure", "plain"),
    [
        ({}, "direct", "direct"),
        ({"HTTPS_PROXY": "http://a:1"}, "http://a:1", "direct"),
        ({"https_proxy": "http://a:1"}, "http://a:1", "direct"),
        ({"HTTP_PROXY": "http://a:1"}, "direct", "http://a:1"),
        ({"HTTP_PROXY": "http://a:1", "http_proxy": "http://b:1"}, "direct", "http://b:1"),
        ({"HTTPS_PROXY": "http://a:1", "https_proxy": "http://b:1"}, "http://b:1", "direct"),
        ({"HTTPS_PROXY": "http://a:1", "https_proxy": ""}, "http://a:1", "direct"),
        ({"ALL_PROXY": "socks5h://a:1"}, "socks5h://a:1", "socks5h://a:1"),
        ({"all_proxy": "http://a:1", "ALL_PROXY": "http://b:1"}, "http://a:1", "http://a:1"),
        ({"HTTPS_PROXY": "http://a:1", "all_proxy": "http://b:1"}, "http://a:1", "http://b:1"),
        ({"HTTPS_PROXY": "https://a"}, "https://a:443", "direct"),
        ({"HTTPS_PROXY": "a:3128"}, "http://a:3128", "direct"),
        ({"HTTPS_PROXY": " http://a:1/ "}, "http://a:1", "direct"),
        ({"HTTP_PROXY": "http://a:1", "REQUEST_METHOD": "GET"}, "direct", "direct"),
    ],
)
def test_the_variable_for_a_scheme(
    load: Load, env: dict[str, str], secure: str, plain: str
) -> None:
    assert url_of(load, ENV, env) == secure
    assert url_of(load, PLAIN, env) == plain


def test_the_variable_is_named_and_its_password_taken_out(load: Load) -> None:
    config = load(ENV, env={"HTTPS_PROXY": "http://me:hunter2@a:1"})
    proxy = config.endpoints["own"].proxy
    assert proxy == Proxy("env HTTPS_PROXY", "http://a:1", "me", Secret("hunter2"))
    assert "hunter2" not in show_config(config) + repr(config)
    assert 'proxy = "env"' in show_config(config)
    assert config.warnings == []


@pytest.mark.parametrize(
    "url", ["socks4://hunter2@a:1", "http://hunter2@", "socks5://hunter2@a", "http://a:1/hunter2"]
)
def test_a_proxy_that_cannot_be_used_is_refused_and_never_passed_by(load: Load, url: str) -> None:
    error = refuse(load, ENV, env={"ALL_PROXY": url})
    assert error.reason.startswith("the environment variable ALL_PROXY: ")
    assert (error.line, error.key) == (4, "endpoints.own.proxy")
    assert "hunter2" not in str(error)


@pytest.mark.parametrize(
    ("no_proxy", "host", "direct"),
    [
        ("example.com", "example.com", True),
        ("example.com", "API.Example.com", True),
        ("example.com", "notexample.com", False),
        (".example.com", "api.example.com", True),
        (".example.com", "example.com", True),
        ("*.example.com", "api.example.com", True),
        ("a.com,b.com", "b.com", True),
        (" a.com , b.com ", "b.com", True),
        ("a.com b.com", "b.com", True),
        ("*", "any.com", True),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("fd00::/8", "fd00::1", True),
        ("[fd00::1]:443", "fd00::1", True),
        ("example.com:443", "api.example.com", True),
        ("example.com:8443", "example.com", False),
        ("10.1.2.3:443", "10.1.2.3", True),
        ("", "example.com", False),
        ("", "127.0.0.1", True),
        ("", "localhost", True),
    ],
)
def test_no_proxy(load: Load, no_proxy: str, host: str, *, direct: bool) -> None:
    env = {"HTTPS_PROXY": "http://a:1", "NO_PROXY": no_proxy}
    proxy = load(ENV, env=env).endpoints["own"].proxy
    assert proxy
    assert bypasses_proxy(proxy, host, 443) is direct


def test_no_proxy_in_lower_case_wins(load: Load) -> None:
    env = {"HTTPS_PROXY": "http://a:1", "NO_PROXY": "a.com", "no_proxy": "b.com"}
    proxy = load(ENV, env=env).endpoints["own"].proxy
    assert proxy
    assert not bypasses_proxy(proxy, "a.com", 443)
    assert bypasses_proxy(proxy, "b.com", 443)


def test_an_exception_that_means_nothing_is_warned_of(load: Load) -> None:
    env = {"HTTPS_PROXY": "http://a:1", "NO_PROXY": "b.com,10.0.0.0/99,http://c"}
    config = load(ENV, env=env)
    assert config.warnings == [
        "NO_PROXY has entries that mean nothing and are passed over: 10.0.0.0/99, http://c"
    ]


def test_the_demo_inside_the_program_has_no_proxy(load: Load) -> None:
    text = ENV.replace("https://host.example/v1", "demo:")
    proxy = load(text, env={"ALL_PROXY": "http://a:1"}).endpoints["own"].proxy
    # It is on loopback when it has an address.
    assert proxy is None or bypasses_proxy(proxy, "127.0.0.1", 80)
