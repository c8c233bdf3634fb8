"""Questions to whoever sits at the terminal, before something is lost."""

import sys

import click

from streamtui.cli.output import Trouble, is_terminal
from streamtui.safe_text import safe_line


def agrees(question: str, *, otherwise: str) -> bool:
    """Whether the answer is yes. Where there is nobody to ask, raises Trouble with `otherwise`."""
    if not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        raise Trouble(otherwise)
    click.echo(f"{safe_line(question)} [y/N] ", err=True, nl=False)
    answer = sys.stdin.readline()
    if not answer:
        # Ctrl+D: the line of the question is still open.
        click.echo(err=True)
    return answer.strip().lower() in {"y", "yes"}
