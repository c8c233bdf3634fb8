from streamtui.config import Endpoint, Proxy
from streamtui.engine.confidential import MAX_MESSAGE_CHARS, Confidential
from streamtui.errors import EXCERPT_CHARS, ProtocolError
from streamtui.events import (
    Chunk,
    KeepAliveReceived,
    MalformedFrame,
    TextDelta,
    UnknownFrame,
)
from streamtui.redact import Secret

KEY = "sk-SECRETsecret0123456789"
ENDPOINT = Endpoint(
    "mirror",
    "openai-chat",
    "https://api.invalid/v1",
    api_key=Secret(KEY),
    proxy=Proxy("office", "http://proxy.invalid:1", "me", Secret("PROXYpassword")),
    headers={"X-Team": "console", "X-Team-Token": "team-token-0123456789"},
)


def test_no_secret_of_the_endpoint_is_in_the_words_of_an_error() -> None:
    error = ProtocolError(
        f"rejected {KEY}, PROXYpassword and team-token-0123456789 of console",
        excerpt=f"key={KEY}",
    )
    info = Confidential(ENDPOINT).error_info(error)
    for secret in (KEY, "PROXYpassword", "team-token-0123456789"):
        assert secret not in repr(info)
    assert "console" in info.message


def test_a_key_in_a_header_is_hidden_without_its_scheme_too() -> None:
    headers = {"Authorization": "Bearer correct-horse", "Cookie": "ordinary=words"}
    confidential = Confidential(
        Endpoint("e", "openai-chat", "https://api.invalid", headers=headers)
    )
    error = ProtocolError("no such key: correct-horse; Bearer correct-horse; ordinary words")
    assert confidential.error_info(error).message == "no such key: ***; ***; ordinary words"


def test_a_key_across_the_place_where_words_are_cut_is_hidden_whole() -> None:
    for before in range(EXCERPT_CHARS - len(KEY), EXCERPT_CHARS + 1):
        error = ProtocolError("x", excerpt="." * before + KEY + "." * 100)
        info = Confidential(ENDPOINT).error_info(error)
        assert "sk-SEC" not in info.excerpt
        assert len(info.excerpt) <= EXCERPT_CHARS


def test_a_message_of_megabytes_is_cut() -> None:
    info = Confidential(ENDPOINT).error_info(ProtocolError("é" * 12_000_000))
    assert len(info.message) <= MAX_MESSAGE_CHARS


def test_frames_that_are_no_answer_do_not_quote_the_key() -> None:
    confidential = Confidential(ENDPOINT)
    chunk = Chunk((UnknownFrame("ping", KEY), MalformedFrame("no JSON", f"{KEY}{{")))
    assert KEY not in repr(confidential.conceal(chunk))
    assert KEY not in repr(confidential.conceal(KeepAliveReceived(f"for {KEY}")))


def test_the_answer_itself_is_left_as_it_is() -> None:
    chunk = Chunk((TextDelta(f"you typed {KEY}"),))
    assert Confidential(ENDPOINT).conceal(chunk) is chunk
