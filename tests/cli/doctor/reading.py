"""How tests read findings."""

from collections.abc import Iterable

from streamtui.cli.doctor.findings import Finding


def states(findings: Iterable[Finding]) -> list[str]:
    return [finding.state for finding in findings]


def about(findings: Iterable[Finding], words: str) -> Finding:
    """The one finding that speaks of something."""
    found = [finding for finding in findings if words in finding.words]
    assert len(found) == 1, (words, found)
    return found[0]


def fix_lines(finding: Finding) -> tuple[str, ...]:
    assert finding.fix is not None, finding
    return finding.fix.lines


def where(finding: Finding) -> str:
    assert finding.fix is not None, finding
    return finding.fix.where
