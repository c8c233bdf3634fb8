"""Secure connections: what is trusted, who answers, and in words why one could not be made.

No I/O but files.

aiohttp's own contexts are made while it is imported, with whatever the environment said then.
"""

import ssl
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import aiohttp

from streamtui.config import Tls
from streamtui.errors import TransportError

# OpenSSL's names for them: x509_vfy.h, X509_V_ERR_...
_NOT_YET_VALID = 9
_EXPIRED = 10
_SELF_SIGNED = 18
_UNKNOWN_AUTHORITY = frozenset({2, 19, 20, 21})
_OTHER_HOST = frozenset({62, 64})

_TRUST = "If you trust it, name its certificate in tls.ca_file"
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "UNEXPECTED_MESSAGE")
_WANTS_CERTIFICATE = ("CERTIFICATE_REQUIRED", "ALERT_HANDSHAKE_FAILURE", "ALERT_BAD_CERTIFICATE")


Stamps = tuple[tuple[int, int, int], ...]


def stamps(tls: Tls | None) -> Stamps:
    """How the files of an endpoint look now; others after a change of one of them."""
    files = (tls.ca_file, tls.client_cert, tls.client_key) if tls else ()
    return tuple(map(_stamp, filter(None, files)))


def _stamp(path: str) -> tuple[int, int, int]:
    try:
        found = Path(path).stat()
    except OSError:
        return 0, 0, 0
    return found.st_ino, found.st_size, found.st_mtime_ns


def client_context(tls: Tls | None) -> ssl.SSLContext:
    """How an endpoint is spoken to. Raises TransportError for a file that is no good."""
    tls = tls or Tls()
    context = _verifying_context(tls.ca_file)
    if tls.client_cert:
        _load_client_certificate(context, tls)
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def proxy_context(tls: Tls | None) -> ssl.SSLContext:
    """How a proxy is spoken to: verified always, and never shown the endpoint's certificate."""
    return _verifying_context(tls.ca_file if tls else "")


def tls_error(error: BaseException | None, where: str, *, is_proxy: bool = False) -> TransportError:
    """Why no secure connection to `where` could be made."""
    code = getattr(error, "verify_code", 0)
    words, hint = _certificate_words(code, where) if code else _protocol_words(error, where)
    if is_proxy:
        hint = hint.replace("base_url", "the proxy's url")
    return TransportError(words, kind="tls", hint=hint)


def find_tls_error(error: BaseException) -> ssl.SSLError | None:
    """The error of TLS behind one of aiohttp; None when it is about something else."""
    found: BaseException | None = error
    while found is not None:
        # aiohttp's own exceptions are of this class too, and know no reason.
        if isinstance(found, ssl.SSLError) and not isinstance(found, aiohttp.ClientError):
            return found
        # Before CPython 3.11.8 the one inside another TLS was lost on its way up (gh-113214).
        found = found.__cause__ or found.__context__
    return None


def tls_words(connection: ssl.SSLObject, now: float) -> str:
    """What was agreed on and who answers; `now` is seconds since the epoch."""
    cipher, alpn = connection.cipher(), connection.selected_alpn_protocol()
    words = [
        connection.version() or "",
        cipher[0] if cipher else "",
        *_owner_words(connection.getpeercert() or {}, now),
        f"ALPN {alpn}" if alpn else "",
    ]
    return ", ".join(filter(None, words))


def _owner_words(certificate: Mapping[str, Any], now: float) -> list[str]:
    """Python tells nothing of a certificate that was not verified."""
    if not certificate:
        return ["certificate not verified"]
    owner, issuer = _fields(certificate["subject"]), _fields(certificate["issuer"])
    # A name in the subject is out of use, and what stands there may be any of those it is for.
    others = [value for _, value in certificate.get("subjectAltName", ())]
    name = owner.get("commonName") or next(iter(others), "")
    by = issuer.get("commonName") or issuer.get("organizationName", "an authority without a name")
    days = int((ssl.cert_time_to_seconds(certificate["notAfter"]) - now) // 86400)
    return [name, f"issued by {by}", "1 day left" if days == 1 else f"{days:,} days left"]


def _fields(name: Iterable[Iterable[tuple[str, str]]]) -> dict[str, str]:
    return {key: value for pairs in name for key, value in pairs}


def _verifying_context(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if ca_file:
        try:
            # Not an argument of create_default_context: there it takes the place of the system's.
            context.load_verify_locations(ca_file)
        except OSError:
            raise _bad_file("ca_file", ca_file, "certificates in PEM") from None
    return context


def _load_client_certificate(context: ssl.SSLContext, tls: Tls) -> None:
    try:
        # Without a password OpenSSL would ask for one on the terminal.
        context.load_cert_chain(tls.client_cert, tls.client_key or None, password=_no_password)
    except (OSError, ValueError):
        expected = "a certificate in PEM and its key, which has no password"
        raise _bad_file("client_cert", tls.client_cert, expected) from None


def _no_password() -> str:
    raise ValueError("the key is encrypted")


def _bad_file(key: str, path: str, expected: str) -> TransportError:
    return TransportError(
        f"tls.{key} cannot be used: {path}", kind="tls", hint=f"It has to hold {expected}"
    )


def _certificate_words(code: int, where: str) -> tuple[str, str]:
    if code == _SELF_SIGNED:
        return f"the certificate of {where} is signed by nobody but itself", _TRUST
    if code in _UNKNOWN_AUTHORITY:
        words = f"the certificate of {where} comes from an authority that is unknown here"
        return words, "If you trust the authority, name its certificate in tls.ca_file"
    if code in _OTHER_HOST:
        hint = "Write base_url with the name in the certificate; tls.ca_file cannot excuse this"
        return f"the certificate of {where} is for another host", hint
    if code == _EXPIRED:
        hint = "It has to be renewed there, or this machine's clock is wrong; a new one may need"
        return f"the certificate of {where} has expired", f"{hint} tls.ca_file"
    if code == _NOT_YET_VALID:
        hint = "Check the clock of this machine; tls.ca_file cannot excuse this"
        return f"the certificate of {where} is not valid yet", hint
    return f"the certificate of {where} is not accepted", _TRUST


def _protocol_words(error: BaseException | None, where: str) -> tuple[str, str]:
    reason = str(getattr(error, "reason", "") or "").upper()
    if any(name in reason for name in _NO_TLS):
        return f"{where} does not speak TLS", "Try http:// in base_url"
    if any(name in reason for name in _WANTS_CERTIFICATE):
        hint = "Name one that it knows in tls.client_cert and tls.client_key"
        return f"{where} refuses the connection, perhaps for want of a client certificate", hint
    return f"no secure connection to {where} could be made", "Check host and port in base_url"
