"""What is open and whom the prompt speaks to: pane order, current pane, marks, target, layout.

Pure bookkeeping: knows session ids only, neither Textual nor the engine.
"""

from dataclasses import dataclass, field
from enum import StrEnum

LAYOUTS = ("grid", "columns", "rows", "main", "tabs")


class Target(StrEnum):
    """Whom the prompt speaks to."""

    THIS = "this"
    MARKED = "marked"
    ALL = "all"


@dataclass
class Desk:
    """The open panes by session id, in the order of their numbers."""

    order: list[str] = field(default_factory=list)
    current: str = ""
    """The pane that `this` means; empty only while nothing is open."""
    marked: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    """Panes that nobody can speak to: they have no session in the engine."""
    target: Target = Target.THIS
    layout: str = LAYOUTS[0]
    zoomed: bool = False

    def add(self, session_id: str, *, at: int | None = None) -> None:
        """Open a pane, at the end or at a place; the first one is the current one."""
        self.order.insert(len(self.order) if at is None else at, session_id)
        self.current = self.current or session_id

    def remove(self, session_id: str) -> int:
        """Close a pane; returns where it was. Its right neighbour becomes the current one."""
        place = self.order.index(session_id)
        self.order.remove(session_id)
        self.marked.discard(session_id)
        self.silent.discard(session_id)
        if self.target is Target.MARKED and not self.marked:
            self.target = Target.THIS
        if self.current == session_id:
            self.current = self.order[min(place, len(self.order) - 1)] if self.order else ""
        return place

    def number(self, session_id: str) -> int:
        """The number in a pane's border, from 1; 0 for a session that has no pane."""
        return self.order.index(session_id) + 1 if session_id in self.order else 0

    def numbers(self) -> dict[str, int]:
        """The numbers of all panes."""
        return {session_id: number for number, session_id in enumerate(self.order, 1)}

    def toggle_mark(self) -> None:
        """Mark the current pane, or take its mark away; the prompt's target follows."""
        if self.current and self.current not in self.silent:
            self.marked ^= {self.current}
            self._target_follows_marks()

    def mark_all(self) -> None:
        """Mark every pane that one can speak to."""
        self.marked = set(self.order) - self.silent
        self._target_follows_marks()

    def mark_none(self) -> None:
        """Take all marks away."""
        self.marked.clear()
        self._target_follows_marks()

    def cycle_target(self) -> None:
        """From this pane to the marked ones (where there are any), to all, to this one again."""
        if self.target is Target.THIS and self.marked:
            self.target = Target.MARKED
        elif self.target is Target.ALL:
            self.target = Target.THIS
        else:
            self.target = Target.ALL

    def cycle_layout(self) -> str:
        """Go on to the next layout; returns its name."""
        self.zoomed = False
        self.layout = LAYOUTS[(LAYOUTS.index(self.layout) + 1) % len(LAYOUTS)]
        return self.layout

    def targets(self) -> list[str]:
        """The sessions that the prompt speaks to, in the order of their numbers."""
        match self.target:
            case Target.THIS:
                chosen = {self.current}
            case Target.MARKED:
                chosen = self.marked
            case Target.ALL:
                chosen = set(self.order)
        return [each for each in self.order if each in chosen and each not in self.silent]

    def target_words(self) -> str:
        """Whom the prompt speaks to, in words for its border."""
        match self.target:
            case Target.THIS:
                return f"this ({self.number(self.current)})" if self.targets() else "nobody"
            case Target.MARKED:
                return f"marked ({len(self.marked)})"
            case Target.ALL:
                return f"all ({len(self.targets())})"

    def _target_follows_marks(self) -> None:
        # Who marks a pane means to speak to it; who takes the last mark away does not mean "all".
        if self.target is not Target.ALL:
            self.target = Target.MARKED if self.marked else Target.THIS
