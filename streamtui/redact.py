"""Secrets out of sight: the type that keeps them, and the redactor in front of whatever is shown.

Log, toasts, crash text and exports pass through one Redactor. It hides the values it was told and
whatever has the shape of a secret. It never touches what is sent, and nothing here shows a value.
"""

import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from urllib.parse import unquote

from msgspec import Struct

MASK = "***"


class Secret(Struct, frozen=True):
    """A key or a password. Whoever prints, formats or logs it sees `***`."""

    value: str

    def __post_init__(self) -> None:
        # Such a value would end an HTTP header early and begin another.
        if not _FORBIDDEN_IN_SECRET.isdisjoint(self.value):
            raise ValueError("a secret must be one line, without NUL")

    @classmethod
    def of(cls, text: str) -> "Secret":
        """The secret in `text`, without the blanks and the line end that files put around it."""
        return cls(text.strip())

    def reveal(self) -> str:
        return self.value

    def __repr__(self) -> str:
        return MASK

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __rich_repr__(self) -> list[tuple[str, str]]:
        return [("value", MASK)]


_FORBIDDEN_IN_SECRET = frozenset("\r\n\0")


class Redactor:
    """Hides known values and everything that looks like a secret.

    Text is redacted first and cut after: half a key is no longer known.
    """

    def __init__(self) -> None:
        self._values: frozenset[str] = frozenset()
        self._spellings: set[str] = set()
        self._known: re.Pattern[str] | None = None

    def add(self, secret: Secret, *, username: str = "") -> None:
        """Hide this value from now on, plain, URL-quoted or as Basic credentials of `username`.

        Values under four characters and the usual stand-ins for "no key" are left to the
        patterns: hiding `ollama` wherever it occurs would hide what happened.
        """
        value = secret.reveal()
        if len(value) < _SHORTEST_KNOWN or value.lower() in _STAND_INS:
            return
        self._spellings.update(_spellings(value, username))
        longest_first = sorted(self._spellings, key=len, reverse=True)
        # One assignment each: a log line of another thread sees the old set or the new one.
        self._known = re.compile(rf"(?:{'|'.join(longest_first)})(?:[*•]{{3,}}[\w-]{{0,40}})?")
        self._values |= {value}

    def hide_known(self, text: str) -> str:
        """The same text with `***` in place of the values that were added, and of what servers
        leave of them; quick.
        """
        if self._known is not None:
            text = self._known.sub(MASK, text)
        return _ECHO.sub(self._mask_echo, text)

    def redact(self, text: str) -> str:
        """The same text with `***` in place of every secret."""
        text = self.hide_known(text)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text

    def _mask_echo(self, match: re.Match[str]) -> str:
        head, tail = match["head"], match["tail"]
        if match["gap"][0] in _MASK_SIGNS and _KEY_BEGINNING.match(head):
            return MASK
        return MASK if self._has_ends(head, tail) else match[0]

    def _has_ends(self, head: str, tail: str) -> bool:
        enough = len(head) + len(tail) >= _SHORTEST_KNOWN
        return enough and any(v.startswith(head) and v.endswith(tail) for v in self._values)


def is_secret_name(name: str) -> bool:
    """Whether a header of this name holds a secret."""
    return _SECRET_NAME.search(name) is not None


def mask_url(url: str) -> str:
    """A URL without user, password, secret query values and keys of a known shape.

    It need not be a correct URL.
    """
    return _KEY.sub(MASK, _QUERY.sub(rf"\1{MASK}", _URL_START.sub(rf"\1{MASK}@", url)))


_SECRET_NAME = re.compile("key|token|secret|auth|cookie|password", re.IGNORECASE)


# --- known values ---------------------------------------------------------------------------

_SHORTEST_KNOWN = 4
_SHORTEST_INSIDE_WORDS = 8
_STAND_INS = frozenset(
    {"dummy", "empty", "fake", "local", "lm-studio", "no-key", "none", "not-needed", "null"}
    | {"ollama", "test", "unused"}
)


def _spellings(value: str, username: str) -> Iterator[str]:
    """Regular expressions for the ways in which a value can turn up."""
    for plain in {value, unquote(value)}:
        spelling = "".join(map(_spellings_of_character, plain))
        inside_words = len(plain) >= _SHORTEST_INSIDE_WORDS
        yield spelling if inside_words else rf"(?<!\w){spelling}(?!\w)"
    for credentials in (f"{username}:{value}", f"{value}:", value):
        raw = credentials.encode("utf-8", "surrogatepass")
        for encode in (b64encode, urlsafe_b64encode):
            yield re.escape(encode(raw).decode().rstrip("=")) + "=*"


def _spellings_of_character(character: str) -> str:
    """One character as it is, percent-encoded, or escaped inside a JSON or Python string."""
    if character.isascii() and character.isalnum():
        return character
    encoded = character.encode("utf-8", "surrogatepass")
    percent = "".join(f"%(?i:{byte:02x})" for byte in encoded)
    plain = re.escape(character)
    if character in "\"'\\":
        plain = rf"\\?{plain}"
    # The longer spelling first: `%` is also the beginning of its own `%25`.
    return rf"(?:{percent}|{plain}|\+)" if character == " " else f"(?:{percent}|{plain})"


# --- shapes ---------------------------------------------------------------------------------
# Repetitions are bounded, or start only where the one before cannot have passed: any text is
# read in linear time.

_MASK_SIGNS = "*•"
# `sk-abcd****wxyz`: what a server leaves of the key in "Incorrect API key provided".
_ECHO = re.compile(r"(?<![\w-])(?P<head>[\w-]{0,40})(?P<gap>[*•]{3,}|…|\.{3})(?P<tail>[\w-]{0,40})")
_KEY_BEGINNING = re.compile(
    r"(?:sk|pk|rk|xai|pplx|nvapi)-|(?:sk|gsk|hf|r8|ghp|lsv2)_|AIza|AKIA|eyJ"
)

_NAMES = (
    r"(?:api[-_]?key|(?:access|auth|bearer|id|refresh|security|session)[-_]token"
    r"|(?:access|private|subscription)[-_]key|client[-_]secret|passw(?:or)?d"
    r"|authorization|cookie)"
)

# 'name': 'value' · "name": "value" · ('name', b'value') · name = "value" · the same in a string.
# The closing quote is not asked for: an excerpt may end before it.
_QUOTED = re.compile(
    rf"({_NAMES}(?:\\{{0,2}}[\"']\s{{0,9}}[:,=]|\s{{0,9}}[:=])\s{{0,9}}b?)"
    r"(?P<quote>\\{0,2}[\"'])(?:(?!(?P=quote))(?:\\.|[^\\\r\n]))+",
    re.IGNORECASE,
)

# With a quote before the name the header is a string, and ends where the string does.
_AUTHORIZATION = re.compile(
    r"(?P<quote>[\"'])?(?P<name>(?:proxy-)?authorization[ \t]{0,9}:[ \t]{0,9})"
    r"(?:\*{3}(?![^\s\"',;])|(?:bearer|basic|token|bot|apikey|negotiate|ntlm)[ \t]+[^\s\"']+"
    r"|(?(quote)(?:(?!(?P=quote))[^\r\n])+|[^\r\n]+))",
    re.IGNORECASE,
)
_COOKIE = re.compile(
    r"(?P<quote>[\"'])?(?P<name>(?:set-)?cookie[ \t]{0,9}:[ \t]{0,9})"
    r"[^=;\s\"']{1,99}=(?(quote)(?:(?!(?P=quote))[^\r\n])*|[^\r\n]*)",
    re.IGNORECASE,
)
_KEY_HEADER = re.compile(
    r"((?:api-key|(?:auth|security)-token|subscription-key)[ \t]{0,9}:[ \t]{0,9})[^\s\"',;]+",
    re.IGNORECASE,
)
# Bare values only if they cannot be words or code: `password: then enter`, `api_key=load(path)`.
_ASSIGNMENT = re.compile(
    rf"({_NAMES}[ \t]{{0,9}}[:=][ \t]{{0,9}})"
    r"(?=[\w.+/~-]{0,99}[0-9])[\w.+/~-]{6,}={0,2}(?![\w.+/~(\[-])",
    re.IGNORECASE,
)
_QUERY = re.compile(
    r"([?&;#](?:key|api[-_]?key|(?:access[-_]|auth[-_]|id[-_])?token|auth|sig|signature|password"
    r"|(?:client[-_])?secret|x-(?:amz|goog)-(?:credential|security-token|signature))=)"
    r"[^&#\s\"'<>)\]}\\]+",
    re.IGNORECASE,
)
# Up to the last `@` before the path; a password may hold an `@` that nobody quoted.
_USERINFO = r"[^/?#\s\"'<>\\]{0,999}@"
_URL_IN_TEXT = re.compile(rf"((?:https?|wss?|socks(?:4a?|5h?)?)://){_USERINFO}", re.IGNORECASE)
# A value that is known to be a URL: also without a scheme, and with a `/` in its password.
_URL_START = re.compile(
    r"^((?:[a-z][a-z0-9+.-]{0,20}://)?)"
    r"(?:[^/?#]{0,999}@|[^/?#@:\s\[]{0,99}:(?!//|\d{1,5}(?:[/?#]|$)).{0,999}@)",
    re.IGNORECASE,
)
_CREDENTIALS = re.compile(
    r"\b(bearer|basic)[ \t]{1,9}(?=[\w.~+/-]{0,199}[0-9=])[\w.~+/-]{8,}=*", re.IGNORECASE
)
# By their beginnings: OpenAI, Anthropic and those who follow them; Google; AWS; JSON Web Tokens.
_KEY = re.compile(
    r"(?<![\w-])(?:sk-(?=[\w-]{0,199}[A-Z0-9])[\w-]{16,}|AIza[\w-]{30,}|AKIA[0-9A-Z]{16}"
    r"|(?:gsk|hf|r8|gh[opsu]|sk_live|sk_test)_[A-Za-z0-9]{16,}|(?:xai|pplx|nvapi)-[\w-]{20,}"
    r"|github_pat_\w{20,}|lsv2_[a-z]{2}_\w{20,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)"
)

_PATTERNS = (
    (_URL_IN_TEXT, rf"\1{MASK}@"),
    (_QUERY, rf"\1{MASK}"),
    (_QUOTED, rf"\1\g<quote>{MASK}"),
    (_COOKIE, rf"\g<quote>\g<name>{MASK}"),
    (_AUTHORIZATION, rf"\g<quote>\g<name>{MASK}"),
    (_KEY_HEADER, rf"\1{MASK}"),
    (_ASSIGNMENT, rf"\1{MASK}"),
    (_CREDENTIALS, rf"\1 {MASK}"),
    (_KEY, MASK),
)
