"""Findings on standard output: for people, or one JSON object a line."""

import sys
import textwrap
from collections import Counter
from typing import Protocol

import click

from streamtui.cli.doctor.facts import Facts
from streamtui.cli.doctor.findings import Finding, Fix, State
from streamtui.cli.outcome import worst
from streamtui.cli.output import emit_json, is_terminal
from streamtui.safe_text import safe_line

MOST_COLUMNS = 80
LEAST_COLUMNS = 40
_MARKS: dict[State, tuple[str, str]] = {
    "ok": ("✓", "green"),
    "note": ("!", "yellow"),
    "problem": ("✗", "red"),
}
_INDENT = " " * len("  ✓ problem  ")


class Writer(Protocol):
    """How findings are written."""

    def put(self, subject: str, finding: Finding) -> None:
        """Write one; those of a subject come one after another."""

    def end(self, counts: Counter[State]) -> None:
        """All has been said."""


class Report:
    """Writes findings as they come, and knows how it went in all."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._counts: Counter[State] = Counter()
        self._codes: set[int] = set()

    def put(self, subject: str, finding: Finding) -> None:
        self._counts[finding.state] += 1
        if finding.state == "problem":
            self._codes.add(finding.code)
        self._writer.put(subject, finding)

    def end(self) -> int:
        """Write what is last; returns the exit code."""
        self._writer.end(self._counts)
        return worst(self._codes)


class JsonWriter:
    """One object a line, for programs."""

    def put(self, subject: str, finding: Finding) -> None:
        fix = finding.fix
        line = {
            "subject": subject,
            "state": finding.state,
            "words": finding.words,
            "fix": "\n".join(fix.lines) if fix else None,
            "where": (fix.where or "shell") if fix else None,
        }
        emit_json(line)

    def end(self, counts: Counter[State]) -> None:
        """The lines have said it all."""


class TextWriter:
    """Headings and aligned lines, no wider than people like to read."""

    def __init__(self, columns: int, *, colours: bool) -> None:
        self._width = max(LEAST_COLUMNS, min(columns, MOST_COLUMNS))
        self._colours = None if colours else False
        self._subject = ""

    def put(self, subject: str, finding: Finding) -> None:
        if subject != self._subject:
            self._echo(click.style(subject, bold=True), above=bool(self._subject))
            self._subject = subject
        glyph, colour = _MARKS[finding.state]
        mark = click.style(f"{glyph} {finding.state:7}", fg=colour)
        first, *others = self._wrapped(safe_line(finding.words))
        self._echo(f"  {mark}  {first}")
        for line in others:
            self._echo(_INDENT + line)
        if finding.fix is not None:
            self._put_fix(finding.fix)

    def end(self, counts: Counter[State]) -> None:
        problems = _counted(counts["problem"], "problem") or "No problems"
        notes = _counted(counts["note"], "note")
        self._echo(f"{problems}, {notes}." if notes else f"{problems}.", above=True)

    def _put_fix(self, fix: Fix) -> None:
        """Lines to be copied are never broken."""
        where = f"in {safe_line(fix.where)}:" if fix.where else "run:"
        lines = [safe_line(line) for line in fix.lines]
        beside = f"{_INDENT}{where}  {lines[0]}"
        if len(lines) == 1 and len(beside) <= self._width:
            self._echo(f"{_INDENT}{click.style(where, dim=True)}  {lines[0]}")
            return
        self._echo(_INDENT + click.style(where, dim=True))
        for line in lines:
            self._echo(f"{_INDENT}  {line}")

    def _wrapped(self, words: str) -> list[str]:
        width = self._width - len(_INDENT)
        return textwrap.wrap(words, width, break_long_words=False, break_on_hyphens=False) or [""]

    def _echo(self, line: str, *, above: bool = False) -> None:
        """One line, with an empty one above it where something new begins."""
        click.echo(f"\n{line}" if above else line, color=self._colours)


def writer_for(facts: Facts, *, as_json: bool) -> Writer:
    """The writer for this standard output."""
    if as_json:
        return JsonWriter()
    columns = facts.size[0] if facts.size and is_terminal(sys.stdout) else MOST_COLUMNS
    return TextWriter(columns, colours=facts.term != "dumb" and "NO_COLOR" not in facts.environ)


def _counted(number: int, what: str) -> str:
    if not number:
        return ""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
