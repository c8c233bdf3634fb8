"""One turn as blocks, of which those that have ended are Markdown. Pure: no Textual."""

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
from streamtui.ui.growing import GrowingBlocks, GrowingMarkdown
from streamtui.ui.pane_state import GLYPHS, ToolCall, Turn
from streamtui.ui.rows import Row, Span, wrap_spans

_LINES_PER_CALL = 1_000_000
_USUAL_REASONS = frozenset(
    ("", "stop", "end_turn", "stop_sequence", "tool_calls", "tool_use", "completed")
)


class Spot(NamedTuple):
    """A place in a turn that survives a new layout: it names text, not rows."""

    kind: Kind
    line: int
    offset: int


class TurnView:
    """The blocks of a turn; `sync` brings them up to date."""

    def __init__(self, turn: Turn, *, gap: int, folded: bool = False) -> None:
        self.turn = turn
        self.blocks: list[Block] = []
        self._prompt = prompt_blocks(turn.prompt, gap=gap)
        self._reasoning = GrowingBlocks(turn.reasoning_pieces, "reasoning", "reasoning")
        self._answer = GrowingMarkdown(turn.text_pieces)
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
    def first_open(self) -> int:
        """The first block that may be replaced by others while the turn goes on."""
        if self.is_closed:
            return len(self.blocks)
        return len(self._prompt) + len(self._reasoning_blocks()) + len(self._answer.closed)

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
        self._answer = GrowingMarkdown(GrowingText())
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
