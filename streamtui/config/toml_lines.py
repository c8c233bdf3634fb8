"""Reads TOML files that may be broken or hostile, and knows on which line each key stands.

Limits are checked over the text before tomllib, which has none, sees it. What the values mean is
not known here.
"""

import re
import tomllib
from pathlib import Path

from msgspec import Struct

from streamtui.errors import ConfigError

MAX_BYTES = 256 * 1024
MAX_DOTS = 8
"""In one key: tomllib needs seconds and gigabytes for one key of 40 KB."""
MAX_DEPTH = 32
"""Arrays and inline tables in one another: tomllib calls itself for each."""
MAX_SCALAR_CHARS = 100
"""Of a number or a date."""
MAX_ITEMS = 10_000
"""Parts of keys and elements of arrays in one file: a bound for the time until an error comes."""

KeyPath = tuple[str | int, ...]
"""Names of keys and, below arrays, positions: `("pipelines", "review", "steps", 0, "name")`."""

_SHOWN_CHARS = 60
_BARE = re.compile(r"[A-Za-z0-9_-]+")


class TomlFile(Struct, frozen=True):
    """A file that was read. `name` is its path, empty for a file that is not there."""

    name: str = ""
    table: dict[str, object] = {}
    lines: dict[KeyPath, int] = {}
    """The first line, counted from 1, that names each key, table and element."""

    def find(self, path: KeyPath) -> tuple[int, int | None]:
        """How many parts of `path` this file names, and the line of the innermost of them."""
        for length in range(len(path), 0, -1):
            line = self.lines.get(path[:length])
            if line is not None:
                return length, line
        return 0, None


def read_toml(path: Path, *, missing_ok: bool = False) -> TomlFile:
    """Read a file whole. Raises ConfigError with the line of what is wrong in it."""
    try:
        raw = _read_bytes(path)
    except FileNotFoundError as error:
        if missing_ok:
            return TomlFile()
        raise ConfigError("there is no such file", file=str(path)) from error
    except OSError as error:
        words = error.strerror or type(error).__name__
        raise ConfigError(f"cannot be read: {words}", file=str(path)) from error
    return parse_toml(_decode(raw, str(path)), str(path))


def parse_toml(text: str, name: str = "") -> TomlFile:
    """Read TOML text; `name` stands for the file in errors."""
    # As tomllib does it: a line ends with LF or CRLF, and a CR elsewhere is an error.
    text = text.replace("\r\n", "\n")
    lines = _Scanner(text, name).scan()
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(str(error), text, name) from None
    except (RecursionError, ValueError):
        raise ConfigError("not valid TOML: a value cannot be read", file=name) from None
    return TomlFile(name, table, lines)


def dotted(path: KeyPath) -> str:
    """A path as people write it: `pipelines.review.steps[0].name`."""
    words = "".join(f"[{p}]" if isinstance(p, int) else f".{_quoted(p)}" for p in path)
    return words.removeprefix(".")


def shortened(text: str) -> str:
    """The beginning of a text of any length, enough to find it again."""
    return text if len(text) <= _SHOWN_CHARS else f"{text[: _SHOWN_CHARS - 1]}…"


def _quoted(part: str) -> str:
    return shortened(part if _BARE.fullmatch(part) else repr(part))


def _read_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        raw = file.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise ConfigError(f"larger than {MAX_BYTES // 1024} KiB: not read", file=str(path))
    return raw


def _decode(raw: bytes, name: str) -> str:
    if raw.startswith(b"\xef\xbb\xbf"):
        reason = "begins with a byte order mark (BOM): save the file as UTF-8 without BOM"
        raise ConfigError(reason, file=name, line=1)
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        reason = f"not UTF-8: byte 0x{raw[error.start]:02x} cannot be read"
        raise ConfigError(reason, file=name, line=line) from None


def _syntax_error(words: str, text: str, name: str) -> ConfigError:
    """The error of tomllib, which says where in its words only."""
    what, _, where = words.rpartition(" (at ")
    numbers = re.match(r"line (\d+), column (\d+)", where)
    if numbers is None:
        last = text.count("\n", 0, len(text.rstrip())) + 1
        return ConfigError(f"not valid TOML: {what or words}", file=name, line=last)
    reason = f"not valid TOML: {what} (column {numbers[2]})"
    return ConfigError(reason, file=name, line=int(numbers[1]))


# Every pattern is read in linear time, also where it does not match.
_SPACE = re.compile(r"[ \t]*")
_BLANK = re.compile(r"[ \t\r\n]*(?:#[^\n]*[ \t\r\n]*)*")
_BASIC = r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"'
_LITERAL = r"'[^'\n]*'"
_LONG_BASIC = r'"""[^"\\]*(?:(?:\\[\s\S]|"(?!""))[^"\\]*)*"""(?:"{0,2})'
_LONG_LITERAL = r"'''[^']*(?:'(?!'')[^']*)*'''(?:'{0,2})"
_PART = rf"(?:[A-Za-z0-9_-]+|{_BASIC}|{_LITERAL})"
_PARTS = re.compile(_PART)
_KEY = re.compile(rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*")
_STRING = re.compile(f"{_LONG_BASIC}|{_LONG_LITERAL}|{_BASIC}|{_LITERAL}")
_SCALAR = re.compile(r"[^,\]}\[{#\n\"']+")


class _NotTomlError(Exception):
    """The text is none from here on; tomllib has better words for it."""


class _Scanner:
    """One pass over the text that notes where keys are and steps over values.

    It accepts more than TOML, so that nothing which tomllib would read escapes the limits, and
    stops without a word where the text makes no sense to it.
    """

    def __init__(self, text: str, name: str) -> None:
        self._text = text
        self._name = name
        self._at = 0
        self._line = 1
        self._counted = 0
        self._items = 0
        self._lines: dict[KeyPath, int] = {}
        self._last_index: dict[KeyPath, int] = {}

    def scan(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        try:
            while self._skip(_BLANK) < len(self._text):
                if self._text[self._at] == "[":
                    table = self._header()
                else:
                    self._pair(table, 1)
        except _NotTomlError:
            pass
        return self._lines

    def _header(self) -> KeyPath:
        line = self._line_here()
        many = self._take("[[")
        if not many:
            self._at += 1
        self._skip(_SPACE)
        parts = self._key()
        self._skip(_SPACE)
        self._expect("]]" if many else "]")
        path = self._resolve(parts, many=many)
        self._note(path, line)
        return path

    def _resolve(self, parts: list[str], *, many: bool) -> KeyPath:
        """The path of a header; below an array of tables it speaks of the last element."""
        path: KeyPath = ()
        for position, part in enumerate(parts, start=1):
            path = (*path, part)
            if many and position == len(parts):
                index = self._last_index[path] = self._last_index.get(path, -1) + 1
                return (*path, index)
            if path in self._last_index:
                path = (*path, self._last_index[path])
        return path

    def _pair(self, table: KeyPath, depth: int) -> None:
        line = self._line_here()
        path = (*table, *self._key())
        self._note(path, line)
        self._skip(_SPACE)
        self._expect("=")
        self._skip(_SPACE)
        self._value(path, depth)

    def _key(self) -> list[str]:
        key = self._match(_KEY)
        parts: list[str] = _PARTS.findall(key)
        if len(parts) > MAX_DOTS + 1:
            raise self._error(f"a key with more than {MAX_DOTS} dots", key)
        self._count(len(parts))
        return [_unquoted(part) for part in parts]

    def _value(self, path: KeyPath, depth: int) -> None:
        if depth > MAX_DEPTH:
            reason = f"more than {MAX_DEPTH} arrays and tables inside one another"
            raise self._error(reason, dotted(path))
        if self._take("["):
            self._array(path, depth)
        elif self._take("{"):
            self._inline_table(path, depth)
        elif self._text.startswith(('"', "'"), self._at):
            self._match(_STRING)
        else:
            self._scalar(path)

    def _scalar(self, path: KeyPath) -> None:
        """A number, a date, true or false. Python converts no number of thousands of digits."""
        if len(self._match(_SCALAR).strip()) > MAX_SCALAR_CHARS:
            raise self._error(f"a value of more than {MAX_SCALAR_CHARS} characters", dotted(path))

    def _array(self, path: KeyPath, depth: int) -> None:
        index = 0
        self._skip(_BLANK)
        while not self._take("]"):
            self._count(1)
            self._note((*path, index), self._line_here())
            self._value((*path, index), depth + 1)
            self._separator("]")
            index += 1

    def _inline_table(self, path: KeyPath, depth: int) -> None:
        self._skip(_BLANK)
        while not self._take("}"):
            self._pair(path, depth + 1)
            self._separator("}")

    def _separator(self, end: str) -> None:
        self._skip(_BLANK)
        if not self._take(",") and not self._text.startswith(end, self._at):
            raise _NotTomlError
        self._skip(_BLANK)

    def _note(self, path: KeyPath, line: int) -> None:
        for length in range(len(path), 0, -1):
            if path[:length] in self._lines:
                return
            self._lines[path[:length]] = line

    def _count(self, items: int) -> None:
        self._items += items
        if self._items > MAX_ITEMS:
            raise self._error(f"more than {MAX_ITEMS:,} keys and values in one file", "")

    def _line_here(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def _skip(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._at

    def _match(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise _NotTomlError
        self._at = match.end()
        return match[0]

    def _take(self, text: str) -> bool:
        found = self._text.startswith(text, self._at)
        self._at += len(text) if found else 0
        return found

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise _NotTomlError

    def _error(self, reason: str, key: str) -> ConfigError:
        return ConfigError(reason, file=self._name, line=self._line_here(), key=shortened(key))


def _unquoted(part: str) -> str:
    if part[0] not in "\"'":
        return part
    if part[0] == "'" or "\\" not in part:
        return part[1:-1]
    try:
        return str(tomllib.loads(f"k={part}")["k"])
    except ValueError:
        raise _NotTomlError from None
