"""The figures made of what a pane knows: times, tokens, rates, costs, of one pane and of all.

Pure: `now` is passed in, in monotonic seconds.
"""

from typing import NamedTuple

from streamtui.config import Price
from streamtui.events import Usage
from streamtui.ui.pane_state import AppState, PaneState, Turn, is_live

_SHORTEST_GENERATION = 0.05
_CHARS_PER_TOKEN = 4
"""A guess for prompts, used until the endpoint counts them."""


class Tokens(NamedTuple):
    input: int | None
    output: int
    exact: bool
    """Counted by the endpoint; else estimated from chunks."""


def elapsed(pane: PaneState, now: float) -> float:
    """Seconds that the latest run took, or has taken until now."""
    if pane.run_started is None:
        return 0.0
    end = now if pane.run_ended is None else pane.run_ended
    return max(0.0, end - pane.run_started)


def ttft(pane: PaneState) -> float | None:
    """Seconds until the first thing that a user could see; None while there is none."""
    if pane.run_started is None or pane.first_visible is None:
        return None
    return max(0.0, pane.first_visible - pane.run_started)


def tokens(pane: PaneState) -> Tokens:
    """Tokens of the latest run."""
    return turn_tokens(pane.turns[-1]) if pane.turns else Tokens(None, 0, exact=False)


def turn_tokens(turn: Turn) -> Tokens:
    """Tokens of one run: the endpoint's own count, else one for each chunk."""
    usage = turn.usage or Usage()
    if turn.end is not None and usage.output is not None:
        return Tokens(usage.input, usage.output, exact=True)
    return Tokens(usage.input, max(turn.chunks, usage.output or 0), exact=False)


def rate(pane: PaneState, now: float) -> float:
    """Tokens per second: of the last two seconds while live, of the whole run when it ended."""
    if pane.first_visible is None:
        return 0.0
    if pane.run_ended is not None:
        return _average_rate(pane)
    return pane.meter.per_second(now, pane.first_visible)


def _average_rate(pane: PaneState) -> float:
    if pane.run_started is None or pane.first_visible is None or pane.run_ended is None:
        return 0.0
    generating = pane.run_ended - pane.first_visible
    if generating < _SHORTEST_GENERATION:
        generating = pane.run_ended - pane.run_started
    return tokens(pane).output / max(generating, _SHORTEST_GENERATION)


def sparkline(pane: PaneState, now: float) -> str:
    """The course of a live run's rate; empty when nothing streams."""
    if pane.first_visible is None or pane.run_ended is not None:
        return ""
    return pane.meter.sparkline(now)


def cost(pane: PaneState) -> float | None:
    """Price of the latest run; None when who was asked has no price. See `Tokens.exact`."""
    return _turn_cost(pane, pane.turns[-1]) if pane.turns else None


def session_cost(pane: PaneState) -> float | None:
    """Price of all runs of a session, of those that have one; None when nobody has."""
    costs = [each for turn in pane.turns if (each := _turn_cost(pane, turn)) is not None]
    return None if pane.price is None and not costs else sum(costs)


def _turn_cost(pane: PaneState, turn: Turn) -> float | None:
    price = _price_of(pane, turn)
    if price is None:
        return None
    counted = turn_tokens(turn)
    sent = counted.input
    if sent is None:
        sent = turn.input_chars // _CHARS_PER_TOKEN
    return (sent * price.input + counted.output * price.output) / 1_000_000


def _price_of(pane: PaneState, turn: Turn) -> Price | None:
    """Of whoever was asked last, in one turn a fallback and in the next the endpoint itself."""
    asked = turn.attempts[-1].endpoint if turn.attempts else ""
    return pane.price if asked in {"", pane.endpoint} else turn.fallback_price


def live_count(state: AppState) -> int:
    return sum(is_live(pane) for pane in state.sessions)


def failed_count(state: AppState) -> int:
    """Open sessions whose latest run failed or was cut off."""
    return sum(pane.phase in {"failed", "cut off"} and not pane.closed for pane in state.sessions)


def total_rate(state: AppState, now: float) -> float:
    """Tokens per second of all live sessions."""
    return sum(rate(pane, now) for pane in state.sessions if is_live(pane))


def total_cost(state: AppState) -> float:
    return sum(session_cost(pane) or 0.0 for pane in state.sessions)
