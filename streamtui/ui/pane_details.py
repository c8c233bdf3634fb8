"""Everything that is known of a pane, as facts under headings: its endpoint, its last run.

Pure: no Textual, no clock. Everything that comes back is safe to draw, and nothing in it is secret.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from streamtui.config import Endpoint
from streamtui.safe_text import safe_line
from streamtui.ui.attempts import Attempt
from streamtui.ui.border_text import clock, money, phase_role, state_words
from streamtui.ui.endpoint_words import Fact, address_of, key_words, tls_words
from streamtui.ui.state import PaneState, Turn, cost, rate, session_cost, tokens, ttft
from streamtui.ui.words import Words

_LIMIT = 400


class Section(NamedTuple):
    """Facts about one thing."""

    title: str
    facts: list[Fact]


class Kept(NamedTuple):
    """What is in memory, of one pane or of all."""

    rows: int
    """Rows that are laid out."""
    chars: int
    """Characters of answers."""
    let_go: int
    """Those that only the history has."""


def sections_of(
    pane: PaneState, endpoint: Endpoint, now: float, kept: Sequence[Kept] = ()
) -> list[Section]:
    """What the details of a pane say, from top to bottom; `now` in monotonic seconds.

    `kept` is what is in memory of this pane, and of all panes.
    """
    sections = [Section("endpoint", list(_endpoint_facts(pane, endpoint)))]
    if not pane.turns:
        return [*sections, Section("session", list(_session_facts(pane, kept)))]
    turn = pane.turns[-1]
    return [
        *sections,
        Section("last run", list(_run_facts(pane, turn, now))),
        Section("answer", list(_answer_facts(pane, turn, now))),
        Section("session", list(_session_facts(pane, kept))),
    ]


def _endpoint_facts(pane: PaneState, endpoint: Endpoint) -> Iterator[Fact]:
    yield _fact("name", endpoint.name)
    yield _fact("dialect", endpoint.dialect)
    yield _fact("model", endpoint.model or "none is named")
    yield Fact("base URL", [(address_of(endpoint), "foreground")])
    yield Fact("route", _route_words(pane))
    yield Fact("key", key_words(endpoint))
    yield Fact("TLS", tls_words(endpoint))
    yield _fact("timeouts", _timeout_words(endpoint))
    yield _fact("retries", f"{endpoint.retries}, before the first token only")
    yield _fact("fallbacks", ", ".join(each.name for each in endpoint.fallbacks) or "none")
    if endpoint.max_concurrent is not None:
        yield _fact("at a time", f"{endpoint.max_concurrent}, of all panes together")
    if price := endpoint.price:
        sums = f"{_price(price.input)} in, {_price(price.output)} out"
        yield _fact("price", f"{sums}, per million tokens")


def _price(amount: float) -> str:
    return f"${amount:.2f}" if amount == round(amount, 2) else f"${amount:g}"


def _route_words(pane: PaneState) -> Words:
    if not pane.route:
        return [("not taken yet", "muted")]
    return [(safe_line(pane.route, _LIMIT), "foreground")]


def _timeout_words(endpoint: Endpoint) -> str:
    limits = endpoint.timeouts
    total = "no limit in all" if limits.total is None else f"{limits.total:g} s in all"
    return (
        f"connect {limits.connect:g} s · first token {limits.first_token:g} s"
        f" · silence {limits.idle:g} s · {total}"
    )


def _run_facts(pane: PaneState, turn: Turn, now: float) -> Iterator[Fact]:
    word, figure = state_words(pane, now)
    yield Fact("state", [(f"{word} {figure}".strip(), phase_role(pane.phase))])
    yield _fact("run id", turn.run_id or "asked before this console watched")
    for attempt in turn.attempts:
        label = "" if attempt is not turn.attempts[0] else "attempts"
        yield Fact(label, _attempt_words(attempt, turn))
    if turn.attempts:
        yield from _response_facts(turn.attempts[-1])
    if turn.error is not None:
        words = safe_line(turn.error.words, _LIMIT)
        yield Fact("error", [(words, phase_role(pane.phase))])


def _attempt_words(attempt: Attempt, turn: Turn) -> Words:
    whom = " ".join(filter(None, (attempt.endpoint, attempt.model)))
    parts = [f"{attempt.number} of {attempt.of}", whom, attempt.route]
    words: Words = [(safe_line(", ".join(filter(None, parts)), _LIMIT), "foreground")]
    status = f"HTTP {attempt.status}" if attempt.status is not None else ""
    error = attempt.error or (turn.error if attempt is turn.attempts[-1] else None)
    if error is not None:
        return [*words, (": ", "muted"), (f"✗ {safe_line(error.message, _LIMIT)}", "state-failed")]
    return [*words, (": ", "muted"), (status, "state-done")] if status else words


def _response_facts(attempt: Attempt) -> Iterator[Fact]:
    if attempt.request_id:
        yield _fact("request id", attempt.request_id)
    for place, (name, value) in enumerate(attempt.headers.items()):
        yield _fact("" if place else "headers", f"{name}: {value}")


def _answer_facts(pane: PaneState, turn: Turn, now: float) -> Iterator[Fact]:
    if response := turn.response:
        yield from _named({"response id": response.id, "from model": response.model})
        yield from _named({"fingerprint": response.fingerprint})
    yield from _named({"finished": turn.finish_reason or ""})
    if (first := ttft(pane)) is not None:
        yield _fact("TTFT", f"{first:.2f} s")
        yield _fact("speed", f"{rate(pane, now):.0f} tok/s")
    yield _fact("tokens", _token_words(pane, turn))
    if turn.metrics is not None:
        yield _fact("took", f"{clock(turn.metrics.duration)}, {turn.metrics.chunks:,} chunks")
        if turn.metrics.malformed:
            yield _fact("unreadable", f"{turn.metrics.malformed} frames were passed over")
    if (price := cost(pane)) is not None:
        yield _fact("cost", f"{'' if tokens(pane).exact else 'about '}{money(price)}")


def _token_words(pane: PaneState, turn: Turn) -> str:
    counted = tokens(pane)
    sent = "" if counted.input is None else f"{counted.input:,} in, "
    words = f"{sent}{counted.output:,} out"
    if not counted.exact:
        return f"{words}, estimated from chunks"
    usage = turn.usage
    parts = {"cached": usage.cached, "for reasoning": usage.reasoning} if usage else {}
    said = [f"{count:,} {what}" for what, count in parts.items() if count is not None]
    return ", ".join([words, *said])


def _session_facts(pane: PaneState, kept: Sequence[Kept]) -> Iterator[Fact]:
    yield _fact("session id", pane.session_id)
    yield _fact("turns", f"{len(pane.turns)}")
    if pane.queued:
        yield _fact("queued", f"{len(pane.queued)} prompts")
    if (spent := session_cost(pane)) is not None:
        yield _fact("cost", money(spent))
    for label, each in zip(("in memory", "of all panes"), kept, strict=False):
        yield _fact(label, _kept_words(each))


def _kept_words(kept: Kept) -> str:
    words = f"{kept.rows:,} rows, {kept.chars:,} characters"
    return f"{words}; {kept.let_go:,} in the history only" if kept.let_go else words


def _named(texts: dict[str, str]) -> Iterator[Fact]:
    for label, text in texts.items():
        if text:
            yield _fact(label, text)


def _fact(label: str, text: str) -> Fact:
    return Fact(label, [(safe_line(text, _LIMIT), "foreground")])
