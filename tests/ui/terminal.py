"""A terminal as its user sees it, without a program in it."""

import pyte

Cells = list[list[object]]


class Terminal:
    """What was written to it, drawn."""

    def __init__(self, width: int, height: int) -> None:
        self.screen = pyte.Screen(width, height)
        # As Textual sets it: what is too wide for a row must not scroll the screen.
        self.screen.reset_mode(7, private=True)
        self._stream = pyte.Stream(self.screen)

    def write(self, text: str) -> None:
        self._stream.feed(text)

    def text(self, y: int) -> list[str]:
        """What stands in each column of a row."""
        return [self.screen.buffer[y][x].data for x in range(self.screen.columns)]

    def cells(self) -> Cells:
        """What stands everywhere, and how."""
        buffer, screen = self.screen.buffer, self.screen
        return [[buffer[y][x] for x in range(screen.columns)] for y in range(screen.lines)]
