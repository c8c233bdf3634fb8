"""The latest events in a ring, and which of them pass a filter. Pure: no Textual, no clock.

Each entry has a number that grows by one and stays with it, so a view is not disturbed when the
oldest entries go.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable
from fnmatch import translate
from typing import NamedTuple

from streamtui.events import Event, RunStarted, SessionOpened
from streamtui.ui.log_words import event_name, payload

Test = Callable[["Entry"], bool]


class Source(NamedTuple):
    """What the events of a run do not say of themselves."""

    endpoint: str = ""
    dialect: str = ""
    name: str = ""
    tags: tuple[str, ...] = ()


class Entry:
    """An event with what is needed to show it."""

    __slots__ = ("_text", "event", "pane", "source")

    def __init__(self, event: Event, pane: int | None, source: Source) -> None:
        self.event = event
        self.pane = pane
        """The number that its pane had when it happened."""
        self.source = source
        self._text: str | None = None

    @property
    def name(self) -> str:
        return event_name(self.event.body, self.source.dialect)

    @property
    def text(self) -> str:
        """What a filter's plain words are looked for in."""
        if self._text is None:
            words = f"{self.name} {self.source.endpoint} {payload(self.event.body)}"
            self._text = words.casefold()
        return self._text


class LogStore:
    """Entries `first` to `end`, of which those that pass the filter are seen."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._ring: list[Entry] = []
        self.end = 0
        """The number of the next entry; so many events came in all."""
        self._tests: list[Test] = []
        self._matches: list[int] = []
        """Numbers of the entries that pass; not kept while there is no filter."""
        self._sources: dict[str, Source] = {}

    @property
    def first(self) -> int:
        """The number of the oldest entry."""
        return max(0, self.end - self._capacity)

    def __getitem__(self, number: int) -> Entry:
        return self._ring[number % self._capacity]

    def append(self, event: Event, pane: int | None) -> None:
        body = event.body
        if isinstance(body, RunStarted):
            source = Source(body.endpoint, body.dialect, body.name, body.tags)
            self._sources[event.session_id] = source
        elif isinstance(body, SessionOpened):
            self._sources[event.session_id] = Source(body.endpoint, body.dialect)
        entry = Entry(event, pane, self._sources.get(event.session_id, _UNKNOWN))
        if self.end < self._capacity:
            self._ring.append(entry)
        else:
            self._ring[self.end % self._capacity] = entry
        if self._tests and self._passes(entry):
            self._matches.append(self.end)
            self._forget_old_matches()
        self.end += 1

    def _forget_old_matches(self) -> None:
        if len(self._matches) > 2 * self._capacity:
            del self._matches[: bisect_left(self._matches, self.first)]

    def _passes(self, entry: Entry) -> bool:
        return all(test(entry) for test in self._tests)

    def set_filter(self, text: str) -> None:
        """Narrow what is seen; see `parse_filter`."""
        self._tests = parse_filter(text)
        self._matches = [
            number
            for number in (range(self.first, self.end) if self._tests else ())
            if self._passes(self[number])
        ]

    @property
    def count(self) -> int:
        """How many entries are seen."""
        return len(self._seen())

    def _seen(self) -> "range | list[int]":
        if not self._tests:
            return range(self.first, self.end)
        oldest = bisect_left(self._matches, self.first)
        if oldest:
            del self._matches[:oldest]
        return self._matches

    def window(self, top: int, height: int) -> list[int]:
        """The numbers seen from `top` on."""
        seen = self._seen()
        start = bisect_left(seen, top)
        return list(seen[start : start + height])

    def shift(self, number: int, delta: int) -> int:
        """The number seen `delta` places later; the nearest there is."""
        seen = self._seen()
        if not seen:
            return self.end
        index = bisect_left(seen, number) + delta
        return seen[min(max(index, 0), len(seen) - 1)]

    def below(self, top: int, height: int) -> int:
        """How many are seen only further down."""
        seen = self._seen()
        return max(len(seen) - bisect_left(seen, top) - height, 0)

    def last_top(self, height: int) -> int:
        """The top of the view that shows the newest."""
        seen = self._seen()
        return seen[-height:][0] if seen else self.end


_UNKNOWN = Source()


def parse_filter(text: str) -> list[Test]:
    """Words that must all hold: plain text, `session:2`, `event:on_llm_*`, `name:`, `tag:`, `run:`.

    A leading `!` inverts a word. `*` and `?` stand for any characters in `event:`, `name:`, `tag:`.
    A key without a value, as while it is being typed, holds for all.
    """
    return [test for word in text.split() if (test := _parse_word(word)) is not None]


def _parse_word(word: str) -> Test | None:
    if word.startswith("!"):
        inner = _parse_word(word[1:])
        return None if inner is None else lambda entry: not inner(entry)
    key, colon, value = word.partition(":")
    if not colon or key not in _KEYS:
        needle = word.casefold()
        return (lambda entry: needle in entry.text) if needle else None
    return _KEYS[key](value) if value else None


def _by_session(value: str) -> Test:
    if value.isdecimal():
        number = int(value)
        return lambda entry: entry.pane == number
    return lambda entry: entry.event.session_id.startswith(value)


def _by_run(value: str) -> Test:
    return lambda entry: value in entry.event.run_id


def _by_glob(read: Callable[[Entry], Iterable[str]]) -> Callable[[str], Test]:
    def make(value: str) -> Test:
        matches = re.compile(translate(value.casefold())).match
        return lambda entry: any(matches(text.casefold()) for text in read(entry))

    return make


_KEYS: dict[str, Callable[[str], Test]] = {
    "session": _by_session,
    "event": _by_glob(lambda entry: (entry.name,)),
    "name": _by_glob(lambda entry: (entry.source.name, entry.source.endpoint)),
    "tag": _by_glob(lambda entry: entry.source.tags),
    "run": _by_run,
}
