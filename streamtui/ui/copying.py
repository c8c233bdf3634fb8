"""What there is to copy in a session: answers, code, everything. Pure: no Textual, no clipboard.

Texts are as the model wrote them: they are made safe where they are drawn, not here.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from streamtui.ui.pane_state import Turn


class CodePiece(NamedTuple):
    """A block of code in an answer."""

    text: str
    """Without its fences, and without the indent and the marks of what it stands in."""
    language: str
    turn: int
    first_line: int
    """Its first line in the answer, the fence included."""
    last_line: int

    @property
    def line_count(self) -> int:
        return self.text.count("\n") + 1


def code_in(turns: Sequence[Turn]) -> list[CodePiece]:
    """All code of a session, from top to bottom; a block without an end goes on to that of its
    answer."""
    return [piece for number, turn in enumerate(turns) for piece in _code_in(number, turn.text)]


def _code_in(turn: int, text: str) -> Iterator[CodePiece]:
    if not any(mark in text for mark in ("```", "~~~", "    ", "\t")):
        return
    # Not needed for the first frame, and 30 ms to import.
    from streamtui.ui.markdown_inline import block_tokens

    for token in block_tokens(text):
        if token.type in {"fence", "code_block"} and token.map and token.content:
            words = token.info.split(maxsplit=1)
            first, end = token.map
            code = token.content.removesuffix("\n")
            yield CodePiece(code, words[0] if words else "", turn, first, end - 1)


def answer_in(turns: Sequence[Turn], read: int | None) -> str:
    """The answer of the turn that is read, or else the last one there is."""
    if read is not None and turns[read].text:
        return turns[read].text
    return next((turn.text for turn in reversed(turns) if turn.text), "")


def conversation(turns: Sequence[Turn]) -> str:
    """Prompts as quotes, and what came of each."""
    return "\n\n".join(part for turn in turns for part in _parts(turn))


def _parts(turn: Turn) -> Iterator[str]:
    if turn.prompt:
        yield "\n".join(f"> {line}".rstrip() for line in turn.prompt.split("\n"))
    yield from (text for text in (turn.text, turn.refusal) if text)
    for call in turn.tool_calls:
        yield f"{call.name or 'tool'}:\n\n```json\n{call.arguments}\n```"
