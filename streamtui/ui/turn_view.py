"""One turn as blocks: growing while it streams, Markdown once it has ended. Pure: no Textual."""

from collections.abc import Iterator
from typing import NamedTuple

from streamtui.event_words import describe
from streamtui.events import Metrics, RunCancelled, RunCutOff, RunFailed
from streamtui.ui.arriving import GrowingText
from streamtui.ui.blocks import (
    Block,
    FoldBlock,
    Kind,
    NoteBlock,
    ToolHeadBlock,
    WordCount,
    prompt_blocks,
)
from streamtui.ui.border_text import phase_role
from streamtui.ui.pane_state import GLYPHS, ToolCall, Turn
from streamtui.ui.rows import Row, Span, wrap_spans
from streamtui.ui.stretches import seam
from streamtui.ui.text_block import TextBlock

_LINES_PER_CALL = 1_000_000
_USUAL_REASONS = frozenset(
    ("", "stop", "end_turn", "stop_sequence", "tool_calls", "tool_use", "completed")
)


class Spot(NamedTuple):
    """A place in a turn that survives a new layout: it names text, not rows."""

    kind: Kind
    line: int
    offset: int


class GrowingBlocks:
    """A text that streams in, as a list of blocks of which only the last one grows."""

    def __init__(
        self, source: GrowingText, kind: Kind, role: str, *, gap: int = 1, first_line: int = 0
    ) -> None:
        self._source = source
        self._taken = 0
        self._kind: Kind = kind
        self._role = role
        self._last = TextBlock(kind, role, gap=gap, first_line=first_line)
        self.blocks: list[Block] = []

    def sync(self, *, live: bool) -> None:
        """Take what has come; `live` says whether the cursor stands at the end."""
        if text := self._source.since(self._taken):
            self._taken += len(text)
            self._take(text)
        if self._last.live and not live:
            self._last.close()

    def _take(self, text: str) -> None:
        if not self.blocks:
            # The line ends with which many answers begin are no part of what they say.
            text, skipped = text.lstrip("\r\n"), text
            self._last.first_line += skipped.count("\n") - text.count("\n")
            if not text:
                return
            self.blocks.append(self._last)
        *lines, tail = text.split("\n")
        for line in lines:
            self._add(line)
            if self._last.is_full:
                self._go_on(self._last.first_line + self._last.line_count, 0)
            else:
                self._last.take("\n")
        self._add(tail)

    def _add(self, text: str) -> None:
        """Text within a line, which may get too long for one block."""
        while (cut := seam(text, self._last.line_chars)) is not None:
            self._last.take(text[:cut])
            line = self._last.first_line + self._last.line_count - 1
            self._go_on(line, self._last.end_offset)
            text = text[cut:]
        self._last.take(text)

    def _go_on(self, line: int, offset: int) -> None:
        """Close a long block and go on in another one."""
        self._last.close()
        self._last = TextBlock(self._kind, self._role, gap=0, first_line=line, first_offset=offset)
        self.blocks.append(self._last)


class TurnView:
    """The blocks of a turn; `sync` brings them up to date."""

    def __init__(self, turn: Turn, *, gap: int, folded: bool = False) -> None:
        self.turn = turn
        self.blocks: list[Block] = []
        self._prompt = prompt_blocks(turn.prompt, gap=gap)
        self._reasoning = GrowingBlocks(turn.reasoning_pieces, "reasoning", "reasoning")
        self._answer = GrowingBlocks(turn.text_pieces, "answer", "")
        self._refusal = GrowingBlocks(turn.refusal_pieces, "refusal", "warning")
        self._tools: dict[int, tuple[ToolHeadBlock, GrowingBlocks]] = {}
        self._words = WordCount(turn.reasoning_pieces)
        self._folded = folded
        self._fold = FoldBlock(0, folded=False)
        self._fold_key = (0, False)
        self._closed: list[Block] | None = None

    @property
    def is_closed(self) -> bool:
        return self._closed is not None

    def sync(self, *, may_fold: bool, show_reasoning: bool) -> None:
        """Take what has come. Reasoning is folded only when `may_fold`: nobody reads it then."""
        if self.turn.let_go:
            answer = self._closed = self._closed or [AbsentBlock(self.turn)]
        elif self.turn.end is None:
            answer = self._sync_open()
        else:
            answer = self._closed = self._closed or self._close()
        self._folded = self._is_answering and not show_reasoning and (may_fold or self._folded)
        self.blocks = [*self._prompt, *self._reasoning_blocks(), *answer, *self._notes()]

    @property
    def is_folded(self) -> bool:
        """Whether there is reasoning, and it is not shown."""
        return self._folded and bool(self._reasoning.blocks)

    @property
    def _is_answering(self) -> bool:
        return self._is_answered or self.turn.end is not None

    @property
    def _is_answered(self) -> bool:
        """Whether anything of an answer has come."""
        turn = self.turn
        return bool(turn.text_pieces or turn.refusal_pieces or turn.calls_by_index)

    def _sync_open(self) -> list[Block]:
        calling = bool(self.turn.calls_by_index)
        self._reasoning.sync(live=not self._is_answering)
        self._answer.sync(live=not calling)
        self._refusal.sync(live=not calling)
        calls = self.turn.tool_calls
        tools = [
            block
            for number, call in enumerate(calls)
            for block in self._tool_blocks(number, call, live=number == len(calls) - 1)
        ]
        return [*self._answer.blocks, *self._refusal.blocks, *tools]

    def _tool_blocks(self, number: int, call: ToolCall, *, live: bool) -> list[Block]:
        found = self._tools.get(number)
        if found is None or found[0].name != call.name:
            found = self._tools[number] = _new_tool(number, call.name, call.argument_pieces)
        head, arguments = found
        arguments.sync(live=live)
        return [head, *arguments.blocks]

    def _close(self) -> list[Block]:
        """The blocks of a turn that has ended."""
        # Not needed for the first frame, and 30 ms to import.
        from streamtui.ui.markdown import closed_tool_blocks, markdown_blocks

        self._reasoning.sync(live=False)
        self._refusal.sync(live=False)
        blocks: list[Block] = list(markdown_blocks(self.turn.text, gap=1))
        blocks += self._refusal.blocks
        for number, call in enumerate(self.turn.tool_calls):
            blocks += closed_tool_blocks(call, number * _LINES_PER_CALL)
        # The streamed rows are not needed any more.
        self._answer = GrowingBlocks(GrowingText(), "answer", "")
        self._tools.clear()
        return blocks

    def _reasoning_blocks(self) -> list[Block]:
        blocks = self._reasoning.blocks
        if not blocks or not self._is_answering:
            return blocks
        key = (len(self.turn.reasoning_pieces), self._folded)
        if self._fold_key != key:
            self._fold_key = key
            self._fold = FoldBlock(self._words.count(), folded=self._folded)
        return [self._fold] if self._folded else [self._fold, *blocks]

    def _notes(self) -> Iterator[Block]:
        turn = self.turn
        metrics = turn.metrics or Metrics()
        if turn.end == "failed" and turn.error is not None:
            yield _end_note(turn, describe(RunFailed(turn.error, metrics)).words)
        elif turn.end == "cut off" and turn.error is not None:
            yield _end_note(turn, describe(RunCutOff(turn.error, metrics)).words)
        elif turn.end == "cancelled":
            yield _end_note(turn, describe(RunCancelled(metrics)).words)
        elif turn.end == "done" and (turn.finish_reason or "").lower() not in _USUAL_REASONS:
            yield NoteBlock("▪", f"the endpoint ended it: {turn.finish_reason}", "muted")
        elif turn.end == "done" and not (self._is_answered or turn.reasoning_pieces or turn.let_go):
            yield NoteBlock("▪", "the answer is empty", "muted")
        if turn.superseded:
            yield NoteBlock("↻", "asked again below; this answer is not sent back", "muted")

    def locate(self, spot: Spot, width: int) -> tuple[int, int]:
        """The block and row that show a spot, or what stands nearest before it."""
        index = 0
        for number, block in enumerate(self.blocks):
            begins = (block.first_line, block.first_offset)
            if block.kind == spot.kind and begins <= (spot.line, spot.offset):
                index = number
        row = 0
        for number, candidate in enumerate(self.blocks[index].rows(width)):
            if candidate.line >= 0 and candidate[1:3] <= (spot.line, spot.offset):
                row = number
        return index, row

    def spot(self, index: int, row: int, width: int) -> Spot:
        """What stands at a row, or near it when the row is in no source."""
        block = self.blocks[index]
        for candidate in block.rows(width)[row:]:
            if candidate.line >= 0:
                return Spot(block.kind, candidate.line, candidate.offset)
        return Spot(block.kind, block.first_line, block.first_offset)


class AbsentBlock(Block):
    """Stands for the text of a turn that is not in memory."""

    kind: Kind = "answer"
    gap = 1

    def __init__(self, turn: Turn) -> None:
        super().__init__()
        self.turn = turn

    def layout(self, width: int) -> list[Row]:
        what = f"{self.turn.let_go:,} characters"
        if self.turn.is_lost:
            words = f"{what} that could not be brought back from the history"
        else:
            words = f"{what} come back from the history …"
        return wrap_spans([Span(f"… {words}", "reasoning")], width, line=0)


def _new_tool(
    number: int, name: str, arguments: GrowingText
) -> tuple[ToolHeadBlock, GrowingBlocks]:
    first_line = number * _LINES_PER_CALL
    blocks = GrowingBlocks(arguments, "tool", "foreground", gap=0, first_line=first_line + 1)
    return ToolHeadBlock(name, first_line), blocks


def _end_note(turn: Turn, words: str) -> NoteBlock:
    end = turn.end or "failed"
    words = words if words.startswith(end) else f"{end}: {words}"
    return NoteBlock(GLYPHS[end], words, phase_role(end))
