"""An endpoint in words: the cells of its row, where it is written, how its last test went.

Pure: no Textual, no clock. Everything that comes back is safe to draw.
"""

from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct
from rich.cells import cell_len

from streamtui.config import EMBEDDED_DEMO_URL, Endpoint
from streamtui.engine.reports import ProbeReport, Stage
from streamtui.engine.routes import address_words, is_secure, proxy_for, route_words
from streamtui.safe_text import safe_line
from streamtui.ui.border_text import clock
from streamtui.ui.words import GAP, Segment, Words, fitted, row_of, ruled, width_of

UNCHECKED = (
    "certificates are not checked (verify = false): whoever sits on the way can read the key and"
    " answer in its place"
)
_LIMIT = 200
_SECOND = 1.0
_TEN_MILLISECONDS = 0.01


class Trial(Struct, frozen=True):
    """One test of an endpoint."""

    endpoint: Endpoint
    """As it was then: a result says nothing of an endpoint that was edited since."""
    since: float
    """When it began, in monotonic seconds."""
    report: ProbeReport | None = None
    """None while it is under way."""


class Column(NamedTuple):
    """A column of the table: its head, and how many cells it takes at the least and the most."""

    head: str
    least: int
    most: int


COLUMNS = (
    Column("name", 6, 20),
    Column("dialect", 11, 18),
    Column("model", 11, 32),
    Column("route", 13, 34),
    Column("key", 11, 34),
    Column("last test", 12, 40),
)
_STAGE_CELLS = 13
_TIME_CELLS = 8
_MOST_BAR = 36


class Fact(NamedTuple):
    """Something that is known, and what it is called."""

    label: str
    words: Words


def cells_of(endpoint: Endpoint, trial: Trial | None, now: float) -> list[Words]:
    """The row of an endpoint, one cell for each of COLUMNS."""
    name = "state-failed bold" if endpoint.insecure else "foreground bold"
    return [
        [(safe_line(endpoint.name, _LIMIT), name)],
        [(safe_line(endpoint.dialect, _LIMIT), "foreground")],
        [_or_dash(safe_line(endpoint.model, _LIMIT))],
        _route_cell(endpoint),
        _key_cell(endpoint),
        trial_words(trial, now),
    ]


def column_widths(rows: Sequence[Sequence[Words]], width: int) -> list[int]:
    """As wide as the widest cell of each column; where room runs short the widest give way."""
    widths = [
        min(max(cell_len(column.head), column.least, *map(width_of, cells)), column.most)
        for column, cells in zip(COLUMNS, zip(*rows, strict=True), strict=True)
    ]
    spare = width - sum(widths) - GAP * (len(widths) - 1)
    while spare < 0:
        over = [found - column.least for found, column in zip(widths, COLUMNS, strict=True)]
        if max(over) <= 0:
            break
        widths[over.index(max(over))] -= 1
        spare += 1
    widths[-1] += max(spare, 0)
    return widths


def head_of(widths: Sequence[int]) -> Words:
    """The names of the columns."""
    return row_of([[(column.head, "muted")] for column in COLUMNS], widths)


def rule_of(endpoint: Endpoint, width: int) -> Words:
    """A line with the name, the dialect and the model of an endpoint in it."""
    name = safe_line(endpoint.name, _LIMIT)
    texts = filter(None, (endpoint.dialect, endpoint.model))
    rest = "".join(f"{safe_line(text, _LIMIT)} " for text in texts)
    return ruled(name, rest, width)


def facts_of(endpoint: Endpoint, where: str) -> list[Fact]:
    """What there is to know of an endpoint before anybody asks it; `where` it is written."""
    facts = [
        Fact("address", [(address_of(endpoint), "foreground")]),
        Fact("route", [(safe_line(route_words(endpoint), _LIMIT), "foreground")]),
        Fact("key", key_words(endpoint)),
        Fact("written", [(safe_line(where, _LIMIT), "foreground")]),
    ]
    return [*facts, Fact("TLS", tls_words(endpoint))] if endpoint.insecure else facts


def address_of(endpoint: Endpoint) -> str:
    """Where an endpoint is, without anything secret in it."""
    return safe_line(address_words(endpoint), _LIMIT)


def key_words(endpoint: Endpoint) -> Words:
    """Where the key comes from, and whether it is there; never the key."""
    if not endpoint.key_source:
        return [("none is needed", "muted")]
    source = safe_line(endpoint.key_source, _LIMIT)
    if endpoint.api_key is None:
        return [(f"{source}: not set", "state-failed")]
    return [(source, "foreground"), (", there", "state-done")]


def tls_words(endpoint: Endpoint) -> Words:
    """How the certificate of an endpoint is checked."""
    if endpoint.insecure:
        return [(UNCHECKED, "state-failed bold")]
    if endpoint.base_url == EMBEDDED_DEMO_URL:
        return [("none is needed: it is a part of the program", "muted")]
    if not is_secure(endpoint):
        return [("none: http is readable on the way", "foreground")]
    tls = endpoint.tls
    own = [f"own authority {tls.ca_file}"] if tls and tls.ca_file else []
    own += [f"client certificate {tls.client_cert}"] if tls and tls.client_cert else []
    words = " · ".join(["checked", *own])
    return [(safe_line(words, _LIMIT), "foreground")]


def trial_words(trial: Trial | None, now: float) -> Words:
    """How the last test went, in a few words."""
    if trial is None:
        return [("–", "muted")]
    report = trial.report
    if report is None:
        return [(f"◌ testing {clock(now - trial.since, tenths_until=0)}", "state-waiting")]
    if report.error is None:
        return [(f"✓ ok {length(report.seconds)}", "state-done")]
    return [(f"✗ {safe_line(report.error.message, _LIMIT)}", "state-failed")]


def outcome_words(report: ProbeReport) -> Words:
    """How a test ended, whole: how long it took, or the error with what to do next."""
    if report.error is None:
        return [(f"✓ ok, {length(report.seconds)} to the first token", "state-done")]
    words = safe_line(report.error.message, 2 * _LIMIT)
    hint = safe_line(report.error.hint, 2 * _LIMIT)
    return [(f"✗ {words}. ", "state-failed"), (f"{hint}." if hint else "", "foreground")]


def length(seconds: float) -> str:
    """A short time: `0.4 ms`, `402 ms`, `1.24 s`."""
    if seconds >= _SECOND:
        return f"{seconds:.2f} s"
    return f"{seconds * 1000:.{1 if seconds < _TEN_MILLISECONDS else 0}f} ms"


def stage_rows(report: ProbeReport, width: int) -> list[Words]:
    """A row for each stage: its name, its time, when in the whole it was, what was found."""
    bar = max(0, min(_MOST_BAR, (width - _STAGE_CELLS - _TIME_CELLS) // 3))
    room = max(0, width - _STAGE_CELLS - _TIME_CELLS - bar - 2 * GAP)
    total = report.seconds or 1.0
    rows: list[Words] = []
    before = 0.0
    for stage in report.stages:
        took = stage.seconds or 0.0
        gap = (" " * GAP, "")
        piece = _bar(before / total, took / total, bar)
        found = fitted([_found_words(stage, report)], room)
        rows.append([*_stage_and_time(stage), gap, *piece, gap, *found])
        before += took
    return rows


def _found_words(stage: Stage, report: ProbeReport) -> Segment:
    if report.error is not None and stage.name == report.failed:
        return ("✗ ended here", "state-failed")
    missed = report.error is not None and stage.seconds is None
    return (safe_line(stage.words, _LIMIT) or ("not reached" if missed else ""), "muted")


def _stage_and_time(stage: Stage) -> Words:
    if stage.seconds is None:
        return [(f"{stage.name:<{_STAGE_CELLS}}{'–':>{_TIME_CELLS}}", "muted")]
    time = f"{length(stage.seconds):>{_TIME_CELLS}}"
    return [(f"{stage.name:<{_STAGE_CELLS}}", "foreground"), (time, "foreground bold")]


def _bar(start: float, share: float, width: int) -> Words:
    """A piece of a line of time: where it begins and how long it is, as shares of the whole."""
    cells = max(round(share * width), 1) if share else 0
    before = min(round(start * width), width - cells)
    after = width - before - cells
    return [(" " * before, ""), ("━" * cells, "state-streaming"), (" " * after, "")]


def _route_cell(endpoint: Endpoint) -> Words:
    proxy = proxy_for(endpoint)
    route = safe_line(f"via {proxy.name}", _LIMIT) if proxy else "direct"
    if endpoint.insecure:
        return [("TLS unchecked", "state-failed bold"), (f", {route}", "foreground")]
    return [(route, "foreground")]


def _key_cell(endpoint: Endpoint) -> Words:
    source = safe_line(endpoint.key_source, _LIMIT).removeprefix("environment variable ")
    if not source:
        return [("none", "muted")]
    if endpoint.api_key is None:
        return [(f"✗ {source}", "state-failed")]
    return [("✓ ", "state-done"), (source, "foreground")]


def _or_dash(text: str) -> tuple[str, str]:
    return (text, "foreground") if text else ("–", "muted")
