"""Runs of the history as lines for people and as objects for programs. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from msgspec import structs

from streamtui.cli.tables import short_ids, table, whom
from streamtui.engine.reports import RunSummary

GLYPHS = {
    "queued": "≡",
    "streaming": "●",
    "done": "✓",
    "cut off": "↯",
    "interrupted": "↯",
    "failed": "✗",
    "cancelled": "⊘",
}
_COLUMNS = ("RUN", "WHEN", "STATE", "ENDPOINT", "PROMPT")


def list_lines(
    runs: Sequence[RunSummary], width: int | None, words: Sequence[str] = ()
) -> list[str]:
    """Runs as a table, newest first. With `words` that were looked for, what holds them is shown.

    `width` is that of the terminal in cells, None where lines may have any length.
    """
    ids = short_ids([run.run_id for run in runs])
    rows = [((ids[run.run_id], *_cells(run)), tuple(_texts(run, words))) for run in runs]
    return table(_COLUMNS, rows, width, words)


def list_object(run: RunSummary) -> dict[str, Any]:
    """A run as an object; its state in the words of `run --json`."""
    return structs.asdict(run) | {"state": program_state(run.state)}


def program_state(state: str) -> str:
    """A state as programs are told it."""
    return state.replace(" ", "_")


def _cells(run: RunSummary) -> tuple[str, str, str]:
    moment = datetime.fromtimestamp(run.started).astimezone()
    state = f"{GLYPHS.get(run.state, '?')} {run.state}"
    return moment.strftime("%Y-%m-%d %H:%M"), state, whom(run.endpoint, run.model)


def _texts(run: RunSummary, words: Sequence[str]) -> Iterator[str]:
    yield run.prompt
    answer = run.answer.lower()
    if any(word.lower() in answer for word in words):
        yield run.answer
