"""A configuration in words: what it is in effect, and what a change of it changed.

No key and no password is ever among the words.
"""

from collections.abc import Iterator, Mapping

from msgspec import Struct, structs

from streamtui.config.tables import DEFAULT_RESPONSE_BYTES, Tls
from streamtui.config.types import Config, Endpoint, Proxy
from streamtui.redact import MASK, is_secret_name, mask_url

_FIELD_WORDS = {"api_key": "key", "key_source": "key"}


def changed_keys(old: Config, new: Config) -> list[str]:
    """What is different in `new`, as words for people: `endpoint openai: model`, `theme`."""
    words = ("default_endpoint", "theme", "history")
    return [
        *_changes("endpoint", _endpoints(old), _endpoints(new)),
        *_changes("proxy", old.proxies, new.proxies),
        *(name.replace("_", " ") for name in words if getattr(old, name) != getattr(new, name)),
    ]


def _endpoints(config: Config) -> dict[str, Endpoint]:
    """The endpoints with no more than the names of fallbacks and of named proxies, whose changes
    are told once."""
    return {name: _with_names(endpoint, config) for name, endpoint in config.endpoints.items()}


def _with_names(endpoint: Endpoint, config: Config) -> Endpoint:
    fallbacks = tuple(Endpoint(fallback.name, "", "") for fallback in endpoint.fallbacks)
    proxy = endpoint.proxy
    if proxy and proxy.name in config.proxies:
        proxy = Proxy(proxy.name, url="")
    return structs.replace(endpoint, fallbacks=fallbacks, proxy=proxy)


def _changes(kind: str, old: Mapping[str, Struct], new: Mapping[str, Struct]) -> Iterator[str]:
    for name in {**old, **new}:
        if name not in old:
            yield f"{kind} {name}: added"
        elif name not in new:
            yield f"{kind} {name}: removed"
        elif fields := _changed_fields(old[name], new[name]):
            yield f"{kind} {name}: {', '.join(fields)}"


def _changed_fields(old: Struct, new: Struct) -> list[str]:
    changed = [n for n in old.__struct_fields__ if getattr(old, n) != getattr(new, n)]
    return list(dict.fromkeys(_FIELD_WORDS.get(name, name) for name in changed))


def show_config(config: Config) -> str:
    """The configuration in effect as TOML, keys, passwords and headers with secrets as `***`."""
    import tomli_w

    return tomli_w.dumps(
        {
            "defaults": {"endpoint": config.default_endpoint, "theme": config.theme},
            "history": {"keep": config.history},
            "proxies": {name: _shown_proxy(proxy) for name, proxy in config.proxies.items()},
            "endpoints": {n: _shown_endpoint(e, config) for n, e in config.endpoints.items()},
        }
    )


def _shown_proxy(proxy: Proxy) -> dict[str, object]:
    shown: dict[str, object] = {"url": proxy.url}
    if proxy.username:
        shown["username"] = proxy.username
    if proxy.password:
        shown["password"] = MASK
    return shown | {"no_proxy": list(proxy.no_proxy), "loopback": proxy.loopback}


def _shown_endpoint(endpoint: Endpoint, config: Config) -> dict[str, object]:
    shown: dict[str, object] = {
        "dialect": endpoint.dialect,
        "base_url": mask_url(endpoint.base_url),
        "model": endpoint.model,
    }
    if endpoint.key_source:
        shown["api_key"] = MASK if endpoint.api_key else "not found"
        shown["key_source"] = endpoint.key_source
    said = {"auth": endpoint.auth, "api_version": endpoint.api_version}
    shown |= {name: text for name, text in said.items() if text}
    shown["proxy"] = _shown_route(endpoint, config)
    shown["retries"] = endpoint.retries
    if endpoint.fallbacks:
        shown["fallbacks"] = [fallback.name for fallback in endpoint.fallbacks]
    if endpoint.max_concurrent is not None:
        shown["max_concurrent"] = endpoint.max_concurrent
    if endpoint.max_response_bytes != DEFAULT_RESPONSE_BYTES:
        shown["max_response_bytes"] = endpoint.max_response_bytes
    tables = {
        "params": endpoint.params,
        "headers": {n: _masked_header(n, value) for n, value in endpoint.headers.items()},
        "timeouts": _without_none(endpoint.timeouts),
        "tls": _said_of_tls(endpoint.tls) if endpoint.tls else {},
        "price": _without_none(endpoint.price) if endpoint.price else {},
    }
    return shown | {name: table for name, table in tables.items() if table}


def _shown_route(endpoint: Endpoint, config: Config) -> str:
    """The way to an endpoint as it is written in the file."""
    if endpoint.proxy is None:
        return "direct"
    if endpoint.proxy.name.startswith("env "):
        return "env"
    return endpoint.proxy.name if endpoint.proxy.name in config.proxies else endpoint.proxy.url


def _masked_header(name: str, value: str) -> str:
    return MASK if is_secret_name(name) else value


def _said_of_tls(tls: Tls) -> dict[str, object]:
    return {name: value for name, value in structs.asdict(tls).items() if value != ""}


def _without_none(table: Struct) -> dict[str, object]:
    """TOML has no word for nothing."""
    return {name: value for name, value in structs.asdict(table).items() if value is not None}
