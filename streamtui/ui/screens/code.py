"""Which block of code to copy, where a session has several."""

from collections.abc import Sequence

from textual.content import Content

from streamtui.safe_text import safe_line
from streamtui.ui.copying import CodePiece
from streamtui.ui.screens.chooser import Choice, Chooser

LANGUAGE_CELLS = 12
_SEEN_CHARS = 60
_MOST_DIGITS = 9
"""What is pasted may have more than `int` reads."""


class CodeChooser(Chooser):
    """Answers the index of a piece. The number that is typed is that of a row, nothing else."""

    TITLE_WORDS = "copy which code block?"
    PLACEHOLDER = "its number, or words in it"
    KEYS = (("↑↓", "choose"), ("enter", "copy"), ("esc", "close"))

    def __init__(self, pieces: Sequence[CodePiece]) -> None:
        # The last one is the likeliest.
        super().__init__([_choice(index, pieces[index]) for index in reversed(range(len(pieces)))])

    def matching(self, text: str) -> list[Choice]:
        """The row of that number, or else those with all words."""
        number = text.strip()
        if number.isdecimal() and len(number) <= _MOST_DIGITS:
            rows = [choice for choice in self._choices if choice.value == str(int(number) - 1)]
            return rows or super().matching(text)
        return super().matching(text)


def _choice(index: int, piece: CodePiece) -> Choice:
    language = safe_line(piece.language, limit=LANGUAGE_CELLS)
    begins = safe_line(piece.text.strip().partition("\n")[0], limit=_SEEN_CHARS)
    plural = "" if piece.line_count == 1 else "s"
    label = Content.assemble(
        (f"{index + 1:>3} ", "$primary"),
        (f"{language:<{LANGUAGE_CELLS}} ", "$muted"),
        begins,
        (f"  {piece.line_count:,} line{plural}", "$muted"),
    )
    return Choice(label, f"{language} {piece.text}".lower(), str(index))
