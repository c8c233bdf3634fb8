"""The way to an endpoint: directly or through its proxy. No I/O."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from streamtui.config import EMBEDDED_DEMO_URL, Endpoint, Proxy, bypasses_proxy
from streamtui.engine.status import proxy_words
from streamtui.redact import mask_url


def proxy_for(endpoint: Endpoint) -> Proxy | None:
    """The proxy that is really used, after its exceptions."""
    target = urlsplit(endpoint.base_url)
    port = target.port or (443 if target.scheme == "https" else 80)
    if endpoint.proxy is None or bypasses_proxy(endpoint.proxy, target.hostname or "", port):
        return None
    return endpoint.proxy


def route_words(endpoint: Endpoint) -> str:
    """The way to an endpoint in words, without secrets."""
    proxy = proxy_for(endpoint)
    return f"via {proxy_words(proxy)}" if proxy else "direct"


def address_words(endpoint: Endpoint) -> str:
    """Where an endpoint is, without secrets."""
    is_built_in = endpoint.base_url == EMBEDDED_DEMO_URL
    return "built in" if is_built_in else mask_url(endpoint.base_url)


def buffering_proxy(endpoint: Endpoint) -> str:
    """The proxy that may gather an answer before it passes it on, in words; empty for none.

    Those that read HTTP may, also inside TLS that ends at them. mitmproxy does it by default.
    """
    proxy = proxy_for(endpoint)
    return "" if proxy is None or proxy.is_socks else proxy_words(proxy)


def lookups(endpoint: Endpoint) -> list[str]:
    """The names on the way that are looked up here, and not by a proxy."""
    proxy = proxy_for(endpoint)
    hosts = [_host(endpoint.base_url)] if proxy is None else [_host(proxy.url)]
    if proxy and proxy.scheme == "socks5":
        hosts.insert(0, _host(endpoint.base_url))
    return list(filter(_is_name, hosts))


def has_name(endpoint: Endpoint) -> bool:
    """Whether the endpoint's host is a name that somebody has to look up."""
    return _is_name(_host(endpoint.base_url))


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _is_name(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return True
    return False


def is_secure(endpoint: Endpoint) -> bool:
    """Whether the endpoint itself is spoken to over TLS, whatever lies on the way."""
    return urlsplit(endpoint.base_url).scheme == "https"
