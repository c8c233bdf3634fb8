"""What is typed to narrow the log, as tests of events. Pure.

A test looks at the event itself: of most events no word is ever made.
"""

import re
from collections.abc import Callable, Iterable
from fnmatch import translate
from typing import NamedTuple

from streamtui.events import (
    Body,
    Chunk,
    Event,
    ReasoningDelta,
    RefusalDelta,
    ServerEvent,
    TextDelta,
)
from streamtui.ui.log_words import SEEN_CHARS, Source, event_name, is_own_name, payload

Test = Callable[[Event, Source], bool]

_MOST_KNOWN = 1_000
"""Answers that a test remembers: names come from servers too, which may have no end of them."""
_MOST_DIGITS = 9
"""No pane has a longer number, and `int` does not read numbers of any length."""
_ADDED = ("reasoning", "refusal", "chunks)")
_SPOKEN = (TextDelta, ReasoningDelta, RefusalDelta)
_COUNT = re.compile(r"\(?\d*")


class Filter(NamedTuple):
    """What has to hold for a row to be seen, and what for one that is seen to be marked."""

    tests: tuple[Test, ...] = ()
    marks: tuple[Test, ...] = ()


def parse_filter(text: str) -> Filter:
    """Words that must all hold: plain text, `session:2`, `event:on_llm_*`, `name:`, `tag:`, `run:`.

    A leading `!` inverts a word, a leading `?` has it only mark rows. `*` and `?` stand for any
    characters in `event:`, `name:`, `tag:`. A key without a value, as while it is being typed,
    holds for all.
    """
    tests: list[_Term] = []
    marks: list[_Term] = []
    for word in text.split():
        into = marks if word.startswith("?") else tests
        if (found := _parse_word(word.removeprefix("?"))) is not None:
            into.append(found)
    return Filter(_cheapest_first(tests), _cheapest_first(marks))


class _Term(NamedTuple):
    cost: int
    """Tests with the lowest are made first."""
    test: Test


def _cheapest_first(terms: Iterable[_Term]) -> tuple[Test, ...]:
    return tuple(term.test for term in sorted(terms, key=lambda term: term.cost))


def _parse_word(word: str) -> _Term | None:
    plain = word.lstrip("!")
    found = _parse_plain(plain)
    is_inverted = (len(word) - len(plain)) % 2
    return _Term(found.cost, _not(found.test)) if found and is_inverted else found


def _parse_plain(word: str) -> _Term | None:
    key, colon, value = word.partition(":")
    if not colon or key not in _KEYS:
        return _Term(2, _by_text(word.casefold())) if word else None
    return _KEYS[key](value) if value else None


def _not(test: Test) -> Test:
    return lambda event, source: not test(event, source)


def _by_session(value: str) -> _Term:
    if value.isdecimal() and len(value) <= _MOST_DIGITS:
        number = int(value)
        return _Term(0, lambda _event, source: source.pane == number)
    return _Term(0, lambda event, _source: event.session_id.startswith(value))


def _by_run(value: str) -> _Term:
    return _Term(0, lambda event, _source: value in event.run_id)


def _by_event(value: str) -> _Term:
    fits = _remembering(_glob(value))
    return _Term(1, lambda event, source: fits(event_name(event.body, source.dialect)))


def _by_name(value: str) -> _Term:
    fits = _remembering(_glob(value))
    return _Term(0, lambda _event, source: fits(source.name) or fits(source.endpoint))


def _by_tag(value: str) -> _Term:
    fits = _remembering(_glob(value))
    return _Term(0, lambda _event, source: any(map(fits, source.tags)))


def _glob(value: str) -> Callable[[str], bool]:
    match = re.compile(translate(value.casefold())).match
    return lambda text: match(text.casefold()) is not None


def _remembering(fits: Callable[[str], bool]) -> Callable[[str], bool]:
    """The same answers, of which those to the first texts are kept."""
    known: dict[str, bool] = {}

    def answer(text: str) -> bool:
        found = known.get(text)
        if found is None:
            found = fits(text)
            if len(known) < _MOST_KNOWN:
                known[text] = found
        return found

    return answer


def _by_text(needle: str) -> Test:
    """Whether a row says it anywhere: in the name, the endpoint or the payload."""
    is_in = _remembering(lambda text: needle in text.casefold())
    must_word = _may_be_added(needle)

    def test(event: Event, source: Source) -> bool:
        body = event.body
        text = None if must_word else _only_text(body)
        if text is None:
            text = payload(body)
        return (
            needle in text.casefold()
            or is_in(source.endpoint)
            or is_in(event_name(body, source.dialect))
        )

    return test


def _may_be_added(needle: str) -> bool:
    """Whether a row may say it besides the text itself: around it, or as a count."""
    is_part = any(needle in word for word in _ADDED)
    return '"' in needle or is_part or _COUNT.fullmatch(needle) is not None


def _only_text(body: Body) -> str | None:
    """What is seen of the text of an event that has one and nothing else to say."""
    if type(body) is not Chunk or len(body.deltas) != 1:
        return None
    delta = body.deltas[0]
    if isinstance(delta, _SPOKEN):
        return delta.text[:SEEN_CHARS]
    if isinstance(delta, ServerEvent) and is_own_name(delta.event):
        return delta.data[:SEEN_CHARS]
    return None


_KEYS: dict[str, Callable[[str], _Term]] = {
    "session": _by_session,
    "event": _by_event,
    "name": _by_name,
    "tag": _by_tag,
    "run": _by_run,
}
