"""The fields of the form, and what no field takes."""

import tomllib
from collections.abc import Mapping
from dataclasses import replace

import pytest

from streamtui.config import Endpoint
from streamtui.errors import ConfigError
from streamtui.ui.endpoint_draft import (
    KEY_FROM,
    Draft,
    KeyFrom,
    copy_of,
    draft_of_known,
    draft_of_table,
    problem_of,
    problem_of_error,
    table_of,
)

KEY = "sk-proj-0123456789abcdefABCDEF"
DRAFT = Draft("mirror", "openai-chat", "https://host.example/v1", key="MIRROR_KEY")


def toml(text: str) -> Mapping[str, object]:
    return tomllib.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        'dialect = "anthropic"\nbase_url = "https://h.example"\nmodel = "m"\napi_key_env = "K"',
        'dialect = "ollama"\nbase_url = "http://h.example:1"\nproxy = "office"',
        'dialect = "sse"\nbase_url = "https://h.example"\napi_key_file = "~/.key"',
        "dialect = 'sse'\nbase_url = ''\napi_key_command = ['pass', 'two words', \"it's\"]",
        'dialect = "sse"\nbase_url = ""\nretries = 0\nparams = { a = [1, { b = 2 }] }',
        'dialect = "sse"\nbase_url = ""\nfallbacks = ["x"]\ntimeouts = { idle = 5 }',
        'dialect = "sse"\nbase_url = ""\ntls = { ca_file = "ca.pem", verify = false }',
    ],
)
def test_a_table_that_nobody_changes_stays_the_same(text: str) -> None:
    assert table_of(draft_of_table("name", toml(text))) == toml(text)


def test_certificates_are_checked_again_without_losing_an_authority() -> None:
    draft = draft_of_table("n", toml('base_url = "x"\ntls = { ca_file = "c", verify = false }'))
    assert not draft.verify
    assert table_of(replace(draft, verify=True))["tls"] == {"ca_file": "c"}
    alone = draft_of_table("n", toml('base_url = "x"\ntls = { verify = false }'))
    assert "tls" not in table_of(replace(alone, verify=True))


def test_what_is_empty_is_left_out() -> None:
    draft = Draft("n", base_url=" https://h.example ", model=" ", key_from="none", key="left over")
    assert table_of(draft) == {"dialect": "openai-chat", "base_url": "https://h.example"}


def test_a_key_that_stands_in_a_table_is_never_shown_and_not_lost_without_a_word() -> None:
    draft = draft_of_table("n", toml(f'base_url = "https://h.example"\napi_key = "{KEY}"'))
    assert KEY not in repr(draft)
    problem = problem_of(draft)
    assert problem is not None
    assert problem.field == "key"


def test_a_known_endpoint_has_the_variable_of_its_vendor() -> None:
    known = Endpoint("groq", "openai-chat", "https://api.groq.com/openai/v1", "llama")
    assert draft_of_known(known) == Draft(
        "groq", "openai-chat", "https://api.groq.com/openai/v1", "llama", key="GROQ_API_KEY"
    )
    assert draft_of_known(Endpoint("ollama", "ollama", "http://h:1")).key_from == "none"


def test_a_copy_has_a_name_that_is_free() -> None:
    assert copy_of(DRAFT, {}).name == "mirror-2"
    assert copy_of(DRAFT, {"mirror-2": 0, "mirror-3": 0}).name == "mirror-4"


def test_a_good_draft_has_no_problem() -> None:
    assert problem_of(DRAFT) is None
    assert problem_of(replace(DRAFT, key_from="file", key="/home/me/.key")) is None
    assert problem_of(replace(DRAFT, key_from="command", key="pass show 'my key'")) is None
    assert problem_of(replace(DRAFT, key_from="none", key="")) is None
    for proxy in ("office", "env", "direct", "http://host:3128", "http://me@host:3128"):
        assert problem_of(replace(DRAFT, proxy=proxy)) is None


@pytest.mark.parametrize("key_from", [each for each in KEY_FROM if each != "none"])
@pytest.mark.parametrize(
    "key",
    [KEY, "gsk_0123456789abcdefABCDEF", "AIzaSyA0123456789abcdefghijklmnopqrstu", "a1B2" * 10],
)
def test_a_key_in_the_place_of_its_source_is_refused(key_from: KeyFrom, key: str) -> None:
    problem = problem_of(replace(DRAFT, key_from=key_from, key=key))
    assert problem is not None
    assert problem.field == "key"
    assert "belongs into an environment variable" in problem.words
    assert key not in problem.words


def test_a_key_in_another_field_is_refused() -> None:
    wrong = {
        "name": replace(DRAFT, name=KEY),
        "model": replace(DRAFT, model=KEY),
        "proxy": replace(DRAFT, proxy=KEY),
    }
    for field, draft in wrong.items():
        problem = problem_of(draft)
        assert problem is not None
        assert problem.field == field
        assert KEY not in problem.words


def test_a_command_with_a_key_among_its_words_is_refused() -> None:
    problem = problem_of(replace(DRAFT, key_from="command", key=f"echo {KEY}"))
    assert problem is not None
    assert "looks like a key" in problem.words


@pytest.mark.parametrize(
    "proxy", ["http://me:secret-7@host:3128", "me:secret-7@host", "http://me:secret-7@host:x"]
)
def test_a_password_of_a_proxy_is_refused_with_its_right_place(proxy: str) -> None:
    problem = problem_of(replace(DRAFT, proxy=proxy))
    assert problem is not None
    assert problem.field == "proxy"
    assert "password_env" in problem.words
    assert "secret-7" not in problem.words


@pytest.mark.parametrize(
    ("key_from", "key", "words"),
    [
        ("environment variable", " ", "NAME of an environment variable, or choose none"),
        ("file", "", "path of a file that only you can read, or choose none"),
        ("command", "", "such as: pass show openai, or choose none"),
        ("command", "pass show 'open", "a quote in the command is not closed"),
        ("environment variable", "two words", "takes the NAME of an environment variable"),
    ],
)
def test_a_source_that_is_none_is_refused(key_from: KeyFrom, key: str, words: str) -> None:
    problem = problem_of(replace(DRAFT, key_from=key_from, key=key))
    assert problem is not None
    assert problem.field == "key"
    assert words in problem.words


@pytest.mark.parametrize(
    ("key", "field", "words"),
    [
        ("endpoints.'a.b'.base_url", "base_url", "base_url: expected more"),
        ("endpoints.'a.b'.tls.ca_file", "verify", "tls.ca_file: expected more"),
        ("endpoints.'a.b'.api_key_file", "key", "api_key_file: expected more"),
        ("endpoints.'a.b'", "name", "expected more"),
        ("endpoints.'a.b'.retries", "", "f.toml:3: endpoints.'a.b'.retries: expected more"),
        ("endpoints.other.base_url", "", "f.toml:3: endpoints.other.base_url: expected more"),
    ],
)
def test_a_mistake_leads_to_its_field(key: str, field: str, words: str) -> None:
    error = ConfigError("expected more", file="f.toml", line=3, key=key)
    assert problem_of_error(error, "a.b") == (field, words)
