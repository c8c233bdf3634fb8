"""Words on one line."""

from streamtui.ui.words import fitted


def test_words_are_cut_at_a_character() -> None:
    assert fitted([("ab", "x"), ("模型", "y"), ("cd", "z")], 5) == [
        *(("ab", "x"), ("模…", "y")),
    ]
    assert fitted([("ab", "x")], 4) == [("ab", "x"), ("  ", "")]
