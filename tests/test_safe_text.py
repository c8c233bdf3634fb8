"""What a terminal may see of untrusted text."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from streamtui.safe_text import _VISIBLE, join_surrogates, safe_line, safe_text

CASES: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parent / "cases" / "security_cases.json").read_text(encoding="utf-8")
)
SHOWN = CASES["escape_payloads"] + CASES["must_survive"]

ANY_CHARACTER = st.characters(exclude_categories=())
NASTY = st.sampled_from(
    "\x00\x07\x0e\x1b\x7f\x85\x9b\x9d\u061c\u200d\u200e\u2028\u202e\u2066\u206f"
    "\ud83d\udc69\ufeff\U000e0041\r\n\t[];m aé水"
)
ANY_TEXT = st.text(ANY_CHARACTER | NASTY)


def by_id(case: dict[str, Any]) -> str:
    return str(case["id"])


def is_forbidden(character: str) -> bool:
    if character in "\n\t":
        return False
    code = ord(character)
    return (
        unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}
        or unicodedata.bidirectional(character)
        in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
        or character in "\u061c\u200e\u200f\ufeff"
        or 0xE0000 <= code <= 0xE007F
    )


@pytest.mark.parametrize("case", SHOWN, ids=by_id)
def test_case_is_shown_as_specified(case: dict[str, Any]) -> None:
    assert safe_text(case["text"]) == case["shown"]


@pytest.mark.parametrize("case", CASES["escape_payloads"], ids=by_id)
def test_payload_loses_its_power_in_text_and_in_a_line(case: dict[str, Any]) -> None:
    for shown in (safe_text(case["text"]), safe_line(case["text"])):
        assert not [part for part in case["must_not_contain"] if part in shown]


@pytest.mark.parametrize("case", CASES["markup"], ids=by_id)
def test_markup_is_left_alone(case: dict[str, Any]) -> None:
    assert safe_text(case["text"]) == case["text"]


@pytest.mark.parametrize("case", CASES["escape_payloads"], ids=by_id)
def test_payload_fed_character_by_character_is_shown_the_same(case: dict[str, Any]) -> None:
    assert "".join(map(safe_text, case["text"])) == case["shown"]


def test_every_character_of_unicode_is_harmless_or_made_so() -> None:
    leaked = [code for code in range(0x110000) if any(map(is_forbidden, safe_text(chr(code))))]
    assert not leaked


def test_the_fast_path_never_hides_a_character_of_the_table() -> None:
    assert not [code for code in _VISIBLE if chr(code).isprintable()]


def test_invisible_tags_and_byte_order_marks_are_dropped() -> None:
    assert safe_text("\ufeffa\U000e0041\U000e007fb") == "ab"


@pytest.mark.parametrize(
    "mark", "\u061c\u200e\u200f\u202a\u202d\u202e\u2066\u2069\u2028\u2029\ud800"
)
def test_characters_that_reorder_or_break_are_seen(mark: str) -> None:
    assert safe_text(f"a{mark}b") == "a\ufffdb"


@pytest.mark.parametrize(
    "text",
    ["क्\u200dष", "می\u200cخواهم", "❤\ufe0f", "🇨🇭", "葛\U000e0100", "zero\u200bwidth", "\xa0"],
)
def test_joiners_selectors_and_spaces_of_real_scripts_stay(text: str) -> None:
    assert safe_text(text) == text


@given(ANY_TEXT)
def test_nothing_forbidden_comes_out(text: str) -> None:
    assert not any(map(is_forbidden, safe_text(text)))


@given(ANY_TEXT)
def test_what_comes_out_can_be_encoded(text: str) -> None:
    assert safe_text(text).encode().decode() == safe_text(text)


@given(ANY_TEXT)
def test_safe_text_is_left_as_it_is(text: str) -> None:
    assert safe_text(safe_text(text)) == safe_text(text)


@given(ANY_TEXT, ANY_TEXT)
def test_chunks_apart_are_the_text_as_a_whole(left: str, right: str) -> None:
    assume(not (left.endswith("\r") and right.startswith("\n")))
    assert safe_text(left + right) == safe_text(left) + safe_text(right)


def test_a_line_end_split_between_chunks_is_harmless() -> None:
    assert safe_text("a\r") + safe_text("\nb") == "a␍\nb"


def test_a_line_shows_line_ends_and_flattens_tabs() -> None:
    assert safe_line("a\r\nb\nc\td") == "a⏎b⏎c d"


@pytest.mark.parametrize(
    ("text", "limit", "shown"),
    [
        ("title", 5, "title"),
        ("titles", 5, "titl…"),
        ("two words", 5, "two…"),
        ("水晶般清澈", 3, "水晶…"),
        ("\ufeffab", 2, "ab"),
        ("a\r\nb", 3, "a⏎b"),
        ("anything", 1, "…"),
        ("anything", 0, ""),
        ("", 0, ""),
    ],
)
def test_a_line_is_cut_with_an_ellipsis(text: str, limit: int, shown: str) -> None:
    assert safe_line(text, limit) == shown


@given(ANY_TEXT, st.integers(0, 12))
def test_a_line_has_one_line_within_its_limit(text: str, limit: int) -> None:
    line = safe_line(text, limit)
    assert len(line) <= limit
    assert not any(character in "\n\t" or is_forbidden(character) for character in line)


def test_halves_of_a_character_are_joined() -> None:
    assert join_surrogates("a\ud83d" + "\udc69z") == "a👩z"


@pytest.mark.parametrize("text", ["\ud83d", "\udc69z", "\udc69\ud83d", "a\ud83db"])
def test_halves_without_a_partner_become_visible(text: str) -> None:
    assert join_surrogates(text) == "".join(
        "\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text
    )


@given(ANY_TEXT)
def test_joined_text_can_be_encoded_and_the_rest_is_kept(text: str) -> None:
    joined = join_surrogates(text)
    assert joined.encode().decode() == joined
    assert [c for c in joined if ord(c) < 0xD800] == [c for c in text if ord(c) < 0xD800]


@given(st.text())
def test_text_without_halves_is_returned_as_it_is(text: str) -> None:
    assert join_surrogates(text) is text
