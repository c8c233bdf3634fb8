"""The way to an endpoint: directly or through its proxy. No I/O."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from streamtui.config import Endpoint, Proxy, bypasses_proxy
from streamtui.engine.status import proxy_words


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
