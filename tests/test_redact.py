"""Secrets never come out, and ordinary text is left alone."""

import copy
import json
import pickle
import traceback
from base64 import b64encode
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.pretty import pretty_repr

from streamtui.redact import _STAND_INS, MASK, Redactor, Secret, mask_url

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "cases" / "security_cases.json").read_text(encoding="utf-8")
)["redaction"]
KEY = "hunter2-my-literal-key"


def by_id(case: dict[str, Any]) -> str:
    return str(case["id"])


def redactor_of(*values: str) -> Redactor:
    redactor = Redactor()
    for value in values:
        redactor.add(Secret(value))
    return redactor


class Account(msgspec.Struct):
    name: str
    key: Secret | None = None


# --- the type -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "show",
    [repr, str, "{}".format, "{0!r:>5}".format, pretty_repr, lambda s: "%s %r" % (s, s), ascii],  # noqa: UP031
)
def test_a_secret_shows_only_stars(show: Any) -> None:
    for holder in (Secret(KEY), [Secret(KEY)], {"k": Secret(KEY)}, Account("a", Secret(KEY))):
        assert MASK in show(holder)
        assert "hunter2" not in show(holder)


def test_a_secret_is_formatted_like_its_mask() -> None:
    assert f"{Secret(KEY):>5}|" == "  ***|"


def test_a_secret_is_a_value() -> None:
    assert Secret(KEY).reveal() == KEY
    assert Secret(KEY) == Secret(KEY) != Secret("other")
    assert len({Secret(KEY), Secret(KEY), Secret("other")}) == 2
    assert copy.copy(Secret(KEY)) == Secret(KEY) == pickle.loads(pickle.dumps(Secret(KEY)))


def test_a_secret_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Secret(KEY).value = "other"  # type: ignore[misc]


def test_a_secret_travels_inside_a_struct() -> None:
    account = Account("a", Secret(KEY))
    sent = msgspec.msgpack.encode(account)
    assert msgspec.msgpack.decode(sent, type=Account) == account


def test_blanks_and_line_ends_around_a_secret_are_dropped() -> None:
    assert Secret.of(f" \t{KEY}\r\n") == Secret(KEY)


@pytest.mark.parametrize("text", ["hunter2\nrest", "hunter2\rrest", "hunter2\0rest"])
def test_a_secret_of_several_lines_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(ValueError, match="one line") as direct:
        Secret.of(text)
    with pytest.raises(msgspec.ValidationError) as decoded:
        msgspec.convert({"name": "a", "key": {"value": text}}, Account)
    for caught in (direct, decoded):
        assert "hunter2" not in "".join(traceback.format_exception_only(caught.value))


# --- the specified cases --------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=by_id)
def test_case_with_known_secrets(case: dict[str, Any]) -> None:
    shown = redactor_of(*case["secrets"]).redact(case["text"])
    assert shown == case["shown"]
    assert not [secret for secret in case["secrets"] if secret in shown]


@pytest.mark.parametrize("case", [c for c in CASES if c["id"] != "known-value"], ids=by_id)
def test_case_by_its_shape_alone(case: dict[str, Any]) -> None:
    assert Redactor().redact(case["text"]) == case["shown"]


# --- known values ---------------------------------------------------------------------------

VALUES = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=8, max_size=40
).filter(lambda value: value.lower() not in _STAND_INS)


@given(VALUES)
def test_a_known_value_is_hidden_however_it_is_written(value: str) -> None:
    redactor = Redactor()
    redactor.add(Secret(value), username="bob")
    spellings = (
        value,
        quote(value),
        quote(value, safe=""),
        quote_plus(value),
        quote(value, safe="").replace("%2F", "%2f"),
        json.dumps(value, ensure_ascii=False)[1:-1],
        b64encode(f"bob:{value}".encode()).decode(),
        b64encode(f"{value}:".encode()).decode(),
    )
    assert {redactor.redact(f"<{spelling}>") for spelling in spellings} == {f"<{MASK}>"}


def test_a_value_that_was_configured_quoted_is_hidden_unquoted() -> None:
    assert (
        redactor_of("hunter2%21%2F").redact("password hunter2!/ refused") == "password *** refused"
    )


def test_the_longer_of_two_values_wins() -> None:
    assert redactor_of("abcdefgh", "abcdefgh-ijkl").redact("<abcdefgh-ijkl>") == "<***>"


def test_a_short_value_is_hidden_as_a_word_only() -> None:
    assert redactor_of("salt7").redact("salt7, salt7y basalt7") == "***, salt7y basalt7"


@pytest.mark.parametrize("value", ["", "x", "abc", "ollama", "EMPTY", "not-needed"])
def test_a_value_that_is_no_secret_does_not_blot_out_the_text(value: str) -> None:
    text = "ollama: abc is not-needed, x EMPTY"
    assert redactor_of(value).redact(text) == text


@pytest.mark.parametrize(
    "echo",
    ["hunt****-key", "hunter2…key", "hunter2-my...", "****-key", "••••••••l-key", "hunter2-***"],
)
def test_an_echo_with_the_ends_of_a_known_value_is_hidden(echo: str) -> None:
    assert redactor_of(KEY).redact(f"bad key {echo}") == "bad key ***"


@pytest.mark.parametrize(
    "text", ["**bold****italic**", "wait...", "a…b", "*****", "h...ey", "2****3"]
)
def test_stars_and_dots_of_ordinary_text_stay(text: str) -> None:
    assert redactor_of(KEY).redact(text) == text


# --- shapes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("authorization: Bearer abc was refused", "authorization: *** was refused"),
        ("Authorization: Foo abc def", "Authorization: ***"),
        (
            'Authorization: Digest username="bob", response="abc"\nHost: h',
            "Authorization: ***\nHost: h",
        ),
        (
            "curl -H 'Authorization: Bearer abc' https://h/v1",
            "curl -H 'Authorization: ***' https://h/v1",
        ),
        ('curl -H "Cookie: a=b; c=d" https://h', 'curl -H "Cookie: ***" https://h'),
        ("Set-Cookie: sid=abc; HttpOnly", "Set-Cookie: ***"),
        ("Ocp-Apim-Subscription-Key: abc, next", "Ocp-Apim-Subscription-Key: ***, next"),
        ("X-Auth-Token:abc", "X-Auth-Token:***"),
        (
            "((b'x-api-key', b'abc'), (b'Host', b'h'))",
            "((b'x-api-key', b'***'), (b'Host', b'h'))",
        ),
        ('{"Authorization":"Bearer abc","a":1}', '{"Authorization":"***","a":1}'),
        (r'"{\"api_key\": \"a\\\"b\", \"n\": 1}"', r'"{\"api_key\": \"***\"b\", \"n\": 1}"'),
        (r'{"api_key": "a\"b", "n": 1}', '{"api_key": "***", "n": 1}'),
        ('{"api_key": "cut off he', '{"api_key": "***'),
        ("OPENAI_API_KEY=zzz-custom-123456", "OPENAI_API_KEY=***"),
        ("client(api_key='abc', n=1)", "client(api_key='***', n=1)"),
        ("password = 'a b c'", "password = '***'"),
        ("https://h/v1?key=abc&alt=sse", "https://h/v1?key=***&alt=sse"),
        ("(https://h/?a=1&amp;access_token=abc)", "(https://h/?a=1&amp;access_token=***)"),
        ("https://h/?X-Amz-Signature=abc#top", "https://h/?X-Amz-Signature=***#top"),
        ("http://u:p@ss@h/x", "http://***@h/x"),
        ("URL('https://token@h')", "URL('https://***@h')"),
        ("socks5h://u:p@[::1]:1080", "socks5h://***@[::1]:1080"),
        ("sent Basic dTpQV1NFQ1JFVA== to h", "sent Basic *** to h"),
        ("key AIzaSyA-1234567890abcdefghijklmnopqrstu", "key ***"),
        ("AKIAIOSFODNN7EXAMPLE", "***"),
        ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln.", "jwt ***."),
    ],
)
def test_a_secret_is_known_by_its_place_or_shape(text: str, shown: str) -> None:
    assert Redactor().redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "Enter your password: then press enter. How to bake an oatmeal cookie: take flour",
        'api_key_env = "OPENAI_API_KEY"',
        "client = OpenAI(api_key=os.environ['OPENAI_API_KEY'])",
        "api_key=load_key_2(path)",
        '{"token": "Hello", "prompt_tokens": 12, "max_tokens": 512, "api_key": null}',
        "Basic authentication, bearer certificates",
        "https://medium.com/@user/post?monkey=1 mail me@example.com",
        "http://[::1]:11434/v1",
        "sk-learn is scikit-learn; hf_hub_download; eyJ",
        "for key in keys: print(f'{key}={value}')",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert Redactor().redact(text) == text


WORDS = [
    "api_key",
    "Cookie: ",
    "a=b",
    "Bearer ",
    "Authorization: ",
    "sk-",
    "eyJ",
    "abc123def456ghi78",
]
MARKS = [
    "=",
    ": ",
    '"',
    "'",
    "\\",
    "\n",
    " ",
    "***",
    "****",
    "…",
    ",",
    "é",
    "http://",
    "u:p@",
    "?key=",
]
FRAGMENTS = st.sampled_from([KEY, *WORDS, *MARKS, *(case["text"] for case in CASES)])


@given(st.lists(FRAGMENTS, max_size=8).map("".join))
def test_a_known_value_survives_nowhere_and_redacting_again_hides_no_more_of_it(text: str) -> None:
    redactor = redactor_of(KEY)
    once = redactor.redact(text)
    assert KEY not in once
    assert KEY not in redactor.redact(once)


@pytest.mark.parametrize("case", CASES, ids=by_id)
def test_a_redacted_case_stays_as_it_is(case: dict[str, Any]) -> None:
    assert redactor_of(*case["secrets"]).redact(case["shown"]) == case["shown"]


MARK_RUNS = ["-", "*", "\\", '"', "\\'", " ", "@", "a***", "a...", "http://", "http://a:b@", "%70"]
BEGINNINGS = [
    "eyJ",
    "eyJaaaaaaaa.",
    "sk-a ",
    "bearer ",
    "cookie: a",
    "hunter2-my-literal-ke",
    "?key=",
]
NAMES = ["api_key=", 'api_key="', "api_key='\\\"", "Authorization: "]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", [*MARK_RUNS, *BEGINNINGS, *NAMES])
def test_a_megabyte_of_hostile_text_comes_to_an_end(piece: str) -> None:
    text = piece * (1_000_000 // len(piece)) + "\n" + KEY
    assert redactor_of(KEY).redact(text).endswith(MASK)
    assert mask_url(f"http://u:{KEY}@{text}").startswith("http://***@")


# --- URLs -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://api.openai.com/v1", "https://api.openai.com/v1"),
        ("https://gate.example/sk-aB3456789012345678/v1", "https://gate.example/***/v1"),
        ("http://u:p@proxy:3128", "http://***@proxy:3128"),
        ("socks5://u@proxy", "socks5://***@proxy"),
        ("u:p@proxy:3128", "***@proxy:3128"),
        ("http://u:p/w#d@proxy:3128", "http://***@proxy:3128"),
        ("http://u:p'a \"b@proxy", "http://***@proxy"),
        ("http://h:8080/users/@me", "http://h:8080/users/@me"),
        ("http://[::1]:8080/@me", "http://[::1]:8080/@me"),
        ("https://h/m?alt=sse&key=abc#x", "https://h/m?alt=sse&key=***#x"),
        ("", ""),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert mask_url(url) == shown
