"""Text that streams in, as blocks of which only the last ones change. Pure: no Textual."""

from streamtui.ui.arriving import GrowingText
from streamtui.ui.block_ends import BlockEnds, End
from streamtui.ui.blocks import Block, Kind
from streamtui.ui.stretches import seam
from streamtui.ui.text_block import TextBlock


class GrowingBlocks:
    """Plain text from character `start` of a source on; only the last block grows.

    There is no block before there is text, unless other text stands before it.
    """

    def __init__(
        self,
        source: GrowingText,
        kind: Kind,
        role: str,
        *,
        gap: int = 1,
        first_line: int = 0,
        start: int = 0,
    ) -> None:
        self._source = source
        self._taken = start
        self._kind: Kind = kind
        self._role = role
        self._last = TextBlock(kind, role, gap=gap, first_line=first_line)
        self._begun = False
        self.blocks: list[Block] = [self._last] if start else []

    def sync(self, *, live: bool) -> None:
        """Take what has come; `live` says whether the cursor stands at the end."""
        if text := self._source.since(self._taken):
            self._taken += len(text)
            self._take(text)
        if self._last.live and not live:
            self._last.close()
            if not self._begun:
                self.blocks = []

    def _take(self, text: str) -> None:
        if not self._begun:
            # The line ends with which many answers begin are no part of what they say.
            text, skipped = text.lstrip("\r\n"), text
            if line_ends := skipped.count("\n") - text.count("\n"):
                first_line, gap = self._last.first_line + line_ends, self._last.gap
                self._last = TextBlock(self._kind, self._role, gap=gap, first_line=first_line)
                self.blocks = [self._last] if self.blocks else []
            if not text:
                return
            self._begun, self.blocks = True, [self._last]
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


class GrowingMarkdown:
    """An answer: Markdown as far as its blocks have ended, and the rest as the model writes it."""

    def __init__(self, source: GrowingText) -> None:
        self._source = source
        self._ends = BlockEnds()
        self._looked_through = 0
        self._begins = End(0, gap=1)
        """Where the open block begins."""
        self._first_line = 0
        self._open = GrowingBlocks(source, "answer", "")
        self.closed: list[Block] = []

    @property
    def blocks(self) -> list[Block]:
        return [*self.closed, *self._open.blocks]

    def sync(self, *, live: bool) -> None:
        """Take what has come; `live` says whether the cursor stands at the end."""
        if text := self._source.since(self._looked_through):
            self._looked_through += len(text)
            if ends := self._ends.take(text):
                self._close(ends)
        self._open.sync(live=live)

    def _close(self, ends: list[End]) -> None:
        # Not needed for the first frame, and 30 ms to import.
        from streamtui.ui.markdown import markdown_blocks

        text = self._source.since(self._begins.at)
        first = self._begins.at
        for end in ends:
            block = text[self._begins.at - first : end.at - first]
            gap = self._begins.gap
            self.closed += markdown_blocks(block, gap=gap, first_line=self._first_line)
            self._first_line += block.count("\n")
            self._begins = end
        self._open = GrowingBlocks(
            self._source,
            "answer",
            "",
            gap=self._begins.gap,
            first_line=self._first_line,
            start=self._begins.at,
        )
