"""The proxy that the environment names: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY.

Read as curl reads them, https://curl.se/docs/manpage.html#ENVIRONMENT, which nobody standardised;
networks in NO_PROXY as Go does. The choice is made here, so that it can be shown.
"""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from streamtui.config import values
from streamtui.config.types import Proxy, check_login

_SEPARATORS = re.compile(r"[,\s]+")


def proxy_variable(environ: Mapping[str, str], scheme: str) -> str:
    """The variable that names the proxy for targets of a scheme; empty when none does."""
    names = [*_both_cases(f"{scheme}_proxy"), *_both_cases("all_proxy")]
    if "REQUEST_METHOD" in environ:
        # In a CGI program whoever asks sets it with a header `Proxy`. https://httpoxy.org
        names = [name for name in names if name != "HTTP_PROXY"]
    return next((name for name in names if environ.get(name, "").strip()), "")


def env_proxy(environ: Mapping[str, str], base_url: str) -> Proxy | None:
    """The proxy for a target, with its exceptions. Raises ValueError for one that is none."""
    variable = proxy_variable(environ, urlsplit(base_url).scheme)
    if not variable:
        return None
    url = environ[variable].strip()
    try:
        address = values.check_proxy_url(url if "://" in url else f"http://{url}")
        proxy = Proxy(
            f"env {variable}",
            address.url,
            address.username,
            address.password,
            tuple(pattern for item in _exceptions(environ) for pattern in _patterns(item)),
        )
        return check_login(proxy)
    except ValueError as error:
        # Going on would reach the target directly, past a proxy that someone meant.
        raise ValueError(f"the environment variable {variable}: {error}") from None


def unread_exceptions(environ: Mapping[str, str]) -> list[str]:
    """What stands in NO_PROXY and means nothing here."""
    return [item for item in _exceptions(environ) if not _patterns(item)]


def _both_cases(name: str) -> tuple[str, str]:
    return name.lower(), name.upper()


def _exceptions(environ: Mapping[str, str]) -> Iterator[str]:
    found = (environ.get(name, "").strip() for name in _both_cases("no_proxy"))
    yield from filter(None, _SEPARATORS.split(next(filter(None, found), "")))


def _patterns(item: str) -> tuple[str, ...]:
    """An exception in the words of `no_proxy`: a domain speaks of its subdomains too."""
    try:
        pattern = values.check_no_proxy(item)
    except ValueError:
        return ()
    if pattern.startswith(("*", "[")) or "/" in pattern or values.is_address(pattern):
        return (pattern,)
    name = pattern.removeprefix(".")
    return (name, f"*.{name}")
