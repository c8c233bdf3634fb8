import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtui.demo.tokens import estimate_tokens, graphemes, split_tokens

WHOLE_CHARACTERS = [
    "👩‍💻",
    "👨‍👩‍👧",
    "🏳️‍🌈",
    "🇵🇹",
    "👍🏽",
    "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "e\u0301",
    "\u1112\u1161\u11ab",
    "ก็",
]


@given(st.text())
def test_tokens_joined_are_the_text(text: str) -> None:
    assert "".join(split_tokens(text)) == text


@given(st.text(min_size=1))
def test_no_token_is_empty(text: str) -> None:
    assert all(split_tokens(text))


@pytest.mark.parametrize("character", WHOLE_CHARACTERS)
def test_a_character_of_many_code_points_is_never_cut(character: str) -> None:
    assert graphemes(character * 2) == [character, character]
    assert all(set(graphemes(token)) == {character} for token in split_tokens(character * 9))


def test_flags_pair_up_from_the_left() -> None:
    assert graphemes("🇵🇹🇩🇪🇫") == ["🇵🇹", "🇩🇪", "🇫"]


def test_no_text_has_no_characters() -> None:
    assert graphemes("") == []
    assert split_tokens("") == ()


def test_words_keep_the_blank_before_them() -> None:
    assert split_tokens("Sing to me,\nonce.") == ("Sing", " to", " me", ",", "\n", "once", ".")


def test_long_words_fall_into_even_pieces() -> None:
    assert split_tokens("internationalisation") == ("inter", "natio", "nalis", "ation")


def test_wide_characters_come_two_at_a_time() -> None:
    assert split_tokens("流式输出") == ("流式", "输出")


def test_a_line_end_of_two_characters_is_never_cut() -> None:
    assert split_tokens("a\r\nb\r") == ("a", "\r\n", "b", "\r")


def test_prompts_are_counted_by_four_bytes_a_token() -> None:
    assert estimate_tokens("Write me a 1 verse song about sparkling water.") == 12
    assert estimate_tokens("") == 0
