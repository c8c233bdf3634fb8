"""What a single value of the configuration may be: a check is a function from value to value.

A check raises ValueError with what was expected, and its words never repeat a value that may be a
secret. Files, tables and lines are not known here.
"""

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from math import isfinite
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from msgspec import Struct

from streamtui.config.known import DIALECTS, EMBEDDED_DEMO_URL
from streamtui.config.toml_lines import shortened
from streamtui.redact import Secret

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Keys that could be names of variables: known beginnings, long hexadecimal, long mixtures.
_KEY_SHAPE = re.compile(
    r"(?i:sk_|gsk_|hf_|r8_|gh[opsu]_)\w{12,}|AIza\w{20,}|[0-9a-f]{24,}"
    r"|(?=\w*[a-z])(?=\w*[A-Z])(?=\w*[0-9])[A-Za-z0-9]{28,}"
)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NOT_IN_URL = re.compile(r"[\x00-\x20\x7f\\]")
_KEY_CHARACTERS = re.compile(r"[\x21-\x7e]+")

_DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
PROXY_SCHEMES = tuple(_DEFAULT_PORTS)
SOCKS_SCHEMES = ("socks5", "socks5h")
_SOCKS_CREDENTIAL = re.compile(r"[\x20-\x7e]{1,255}")
AUTHS = ("bearer", "x-api-key", "api-key", "x-goog-api-key", "none")
_OLLAMA_PORT = re.compile(r"(^[^:]*|\]):\d+$")
_ANY_ADDRESS = ("", "0.0.0.0", "::", "[::]")  # noqa: S104 - what is never asked
_API_VERSION = re.compile(r"[A-Za-z0-9._-]*")


def nearest(word: str, names: Iterable[str]) -> str:
    """`; did you mean NAME?` for the name that is most like `word`, or nothing."""
    from difflib import get_close_matches

    close = get_close_matches(shortened(word), list(names), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def check_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        reason = "expected a name of letters, digits, '.', '_' and '-' that begins with a letter"
        raise ValueError(f"{reason} or a digit")
    return name


def check_variable(name: str) -> str:
    """The name of an environment variable, not the secret that belongs into it."""
    if not _VARIABLE.fullmatch(name) or _KEY_SHAPE.fullmatch(name):
        raise ValueError("takes the NAME of an environment variable, not its value")
    return name


def check_username(name: str) -> str:
    if ":" in name or _CONTROL.search(name):
        raise ValueError("expected a user name without ':' and control characters")
    return name


def check_key(text: str) -> Secret | None:
    """What an environment variable holds as a key; None when it holds nothing."""
    secret = text.strip()
    if secret and not _KEY_CHARACTERS.fullmatch(secret):
        raise ValueError("holds white space or a character that no key has")
    return Secret(secret) if secret else None


def check_dialect(name: str) -> str:
    if name in DIALECTS:
        return name
    known = ", ".join(DIALECTS)
    hint = nearest(name, DIALECTS)
    raise ValueError(f"unknown dialect {shortened(name)!r}{hint}; expected one of {known}")


def check_auth(name: str) -> str:
    """How a key is sent; empty for the way of the dialect."""
    if name and name not in AUTHS:
        raise ValueError(f"expected one of {', '.join(AUTHS)}{nearest(name, AUTHS)}")
    return name


def check_api_version(version: str) -> str:
    """It becomes part of a path, a query or a header."""
    if not _API_VERSION.fullmatch(version):
        raise ValueError("expected a version such as 2024-10-21 or v1beta")
    return version


def check_pem(kind: str, path: Path) -> Path:
    """A file in PEM with something of a kind: `CERTIFICATE`, `PRIVATE KEY`."""
    try:
        text = path.read_bytes()
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", "") or "no path"
        raise ValueError(f"{path} cannot be read: {words}") from None
    if f"{kind}-----".encode() not in text:
        raise ValueError(f"{path} has no {kind.lower()} in PEM: no line -----BEGIN {kind}-----")
    return path


def check_positive(seconds: float) -> float:
    if not isfinite(seconds) or seconds <= 0:
        raise ValueError(f"expected a number of seconds above 0, found {seconds:g}")
    return seconds


def check_price(amount: float) -> float:
    if not isfinite(amount) or amount < 0:
        raise ValueError(f"expected a price of 0 or more, found {amount:g}")
    return amount


def check_retries(count: int) -> int:
    if not 0 <= count <= 10:
        raise ValueError("expected a whole number from 0 to 10")
    return count


def check_count(count: int) -> int:
    if count < 1:
        raise ValueError("expected a whole number from 1")
    return count


def check_header_name(name: str) -> str:
    if not _HEADER_NAME.fullmatch(name):
        raise ValueError("expected the name of an HTTP header: letters, digits and '-'")
    return name


def check_header_value(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("expected text in quotes")  # noqa: TRY004 - one kind of error for callers
    if _CONTROL.search(value):
        raise ValueError("expected text without line breaks and other control characters")
    return value


def check_param(value: object) -> object:
    """A value that JSON can carry; lists and tables are the caller's to walk through."""
    if isinstance(value, float) and not isfinite(value):
        raise ValueError("expected a number that JSON has: neither inf nor nan")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        # TOML promises no larger ones, and an engine cannot be told of them.
        raise ValueError("expected a whole number of at most 64 bits")
    if not isinstance(value, str | int | float | list | dict):
        raise ValueError(  # noqa: TRY004 - one kind of error for callers
            "expected what JSON has: text, numbers, true or false, lists and tables"
        )
    return value


# URLs


def check_base_url(url: str) -> str:
    """An http or https URL without user, query and fragment; ends without a slash."""
    if url == EMBEDDED_DEMO_URL:
        return url
    parts = _split(url, ("http", "https"), "https://host/v1")
    if "@" in parts.netloc:
        raise ValueError("expected a URL without user and password; a key goes into api_key_env")
    if "?" in url or "#" in url:
        raise ValueError("expected a URL without '?' and '#': paths are added to its end")
    return url.rstrip("/")


def ollama_url(host: str) -> str:
    """What OLLAMA_HOST says, as a URL: `http` and 11434 are its defaults.

    https://github.com/ollama/ollama/blob/main/envconfig/config.go
    """
    if "://" in host:
        return host
    name, _, port = host.rpartition(":") if _OLLAMA_PORT.search(host) else (host, "", "")
    if name in _ANY_ADDRESS:
        # An address to listen on, for the server that reads the same variable.
        name = "[::1]" if ":" in name else "127.0.0.1"
    if ":" in name and not name.startswith("["):
        name = f"[{name}]"
    return f"http://{name}:{port or 11434}"


class ProxyAddress(Struct, frozen=True):
    """The parts of a proxy's URL; `url` is without user and password, and always has a port."""

    url: str
    username: str = ""
    password: Secret | None = None


def check_proxy_url(url: str) -> ProxyAddress:
    """A URL of an HTTP or SOCKS proxy that may hold user and password, and has no path."""
    parts = _split(url, PROXY_SCHEMES, "http://host:port")
    if parts.path not in {"", "/"} or "?" in url or "#" in url:
        raise ValueError("expected http://host:port with nothing after it")
    password = unquote(parts.password or "")
    if password and not parts.username:
        raise ValueError("expected a user before the password: http://user:password@host:port")
    return ProxyAddress(
        url=f"{parts.scheme}://{host_port(url)}",
        username=check_username(unquote(parts.username or "")),
        password=Secret(password) if password else None,
    )


def check_socks_login(username: str, password: Secret | None) -> None:
    """SOCKS5 sends both or neither, each with one byte for its length (RFC 1929)."""
    if not username:
        return
    if password is None:
        raise ValueError("a SOCKS proxy takes a username only with a password")
    if not all(map(_SOCKS_CREDENTIAL.fullmatch, (username, password.reveal()))):
        raise ValueError("a SOCKS proxy takes up to 255 characters of ASCII as user and password")


def _split(url: str, schemes: tuple[str, ...], example: str) -> SplitResult:
    # The value is not repeated: it may hold a password, or be a key in the wrong place.
    expected = f"expected a URL such as {example}"
    # urlsplit drops tabs and line ends; a backslash is read as a slash by some and not by others.
    if _NOT_IN_URL.search(url):
        raise ValueError(f"{expected}, without white space and backslashes")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(f"{expected}; its host or port cannot be read") from None
    if parts.scheme not in schemes:
        raise ValueError(expected)
    if not parts.hostname or port == 0:
        raise ValueError(f"{expected}; it has no host" if not parts.hostname else expected)
    return parts


def host_port(url: str) -> str:
    """Host and port of a proxy's URL, the host of IPv6 in brackets."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{host}:{parts.port or _DEFAULT_PORTS.get(parts.scheme, 80)}"


# Which hosts a proxy is not used for


def is_loopback(host: str) -> bool:
    """`localhost`, 127.0.0.0/8 or ::1, also as an IPv4 address inside IPv6."""
    address = _address(host)
    if address is None:
        return _plain_host(host) == "localhost"
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def is_address(pattern: str) -> bool:
    """An IP address, with or without a port; not a name."""
    return _address(_split_pattern(pattern)[0]) is not None


def check_no_proxy(pattern: str) -> str:
    expected = "expected a host, *.suffix, .suffix, a network such as 10.0.0.0/8, or host:port"
    host, port = _split_pattern(pattern)
    if not host or re.search(r"[\s,]|://", pattern) or (port and not port.isdecimal()):
        raise ValueError(expected)
    if "*" in host.removeprefix("*." if host != "*" else "*"):
        raise ValueError(f"{expected}; '*' stands only at the beginning")
    if "/" in host and _network_check(host, IPv4Address(0)) is None:
        raise ValueError(expected)
    return pattern


def matches_no_proxy(pattern: str, host: str, port: int) -> bool:
    """Whether a pattern speaks of a host: `host`, `*.suffix`, `.suffix`, a network, `host:port`."""
    wanted, wanted_port = _split_pattern(pattern)
    if wanted_port and int(wanted_port) != port:
        return False
    if wanted == "*":
        return True
    if wanted.startswith(("*.", ".")):
        return _plain_host(host).endswith(wanted.removeprefix("*"))
    address = _address(host)
    if address is not None:
        return _network_check(wanted, address) is True
    return _plain_host(host) == wanted


def _split_pattern(pattern: str) -> tuple[str, str]:
    """Host and port of a pattern, the host in lower case and without brackets."""
    if pattern.startswith("["):
        host, _, port = pattern[1:].partition("]")
        return host.lower(), port.removeprefix(":")
    host, _, port = pattern.partition(":")
    if ":" in port:
        host, port = pattern, ""
    return host.lower().rstrip("."), port


def _network_check(network: str, address: IPv4Address | IPv6Address) -> bool | None:
    """Whether the address is in the network; None when it is no network."""
    try:
        return address in ip_network(network, strict=False)
    except ValueError:
        return None


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(_plain_host(host).partition("%")[0])
    except ValueError:
        return None


def _plain_host(host: str) -> str:
    return host.removeprefix("[").removesuffix("]").rstrip(".").lower()
